"""What a ledger knows of documents: made by other runs, by a user, twice, or found later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import PARTLY, TWIN, Outcome, RunId, State, Target
from k3push.core.safety.legal_moves import AMENDABLE, IllegalMoveError
from k3push.ports import Doubt, Ledger, Made
from tests.adapters.ledger.samples import (
    ANSWER,
    NOON,
    UPTIME,
    a_run,
    id_of,
    identified,
    intent,
    later,
    lines,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)

pytestmark = pytest.mark.anyio

A, B, C, D = numbers("A B C D")
OTHER_FORM = "s|po|out"
SCOPE = a_run().scope


def target(name: str) -> Target:
    """Return the document that `outcomes` names."""
    return Target(f"id-{name}", f"CGRK-{name}")


async def listed(ledger: Ledger, text: str, name: str, seconds: float) -> RunId:
    """Open a later run with identified rows."""
    run = a_run(name, at=later(seconds))
    await ledger.open_run(run)
    await ledger.add(run.id, lines(text))
    await ledger.identify(run.id, identified({number: number for number in numbers(text)}))
    return run.id


# -- made_of ----------------------------------------------------------------------------------


async def test_what_another_run_has_made_of_a_bill_is_told(ledger: Ledger, other: Ledger) -> None:
    """A route that cannot ask the ERP would make it again."""
    first = await planned(ledger, "A B C D")
    await pushed(ledger, first, "A")
    await pushed(ledger, first, "B", State.DRAFT)
    await pushed(ledger, first, "C", State.REJECTED)
    second = await planned(other, "A B C D", "r2")
    assert await other.made_of(second, dict.fromkeys([A, B, C, D], "")) == {
        A: Made(first, A, State.PUSHED, (target("A"),)),
        B: Made(first, B, State.DRAFT, (Target("id-B", ""),)),
    }
    assert await other.made_of(second, dict.fromkeys([B], "")) == {
        B: Made(first, B, State.DRAFT, (Target("id-B", ""),))
    }
    assert await other.made_of(second, dict.fromkeys([], "")) == {}


async def test_what_a_run_has_made_itself_is_not_told(ledger: Ledger) -> None:
    """Its own rows it knows."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    assert await ledger.made_of(run, dict.fromkeys([A], "")) == {}


async def test_what_was_made_into_another_form_is_not_told(ledger: Ledger) -> None:
    """One order may have a receipt and an invoice."""
    first = await planned(ledger, "A", scope=OTHER_FORM)
    await pushed(ledger, first, "A")
    second = await planned(ledger, "A", "r2")
    assert await ledger.made_of(second, dict.fromkeys([A], "")) == {}


async def test_the_latest_run_tells_of_a_bill(ledger: Ledger) -> None:
    """It was sent again because the earlier document was cancelled, say."""
    for name, seconds in (("b", 2), ("c", 0), ("a", 1)):
        run = await listed(ledger, "A", name, seconds)
        await pushed(ledger, run, "A")
    run = await listed(ledger, "A", "d", 3)
    assert (await ledger.made_of(run, dict.fromkeys([A], "")))[A].run == "b"


async def test_a_word_of_a_person_names_no_document(ledger: Ledger) -> None:
    """It is an outcome all the same, and nothing is sent again."""
    first = await planned(ledger, "A")
    await pushed(ledger, first, "A", State.UNKNOWN)
    await ledger.conclude(first, [Outcome(A, State.PUSHED)], at=later(2), note="a person")
    second = await planned(ledger, "A", "r2")
    assert await ledger.made_of(second, dict.fromkeys([A], "")) == {A: Made(first, A, State.PUSHED)}
    assert await ledger.made_by(second) == []


async def test_what_the_runs_of_a_scope_have_made_is_told_without_a_run(ledger: Ledger) -> None:
    """A plan has none yet; of two bills of one number each is told its own."""
    first = await planned(ledger, "A B C")
    await pushed(ledger, first, "A")
    await pushed(ledger, first, "B", State.REJECTED)
    wanted = {A: "", B: "", C: "", D: ""}
    made = Made(first, A, State.PUSHED, (target("A"),))
    assert await ledger.made_in(SCOPE, wanted) == {A: made}
    assert await ledger.made_in(OTHER_FORM, wanted) == {}
    assert await ledger.made_in("another|po|in", wanted) == {}
    assert await ledger.made_in(SCOPE, {}) == {}


