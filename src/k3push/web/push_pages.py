"""The pages on which a list becomes a plan, and an approved plan becomes runs."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response

from k3push.adapters.job_files import Code, JobFileError
from k3push.adapters.plan_file import PlanFileError, lines_of, sha256_of
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.advice.diagnosis import advise
from k3push.core.cells import marked
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.plan import Forecast, Foreseen
from k3push.core.remark import remark
from k3push.reporting.phrases import expected_calls, expected_time
from k3push.runs.problem import Problem
from k3push.runs.push_requests.request_stages import (
    PASTED,
    OvertakenError,
    Request,
    RequestKind,
    Stage,
    find_request,
    move,
    put_request,
)
from k3push.web.live import EventStream
from k3push.web.page_context import PageContext, Visit
from k3push.web.pages import rendered, run_url, whole
from k3push.web.passing_file import passing_file
from k3push.web.request_origin import (
    file_of,
    origin_of_file,
    origin_of_reading,
    origin_of_selection,
    to_be_approved,
)
from k3push.web.request_plan import ReadingSoFar, planned_lines
from k3push.web.roles import is_one_person
from k3push.web.uploads import MOST_UPLOAD_BYTES, Upload, digest_of, keep
from k3push.wiring.inbox import digest_now
from k3push.wiring.job_lists import JobOptions
from k3push.wiring.selected_bills import LIST as SELECTED_LIST
from k3push.words.language import Say, in_files

LINES_A_PAGE = 100
MOST_UNUSABLE = 100
"""Size of the cache of lists that cannot be used."""

LONGEST_FIELD = 200

_TO_RUN = "to=run"
"""In the address of a plan: whoever has approved it wants to see its run."""

_DIGEST_LETTERS = 8
"""Of the digest of a list, at the end of the ids of what is asked with it."""

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
_COLUMNS = ("line", "number", "id", "route", "fate", "targets", "code", "reason")
REPEAT = "repeat"
_OF_MACHINE = frozenset({Code.UNREADABLE, Code.KILLS_READER})

# How messages for the command line name what the form has a field for.
_HOW = ("route", "column", "sheet", "skip")
_FIELDS = {"sheet": "desk.sheet", "column": "desk.column"}
_OPTION = re.compile(r"(?:\bwith |用 )--(sheet|column)\b(?:(?<=[a-z]) (?=[指正]))?")
_ROUTE = re.compile(r"^[^:\n]+: (?:--route|routes): ")


class _UnusableListError(Exception):
    """A list cannot be looked at.

    Attributes:
        id: What the next try is to have.
        problem: What is wrong, in words; "" where there are troubles.
        troubles: What is wrong with its lines, as remarks.
        kept: The list's name, where the server has it.
        sheets: Those of the workbook, to choose from.
    """

    def __init__(
        self,
        id_: str,
        problem: str = "",
        troubles: Sequence[str] = (),
        kept: str = "",
        sheets: Sequence[str] = (),
    ) -> None:
        super().__init__(problem)
        self.id = id_
        self.problem = problem
        self.troubles = troubles
        self.kept = kept
        self.sheets = sheets

    def again(self) -> _UnusableListError:
        """Return the same, without the trace of when it was raised."""
        return _UnusableListError(self.id, self.problem, self.troubles, self.kept, self.sheets)


class PushPages:
    """Answers what is asked of lists and plans."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk
        # A cache of what is wrong with lists, so that to load a page again reads none. It holds as
        # long as the settings are the same object.
        self._unusable: dict[tuple[Path, JobOptions, str], tuple[Settings, _UnusableListError]] = {}

    # -- a list -------------------------------------------------------------------------------

    async def form(self, request: HttpRequest) -> Response:
        """Show what a push is begun with."""
        visit = await self._desk.visit(request)
        asked = request.query_params
        kept = None
        if _ID.fullmatch(id_ := asked.get("id", "")):
            kept = await to_thread.run_sync(_kept_in, _folder(visit, id_))
        if kept is None:
            return self._form(request, visit, {"id": self._new_id()})
        pasted = kept.name == PASTED
        text = await anyio.Path(kept).read_text("utf-8", "replace") if pasted else ""
        form = {**asked, "text": text}
        try:
            await self._read(visit, id_, kept, _how(asked))
        except _UnusableListError as bad:
            return self._form(request, visit, form, bad)
        return self._form(request, visit, form, kept="" if pasted else kept.name)

    async def send(self, request: HttpRequest) -> Response:
        """Take a list: say what is wrong with it, or look ahead for it."""
        visit = await self._desk.visit(request)
        form: Mapping[str, str] = request.state.form
        id_ = form.get("id", "")
        if not _ID.fullmatch(id_):
            id_ = self._new_id()
        try:
            asked = await self._taken(visit, id_, Upload(form, request.state.file))
        except _UnusableListError as bad:
            if not bad.kept:
                return self._form(request, visit, {**form, "id": bad.id}, bad)
            # A page of its own, that can be loaded again and gone back to.
            how = {name: value for name in _HOW if (value := _field(form, name))}
            query = urlencode({"id": bad.id, **how}, errors="replace")
            return RedirectResponse(f"{visit.base}/push?{query}", 303)
        return RedirectResponse(_url(visit, asked), 303)

    async def _taken(self, visit: Visit, id_: str, upload: Upload) -> Request:
        """Keep a list, read it to its end, and ask for a look ahead.

        What is sent twice is one request. What is changed and sent again from one page is another.

        Raises:
            _UnusableListError: Somebody has to mend it, or there is none.
        """
        say = visit.frame.say
        selects = upload.fields.get("select") == "yes"
        pasted = bool(upload.fields.get("text", "").strip())
        brings = bool(upload.file or pasted)
        if upload.file and pasted and not selects:
            raise _UnusableListError(id_, say("desk.two_lists"))
        earlier = None if brings else await to_thread.run_sync(_kept_in, _folder(visit, id_))
        if not (selects or brings or earlier):
            raise _UnusableListError(id_, say("desk.nothing_sent"))
        try:
            digest = await digest_of(upload, earlier)
            id_ = f"{id_[:-_DIGEST_LETTERS]}{digest[:_DIGEST_LETTERS]}"
            if asked := await find_request(visit.ledger, id_):
                return asked
            if selects:
                return await self._selecting(visit, id_, upload.fields)
            kept = await keep(_folder(visit, id_), upload, earlier)
        except OSError as error:
            why = say("desk.disk", why=error.strerror or error)
            raise _UnusableListError(id_, why) from error
        how = _how(upload.fields)
        await self._read(visit, id_, kept, how)
        return await self._ask(visit, id_, kept, origin_of_reading(how))

    async def _read(self, visit: Visit, id_: str, kept: Path, how: JobOptions) -> None:
        """Read a list to its end, or know what was wrong with it when it was read before.

        Raises:
            _UnusableListError: Somebody has to mend it.
        """
        settings, key = visit.working().settings, (kept, how, visit.frame.say.lang)
        known = self._unusable.get(key)
        if known is not None and known[0] is settings:
            raise known[1].again()
        try:
            await self._read_anew(visit, id_, kept, how)
        except _UnusableListError as bad:
            if not _is_of_machine(bad.__cause__):
                self._unusable[key] = (settings, bad.again())
                if len(self._unusable) > MOST_UNUSABLE:
                    del self._unusable[next(iter(self._unusable))]
            raise

    async def _read_anew(self, visit: Visit, id_: str, kept: Path, how: JobOptions) -> None:
        say = visit.frame.say
        try:
            lines = await visit.working().read([kept], how)
        except JobFileError as error:
            troubles = str(error).split("\n")
            raise _UnusableListError(
                id_, troubles=troubles, kept=kept.name, sheets=error.sheets
            ) from error
        except OSError as error:
            why = say("desk.disk", why=error.strerror or error)
            raise _UnusableListError(id_, why, kept=kept.name) from error
        except Problem as error:
            raise _UnusableListError(id_, troubles=[str(error)], kept=kept.name) from error
        except SettingsError as error:
            raise _UnusableListError(id_, say.said(str(error)), kept=kept.name) from error
        if not lines:
            raise _UnusableListError(id_, say("notice.empty_job", job=kept.name), kept=kept.name)

    async def _selecting(self, visit: Visit, id_: str, form: Mapping[str, str]) -> Request:
        """Ask for a look ahead at what a route selects.

        Raises:
            _UnusableListError: The route is to be named.
        """
        workshop = visit.working()
        how = JobOptions(route=_field(form, "route"))
        try:
            workshop.settings.route(how.route)
        except SettingsError as error:
            raise _UnusableListError(id_, visit.frame.say.said(str(error))) from error
        kept = _folder(visit, id_) / SELECTED_LIST
        return await self._ask(visit, id_, kept, origin_of_reading(how) | origin_of_selection())

    async def _ask(self, visit: Visit, id_: str, kept: Path, how: Mapping[str, object]) -> Request:
        asked = Request(
            id=id_,
            kind=RequestKind.PUSH,
            by=visit.visitor.user,
            at=self._desk.clock.now(),
            stage=Stage.PLANNING,
            jobs=[str(kept)],
            how=how,
        )
        asked = await put_request(visit.ledger, asked)
        self._log("request.made", visit, asked)
        visit.working().begin(asked)
        return asked

    def _form(
        self,
        request: HttpRequest,
        visit: Visit,
        form: Mapping[str, str],
        bad: _UnusableListError | None = None,
        *,
        kept: str = "",
    ) -> Response:
        say = visit.frame.say
        workshop = visit.working()
        folders = (_folder(visit, form.get("id", "")), workshop.settings.folder)
        troubles = [say.said(each) for each in bad.troubles] if bad else []
        fields = {name: form.get(name, "") for name in ("id", "route", "column", "sheet", "text")}
        return self._desk.page(
            request,
            visit.frame,
            "push.html",
            form=fields,
            skip=form.get("skip") == "yes",
            routes=list(workshop.settings.routes),
            most=MOST_UPLOAD_BYTES >> 20,
            problem=_in_form(_here(bad.problem, say, *folders), say) if bad else "",
            troubles=[_in_form(_here(each, say, *folders), say) for each in troubles],
            sheets=_offered(bad.sheets, fields["sheet"]) if bad else (),
            kept=bad.kept if bad else kept,
            status=422 if bad and request.method == "POST" else 200,
        )

    # -- a plan -------------------------------------------------------------------------------

    async def plan(self, request: HttpRequest) -> Response:
        """Show how a request stands, and what its plan comes to."""
        visit, asked = await self._asked(request)
        problem = self._desk.problem(request)
        say = visit.frame.say
        fate = request.query_params.get("fate", "")
        if fate and fate not in set(Forecast):
            raise HTTPException(400)
        after = whole(request.query_params.get("after", "0"))
        lines: list[tuple[int, Foreseen]] = []
        flaw = ""
        if asked.plan and asked.stage in {Stage.PLANNED, Stage.APPROVED, Stage.ENDED}:
            try:
                fates = {Forecast(fate)} if fate else ()
                look = partial(planned_lines, asked, fates, after=after, limit=LINES_A_PAGE + 1)
                lines = await to_thread.run_sync(look)
            except PlanFileError as error:
                name = Path(asked.plan).name
                flaw = say(f"plan.refused.{error.why}", path=name, why=error)
        runs = [run for each in asked.runs if (run := await visit.ledger.run(each)) is not None]
        if len(runs) == len(asked.runs) == 1 and request.url.query == _TO_RUN:
            return RedirectResponse(run_url(visit.base, runs[0]), 303)
        settings = visit.working().settings
        folder = visit.working().lists / Path(asked.jobs[0]).parent.name
        return self._desk.page(
            request,
            visit.frame,
            "plan.html",
            problem=problem,
            flaw=flaw,
            asked=asked,
            url=_url(visit, asked),
            look=visit.working().reading(asked),
            routes=[_with_words(each, say) for each in asked.seen.get("routes", ())],
            notes=[say.said(each) for each in asked.seen.get("notes", ())],
            skipped=[_here(say.said(each), say, folder) for each in asked.seen.get("skipped", ())],
            lines=[one for _, one in lines[:LINES_A_PAGE]],
            next_after=lines[LINES_A_PAGE - 1][0] if len(lines) > LINES_A_PAGE else 0,
            after=after,
            fate_shown=fate,
            runs=runs,
            why=_here(say.said(asked.why), say, folder, settings.folder),
            hindrance=self._hindrance(visit, asked),
            site={"url": settings.erp.url, "acct": settings.erp.acct_id},
            # The server may be at work on it, or another person.
            live="" if problem or not asked.is_open else f"{_url(visit, asked)}/events",
            state=_state(visit, asked.stage, there=bool(runs)),
        )

    def _hindrance(self, visit: Visit, asked: Request) -> str:
        """Say why the visitor may not approve a request; "" if they may."""
        say = visit.frame.say
        if not visit.visitor.may("approve"):
            return say("desk.approve_role")
        if self._desk.rules.four_eyes and is_one_person(asked.by, visit.visitor.user):
            return say("desk.approve_other", by=asked.by)
        return ""

    async def plan_live(self, request: HttpRequest) -> Response:
        """Tell how a request stands, as it changes."""
        visit, asked = await self._asked(request)
        say, id_ = visit.frame.say, asked.id

        async def look() -> tuple[Stage, bool, ReadingSoFar | None]:
            now = await find_request(visit.ledger, id_) or asked
            there = bool(now.runs) and await visit.ledger.run(now.runs[0]) is not None
            reading = visit.working().reading(now)
            # It goes on while the browsers are told.
            return now.stage, there, replace(reading) if reading else None

        # The look is shared by all who watch, whose pages differ by their roles.
        def message(seen: tuple[Stage, bool, ReadingSoFar | None]) -> Mapping[str, object]:
            stage, there, reading = seen
            parts = {"look": rendered("look.html", say, look=reading)}
            return {"parts": parts, "state": _state(visit, stage, there=there)}

        watching = self._desk.watchers.watching((visit.tenant.name, "plan", id_), look)
        admitted = partial(self._desk.is_admitted, visit)
        return EventStream(watching, message, self._desk.closing, admitted)

    # -- what is done about it ----------------------------------------------------------------

    async def approve(self, request: HttpRequest) -> Response:
        """Approve a plan; of two who do so at once, one has approved it."""
        visit, asked = await self._asked(request)
        if why := self._hindrance(visit, asked):
            return self._desk.notice(request, visit.frame, "web.refused", why, 403)
        try:
            asked = await move(
                visit.ledger,
                asked,
                Stage.APPROVED,
                approved_by=visit.visitor.user,
                approved_at=self._desk.clock.now().isoformat(),
            )
        except OvertakenError as overtaken:
            return self._overtaken(visit, overtaken.request)
        self._log("request.approved", visit, asked)
        visit.working().begin(asked)
        return RedirectResponse(f"{_url(visit, asked)}?{_TO_RUN}", 303)

    async def withdraw(self, request: HttpRequest) -> Response:
        """Withdraw a request that nobody has approved."""
        visit, asked = await self._asked(request)
        try:
            asked = await move(visit.ledger, asked, Stage.WITHDRAWN)
        except OvertakenError as overtaken:
            return self._overtaken(visit, overtaken.request)
        self._log("request.withdrawn", visit, asked)
        visit.working().give_up(asked)
        return RedirectResponse(_url(visit, asked), 303)

    async def again(self, request: HttpRequest) -> Response:
        """Look ahead once more for the list of a request that came to nothing."""
        visit, asked = await self._asked(request)
        if asked.is_open or asked.kind is not RequestKind.PUSH or not asked.jobs:
            return self._overtaken(visit, asked)
        how = to_be_approved(asked)
        if file := file_of(asked):
            # Somebody has mended it, and looks at it as it is now.
            home = visit.working().settings.folder
            digest = await to_thread.run_sync(digest_now, asked.jobs[0], home)
            how |= origin_of_file(replace(file, digest=digest))
        new = replace(
            asked,
            id=self._new_id(),
            by=visit.visitor.user,
            at=self._desk.clock.now(),
            stage=Stage.PLANNING,
            how=how,
            runs=(),
            plan="",
            sha256="",
            seen={},
            approved_by="",
            approved_at="",
            why="",
            key="",
            digest="",
            version=1,
        )
        new = await put_request(visit.ledger, new)
        self._log("request.made", visit, new)
        visit.working().begin(new)
        return RedirectResponse(_url(visit, new), 303)

    def _overtaken(self, visit: Visit, asked: Request) -> Response:
        stage = remark(f"desk.stage.{asked.stage}")
        return self._desk.back(visit, _url(visit, asked), remark("desk.overtaken", stage=stage))

    # -- to be taken away ---------------------------------------------------------------------

    async def download(self, request: HttpRequest) -> Response:
        """Return a plan: its file, a table of it, or the list of what is blocked."""
        visit, asked = await self._asked(request)
        name = request.path_params["name"]
        path = Path(asked.plan)
        if not asked.plan or name not in {"plan.jsonl", "plan.csv", "blocked.csv"}:
            raise HTTPException(404)
        if not await to_thread.run_sync(path.is_file):
            raise HTTPException(404)
        stem = path.name.removesuffix(".plan.jsonl")
        fates = {Forecast.BLOCKED} if name == "blocked.csv" else set(Forecast)

        def write(part: Path) -> None:
            if name == "plan.jsonl":
                shutil.copyfile(path, part)
            else:
                _write_table(path, part, fates)
            if sha256_of(path) != asked.sha256:  # after it was read
                raise PlanFileError("edited")

        async def written(part: Path) -> None:
            await to_thread.run_sync(write, part)

        try:
            return await passing_file(
                name,
                written,
                saved_as=path.name if name == "plan.jsonl" else f"{stem}.{name}",
                media="application/x-ndjson" if name == "plan.jsonl" else "text/csv; charset=utf-8",
            )
        except PlanFileError:
            text = visit.frame.say("plan.refused.edited", path=path.name)
            return self._desk.notice(request, visit.frame, "web.refused", text, 410)

    # -- parts --------------------------------------------------------------------------------

    async def _asked(self, request: HttpRequest) -> tuple[Visit, Request]:
        visit = await self._desk.visit(request)
        visit.working()
        asked = await find_request(visit.ledger, request.path_params["id"])
        if asked is None or asked.kind is not RequestKind.PUSH or not asked.jobs:
            raise HTTPException(404)
        return visit, asked

    def _new_id(self) -> str:
        return f"{self._desk.clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"

    def _log(self, event: str, visit: Visit, asked: Request) -> None:
        self._desk.log(event, tenant=visit.tenant.name, request=asked.id, user=visit.visitor.user)


