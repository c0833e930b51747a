from __future__ import annotations

import heapq
import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.pacing.user_choice import QueuedCall, UserCalls, choose

SECONDS = st.floats(0.01, 600)


@st.composite
def lanes_of_any_kind(draw: st.DrawFn) -> list[UserCalls]:
    """Draw lanes with something on their way, measured or not."""
    lanes = []
    for _ in range(draw(st.integers(1, 5))):
        lane = UserCalls()
        for call in QueuedCall:
            for _ in range(draw(st.integers(0, 5))):
                lane.leaves(call)
            if draw(st.booleans()):
                lane.seconds[call] = draw(SECONDS)
        lanes.append(lane)
    return lanes


@given(lanes_of_any_kind())
def test_nobody_is_chosen_who_is_worse_in_everything(lanes: list[UserCalls]) -> None:
    """More on its way and slower at it is never the shortest wait.

    Save for the first, who has the looks to come as well.
    """
    known = [lane.seconds[QueuedCall.PUSH] for lane in lanes if QueuedCall.PUSH in lane.seconds]
    speed = {
        place: tuple(
            lane.seconds.get(c, min(known, default=1.0) if c is QueuedCall.PUSH else 0.0)
            for c in QueuedCall
        )
        for place, lane in enumerate(lanes)
    }
    load = {
        place: tuple(lane.on_their_way[c] for c in QueuedCall) for place, lane in enumerate(lanes)
    }
    chosen = choose(lanes)
    better = [
        place
        for place in range(1, len(lanes))
        if all(a < b for a, b in zip(speed[place], speed[chosen], strict=True))
        and all(a <= b for a, b in zip(load[place], load[chosen], strict=True))
    ]
    assert better == []


@given(st.integers(1, 6), st.integers(1, 40))
def test_untried_users_are_loaded_evenly(users: int, pushes: int) -> None:
    """Nothing is known of them, so each gets a try before one gets two."""
    lanes = [UserCalls() for _ in range(users)]
    order = []
    for _ in range(pushes):
        order.append(choose(lanes))
        lanes[order[-1]].leaves(QueuedCall.PUSH)
    assert order == [nth % users for nth in range(pushes)]


def test_a_user_who_was_never_tried_is_preferred_to_an_equal() -> None:
    """Who is not tried is not known to be faster."""
    tried, untried = UserCalls(), UserCalls()
    tried.leaves(QueuedCall.PUSH)
    tried.returns(QueuedCall.PUSH, 0, 2)
    assert choose([tried, untried]) == 1


def test_the_user_who_looks_has_less_time_for_pushes() -> None:
    """All looks stand in the queue of one user: those on their way, and those to come."""
    lanes = [UserCalls(), UserCalls()]
    for lane in lanes:
        lane.seconds[QueuedCall.PUSH] = 10.0
    lanes[0].seconds[QueuedCall.LOOK] = 1.0
    order = []
    for _ in range(12):
        order.append(choose(lanes))
        lanes[order[-1]].leaves(QueuedCall.PUSH)
    # Five pushes and the looks of all twelve take 74 s there, seven pushes take 70 s.
    assert (order.count(0), order.count(1)) == (5, 7)


@pytest.mark.parametrize(("looks", "chosen"), [(0, 1), (1, 2)])
def test_a_look_on_its_way_counts_by_its_own_time(looks: int, chosen: int) -> None:
    """It stands in the queue before the push."""
    lanes = [UserCalls(), UserCalls(), UserCalls()]
    for lane, push_s in zip(lanes, (10.0, 10.0, 10.5), strict=True):
        lane.seconds |= {QueuedCall.PUSH: push_s, QueuedCall.LOOK: 1.0}
    for _ in range(looks):
        lanes[1].leaves(QueuedCall.LOOK)
    assert choose(lanes) == chosen


def test_a_call_that_measures_nothing_leaves_the_average_alone() -> None:
    """A connection that breaks at once does not mean a fast user."""
    lane = UserCalls()
    lane.leaves(QueuedCall.PUSH)
    lane.returns(QueuedCall.PUSH, 0, 0.01, measures=False)
    assert (lane.seconds, lane.on_their_way[QueuedCall.PUSH]) == ({}, 0)


def test_one_slow_answer_does_not_bar_a_user_for_the_night() -> None:
    """What was measured fades with every push that goes elsewhere."""
    lanes = [UserCalls(), UserCalls()]
    lanes[0].seconds[QueuedCall.PUSH], lanes[1].seconds[QueuedCall.PUSH] = 300.0, 2.0
    chosen = [choose(lanes) for _ in range(60)]
    assert chosen[:30] == [1] * 30
    assert 0 in chosen[30:]


@pytest.mark.parametrize("at_once", [2, 4, 8, 16])
@pytest.mark.parametrize("speeds", [(1.0, 1.0), (1.0, 3.0), (3.0, 1.0), (1.0, 2.0, 4.0)])
def test_work_is_shared_by_speed(speeds: tuple[float, ...], at_once: int) -> None:
    """Users who are served one call at a time finish as soon as sharing can make them.

    *speeds* are the seconds of a push for each user. Nobody could do better than to keep the
    fastest busy all the time, as many as may be busy at once.
    """
    pushes = 400
    took, done = _simulate(speeds, pushes, at_once)
    best = pushes / sum(1 / seconds for seconds in sorted(speeds)[:at_once])
    assert took <= best * 1.12 + max(speeds) * 2
    assert len(done) == len(speeds)
    for slow, fast in itertools.permutations(done, 2):
        assert speeds[slow] <= speeds[fast] or done[slow] < done[fast]


def _simulate(speeds: tuple[float, ...], pushes: int, at_once: int) -> tuple[float, Counter[int]]:
    """Push through queues, and tell how long it took and how many each user made."""
    lanes = [UserCalls() for _ in speeds]
    free_s = [0.0 for _ in speeds]
    done: Counter[int] = Counter()
    back: list[tuple[float, int, float]] = []
    now_s = 0.0
    for _ in range(pushes):
        if len(back) == at_once:
            now_s, place, left_s = heapq.heappop(back)
            lanes[place].returns(QueuedCall.PUSH, left_s, now_s)
        place = choose(lanes)
        lanes[place].leaves(QueuedCall.PUSH)
        free_s[place] = max(now_s, free_s[place]) + speeds[place]
        heapq.heappush(back, (free_s[place], place, now_s))
        done[place] += 1
    return max(free_s), done


def test_a_user_who_meets_limits_rests_while_another_gets_through() -> None:
    """Such answers are fast; the user is tried again, more seldom each time."""
    lanes, tries = [UserCalls(), UserCalls()], []
    for nth in range(200):
        chosen = choose(lanes)
        lanes[chosen].leaves(QueuedCall.PUSH)
        lanes[chosen].returns(QueuedCall.PUSH, nth, nth + 1, measures=chosen == 0)
        if chosen:
            lanes[chosen].meet_limit()
            tries.append(nth)
        else:
            lanes[chosen].get_through()
    assert 3 <= len(tries) <= 7
    assert 60 <= max(late - early for early, late in itertools.pairwise(tries)) <= 65


def test_a_limit_that_all_users_meet_lets_none_of_them_rest() -> None:
    """It is the site's."""
    lanes = [UserCalls(), UserCalls()]
    for lane in lanes:
        lane.meet_limit()
    choose(lanes)
    assert [lane.rests for lane in lanes] == [0, 0]
