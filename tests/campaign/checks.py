"""What must be true when a story has been played to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from k3push.core.model import TWIN, BillNumber, Row, RunId, State, Target, number_in
from k3push.core.remark import read_remark
from k3push.core.safety.conclusion import CONTRADICTION, made_outcome
from k3push.core.safety.legal_moves import FINAL
from k3push.runs.proof.unclear_documents import CANCELLED_SINCE, SHARED
from k3push.simulator import Channel, Policy, check_ledger
from k3push.simulator.books.bills import APPROVED
from k3push.simulator.books.forms import PURCHASE_ORDER
from k3push.simulator.books.history import Maker
from k3push.simulator.fault_plans.faults import Ending
from k3push.simulator.fault_plans.script import Does
from tests.campaign.conditions import (
    Breaks,
    HasRival,
    IsGuarded,
    IsUntied,
    LacksLinks,
    Lags,
    ReadsFail,
    SavesApart,
    Sees,
)
from tests.campaign.events import (
    Alters,
    Bears,
    Exchanges,
    HasWindow,
    IsAltered,
    IsGone,
    IsLockedOut,
    IsPushed,
    IsRenumbered,
    Joins,
    MadeAnew,
    MendsField,
    Plans,
    Refuses,
    Reloads,
    Stands,
    WasMade,
)
from tests.campaign.lateness import check_noticed, late_targets, worked_out_s
from tests.campaign.queueing import PushQueue
from tests.campaign.scene import Scene
from tests.campaign.steps_after import Follows, HasHand, check_steps
from tests.runs.office import NOON

# The machine's clock goes on between two statements, and what has passed does not.
CLOCK_AHEAD_S = 1.0
# The code of a planned row that another run has in doubt.
HELD = "held"

MADE_BY = ": made by "
"""What the finding of a bill that was pushed twice says."""


def _is_anothers(row: Row) -> bool:
    """Say whether a row leaves its bill to another run, whose call may have made a document."""
    told = read_remark(row.reason)
    return row.state is State.PLANNED and told is not None and told[0] == "note.stray_of"


async def check(scene: Scene) -> list[str]:
    """List what is wrong."""
    scene.site.finish()
    rows = {run: _by_number(scene, await scene.office.rows(run)) for run in scene.lists}
    window_s = scene.times.settle.window_s
    # What was in doubt of the bill that had a number before is none of that which has it now.
    moved = tuple(f"{number}: sent " for number in scene.story.exchanged)
    sendings = [f for f in scene.witness.check_sendings(window_s) if not f.startswith(moved)]
    # Where nobody can look, nothing is sent again.
    # A person is misled by what comes late, and so are looks by what somebody else has made; what a
    # clerk pushes, submits or audits meanwhile passes for a sign of how far the ERP has come.
    queue = scene.witness.queue
    beside = queue is not None and not queue.habits.fits and _has_clerk(scene, queue)
    misled = scene.story.is_unasked or scene.story.has(HasRival) or beside
    queue = None if misled else queue
    waits = queue.findings if queue else []
    if scene.story.has(HasHand) or scene.repeats:
        # A person may have taken the step while k3push's call for it waits; or a bill has documents
        # of two runs, and each is followed.
        waits = [finding for finding in waits if not finding.startswith("a step, ")]
    findings = [*scene.witness.findings, *waits, *sendings]
    bills = {row.bill for each in rows.values() for row in each.values()}
    late = late_targets(scene, bills)
    each_row = [(run, row) for run, each in rows.items() for row in each.values()]
    # Nothing is known of what a contradiction keeps from being looked at.
    stand = {run for run, row in each_row if row.code == CONTRADICTION}
    looked_at = [
        (r, row._replace(state=State.UNKNOWN) if r in stand and row.state is State.PLANNED else row)
        for r, row in each_row
    ]
    findings += _check_rows(scene, looked_at, late)
    findings += check_noticed(scene, rows, late)
    findings += _check_renumbered(scene, each_row, late)
    findings += _check_exchanged(scene, each_row, late)
    findings += _check_sent(scene)
    findings += _check_windows(scene)
    if scene.story.has(Follows) and not scene.story.has(Exchanges) and not scene.story.is_dim:
        findings += await check_steps(scene.office.store, scene.world, rows, window_s)
    for run in scene.lists:
        repeats = await scene.office.store.repeats(run)
        told = sorted([*rows[run], *(repeat.number for repeat in repeats)])
        if told != sorted(scene.lines(run)):
            findings.append(f"{run}: rows and repeats are {told}")
        left = await scene.rows_left(run, FINAL)
        findings += [
            f"{number}: left `{row.state}`" for number, row in left.items() if not _is_anothers(row)
        ]
        findings += _check_reasons(scene, run, rows[run], late)
        if scene.routes[run].source_number_field:
            findings += await _check_rivals(scene, rows[run])
    # Nobody can tell what a person makes as the user who sends.
    strange = tuple(f"document {id_}:" for id_ in (*_made_as_ours(scene), *_moved(scene)))
    return [finding for finding in findings if not finding.startswith(strange)]


def _has_clerk(scene: Scene, queue: PushQueue) -> bool:
    """Say whether somebody does by hand what k3push's calls in a queue are to do."""
    by_steps = queue.habits.steps_s > 0 and scene.story.has(HasHand)
    return by_steps or scene.story.has(IsPushed)