async def test_what_was_found_made_is_told_where_it_is_asked_for(ledger: Ledger) -> None:
    """A selection passes over both; a push asks what this ledger itself has made."""
    run = await planned(ledger, "A B")
    found = Outcome(A, State.ALREADY, (target("A"),))
    await ledger.conclude(run, [found], at=later(1), note="there")
    assert await ledger.made_in(SCOPE, {A: "", B: ""}) == {}
    told = {A: Made(run, A, State.ALREADY, (target("A"),))}
    assert await ledger.made_in(SCOPE, {A: "", B: ""}, or_found=True) == told


# -- made_by ----------------------------------------------------------------------------------


async def test_the_newest_documents_come_first(ledger: Ledger, other: Ledger) -> None:
    """Those of the newest run, and of these those of its last attempt."""
    old = await listed(ledger, "A B C D", "b", 0)
    await pushed(ledger, old, "C D")
    await pushed(ledger, old, "A B")
    new = await listed(ledger, "A B", "a", 1)
    await pushed(ledger, new, "B")
    made = await other.made_by(new)
    assert [(each.run, each.number) for each in made] == [
        (new, B), (old, A), (old, B), (old, C), (old, D),
    ]  # fmt: skip
    assert made[0] == Made(new, B, State.PUSHED, (target("B"),))
    assert await other.made_by(old, limit=2) == made[:2]


async def test_only_rows_that_name_documents_are_proof(ledger: Ledger) -> None:
    """A look that finds them has proved that it finds what is there."""
    run = await planned(ledger, "A B C D")
    for number, state in zip(
        "ABCD", (State.REJECTED, State.UNKNOWN, State.DRAFT, State.PUSHED), strict=True
    ):
        await pushed(ledger, run, number, state)
    await planned(ledger, "A", "r2", OTHER_FORM)
    assert [each.number for each in await ledger.made_by(run)] == [D, C]
    assert await ledger.made_by(RunId("r2")) == []


async def test_documents_of_one_user_are_found(ledger: Ledger) -> None:
    """Another one who sees them may look in his place."""
    run = await planned(ledger, "A B C D")
    await pushed(ledger, run, "A", sender="甲")
    await pushed(ledger, run, "B", sender="push")
    await pushed(ledger, run, "C", State.PLANNED, sender="甲")
    await pushed(ledger, run, "C", sender="push")
    await pushed(ledger, run, "D", sender="")
    assert [each.number for each in await ledger.made_by(run, "甲")] == [A]
    assert [each.number for each in await ledger.made_by(run, "push")] == [C, B]
    assert [each.number for each in await ledger.made_by(run, "")] == [D]
    assert await ledger.made_by(run, "nobody") == []


async def test_the_code_of_a_row_is_told_with_its_documents(ledger: Ledger, other: Ledger) -> None:
    """A bill with a twin has several documents, and no rule has split it."""
    run = await planned(ledger, "A B C")
    await pushed(ledger, run, "A C")
    told = [outcome._replace(code=PARTLY) for outcome in outcomes("B", State.PUSHED)]
    attempt = await sent(ledger, run, "B", sender="甲")
    await ledger.record(attempt, ANSWER, "", told, at=later(1))
    twin = Outcome(A, State.PUSHED, (target("A"), Target("9", "")), TWIN, "one too many")
    await ledger.amend(run, [twin], at=later(2), note="looked")
    made = {each.number: each.code for each in await other.made_by(run)}
    assert made == {A: TWIN, B: PARTLY, C: ""}
    assert [each.code for each in await other.made_by(run, "甲")] == [PARTLY]
    assert {each.code for each in await other.made_by(run, "push")} == {TWIN, ""}


async def test_a_doubt_names_who_sent_it_and_whether_alone(ledger: Ledger, other: Ledger) -> None:
    """Absence counts only where that user has looked, and a lone number has no neighbours."""
    run = await planned(ledger, "A B C")
    together = await pushed(ledger, run, "A B", State.UNKNOWN, sender="甲")
    alone = await pushed(ledger, run, "C", State.UNKNOWN)
    assert await other.doubts(run) == [
        Doubt(
            run, A, together.id, NOON, UPTIME, ("before-A",), "甲", alone=False, source_id=id_of(A)
        ),
        Doubt(
            run, B, together.id, NOON, UPTIME, ("before-B",), "甲", alone=False, source_id=id_of(B)
        ),
        Doubt(
            run, C, alone.id, NOON, UPTIME, ("before-C",), "push", alone=True, source_id=id_of(C)
        ),
    ]
    (kept,) = await other.attempts_of(A)
    assert kept.attempt.intent == intent(run, "A B", sender="甲")