def _state(visit: Visit, stage: Stage, *, there: bool) -> str:
    """Return what a plan's page is made by: where it changes, the page does."""
    return f"{stage} {visit.visitor.role} {there}"


def _url(visit: Visit, asked: Request) -> str:
    return f"{visit.base}/plans/{asked.id}"


def _field(form: Mapping[str, str], name: str) -> str | None:
    return form.get(name, "").strip()[:LONGEST_FIELD] or None


def _how(form: Mapping[str, str]) -> JobOptions:
    return JobOptions(
        route=_field(form, "route"),
        column=_field(form, "column"),
        sheet=_field(form, "sheet") or "",  # nobody has said that the first one is meant
        skip_bad_lines=form.get("skip") == "yes",
    )


def _offered(sheets: Sequence[str], chosen: str) -> Sequence[str]:
    """Return the sheets to choose from; what was chosen may be hidden, and can be so again.

    >>> _offered(["A", "B"], "C"), _offered(["A", "B"], "A"), _offered(["A"], "")
    (['A', 'B', 'C'], ['A', 'B'], [])
    """
    every = list(dict.fromkeys([*sheets, *filter(None, [chosen])]))
    return every if len(every) > 1 else []


def _is_of_machine(error: BaseException | None) -> bool:
    """Say whether a list may be read the next time: it was the machine that failed."""
    if isinstance(error, JobFileError):
        return any(trouble.code in _OF_MACHINE for trouble in error.troubles)
    return isinstance(error, OSError)


