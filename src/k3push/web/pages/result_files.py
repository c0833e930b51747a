"""The results of a run to be taken away, made anew from the ledger: tables, lists, the report."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from k3push.core.advice.clusters import TOLD
from k3push.core.model import Run, State
from k3push.core.safety.document_steps import FOR_PERSON
from k3push.reporting.report import write_report
from k3push.reporting.results_folder import PARTS, read_causes
from k3push.reporting.table_files import Form, csv_table, jsonl_table, write_table
from k3push.runs.outcome import ending_of
from k3push.web.pages.further_execution_buttons import of_followed_cause
from k3push.web.pages.page_context import PageContext, Visit
from k3push.web.pages.passing_file import passing_file

GONE = 410

CAUSE_LIST = "cause.csv"

_CAUSE = re.compile(r"[0-9a-f]{16}")


class ResultFiles:
    """Answers with files."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def file(self, request: Request) -> Response:
        """Return a file of a run, by its name in the results folder, or a list of one cause."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        if run.archive is not None:
            # What is left of it would pass for all of it.
            text = visit.frame.say("error.archived", run=run.id, file=run.archive.file)
            return self._desk.notice(request, visit.frame, "web.refused", text, GONE)
        name, cause = request.path_params["name"], request.query_params.get("cause", "")
        # Of several causes each list has a name of its own.
        kept = f"cause-{cause[:8]}.csv" if name == CAUSE_LIST and _CAUSE.fullmatch(cause) else name
        return await passing_file(
            name,
            partial(self._write, request, visit, run),
            saved_as=f"{Path(run.folder).name or run.id}.{kept}",
        )

    async def _write(self, request: Request, visit: Visit, run: Run, path: Path) -> None:
        if path.name == "report.html":
            causes = {}
            if run.exit is not None:
                counts = await visit.ledger.counts(run.id)
                causes = await to_thread.run_sync(read_causes, run, counts)
            unverified = visit.tenant.unverified
            ending = await ending_of(visit.ledger, run, causes, unverified=unverified)
            await write_report(
                visit.ledger, ending, path, visit.frame.say, now=self._desk.clock.now()
            )
        elif path.name == CAUSE_LIST:
            cause = request.query_params.get("cause", "")
            if not _CAUSE.fullmatch(cause):
                raise HTTPException(400)
            # Rows whose documents stand still are in any state.
            documents = await visit.ledger.document_counts(run.id)
            told = () if FOR_PERSON & set(documents) else (*TOLD, State.ALREADY)
            takes = of_followed_cause(cause)
            await write_table(visit.ledger, run, path, csv_table, told, takes=takes)
        else:
            form, states = _table_of(path.name)
            await write_table(visit.ledger, run, path, form, states)


def _table_of(name: str) -> tuple[Form, list[State]]:
    """Return format and states of a table by its name; raises `HTTPException` where it is none."""
    stem, _, suffix = name.partition(".")
    states = [state for state in PARTS if state == stem]
    if stem != "ledger" and not states:
        raise HTTPException(404)
    match suffix:
        case "csv":
            return csv_table, states
        case "jsonl":
            return jsonl_table, states
        case "xlsx":
            from k3push.reporting.xlsx_table import xlsx_table  # noqa: PLC0415  # takes a moment

            return xlsx_table, states
        case _:
            raise HTTPException(404)
