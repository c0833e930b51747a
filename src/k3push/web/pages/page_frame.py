"""What all pages have in common: what stands around them, their templates and addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException

from k3push.core.model import BillNumber, Run
from k3push.core.plan import Forecast
from k3push.reporting.html_templates import environment
from k3push.reporting.phrases import hold_words
from k3push.reporting.results_folder import PARTS
from k3push.reporting.summary import follow_line
from k3push.web.admission.roles import Role
from k3push.web.pages.run_status import deed, how, kind, offered, orders, pace
from k3push.words.language import Say

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_REASON = 2000

# By the command that does the same.
_BUTTONS = {
    "resume": "desk.resume",
    "retry": "desk.retry",
    "settle": "desk.settle",
    "follow": "desk.follow",
    "plan": "desk.push",
    "run": "desk.push",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page.

    Attributes:
        say: Sentences, in its language.
        seal: What its forms bring along.
        base: Where the tenant's pages begin: "" or `/t/NAME`.
        crumbs: Where the page is: address and name of each step above it.
        user: Who looks, where that is known.
        leave: Whether there is a session that one can leave.
        other: The same page in the other language.
        found: What was searched for.
        role: What the visitor may do; None for who was not let in.
        works: Whether a push can be begun here.
        search: Whether there is something to be searched.
    """

    say: Say
    seal: str
    base: str = ""
    crumbs: Sequence[tuple[str, str]] = ()
    user: str = ""
    leave: bool = False
    other: str = ""
    found: str = ""
    search: bool = True
    role: Role | None = None
    works: bool = False

    @property
    def whose(self) -> str:
        """What tells who looks from others, and names nobody."""
        return hashlib.sha256(self.user.encode(errors="replace")).hexdigest()[:16]

    def may(self, role: str) -> bool:
        """Say whether the visitor may do what needs a role, by its name in small letters."""
        return self.role is not None and self.role >= Role[role.upper()]

    @property
    def _has_buttons(self) -> bool:
        return self.works and self.may("operate")

    def button(self, command: str) -> str:
        """Name the button, or the place, that does what a command does; "" if none does."""
        match command.removeprefix("k3push ").split():
            case ["settle", "--as", *_]:
                return self.say("web.settle_there")
            case ["control", *_, "continue"]:
                key = "web.continue"
            case ["report"]:
                key = "desk.report"
            case [verb, *rest] if self._has_buttons and verb in _BUTTONS and "--" not in str(rest):
                key = _BUTTONS[verb]
            case _:
                return ""
        # Else its name runs into the words about it.
        return f"“{self.say(key)}”" if self.say.lang == "zh" else self.say(key)


@cache
def _templates() -> Environment:
    made = environment("k3push.web", "k3push.reporting")
    made.globals.update(
        Forecast=Forecast,
        PARTS=PARTS,
        act_words=deed,
        cause_id=cause_id,
        hold_words=hold_words,
        follow_line=follow_line,
        how=how,
        kind=kind,
        number_url=number_url,
        offered=offered,
        orders=orders,
        pace=pace,
        plan_url=plan_url,
        run_url=run_url,
        zone=lambda: zone_at(datetime.now(UTC)),
    )
    made.filters.update(shortened=shortened)
    return made


def zone_at(at: datetime) -> str:
    """Return how far the server's local time is from UTC at a time, as its pages tell it.

    >>> zone_at(datetime(2026, 1, 2, tzinfo=UTC)).startswith("UTC")
    True
    """
    offset = f"{at.astimezone():%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"


def rendered(template: str, say: Say, **values: object) -> str:
    """Return a page, or a part of one, from its template."""
    return _templates().get_template(template).render(say=say, **values)


def run_url(base: str, run: Run) -> str:
    """Return where a run's page is."""
    return f"{base}/runs/{quote(run.id, safe='')}"


def plan_url(base: str, request: str) -> str:
    """Return where the plan of a request is, by its id."""
    return f"{base}/plans/{request}"


def number_url(base: str, number: BillNumber | str) -> str:
    """Return where the evidence of a number is.

    >>> number_url("", "A/B?"), number_url("/t/a", "..")
    ('/numbers/A%2FB%3F', '/t/a/numbers?q=..')
    """
    # A browser takes dots alone for folders, however they are written.
    if not number.strip("."):
        return f"{base}/numbers?{urlencode({'q': number})}"
    return f"{base}/numbers/{quote(number, safe='', errors='replace')}"


def shortened(reason: str) -> str:
    """Return the words of the ERP, cut where a page of a hundred rows would grow too long."""
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…"


def as_file(name: str) -> dict[str, str]:
    """Return the headers of an answer that a browser keeps under a name.

    >>> as_file("采购.csv")
    {'content-disposition': "attachment; filename*=utf-8''%E9%87%87%E8%B4%AD.csv"}
    """
    return {"content-disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}"}


def cause_id(code: str, shape: str) -> str:
    """Name a cause in an address or a form: the code and the shape that its rows share."""
    return hashlib.sha256(f"{code}\0{shape}".encode(errors="replace")).hexdigest()[:16]


def whole(text: str) -> int:
    """Read a place in a list from an address; raises `HTTPException` where it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):  # noqa: PLR2004  # 64 bits
        raise HTTPException(400)
    return int(text)