def _folder(visit: Visit, id_: str) -> Path:
    """Return the folder of a list that is sent: tenants share the one above it, and no list."""
    whose = hashlib.sha256(visit.tenant.name.encode(errors="surrogateescape")).hexdigest()[:8]
    return visit.working().lists / f"{id_}-{whose}"


def _kept_in(folder: Path) -> Path | None:
    """Return the list that an earlier try has left in a folder of its own, or None."""
    files = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    return files[0] if len(files) == 1 else None


def _here(told: str, say: Say, *folders: Path) -> str:
    """Return what is told of a list without folders of the server.

    >>> say, here = Say("en"), Path("lists")
    >>> [_here(str(here / name), say, here) for name in ("pasted, line 2", "pasted.csv: it")]
    ['pasted numbers, line 2', 'pasted.csv: it']
    """
    for folder in folders:
        pasted = re.escape(f"{folder}{os.sep}{PASTED}")
        told = re.sub(rf"{pasted}(?![\w.-])", say("desk.pasted"), told)
        told = told.replace(f"{folder}{os.sep}", "")
    return told


def _in_form(told: str, say: Say) -> str:
    """Return what is told of a list with the names of fields for those of options.

    >>> _in_form("Name one of these with --sheet.", Say("en"))
    'Name one of these under “Sheet of the workbook”.'
    >>> _in_form("请用 --sheet 指定其中一个。", Say("zh"))
    '请在“工作表”中指定其中一个。'
    """

    def field(found: re.Match[str]) -> str:
        return say("desk.under", field=say(_FIELDS[found[1]]))

    told = _OPTION.sub(field, told)
    return _ROUTE.sub(f"{say('desk.route')}: ", told)


