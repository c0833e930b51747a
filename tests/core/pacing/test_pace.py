from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.pacing.bounds import MOST_CHUNK_SIZE, MOST_CONCURRENCY
from k3push.core.pacing.pace import MERGING_CHUNK_SIZE, MOST_STEPS, ON_THEIR_WAY_FOR_EACH, Pace
from k3push.core.pacing.phases import FIRST_CHUNK_SIZE, FIRST_CONCURRENCY, FIRST_ON_THEIR_WAY
from k3push.core.pacing.samples import CallSample, Ended, Setting
from k3push.core.pacing.server_model import FittedServer as Known
from k3push.core.pacing.server_model import Learnt

CALL_S = 0.9
NUMBER_S = 0.1


class Server:
    """Rounds of calls on a server that serves so many at once, and the rest more slowly.

    Args:
        pace: What steers.
        capacity: Calls at once.
    """

    def __init__(self, pace: Pace, capacity: float) -> None:
        self.pace = pace
        self.capacity = capacity
        self.slower = 1.0
        self.now_s = 0.0

    def seconds(self, at_once: int, numbers: int) -> float:
        """Say how long each of some calls takes."""
        crowded = max(1.0, at_once / self.capacity)
        return (CALL_S + NUMBER_S * numbers) * crowded * self.slower

    def call(
        self, at_once: int, numbers: int, ended: Ended = Ended.OK, *, merged: bool = False
    ) -> None:
        """Make a round of calls of one size."""
        began_s = self.now_s
        self.now_s += self.seconds(at_once, numbers)
        came_to = numbers if ended is Ended.OK else 0
        for _ in range(at_once):
            self.pace.add(
                CallSample(
                    began_s, self.now_s, self.now_s - began_s, came_to, at_once, ended, merged
                )
            )

    def begin(self) -> None:
        """Send the canary and the first chunk."""
        self.pace.size(100_000, 1000, 1, 50_000)
        self.call(1, 1)
        self.call(1, FIRST_CHUNK_SIZE)

    def rounds(self, count: int, ended: Ended = Ended.OK) -> None:
        """Make rounds of calls as the pace has it."""
        for _ in range(count):
            self.call(self.pace.setting.concurrency, self.pace.setting.chunk_size, ended)


def server(capacity: float, *, answer_timeout_s: float = 300) -> Server:
    """Begin a run on a server."""
    made = Server(Pace(answer_timeout_s=answer_timeout_s), capacity)
    made.begin()
    return made


@pytest.mark.parametrize("capacity", [4, 10, 16, 40])
def test_calls_are_climbed_to_what_the_server_serves_at_once(capacity: int) -> None:
    """More would wait and fewer would leave it idle."""
    site = server(capacity)
    site.rounds(6)
    assert capacity * 0.9 <= site.pace.setting.concurrency <= capacity * 2


def test_a_server_that_serves_one_call_at_a_time_gets_few() -> None:
    """It may run a user's calls one after another (P 2.9), and more only lengthen its queue."""
    site = server(1)
    site.rounds(6)
    assert site.pace.setting.concurrency <= 2


def test_chunks_grow_until_calls_cost_little_beside_numbers() -> None:
    """Beyond that a larger chunk brings nothing, and a refused one costs more."""
    site = server(4)
    site.rounds(6)
    size = site.pace.setting.chunk_size
    assert CALL_S / (NUMBER_S * size) < 0.1
    assert size <= MOST_CHUNK_SIZE


def test_a_chunk_stays_far_below_the_time_out() -> None:
    """A lost answer puts all its numbers in doubt."""
    site = server(4, answer_timeout_s=8)
    site.rounds(12)
    assert site.seconds(4, site.pace.setting.chunk_size) < 8 / 2


def test_overloads_make_no_chunk_that_is_answered_too_late() -> None:
    """Each call brings more then, and still so little that its answer is there in time."""
    site = server(4, answer_timeout_s=8)
    site.rounds(12)
    for _ in range(6):
        site.rounds(1, Ended.OVERLOADED)
        size = site.pace.size(50_000, 1000, 1, 50_000)
        assert site.seconds(1, size) < 8 / 2
        site.rounds(1)


@pytest.mark.parametrize("ended", [Ended.OVERLOADED, Ended.TIMED_OUT])
def test_what_the_erp_says_outright_is_followed_at_once_and_once(ended: Ended) -> None:
    """All calls of a round say the same, which is one reason to ease off and not eight."""
    site = server(16)
    site.rounds(6)
    before = site.pace.setting
    site.rounds(1, ended)
    after = site.pace.setting
    if ended is Ended.OVERLOADED:
        assert after.concurrency == before.concurrency // 2
    else:
        assert after.chunk_size == before.chunk_size // 2
    site.rounds(1, ended)
    assert site.pace.setting == after, "nothing has come through yet that would test it"


