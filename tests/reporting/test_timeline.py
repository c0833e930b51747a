"""What the figures of a run show."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from k3push.core.model import Answered, Attempt, BillNumber, NeverSent, NoAnswer, Row, RunId, State
from k3push.ports import AttemptRecord
from k3push.reporting.charts import HEIGHT, TOP
from k3push.reporting.timeline import Timeline
from k3push.words.language import speaker
from tests.adapters.ledger.samples import intent
from tests.reporting.pages import NOON

say = speaker("en")


def timeline(calls: int, rows: int = 0) -> Timeline:
    """Return a run of calls a second apart, each two seconds long."""
    made = Timeline()
    for nth in range(calls):
        began = NOON + timedelta(seconds=nth)
        made.add_span(began, began + timedelta(seconds=2))
    for nth in range(rows):
        done = BillNumber(str(nth))
        made.add_row(Row(nth, nth, done, done, State.PUSHED, settled_at=NOON))
    return made


@pytest.mark.parametrize("calls", [1, 2, 3, 7, 40, 1000])
def test_an_axis_of_counts_has_whole_numbers(calls: int) -> None:
    """There is no half a call."""
    for chart in timeline(calls, calls).charts(say):
        if chart.title == say("report.answer_times"):
            continue
        words = [level.text for level in chart.levels]
        assert words[0] == "0", chart.title
        assert all(re.fullmatch(r"[\d,]+", word) for word in words), chart.title


def test_each_figure_has_a_legend() -> None:
    """A colour without a name says nothing, and a bar stands for a time."""
    charts = {
        chart.title: [each.name for each in chart.series] for chart in timeline(61, 5).charts(say)
    }
    assert charts == {
        "Numbers done": ["pushed"],
        "Calls that pushed": ["calls in 0.5 s"],
        "Seconds a call took, read-back included": ["slowest twentieth", "median"],
        "Calls at once": ["most at once"],
        "Numbers in a call": ["numbers in the largest call"],
    }


def test_counts_are_bars_and_the_median_lies_upon_the_slowest() -> None:
    """Where both are one, the narrow line is seen upon the broad one."""
    charts = {chart.title: chart for chart in timeline(3).pace(say)}
    kinds = {title: [shape.kind for shape in chart.shapes] for title, chart in charts.items()}
    assert kinds == {
        "Calls that pushed": ["bar"],
        "Seconds a call took, read-back included": ["line", "line"],
        "Calls at once": ["bar"],
    }
    assert charts["Calls that pushed"].shapes[0].path.count("Z") == 3
    slow, median = charts["Seconds a call took, read-back included"].shapes
    assert (slow.colour, median.colour) == ("c-slow", "c-median")
    assert slow.path == median.path


def test_a_call_whose_end_a_kill_kept_from_the_ledger_is_open_at_its_beginning_alone() -> None:
    """It had counted to the end of the run, and where nothing ran at all."""
    made = timeline(60)
    made.calls.append((NOON + timedelta(seconds=10.5), None, 5))
    (chart,) = (each for each in made.pace(say) if each.title == say("report.at_once"))
    tops = [float(each) for each in re.findall(r"M[\d.]+,[\d.]+V([\d.]+)", chart.shapes[0].path)]
    assert [top for top in tops if top == min(tops)] == [min(tops)]
    assert tops[-2] == tops[5]


def test_what_has_never_left_is_no_call() -> None:
    """An ERP that was away for an hour had the most calls, and the quickest answers."""
    made, attempt = Timeline(), Attempt(1, intent(RunId("r1"), "A"))
    answered, unsent = Answered(200, b"{}"), NeverSent("connection refused")
    for exchange in (answered, unsent, NoAnswer("reset"), None):
        ended = NOON if exchange else None
        made.add_attempt(AttemptRecord(attempt, exchange, "", ended))
    assert len(made.calls) == 3


def test_quick_calls_are_told_apart() -> None:
    """Calls of some milliseconds would all lie on the ground of an axis of a second."""
    made = Timeline()
    for nth in range(5):
        began = NOON + timedelta(seconds=nth)
        made.add_span(began, began + timedelta(milliseconds=nth + 1))
    answers = made.pace(say)[1]
    assert [level.text for level in answers.levels] == ["0", "0.0025", "0.005"]
    heights = [float(each) for each in re.findall(r"M[\d.]+,([\d.]+)", answers.shapes[0].path)]
    assert (heights[-1], len(set(heights))) == (TOP, 5)
    assert max(heights) < HEIGHT


@pytest.mark.parametrize("seconds", [0.4, 3, 30, 200, 9000])
def test_no_two_words_of_a_time_axis_are_the_same(seconds: float) -> None:
    """A run of three seconds would stand at one moment."""
    made = Timeline()
    for nth in range(5):
        began = NOON + timedelta(seconds=seconds * nth / 4)
        made.add_span(began, began)
    ticks = [tick.text for tick in made.pace(say)[0].ticks]
    assert len(set(ticks)) == len(ticks), ticks
