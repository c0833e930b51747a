"""One trial: a story is played, and what came of it is checked.

The real `push_run` and the real HTTP adapter work against the stand-in, on virtual time; a
patient person resumes each run until all is final, and speaks where no look can settle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from unittest import mock

import anyio
import anyio.lowlevel
import trio
from anyio.abc import TaskGroup
from trio.testing import MockClock

from k3push.core.model import RunId, State
from k3push.core.pacing.window import Window
from k3push.core.plan import Foreseen
from k3push.core.protocol.logins import LoginCall, password_login
from k3push.core.safety.legal_moves import FINAL
from k3push.ports import Ledger, LedgerLostError, RunIsAliveError
from k3push.runs.context import Context
from k3push.runs.control import obey
from k3push.runs.create import take_up_plan
from k3push.runs.engine import push_run
from k3push.runs.outcome import ending_of
from k3push.runs.stop import Cause
from k3push.runs.submit_and_audit.follower import follow_run
from k3push.runs.throttle import Throttle
from k3push.simulator import Channel
from tests.campaign.checks import check
from tests.campaign.drawing import story_of
from tests.campaign.events import (
    Ends,
    Event,
    Exchanges,
    Happens,
    HasWindow,
    Intrudes,
    IsAllowed,
    IsAltered,
    IsBarred,
    IsClosed,
    IsDown,
    IsGone,
    IsLockedOut,
    IsPushed,
    IsRenumbered,
    Joins,
    MadeAnew,
    MendsField,
    OnlySettles,
    Plans,
    Reloads,
    Retries,
    Says,
    SetsClock,
    SharesLedger,
    Waits,
)
from tests.campaign.executions import check_execution
from tests.campaign.people import People
from tests.campaign.plans import foresee
from tests.campaign.result import Result
from tests.campaign.scene import Execution, Scene, set_up
from tests.campaign.steps_after import Follows
from tests.campaign.story import Story
from tests.runs.mortals import Act, Fate, carried_by
from tests.runs.office import Pushed, VirtualClock, only_settle
from tests.schedules import seed_schedule

T = TypeVar("T")

# Another account of the same ledger, and its runs.
OTHER = "other"
OTHER_RUNS = (RunId("o1"), RunId("o2"))

# A person loses patience with a run that is resumed and resumed; faults have an end.
MOST_EXECUTIONS = 30
VIRTUAL_DAYS_S = 3 * 86_400.0
# How long a person waits before the same command is typed again.
TRY_AGAIN_S = 145.0
# Times that a person retries another run, as a row asks for.
TRIES_ELSEWHERE = 2

# What ends an execution and leaves numbers that only a person can settle.
_FOR_A_PERSON = {Cause.BARRED, Cause.UNPROVED, Cause.PERSON, Cause.CONTRADICTION}
# An execution that stops at doubts each time tells of these all the same.
_LEFT_TO_PEOPLE = {*_FOR_A_PERSON, Cause.HALTED}
_PASSES = {
    Cause.BARRED,
    Cause.UNREACHABLE,
    Cause.LOGIN_REFUSED,
    Cause.LOOK_REFUSED,
    Cause.LOOK_FAILED,
}

# What people do, by what is told of it.
_DEEDS: dict[type, Callable[..., Coroutine[None, None, None]]] = {
    IsDown: People.take_down,
    IsAllowed: People.allow,
    MadeAnew: People.make_anew,
    Reloads: People.reload,
    IsBarred: People.bar,
    IsLockedOut: People.lock_out,
    **dict.fromkeys((IsPushed, IsClosed, IsRenumbered, Exchanges, IsAltered), People.touch),
    Says: People.say,
}

_COUNTED = {
    Act.KILL: "kills",
    Act.FULL_DISK: "full disks",
    Act.STAND_STILL: "standstills",
    Act.STOP: "stops",
    Act.STOP_AT_ONCE: "stops at once",
}


def play(story: Story) -> Result:
    """Play a story; the same one comes to the same, wherever and whenever it is played."""
    seed_schedule(story.frame.seed)
    result = Result()
    digests: list[bytes] = []

    async def play_on_virtual_time() -> None:
        plays = _plays_of(story, result)
        async with anyio.create_task_group() as tasks:
            for each in plays:
                tasks.start_soon(each.run)
        digests.extend(each.scene.witness.trace.digest() for each in plays)

    try:
        # The virtual clock would not wait for a thread.
        with mock.patch("anyio.to_thread.run_sync", _run_here):
            trio.run(play_on_virtual_time, clock=MockClock(autojump_threshold=0))
    except Exception as error:  # noqa: BLE001  # a defect of k3push is what is looked for
        result.findings.append(f"defect: {_innermost(error)}")
    result.digest = hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()
    return result


def _plays_of(story: Story, result: Result) -> list[_Play]:
    """Set up what a story tells of, and what goes on in another account of the same ledger."""
    scene = set_up(story)
    plays = [_Play(scene, result)]
    for event in story.all_of(SharesLedger):
        others = story_of(event.seed)
        others = others.without([nth for nth, e in others.events if isinstance(e, SharesLedger)])
        ledger = scene.ledger.beside(OTHER)
        plays.append(_Play(set_up(others, OTHER_RUNS, ledger, OTHER), result))
    return plays


async def _run_here(work: Callable[..., T], *arguments: object) -> T:
    await anyio.lowlevel.checkpoint()
    return work(*arguments)


class _Play:
    """What goes on in a scene, all at the same time."""

    def __init__(self, scene: Scene, result: Result) -> None:
        self.scene = scene
        self.story = scene.story
        self.result = result
        self.people = People(scene, result)
        self.foreseen: list[Foreseen] | None = None
        self.tasks: TaskGroup

    async def run(self) -> None:
        """Play it all, then check."""
        scene = self.scene
        for run in scene.lists:
            if run != scene.first or not self.story.has(Plans):
                scene.office.route = scene.routes[run]
                await scene.office.open_run(scene.lines(run), run, again_because=self._because)
        scene.office.route = scene.routes[scene.first]
        with anyio.move_on_after(VIRTUAL_DAYS_S):
            async with anyio.create_task_group() as tasks:
                self.tasks = tasks
                tasks.start_soon(self._play_first)
                for event in self.story.happenings:
                    self._begin(event)
            for run in scene.lists:
                for _ in range(sum(event.again for event in self.story.all_of(Follows))):
                    await self._look_again(run)
            # What one run has given up, the other may have settled since, the last one too.
            for run in 2 * [*scene.lists]:
                if await scene.rows_left(run, FINAL):
                    await self._resume_until_final(run, since=MOST_EXECUTIONS)
        self.result.findings += await check(scene)
        await self._count()

    def _begin(self, event: Event) -> None:
        """Let an event take its course."""
        if isinstance(event, Joins):
            self.tasks.start_soon(self._resume_until_final, list(self.scene.lists)[1], event.at_s)
        elif isinstance(event, Intrudes):
            self.tasks.start_soon(self._intrude, event.at_s)
        elif deed := _DEEDS.get(type(event)):
            self.tasks.start_soon(deed, self.people, event)

    async def _count(self) -> None:
        """Add up what was played."""
        scene, counts = self.scene, self.result.counts
        self.result.faults += scene.witness.faults
        truth = scene.site.truth()
        rows = [await scene.office.rows(run) for run in scene.lists]
        counts["pushes"] += scene.site.calls[Channel.PUSH]
        counts["documents"] += truth["documents"]
        for run in scene.lists:
            for follow, count in (await scene.office.store.document_counts(run)).items():
                counts[f"documents {follow.value or 'open'}"] += count
        counts["logins"] += truth["logins"]
        counts["sessions lost"] += truth["sessions_lost"]
        counts["numbers"] += sum(map(len, rows))
        scene.witness.trace.update(repr((rows, scene.attempts, truth)).encode())

    @property
    def _because(self) -> str:
        return "in spite of it" if self.story.frame.again else ""

    async def _play_first(self) -> None:
        """Execute the first run, which may be a plan at first."""
        await anyio.sleep(sum(event.at_s for event in self.story.all_of(Waits)))
        for event in self.story.all_of(Plans):
            logins = {user: _login(user) for user in self._users(0)}
            self.foreseen = await foresee(
                self.scene, logins, again=self.story.frame.again, patience_s=TRY_AGAIN_S
            )
            await anyio.sleep(event.later_s)
            if event.again_s is not None:
                self.tasks.start_soon(self._apply_again, event.again_s)
        await self._resume_until_final(self.scene.first)

    async def _apply_again(self, later_s: float) -> None:
        """Apply the plan as a second person, who is refused once its list is in the ledger."""
        await anyio.sleep(later_s)
        if await self.scene.is_written(self.scene.first):
            self.result.counts["plans applied twice"] += 1
        else:
            await self._turned_away_or(self._as_process(self.scene.first, Fate(), self._users(0)))

    async def _take_up(self, run: RunId, ledger: Ledger) -> bool:
        """Write a planned run down where it is not; say whether the disk has let us."""
        if self.foreseen is not None and run == self.scene.first:
            planned = self.scene.office.run(run, again_because=self._because)
            try:
                at = VirtualClock().now()
                await take_up_plan(ledger, planned, iter(self.foreseen), at=at)
            except LedgerLostError:
                return False
        return True

    async def _resume_until_final(self, run: RunId, at_s: float = 0.0, *, since: int = 0) -> None:
        """Execute a run again and again, as a patient person does after each stop."""
        await anyio.sleep(at_s)
        retries = run == self.scene.first and not since and self.story.has(Retries)
        elsewhere = TRIES_ELSEWHERE
        for execution in range(since + 1, since + MOST_EXECUTIONS + 1):
            pushed = await self._execute(run, execution)
            if not await self.scene.is_written(run):
                continue
            states = {row.state for row in (await self.scene.rows_left(run, FINAL)).values()}
            if not states and await self.scene.is_left_to_follow(run):
                continue
            if not states and retries:
                retries = False
                await self.people.retry(run)
                continue
            if not states:
                return
            causes = set(pushed.stop.causes) if pushed else {Cause.INTERRUPTED}
            if State.UNKNOWN in states and causes & _FOR_A_PERSON and causes <= _LEFT_TO_PEOPLE:
                await self.people.speak(run)
            elif causes & _PASSES:
                # What is refused there again and again stays as it is.
                others = await self.people.retry_elsewhere(run) if elsewhere else []
                elsewhere -= bool(others)
                for other in others:
                    await self._resume_until_final(other, since=since + MOST_EXECUTIONS)
                await anyio.sleep(TRY_AGAIN_S)

    async def _look_again(self, run: RunId) -> None:
        """Follow a run as a person asks for, and let its refusals stand."""
        if await self.scene.is_written(run):
            process = self._as_process(run, Fate(), self._users(0), work=follow_run)
            await self._turned_away_or(process)

    async def _execute(self, run: RunId, nth: int) -> Pushed | None:
        """Execute a run once; None where its process did not live to tell."""
        place = list(self.scene.lists).index(run) + 1
        first = run == self.scene.first
        if any(nth >= event.execution for event in self.story.all_of(MendsField)):
            self.scene.mend_field()
        events = self.story.happenings if first else []
        happens = [
            event
            for event in self.story.all_of(Happens)
            if (event.run, event.execution) == (place, nth)
        ]
        lasts = [e.seconds for e in events if isinstance(e, Ends) and e.execution == nth]
        beside = partial(self._beside, lasts_s=min(lasts, default=None), obeys=first)
        while True:
            fate = Fate(
                {event.step: event.act for event in happens},
                still_s=sum(event.still_s for event in happens),
            )
            try:
                return await self._as_process(
                    run,
                    fate,
                    self._users(nth if first else 0),
                    beside=partial(beside, fate=fate),
                    work=only_settle if OnlySettles(nth) in events else push_run,
                )
            except RunIsAliveError:
                await anyio.sleep(TRY_AGAIN_S)

    async def _as_process(
        self,
        run: RunId,
        fate: Fate,
        users: Sequence[str],
        *,
        beside: Callable[[Context], Coroutine[None, None, None]] | None = None,
        work: Callable[[Context], Coroutine[None, None, None]] = push_run,
    ) -> Pushed | None:
        """Be a process that executes a run; None where it did not live to tell."""
        began_s, frame, pushed = anyio.current_time(), self.story.frame, None
        windows = [Window.parse(event.text) for event in self.story.all_of(HasWindow)]
        clock = _SetClock(self.story.all_of(SetsClock))
        ledger = self.scene.ledger.process(fate)
        with fate.scope:
            if not await self._take_up(run, ledger):
                return None
            pushed = await self.scene.office.execute(
                run,
                limits=frame.limits,
                clock=clock,
                throttle=Throttle(
                    clock,
                    concurrency=frame.concurrency,
                    chunk_size=frame.chunk_size,
                    window=windows[0] if windows else None,
                ),
                settle=self.scene.times.settle,
                stop=fate.stop,
                ledger=ledger,
                transport=carried_by(fate),
                login=_login(users[0]),
                more_users={user: _login(user) for user in users[1:]},
                beside=beside,
                work=work,
                route=self.scene.routes.get(run),
                check=False,
            )
        self.result.counts["processes"] += 1
        self.result.counts.update(_COUNTED[act] for act in fate.happened)
        if pushed and Act.KILL not in fate.happened:
            await self._note_ending(run, pushed)
        if not pushed or {Act.KILL, Act.STOP_AT_ONCE} & set(fate.happened):
            return None
        alive = await self.scene.ledger.another_process().is_alive(run)
        execution = Execution(run, began_s, anyio.current_time(), pushed, taken_over=alive)
        self.scene.executions.append(execution)
        self.result.findings += await check_execution(self.scene, execution)
        return pushed

    async def _note_ending(self, run: RunId, pushed: Pushed) -> None:
        """Write down how an execution ended, as whoever executes runs does."""
        ledger, causes = self.scene.ledger.another_process(), pushed.stop.causes
        opened = await ledger.run(run)
        if opened is None or Cause.LEDGER_LOST in causes or await ledger.is_alive(run):
            return
        ending = await ending_of(ledger, opened, causes, unverified=False)
        await ledger.end_run(run, ending.exit, VirtualClock().now())

    def _users(self, execution: int) -> list[str]:
        """Return the users of the settings at an execution, the first one first."""
        users = self.story.users
        gone = {e.user for e in self.story.all_of(IsGone) if execution >= e.execution > 0}
        return [user for user in users if user not in gone] or users

    async def _beside(
        self, job: Context, *, fate: Fate, lasts_s: float | None, obeys: bool
    ) -> None:
        """Be there while an execution goes on: its deadline, its commands, one who takes over."""
        async with anyio.create_task_group() as tasks:
            if lasts_s is not None:
                tasks.start_soon(self._end, job, lasts_s)
            if obeys and self.story.has(Says):
                tasks.start_soon(obey, job)
            tasks.start_soon(self._take_over, fate, job.run.id)

    async def _end(self, job: Context, seconds: float) -> None:
        await anyio.sleep(seconds)
        job.stop.ask(Cause.DEADLINE, "its time is over")

    async def _take_over(self, fate: Fate, run: RunId) -> None:
        """Take a run over whose process stands still."""
        await fate.stands_still.wait()
        self.result.counts["taken over"] += 1
        self.tasks.start_soon(self._resume, run)

    async def _intrude(self, at_s: float) -> None:
        """Execute the first run as a second person, if it is not alive."""
        await anyio.sleep(at_s)
        await self._resume(self.scene.first)

    async def _resume(self, run: RunId) -> None:
        """Resume a run, which is refused where half of its list is missing."""
        if await self.scene.is_written(run):
            await self._turned_away_or(self._as_process(run, Fate(), self._users(0)))

    async def _turned_away_or(self, process: Awaitable[object]) -> None:
        try:
            await process
        except RunIsAliveError:
            self.result.counts["second people turned away"] += 1


class _SetClock(VirtualClock):
    """The clock of a machine, which somebody sets, and which goes on between two statements."""

    def __init__(self, settings: Sequence[SetsClock]) -> None:
        """Take when it is set."""
        self._settings = settings
        self._asked = 0

    def now(self) -> datetime:
        """Return the time of day that it shows."""
        self._asked += 1
        past = [each.by_s for each in self._settings if each.at_s <= anyio.current_time()]
        return super().now() + timedelta(seconds=sum(past), microseconds=self._asked)


def _login(user: str) -> LoginCall:
    return password_login("sandbox", user, "sandbox", 2052)


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
