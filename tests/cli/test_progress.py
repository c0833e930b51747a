"""What the operator sees while a run goes on."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from rich.cells import cell_len
from rich.console import Console
from trio.testing import MockClock

from k3push.adapters.clock import SystemClock
from k3push.cli.console.look_progress import LookProgress
from k3push.cli.console.progress import LINE_EVERY_S, RunProgress
from k3push.core.control_words import Key
from k3push.core.model import (
    Attempt,
    BillNumber,
    Intent,
    Outcome,
    Repeat,
    RunId,
    State,
    Target,
    Uptime,
)
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.pacing.pace import Pace
from k3push.core.pacing.samples import CallSample
from k3push.core.safety.verdict import InDoubt, Verdict
from k3push.runs.throttle import Throttle
from k3push.simulator.books.forms import IN_STOCK
from k3push.words.language import Lang, speaker
from tests.runs.office import Notebook, Office, orders, sandbox, steps
from tests.runs.rough_answers import NO_CANARY

NUMBERS = tuple(BillNumber(f"CGDD{index:07d}") for index in range(4))
ATTEMPT = Attempt(
    1,
    Intent(
        RunId("r1"), 1, 1, NUMBERS, {}, b"{}", datetime(2026, 11, 25, tzinfo=UTC), Uptime("", 0)
    ),
)
MADE = [Outcome(number, State.PUSHED, (Target("1", "CGRK1"),)) for number in NUMBERS]
EVENING = datetime(2026, 11, 25, 21, 4).astimezone()  # the wall's own time
HOLDS = [
    Hold(HoldCause.CONTROL, since=EVENING),
    Hold(HoldCause.WINDOW, until=EVENING.replace(hour=20, minute=0)),
    Hold(HoldCause.ERP, "调用限制：请稍后再试" * 9),
]
LOST = [Outcome(number, State.UNKNOWN, code="broken") for number in NUMBERS]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def screen(*, terminal: bool, kind: str = "xterm") -> Console:
    """Return a console of 80 columns that keeps what is written."""
    environ = {"TERM": kind}
    return Console(
        file=io.StringIO(), width=80, force_terminal=terminal, color_system=None, _environ=environ
    )


def steered(
    concurrency: int | None = None, chunk_size: int | None = None, calls_per_minute: int = 0
) -> Throttle:
    """Return what the run is driven with."""
    return Throttle(
        SystemClock(),
        concurrency=concurrency,
        chunk_size=chunk_size,
        calls_per_minute=calls_per_minute,
    )


def drawn(console: Console, progress: RunProgress) -> list[str]:
    """Return the lines of the bar, and see that each fits the screen."""
    lines = console.render_lines(progress.render(), pad=False)
    texts = ["".join(segment.text for segment in line) for line in lines]
    assert all(cell_len(text) <= console.width for text in texts), texts
    return [text.rstrip() for text in texts]


def written(console: Console) -> str:
    """Return what a console was given."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.anyio
@pytest.mark.parametrize("is_dumb", [False, True])
async def test_without_a_terminal_there_is_a_line_now_and_then(*, is_dumb: bool) -> None:
    """A log file of a night shows that the run went on, and holds no bar; nor does a dumb one."""
    console = screen(terminal=is_dumb, kind="dumb")
    with RunProgress(console, speaker("en"), {State.PLANNED: 4}, steered()) as progress:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(progress.tell_now_and_then)
            await anyio.sleep(LINE_EVERY_S + 1)
            progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
            progress.waiting("the ERP is updated", 2 * LINE_EVERY_S)
            await anyio.sleep(LINE_EVERY_S)
            tasks.cancel_scope.cancel()
    first, wait, last = written(console).splitlines()
    assert first == "0/4 · 4 calls × 10"
    assert wait == "waiting 60 s: the ERP is updated"
    assert re.fullmatch(r"0/4 · waiting \d+ s: the ERP is updated · 4 calls × 10 · unknown 4", last)