def _with_words(route: Mapping[str, Any], say: Say) -> dict[str, object]:
    """Return what a plan comes to for one route, with words for reasons and times."""
    told = route.get("time")  # an older release has written down none
    time = expected_time(TimeLeft(*told), say) if told else say("plan.time_unknown")
    counted = bool(route.get("counted"))
    calls = expected_calls(int(route["chunks"]), say, is_counted=counted)
    reasons = []
    for each in route["reasons"]:
        advice = advise("", str(each["reason"]))
        reasons.append(
            {
                "count": each["count"],
                "reason": say.said(str(each["reason"])),
                "cause": say(advice.cause) if advice else "",
                "cure": say(advice.cure) if advice else "",
            }
        )
    return {**route, "time": time, "calls": calls, "reasons": reasons}


def _write_table(plan: Path, file: Path, fates: Collection[Forecast]) -> None:
    """Write lines of a plan as CSV."""
    with file.open("w", encoding="utf-8-sig", newline="") as text:
        table = csv.writer(text)
        table.writerow(_COLUMNS)
        table.writerows(_cells(one) for one in lines_of(plan) if one.fate in fates)


def _cells(one: Foreseen) -> tuple[object, ...]:
    targets = ";".join(target.number or target.id for target in one.targets)
    # A repeat is pushed once, and nobody should count it among those that are ready.
    fate = REPEAT if one.first_line else one.fate.value
    reason = f"repeats line {one.first_line}" if one.first_line else in_files(one.reason)
    texts = (marked(text) for text in (targets, one.code, reason))
    names = (marked(text) for text in (one.number, one.listed_id, one.route))
    return one.line, *names, fate, *texts