def _seen_too_well(scene: Scene, rows: Iterable[Row]) -> list[BillNumber]:
    """Return bills whose rows may name more than they should, for what fields did not tell.

    The field of the settings was wrong, and did not show what was there before; or the site forgot
    for a while which documents are cancelled.
    """
    story = scene.story
    forgot = any("FCancelStatus" in event.fields for event in story.all_of(Reloads))
    cancelled = {e.number for e in story.all_of(Bears) if e.what is Stands.CANCELLED and forgot}
    return [
        row.bill
        for row in rows
        if row.bill in cancelled or (story.has(MendsField) and scene.made_by_others(row.bill))
    ]


def _by_number(scene: Scene, rows: Mapping[str, Row]) -> dict[str, Row]:
    """Call bills that got other numbers by these alone: no bill may be found, or one by its id."""
    as_one = scene.world.collation
    touched = set(map(as_one, scene.story.touched))
    return {
        number: row._replace(bill=number_in(row.bill or row.number))
        if as_one(number_in(row.number)) in touched
        else row
        for number, row in rows.items()
    }


def _check_rows(
    scene: Scene, of_runs: Sequence[tuple[RunId, Row]], late: Mapping[str, Collection[int]]
) -> list[str]:
    """Compare rows with the books; where each of two runs may push a bill, run by run."""
    found = _check_ledger(scene, of_runs, late)
    if not scene.repeats:
        return found
    found = [finding for finding in found if _is_of_document(finding)]
    makings = [m for _, row in of_runs for m in scene.world.makings_of(row.bill)]
    runs = {making.target.id: scene.run_of(making) for making in makings}
    for run in scene.lists:
        # A person cannot tell what each of them has made.
        mine = [
            (of, row._replace(state=State.UNKNOWN) if row.code == "person" else row)
            for of, row in of_runs
            if of == run
        ]
        others = {id_ for id_, of in runs.items() if of not in {run, None}}
        of_run = _check_ledger(scene, mine, late, but=others)
        found += [finding for finding in of_run if not _is_of_document(finding)]
    return found


def _is_of_document(finding: str) -> bool:
    return finding.startswith("document ")