def test_after_an_overload_calls_come_back_step_by_step() -> None:
    """An ERP that was busy for a minute must not cost the night."""
    site = server(16)
    site.rounds(6)
    site.rounds(1, Ended.OVERLOADED)
    low = site.pace.setting.concurrency
    site.rounds(30)
    assert low < 12 <= site.pace.setting.concurrency


@pytest.mark.parametrize("recalled", [None, Learnt(Known(3.0, 0.02), 4)])
@pytest.mark.parametrize("lost_canaries", [0, 1])
def test_a_first_chunk_that_is_given_up_is_followed_by_smaller_ones(
    recalled: Learnt | None, lost_canaries: int
) -> None:
    """Four of its size would leave side by side, each as long."""
    pace = Pace()
    if recalled:
        pace.recall(recalled)
    site = Server(pace, 16)
    sizes = []
    for ended in [*[Ended.TIMED_OUT] * lost_canaries, Ended.OK, Ended.TIMED_OUT, Ended.TIMED_OUT]:
        sizes.append(pace.size(100_000, 1000, 4, 0))
        site.call(1, sizes[-1] if ended is Ended.TIMED_OUT else 1, ended)
        if ended is Ended.OK:
            sizes.clear()
    sizes.append(pace.size(100_000, 1000, 4, 0))
    assert sizes == [sizes[0], sizes[0] // 2, sizes[0] // 2]  # and once for each setting


@pytest.mark.parametrize("ended", [Ended.TIMED_OUT, Ended.REFUSED])
def test_after_an_hour_of_lost_or_refused_calls_chunks_grow_again(ended: Ended) -> None:
    """A busy hour, or bad bills that stand together in a list, must not cost the night."""
    site = server(16)
    site.rounds(6)
    before = site.pace.setting.chunk_size
    for _ in range(12):
        site.rounds(1, ended)
        site.rounds(int(ended is Ended.TIMED_OUT))
    assert site.pace.setting.chunk_size <= 2
    site.rounds(60)
    assert site.pace.setting.chunk_size >= before / 2


def test_chunks_that_a_proxy_gives_up_do_not_grow_so_large_again() -> None:
    """Nobody else knows how long it waits, and each answer that is lost leaves a chunk in doubt."""
    site = server(1)
    site.rounds(20)
    given_up_s = 30.0
    longest_s = site.seconds(1, site.pace.setting.chunk_size)
    site.pace.add(
        CallSample(site.now_s, site.now_s + given_up_s, given_up_s, 0, 1, Ended.TIMED_OUT)
    )
    site.now_s += given_up_s
    site.slower = 30.0 / longest_s
    site.rounds(60)
    setting = site.pace.setting
    assert site.seconds(setting.concurrency, setting.chunk_size) < 0.6 * given_up_s


def test_a_slow_hour_passes() -> None:
    """What was right before it is right after it."""
    site = server(16)
    site.rounds(10)
    site.slower, site.capacity = 5.0, 4
    site.rounds(10)
    assert site.pace.setting.concurrency < 16
    site.slower, site.capacity = 1.0, 16
    site.rounds(40)
    assert site.pace.setting.concurrency >= 14


def test_refused_chunks_get_smaller() -> None:
    """Each bad bill costs its whole chunk, so that fewer numbers share its fate."""
    site = server(4)
    site.rounds(6)
    before = site.pace.setting.chunk_size
    site.rounds(3, Ended.REFUSED)
    assert site.pace.setting.chunk_size < before


def test_where_sources_are_merged_the_size_stays() -> None:
    """The chunk decides which sources share a target (P 5.6)."""
    pace = Pace()
    site = Server(pace, 16)
    pace.size(100_000, 1000, 1, 50_000)
    site.call(1, 1)
    site.call(1, FIRST_CHUNK_SIZE, merged=True)
    for ended in (Ended.OK, Ended.TIMED_OUT, Ended.REFUSED, Ended.OK):
        site.rounds(6, ended)
        assert pace.setting.chunk_size == MERGING_CHUNK_SIZE
        assert pace.size(5, 5, 8, 100) == MERGING_CHUNK_SIZE
    assert pace.setting.concurrency > FIRST_CONCURRENCY


def test_what_a_person_has_fixed_is_left_alone() -> None:
    """Each quantity may be fixed while the other is steered."""
    pace = Pace()
    for began_s, numbers in ((0.0, 1), (1.0, 10), *((float(s), 7) for s in range(3, 60))):
        pace.add(CallSample(began_s, began_s + 1, 0.5, numbers, 3), concurrency=3, chunk_size=7)
        assert pace.setting == Setting(3, 7)


def next_time(before: Server, *, capacity: float | None = None, slower: float = 1.0) -> Server:
    """Begin another run on the same server, the next night."""
    made = Server(Pace(), capacity or before.capacity)
    made.slower = slower
    learnt = before.pace.learnt()
    assert learnt is not None
    made.pace.recall(learnt)
    made.begin()
    return made


@pytest.mark.parametrize("capacity", [1, 4, 10, 16])
def test_the_next_execution_begins_with_what_the_last_one_came_to(capacity: int) -> None:
    """A short list is at its end before its pace is found, and comes every night."""
    first = server(capacity)
    first.rounds(6)
    second = next_time(first)
    least, most = capacity * 0.8, max(2, capacity * 1.6)
    assert least <= second.pace.setting.concurrency <= most
    second.rounds(6)
    assert least <= second.pace.setting.concurrency <= most


def test_a_server_that_serves_fewer_than_the_last_time_gets_fewer() -> None:
    """What was right last night may be wrong tonight."""
    first = server(16)
    first.rounds(6)
    second = next_time(first, capacity=2)
    second.rounds(6)
    assert second.pace.setting.concurrency < 8


def test_a_night_that_begins_quite_differently_is_met_as_the_first() -> None:
    """The server may be another one, or busy with something else."""
    first = server(16)
    first.rounds(6)
    another = Server(Pace(), 16)
    another.slower = 5.0
    another.begin()
    assert next_time(first, slower=5.0).pace.setting == another.pace.setting


@pytest.mark.parametrize("size", [None, 50])
def test_what_worked_last_time_brings_no_more_numbers_at_first(size: int | None) -> None:
    """Refusals may set in tonight."""
    pace = Pace()
    pace.recall(Learnt(Known(CALL_S, NUMBER_S), MOST_CONCURRENCY))
    pace.size(100_000, 1000, 1, 0)
    for began_s, numbers in ((0.0, 1), (1.0, 10)):
        pace.add(CallSample(began_s, began_s + 1, 0.9, numbers), chunk_size=size)
    calls = pace.setting.concurrency
    assert calls > FIRST_CONCURRENCY
    if size is None:
        assert calls * pace.size(100_000, 1000, 1, 11) <= FIRST_ON_THEIR_WAY


def test_what_the_erp_says_tonight_goes_before_what_worked_last_time() -> None:
    """An ERP that is overloaded by looks is spared."""
    busy = Server(Pace(), 16)
    busy.pace.recall(Learnt(Known(CALL_S, NUMBER_S), 16))
    busy.pace.size(100_000, 1000, 1, 11)
    busy.call(1, 1)
    busy.call(1, 0, Ended.OVERLOADED)
    busy.call(1, FIRST_CHUNK_SIZE)
    assert busy.pace.setting.concurrency < FIRST_CONCURRENCY


def test_what_a_short_list_has_seen_is_kept_to_its_last_call() -> None:
    """Else a list of sixty numbers would go as slowly every night."""
    site = server(16)
    site.pace.size(3, 3, 1, 11)
    site.call(3, 1)
    learnt = site.pace.learnt()
    assert learnt is not None
    assert learnt.tried == 3


def test_nothing_is_kept_of_what_a_person_has_fixed_or_nobody_has_seen() -> None:
    """The next execution would take it for found."""
    pace = Pace()
    assert pace.learnt() is None
    for began_s, numbers in ((0.0, 1), (1.0, 10), (2.0, 10)):
        pace.add(CallSample(began_s, began_s + 1, 0.5, numbers, 3), concurrency=3)
    assert pace.learnt() is None


def test_the_last_chunks_are_shared_out() -> None:
    """One long call at the end would keep the others idle."""
    site = server(8)
    site.rounds(6)
    now = site.pace.setting
    assert site.pace.size(100_000, 2000, 1, 50_000) == now.chunk_size
    last = site.pace.size(now.concurrency * 10, 1000, 1, 50_000)
    assert 10 <= last < now.chunk_size / 4


def test_a_short_list_begins_with_a_small_chunk() -> None:
    """The first chunk travels alone, and ten of sixty numbers would be a sixth of the list."""
    pace = Pace()
    pace.add(CallSample(0, 1.2, push_s=1.0, numbers=1))
    assert pace.size(60, 59, 1, 1) == 2
    assert pace.size(5000, 500, 1, 1) == FIRST_CHUNK_SIZE


def test_where_a_push_costs_hardly_more_than_a_look_the_first_chunk_is_larger() -> None:
    """Then it is calls that cost, and numbers are next to nothing."""
    pace = Pace()
    pace.add(CallSample(0, 3.1, push_s=0.6, numbers=1))
    assert 10 < pace.size(60, 59, 1, 1) <= FIRST_ON_THEIR_WAY // FIRST_CONCURRENCY


def after_first_chunk(before_s: float) -> Pace:
    """Begin with looks of 0.2 s; *before_s* is how long two of them take at the same time."""
    pace = Pace()
    pace.add(CallSample(0, 2, push_s=CALL_S + NUMBER_S, numbers=1, before_s=before_s))
    pace.size(1000, 1000, 1, 1)
    took_s = before_s + CALL_S + 4 * NUMBER_S + 0.4
    pace.add(CallSample(2, 2 + took_s, CALL_S + 4 * NUMBER_S, 4, before_s=before_s))
    return pace


def test_two_looks_at_one_time_tell_whether_calls_wait_for_one_another() -> None:
    """A round of calls on a server that does them one by one would be mostly cost."""
    waiting, free = after_first_chunk(before_s=0.4), after_first_chunk(before_s=0.2)
    assert waiting.setting.concurrency <= 2
    assert free.setting.concurrency > FIRST_CONCURRENCY


def test_looks_that_were_slow_for_another_reason_do_not_hold_a_long_list_back() -> None:
    """They are one sample of two calls, and were not even pushes."""
    site = Server(after_first_chunk(before_s=0.4), 16)
    site.now_s = 100.0
    site.rounds(24)
    assert site.pace.setting.concurrency >= 14


def test_nothing_follows_a_try_before_it_is_over() -> None:
    """What follows goes better with what it shows."""
    pace = after_first_chunk(before_s=0.2)
    calls = pace.setting.concurrency
    assert all(pace.size(1000, 1000, free, 5) for free in range(calls, 0, -1))
    pace.add(CallSample(10, 12, 1, 1, calls))
    assert pace.size(1000, 1000, 1, 6, now_s=12.0) == 0
    assert pace.size(1000, 1000, 1, 6, now_s=pace.waits_until_s) > 0, "a call may hang"
    assert pace.size(1000, 1000, calls, 6) > 0, "nothing is on its way that could be waited for"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Ended)),
            st.floats(0, 1e6),
            st.integers(0, 500),
            st.integers(1, 64),
            st.booleans(),
            st.none() | st.integers(1, 256),
            st.none() | st.integers(1, 10_000),
        ),
        max_size=60,
    )
)
def test_whatever_comes_the_setting_stays_in_its_bounds(
    events: list[tuple[Ended, float, int, int, bool, int | None, int | None]],
) -> None:
    """A wild answer must never stop the run, nor send it off."""
    pace, now_s = Pace(), 0.0
    for ended, seconds, numbers, at_once, merged, concurrency, size in events:
        sample = CallSample(now_s, now_s + seconds, seconds / 2, numbers, at_once, ended, merged)
        now_s += seconds
        pace.add(sample, concurrency=concurrency, chunk_size=size)
        assert 1 <= pace.setting.concurrency <= max(MOST_CONCURRENCY, 256)
        assert 1 <= pace.setting.chunk_size <= 10_000
        if concurrency is not None:
            assert pace.setting.concurrency == concurrency
        assert pace.size(numbers, numbers, pace.setting.concurrency, 11) >= 1


