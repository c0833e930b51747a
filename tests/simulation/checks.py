"""What must be true when a story has been played to its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from k3push.core.evidence import made_outcome
from k3push.core.life import FINAL
from k3push.core.model import Row, RunId, State, Target
from k3push.simulator import Channel, audit
from k3push.simulator.bills import APPROVED
from k3push.simulator.forms import PURCHASE_ORDER
from tests.pushing.office import SETTLE
from tests.simulation.scene import Scene
from tests.simulation.story import Refuses


async def check(scene: Scene) -> list[str]:
    """List what is wrong."""
    scene.site.finish()
    rows = {run: await scene.office.rows(run) for run in scene.lists}
    findings = [*scene.witness.findings, *scene.witness.check_sendings(SETTLE.window_s)]
    findings += _audit(scene, [row for each in rows.values() for row in each.values()])
    findings += _check_sent(scene)
    for run in scene.lists:
        repeats = await scene.office.store.repeats(run)
        told = sorted([*rows[run], *(repeat.number for repeat in repeats)])
        if told != sorted(scene.lists[run]):
            findings.append(f"{run}: rows and repeats are {told}")
        left = await scene.rows_left(run, FINAL)
        findings += [f"{number}: left `{row.state}`" for number, row in left.items()]
        findings += _check_reasons(scene, run, rows[run])
    return findings


def _audit(scene: Scene, rows: Iterable[Row]) -> list[str]:
    """Compare rows with the books, save those that tell less by right."""
    rows = list(rows)
    made = {row.bill for row in rows if row.state in {State.PUSHED, State.DRAFT}}
    # One run may be refused a bill that the other has pushed since.
    fair = [row for row in rows if row.state is not State.REJECTED or row.bill not in made]
    told = [
        {
            "number": row.bill or row.number,
            "state": str(row.state),
            "targets": [target.number for target in row.targets if target.number],
            "target_ids": [target.id for target in row.targets],
        }
        for row in (_with_targets(scene, row) for row in fair)
    ]
    frame = scene.story.frame
    repeats_pushes = frame.partial or frame.again
    return audit(told, scene.world, since=scene.by_hand if repeats_pushes else 0)


def _with_targets(scene: Scene, row: Row) -> Row:
    """Add to a person's word, that there are targets, which they are."""
    bills = scene.world.documents_of(row.bill)
    if row.code != "person" or row.state is not State.PUSHED or not bills:
        return row
    targets = [Target(str(bill.id), bill.number, not bill.number) for bill in bills]
    told = made_outcome(row.bill, targets)
    return row._replace(state=told.state, targets=told.targets)


def _check_sent(scene: Scene) -> Iterator[str]:
    """Find pushes beyond those written down, and bills that the route does not send."""
    pushes, attempts = scene.site.calls[Channel.PUSH], len(scene.ledger.attempts)
    if pushes > attempts:
        yield f"{pushes} pushes, and {attempts} attempts in the ledger"
    sent = {number for seen in scene.witness.pushes for number in seen.numbers}
    if not scene.story.frame.sends_blocked:
        yield from (f"{n}: blocked, and sent" for n in sorted(sent) if _is_blocked(scene, n))


def _check_reasons(scene: Scene, run: RunId, rows: Mapping[str, Row]) -> Iterator[str]:
    """Find numbers that are rejected, or found to be there already, without cause."""
    codes = not scene.story.frame.style.old
    for number, row in rows.items():
        if (
            row.state is State.REJECTED
            and _is_sound(scene, row.bill or number)
            and not scene.witness.may_be_rejected(row.bill, codes=codes)
        ):
            yield f"{number}: `rejected` without cause in {run}: {row.code} {row.reason}"
        if row.state is State.ALREADY and len(scene.lists) == 1 and not scene.made_before(row.bill):
            yield f"{number}: `already`, and nobody else made it"


def _is_sound(scene: Scene, number: str) -> bool:
    """Say whether the ERP takes a number, and had made nothing from it before."""
    world, frame = scene.world, scene.story.frame
    refused = {
        world.collation(event.number)
        for event in scene.story.happenings
        if isinstance(event, Refuses)
    }
    return (
        len(world.store.by_number(PURCHASE_ORDER, number)) == 1
        and world.collation(number) not in refused
        and not scene.made_before(number)
        and (not _is_blocked(scene, number) or (frame.sends_blocked and frame.takes_blocked))
    )


def _is_blocked(scene: Scene, number: str) -> bool:
    bills = scene.world.store.by_number(PURCHASE_ORDER, number)
    return any(bill.status != APPROVED or bill.closed or bill.cancelled for bill in bills)