def _check_ledger(
    scene: Scene,
    of_runs: Sequence[tuple[RunId, Row]],
    late: Mapping[str, Collection[int]],
    *,
    but: Collection[int] = (),
) -> list[str]:
    """Compare rows with the books, save those that tell less by right.

    Args:
        scene: Where it was played.
        of_runs: All rows of all runs, or those of one.
        late: Targets that came after the window of their call, by number.
        but: Targets that are nothing to these rows, by id.
    """
    # Who cannot ask for what others made is refused for it by the ERP.
    blind = {run for run, route in scene.routes.items() if not route.source_number_field}
    unmade = {State.REJECTED, State.PLANNED}
    as_one = scene.world.collation
    # What a rival has made is nothing of ours where a part may be left, or more is asked for.
    frame = scene.story.frame
    rivals_count = scene.story.has(Lags) or frame.partial or frame.again
    guards = (IsGuarded, HasRival) if rivals_count else IsGuarded
    unasked = {e.number for e in scene.story.happenings if isinstance(e, guards)}
    guarded = set(map(as_one, unasked | scene.story.touched))

    def is_excused(run: RunId, number: str) -> bool:
        """Say whether a row may deny what others have made."""
        unseen = run in blind or as_one(number) in guarded
        return bool(scene.hidden(number)) or (unseen and scene.made_by_others(number))

    rows = [
        # It says nothing by right, as where another run has the bill in hand, and there it is.
        row._replace(state=State.UNKNOWN)
        if _is_anothers(row) or (row.state in unmade and is_excused(run, row.bill or row.number))
        else row
        for run, row in of_runs
    ]
    made = {row.bill for row in rows if row.state in {State.PUSHED, State.DRAFT}}
    # What a user who was made anew has made bears another maker than is known.
    anew = {row.bill for row in rows if row.state is State.ALREADY and scene.story.has(MadeAnew)}
    # What the other run has sent last, and has in doubt for ever, waits for it.
    waits = {row.bill for row in rows if row.state is State.UNKNOWN}
    sent_last = {
        number: kept.attempt.intent.run
        for kept in scene.attempts
        for number in kept.attempt.intent.numbers
    }
    rows = [
        row._replace(state=State.UNKNOWN)
        if row.state is State.PLANNED and sent_last.get(row.bill) != run and row.bill in waits
        else row
        for (run, _), row in zip(of_runs, rows, strict=True)
    ]
    # One run may be refused a bill that the other has pushed since.
    fair = [row for row in rows if row.state is not State.REJECTED or row.bill not in made | anew]
    # A person may have deleted or cancelled what a row has met.
    gone = _undone(scene)
    fair = [
        row._replace(state=State.UNKNOWN)
        if row.state is State.ALREADY and as_one(row.bill) in gone
        else row
        for row in fair
    ]
    # Nor what the other run has pushed again, once it was gone.
    times = Counter(row.bill for _, row in of_runs)
    living = {
        str(making.target.id)
        for bill in times
        for making in scene.world.makings_of(bill)
        if making.target.living
    }
    fair = [
        row._replace(state=State.UNKNOWN)
        if row.state is State.PUSHED
        and times[row.bill] > 1
        and living.isdisjoint(target.id for target in row.targets)
        else row
        for row in fair
    ]
    # One run may have met what was there before, and the other may have pushed all the same. And
    # where nothing is left of a bill that is closed, what was there before is told.
    fair = [
        row
        for row in fair
        if row.state is not State.ALREADY
        or not (frame.partial or (row.bill in made and scene.made_by_others(row.bill)))
    ]
    told = [
        {
            "number": row.bill or row.number,
            "state": str(row.state),
            "targets": [target.number for target in row.targets if target.number],
            "target_ids": [target.id for target in row.targets],
        }
        for row in (_with_targets(scene, row, late=_saved_since(scene, row)) for row in fair)
    ]
    since = scene.by_hand if frame.partial or frame.again else 0
    already = _follows_already(scene)
    found = check_ledger(told, scene.world, since=since, but=but, follows_already=already)
    for number in {*late, *(row.bill for row in rows if scene.hidden(row.bill))}:
        mine = [row for row in told if row["number"] == number]
        unseen = {*late.get(number, ()), *(target.id for target in scene.hidden(number)), *but}
        found = [finding for finding in found if not finding.startswith(f"{number}:")]
        found += _check_all_but(scene, number, mine, unseen, since=since)
    # After a lost answer nobody can tell what a rival has made from what is yet to be saved.
    rivals = {event.number for event in scene.story.all_of(HasRival)} | scene.story.touched
    untold = frame.policy is Policy.MERGE_LINES and scene.story.has(LacksLinks)
    unsure = [f"{n}:" for n in rivals if scene.witness.takes_s(n) >= 1 or untold]
    too_well = tuple(f"{bill}:" for bill in _seen_too_well(scene, rows))
    aside = scene.witness.turned_away or scene.story.has(IsLockedOut, IsGone)
    reads_fail = scene.story.all_of(ReadsFail)
    aside = aside or any(f.ending is Ending.NO_PERMISSION for e in reads_fail for f in e.faults)
    if scene.story.has(Sees) and aside:
        # What a user who is set aside, or may not read, has made is seen by nobody else.
        unsure += [f"{row.bill}:" for row in rows if scene.made_by_others(row.bill)]
    # Where links find others, none of these is sent again.
    of_whom = tuple(f"{number}:" for number in _not_told_apart(scene))
    kept = scene.story.has(LacksLinks) or scene.story.is_blind
    too_well += () if kept else of_whom
    found = [each for each in found if MADE_BY in each or not each.startswith(too_well)]
    unsure += of_whom if kept else ()
    # The books keep what was made of a bill under the number that it had then, and what is made of
    # another bill that has got its number since, by the same push.
    shared = {e.number for e in scene.story.all_of(IsAltered) if e.what is Alters.SHARES}
    moved = set(map(as_one, scene.story.renumbered | scene.story.exchanged | shared))
    return [
        finding
        for finding in found
        if not finding.startswith(tuple(unsure)) and as_one(finding.partition(":")[0]) not in moved
    ]


