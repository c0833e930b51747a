"""Other calls show whether a limit on calls is one bill's own."""

from __future__ import annotations

from k3push.core.model import BillNumber, Chunk
from k3push.core.pacing.call_limits import CallLimits, quiet_s, travels_by_itself

LONE = Chunk(1, (BillNumber("A"),))
OTHER = Chunk(2, (BillNumber("B"),))


def put_off(limits: CallLimits, chunk: Chunk, times: int, *, others: bool = True) -> Chunk:
    """Put a chunk off in quiet, so many times, with other calls that get through before."""
    for _ in range(times):
        if others:
            limits.get_through()
        chunk = limits.put_off(chunk, by_itself=True)
    return chunk


def met(chunk: Chunk, in_a_row: int, others: list[Chunk], *, times: int = 3) -> bool:
    """Say whether a limit is about a chunk after it was put off, and so many limits in a row."""
    limits = CallLimits(5, 10)
    chunk = put_off(limits, chunk, times)
    limits.in_a_row = in_a_row
    return limits.is_about(chunk, others)


def test_a_limit_is_a_bills_own_where_others_got_through_between_its_tries() -> None:
    """Twice, and then five limits in a row in which nothing else is left."""
    assert met(LONE, 5, [])
    assert not met(LONE, 4, [])
    assert not met(LONE, 5, [], times=2)
    assert met(LONE, 10, [], times=2)
    assert not met(LONE, 10, [], times=1)


def test_while_something_is_left_that_may_get_through_no_bill_is_given_up() -> None:
    """It may show that the limit is about none."""
    assert not met(LONE, 10, [OTHER])


def test_what_a_limit_meets_in_company_or_in_a_row_shows_nothing() -> None:
    """Calls together are too many; and where nothing gets through it is about no bill."""
    limits = CallLimits(5, 10)
    assert put_off(limits, LONE, 4, others=False).limits == 1
    in_company = LONE
    for _ in range(3):
        limits.get_through()
        in_company = limits.put_off(in_company, by_itself=False)
    assert (in_company.limits, in_company.between) == (3, 0)


def test_what_met_a_limit_twice_travels_by_itself_after_a_pause() -> None:
    """A lone bill after a longer one each time, so that a limit a minute has ended."""
    limits, chunk, pauses = CallLimits(5, 10), LONE, []
    for _ in range(5):
        chunk = put_off(limits, chunk, 1)
        pauses.append(quiet_s(chunk) if travels_by_itself(chunk) else 0.0)
    assert pauses == [0.0, 6.0, 18.0, 54.0, 54.0]


def test_parts_show_for_themselves_what_was_seen_of_the_whole() -> None:
    """A sound neighbour has met the same limits."""
    limits = CallLimits(5, 10)
    whole = put_off(limits, Chunk(1, (*LONE.numbers, *OTHER.numbers)), 5)
    first, rest = limits.parts(whole)
    assert (first.numbers, rest.numbers) == (LONE.numbers, OTHER.numbers)
    assert whole.between > 0
    assert first.between == rest.between == 0
