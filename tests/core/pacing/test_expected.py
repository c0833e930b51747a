"""What the sending of a list comes to, foretold before any of it is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.pacing.bounds import MOST_CHUNK_SIZE
from k3push.core.pacing.expected_time import Driven, Expected, Measured, expect
from k3push.core.pacing.pace import Pace
from k3push.core.pacing.samples import CallSample
from k3push.core.pacing.server_model import FittedServer, Learnt

servers = st.builds(
    FittedServer,
    call_s=st.floats(0.005, 2),
    number_s=st.floats(0.0003, 3),
    look_s=st.floats(0, 1),
    knee=st.floats(1, 64),
    power=st.sampled_from([1.0, 1.5, 2.0]),
)
learnt = st.builds(Learnt, servers, tried=st.integers(1, 64))
driven = st.builds(
    Driven, st.none() | st.integers(1, 64), st.none() | st.integers(1, 200), canary=st.booleans()
)


@given(st.integers(1, 3000), driven, learnt)
def test_no_list_takes_more_calls_than_numbers_nor_fuller_ones_than_may_be(
    numbers: int, how: Driven, found: Learnt
) -> None:
    """Whatever was learnt, and however it is driven."""
    told = expect(numbers, how, found)
    assert numbers <= told.calls * (how.chunk_size or MOST_CHUNK_SIZE) + 1
    assert 1 <= told.calls <= numbers
    assert told.time is not None
    assert 0 < told.time.least_s <= told.time.about_s <= told.time.most_s


@given(st.integers(2, 500), st.integers(1, 60), servers)
def test_calls_that_follow_one_another_take_the_sum_of_their_times(
    numbers: int, size: int, server: FittedServer
) -> None:
    """Half of it at least, and twice of it at most: another night is another pace."""
    how = Driven(concurrency=1, chunk_size=size, canary=False)
    told = expect(numbers, how, Learnt(server, tried=1))
    took_s = told.calls * (server.call_s + server.look_s) + numbers * server.number_s
    assert told.time is not None
    assert told.time.least_s <= took_s <= told.time.most_s
    assert told.time.most_s == pytest.approx(2 * took_s)


def test_a_size_that_a_person_has_set_is_counted_and_another_is_about() -> None:
    """Who has set fifty knows how many calls follow."""
    assert expect(101, Driven(chunk_size=50)) == Expected(3, is_counted=True)
    assert not expect(101, Driven()).is_counted


def test_nothing_to_send_takes_no_time_and_no_call() -> None:
    """A list of what is there already is no work."""
    assert expect(0, Driven(), measured=Measured(10, 1, 1.0)) == Expected(0, is_counted=True)


def test_a_limit_on_calls_a_minute_is_part_of_the_time() -> None:
    """Sixty calls a minute take a second each, however quick the server is."""
    found = Learnt(FittedServer(call_s=0.01, number_s=0.001, knee=64.0), tried=64)
    told = expect(1000, Driven(chunk_size=10, calls_per_minute=60), found)
    assert told.time is not None
    assert told.time.about_s > 100


def test_a_long_list_is_foretold_as_its_beginning_goes_on() -> None:
    """A plan of half a million numbers does not take a minute to foretell."""
    found = Learnt(FittedServer(call_s=0.5, number_s=0.01, look_s=0.1, knee=8.0), tried=16)
    short, long = (expect(n, Driven(), found) for n in (20_000, 500_000))
    assert short.time is not None
    assert long.time is not None
    assert 15 < long.time.about_s / short.time.about_s < 30
    assert 15 < long.calls / short.calls < 40


def test_a_long_list_of_single_numbers_is_played_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dashboard stands still meanwhile, and all of it took twenty seconds."""
    played, add = [], Pace.add

    def count(pace: Pace, sample: CallSample, **fixed: int | None) -> None:
        played.append(sample)
        add(pace, sample, **fixed)

    monkeypatch.setattr(Pace, "add", count)
    server = FittedServer(call_s=0.5, number_s=0.1, look_s=0.1, knee=4.0)
    told = expect(50_000, Driven(chunk_size=1), Learnt(server, tried=4))
    assert len(played) < 2000
    assert told.calls == 50_000
    assert told.time is not None
    assert told.time.least_s < 50_000 * 0.7 / 4 < told.time.most_s


@pytest.mark.parametrize("size", [1, 10])
def test_calls_side_by_side_are_foretold_where_a_person_has_set_their_size(size: int) -> None:
    """The pace finds how many there may be all the same."""
    found = Learnt(FittedServer(call_s=0.5, number_s=0.1, look_s=0.1, knee=16.0), tried=16)
    steered = expect(2000, Driven(chunk_size=size), found).time
    fixed = expect(2000, Driven(16, size), found).time
    assert steered is not None
    assert fixed is not None
    assert steered.about_s == pytest.approx(fixed.about_s, rel=0.2)


def test_a_run_of_single_numbers_teaches_no_pace() -> None:
    """What of its time was the call's and what the number's is not known; what was is kept."""
    pace = Pace()
    for nth in range(2):
        pace.size(2 - nth, 2 - nth, 4, nth)
        pace.add(CallSample(nth, nth + 0.9, push_s=0.5, numbers=1, before_s=0.2))
    assert pace.learnt() is None