def _check_renumbered(
    scene: Scene, of_runs: Sequence[tuple[RunId, Row]], late: Mapping[str, Collection[int]]
) -> Iterator[str]:
    """Find bills under two numbers that were pushed twice, and rows that deny what was made."""
    repeats = scene.story.frame.partial or scene.story.frame.again
    for event in scene.story.all_of(IsRenumbered):
        numbers = (event.number, event.to)
        ours = [
            making
            for making in scene.world.makings_of(event.number)
            if making.maker is Maker.CLIENT
            and making.push > scene.by_hand
            and making.target.living
            and not any(making.target.id in late.get(number, ()) for number in numbers)
        ]
        # Another bill may have got the number since.
        pushes = {(making.source.id, making.push) for making in ours}
        if len(pushes) > len({source for source, _ in pushes}) and not repeats:
            yield f"{event.number}: pushed again as {event.to}"
        runs = scene.witness.sent_by(event.number) | scene.witness.sent_by(event.to)
        rows = [(run, row) for run, row in of_runs if row.bill in numbers]
        is_told = any(row.state not in {State.REJECTED, State.PLANNED} for _, row in rows)
        for run, row in rows:
            if ours and not is_told and runs <= {run}:
                yield f"{row.number}: {row.state} as {row.code}, and a document was made"


def _check_exchanged(
    scene: Scene, of_runs: Sequence[tuple[RunId, Row]], late: Mapping[str, Collection[int]]
) -> Iterator[str]:
    """Find bills that were pushed twice, by two numbers, and documents that no row or two tell."""
    frame, story = scene.story.frame, scene.story
    if frame.partial or frame.again or story.has(LacksLinks) or story.is_blind:
        return  # a document tells only the number that its bill had as it was made
    rows = [row for _, row in of_runs if row.state in {State.PUSHED, State.DRAFT}]
    told = Counter(target.id for row in rows for target in row.targets)
    for event in story.all_of(Exchanges):
        if scene.changed_hands(event):
            continue
        store = scene.world.store
        bills = [b for n in (event.one, event.other) for b in store.by_number(PURCHASE_ORDER, n)]
        for bill in bills:
            ours = [
                making
                for making in scene.world.makings_from(bill)
                if making.maker is Maker.CLIENT
                and making.push > scene.by_hand
                and making.target.living
                and making.target.id not in {*late.get(event.one, ()), *late.get(event.other, ())}
            ]
            if len({making.push for making in ours}) > 1:
                yield f"bill {bill.id}: pushed as {event.one} and as {event.other}"
            if frame.policy not in {Policy.MERGE, Policy.MERGE_LINES}:
                twice = [m.target.id for m in ours if told[str(m.target.id)] > 1]
                yield from (f"bill {bill.id}: two rows name document {id_}" for id_ in twice)


