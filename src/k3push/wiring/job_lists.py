"""Job files as the command line names them, and the routes that their lines ask for."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from k3push.adapters.job_files import Code, JobFileError, Trouble, read_job
from k3push.adapters.job_files.sources import opened
from k3push.adapters.job_files.troubles import MENTIONED
from k3push.adapters.job_files.untrusted_files import UntrustedFile, taken
from k3push.config.setting_errors import no_route
from k3push.config.settings import Settings
from k3push.core.model import Listed, Route
from k3push.core.remark import remark
from k3push.runs.create import AskedRoute, JobSource, LeftOut
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.problem import Problem

STDIN = "-"

COPIED_AT_ONCE = 1 << 16

Reader = Callable[..., Iterator[Listed]]
"""Reads a job file, as `read_job` does."""


def told_names(names: Sequence[str]) -> str:
    """Return job files as a message names them: "-" alone tells a reader nothing."""
    return remark("job.stdin") if list(names) == [STDIN] else ", ".join(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How job files are read.

    Attributes:
        selected: What the route has selected; `SELECTED` stands for it.
        selected_at: When.
        home: The folder of a tenant, whose job files strangers may have put where they are;
            None where a person at a terminal names them.
        reader: Reads one that strangers may have put where it is, as `read_job` does.
        aside: Digests of files that are not read.
    """

    route: str | None = None
    column: str | None = None
    sheet: str | None = None
    skip_bad_lines: bool = False
    selected: Path | None = None
    selected_at: datetime | None = None
    home: Path | None = None
    reader: Reader = read_job
    aside: frozenset[str] = frozenset()


@contextmanager
def opened_jobs(
    names: Sequence[str],
    how: JobOptions,
    warn: Callable[..., None],
    strange: Mapping[str, UntrustedFile] | None = None,
) -> Iterator[list[JobSource]]:
    """Make job files readable, several times over.

    Args:
        names: Files, "-", or `SELECTED`.
        warn: Prints each bad line that is passed over, and what else is not read, once.
        strange: Those that strangers may have put where they are, by name.

    Raises:
        JobFileError: One of *strange* is no regular file, is reached through a link, or is put
            aside.
    """
    strange = strange or {}
    told: set[str] = set()
    left_out = defaultdict[str, list[LeftOut]](list)

    def on_bad_line(trouble: Trouble) -> None:
        # A file is read more than once, and each bad line is told once.
        text = str(trouble)
        if text not in told:
            told.add(text)
            if trouble.code in MENTIONED:
                warn("notice.not_read", what=text)
            else:
                warn("notice.skipped", what=text)
                place = (trouble.file, trouble.sheet, trouble.line, trouble.item)
                left_out[trouble.file].append(LeftOut(*place, trouble.what))

    options: Mapping[str, Any] = {
        "column": how.column,
        "sheet": how.sheet,
        "skip_bad_lines": how.skip_bad_lines,
        "on_bad_line": on_bad_line,
    }
    read, read_strange = partial(read_job, **options), partial(how.reader, **options)
    with ExitStack() as stack:
        jobs = []
        for name in names:
            path = Path(name)
            if how.selected is not None and path.name == SELECTED:
                jobs.append(
                    JobSource(name, how.selected, partial(read_job, how.selected, name=name))
                )
            elif name in strange:
                copy = stack.enter_context(taken(strange[name], name, aside=how.aside))
                reading = partial(read_strange, copy, name=name)
                jobs.append(JobSource(name, copy, reading, path, left_out[name]))
            elif name == STDIN or _is_pipe(path):
                if name == STDIN and sys.stdin.isatty():
                    warn("notice.typed")
                copy = stack.enter_context(_spooled(name))
                reading = partial(_from_start, copy, read, name)
                jobs.append(JobSource(name, copy, reading, left_out=left_out[name]))
            else:
                copy = stack.enter_context(_as_it_is(path))
                reading = partial(read, copy, name=str(path))
                jobs.append(JobSource(name, copy, reading, path, left_out[str(path)]))
        yield jobs


@contextmanager
def _as_it_is(path: Path) -> Iterator[Path]:
    """Copy a job file, which is read more than once and may be changed in between.

    One that cannot be read is told as it is read.
    """
    with tempfile.TemporaryDirectory(prefix="k3push-") as folder:
        copy = Path(folder) / f"list{path.suffix}"
        try:
            with opened(path, str(path)) as given, copy.open("xb") as file:
                shutil.copyfileobj(given, file)
        except JobFileError:
            copy = path
        except OSError as error:
            facts = {"reason": error.strerror or str(error)}
            raise JobFileError(Trouble(Code.UNREADABLE, str(path), facts=facts)) from error
        yield copy


def routes_of(
    settings: Settings, how: JobOptions, lines: Mapping[str, AskedRoute]
) -> dict[str, Route]:
    """Return the route for each name that lines give, "" among them.

    Raises:
        SettingsError: `--route` names none, though no line may ask for it, or must name one.
        Problem: A line of a job file names none; the line is told.
    """
    if how.route:
        settings.route(how.route)
    elif "" in lines and len(lines) > 1 and len(settings.routes) > 1:
        what = remark("route.of_line", known=", ".join(settings.routes))
        raise Problem(remark("note.place", place=lines[""].place, why=what))
    return {name: _route(settings, name, how, asked) for name, asked in lines.items()}


def _route(settings: Settings, name: str, how: JobOptions, asked: AskedRoute) -> Route:
    if not name:
        return settings.route(how.route)
    if name not in settings.routes:
        # A fault of the list, and of no setting.
        raise Problem(remark("note.place", place=asked.place, why=no_route(name, settings.routes)))
    return settings.route(name)


def _from_start(path: Path, read: Callable[..., Iterator[Listed]], name: str) -> Iterator[Listed]:
    with path.open("rb") as file:
        yield from read(file, name=name)


def _is_pipe(path: Path) -> bool:
    """Whether a shell or a person gives a stream by a name, as `<(command)` does."""
    try:
        return path.is_fifo()
    except OSError:
        return False


def _stream(name: str) -> AbstractContextManager[BufferedReader]:
    if name == STDIN:
        return nullcontext(cast("BufferedReader", sys.stdin.buffer))
    return Path(name).open("rb")


@contextmanager
def _spooled(name: str) -> Iterator[Path]:
    """Copy a stream to a file, since a job is read more than once.

    Raises:
        JobFileError: It cannot be read, or not be copied.
    """
    with tempfile.TemporaryDirectory(prefix="k3push-") as folder:
        path = Path(folder, "stream")
        try:
            with _stream(name) as given, path.open("wb") as file:
                # After what a terminal gives as its end, one more read would wait for more.
                while part := given.read1(COPIED_AT_ONCE):
                    file.write(part)
        except OSError as error:
            why = error.strerror or str(error)
            raise JobFileError(Trouble(Code.UNREADABLE, name, facts={"reason": why})) from error
        yield path
