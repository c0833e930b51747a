"""What the end of a run, `status` and `explain` all tell: counts, reasons, causes, advice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from k3push.core.advice.clusters import Cluster, Clusters
from k3push.core.advice.diagnosis import Advice, advise
from k3push.core.model import Follow, Repeat, Run, State, label_of
from k3push.core.remark import remark
from k3push.reporting.phrases import cause_words
from k3push.runs.outcome import NOT_FOLLOWED, Ending, Exit, Followed
from k3push.runs.stop import Cause
from k3push.words.language import Say, harmless
from k3push.words.width import columns, cut, filled

COLUMNS = 80

NAME_COLUMNS = 10
"""Columns of the longest name of a state or a forecast, in either language."""
CLUSTERS_SHOWN = 5
LONGEST_EXAMPLE = 30
"""Columns of a number beside a reason; longer ones are shown in part."""

_COLOURS = {
    State.PUSHED: "green",
    State.ALREADY: "cyan",
    State.DRAFT: "yellow",
    State.REJECTED: "red",
    State.UNKNOWN: "magenta",
    State.PLANNED: "white",
    State.SENT: "white",
}

NO_LOOK_SETTLES = frozenset({Cause.UNPROVED, Cause.PERSON})
"""What ends an execution while numbers stay in doubt that no look can settle."""

_IN_THE_ERPS_WORDS = frozenset({Cause.LOGIN_REFUSED, Cause.LOOK_REFUSED})


def no_look_settles(causes: Collection[Cause]) -> bool:
    """Say whether an execution that ended so has left doubts to a person."""
    return not NO_LOOK_SETTLES.isdisjoint(causes)


def state_table(counts: Mapping[State, int], say: Say) -> str:
    """Return the counts as lines for a terminal, with rich's colours."""
    return "\n".join(
        count_line(say(f"state.{state}"), counts[state], _COLOURS[state])
        for state in State
        if counts.get(state)
    )


def count_line(name: str, count: int, colour: str) -> str:
    """Return one count, the figures of several below one another."""
    return f"  [{colour}]{filled(name, NAME_COLUMNS)}[/] {count:>9,}"


def reason_lines(clusters: Clusters, say: Say, *, causes: Collection[Cause] = ()) -> list[str]:
    """Return why numbers came to nothing and what to do, in lines of at most 80 columns.

    Args:
        clusters: The numbers, by what they say.
        causes: Why the execution ended: what no look can settle is not advised to be looked at.
    """
    largest = clusters.largest(hopeless=no_look_settles(causes))
    shown = largest[:CLUSTERS_SHOWN]
    lines = ["  " + say("reason.heading")] if shown else []
    for cluster in shown:
        lines.append(_headline(cluster, say))
        lines += advice_lines(cluster.advice, say.said(cluster.shape), say, indent=6)
    rows = clusters.total - sum(cluster.count for cluster in shown)
    if rows:
        lines.append("    " + say("reason.more", reasons=len(largest) - len(shown), rows=rows))
    return lines


def advice_lines(advice: Advice | None, reason: str, say: Say, *, indent: int) -> list[str]:
    """Return the cause, unless *reason* has said it, and the cure; nothing if none is known.

    Args:
        reason: The reason as it was said.
        indent: Spaces before each line.
    """
    if advice is None:
        return []
    cause = say(advice.cause)
    lines = [f"→ {say(advice.cure)}"] if cause in reason else [cause, f"→ {say(advice.cure)}"]
    return [" " * indent + line for line in lines]


def odd_lines(say: Say, *, twins: int, partly: int) -> list[str]:
    """Tell of numbers that have more documents than they should, or fewer."""
    counts = {"summary.twins": twins, "summary.partly": partly}
    return [say(key, count=count) for key, count in counts.items() if count]


def cause_lines(causes: Mapping[Cause, str], say: Say) -> list[str]:
    """Return why an execution stopped before its end."""
    lines = []
    for cause, why in causes.items():
        lines.append(cause_words(cause, why, say))
        if cause in _IN_THE_ERPS_WORDS:
            told = advice_lines(advise("", why), say.said(why), say, indent=2)
            # What a stop leaves is planned, and none of it is rejected.
            lines += [line.replace("`k3push retry", "`k3push resume") for line in told]
    return lines


def repeat_words(ending: Ending, repeat: Repeat, say: Say) -> str:
    """Say which line names a number again, with the job files where there are several."""
    told = {"line": repeat.line, "number": label_of(repeat.number), "first": repeat.first_line}
    file, first_file = ending.places_of(repeat)
    if not file:
        return say("notice.repeated", **told)
    if file == first_file:
        return say("notice.repeated_there", file=file, **told)
    return say("notice.repeated_in", file=file, first_file=first_file, **told)


def results_line(run: Run, say: Say) -> str:
    """Say where the results of a run are; "" where their folder is not there.

    It may not be made yet, could not be made, or is on another machine.
    """
    if not run.folder:
        return say("summary.folder", folder=remark("summary.ledger_alone"))
    return say("summary.folder", folder=run.folder) if Path(run.folder).is_dir() else ""


def follow_line(followed: Followed, say: Say) -> str:
    """Say how far documents have come after their push; "" where none were to be followed."""
    parts = [
        f"{say(f'follow.{follow}')} {followed.counts[follow]:,}"
        for follow in Follow
        if follow.value and followed.counts.get(follow)
    ]
    if followed.left:
        parts.append(say("summary.follow_left", left=followed.left))
    if followed.unnamed:
        parts.append(say("summary.follow_unnamed", count=followed.unnamed))
    return say("summary.follow", counts=" · ".join(parts)) if parts else ""


def next_step(
    counts: Mapping[State, int], code: Exit, say: Say, followed: Followed = NOT_FOLLOWED
) -> str:
    """Say what a person does now."""
    if counts.get(State.SENT):
        return say("exit.sent")
    if code is Exit.SOME_REJECTED and not any(map(counts.get, (State.REJECTED, State.DRAFT))):
        return say("exit.3.follow" if followed.for_person else "exit.3.odd")
    if code is Exit.SOME_UNKNOWN and not counts.get(State.UNKNOWN):
        return say("exit.4.follow")
    if code is Exit.SOME_UNKNOWN and counts.get(State.PLANNED):
        # The next bill may be what proves that the others can be looked up.
        return say("exit.4.planned")
    return say(f"exit.{int(code)}")


def _headline(cluster: Cluster, say: Say) -> str:
    """Count, message and an example."""
    words = say.said(cluster.shape) or harmless(cluster.code)
    return counted_line(words, cluster.count, cluster.examples[0])


def counted_line(words: str, count: int, example: str) -> str:
    """Return how many numbers have met something, and one of them, by which all else is found.

    >>> counted_line("订" * 40, 2, "CGDD0000017").removeprefix("    2 × " + "订" * 27)
    '… (CGDD0000017, …)'
    """
    line = f"    {count:,} × {words}"
    example = f" ({cut(harmless(example), LONGEST_EXAMPLE)}{', …' if count > 1 else ''})"
    return cut(line, COLUMNS - columns(example)) + example
