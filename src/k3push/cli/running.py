"""`run`, `resume`, `retry` and `settle`: everything that moves numbers."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import orjson
from rich.console import Console
from rich.markup import escape

from k3push.cli.executing import Executor
from k3push.cli.inbox import Part, new_of_settings, opened
from k3push.cli.jobs import STDIN, JobOptions, routes_of
from k3push.cli.measuring import measured
from k3push.cli.overlap import make_way
from k3push.cli.preview import Lookout, Preview
from k3push.cli.problem import Problem
from k3push.cli.showing import find_run
from k3push.cli.wiring import ledger_of
from k3push.core.model import BillNumber, Route, Run, State
from k3push.job import Stop
from k3push.planning import (
    merged,
    new_run,
    open_run,
    plan_rejected,
    scope_of,
)
from k3push.ports import Ledger
from k3push.reporting.ending import Ending, Exit
from k3push.reporting.phrases import cause_words
from k3push.settling import in_doubt, settle_by_word


class Runner(Executor):
    """The commands that move numbers."""

    # -- commands -----------------------------------------------------------------------------

    async def run(self, names: Sequence[str], how: JobOptions) -> Exit:
        """Push the numbers of job files, and of each new file of a folder in a run of its own."""
        new_of = partial(new_of_settings, settings=self.settings, say=self.say)
        async with opened(names, how, self.lang, new_of, self.warn) as parts:
            lines = merged([part.asked for part in parts])
            if not lines:
                return self._report_all([])
            routes = routes_of(self.settings, how, lines)
            if self.asks(names):
                count = sum(asked.count for asked in lines.values())
                preview = await self.lookout().look(
                    [job for part in parts for job in part.jobs], routes, count
                )
                self.show(preview, self.errors)
                to_send = {name: totals.to_send for name, totals in preview.totals.items()}
                if preview.stop.asked or not self.agreed(preview.routes, to_send):
                    self.tell_causes(preview.stop)
                    self.warn("not_run")
                    return preview.exit if preview.stop.asked else Exit.STOPPED
            endings: list[Ending] = []
            async with ledger_of(self.settings, self.say, create=True) as ledger:
                acct_id = self.settings.erp.acct_id
                scopes = {scope_of(acct_id, route) for route in routes.values()}
                await make_way(ledger, scopes, self.options.overlap, self.say, self.warn)
                for part in parts:
                    file = part.batch.file
                    if not part.asked or (file and await ledger.has_taken(file)):
                        continue  # empty, or taken by a run that this one has waited for
                    if any(ending.causes for ending in endings):
                        # What stopped one would meet the next: a refused login, five of which
                        # lock the account, a dead server, Ctrl-C.
                        self.warn("inbox.waiting", file=part.batch.names[0])
                        continue
                    endings += await self._run_part(ledger, part, routes)
        return self._report_all(endings)

    async def resume(self, name: str | None) -> Exit:
        """Go on where a run stopped."""
        async with ledger_of(self.settings, self.say) as ledger:
            ending = await self.go_on(ledger, name)
        return self._report_all([ending])

    async def go_on(self, ledger: Ledger, name: str | None, *, only_settle: bool = False) -> Ending:
        """Go on where a run of an open ledger stopped; return how that ended."""
        run = await self._find_whole(ledger, name)
        return await self.execute(ledger, run, only_settle=only_settle)

    async def retry(self, name: str | None, reason: str) -> Exit:
        """Push the rejected numbers of a run again."""
        async with ledger_of(self.settings, self.say) as ledger:
            run = await self._find_whole(ledger, name)
            async with ledger.own(run.id):
                planned = await plan_rejected(ledger, self.clock, run, reason)
            if not planned:
                self.warn("nothing_rejected", run=run.id)
                return self._report_all([await self.ending_now(ledger, run, Stop())])
            ending = await self.execute(ledger, run)
        return self._report_all([ending])

    async def settle(self, name: str | None) -> Exit:
        """Ask the ERP about unknown numbers until none is left."""
        async with ledger_of(self.settings, self.say) as ledger:
            run = await self._find_whole(ledger, name)
            if await ledger.is_alive(run.id):
                raise Problem(self.say("run_alive", run=run.id))
            async with ledger.own(run.id):
                doubts = await ledger.doubts(run.id)
            if not doubts:
                self.warn("nothing_unknown", run=run.id)
                return self._report_all([await self.ending_now(ledger, run, Stop())])
            ending = await self.execute(ledger, run, only_settle=True)
        return self._report_all([ending])

    async def settle_as(self, state: State, numbers: Sequence[str]) -> Exit:
        """Record a person's word about unknown numbers."""
        async with (
            ledger_of(self.settings, self.say) as ledger,
            measured(self.settings, ledger, self.warn),
        ):
            doubtful = []
            for number in map(BillNumber, numbers):
                found = await in_doubt(ledger, number)
                if not found:
                    raise Problem(self.say("not_unknown", number=number))
                doubtful += found
            for run, bill in doubtful:
                await settle_by_word(
                    ledger, self.clock, run, bill, state, because=self.options.because
                )
                self.warn("settled_by_person", number=bill, state=state.value)
        return Exit.DONE

    # -- asking -------------------------------------------------------------------------------

    def asks(self, names: Sequence[str]) -> bool:
        """Whether a person sits there who can be asked before anything is sent."""
        return (
            not self.options.yes
            and STDIN not in names
            and sys.stdin.isatty()
            and sys.stderr.isatty()
        )

    def agreed(self, routes: Mapping[str, Route], to_send: Mapping[str, int]) -> bool:
        """Ask for each route that has numbers to send; anything but yes is no."""
        for name, route in routes.items():
            question = self.say(
                "ask_run",
                count=to_send[name],
                route=name,
                source=route.source,
                target=route.target,
                url=self.settings.erp.url,
                acct=self.settings.erp.acct_id,
            )
            answer = self.errors.input(escape(f"{question} [y/N] ")) if to_send[name] else "y"
            if answer.strip().lower() not in {"y", "yes", "是"}:
                return False
        return True

    def lookout(self) -> Lookout:
        """Return what looks ahead for a job."""
        return Lookout(
            settings=self.settings,
            entrance=self.entrance,
            set_aside=partial(self._set_aside, None),
            pace=self.pace(),
            steering=self._steering(),
            say=self.say,
            errors=self.errors,
            quiet=self.options.quiet,
            again=bool(self.options.because),
        )

    def show(self, preview: Preview, console: Console) -> None:
        """Print what a run would do."""
        erp = self.settings.erp
        for line in preview.lines(self.say, erp.url, erp.acct_id):
            console.print(line, highlight=False)

    def tell_causes(self, stop: Stop) -> None:
        """Say why a look ahead ended before its end."""
        for cause, why in stop.causes.items():
            self.errors.print(
                cause_words(cause, why, None, self.say), highlight=False, markup=False
            )

    # -- opening ------------------------------------------------------------------------------

    async def _run_part(
        self, ledger: Ledger, part: Part, routes: Mapping[str, Route]
    ) -> list[Ending]:
        """Open a run for each route, then execute them."""
        runs = [
            await self._open(ledger, part, routes, route) for route in part.routes_among(routes)
        ]
        if part.batch.file is not None:
            # Only now: a file that is taken must have all its numbers in the ledger.
            await ledger.take(part.batch.file, runs[0].id)
        return [await self.execute(ledger, run) for run in runs]

    async def _open(
        self, ledger: Ledger, part: Part, routes: Mapping[str, Route], route: Route
    ) -> Run:
        acct_id = self.settings.erp.acct_id
        run = await new_run(ledger, self.clock, acct_id, route, part.batch.names)
        run = replace(run, again_because=self.options.because)
        await open_run(
            ledger, run, part.jobs, lambda listed: routes[listed.route].name == route.name
        )
        return run

    async def _find_whole(self, ledger: Ledger, name: str | None) -> Run:
        """Find a run to be executed; one with half a list would lose the other half."""
        run = await find_run(ledger, name, self.say)
        if not run.whole:
            raise Problem(self.say("half_listed", run=run.id, jobs=", ".join(run.jobs)))
        return run

    def _report_all(self, endings: Sequence[Ending]) -> Exit:
        worst = max((ending.exit for ending in endings), key=_RANK.index, default=Exit.DONE)
        if self.options.json:
            said = endings[0].as_json() if len(endings) == 1 else _joined(endings, worst)
            sys.stdout.write(orjson.dumps(said).decode() + "\n")
        return worst


# From the best to the worst: the order in which exit codes win.
_RANK = (Exit.DONE, Exit.SOME_REJECTED, Exit.STOPPED, Exit.SOME_UNKNOWN, Exit.UNREACHABLE)


def _joined(endings: Sequence[Ending], worst: Exit) -> dict[str, object]:
    """Join the objects of several runs."""
    parts = [ending.as_json() for ending in endings]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part["counts"])
    return {
        "run": ";".join(part["run"] for part in parts),
        "route": ";".join(dict.fromkeys(part["route"] for part in parts)),
        "exit": int(worst),
        "seconds": round(sum(part["seconds"] for part in parts), 2),
        "counts": dict(counts),
        **{key: sum(part[key] for part in parts) for key in ("pushes", "logins", "targets")},
    }
