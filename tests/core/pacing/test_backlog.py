from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import BillNumber, Chunk, id_in, key_of
from k3push.core.pacing.backlog import Backlog
from k3push.core.pacing.chunking import halve, split
from tests.core.protocol.answers import numbers

SIZE = 2


def backlog_of(text: str, *, canary: bool = True) -> Backlog:
    """Fill a backlog with numbers of one letter."""
    backlog = Backlog(canary=canary, first_index=1)
    backlog.add(map(BillNumber, text))
    return backlog


def taken(backlog: Backlog) -> Chunk:
    """Take a chunk that must be there."""
    chunk = backlog.take(SIZE)
    assert chunk is not None
    return chunk


def together(backlog: Backlog) -> list[str]:
    """Take all that may travel now."""
    chunks = []
    while (chunk := backlog.take(SIZE)) is not None:
        chunks.append("".join(chunk.numbers))
    return chunks


def test_without_a_canary_all_chunks_travel_at_once() -> None:
    """Somebody has said that the route is known to be right."""
    assert together(backlog_of("ABCDE", canary=False)) == ["AB", "CD", "E"]


def test_the_first_chunk_travels_alone_where_nobody_can_ask_for_documents() -> None:
    """A server that loses answers leaves it to a person, and not one chunk for each task."""
    backlog = Backlog(canary=False, first_index=1, first_alone=True)
    backlog.add(map(BillNumber, "ABCDE"))
    assert together(backlog) == ["AB"]


def test_one_number_then_one_chunk_then_all() -> None:
    """A wrong route is seen with one document, a wrong chunk size with one chunk (rule 9)."""
    backlog = backlog_of("ABCDEFG")
    canary = taken(backlog)
    assert (canary, backlog.take(SIZE)) == (Chunk(1, numbers("A")), None)
    backlog.links_proved = backlog.own_proved = True
    assert backlog.take(SIZE) is None
    backlog.done(canary)
    first = taken(backlog)
    assert (first, backlog.take(SIZE)) == (Chunk(2, numbers("B C")), None)
    backlog.done(first)
    assert together(backlog) == ["DE", "FG"]
    assert (backlog.empty, backlog.waiting, backlog.open) == (True, 0, 2)


def test_a_canary_that_proved_nothing_is_followed_by_another() -> None:
    """A rejected number says nothing of the links."""
    backlog = backlog_of("ABC")
    for number in "ABC":
        canary = taken(backlog)
        assert (canary.numbers, backlog.take(SIZE)) == ((number,), None)
        backlog.done(canary)
    assert backlog.take(SIZE) is None


def test_links_that_were_proved_before_need_no_canary_and_still_a_first_chunk() -> None:
    """A resumed run knows its route."""
    backlog = backlog_of("ABCDE")
    backlog.links_proved = backlog.own_proved = True
    first = taken(backlog)
    assert (first.numbers, backlog.take(SIZE)) == (numbers("A B"), None)
    backlog.done(first)
    assert together(backlog) == ["CD", "E"]


def test_parts_travel_first_and_as_they_are() -> None:
    """What came back is finished before anything new begins."""
    backlog = backlog_of("ABC", canary=False)
    backlog.put_back(Chunk(0, numbers("X Y Z"), tries=2))
    backlog.put_back(Chunk(0, numbers("W"), alone=True))
    assert taken(backlog) == Chunk(1, numbers("X Y Z"), alone=False, tries=2)
    assert taken(backlog) == Chunk(2, numbers("W"), alone=True)
    assert taken(backlog) == Chunk(3, numbers("A B"))


def test_a_part_gives_its_canary_and_keeps_what_it_is() -> None:
    """Its other numbers wait, with their count of tries."""
    backlog = backlog_of("A")
    backlog.put_back(Chunk(0, numbers("X Y Z"), tries=2))
    canary = taken(backlog)
    assert canary == Chunk(1, numbers("X"), alone=False, tries=2)
    backlog.links_proved = backlog.own_proved = True
    backlog.done(canary)
    assert taken(backlog) == Chunk(2, numbers("Y Z"), alone=False, tries=2)


def test_suspects_travel_last_and_as_they_are() -> None:
    """A bill that breaks its calls must not hold up its neighbours, nor grow into a chunk."""
    backlog = backlog_of("ABC", canary=False)
    backlog.put_last(Chunk(0, numbers("S T U")))
    backlog.put_last(Chunk(0, numbers("V")))
    backlog.put_back(Chunk(0, numbers("X")))
    assert together(backlog) == ["X", "AB", "C", "STU", "V"]
    backlog.put_last(Chunk(0, numbers("W")))
    backlog.add(numbers("D"))
    assert together(backlog) == ["D", "W"]
    assert backlog.empty


def test_a_canary_is_one_number_of_a_suspect_as_well() -> None:
    """More than one document must not come of a wrong field, whatever waits."""
    backlog = backlog_of("")
    backlog.put_last(Chunk(0, numbers("S T U")))
    canary = taken(backlog)
    assert (canary.numbers, backlog.take(SIZE), backlog.empty) == (("S",), None, False)
    backlog.links_proved = backlog.own_proved = True
    backlog.done(canary)
    assert taken(backlog).numbers == ("T", "U")


