"""Where a command may write: over nothing that k3push works with.

A file that is written takes the place of what had its name. So that neither the ledger nor a
list is lost to a slip of the hand, every command that writes a file asks here first.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from k3push.adapters.output_files import STANDARD_OUTPUT, named
from k3push.adapters.plan_file import is_plan
from k3push.config.real_paths import real
from k3push.config.settings import Settings
from k3push.core.model import Run
from k3push.core.remark import remark
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.problem import Problem
from k3push.wiring.job_lists import STDIN

# Files that SQLite and the locks of runs set beside a ledger.
COMPANIONS = ("-wal", "-shm", "-journal", "-locks")

SQLITE = b"SQLite format 3\x00"


def check_output(
    path: Path,
    *,
    settings: Iterable[Settings] = (),
    jobs: Iterable[str] = (),
    may_be_plan: bool = False,
    is_kept: bool = False,
    may_be_stdout: bool = False,
    is_text: bool = True,
    option: str = "",
) -> None:
    """See that writing a file takes nothing of ours away; links and letter case hide nothing.

    Args:
        settings: Whose ledgers and configurations are in use.
        jobs: Job files, plans and folders of job files in use, as they are named.
        may_be_plan: Whether a plan that is there may be replaced.
        is_kept: It is read from its place later, so that no stream will do.
        may_be_stdout: Whether `-` is standard output; else no file is called so.
        is_text: It can be read on a terminal.
        option: The option or the setting that names the file, where it is not the only one.

    Raises:
        Problem: It would, or no file can have that name.
    """
    place = f"{option} {path}".strip()
    if path == STANDARD_OUTPUT and not may_be_stdout:
        raise Problem(remark("output.no_stdout", path=place))
    try:
        if not is_text and named(path).is_terminal:
            raise Problem(remark("output.is_terminal", path=place))
        if path == STANDARD_OUTPUT:
            return
        if not path.name or path.is_dir():
            raise Problem(remark("output.is_folder", path=place))
        if named(path).is_stream and is_kept:
            raise Problem(remark("output.is_stream", path=place))
        what = _taken_by(path, settings, jobs) or _content(path, may_be_plan=may_be_plan)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise Problem(remark("output.unusable", path=place, why=why)) from error
    if what:
        raise Problem(remark("output.ours", path=place, what=remark(f"output.taken.{what}")))


def called(path: Path) -> str:
    """Return what a sentence calls the place of an output."""
    return remark("output.stdout") if path == STANDARD_OUTPUT else str(path)


def see_writable(path: Path) -> None:
    """Raise `Problem` unless a file can be made, before an hour of looks or a page of questions."""
    try:
        with named(path).part():
            pass
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Problem(remark("output.unusable", path=path, why=why)) from error


def warn_of_lost_results(warn: Callable[..., None], run: Run, error: OSError) -> None:
    """Tell that results of a run could not be written, and what is to be done."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            cure = "full"
        case errno.ENOTDIR | errno.EEXIST:
            cure = "in_way"
        case _:
            cure = "other"
    warn(
        "warning.results_lost",
        folder=run.folder,
        run=run.id,
        why=error.strerror or error,
        cure=remark(f"warning.results_lost.{cure}"),
    )


def jobs_of(run: Run) -> Iterator[str]:
    """Yield where the job files of a run may be: as they were named, or beside its results."""
    for name in run.jobs:
        yield name
        if run.folder:
            yield str(Path(run.folder).parent.parent / Path(name).name)


def _taken_by(path: Path, settings: Iterable[Settings], jobs: Iterable[str]) -> str:
    """Return whose place the file would take, or ""."""
    for each in settings:
        ledger = each.ledger_path
        if ledger is not None and _is_of_ledger(path, ledger):
            return "ledger"
        if _same(path, each.file):
            return "config"
    for name in jobs:
        if name in {STDIN, SELECTED}:
            continue
        job = Path(name)
        files = job.iterdir() if job.is_dir() else (job,)
        if any(_same(path, file) for file in files):
            return "job"
    return ""


def _is_of_ledger(path: Path, ledger: Path) -> bool:
    # A ledger that is reached by a link has its companions beside the file itself.
    for place in dict.fromkeys((ledger, real(ledger))):
        companions = (place.with_name(f"{place.name}{end}") for end in COMPANIONS)
        if any(_same(path, file) for file in (place, *companions)):
            return True
        locks = place.with_name(f"{place.name}-locks")
        if any(_same(folder, locks) for folder in real(path).parents):
            return True
    return False


def _same(one: Path, other: Path) -> bool:
    """Whether two names lead to one file, or would if both were there."""
    if one.exists() and other.exists():
        return one.samefile(other)
    one, other = real(one), real(other)
    return one.name.casefold() == other.name.casefold() and (
        one.parent == other.parent
        or (one.parent.exists() and other.parent.exists() and one.parent.samefile(other.parent))
    )


def _content(path: Path, *, may_be_plan: bool) -> str:
    """Return what of ours is in the file, whatever it is called, or ""."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        if file.read(len(SQLITE)) == SQLITE:
            return "ledger"
    return "plan" if not may_be_plan and is_plan(path) else ""
