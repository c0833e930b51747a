"""Bills that a route selects, as a job file."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import anyio.to_thread

from k3push.adapters.job_files.writing import new_list
from k3push.adapters.untrusted_paths import own_folder
from k3push.config.settings import Settings
from k3push.core.cells import marked
from k3push.core.model import Route, Run
from k3push.core.protocol.selection import Selection
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.create import JobSource, LeftOut, scope_of
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.runs.push_limits import PushLimits
from k3push.runs.select import (
    HaveDocuments,
    SelectContext,
    Selecting,
    as_ledger_says,
    none_have,
    select_bills,
)
from k3push.runs.stop import Cause, Stop, stopping, told_as
from k3push.wiring.erp import ErpAccess
from k3push.wiring.protected_files import warn_of_lost_results
from k3push.words.language import in_files

LIST = "selected.csv"
"""Name of the list in the results of its run."""

SKIPPED = "skipped.csv"
"""Name of the table of lines that were passed over, likewise."""

# What has nothing to do with the form: the login, the line.
_OF_NO_FORM = frozenset({Cause.LOGIN_REFUSED, Cause.UNREACHABLE})

_EXITS = {Cause.LOOK_REFUSED: Exit.USAGE}


class SelectionError(Problem):
    """The ERP could not be read to the end."""

    def __init__(self, what: str, exit_code: Exit, cause: Cause, words: str) -> None:
        super().__init__(what, exit_code)
        self.cause = cause
        self.words = words


@dataclass(frozen=True, slots=True)
class Selector:
    """Selects bills as the settings say. Fulfils `retried_reads.Waiter`."""

    settings: Settings
    access: ErpAccess
    warn: Callable[..., None]

    async def write(
        self,
        path: Path,
        route: Route,
        selection: Selection,
        *,
        today: date,
        ledger: Ledger | None = None,
        stop: Stop | None = None,
    ) -> Selecting:
        """Write what a route selects to a job file; say what a person has to know of it.

        Args:
            route: Whose source form is asked.
            today: What days are counted from.
            ledger: Says which bills need no push, so that others come first; None where a person
                wants them pushed all the same, or there is no ledger yet.
            stop: Ends it early, by somebody else's hand.

        Raises:
            SelectionError: The ERP could not be read to the end; no file was written.
            Problem: Nor could it, since the disk refuses.
        """
        run, stop = self.settings.run, stop or Stop()
        erp = self.access.opened(lambda: run.max_calls_per_minute, self._set_aside)
        have: HaveDocuments = none_have
        if ledger is not None and not route.allow_partial:
            have = as_ledger_says(ledger, scope_of(self.settings.erp.acct_id, route))
        found = Selecting(0)
        try:
            async with erp, new_list(path) as put:
                context = SelectContext(
                    route, erp, PushLimits(max_attempts=run.max_attempts), stop, self
                )
                with stopping(stop):
                    # An address at which nobody answers is said at once.
                    await erp.open_session()
                    found = await select_bills(
                        context,
                        selection,
                        today=today,
                        take=lambda bills: anyio.to_thread.run_sync(partial(put, bills)),
                        have=have,
                    )
                if stop.asked:
                    cause, words = next(iter(stop.causes.items()))
                    why = words
                    if cause in _OF_NO_FORM:
                        why = remark(f"cause.{told_as(cause, why)}", why=why)
                    what = remark("select.failed", form=route.source, why=why)
                    if cause is Cause.LOOK_REFUSED:
                        filters = "where" if selection.where else "form"
                        what = remark(f"select.refused.{filters}", route=route.name, why=why)
                    raise SelectionError(what, _EXITS.get(cause, Exit.UNREACHABLE), cause, words)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Problem(remark("output.unusable", path=path, why=reason)) from error
        if found.lacking:
            fields = ", ".join(found.lacking)
            self.warn("select.lacking", form=route.source, fields=fields)
        if found.more:
            self.warn("select.more", count=found.count, form=route.source, route=route.name)
        if found.passed:
            self.warn("select.passed", count=found.passed, form=route.source, route=route.name)
        return found

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for."""
        self.warn("progress.waiting", why=why, seconds=seconds)

    def _set_aside(self, user: str, why: str) -> None:
        self.warn("warning.identity_aside", user=user, why=why)

    @asynccontextmanager
    async def spooled(
        self, route: Route, selection: Selection, *, today: date, ledger: Ledger | None = None
    ) -> AsyncIterator[tuple[Path, Selecting]]:
        """Select what a route selects into a file, as long as it is needed.

        Raises:
            Problem: The ERP could not be read to the end.
        """
        with tempfile.TemporaryDirectory(prefix="k3push-") as folder:
            path = Path(folder) / LIST
            found = await self.write(path, route, selection, today=today, ledger=ledger)
            self.warn("select.found", count=found.count, form=route.source, route=route.name)
            yield path, found


async def keep_list(run: Run, jobs: Sequence[JobSource], warn: Callable[..., None]) -> None:
    """Keep beside a run's results what a list tells and the ledger does not.

    That is the list of a run that pushes what its route selects, since the ledger has the numbers
    and ids, and dates and organisations are for people; and the lines that are passed over. A disk
    that refuses them is a warning.
    """
    try:
        await anyio.to_thread.run_sync(_keep_list, run, jobs)
    except OSError as error:
        warn_of_lost_results(warn, run, error)


def _keep_list(run: Run, jobs: Sequence[JobSource]) -> None:
    selects = Path(run.jobs[0]).name == SELECTED
    left_out = dict.fromkeys(each for job in jobs for each in job.left_out)
    if not (selects or left_out):
        return
    with own_folder(Path(run.folder)) as folder:
        if selects:
            shutil.copy(jobs[0].path, folder / LIST)
        if left_out:
            with (folder / SKIPPED).open("w", encoding="utf-8-sig", newline="") as file:
                table = csv.writer(file)
                table.writerow(LeftOut._fields)
                table.writerows(
                    (*map(marked, each[:2]), *each[2:4], in_files(each.reason)) for each in left_out
                )
