"""What must be true whenever an execution ends, whatever it came to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from k3push.core.model import PARTLY, TWIN, Row, State
from k3push.runs.documents.twins import MORE_THAN_ONE, MOST_TWINS, is_twin
from k3push.runs.kept_in_ledger.earlier_documents import not_looked_at
from k3push.runs.outcome import Exit, ending_of
from k3push.runs.stop import Cause
from k3push.simulator import OnRefusal
from k3push.simulator.fault_plans.faults import Ending
from tests.campaign.conditions import LacksLinks, MayNotRead
from tests.campaign.events import (
    Alters,
    Exchanges,
    IsAltered,
    IsBarred,
    IsDown,
    IsGone,
    IsLockedOut,
    IsRenumbered,
    Lacks,
    Reloads,
)
from tests.campaign.scene import Execution, Scene
from tests.campaign.steps_after import owed_of
from tests.runs.office import LIMITS

_DONE = frozenset({State.PUSHED, State.ALREADY})
_ODD = frozenset({TWIN, PARTLY})
_IN_DOUBT = frozenset({State.UNKNOWN, State.SENT})
_OF_READS = frozenset({Cause.UNREACHABLE, Cause.LOOK_FAILED})
# The word of a person or of a full disk, and what an answer says against a look.
_GRAVE = frozenset({Cause.LEDGER_LOST, Cause.CONTRADICTION})


async def check_execution(scene: Scene, execution: Execution) -> list[str]:
    """List what is wrong with how an execution ended."""
    return [
        *_check_states(execution),
        *_check_contradiction(scene, execution),
        *_check_patience(scene, execution),
        *_check_twins(execution),
        *await _check_exit(scene, execution),
    ]


def _check_states(execution: Execution) -> Iterator[str]:
    """Find rows that are left as if their call were open."""
    excused = execution.taken_over or Cause.LEDGER_LOST in execution.causes
    if execution.pushed.of(State.SENT) and not excused:
        yield f"{execution.run}: an execution that ended left rows `sent`"


def _check_contradiction(scene: Scene, execution: Execution) -> Iterator[str]:
    """Find an answer that passes for a contradiction where each document can be seen."""
    silent = scene.witness.dropped or scene.story.frame.on_refusal is OnRefusal.SILENT
    # What names a bill by the number that it has by now is tied to it by links alone.
    untied = scene.story.has(IsRenumbered, Exchanges) and scene.story.has(LacksLinks)
    # A call by number makes something of a bill that has got the number since, and names it.
    shares = any(event.what is Alters.SHARES for event in scene.story.all_of(IsAltered))
    moved = any(map(scene.changed_hands, scene.story.all_of(Exchanges)))
    unseen = silent or untied or shares or moved or scene.story.is_dim or scene.story.is_unasked
    if Cause.CONTRADICTION in execution.causes and not unseen:
        why = execution.pushed.stop.causes[Cause.CONTRADICTION]
        yield f"a contradiction that is none: {why}"


def _check_patience(scene: Scene, execution: Execution) -> Iterator[str]:
    """Find an execution that gave up after fewer failures than any look or login is tried."""
    failures = scene.witness.met_since(execution.began_s)
    causes = set(_OF_READS)
    if all(met.ending is not Ending.NO_PERMISSION for met in failures):
        causes.add(Cause.LOOK_REFUSED)
    # A bill that is renumbered or deleted between two pages spoils their look.
    moves = scene.story.has(IsRenumbered, Exchanges) or bool(scene.story.deleted)
    more = moves or scene.story.has(IsDown, IsLockedOut, IsGone, MayNotRead, IsBarred)
    # An old server says of a field that it lacks what it says of a query that failed.
    more = more or (scene.story.has(Lacks) and scene.story.frame.style.old)
    # A field that an execution finds nowhere at first may be a slip in the settings.
    more = more or scene.story.has(Reloads)
    # Tasks that share a session of few calls use it up for each other, right before a push leaves.
    more = more or any("note.session_gone" in why for why in execution.pushed.stop.causes.values())
    # Once a stop is asked, nothing is tried again.
    first = next(iter(execution.causes), None)
    if first in causes and len(failures) < LIMITS.max_attempts and not more:
        why = "; ".join(f"{cause}: {why}" for cause, why in execution.pushed.stop.causes.items())
        yield f"{execution.run}: {len(failures)} failures ended an execution: {why}"


def _check_twins(execution: Execution) -> Iterator[str]:
    """Find an execution that goes on though others push the same bills."""
    told = [o for _, outcomes, _ in execution.pushed.watch.sendings for o in outcomes]
    # Where few bills are known, two documents may be of a rule that splits.
    told = [outcome for outcome in told if MORE_THAN_ONE not in outcome.reason]
    twins = sum(map(is_twin, told))
    if twins >= MOST_TWINS and Cause.TWINS not in execution.causes:
        yield f"{execution.run}: {twins} numbers were pushed by others too, and nothing stopped"


async def _check_exit(scene: Scene, execution: Execution) -> list[str]:
    """Find an exit code that says other than the rows."""
    run, causes = execution.run, execution.pushed.stop.causes
    ledger = scene.ledger.another_process()
    opened = await ledger.run(run)
    assert opened is not None
    before = await ledger.rows(run, limit=100_000)
    ending = await ending_of(ledger, opened, causes, unverified=False)
    rows = await ledger.rows(run, limit=100_000)
    if rows != before:
        return []  # somebody else is at work
    documents = {each.id: each for each in await ledger.documents(run, limit=100_000)}
    in_doubt, left, for_person = owed_of(rows, documents, opened.route.follow)
    # What was there before, and was submitted by others, leaves no trace but this.
    left = left or bool(opened.route.follow and await not_looked_at(ledger, opened))
    owed = _exit_owed(rows, set(causes), (in_doubt, left, for_person))
    told = f"{run}: ends with {ending.exit.name}, and its rows say {owed.name}"
    return [] if ending.exit is owed else [told]


def _exit_owed(
    rows: Collection[Row], causes: Collection[Cause], documents: tuple[bool, bool, bool]
) -> Exit:
    """Say what README promises: the first of 6, 4, 5 and 3 that applies."""
    in_doubt, left, for_person = documents
    states = {row.state for row in rows}
    if {*_OF_READS, Cause.LOGIN_REFUSED} & set(causes):
        return Exit.UNREACHABLE
    if states & _IN_DOUBT or in_doubt:
        return Exit.SOME_UNKNOWN
    if State.PLANNED in states or left or _GRAVE & set(causes):
        return Exit.STOPPED
    if states <= _DONE and not for_person and not any(row.code in _ODD for row in rows):
        return Exit.DONE
    return Exit.SOME_REJECTED
