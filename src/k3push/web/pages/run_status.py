"""How a run stands, in words, and which commands would change something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from k3push.core.control_words import Command, Key, Verb
from k3push.reporting.phrases import act_words, clock
from k3push.runs.kept_in_ledger.request_stages import Act
from k3push.web.pages.live import RunView
from k3push.words.language import Say

MOST_COMMANDS = 5

# What stands on the buttons and beside the fields of commands.
_NAMES = {
    "pause": "web.pause",
    "continue": "web.continue",
    "stop": "web.stop",
    "concurrency": "web.concurrency",
    "chunk-size": "web.chunk-size",
    "calls-per-minute": "web.calls-per-minute",
}


def how(view: RunView, say: Say) -> str:
    """Say in a word or two whether a run goes on, or how it ended."""
    if view.alive:
        return say("web.under_way")
    if view.waits or view.asked:
        return say("web.waits" if view.waits else "desk.begins")
    code = view.run.exit
    return say("web.killed") if code is None else say("status.exit", code=code)


def kind(view: RunView) -> str:
    """Return the class of the style sheet for how a run stands."""
    if view.alive:
        return "alive"
    if view.waits or view.asked:
        return "waits"
    code = view.run.exit
    return "exit-6" if code is None else f"exit-{code}"


def pace(view: RunView, say: Say) -> list[str]:
    """Say how quickly a run goes and how long it will take, as far as that is known."""
    parts = []
    if view.rate:
        slow = view.rate < 1
        rate = view.rate * 60 if slow else view.rate
        parts.append(say("progress.slow" if slow else "progress.rate", rate=f"{rate:.1f}"))
    if view.left_s is not None:
        least, most = (timedelta(seconds=math.ceil(each)) for each in view.left_s)
        if least == most:
            parts.append(say("web.left", left=most))
        else:
            parts.append(say("web.left_range", least=least, most=most))
    return parts


def heard(view: RunView, say: Say) -> str:
    """Say how a run stands, for those who hear the page."""
    return say("web.heard", done=view.done, total=view.total, how=how(view, say))


def offered(view: RunView) -> list[Verb]:
    """Return the commands that would change something now."""
    given = [each.command.verb for each in view.commands]
    if Verb.STOP in given:
        return []
    paused = next((verb for verb in reversed(given) if verb is not Verb.SET), None) is Verb.PAUSE
    return [Verb.CONTINUE if paused else Verb.PAUSE, Verb.STOP]


def deed(act: Act, say: Say) -> str:
    """Say what somebody has done, with the names of buttons for commands."""
    told = named(act.detail, say) if act.what == "control" else act.detail
    return act_words(replace(act, detail=told), say)


def named(command: Command | str, say: Say) -> str:
    """Return what a command is called where it is given.

    >>> named("pause", Say("zh")), named("set concurrency=8", Say("zh")), named("other", Say("zh"))
    ('暂停', '并发调用数 8', 'other')
    """
    verb, _, setting = str(command).partition(" ")
    key, _, value = setting.partition("=")
    words = _NAMES.get(key or verb)
    return f"{say(words)} {value}".rstrip() if words else str(command)


def in_force(view: RunView, key: Key, settings: Mapping[Key, int | str]) -> int | str:
    """Return what a quantity is set to: by the last command that was obeyed, else by *settings*."""
    obeyed = (each.command for each in reversed(view.commands) if each.obeyed_at is not None)
    last = next((each for each in obeyed if each.key is key), None)
    if last is not None and last.value is not None:
        return last.value
    # Of the calls a minute, auto is what the settings say.
    said = last is None or key is Key.CALLS_PER_MINUTE
    return settings.get(key, "auto") if said else "auto"


def orders(view: RunView, say: Say) -> list[str]:
    """Name the last commands to a run, and when each was obeyed."""
    lines = []
    for given in view.commands[-MOST_COMMANDS:]:
        if given.obeyed_at is None:
            command = named(given.command, say)
            lines.append(say("status.asked", command=command, at=clock(given.given_at)))
            continue
        facts = {"command": named(given.command, say), "at": clock(given.obeyed_at)}
        if given.on_their_way:
            lines.append(say("web.obeyed_open", **facts, count=given.on_their_way))
        else:
            lines.append(say("web.obeyed", **facts))
    return lines
