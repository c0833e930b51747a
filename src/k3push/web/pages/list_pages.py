"""The pages on which a list is sent: the form, what is wrong with it, and the asking for a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import anyio
from anyio import to_thread
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response

from k3push.config.setting_errors import SettingsError
from k3push.runs.kept_in_ledger.request_stages import (
    PASTED,
    Request,
    RequestKind,
    Stage,
    find_request,
    put_request,
)
from k3push.web.admission.uploads import MOST_UPLOAD_BYTES, Upload, digest_of, keep
from k3push.web.execution.request_origin import origin_of_reading, origin_of_selection
from k3push.web.pages.list_words import with_fields, without_folders
from k3push.web.pages.page_context import ID_OF_PAGE, PageContext, Visit
from k3push.web.pages.page_frame import plan_url
from k3push.web.pages.unusable_lists import UnusableListError, UnusableLists
from k3push.wiring.job_lists import JobOptions
from k3push.wiring.selected_bills import LIST as SELECTED_LIST

LONGEST_FIELD = 200

_DIGEST_LETTERS = 8
"""Of the digest of a list, at the end of the ids of what is asked with it."""

# How messages for the command line name what the form has a field for.
_HOW = ("route", "column", "sheet", "skip")


class ListPages:
    """Answers what is asked of lists."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk
        self._unusable = UnusableLists()

    async def form(self, request: HttpRequest) -> Response:
        """Show what a push is begun with."""
        visit = await self._desk.visit(request)
        asked = request.query_params
        kept = None
        if ID_OF_PAGE.fullmatch(id_ := asked.get("id", "")):
            kept = await to_thread.run_sync(_kept_in, _folder(visit, id_))
        if kept is None:
            return self._form(request, visit, {"id": self._desk.new_id()})
        pasted = kept.name == PASTED
        text = await anyio.Path(kept).read_text("utf-8", "replace") if pasted else ""
        form = {**asked, "text": text}
        try:
            await self._unusable.read(visit, id_, kept, _how(asked))
        except UnusableListError as bad:
            return self._form(request, visit, form, bad)
        return self._form(request, visit, form, kept="" if pasted else kept.name)

    async def send(self, request: HttpRequest) -> Response:
        """Take a list: say what is wrong with it, or look ahead for it."""
        visit = await self._desk.visit(request)
        form: Mapping[str, str] = request.state.form
        id_ = form.get("id", "")
        if not ID_OF_PAGE.fullmatch(id_):
            id_ = self._desk.new_id()
        try:
            asked = await self._taken(visit, id_, Upload(form, request.state.file))
        except UnusableListError as bad:
            if not bad.kept:
                return self._form(request, visit, {**form, "id": bad.id}, bad)
            # A page of its own, that can be loaded again and gone back to.
            how = {name: value for name in _HOW if (value := _field(form, name))}
            query = urlencode({"id": bad.id, **how}, errors="replace")
            return RedirectResponse(f"{visit.base}/push?{query}", 303)
        return RedirectResponse(plan_url(visit.base, asked.id), 303)

    async def _taken(self, visit: Visit, id_: str, upload: Upload) -> Request:
        """Keep a list, read it to its end, and ask for a look ahead.

        What is sent twice is one request. What is changed and sent again from one page is another.

        Raises:
            UnusableListError: Somebody has to mend it, or there is none.
        """
        say = visit.frame.say
        selects = upload.fields.get("select") == "yes"
        pasted = bool(upload.fields.get("text", "").strip())
        brings = bool(upload.file or pasted)
        if upload.file and pasted and not selects:
            raise UnusableListError(id_, say("desk.two_lists"))
        earlier = None if brings else await to_thread.run_sync(_kept_in, _folder(visit, id_))
        if not (selects or brings or earlier):
            raise UnusableListError(id_, say("desk.nothing_sent"))
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
            raise UnusableListError(id_, why) from error
        how = _how(upload.fields)
        await self._unusable.read(visit, id_, kept, how)
        return await self._ask(visit, id_, kept, origin_of_reading(how))

    async def _selecting(self, visit: Visit, id_: str, form: Mapping[str, str]) -> Request:
        """Ask for what a route selects; raises `UnusableListError` where it is to be named."""
        workshop = visit.working()
        how = JobOptions(route=_field(form, "route"))
        try:
            workshop.settings.route(how.route)
        except SettingsError as error:
            raise UnusableListError(id_, visit.frame.say.said(str(error))) from error
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
        asked = await put_request(visit.ledger, asked, visit.working().tenant)
        self._desk.log_request("request.made", visit, asked)
        visit.working().begin(asked)
        return asked

    def _form(
        self,
        request: HttpRequest,
        visit: Visit,
        form: Mapping[str, str],
        bad: UnusableListError | None = None,
        *,
        kept: str = "",
    ) -> Response:
        say = visit.frame.say
        workshop = visit.working()
        folders = (_folder(visit, form.get("id", "")), workshop.settings.folder)
        told = [bad.problem, *map(say.said, bad.troubles)] if bad else [""]
        problem, *troubles = (
            with_fields(without_folders(each, say, *folders), say) for each in told
        )
        fields = {name: form.get(name, "") for name in ("id", "route", "column", "sheet", "text")}
        return self._desk.page(
            request,
            visit.frame,
            "push.html",
            form=fields,
            skip=form.get("skip") == "yes",
            routes=list(workshop.settings.routes),
            most=MOST_UPLOAD_BYTES >> 20,
            problem=problem,
            troubles=troubles,
            sheets=_offered(bad.sheets, fields["sheet"]) if bad else (),
            kept=bad.kept if bad else kept,
            status=422 if bad and request.method == "POST" else 200,
        )


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


def _folder(visit: Visit, id_: str) -> Path:
    """Return the folder of a list that is sent: tenants share the one above it, and no list."""
    whose = hashlib.sha256(visit.tenant.name.encode(errors="surrogateescape")).hexdigest()[:8]
    return visit.working().lists / f"{id_}-{whose}"


def _kept_in(folder: Path) -> Path | None:
    """Return the list that an earlier try has left in a folder of its own, or None."""
    files = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    return files[0] if len(files) == 1 else None
