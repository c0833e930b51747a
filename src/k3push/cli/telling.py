"""What the end of a run, `status` and `explain` all tell: counts, reasons, causes, advice."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from k3push.cli.words import Say
from k3push.core.advice import Advice, advise
from k3push.core.clusters import Cluster, Clusters
from k3push.core.halting import Breach
from k3push.core.model import State
from k3push.job import Cause
from k3push.reporting.ending import Exit
from k3push.reporting.phrases import cause_words

COLUMNS = 80
CLUSTERS_SHOWN = 5

_COLOURS = {
    State.PUSHED: "green",
    State.ALREADY: "cyan",
    State.DRAFT: "yellow",
    State.REJECTED: "red",
    State.UNKNOWN: "magenta",
    State.PLANNED: "white",
    State.SENT: "white",
}

_IN_THE_ERPS_WORDS = frozenset({Cause.LOGIN_REFUSED, Cause.LOOK_REFUSED})


def state_table(counts: Mapping[State, int]) -> str:
    """Return the counts as lines for a terminal, with rich's colours."""
    return "\n".join(
        f"  [{_COLOURS[state]}]{state.value:<9}[/] {counts[state]:>9,}"
        for state in State
        if counts.get(state)
    )


def reason_lines(clusters: Clusters, say: Say) -> list[str]:
    """Return why numbers came to nothing and what to do, in lines of at most 80 columns."""
    largest = clusters.largest()
    shown = largest[:CLUSTERS_SHOWN]
    lines = ["  " + say("reason.heading")] if shown else []
    for cluster in shown:
        lines.append(_headline(cluster))
        lines += advice_lines(cluster.advice, cluster.shape, say, indent=6)
    rows = clusters.total - sum(cluster.count for cluster in shown)
    if rows:
        lines.append("    " + say("reason.more", reasons=len(largest) - len(shown), rows=rows))
    return lines


def advice_lines(advice: Advice | None, reason: str, say: Say, *, indent: int) -> list[str]:
    """Return the cause, unless *reason* has said it, and the cure; nothing if none is known."""
    if advice is None:
        return []
    cause = say(advice.cause)
    lines = [f"→ {say(advice.cure)}"] if cause in reason else [cause, f"→ {say(advice.cure)}"]
    return [" " * indent + line for line in lines]


def cause_lines(causes: Mapping[Cause, str], say: Say, breach: Breach | None = None) -> list[str]:
    """Return why an execution stopped before its end; *breach* is the limit that stopped it."""
    lines = []
    for cause, why in causes.items():
        lines.append(cause_words(cause, why, breach, say))
        if cause in _IN_THE_ERPS_WORDS:
            lines += advice_lines(advise("", why), why, say, indent=2)
    return lines


def next_step(counts: Mapping[State, int], code: Exit, say: Say) -> str:
    """Say what a person does now."""
    return say("exit.sent" if counts.get(State.SENT) else f"exit.{int(code)}")


def _headline(cluster: Cluster) -> str:
    """Count, message and an example, if there is room for it."""
    line = f"    {cluster.count:,} × {cluster.shape or cluster.code}"
    example = f" ({cluster.examples[0]}{', …' if cluster.count > 1 else ''})"
    if columns(line + example) <= COLUMNS:
        return line + example
    while columns(line) > COLUMNS:
        line = line.removesuffix("…")[:-1] + "…"
    return line


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
