"""`export` and `report`: the rows of a run as files, once more or in other forms."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal, get_args

from k3push.adapters.clock import SystemClock
from k3push.cli.console.screen import screen
from k3push.config.settings import Settings
from k3push.core.model import Run, State
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.reporting.report import write_report
from k3push.reporting.results_folder import read_causes
from k3push.reporting.table_files import Form, csv_table, jsonl_table, write_table
from k3push.runs.find import find_run
from k3push.runs.kept_in_ledger.request_stages import steps_asked_for
from k3push.runs.outcome import Exit, ending_of
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.protected_files import called, check_output, jobs_of
from k3push.words.language import Say

FileFormat = Literal["csv", "jsonl", "xlsx", "parquet"]

PAGE_ENDINGS = ("", ".html", ".htm")
"""What the name of a page may end in: by any other, programs would take it for something else."""


async def export(
    config: Path | None,
    name: str | None,
    say: Say,
    *,
    form: FileFormat | None,
    output: Path,
    states: Collection[State],
) -> Exit:
    """Write the rows of a run to a file; without a *form*, the file's extension says which."""
    settings = load_settings(config)
    kind = form or output.suffix.lower()[1:] or "csv"
    is_text = kind not in {"xlsx", "parquet"}
    check_output(output, settings=[settings], may_be_stdout=True, is_text=is_text)
    if kind not in get_args(FileFormat):
        known = " ".join(get_args(FileFormat))
        raise Problem(remark("output.ending", path=output, known=known))
    table = _table(kind)
    async with ledger_of(settings) as ledger:
        run = await _whole_run(ledger, name, settings)
        check_output(output, jobs=jobs_of(run), may_be_stdout=True)
        try:
            count = await write_table(ledger, run, output, table, states)
        except OSError as error:
            why = error.strerror or error
            raise Problem(remark("error.file", path=called(output), why=why)) from error
    screen(stderr=True, soft_wrap=True).print(
        say("notice.exported", count=count, path=called(output)), highlight=False, markup=False
    )
    return Exit.DONE


async def report(config: Path | None, name: str | None, say: Say, output: Path) -> Exit:
    """Write the page of a run."""
    settings = load_settings(config)
    check_output(output, settings=[settings], may_be_stdout=True)
    async with ledger_of(settings) as ledger:
        run = await _whole_run(ledger, name, settings)
        check_output(output, jobs=jobs_of(run), may_be_stdout=True)
        if output.suffix.lower() not in PAGE_ENDINGS:
            raise Problem(remark("output.page_ending", path=output))
        counts = await ledger.counts(run.id)
        causes = read_causes(run, counts) if run.exit is not None else {}
        unverified = settings.erp.verify is False
        steps = await steps_asked_for(ledger, run.id, settings.steps_of(run))
        ending = await ending_of(ledger, run, causes, unverified=unverified, steps=steps)
        try:
            await write_report(ledger, ending, output, say, now=SystemClock().now())
        except OSError as error:
            raise Problem(remark("error.file", path=called(output), why=error.strerror)) from error
    screen(stderr=True, soft_wrap=True).print(
        say("notice.report", path=called(output)), highlight=False, markup=False
    )
    return Exit.DONE


async def _whole_run(ledger: Ledger, name: str | None, settings: Settings) -> Run:
    """Find a run that is not archived; raises `Problem` where there is none."""
    run = await find_run(ledger, name)
    if run.archive is not None:
        raise Problem(remark("error.archived", run=run.id, file=settings.archive_path(run.archive)))
    return run


def _table(kind: str) -> Form:
    """Return what writes a format; those that need a library of their own are imported here."""
    match kind:
        case "jsonl":
            return jsonl_table
        case "xlsx":
            from k3push.reporting.xlsx_table import xlsx_table  # noqa: PLC0415

            return xlsx_table
        case "parquet":
            try:
                from k3push.reporting.parquet_table import parquet_table  # noqa: PLC0415
            except ImportError as error:
                raise Problem(remark("error.no_parquet", why=error)) from error
            return parquet_table
        case _:
            return csv_table