def _made_as_ours(scene: Scene) -> list[int]:
    """Return what people have made beside a run, as one of the users who push."""
    before = [e.number for e in scene.story.all_of(WasMade)]
    # What a user who is set aside has made is seen by nobody else, and a wrong field shows nothing.
    aside = scene.witness.turned_away or scene.story.has(IsLockedOut, IsGone)
    is_hidden = (scene.story.has(Sees) and aside) or scene.story.has(MendsField)
    hidden = before if is_hidden else []
    return [
        making.target.id
        for number in {*scene.story.touched, *hidden}
        for making in scene.world.makings_of(number)
        if making.maker is Maker.PERSON and making.target.creator in scene.story.users
    ]


def _moved(scene: Scene) -> list[int]:
    """Return what was made of bills that exchange numbers: the books name it by another's."""
    exchanged = scene.story.exchanged
    bills = [b for n in exchanged for b in scene.world.store.by_number(PURCHASE_ORDER, n)]
    return [m.target.id for bill in bills for m in scene.world.makings_from(bill)]


def _follows_already(scene: Scene) -> bool:
    return any(event.already for event in scene.story.all_of(Follows))


def _check_all_but(
    scene: Scene,
    number: str,
    told: Sequence[Mapping[str, Any]],
    unseen: AbstractSet[int],
    *,
    since: int,
) -> Iterator[str]:
    """Compare the rows of a number with the books; they need not tell of what nobody could see."""
    for row in told:
        named = {int(target) for target in row["target_ids"]}
        found = check_ledger(
            [row],
            scene.world,
            since=since,
            but=unseen - named,
            follows_already=_follows_already(scene),
        )
        yield from (f for f in found if f.startswith(f"{number}:") and ": made by " not in f)
    found = check_ledger(told, scene.world, since=since, but=unseen)
    yield from (f for f in found if f.startswith(f"{number}:") and ": made by " in f)


def _saved_since(scene: Scene, row: Row) -> tuple[Target, ...]:
    """Return what another call has saved of a bill after this row found a part of it."""
    apart_s = max((event.seconds for event in scene.story.all_of(SavesApart)), default=0.0)
    plans = scene.story.all_of(Plans)
    if not apart_s or row.state is not State.ALREADY or row.settled_at is None:
        return ()
    asked_s = (row.settled_at - NOON).total_seconds() - 2 * scene.story.frame.latency_s
    # A plan has found it before it was applied.
    asked_s -= max((event.later_s + (event.again_s or 0) for event in plans), default=0.0)
    return tuple(
        Target(str(making.target.id), making.target.number)
        for making in scene.world.makings_of(row.bill)
        if making.target.living
        and worked_out_s(making.target, scene.story.away) + apart_s > asked_s
        and all(target.id != str(making.target.id) for target in row.targets)
    )


def _with_targets(scene: Scene, row: Row, late: Sequence[Target] = ()) -> Row:
    """Add to a person's word, that there are targets, which they are; and what came later.

    And where a row asks of which bill some documents are, what it asks about.
    """
    bills = scene.documents_of(row.bill) or list(scene.world.documents_of(row.bill))
    asks = read_remark(row.reason) if row.code == TWIN else None
    asked = str(asks[1].get("documents", "")) if asks and asks[0] == "note.whose" else ""
    unclear = [Target(str(b.id), b.number) for b in bills if b.number and b.number in asked]
    row = row._replace(targets=tuple(dict.fromkeys([*row.targets, *late, *unclear])))
    by_word = row.code == "person" and row.state is State.PUSHED
    by_ledger = row.code in {"ledger", "unshown"} and row.state is State.ALREADY and not row.targets
    if not (by_word or by_ledger) or not bills:
        return row
    targets = [Target(str(bill.id), bill.number, not bill.number) for bill in bills]
    told = made_outcome(row.bill, targets)
    state = State.ALREADY if by_ledger else told.state
    return row._replace(state=state, targets=told.targets)


