"""How a run stands, in words and as the parts of a page that change while it goes."""

from __future__ import annotations

import math
from datetime import timedelta
from html import escape

from k3push.core.model import Run, State
from k3push.reporting.page import tiles
from k3push.reporting.phrases import clock, hold_words
from k3push.reporting.timeline import Say
from k3push.web.live import Standing

MOST_COMMANDS = 5


def how(run: Run, *, alive: bool, say: Say) -> str:
    """Say in a word or two whether a run goes on, or how it ended."""
    if alive:
        return say("web.under_way")
    return say("web.killed") if run.exit is None else say("web.exit", code=run.exit)


def kind(run: Run, *, alive: bool) -> str:
    """Return the class of the style sheet for how a run stands."""
    if alive:
        return "alive"
    return "exit-6" if run.exit is None else f"exit-{run.exit}"


def badge(standing: Standing, say: Say) -> str:
    """Show in a word or two how a run stands."""
    words = how(standing.run, alive=standing.alive, say=say)
    return f'<span class="badge {kind(standing.run, alive=standing.alive)}">{escape(words)}</span>'


def progress(standing: Standing, say: Say) -> str:
    """Show how far a run is, how quickly it goes, and what it has made of its numbers."""
    label = escape(say("web.progress_label"))
    parts = [say("web.progress", done=standing.done, total=standing.total), *pace(standing, say)]
    held = [hold_words(standing.orders.hold, say)] if standing.orders.hold else []
    return (
        f'<progress max="{max(standing.total, 1)}" value="{standing.done}" '
        f'aria-label="{label}"></progress>'
        f"<p>{' · '.join(map(escape, parts))}</p>"
        + "".join(f'<p class="held">{escape(line)}</p>' for line in held)
        + tiles(standing.counts, say)
    )


def pace(standing: Standing, say: Say) -> list[str]:
    """Say how quickly a run goes and how long it will take, as far as that is known."""
    parts = []
    if standing.rate:
        slow = standing.rate < 1
        rate = standing.rate * 60 if slow else standing.rate
        parts.append(say("progress.slow" if slow else "progress.rate", rate=f"{rate:.1f}"))
    if standing.left_s is not None:
        left = timedelta(seconds=math.ceil(standing.left_s))
        parts.append(say("web.left", left=left))
    return parts


def heard(standing: Standing, say: Say) -> str:
    """Say how a run stands, for those who hear the page."""
    words = how(standing.run, alive=standing.alive, say=say)
    return say("web.heard", done=standing.done, total=standing.total, how=words)


def orders(standing: Standing, say: Say) -> str:
    """Show the last commands to a run, and when each was obeyed."""
    lines = []
    for given in standing.commands[-MOST_COMMANDS:]:
        if given.obeyed_at is None:
            lines.append(say("status.asked", command=given.command, at=clock(given.given_at)))
            continue
        sentence = "web.obeyed_open" if given.on_their_way else "web.obeyed"
        at = clock(given.obeyed_at)
        lines.append(say(sentence, command=given.command, at=at, count=given.on_their_way))
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def brief(standing: Standing, say: Say) -> str:
    """Show in a cell of a list what a run has made of its numbers."""
    shown = " ".join(
        f'<span class="state s-{state}">{state} {standing.counts[state]:,}</span>'
        for state in State
        if standing.counts.get(state)
    )
    if not standing.alive:
        return shown
    label = escape(say("web.progress_label"))
    words = " · ".join(map(escape, pace(standing, say)))
    hold = standing.orders.hold
    held = f'<div class="held">{escape(hold_words(hold, say))}</div>' if hold else ""
    return (
        f'<progress max="{max(standing.total, 1)}" value="{standing.done}" '
        f'aria-label="{label}"></progress> {words}{held}<div>{shown}</div>'
    )