def test_a_number_counts_once_whatever_becomes_of_it() -> None:
    """Doubt that is settled must not be counted as done twice."""
    progress = RunProgress(screen(terminal=False), speaker("en"), {State.PLANNED: 5}, steered())
    rejected = Outcome(BillNumber("CGDD9"), State.REJECTED, code="precheck")
    progress.concluded([rejected], left=State.PLANNED)
    progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
    assert progress.done == 1
    progress.concluded(MADE, left=State.UNKNOWN)
    assert progress.done == 5
    assert +progress.counts == {State.PUSHED: 4, State.REJECTED: 1}


def test_a_bar_whose_lines_list_one_bill_comes_to_its_end() -> None:
    """Whether two lines are one bill is known only once the ERP was asked."""
    progress = RunProgress(screen(terminal=False), speaker("en"), {State.PLANNED: 5}, steered())
    progress.repeated([Repeat(2, BillNumber("cgdd0000000"), 1)])
    progress.recorded(ATTEMPT, MADE, InDoubt("broken", "reset"), 1.0)
    assert (progress.done, progress.total) == (4, 4)
    assert not progress.counts[State.PLANNED]


def test_a_bar_counts_to_what_a_limit_lets_through() -> None:
    """`--limit 100` of ten thousand is at its end after a hundred."""
    counts = {State.PLANNED: 100, State.ALREADY: 1}
    progress = RunProgress(screen(terminal=False), speaker("en"), counts, steered(), most=4)
    progress.recorded(ATTEMPT, MADE, InDoubt("broken", "reset"), 1.0)
    assert (progress.done, progress.total) == (5, 5)
    more = RunProgress(screen(terminal=False), speaker("en"), counts, steered(), most=500)
    assert more.total == 101


@dataclass
class Watch:
    """A clock that is set by hand."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now_s


def test_what_pushes_nothing_foretells_no_push() -> None:
    """`settle` and `follow` leave planned numbers alone: their time and pace would be made up."""
    console = screen(terminal=True)
    counts = {State.PLANNED: 494, State.UNKNOWN: 5, State.PUSHED: 1}
    now = Watch()
    progress = RunProgress(console, speaker("en"), counts, steered(4, 10), most=0, now_s=now)
    assert drawn(console, progress)[0].endswith(" 1/6")
    now.now_s = 60
    progress.concluded(MADE, left=State.UNKNOWN)
    assert drawn(console, progress)[0].endswith(" 5/6")


@pytest.mark.parametrize("width", [80, 40, 20])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("held", [None, *HOLDS])
def test_on_a_terminal_the_bar_never_wraps(width: int, lang: Lang, held: Hold | None) -> None:
    """A bar that wraps fills the screen with its remains, and Chinese is twice as wide."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    counts = {State.PLANNED: 400_000, State.PUSHED: 350_000, State.REJECTED: 9_999}
    time_s = Watch()
    throttle = steered(concurrency=256, chunk_size=10_000, calls_per_minute=6_000)
    progress = RunProgress(console, speaker(lang), counts, throttle, now_s=time_s)
    time_s.now_s = 3.0
    progress.concluded([Outcome(BillNumber("CGDD9"), State.ALREADY)], left=State.PLANNED)
    progress.held(held)
    lines = drawn(console, progress)
    assert len(lines) == 2 or (held is not None and len(lines) == 3)