def _check_sent(scene: Scene) -> Iterator[str]:
    """Find pushes beyond those written down, and bills that the route does not send."""
    pushes, attempts = scene.site.calls[Channel.PUSH], len(scene.attempts)
    if pushes > attempts:
        yield f"{pushes} pushes, and {attempts} attempts in the ledger"
    sent = {number for seen in scene.witness.pushes for number in seen.numbers}
    sent -= scene.story.touched
    # What no field tells for a while, the ERP alone can refuse.
    untold = {name for event in scene.story.all_of(Reloads) for name in event.fields}
    if not scene.story.frame.sends_blocked:
        yield from (
            f"{n}: blocked, and sent" for n in sorted(sent) if _is_blocked(scene, n, untold)
        )


def _check_windows(scene: Scene) -> Iterator[str]:
    """Find attempts that began at a time of the day at which nothing may leave."""
    for window in scene.story.all_of(HasWindow):
        for kept in scene.attempts:
            at_s = kept.attempt.intent.uptime.seconds
            if not window.is_open(at_s) and not window.is_open(at_s + CLOCK_AHEAD_S):
                yield f"attempt {kept.attempt.id} began at {at_s:g} s, outside {window.text}"


async def _check_rivals(scene: Scene, rows: Mapping[str, Row]) -> list[str]:
    """Find numbers that somebody else has pushed beside us, and whose rows do not say so.

    The answer to our push has named all that it made, since it was a success: it saved something
    of each of its numbers, and nobody was in doubt of it since.
    """
    if scene.story.is_dim or scene.story.frame.style.old or scene.story.has(Lags):
        return []
    silent = []
    for event in scene.story.all_of(HasRival):
        row = rows.get(event.number)
        if row is None or row.state is not State.PUSHED or row.code == TWIN:
            continue
        carried = scene.witness.plainly_answered(row.bill, event.rival.nth)
        if (
            carried
            and all(map(scene.savers, carried))
            and scene.savers(row.bill) == {Maker.CLIENT, Maker.OTHER}
            and frozenset.intersection(*map(scene.pushes_of, carried))
            and not await scene.office.store.notes_of(row.bill)
        ):
            silent.append(f"{row.number}: somebody else has pushed it too, and its row is silent")
    return silent


def _check_reasons(
    scene: Scene, run: RunId, rows: Mapping[str, Row], late: Collection[str]
) -> Iterator[str]:
    """Find numbers that are rejected, or found to be there already, without cause."""
    codes = not scene.story.frame.style.old
    borne = {event.number for event in scene.story.all_of(Bears)}
    borne |= {event.bears for event in scene.story.all_of(IsUntied)}
    bearers = set(map(scene.world.collation, borne)) | _carried_beside_untied(scene)
    unsure = set(map(scene.world.collation, _not_told_apart(scene)))
    moving = set(map(scene.world.collation, scene.story.renumbered | scene.story.deleted))
    for number, row in rows.items():
        if scene.world.collation(row.bill or row.number) in unsure:
            continue
        # A user who looks late may be the first to see what bears the number.
        told = row.code in {SHARED, CANCELLED_SINCE}
        # So does what a person has called unsent beside documents that nobody could read.
        may_bear = scene.story.keeps_none or scene.spoken_of[row.bill]
        is_borne = told and (may_bear or scene.world.collation(row.bill) in bearers)
        if (
            row.state is State.REJECTED
            and row.bill not in late
            and not is_borne
            and _is_sound(scene, row.bill or row.number)
            and not scene.witness.may_be_rejected(row.bill, codes=codes)
            # What another run has taken of a bill is there no more.
            and not (scene.repeats and scene.made_from(row.bill))
        ):
            yield f"{number}: `rejected` without cause in {run}: {row.code} {row.reason}"
        others = scene.made_by_others(row.bill or row.number)
        ours = scene.witness.sent_by(row.bill) <= {run} and not others
        # What is rejected, made after its window, and tried again by a person, was there then.
        # What has got the number since may be what another row has pushed, and so may be what a
        # row meets that was never sent, whose number no bill has any more.
        # So is what a user has made who was made anew since: it bears another maker.
        moved = row.bill in scene.story.exchanged or scene.story.has(MadeAnew)
        moved = moved or (not row.attempts and scene.world.collation(row.bill) in moving)
        if row.state is State.ALREADY and ours and row.bill not in late and not moved:
            yield f"{number}: `already`, and nobody else made it"


