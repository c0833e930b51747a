"""One configuration with its ledger open, on an event loop: what `k3push.open_async` gives."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from k3push.adapters.job_files import JobFileError
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.model import Listed, Route, Run, RunId, State
from k3push.core.plan import Foreseen
from k3push.core.remark import remark
from k3push.ports import Ledger, LedgerLostError, RunIsAliveError
from k3push.runs.create import JobSource, free_run_id, open_new, scope_of, survey, take_up_list
from k3push.runs.find import find_run
from k3push.runs.kept_in_ledger.row_pages import followed_pages_of
from k3push.runs.problem import Problem, innermost
from k3push.runs.stop import told_as
from k3push.scripting.values import (
    SAY,
    Bill,
    Bills,
    K3pushError,
    Plan,
    Result,
    Row,
    listed_of,
    of_nothing,
    planned_of,
    result_of,
    row_of,
    states_in,
)
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.job_lists import JobOptions, opened_jobs, routes_of
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.run_actions import RunActions

_LOG = logging.getLogger("k3push")
_NAME = "python"


class AsyncSession(RunActions):
    """One configuration, with its ledger open. Made by `open_async`.

    Its methods raise `K3pushError` where nothing could be begun. The command line is a user of
    this class like any other; of the actions on several runs at once, which it needs beside these
    (`wiring.run_actions`), none is part of what stays as it is.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger | None, executor: Executor | None = None
    ) -> None:
        """Use an open ledger.

        Args:
            settings: The configuration.
            ledger: Its ledger; without one, a session looks ahead and does nothing else.
            executor: Executes all that is asked for; else each action has one of its own, and
                what it has to tell goes to the logger `k3push`.
        """

        def make(options: RunOptions) -> Executor:
            observer = LineObserver(SAY, _warn, _LOG.info)
            return executor or Executor(settings, options, observer, SAY)

        super().__init__(settings, ledger, make)

    @property
    def routes(self) -> tuple[str, ...]:
        """Names of the routes."""
        return tuple(self._settings.routes)

    async def plan(self, bills: Bills, *, route: str | None = None) -> Plan:
        """Look ahead and send nothing.

        Args:
            bills: Numbers, bills, or a job file whose lines ask for one route.
            route: Name of the route; it may be left out where there is one.
        """
        with _said():
            seen: list[Foreseen] = []

            async def take(page: list[Foreseen]) -> None:
                seen.extend(page)

            with self._listed(bills, route) as (jobs, how):
                routes = await self._routes(jobs, how)
                if not routes:
                    name = self._route_name(route)
                    return Plan(name, (), {}, calls=0, seconds=0, seconds_least=0, seconds_most=0)
                preview = await self.look_ahead(jobs, routes, _Reading(), take)
            if preview.stop.asked:
                why = "\n".join(
                    SAY(f"cause.{told_as(cause, why)}", why=why)
                    for cause, why in preview.stop.causes.items()
                )
                raise Problem(why)
            (name,) = preview.routes
            time = preview.expected[name].time
            return Plan(
                route=name,
                bills=tuple(planned_of(each) for each in sorted(seen, key=lambda each: each.line)),
                counts=dict(preview.totals[name].fates),
                calls=preview.expected[name].calls,
                seconds=None if time is None else time.about_s,
                seconds_least=None if time is None else time.least_s,
                seconds_most=None if time is None else time.most_s,
            )

    async def run(
        self,
        bills: Bills,
        *,
        route: str | None = None,
        again_because: str = "",
        limit: int | None = None,
    ) -> Result:
        """Push bills, and return how that ended. Whatever has a target already is not sent.

        Args:
            bills: Numbers, bills, or a job file whose lines ask for one route.
            route: Name of the route; it may be left out where there is one.
            again_because: Why bills that have a target are pushed again; "" if they are not.
            limit: So many bills at most; the others stay `planned`.
        """
        with _said():
            if limit is not None and limit < 1:
                raise Problem(remark("api.limit", limit=limit))
            executor = self._make(RunOptions(because=again_because.strip(), limit=limit))
            with self._listed(bills, route) as (jobs, how):
                routes = await self._routes(jobs, how)
                if not routes:
                    return of_nothing(self._route_name(route))
                chosen = list(routes.values())[:1]
                if isinstance(bills, Path):
                    names = [job.name for job in jobs]
                    runs = await self._open_each(executor, names, jobs, routes, chosen)
                else:
                    listed = list(jobs[0].read())
                    runs = [await self._open(executor, chosen[0], listed, again_because.strip())]
            (ending,) = await executor.execute_each(self._ledger, runs)
            return result_of(ending)

    async def resume(self, run: str) -> Result:
        """Go on where a run stopped; what is open is settled first."""
        with _said():
            (ending,) = await self.resume_runs([await self._run(run)])
            return result_of(ending)

    async def retry(self, run: str, *, reason: str = "") -> Result:
        """Push rejected bills of a run again: all, or those whose reason holds a text."""
        with _said():
            (ending,) = await self.retry_runs([await self._run(run)], reason)
            return result_of(ending)

    async def settle(self, run: str) -> Result:
        """Ask the ERP what became of the unknown bills of a run; nothing is sent."""
        with _said():
            (ending,) = await self.settle_runs([await self._run(run)])
            return result_of(ending)

    async def follow(self, run: str) -> Result:
        """Submit and approve what a run has made, as its route asks; look again at what waits."""
        with _said():
            (ending,) = await self.follow_runs([await self._run(run)])
            return result_of(ending)

    async def rows(self, run: str, states: Collection[State | str] = ()) -> list[Row]:
        """Return what became of each bill of a run, in the order of its list.

        Args:
            run: Its id.
            states: Only bills in one of these, or in this one; none for all.
        """
        with _said():
            wanted = states_in(states)
            if not run:
                return []  # of an empty list
            found = await self._run(run)
            pages = followed_pages_of(self._ledger, found, wanted)
            return [row_of(each) async for page in pages for each in page]

    # -- parts --------------------------------------------------------------------------------

    @contextmanager
    def _listed(
        self, bills: Bills, route: str | None
    ) -> Iterator[tuple[list[JobSource], JobOptions]]:
        how = JobOptions(route=route)
        # A text is a list of letters to Python, and each of them may be a bill.
        if isinstance(bills, str | bytes | Bill):
            raise Problem(remark("api.one_bill"))
        if isinstance(bills, Path):
            with opened_jobs([str(bills)], how, _warn) as jobs:
                yield jobs, how
        else:
            listed = [listed_of(each, line) for line, each in enumerate(bills, start=1)]
            yield [JobSource(_NAME, Path(_NAME), partial(iter, listed))], how

    def _route_name(self, name: str | None) -> str:
        """Return the route of an empty list; "" where nothing tells which of several."""
        told = name is not None or len(self._settings.routes) == 1
        return self._settings.route(name).name if told else ""

    async def _routes(self, jobs: Sequence[JobSource], how: JobOptions) -> dict[str, Route]:
        """Return the route of each job; nothing for a list without bills."""
        lines = await survey(jobs)
        if not lines:
            return {}
        routes = routes_of(self._settings, how, lines)
        if len({route.name for route in routes.values()}) > 1:
            raise Problem(remark("api.one_route", routes=", ".join(routes)))
        return routes

    async def _open(
        self, executor: Executor, route: Route, listed: Sequence[Listed], because: str
    ) -> Run:
        async def make() -> Run:
            now = executor.clock.now()
            return Run(
                id=await free_run_id(self._ledger, now),
                scope=scope_of(self._settings.erp.acct_id, route),
                route=route,
                jobs=(_NAME,),
                folder="",
                started_at=now,
                again_because=because,
            )

        return await take_up_list(self._ledger, await open_new(self._ledger, make), listed)

    async def _run(self, name: str) -> Run:
        if not name:  # of an empty list; else it would be any run
            raise Problem(remark("api.empty_run"))
        return await find_run(self._ledger, RunId(name))


