"""One trial: a story is played, and what came of it is checked.

The real `push_run` and the real HTTP adapter work against the stand-in, on virtual time; a
patient person resumes each run until all is final, and speaks where no look can settle.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import trio
from trio.testing import MockClock

from k3push.core.life import FINAL
from k3push.core.model import Outcome, RunId, State
from k3push.job import Cause
from k3push.planning import plan_rejected
from k3push.ports import RunIsAliveError
from k3push.simulator import Channel, OnRefusal
from tests.pushing.mortals import Act, Fate, carried_by
from tests.pushing.office import FIRST, SECOND, SETTLE, Pushed, VirtualClock, steered
from tests.schedules import seed_schedule
from tests.simulation.checks import check
from tests.simulation.scene import Scene, set_up
from tests.simulation.story import Happens, Intrudes, IsDown, Joins, Retries, Story

# A person loses patience with a run that is resumed and resumed; faults have an end.
MOST_EXECUTIONS = 30
VIRTUAL_DAYS_S = 3 * 86_400.0

_COUNTED = {
    Act.KILL: "kills",
    Act.FULL_DISK: "full disks",
    Act.STOP: "stops",
    Act.STOP_AT_ONCE: "stops at once",
}


@dataclass(slots=True)
class Result:
    """What came of a trial.

    Attributes:
        findings: What is wrong; empty for a clean bill of health.
        counts: Processes, kills, full disks, pushes, documents and the like.
        faults: How often each fault was met.
        digest: Of all requests, attempts and rows.
    """

    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    digest: str = ""


def play(story: Story) -> Result:
    """Play a story; the same one comes to the same, wherever and whenever it is played."""
    seed_schedule(story.frame.seed)
    result = Result()

    async def play_on_virtual_time() -> None:
        await _Play(set_up(story), result).run()

    try:
        trio.run(play_on_virtual_time, clock=MockClock(autojump_threshold=0))
    except Exception as error:  # noqa: BLE001  # a defect of k3push is what is looked for
        result.findings.append(f"defect: {_innermost(error)}")
    return result


class _Play:
    """What goes on in a scene, all at the same time."""

    def __init__(self, scene: Scene, result: Result) -> None:
        self.scene = scene
        self.story = scene.story
        self.result = result

    async def run(self) -> None:
        """Play it all, then check."""
        scene, result = self.scene, self.result
        because = "in spite of it" if self.story.frame.again else ""
        for run, numbers in scene.lists.items():
            await scene.office.open_run(numbers, run, again_because=because)
        with anyio.move_on_after(VIRTUAL_DAYS_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._resume_until_final, FIRST, 0.0)
                for event in self.story.happenings:
                    match event:
                        case Joins():
                            tasks.start_soon(self._resume_until_final, SECOND, event.at_s)
                        case Intrudes():
                            tasks.start_soon(self._intrude, event.at_s)
                        case IsDown():
                            tasks.start_soon(self._take_down, event)
        result.findings += await check(scene)
        result.faults = scene.witness.faults
        truth = scene.site.truth()
        result.counts["pushes"] = scene.site.calls[Channel.PUSH]
        result.counts["documents"] = truth["documents"]
        result.counts["logins"] = truth["logins"]
        result.counts["sessions lost"] = truth["sessions_lost"]
        rows = [await scene.office.rows(run) for run in scene.lists]
        result.counts["numbers"] = sum(map(len, rows))
        scene.witness.trace.update(repr((rows, scene.ledger.attempts, truth)).encode())
        result.digest = scene.witness.trace.hexdigest()

    async def _resume_until_final(self, run: RunId, at_s: float) -> None:
        """Execute a run again and again, as a patient person does after each stop."""
        await anyio.sleep(at_s)
        retries = run == FIRST and Retries() in self.story.happenings
        for execution in range(1, MOST_EXECUTIONS + 1):
            pushed = await self._execute(run, execution)
            states = {row.state for row in (await self.scene.rows_left(run, FINAL)).values()}
            if not states and retries:
                retries = False
                await self._retry(run)
                continue
            if not states:
                return
            causes = set(pushed.stop.causes) if pushed else {Cause.INTERRUPTED}
            if State.SENT in states and pushed and Cause.LEDGER_LOST not in causes:
                self.result.findings.append(f"{run}: an execution that ended left rows `sent`")
            if State.UNKNOWN in states and causes <= {Cause.BARRED}:
                await self._speak(run)
            elif causes & {Cause.BARRED, Cause.UNREACHABLE, Cause.LOGIN_REFUSED}:
                await anyio.sleep(SETTLE.poll_s)

    async def _execute(self, run: RunId, execution: int) -> Pushed | None:
        """Execute a run once; None where its process did not live to tell."""
        nth = list(self.scene.lists).index(run) + 1
        acts = {
            event.step: event.act
            for event in self.story.happenings
            if isinstance(event, Happens) and (event.run, event.execution) == (nth, execution)
        }
        frame, pushed = self.story.frame, None
        while True:
            fate = Fate(acts)
            try:
                with fate.scope:
                    pushed = await self.scene.office.execute(
                        run,
                        pace=frame.pace,
                        steering=steered(
                            concurrency=frame.concurrency, chunk_size=frame.chunk_size
                        ),
                        stop=fate.stop,
                        ledger=self.scene.ledger.process(fate),
                        transport=carried_by(fate),
                        check=False,
                    )
                break
            except RunIsAliveError:
                await anyio.sleep(SETTLE.poll_s)
        self.result.counts["processes"] += 1
        self.result.counts.update(_COUNTED[act] for act in fate.happened)
        if not pushed or {Act.KILL, Act.STOP_AT_ONCE} & set(fate.happened):
            return None
        silent = self.scene.witness.dropped or self.story.frame.on_refusal is OnRefusal.SILENT
        if Cause.CONTRADICTION in pushed.stop.causes and not silent:
            why = pushed.stop.causes[Cause.CONTRADICTION]
            self.result.findings.append(f"a contradiction that is none: {why}")
        return pushed

    async def _retry(self, run: RunId) -> None:
        """Plan the rejected numbers of a run again, as the command does."""
        ledger = self.scene.ledger.another_process()
        opened = await ledger.run(run)
        assert opened is not None
        with suppress(RunIsAliveError):
            async with ledger.own(run):
                self.result.counts["retries"] += await plan_rejected(ledger, VirtualClock(), opened)

    async def _intrude(self, at_s: float) -> None:
        """Execute the first run as a second person, if it is not alive."""
        await anyio.sleep(at_s)
        fate = Fate()
        try:
            await self.scene.office.execute(
                FIRST,
                ledger=self.scene.ledger.process(fate),
                transport=carried_by(fate),
                check=False,
            )
        except RunIsAliveError:
            self.result.counts["second people turned away"] += 1

    async def _take_down(self, event: IsDown) -> None:
        await anyio.sleep(event.at_s)
        self.scene.site.accepting = False
        await anyio.sleep(event.for_s)
        self.scene.site.accepting = True

    async def _speak(self, run: RunId) -> None:
        """Look into the ERP's books, long afterwards, and say what became of doubts."""
        scene = self.scene
        await anyio.sleep(SETTLE.window_s)
        scene.site.finish()
        ledger = scene.ledger.another_process()
        with suppress(RunIsAliveError):
            async with ledger.own(run):
                doubts = [d for d in await ledger.doubts(run) if scene.is_worth_a_word(d.number)]
                outcomes = [
                    Outcome(
                        doubt.number,
                        State.PUSHED if scene.made_from(doubt.number) else State.PLANNED,
                        code="person",
                        reason="seen in the ERP",
                    )
                    for doubt in doubts
                ]
                at = VirtualClock().now()
                await ledger.conclude(run, outcomes, at=at, note="a person's word")
            scene.spoken_of.update(outcome.number for outcome in outcomes)
            self.result.counts["words of a person"] += len(outcomes)


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