def _carried_beside_untied(scene: Scene) -> set[str]:
    """Return bills whose calls carried one whose document bears another's number, or none.

    An answer of theirs names that document, and nobody knows of which of them it is.
    """
    untied = {event.number for event in scene.story.all_of(IsUntied)}
    calls = [{number_in(n) for n in kept.attempt.intent.numbers} for kept in scene.attempts]
    return {scene.world.collation(n) for numbers in calls if numbers & untied for n in numbers}


def _not_told_apart(scene: Scene) -> set[str]:
    """Return bills of which nobody can tell whose a document is: no answer gives it to one."""
    # Another run may look while an answer is on its way, or read back.
    beside = scene.story.has(Joins)
    # A refusal names no document that it has saved all the same.
    saved = {event.number for event in scene.story.all_of(Refuses) if event.refusal.saving}
    return {
        number
        for event in scene.story.all_of(IsUntied)
        if event.bears
        and (
            # It names one document of several.
            scene.story.frame.style.short
            or beside
            or event.number in saved
            or not scene.witness.tells_apart(event.number, event.bears)
        )
        for number in (event.number, event.bears)
    }


def _is_sound(scene: Scene, number: str) -> bool:
    """Say whether the ERP takes a number, and had made nothing from it before."""
    world, frame = scene.world, scene.story.frame
    refused = _refused(scene)
    touched = set(map(world.collation, scene.story.touched))
    spoilt = {
        world.collation(event.number)
        for event in scene.story.happenings
        if isinstance(event, Breaks | IsGuarded | HasRival)
        or (isinstance(event, IsUntied) and scene.witness.denies_work(event.number))
    }
    return (
        len(world.store.by_number(PURCHASE_ORDER, number)) == 1
        and world.collation(number) not in refused
        and not scene.made_by_others(number)
        and world.collation(number_in(BillNumber(number))) not in touched
        and world.collation(number) not in spoilt | _undone(scene)
        and (not _is_blocked(scene, number) or (frame.sends_blocked and frame.takes_blocked))
    )


def _refused(scene: Scene) -> set[str]:
    """Return the bills that the ERP refuses, for a while or always, as one spelling."""
    return {scene.world.collation(each.number) for each in scene.story.all_of(Refuses)}


def _undone(scene: Scene) -> set[str]:
    """Return the bills whose documents somebody has deleted or cancelled, as one spelling.

    So are those that share a document with one.
    """
    world, undo = scene.world, {Does.DELETE, Does.CANCEL}
    hands = [each.number for each in scene.story.all_of(HasHand) if each.hand.does in undo]
    gone = {making.target.id for number in hands for making in world.makings_of(number)}
    shared = [
        number
        for number in (world.numbers_with_documents() if gone else ())
        if any(making.target.id in gone for making in world.makings_of(number))
    ]
    return set(map(world.collation, [*hands, *shared]))


def _is_blocked(scene: Scene, number: str, untold: Collection[str] = ()) -> bool:
    bills = scene.world.store.by_number(PURCHASE_ORDER, number)
    return any(
        (bill.status != APPROVED and "FDocumentStatus" not in untold)
        or (bill.cancelled and "FCancelStatus" not in untold)
        or (bill.closed and not bill.used_up and "FCloseStatus" not in untold)
        for bill in bills
    )
