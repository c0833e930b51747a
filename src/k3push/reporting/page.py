"""The report's page: what its template shows.

The page lets no other script or style run than its own, whose digests it names, and loads nothing
from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version

from k3push.core.advice.clusters import Cluster
from k3push.core.model import Follow, State
from k3push.reporting.charts import Chart
from k3push.reporting.html_templates import environment
from k3push.reporting.phrases import cause_words
from k3push.reporting.summary import follow_line, next_step, repeat_words
from k3push.runs.outcome import Ending
from k3push.words.language import Say

# What the script says; what it fills in itself stands in braces.
_SCRIPT_WORDS = (
    "line", "bill", "id", "targets", "ids", "code", "reason", "cause", "cure", "sent",
    "settled", "request", "answer", "verdict", "attempt", "unsent", "close", "found",
    "unprinted", "broken", "follow",
)  # fmt: skip
_COUNTED = ("attempt", "found", "unprinted")
_FILLED_IN = {key: f"{{{key}}}" for key in ("n", "id", "chunk", "nth", "at", "why")}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a page is made of, apart from its rows.

    Attributes:
        largest: Why numbers are where they are, the largest cluster first.
        left_out: Numbers whose rows the page does not hold.
    """

    ending: Ending
    largest: Sequence[Cluster]
    charts: Sequence[Chart]
    left_out: int
    made_at: datetime


def page(contents: Contents, packed: Iterable[str], say: Say) -> Iterator[str]:
    """Return the text of the page, bit by bit, with the *packed* rows in it."""
    return (
        environment("k3push.reporting")
        .get_template("report.html")
        .generate(
            ending=contents.ending,
            largest=contents.largest,
            charts=contents.charts,
            left_out=contents.left_out,
            made_at=contents.made_at,
            packed=packed,
            repeated=partial(repeat_words, contents.ending, say=say),
            say=say,
            said=_verdict(contents.ending, say),
            version=_version(),
            words=_script_words(contents.largest, say),
        )
    )


def _verdict(ending: Ending, say: Say) -> list[str]:
    what = next_step(ending.counts, ending.exit, say, ending.followed)
    lines = [say("summary.exit", code=int(ending.exit), what=what)]
    lines += filter(None, [follow_line(ending.followed, say)])
    lines += [cause_words(cause, why, say) for cause, why in ending.causes.items()]
    return [*lines, say("warning.unverified")] if ending.unverified else lines


def _script_words(largest: Sequence[Cluster], say: Say) -> dict[str, object]:
    advice = {
        str(each.place): (say(each.advice.cause), say(each.advice.cure))
        for each in largest
        if each.advice
    }
    return {**_words(say), "advice": advice}


# A worker writes a page for each run of thousands of tenants: what is the same in all of them is
# looked up once.
@cache
def _version() -> str:
    return version("k3push")


@cache
def _words(say: Say) -> Mapping[str, object]:
    words: dict[str, object] = {key: say(f"report.{key}", **_FILLED_IN) for key in _SCRIPT_WORDS}
    words["one"] = {key: say(f"report.{key}", **_FILLED_IN | {"n": 1}) for key in _COUNTED}
    states = {state.value: say(f"state.{state}") for state in State}
    follows = {follow.value: say(f"follow.{follow}") for follow in Follow if follow.value}
    return words | {"states": states, "follows": follows}