def test_why_a_run_waits_is_read_on_a_narrow_terminal() -> None:
    """A bar that stands still for minutes and says nothing is taken for a program that hangs."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 20}, steered(), now_s=Watch())
    progress.waiting("the ledger is elsewhere than before: nothing is sent until it is sure", 323)
    course, _, why = drawn(console, progress)
    assert "0/20" in course
    assert why.startswith("waiting 323 s: the ledger is elsewhere than before")


def test_the_bar_tells_how_fast_it_goes_and_when_it_ends() -> None:
    """An operator who steers must see at once what came of it."""
    console, time_s = screen(terminal=True), Watch()
    throttle = steered(concurrency=4, chunk_size=20, calls_per_minute=60)
    counts = {State.PLANNED: 100, State.REJECTED: 2}
    progress = RunProgress(console, speaker("en"), counts, throttle, now_s=time_s)
    time_s.now_s = 2.0
    progress.recorded(ATTEMPT, MADE, InDoubt("broken", "reset"), 1.0)
    course, standing = drawn(console, progress)
    assert course.endswith("6/102 · ETA 0:00:15 to 0:00:56 · 2.0/s · 4 calls × 20")
    assert standing == "rejected 2 · pushed 4"
    throttle.fix(Key.CONCURRENCY, 9)
    assert "9 calls × 20" in drawn(console, progress)[0]


def test_the_time_left_is_a_range_while_little_is_known() -> None:
    """A run begins with one number and ends with many calls at once."""
    time_s, console = Watch(), screen(terminal=True)
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 101}, steered(), now_s=time_s)
    for nth in range(1, 33):
        time_s.now_s = float(nth)
        progress.concluded([Outcome(BillNumber(f"CGDD{nth}"), State.ALREADY)], left=State.PLANNED)
        if nth == 1:
            assert "ETA 0:00:01 to 0:01:55" in drawn(console, progress)[0]
    assert "ETA 0:00:59 to 0:01:17 ·" in drawn(console, progress)[0]


def test_the_model_of_the_server_tells_the_time_left_where_there_is_one() -> None:
    """It knows how many calls there will be, which no count of numbers tells."""
    time_s, console, throttle = Watch(), screen(terminal=True), steered()
    pace = Pace()
    throttle.foresee(pace.time_left)
    counts = {State.PLANNED: 104}
    progress = RunProgress(console, speaker("en"), counts, throttle, now_s=time_s)
    time_s.now_s = 1.0
    assert "ETA" not in drawn(console, progress)[0]
    progress.recorded(ATTEMPT, MADE, InDoubt("broken", "reset"), 1.0)
    pace.add(CallSample(0, 1.0, push_s=0.5, numbers=1))
    assert "ETA 0:00:01 to 0:01:40" in drawn(console, progress)[0]
    pace.size(103, 100, 4, made=1)
    pace.add(CallSample(1.0, 3.0, push_s=1.5, numbers=4))
    assert "ETA 0:00:01 to 0:00:15" in drawn(console, progress)[0]


def test_under_a_limit_on_calls_the_time_left_is_wide_until_calls_have_told() -> None:
    """The first number has waited for its turns as others will not, and a chunk holds many."""
    time_s, console, throttle = Watch(), screen(terminal=True), steered(calls_per_minute=60)
    pace = Pace()
    throttle.foresee(pace.time_left)
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 1004}, throttle, now_s=time_s)
    time_s.now_s = 15.0
    progress.recorded(ATTEMPT, MADE, InDoubt("broken", "reset"), 1.0)
    pace.add(CallSample(0, 15.0, push_s=0.5, numbers=1))
    # 1,000 numbers in five chunks need fifteen calls, one a second.
    assert "ETA 0:00:15 to 4:10:00" in drawn(console, progress)[0]
    throttle.fix(Key.CHUNK_SIZE, 10)
    assert "ETA 0:05:00 to 4:10:00" in drawn(console, progress)[0]


def test_the_rate_is_that_of_the_last_minute() -> None:
    """After a night's pause the mean of the night says nothing."""
    time_s = Watch()
    console = screen(terminal=True)
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 100}, steered(), now_s=time_s)
    for time_s.now_s in (30_000.0, 30_050.0, 30_061.0):
        there = Outcome(BillNumber(str(time_s.now_s)), State.ALREADY)
        progress.concluded([there], left=State.PLANNED)
    assert "3/100 · ETA 0:21:06 to 1:14:22 · 2.0/min" in drawn(console, progress)[0]


@pytest.mark.parametrize(
    ("hold", "lang", "words"),
    [
        (HOLDS[0], "en", "paused by control since 21:04"),
        (HOLDS[0], "zh", "21:04 起由 control 暂停"),
        (HOLDS[1], "en", "outside the window until 20:00"),
        (HOLDS[1], "zh", "不在发送时段，20:00 开始"),
    ],
)
def test_a_hold_is_named_with_its_time(hold: Hold, lang: Lang, words: str) -> None:
    """Whoever finds a bar that stands still must not have to guess."""
    console = screen(terminal=True)
    with RunProgress(console, speaker(lang), {State.PLANNED: 4}, steered()) as progress:
        progress.held(hold)
        assert words in drawn(console, progress)[0]


