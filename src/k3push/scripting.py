"""Pushing from Python: what `k3push.open`, `k3push.push` and their asynchronous twins give.

They do what the commands do, with the same settings, ledger and rules. Whatever was pushed
before is `already`, so that a task which is tried again is safe. Names and fields that stand in
`__all__` stay as they are; everything else of k3push may change. It is one module, since it is one
promise: a program finds here all that it may rely on.
"""

from __future__ import annotations

import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from k3push.adapters.job_files import JobFileError
from k3push.adapters.job_files.number_columns import flaw, internal_id, tidy
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.model import BillNumber, Listed, Route, Run, RunId, State, Target
from k3push.core.plan import Forecast, Foreseen
from k3push.core.remark import remark
from k3push.ports import Ledger, LedgerLostError, RunIsAliveError
from k3push.runs.create import JobSource, free_run_id, open_new, scope_of, survey, take_up_list
from k3push.runs.find import find_run
from k3push.runs.outcome import Ending, Exit
from k3push.runs.problem import Problem, innermost
from k3push.runs.row_pages import FollowedRow, advice_of, followed_pages_of
from k3push.runs.stop import told_as
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.job_lists import JobOptions, opened_jobs, routes_of
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.run_actions import RunActions
from k3push.words.language import speaker

__all__ = [
    "AsyncSession",
    "Bill",
    "Exit",
    "Forecast",
    "K3pushError",
    "Plan",
    "PlannedBill",
    "Result",
    "Row",
    "Session",
    "State",
    "Target",
    "open",
    "open_async",
    "push",
    "push_async",
]

T = TypeVar("T")

_LOG = logging.getLogger("k3push")
_SAY = speaker("en")
_NAME = "python"


class K3pushError(Exception):
    """Nothing was sent: settings, bills or the run that was named cannot be used.

    What becomes of bills is no exception; see `Result`.
    """


@dataclass(frozen=True, slots=True)
class Bill:
    """A source bill, by its number, its internal id or both; an id may be a whole number."""

    number: str = ""
    id: str | int = ""