def test_the_same_samples_give_the_same_steps() -> None:
    """There is no clock and no chance in it."""

    def steps(ended: Callable[[int], Ended]) -> list[object]:
        site = server(8)
        for nth in range(30):
            site.rounds(1, ended(nth))
        return list(site.pace.steps)

    odd = (Ended.OVERLOADED, Ended.OK, Ended.OK, Ended.REFUSED, Ended.OK, Ended.OK, Ended.OK)
    assert steps(lambda n: odd[n % 7]) == steps(lambda n: odd[n % 7])


def test_the_steps_that_are_kept_are_bounded() -> None:
    """A run of a million numbers may change its pace all night."""
    site = server(8)
    for nth in range(4 * MOST_STEPS):
        site.rounds(1, Ended.OVERLOADED if nth % 2 else Ended.OK)
    assert 0 < len(site.pace.steps) <= MOST_STEPS


@given(made=st.integers(0, 20_000), seconds=st.floats(0.01, 5))
def test_few_travel_at_once_before_many_have_come_through(made: int, seconds: float) -> None:
    """Refusals that set in at number 101 must not meet chunks of hundreds."""
    pace = Pace()
    pace.add(CallSample(0, seconds, push_s=seconds, numbers=1))
    pace.add(CallSample(seconds, 2.1 * seconds, push_s=seconds, numbers=10))
    size, calls = pace.size(100_000, 100_000, 1, made), pace.setting.concurrency
    assert size * calls <= max(FIRST_ON_THEIR_WAY, ON_THEIR_WAY_FOR_EACH * made, calls)