@asynccontextmanager
async def open_async(config: Path | str | None = None) -> AsyncIterator[AsyncSession]:
    """Open a configuration, on an event loop of asyncio.

    Args:
        config: The configuration file; the usual one without it.

    Raises:
        K3pushError: It cannot be used, or its ledger cannot be opened.
    """
    async with AsyncExitStack() as stack:
        with _said():
            settings = load_settings(Path(config) if config is not None else None)
            ledger = await stack.enter_async_context(ledger_of(settings, create=True))
        yield AsyncSession(settings, ledger)


async def push_async(
    bills: Bills, *, route: str | None = None, config: Path | str | None = None
) -> Result:
    """Push bills on an event loop of asyncio, as `push` does."""
    async with open_async(config) as session:
        return await session.run(bills, route=route)


class _Reading:
    """Is told how far a look ahead is, and tells nobody."""

    def add(self, count: int) -> None:
        """So many lines more were seen."""

    def waiting(self, why: str, seconds: float) -> None:
        """Some look is put off."""
        _LOG.info("%s (%.0f s)", SAY.said(why), seconds)


def _warn(sentence: str, /, **facts: object) -> None:
    _LOG.warning(SAY(sentence, **facts))


@contextmanager
def _said() -> Iterator[None]:
    """Put into words what kept something from being begun."""
    try:
        yield
    except Exception as error:
        cause = innermost(error)
        known = (JobFileError, LedgerLostError, Problem, RunIsAliveError, SettingsError)
        if not isinstance(cause, known):
            raise
        raise K3pushError(SAY.said(str(cause))) from error