# -- planned numbers that were sent before ------------------------------------------------------


@pytest.mark.parametrize("state", [State.PUSHED, State.DRAFT, State.UNKNOWN])
async def test_what_was_never_sent_was_not_made_by_us(ledger: Ledger, state: State) -> None:
    """What is there before the first sending is `already`."""
    run = await planned(ledger, "A B")
    with pytest.raises(IllegalMoveError, match="never sent"):
        await ledger.conclude(run, outcomes("A", state), at=later(1))
    assert await states(ledger, run) == {"A": State.PLANNED, "B": State.PLANNED}


@pytest.mark.parametrize("state", [State.PUSHED, State.DRAFT])
async def test_what_is_found_before_it_is_sent_again_was_made_by_us(
    ledger: Ledger, state: State
) -> None:
    """A commit that came late is found by the look right before the next sending."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A", State.PLANNED)
    await ledger.conclude(run, outcomes("A", state), at=later(2))
    row = (await ledger.rows(run))[0]
    assert (row.state, row.settled_at, row.attempts) == (state, later(2), 1)


# -- amend ------------------------------------------------------------------------------------


async def test_a_later_look_adds_documents(ledger: Ledger, other: Ledger) -> None:
    """The second document of a split was saved a second later than the first."""
    run = await planned(ledger, "A B")
    await pushed(ledger, run, "A", State.DRAFT)
    await pushed(ledger, run, "B")
    found = (Target("id-A", "CGRK-A"), Target("9", "CGRK-9"))
    told = Outcome(A, State.PUSHED, found, TWIN, "one too many")
    await ledger.amend(run, [told], at=later(60), note="found later")
    row, untouched = await other.rows(run)
    assert (row.state, row.targets, row.code, row.reason) == (
        State.PUSHED, found, TWIN, "one too many",
    )  # fmt: skip
    assert (row.attempts, row.sent_at, row.settled_at) == (1, NOON, later(1))
    assert (untouched.targets, untouched.code) == ((target("B"),), "")
    assert await other.counts(run) == {State.PUSHED: 2}
    assert await other.target_count(run) == 3
    assert [note.text for note in await other.notes_of(A)] == ["found later"]
    assert await other.notes_of(B) == []


async def test_what_was_already_there_may_get_a_document_of_ours(ledger: Ledger) -> None:
    """A call of ours was carried out long after its window, when another had pushed the bill."""
    run = await planned(ledger, "A")
    await ledger.conclude(run, outcomes("A", State.ALREADY), at=later(1))
    (row,) = await ledger.rows(run)
    both = Outcome(A, State.PUSHED, (*row.targets, Target("9", "")), "twin", "late")
    await ledger.amend(run, [both], at=later(2), note="looked")
    assert await states(ledger, run) == {"A": State.PUSHED}
    assert await ledger.counts(run) == {State.PUSHED: 1}
    (row,) = await ledger.rows(run)
    assert (row.targets, row.code) == (both.targets, "twin")


@pytest.mark.parametrize("state", sorted(set(State) - AMENDABLE))
async def test_only_what_names_documents_is_amended(ledger: Ledger, state: State) -> None:
    """A row in doubt is settled; and nothing is amended away."""
    run = await planned(ledger, "A B")
    await pushed(ledger, run, "B")
    if state is State.SENT:
        await sent(ledger, run, "A")
    elif state is not State.PLANNED:
        await pushed(ledger, run, "A", state)
    more = Outcome(B, State.PUSHED, (target("B"), Target("9", "")))
    for told in (
        [more, *outcomes("A", State.PUSHED)],
        [Outcome(B, state, more.targets)],
    ):
        with pytest.raises(IllegalMoveError):
            await ledger.amend(run, told, at=later(2), note="looked")
    assert await states(ledger, run) == {"A": state, "B": State.PUSHED}
    assert (await ledger.rows(run))[1].targets == (target("B"),)
    assert await ledger.notes_of(B) == []


@pytest.mark.parametrize("told", ["A", "A B A", "A B C"])
async def test_a_document_is_never_taken_away(ledger: Ledger, told: str) -> None:
    """One that a look does not show may be one that its user may not see."""
    run = await planned(ledger, "A B")
    await pushed(ledger, run, "A B")
    changed = [
        Outcome(number, State.PUSHED, () if told == "A" else (target(number), Target("9", "")))
        for number in numbers(told)
    ]
    with pytest.raises(IllegalMoveError):
        await ledger.amend(run, changed, at=later(2), note="looked")
    assert [row.targets for row in await ledger.rows(run)] == [(target("A"),), (target("B"),)]
    assert await ledger.notes_of(A) == []


async def test_an_amendment_leaves_claims_alone(ledger: Ledger, other: Ledger) -> None:
    """Another run may hold the bill by now, to send it again with a reason."""
    first = await planned(ledger, "A")
    await pushed(ledger, first, "A")
    second = await planned(other, "A", "r2")
    async with other.own(second):
        await other.claim(second, [A])
        more = Outcome(A, State.PUSHED, (target("A"), Target("9", "")))
        await ledger.amend(first, [more], at=later(2), note="looked")
        assert (await ledger.claim(first, [A]))[A].run == second


# -- twins ------------------------------------------------------------------------------------


async def test_rows_made_in_part_are_counted(ledger: Ledger) -> None:
    """The exit code tells of them, whatever the size of the run."""
    run = await planned(ledger, "A B C")
    attempt = await sent(ledger, run, "A B C")
    outcomes = [
        Outcome(number, State.PUSHED, (Target(number, number),), code, "第2行分录，仓库是必填项")
        for number, code in zip(numbers("A B C"), ["", PARTLY, PARTLY], strict=True)
    ]
    await ledger.record(attempt, ANSWER, "x", outcomes, at=later(1))
    assert (await ledger.partly(run), await ledger.twins(run)) == (2, 0)


async def test_calls_that_made_something_are_told_from_those_that_made_nothing(
    ledger: Ledger,
) -> None:
    """What is left of a call that made something may be in a neighbour's document."""
    run = await planned(ledger, "A B C D E")
    some, none, lone = [await sent(ledger, run, names) for names in ("A B", "C D", "E")]
    told = [*outcomes("A", State.DRAFT), *outcomes("B", State.UNKNOWN)]
    await ledger.record(some, ANSWER, "", told, at=later(1))
    await ledger.record(none, ANSWER, "", outcomes("C D", State.UNKNOWN), at=later(1))
    await ledger.record(lone, ANSWER, "", outcomes("E", State.PUSHED), at=later(1))
    asked = [some.id, none.id, lone.id, lone.id + 1]
    assert await ledger.fruitful(run, asked) == {some.id, lone.id}
    assert await ledger.fruitful(run, [none.id]) == frozenset()
    other = await planned(ledger, "F", "r2")
    assert await ledger.fruitful(other, asked) == frozenset()


async def test_twins_of_a_run_are_counted(ledger: Ledger, other: Ledger) -> None:
    """They make its exit code, however many rows there are."""
    run = await planned(ledger, "A B C")
    second = await planned(ledger, "A", "r2")
    assert await ledger.twins(run) == 0
    attempt = await sent(ledger, run, "A B C")
    told = [each._replace(code=TWIN) for each in outcomes("A B", State.PUSHED)]
    told += outcomes("C", State.PUSHED)
    await ledger.record(attempt, ANSWER, "", told, at=later(1))
    more = Outcome(C, State.PUSHED, (target("C"), Target("9", "")), TWIN, "one too many")
    await ledger.amend(run, [more], at=later(2), note="looked")
    assert await other.twins(run) == 3
    assert await other.twins(second) == 0


# -- groups -----------------------------------------------------------------------------------


async def test_a_run_keeps_the_command_that_began_it(ledger: Ledger, other: Ledger) -> None:
    """A list of several routes makes several runs, and `resume` goes on with all of them."""
    run = replace(a_run(), group="r0")
    await ledger.open_run(run)
    assert await other.run(run.id) == run
    assert await other.runs() == [run]
