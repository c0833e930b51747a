"""How an execution ended, or several, and what is open: the exit code, and what scripts read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from k3push.core.model import Follow, Repeat, Run, RunId, State, Step
from k3push.core.pacing.samples import PaceStep
from k3push.core.safety.document_steps import done_states
from k3push.core.safety.legal_moves import OPEN
from k3push.ports import Ledger
from k3push.runs.kept_in_ledger.earlier_documents import not_looked_at
from k3push.runs.kept_in_ledger.listed_files import file_at, kept_line_counts
from k3push.runs.kept_in_ledger.request_stages import steps_asked_for
from k3push.runs.kept_in_ledger.row_pages import not_enrolled
from k3push.runs.proof.missed_looks import due_look
from k3push.runs.stop import Cause, Stop


class Exit(IntEnum):
    """Exit codes, a promise to scripts (docs/reference/states.md)."""

    DONE = 0
    """Every number is `pushed` or `already`, and each step of `follow` is done."""

    DEFECT = 1
    """A defect of k3push."""

    USAGE = 2
    """Bad arguments, settings or job file; nothing was sent."""

    SOME_REJECTED = 3
    """Finished; some numbers are `rejected` or `draft`, or documents were refused or wait."""

    SOME_UNKNOWN = 4
    """Some numbers are `unknown`, or a step is in doubt."""

    STOPPED = 5
    """Stopped before the end; some numbers are `planned`, or documents not followed."""

    UNREACHABLE = 6
    """The ERP could not be reached, or refused the login."""


_OF_CAUSE = {
    Cause.UNREACHABLE: Exit.UNREACHABLE,
    Cause.LOOK_FAILED: Exit.UNREACHABLE,
    Cause.LOGIN_REFUSED: Exit.UNREACHABLE,
}

# These stop what is left, and nothing where nothing is.
_OF_WHAT_IS_LEFT = frozenset({Cause.INTERRUPTED, Cause.CONTROL, Cause.DEADLINE, Cause.LIMIT})

# A person has to know of these, whatever the rows say.
_GRAVE = frozenset({Cause.LEDGER_LOST, Cause.CONTRADICTION})


@dataclass(frozen=True, slots=True)
class Followed:
    """How far the documents of a run have come, where the route asks for steps after the push.

    Attributes:
        counts: Documents by how far they have come.
        left: How many go on by themselves, those of which the answer was lost left out.
        unnamed: Bills that a person has settled, and of whose documents none is known.
    """

    counts: Mapping[Follow, int] = field(default_factory=dict)
    left: int = 0
    unnamed: int = 0

    @property
    def unknown(self) -> int:
        """How many have a step in doubt."""
        return self.counts.get(Follow.UNKNOWN, 0)

    @property
    def waiting(self) -> int:
        """How many wait in an approval flow."""
        return self.counts.get(Follow.WAITING, 0)

    @property
    def for_person(self) -> int:
        """How many were refused a step, wait in a flow, or are not known."""
        return self.counts.get(Follow.REFUSED, 0) + self.waiting + self.unnamed


NOT_FOLLOWED = Followed()


async def followed_of(
    ledger: Ledger, run: Run, steps: Collection[Step] = (), *, at_a_glance: bool = False
) -> Followed:
    """Say how far the documents of a run have come.

    Args:
        ledger: Holds the run.
        run: The run, with the route that it began with or is executed by.
        steps: What its route asks for now, which counts where documents were followed.
        at_a_glance: Documents that the ledger does not follow yet are not looked for, since all
            rows are read for them.
    """
    counts = await ledger.document_counts(run.id)
    steps = (steps if counts else ()) or run.route.follow
    if steps:  # a program may have asked for fewer
        steps = await steps_asked_for(ledger, run.id, tuple(steps))
    if not steps:
        # What is in doubt stays so, though the settings ask for no step any more.
        doubts = counts.get(Follow.UNKNOWN, 0)
        return Followed({Follow.UNKNOWN: doubts}) if doubts else NOT_FOLLOWED
    going = {Follow.OPEN, Follow.SUBMITTED} - done_states(steps)
    left = sum(counts.get(follow, 0) for follow in going)
    if at_a_glance:
        return Followed(counts, left)
    more, unnamed = await not_enrolled(ledger, run)
    return Followed(counts, left + more + await not_looked_at(ledger, run), unnamed)


def numbers_in_doubt(counts: Mapping[State, int]) -> int:
    """Return of how many numbers nobody knows what the ERP made.

    A number that is still `sent` was left by a second Ctrl-C, or a kill: the ERP may have acted.

    >>> numbers_in_doubt({State.PUSHED: 9, State.SENT: 2, State.UNKNOWN: 1})
    3
    """
    return sum(counts.get(state, 0) for state in OPEN)


def exit_of(
    counts: Mapping[State, int],
    causes: Collection[Cause],
    *,
    odd: int = 0,
    followed: Followed = NOT_FOLLOWED,
) -> Exit:
    """Return the highest of 6, 4, 5 and 3 that applies, in that order, else 0.

    A stop that came while the last numbers were on their way has stopped nothing. A number that
    somebody else has pushed as well, or of which the ERP has refused a part (*odd*), needs a
    person as a rejected one does, and so does a document that was refused a step or waits.

    >>> exit_of({State.PUSHED: 9}, (Cause.INTERRUPTED,)).name
    'DONE'
    >>> exit_of({State.PUSHED: 9, State.REJECTED: 1}, ()).name
    'SOME_REJECTED'
    >>> exit_of({State.PLANNED: 9, State.UNKNOWN: 1}, (Cause.INTERRUPTED,)).name
    'SOME_UNKNOWN'
    """
    if any(cause in _OF_CAUSE for cause in causes):
        return Exit.UNREACHABLE
    if numbers_in_doubt(counts) or followed.unknown:
        return Exit.SOME_UNKNOWN
    if counts.get(State.PLANNED) or followed.left or _GRAVE.intersection(causes):
        return Exit.STOPPED
    if counts.get(State.REJECTED) or counts.get(State.DRAFT) or odd or followed.for_person:
        return Exit.SOME_REJECTED
    return Exit.DONE


# From the best to the worst: the order in which exit codes win.
_RANK = (Exit.DONE, Exit.SOME_REJECTED, Exit.STOPPED, Exit.SOME_UNKNOWN, Exit.UNREACHABLE)


def worst_of(codes: Iterable[Exit]) -> Exit:
    """Return the exit code of a command by those of its runs.

    >>> worst_of([Exit.SOME_UNKNOWN, Exit.STOPPED]).name, worst_of([]).name
    ('SOME_UNKNOWN', 'DONE')
    """
    return max(codes, key=_RANK.index, default=Exit.DONE)


@dataclass(frozen=True, slots=True)
class Ending:
    """How one execution of a run ended.

    Attributes:
        run: The run.
        exit: Its exit code.
        seconds: How long this execution took.
        counts: Rows of the run by state.
        pushes: Sendings of the run so far.
        logins: Logins of this execution.
        targets: Documents that the rows name, each once.
        causes: Why it stopped before its end, each with a remark or somebody else's words.
        doubted: Numbers whose answer was lost in this execution, settled since or not.
        pace: Steps of the automatic pace, in seconds from the beginning.
        twins: Numbers that have more documents than their push made.
        partly: Numbers that have documents, and a part of which the ERP has refused.
        followed: How far the documents have come after their push.
        repeats: Lines that named a number again.
        listed: How many lines each job file has given, where there are several and it is known.
        unverified: The ERP's certificate was not checked.
        taken: How much of a limit this execution has taken up.
        settled_elsewhere: Other runs of whose numbers this execution has settled some.
        unarchived: Why old runs could not be archived after it; "" if they could, None if nobody
            tried.
    """

    run: Run
    exit: Exit
    seconds: float
    counts: Mapping[State, int]
    pushes: int
    logins: int
    targets: int
    causes: Mapping[Cause, str]
    doubted: int = 0
    pace: Sequence[PaceStep] = ()
    twins: int = 0
    partly: int = 0
    followed: Followed = NOT_FOLLOWED
    repeats: Sequence[Repeat] = ()
    listed: Sequence[int] = ()
    unverified: bool = False
    taken: int = 0
    settled_elsewhere: Collection[RunId] = ()
    unarchived: str | None = None

    def places_of(self, repeat: Repeat) -> tuple[str, str]:
        """Return the job files of a line that repeats and of the line that it repeats, or ""."""
        jobs = self.run.jobs
        first, again = repeat.first_place, repeat.place
        return file_at(again, jobs, self.listed), file_at(first, jobs, self.listed)

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "run": self.run.id,
            "route": self.run.route.name,
            "exit": int(self.exit),
            "seconds": round(self.seconds, 2),
            "counts": {state.value: self.counts[state] for state in State if state in self.counts},
            "pushes": self.pushes,
            "logins": self.logins,
            "targets": self.targets,
            "follow": {f.value: n for f, n in self.followed.counts.items() if f.value},
        }


def joined(endings: Sequence[Ending]) -> dict[str, Any]:
    """Return what `--json` prints of several runs together, but for the exit code."""
    parts = [ending.as_json() for ending in endings]
    counts: Counter[str] = Counter()
    follow: Counter[str] = Counter()
    for part in parts:
        counts.update(part["counts"])
        follow.update(part["follow"])
    return {
        "run": ";".join(part["run"] for part in parts),
        "route": ";".join(dict.fromkeys(part["route"] for part in parts)),
        "exit": 0,
        "seconds": round(sum(part["seconds"] for part in parts), 2),
        "counts": dict(counts),
        **{key: sum(part[key] for part in parts) for key in ("pushes", "logins", "targets")},
        "follow": dict(follow),
    }


async def ending_of(
    ledger: Ledger,
    run: Run,
    causes: Mapping[Cause, str],
    *,
    unverified: bool,
    steps: Collection[Step] = (),
) -> Ending:
    """Say how a run stands, after an execution or without one.

    Args:
        ledger: Holds the run.
        run: The run.
        causes: Why its last execution stopped before its end.
        unverified: The ERP's certificate is not checked.
        steps: What its route asks for now after the push (`followed_of`).
    """
    counts = await ledger.counts(run.id)
    twins, partly = await ledger.twins(run.id), await ledger.partly(run.id)
    followed = await followed_of(ledger, run, steps)
    exit_code = exit_of(counts, causes, odd=twins + partly, followed=followed)
    if exit_code in {Exit.DONE, Exit.SOME_REJECTED}:
        causes = {cause: why for cause, why in causes.items() if cause not in _OF_WHAT_IS_LEFT}
    return Ending(
        run=run,
        exit=exit_code,
        seconds=0.0,
        counts=counts,
        pushes=await ledger.attempt_count(run.id),
        logins=0,
        targets=await ledger.target_count(run.id),
        causes=causes,
        twins=twins,
        partly=partly,
        followed=followed,
        repeats=await ledger.repeats(run.id),
        listed=await kept_line_counts(ledger, run),
        unverified=unverified,
    )


async def anything_open(ledger: Ledger, run: Run) -> bool:
    """Say whether numbers are to be pushed or settled, or documents to be followed or looked at."""
    counts = await ledger.counts(run.id)
    if counts.get(State.PLANNED) or numbers_in_doubt(counts):
        return True
    if await due_look(ledger, run.id) is not None:
        return True  # what was refused is looked at once more
    followed = await followed_of(ledger, run)
    return bool(followed.left or followed.unknown or followed.waiting or followed.unnamed)


async def end_settled(ledger: Ledger, run: RunId, at: datetime) -> None:
    """Write down how a run ended of which another one, or a person, has settled the last doubt.

    It had ended with that doubt, nothing else is left, and nobody executes it any more.
    """
    ended = await ledger.run(run)
    if ended is None or ended.exit != Exit.SOME_UNKNOWN or await anything_open(ledger, ended):
        return
    odd = await ledger.twins(run) + await ledger.partly(run)
    followed = await followed_of(ledger, ended)
    exit_code = exit_of(await ledger.counts(run), (), odd=odd, followed=followed)
    await ledger.end_run(run, exit_code, at)


async def anything_to_settle(ledger: Ledger, run: RunId) -> bool:
    """Say whether the ERP is to be asked about numbers, or about steps, of a run."""
    if numbers_in_doubt(await ledger.counts(run)):
        return True
    if await due_look(ledger, run) is not None:
        return True
    return bool((await ledger.document_counts(run)).get(Follow.UNKNOWN))


# Nothing was begun that could be resumed; a form or field that is refused is a wrong setting.
# A ledger that cannot be had before anything is sent is a matter of the settings.
_EXITS_OF_LOOKS = {**_OF_CAUSE, Cause.LOOK_REFUSED: Exit.USAGE, Cause.LEDGER_LOST: Exit.USAGE}


def exit_of_looks(stop: Stop) -> Exit:
    """Return the exit code for what has stopped a command that only looks."""
    return max(_EXITS_OF_LOOKS.get(cause, Exit.STOPPED) for cause in stop.causes)