def test_without_a_terminal_a_hold_has_a_line_of_its_own() -> None:
    """A log tells when the sending ended and when it went on."""
    console = screen(terminal=False)
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 4}, steered())
    for hold in (HOLDS[1], None, HOLDS[2], None):
        progress.held(hold)
    assert written(console).splitlines() == ["outside the window until 20:00", "sending again"]


def test_a_wait_is_counted_down_in_the_bar() -> None:
    """What is waited for, and how long still."""
    console, time_s = screen(terminal=True), Watch()
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 4}, steered(), now_s=time_s)
    with progress:
        progress.waiting("connection refused", 6.0)
        progress.held(HOLDS[2])
        time_s.now_s = 1.5
        assert "waiting 5 s: connection refused" in drawn(console, progress)[0]
        time_s.now_s = 6.0
        progress.held(None)
        assert "waiting" not in drawn(console, progress)[0]
        progress.waiting("connection refused", 6.0)
        progress.held(HOLDS[0])
        assert "paused by control" in drawn(console, progress)[0]


def test_looks_that_wait_side_by_side_are_told_once() -> None:
    """Three looks meet one broken line together; the next time they wait longer."""
    console, time_s = screen(terminal=False), Watch()
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 4}, steered(), now_s=time_s)
    for at_s, seconds in ((0.0, 2.0), (0.2, 2.0), (0.3, 2.0), (2.5, 6.0), (2.6, 6.0)):
        time_s.now_s = at_s
        progress.waiting("connection refused", seconds)
    told = [line.split(":")[0] for line in written(console).splitlines()]
    assert told == ["waiting 2 s", "waiting 6 s"]


def test_a_command_that_is_stopped_in_its_midst_leaves_a_cursor() -> None:
    """Ctrl-Z goes back to the shell, and a kill ends there, while the bar is drawn."""
    counts = {State.PLANNED: 4}
    bars: list[Callable[[Console], AbstractContextManager[object]]] = [
        lambda console: RunProgress(console, speaker("en"), counts, steered()),
        lambda console: LookProgress(console, speaker("en"), str, quiet=False),
    ]
    for bar in bars:
        console = screen(terminal=True)
        with bar(console):
            hidden, shown = (written(console).rfind(f"\x1b[?25{how}") for how in "lh")
            assert shown > hidden >= 0


def test_quiet_means_quiet() -> None:
    """What was asked for with --quiet is a summary and nothing before it."""
    console = screen(terminal=True)
    with RunProgress(console, speaker("en"), {State.PLANNED: 4}, steered(), quiet=True) as progress:
        progress.waiting("HTTP 503", 2.0)
        progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
    assert written(console) == ""


class Bar(Notebook):
    """A watch that counts as the bar does."""

    def __init__(self, numbers: int, on_planned: Callable[[BillNumber], object]) -> None:
        super().__init__()
        counts = {State.PLANNED: numbers}
        self.bar = RunProgress(screen(terminal=False), speaker("en"), counts, steered())
        self.on_planned = on_planned

    def concluded(self, outcomes: Sequence[Outcome], *, left: State) -> None:
        """Count moves."""
        super().concluded(outcomes, left=left)
        self.bar.concluded(outcomes, left=left)
        for outcome in outcomes:
            if outcome.state is State.PLANNED:
                self.on_planned(outcome.number)

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Count a sending."""
        super().recorded(attempt, outcomes, verdict, seconds)
        self.bar.recorded(attempt, outcomes, verdict, seconds)


@pytest.mark.anyio
@pytest.mark.parametrize("late", [True, False])
async def test_the_bar_counts_as_the_ledger_does(*, late: bool) -> None:
    """A number is found right before it travels again, or is given up after it broke each call."""
    office = Office(sandbox(steps(*["reset"] * (1 if late else 40)), latency_s=1.0, orders=2))
    (number,) = orders(1)
    await office.open_run([number])

    def make_late(bill: BillNumber) -> None:
        if late:
            office.site.world.add_target(IN_STOCK, bill, creator="sandbox")

    watch = Bar(1, make_late)
    pushed = await office.execute(watch=watch, limits=NO_CANARY, check=False)
    assert +watch.bar.counts == Counter(row.state for row in pushed.rows.values())
    assert min(watch.bar.counts.values()) >= 0
