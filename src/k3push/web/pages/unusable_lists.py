"""What is wrong with a list that was sent: found by reading it to its end, and remembered.

A page with the faults of a list is loaded again, gone back to and looked at in the other language,
and the list may have a million lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from k3push.adapters.job_files import Code, JobFileError
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.runs.problem import Problem
from k3push.web.pages.page_context import Visit
from k3push.wiring.job_lists import JobOptions

MOST_UNUSABLE = 100
"""Size of the cache of lists that cannot be used."""

_OF_MACHINE = frozenset({Code.UNREADABLE, Code.KILLS_READER})


class UnusableListError(Exception):
    """A list cannot be looked at.

    Attributes:
        id: Id of the next try.
        problem: What is wrong, in words; "" where there are troubles.
        troubles: What is wrong with its lines, as remarks.
        kept: The list's name, where the server has it.
        sheets: Those of the workbook, to choose from.
    """

    def __init__(
        self,
        id_: str,
        problem: str = "",
        troubles: Sequence[str] = (),
        kept: str = "",
        sheets: Sequence[str] = (),
    ) -> None:
        super().__init__(problem)
        self.id = id_
        self.problem = problem
        self.troubles = troubles
        self.kept = kept
        self.sheets = sheets

    def again(self) -> UnusableListError:
        """Return the same, without the trace of when it was raised."""
        return UnusableListError(self.id, self.problem, self.troubles, self.kept, self.sheets)


class UnusableLists:
    """Reads lists, and knows of some what was wrong with them when they were read before."""

    def __init__(self) -> None:
        # A cache, so that to load a page again reads none. It holds as long as the settings are
        # the same object.
        self._known: dict[tuple[Path, JobOptions, str], tuple[Settings, UnusableListError]] = {}

    async def read(self, visit: Visit, id_: str, kept: Path, how: JobOptions) -> None:
        """Read a list to its end, or know what was wrong before; raises `UnusableListError`."""
        settings, key = visit.working().settings, (kept, how, visit.frame.say.lang)
        known = self._known.get(key)
        if known is not None and known[0] is settings:
            raise known[1].again()
        try:
            await _read_anew(visit, id_, kept, how)
        except UnusableListError as bad:
            if not _is_of_machine(bad.__cause__):
                self._known[key] = (settings, bad.again())
                if len(self._known) > MOST_UNUSABLE:
                    del self._known[next(iter(self._known))]
            raise


async def _read_anew(visit: Visit, id_: str, kept: Path, how: JobOptions) -> None:
    say = visit.frame.say
    try:
        lines = await visit.working().read([kept], how)
    except JobFileError as error:
        troubles = str(error).split("\n")
        raise UnusableListError(
            id_, troubles=troubles, kept=kept.name, sheets=error.sheets
        ) from error
    except OSError as error:
        why = say("desk.disk", why=error.strerror or error)
        raise UnusableListError(id_, why, kept=kept.name) from error
    except Problem as error:
        raise UnusableListError(id_, troubles=[str(error)], kept=kept.name) from error
    except SettingsError as error:
        raise UnusableListError(id_, say.said(str(error)), kept=kept.name) from error
    if not lines:
        raise UnusableListError(id_, say("notice.empty_job", job=kept.name), kept=kept.name)


def _is_of_machine(error: BaseException | None) -> bool:
    """Say whether a list may be read the next time: it was the machine that failed."""
    if isinstance(error, JobFileError):
        return any(trouble.code in _OF_MACHINE for trouble in error.troubles)
    return isinstance(error, OSError)
