"""Tell people how a run ended, where the settings name some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from k3push.adapters.notify import NotifierMissingError, notify, unknown_services
from k3push.cli.telling import cause_lines
from k3push.cli.words import Say
from k3push.core.model import State
from k3push.job import Cause
from k3push.reporting.ending import Ending, Exit
from k3push.settings import Fault, Settings, SettingsError


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
        what = "needs Apprise: pip install 'k3push[notify]'"
        raise SettingsError("settings", [Fault(key, None, what)]) from None
    if unknown:
        what = f"no service knows the address that begins with {unknown[0]}://"
        raise SettingsError("settings", [Fault(key, None, what)])
    return urls


def events_of(ending: Ending) -> set[str]:
    """Name what an ending is, in the words of `notify.on`.

    `finish`: it came to its end. `halt`: something other than a person stopped it.
    `unknown`: numbers are in doubt. `login`: the ERP was not to be had.
    """
    events = set()
    if ending.exit is Exit.UNREACHABLE:
        events.add("login")
    elif set(ending.causes) - {Cause.INTERRUPTED, Cause.CONTROL}:
        events.add("halt")
    elif not ending.causes:
        events.add("finish")
    if ending.counts.get(State.UNKNOWN):
        events.add("unknown")
    return events


async def tell_people(
    settings: Settings, urls: list[str], ending: Ending, say: Say, warn: Callable[..., None]
) -> None:
    """Send word of an ending; a message that does not arrive is a warning."""
    if not urls or not events_of(ending).intersection(settings.notify.on):
        return
    for service in await notify(urls, *message(ending, say)):
        warn("notify_failed", service=service)


def message(ending: Ending, say: Say) -> tuple[str, str]:
    """Return the title and the lines that tell of an ending."""
    run, code = ending.run, int(ending.exit)
    title = say("notify.title", route=run.route.name, code=code, what=say(f"exit.{code}"))
    counts = " · ".join(
        f"{state} {ending.counts[state]}" for state in State if state in ending.counts
    )
    lines = [
        say("summary.run", run=run.id, route=run.route.name, seconds=ending.seconds),
        counts,
        *cause_lines(ending.causes, say, ending.breach),
        say("notify.report", path=Path(run.folder) / "report.html"),
    ]
    return title, "\n".join(lines)