def test_bills_of_one_number_travel_one_after_another_and_by_id_alone() -> None:
    """What appears meanwhile may be either's; and a call names its bills in one way."""
    backlog = Backlog(canary=False, first_index=1, by_id=lambda bill: bool(id_in(bill)))
    backlog.add([key_of("A", "1"), BillNumber("B"), key_of("A", "2"), key_of("C", "3")])
    by_number, first = backlog.take(9), backlog.take(9)
    assert by_number == Chunk(1, (BillNumber("B"),))
    assert first == Chunk(2, (key_of("A", "1"), key_of("C", "3")))
    assert (backlog.take(9), backlog.empty) == (None, False)
    backlog.done(first)
    assert backlog.take(9) == Chunk(3, (key_of("A", "2"),))
    assert backlog.empty


def test_two_names_of_one_bill_travel_one_after_another() -> None:
    """It got another number between two looks at its list."""
    ids = {BillNumber("A"): "1", BillNumber("RA"): "1", BillNumber("B"): "2"}
    backlog = Backlog(canary=False, first_index=1, source_id=lambda bill: ids.get(bill, ""))
    backlog.add(ids)
    first = backlog.take(9)
    assert first == Chunk(1, (BillNumber("A"), BillNumber("B")))
    assert backlog.take(9) is None
    ids.clear()  # what has come to its end is forgotten
    backlog.done(first)
    assert backlog.take(9) == Chunk(2, (BillNumber("RA"),))


def test_indexes_go_on_where_the_run_left_off() -> None:
    """A chunk's index names it in the ledger for ever."""
    backlog = Backlog(canary=False, first_index=7)
    backlog.add(numbers("A B C"))
    assert [taken(backlog).index, taken(backlog).index] == [7, 8]


def test_no_namesake_of_what_is_reserved_travels_until_that_is_released() -> None:
    """Who holds a number is asked for one bill of it, while the other waits."""
    one, other = key_of("A", "1"), key_of("A", "2")
    backlog = backlog_of("", canary=False)
    assert backlog.reserve([other]) == [other]
    backlog.add([one])
    assert backlog.take(SIZE) is None
    backlog.release([other])
    assert taken(backlog).numbers == (one,)


def test_what_has_a_namesake_on_its_way_is_not_reserved() -> None:
    """The number is the run's own."""
    one, other, third = key_of("A", "1"), key_of("A", "2"), key_of("A", "3")
    backlog = backlog_of("", canary=False)
    assert backlog.reserve([other]) == backlog.reserve([other]) == [other]
    backlog.release([other])
    backlog.add([one])
    assert backlog.take(SIZE) is None
    backlog.release([other])
    chunk = taken(backlog)
    assert backlog.reserve([third, BillNumber("B")]) == [BillNumber("B")]
    backlog.done(chunk)
    assert backlog.reserve([third]) == [third]


def test_an_empty_backlog_gives_nothing() -> None:
    """Numbers may still be on their way into it."""
    assert Backlog(canary=True, first_index=1).take(SIZE) is None


@given(st.data())
def test_no_number_is_given_out_twice_and_none_is_kept_back(data: st.DataObject) -> None:
    """A number in two chunks could become two documents."""
    waiting = [BillNumber(f"N{i}") for i in range(data.draw(st.integers(0, 15)))]
    canary = data.draw(st.booleans())
    backlog = Backlog(canary=canary, first_index=1)
    given_out: Counter[BillNumber] = Counter()
    indexes: list[int] = []
    due: Counter[BillNumber] = Counter()
    travelling: list[Chunk] = []
    for _ in range(40):
        move = data.draw(st.sampled_from(["add", "take", "done", "back"]))
        if move == "add" and waiting:
            due[waiting[-1]] += 1
            backlog.add([waiting.pop()])
        elif move == "take" and (chunk := backlog.take(data.draw(st.integers(1, 7)))) is not None:
            assert chunk.numbers
            given_out.update(chunk.numbers)
            indexes.append(chunk.index)
            travelling.append(chunk)
            if canary and not backlog.links_proved:
                assert (len(chunk.numbers), len(travelling)) == (1, 1)
            assert given_out <= due
        elif move in {"done", "back"} and travelling:
            chunk = travelling.pop(data.draw(st.integers(0, len(travelling) - 1)))
            if move == "back":
                due.update(chunk.numbers)
                add = data.draw(st.sampled_from([backlog.put_back, backlog.put_last]))
                for part in halve(chunk.numbers):
                    add(Chunk(0, part))
            else:
                backlog.links_proved = backlog.own_proved = True
            backlog.done(chunk)
    for chunk in travelling:
        backlog.links_proved = backlog.own_proved = True
        backlog.done(chunk)
    while not backlog.empty:
        backlog.links_proved = backlog.own_proved = True
        chunk = taken(backlog)
        given_out.update(chunk.numbers)
        indexes.append(chunk.index)
        backlog.done(chunk)
    assert given_out == due
    assert indexes == list(range(1, len(indexes) + 1))


@given(st.lists(st.integers(), unique=True), st.integers(1, 50))
def test_splitting_keeps_every_number_in_its_order(items: list[int], size: int) -> None:
    """Nothing is lost at an edge."""
    parts = split(items, size)
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])


@given(st.lists(st.integers(), unique=True, min_size=2))
def test_halving_makes_two_smaller_chunks(items: list[int]) -> None:
    """So splitting comes to an end."""
    parts = halve(items)
    assert len(parts) == 2
    assert [item for part in parts for item in part] == items
    assert 0 <= len(parts[0]) - len(parts[1]) <= 1


@pytest.mark.parametrize("size", [0, -1])
def test_a_chunk_holds_at_least_one_number(size: int) -> None:
    """Chunks of none would never come to an end."""
    with pytest.raises(ValueError, match="at least one"):
        split("AB", size)
