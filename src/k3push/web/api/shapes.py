"""What programs send and are told, as the OpenAPI document has it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from k3push.adapters.job_files.number_columns import flaw, tidy
from k3push.core.foreign_text import flaw_of
from k3push.core.remark import remark

MOST_BILLS = 1000
LONGEST_KEY = 200
LONGEST_ID = 19
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f]")
ID_PATTERN = rf"^[1-9][0-9]{{0,{LONGEST_ID - 1}}}$"


def _fit_number(number: str) -> str:
    """Read a number as a job file would be read."""
    number = tidy(number)
    if wrong := flaw(number):
        raise ValueError(remark(f"job.{wrong.code}", **wrong.facts))
    return number


def _fit_key(key: str) -> str:
    if flaw_of(key) or _UNPRINTED.search(key):
        raise ValueError(remark("api.bad_key"))
    return key


# What is wrong is found with all else that is wrong in the body.
Number = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_fit_number)]
Key = Annotated[str, AfterValidator(_fit_key)]
# The ERP tells ids as numbers, and job files hold either.
Id = Annotated[
    str,
    BeforeValidator(
        lambda id_: str(id_) if type(id_) is int else id_,
        json_schema_input_type=Annotated[str, Field(pattern=ID_PATTERN)]
        | Annotated[int, Field(ge=1, lt=10**LONGEST_ID)],
    ),
    Field(pattern=ID_PATTERN),
]
Steps = Annotated[list[Literal["submit", "audit"]], Field(max_length=2)]

CommandWord = Literal["pause", "continue", "stop", "resume", "retry", "settle"]
PushState = Literal["planning", "planned", "accepted", "running", "ended", "withdrawn", "failed"]


class Wanted(BaseModel):
    """Bills to be pushed, by their numbers or by their internal ids."""

    model_config = ConfigDict(extra="forbid")

    key: Key = Field(
        min_length=1,
        max_length=LONGEST_KEY,
        description="Your own name for this, such as the id of your event. Asked again with it, "
        "you are told of the same push; nothing is pushed twice.",
    )
    route: str | None = Field(
        None, max_length=200, description="The token's route; any other is refused."
    )
    numbers: list[Number] = Field(
        default_factory=list, max_length=MOST_BILLS, description="Bill numbers (单据编号)."
    )
    ids: list[Id] = Field(
        default_factory=list, max_length=MOST_BILLS, description="Internal ids (源单内码)."
    )
    follow: Steps | None = Field(
        None,
        description="The first of the steps that the route takes after a push; `[]` takes none, "
        "and without it all are taken.",
    )


class Commanding(BaseModel):
    """What is to be done with a push."""

    model_config = ConfigDict(extra="forbid")

    command: CommandWord = Field(
        description="`pause`, `continue` and `stop` while it is running; `resume` goes on where it "
        "stopped; `retry` pushes rejected bills again; `settle` asks the ERP about unknown ones."
    )


class Reason(BaseModel):
    """Why so many bills would not be pushed."""

    reason: str
    count: int


class Plan(BaseModel):
    """What would be done."""

    bills: dict[str, int] = Field(description="How many are ready, already, partly or blocked.")
    calls: int = Field(description="About how many calls would be made.")
    seconds: float | None = Field(description="About how long they would take, where known.")
    seconds_least: float | None = Field(description="The least that is expected.")
    seconds_most: float | None = Field(description="The most that is expected.")
    reasons: list[Reason]


class Archived(BaseModel):
    """Where the whole of a push is, once its run is archived: the ledger keeps a part of it."""

    file: str = Field(description="In the folder of archives; `k3push explain --archive` reads it.")
    at: datetime


class Push(BaseModel):
    """A push, and how it stands."""

    id: str
    key: str
    route: str
    state: PushState = Field(
        description="`accepted`: in the ledger, and executed as soon as can be. `ended`: nothing "
        "more is done by itself. `failed`: it could not be begun; `why` says the cure."
    )
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    run: str | None = Field(description="The run in the ledger, once there is one.")
    exit: int | None = Field(description="The exit code of the last execution that has ended.")
    counts: dict[str, int] = Field(
        description="Bills by state; of an archived push, those that the ledger still has."
    )
    follow: dict[str, int] = Field(description="Documents by how far they have come.")
    needs_person: bool = Field(description="Whether somebody has to look, or to approve.")
    why: str | None
    plan: Plan | None = Field(description="What would be done, where a plan was asked for.")
    archived: Archived | None = Field(description="Null as long as all of it is in the ledger.")


class Target(BaseModel):
    """A document that the ERP made."""

    id: str
    number: str
    draft: bool


class Row(BaseModel):
    """What became of one bill."""

    line: int = Field(description="Its place in the request, from 1.")
    number: str
    id: str
    state: Literal["planned", "sent", "pushed", "draft", "already", "rejected", "unknown"]
    targets: list[Target]
    code: str
    reason: str
    cure: str = Field(description="What helps, where that is known.")
    attempts: int
    sent_at: datetime | None
    settled_at: datetime | None
    follow: str
    follow_reason: str


class Rows(BaseModel):
    """Some rows; a bill that the request names twice has one, of its first line."""

    rows: list[Row]
    next: int | None = Field(description="`after` of the next page; null at the end.")
    archived: Archived | None = Field(
        description="Where rows are that the ledger has no more; null as long as it has all."
    )


class PlannedRow(BaseModel):
    """What would become of one bill."""

    line: int = Field(description="Its place in the request, from 1.")
    number: str
    id: str
    fate: Literal["ready", "partly", "already", "blocked"] = Field(
        description="`ready` and `partly` would be pushed; `already` has a document; `blocked` "
        "would be rejected unsent, or waits for another push."
    )
    repeats: int | None = Field(
        description="The line that names the bill first; it is pushed once, and has one row then."
    )
    targets: list[Target]
    code: str
    reason: str
    cure: str = Field(description="What helps, where that is known.")


class PlannedRows(BaseModel):
    """Some rows of a plan."""

    rows: list[PlannedRow]
    next: int | None = Field(description="`after` of the next page; null at the end.")


class Happened(BaseModel):
    """A call that had the bill in it, or a note about it."""

    at: datetime
    what: str
    text: str
    request: str | None
    answer: str | None


class Evidence(BaseModel):
    """What happened to one bill, in the order of time."""

    row: Row
    events: list[Happened]
    archived: Archived | None = Field(
        description="Where calls are that the ledger has no more; null as long as it has all."
    )