Bills = Iterable[str | Bill] | Path
"""Bill numbers, bills, or a job file of any kind that the command line reads."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one bill.

    Attributes:
        line: Its place in the list, from 1.
        targets: Documents that the ERP made of it, or that were there.
        code: The ERP's MsgCode, or a word of k3push.
        reason: Why, in English or in the ERP's own words.
        cure: What helps, where that is known.
        follow: How far its documents have come after the push; "" where nothing was asked for.
    """

    line: int
    number: str
    id: str
    state: State
    targets: tuple[Target, ...]
    code: str
    reason: str
    cure: str
    attempts: int
    sent_at: datetime | None
    settled_at: datetime | None
    follow: str
    follow_reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """How an execution ended.

    Attributes:
        run: The run's id, by which `rows`, `settle`, `resume` and `retry` find it; "" where the
            list had no bills.
        exit: As the command's exit code.
        counts: Bills by state; states without bills are absent.
        follow: Documents by how far they have come after the push.
        pushes: Sendings of the run so far.
        seconds: How long this execution took.
        causes: Why it stopped before its end, in English; empty where it did not.
    """

    run: str
    route: str
    exit: Exit
    counts: Mapping[State, int]
    follow: Mapping[str, int]
    pushes: int
    seconds: float
    causes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every bill is `pushed` or `already`, and every step is done."""
        return self.exit is Exit.DONE


@dataclass(frozen=True, slots=True)
class PlannedBill:
    """What would become of one bill.

    Attributes:
        fate: `ready`, `partly`, `already` or `blocked`.
        repeats: The line that has named this bill before, or 0.
    """

    line: int
    number: str
    id: str
    fate: Forecast
    targets: tuple[Target, ...]
    code: str
    reason: str
    repeats: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        bills: Each line of the list, in its order.
        counts: How many bills have which fate; repeats are counted once.
        calls: About how many calls would be made.
        seconds: About how long they would take; None where no run of the route was measured.
        seconds_least: The least that is expected.
        seconds_most: The most that is expected.
    """

    route: str
    bills: tuple[PlannedBill, ...]
    counts: Mapping[Forecast, int]
    calls: int
    seconds: float | None
    seconds_least: float | None = None
    seconds_most: float | None = None


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
            observer = LineObserver(_SAY, _warn, _LOG.info)
            return executor or Executor(settings, options, observer, _SAY)

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
                    _SAY(f"cause.{told_as(cause, why)}", why=why)
                    for cause, why in preview.stop.causes.items()
                )
                raise Problem(why)
            (name,) = preview.routes
            time = preview.expected[name].time
            return Plan(
                route=name,
                bills=tuple(_planned(each) for each in sorted(seen, key=lambda each: each.line)),
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
                    return _of_nothing(self._route_name(route))
                chosen = list(routes.values())[:1]
                if isinstance(bills, Path):
                    names = [job.name for job in jobs]
                    runs = await self._open_each(executor, names, jobs, routes, chosen)
                else:
                    listed = list(jobs[0].read())
                    runs = [await self._open(executor, chosen[0], listed, again_because.strip())]
            (ending,) = await executor.execute_each(self._ledger, runs)
            return _result(ending)

    async def resume(self, run: str) -> Result:
        """Go on where a run stopped; what is open is settled first."""
        with _said():
            (ending,) = await self.resume_runs([await self._run(run)])
            return _result(ending)

    async def retry(self, run: str, *, reason: str = "") -> Result:
        """Push rejected bills of a run again: all, or those whose reason holds a text."""
        with _said():
            (ending,) = await self.retry_runs([await self._run(run)], reason)
            return _result(ending)

    async def settle(self, run: str) -> Result:
        """Ask the ERP what became of the unknown bills of a run; nothing is sent."""
        with _said():
            (ending,) = await self.settle_runs([await self._run(run)])
            return _result(ending)

    async def follow(self, run: str) -> Result:
        """Submit and approve what a run has made, as its route asks; look again at what waits."""
        with _said():
            (ending,) = await self.follow_runs([await self._run(run)])
            return _result(ending)

    async def rows(self, run: str, states: Collection[State | str] = ()) -> list[Row]:
        """Return what became of each bill of a run, in the order of its list.

        Args:
            run: Its id.
            states: Only bills in one of these, or in this one; none for all.
        """
        with _said():
            wanted = _states_in(states)
            if not run:
                return []  # of an empty list
            found = await self._run(run)
            pages = followed_pages_of(self._ledger, found, wanted)
            return [_row(each) async for page in pages for each in page]

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
            listed = [_listed_as(each, line) for line, each in enumerate(bills, start=1)]
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


class Session(AbstractContextManager["Session"]):
    """One configuration, with its ledger open. Made by `open`; for programs without a loop.

    Each method does what that of `AsyncSession` does.
    """

    def __init__(self, config: Path | str | None = None) -> None:
        self._config = config
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._session: AsyncSession | None = None

    def __enter__(self) -> Self:
        """Open the ledger."""
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            opened = self._portal.wrap_async_context_manager(open_async(self._config))
            self._session = stack.enter_context(opened)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the ledger."""
        self._portal = self._session = None
        self._stack.__exit__(kind, error, trace)

    @property
    def routes(self) -> tuple[str, ...]:
        """Names of the routes."""
        return self._opened.routes

    def plan(self, bills: Bills, *, route: str | None = None) -> Plan:
        """Look ahead and send nothing."""
        return self._call(partial(self._opened.plan, bills, route=route))

    def run(
        self,
        bills: Bills,
        *,
        route: str | None = None,
        again_because: str = "",
        limit: int | None = None,
    ) -> Result:
        """Push bills, and return how that ended."""
        pushing = self._opened.run
        return self._call(
            partial(pushing, bills, route=route, again_because=again_because, limit=limit)
        )

    def resume(self, run: str) -> Result:
        """Go on where a run stopped."""
        return self._call(partial(self._opened.resume, run))

    def retry(self, run: str, *, reason: str = "") -> Result:
        """Push rejected bills of a run again."""
        return self._call(partial(self._opened.retry, run, reason=reason))

    def settle(self, run: str) -> Result:
        """Ask the ERP what became of the unknown bills of a run."""
        return self._call(partial(self._opened.settle, run))

    def follow(self, run: str) -> Result:
        """Submit and approve what a run has made."""
        return self._call(partial(self._opened.follow, run))

    def rows(self, run: str, states: Collection[State | str] = ()) -> list[Row]:
        """Return what became of each bill of a run."""
        return self._call(partial(self._opened.rows, run, states))

    @property
    def _opened(self) -> AsyncSession:
        if self._session is None:
            raise RuntimeError("use it in a with statement: with k3push.open() as session")
        return self._session

    def _call(self, act: Callable[[], Awaitable[T]]) -> T:
        if self._portal is None:
            raise RuntimeError("the session is closed")
        return self._portal.call(act)


def open(config: Path | str | None = None) -> Session:  # noqa: A001  # as k3push.open
    """Open a configuration, for programs without an event loop.

    Args:
        config: The configuration file; the usual one without it.
    """
    return Session(config)


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


def push(bills: Bills, *, route: str | None = None, config: Path | str | None = None) -> Result:
    """Push bills, and return how that ended.

    Args:
        bills: Numbers, bills, or a job file whose lines ask for one route.
        route: Name of the route; it may be left out where there is one.
        config: The configuration file; the usual one without it.

    Raises:
        K3pushError: Nothing could be begun.
    """
    with open(config) as session:
        return session.run(bills, route=route)


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
        _LOG.info("%s (%.0f s)", _SAY.said(why), seconds)


def _warn(sentence: str, /, **facts: object) -> None:
    _LOG.warning(_SAY(sentence, **facts))


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
        raise K3pushError(_SAY.said(str(cause))) from error


def _listed_as(bill: str | Bill, line: int) -> Listed:
    wanted = bill if isinstance(bill, Bill) else Bill(bill)
    bill_id = str(wanted.id) if type(wanted.id) is int else wanted.id
    texts: tuple[object, ...] = (wanted.number, bill_id)
    for text in texts:
        if not isinstance(text, str):  # of a program that no type checker reads
            why = remark("job.not_a_number", value=repr(text))
            raise Problem(remark("api.bill", nth=line, why=why))
    number, id_ = tidy(wanted.number), internal_id(tidy(str(bill_id)))
    if id_ is None:
        why = remark("job.bad_id", value=bill_id)
        raise Problem(remark("api.bill", nth=line, why=why))
    if (number or not id_) and (wrong := flaw(number)):
        why = remark(f"job.{wrong.code}", **wrong.facts)
        raise Problem(remark("api.bill", nth=line, why=why))
    return Listed(line, BillNumber(number), id=id_)


def _states_in(states: Collection[State | str]) -> list[State]:
    named = [states] if isinstance(states, str) else states  # else of its letters
    known = {state.value: state for state in State}
    if wrong := [each for each in named if each not in known]:
        raise Problem(remark("api.no_state", text=str(wrong[0]), known=", ".join(known)))
    return [known[each] for each in named]


def _planned(seen: Foreseen) -> PlannedBill:
    return PlannedBill(
        line=seen.line,
        number=seen.number or seen.bill,
        id=seen.source_id or seen.listed_id,
        fate=seen.fate,
        targets=seen.targets,
        code=seen.code,
        reason=_SAY.said(seen.reason),
        repeats=seen.first_line,
    )


def _row(found: FollowedRow) -> Row:
    row = found.row
    advice = advice_of(found)
    return Row(
        line=row.line,
        number=row.shown_number,
        id=row.shown_id,
        state=row.state,
        targets=row.targets,
        code=row.code,
        reason=_SAY.said(row.reason),
        cure=_SAY(advice.cure) if advice else "",
        attempts=row.attempts,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
        follow=found.follow.value,
        follow_reason=_SAY.said(found.why),
    )


def _of_nothing(route: str) -> Result:
    """Say how the push of an empty list ended: well, and without a run."""
    return Result("", route, Exit.DONE, counts={}, follow={}, pushes=0, seconds=0.0)


def _result(ending: Ending) -> Result:
    return Result(
        run=ending.run.id,
        route=ending.run.route.name,
        exit=ending.exit,
        counts=dict(ending.counts),
        follow={each.value: n for each, n in ending.followed.counts.items() if each.value},
        pushes=ending.pushes,
        seconds=ending.seconds,
        causes={cause.value: _SAY.said(why) for cause, why in ending.causes.items()},
    )
