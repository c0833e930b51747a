"""Tell people, where the settings name some, how an execution of a run ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from pathlib import Path

import anyio

from k3push.adapters.apprise_post import NotifierMissingError, notify, unknown_services
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.model import State
from k3push.core.remark import remark
from k3push.reporting.summary import cause_lines, follow_line, next_step, odd_lines
from k3push.runs.outcome import Ending, Exit, numbers_in_doubt
from k3push.runs.stop import Cause
from k3push.words.language import Say

TOLD_FOR_S = 3600.0
"""For so long the same trouble is told once."""


def recipients(settings: Settings) -> list[str]:
    """Return the addresses to tell, their secrets resolved.

    Raises:
        SettingsError: One cannot be had, or no service answers to it.
    """
    key = "notify.urls"
    urls = [secret.resolve(key, settings.file) for secret in settings.notify.urls]
    if not urls:
        return []
    try:
        unknown = unknown_services(urls)
    except NotifierMissingError:
        what = remark("setting.package", extra="notify")
        raise SettingsError.of(settings.file, key, what) from None
    if unknown:
        what = remark("setting.no_service", scheme=unknown[0])
        raise SettingsError.of(settings.file, key, what)
    return urls


def events_of(ending: Ending) -> set[str]:
    """Name what an ending is, in the words of `notify.on`.

    `finish`: it came to its end. `halt`: something other than a person stopped it.
    `unknown`: numbers or steps are in doubt. `login`: the ERP was not to be had.
    """
    events = set()
    if ending.exit is Exit.UNREACHABLE:
        events.add("login")
    elif set(ending.causes) - {Cause.INTERRUPTED, Cause.CONTROL}:
        events.add("halt")
    elif not ending.causes:
        events.add("finish")
    if numbers_in_doubt(ending.counts) or ending.followed.unknown:
        events.add("unknown")
    return events


class KnownTrouble:
    """Says which endings of a tenant's runs people know, where the ERP lets nobody in.

    One that is away, or refuses the login, ends each push of programs alike, and each run of a
    fleet as often as it is tried.
    """

    def __init__(self) -> None:
        self._causes: Collection[Cause] = ()
        self._told_at_s = -math.inf

    def is_news(self, ending: Ending) -> bool:
        """Say whether people are told of an ending: of all but the same trouble once more."""
        if events_of(ending) != {"login"}:
            self._causes = ()
            return True
        now_s, causes = anyio.current_time(), ending.causes.keys()
        if causes == self._causes and now_s - self._told_at_s < TOLD_FOR_S:
            return False
        self._causes, self._told_at_s = causes, now_s
        return True


async def tell_people(
    settings: Settings, urls: list[str], ending: Ending, say: Say, warn: Callable[..., None]
) -> None:
    """Send word of an ending; a message that does not arrive is a warning."""
    await send_word(settings, urls, events_of(ending), message(ending, say), warn)


async def send_word(
    settings: Settings,
    urls: list[str],
    events: set[str],
    words: tuple[str, str],
    warn: Callable[..., None],
) -> None:
    """Send title and lines of *words* where the settings ask for one of *events*."""
    if not urls or not events.intersection(settings.notify.on):
        return
    for service in await notify(urls, *words):
        warn("warning.notify_failed", service=service)


def message(ending: Ending, say: Say) -> tuple[str, str]:
    """Return the title and the lines that tell of an ending."""
    run, code = ending.run, int(ending.exit)
    what = next_step(ending.counts, ending.exit, say, ending.followed)
    title = say("notify.title", route=run.route.name, code=code, what=what)
    counts = " · ".join(
        f"{say(f'state.{state}')} {ending.counts[state]}"
        for state in State
        if state in ending.counts
    )
    lines = [
        say("summary.run", run=run.id, route=run.route.name, seconds=ending.seconds),
        counts,
        *odd_lines(say, twins=ending.twins, partly=ending.partly),
        *filter(None, [follow_line(ending.followed, say)]),
        *cause_lines(ending.causes, say),
    ]
    if run.folder:
        lines.append(say("notify.report", path=Path(run.folder) / "report.html"))
    return title, "\n".join(lines)
