"""`schedule`: what to install so that a job runs every day. Nothing is installed here."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Literal

from k3push.config.real_paths import real
from k3push.config.settings import Settings
from k3push.config.settings_file import read_settings, variables_in
from k3push.core.remark import remark
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.config_file import find_config
from k3push.words.language import Say

Scheduler = Literal["systemd", "cron", "schtasks"]

# schtasks takes no longer command (error "the value for /TR must not be more than 261").
MOST_SCHTASKS = 261


class ScheduleError(ValueError):
    """The scheduler cannot take this job."""


@dataclass(frozen=True, slots=True)
class Nightly:
    """A run of every day.

    Attributes:
        at: Local time of day.
        command: Program and arguments, paths in full.
        drain_s: How long open calls may take once it is told to stop, in seconds.
        variables: What it needs of the environment, which a scheduler does not have.
    """

    at: time
    folder: Path
    command: tuple[str, ...]
    drain_s: int
    variables: tuple[str, ...] = ()


def schedule(
    scheduler: Scheduler,
    at: time,
    jobs: Sequence[str],
    *,
    config: Path | None,
    route: str | None,
    say: Say,
) -> Exit:
    """Print what to install.

    Raises:
        Problem: The scheduler cannot take the command.
        settings.SettingsError: The settings, which the run will read, cannot be used.
    """
    config = find_config(config)
    settings = read_settings(config, os.environ)
    if "-" in jobs:
        raise Problem(remark("schedule.stdin"))
    if route or not jobs:
        settings.route(route)
    drain_s = math.ceil(settings.erp.connect_timeout_s + settings.erp.answer_timeout_s) + 20
    try:
        command = nightly_command(jobs, config, route, program=_program())
        run = Nightly(at, real(config).parent, command, drain_s, _variables(settings))
        text = print_for(scheduler, run, say)
    except ScheduleError as error:
        raise Problem(str(error)) from error
    sys.stdout.write(text)
    for job in jobs:
        if not os.path.exists(job):  # noqa: PTH110  # it raises nothing
            sys.stderr.write(say("schedule.missing", job=job) + "\n")
    return Exit.DONE


def _variables(settings: Settings) -> tuple[str, ...]:
    """Return what was taken from the environment, or will be: secrets and settings."""
    names = [*settings.secret_variables, *sorted(variables_in(os.environ))]
    return tuple(dict.fromkeys(names))


def _program() -> tuple[str, ...]:
    """Return what starts this k3push: a program, a single file for Python, or a module of it."""
    started = Path(sys.argv[0])
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    if started.suffix == ".pyz":
        return (sys.executable, str(real(started)))
    return (sys.executable, "-m", "k3push")


def nightly_command(
    jobs: Sequence[str], config: Path, route: str | None, *, program: Sequence[str]
) -> tuple[str, ...]:
    """Return the command of every day that pushes *jobs* or, without any, what the route selects.

    It asks nothing, gives way to a run that is still under way, and shows no progress.
    """
    where = ("--route", route) if route else ()
    # A link may lead to another list each night.
    paths = tuple(str(Path(job).absolute()) for job in jobs) or ("--select",)
    return (
        *program, "run", *paths, "--config", str(real(config)), *where,
        "--yes", "--quiet", "--overlap", "wait",
    )  # fmt: skip


def print_for(scheduler: Scheduler, run: Nightly, say: Say) -> str:
    """Return what to install, and how; raises `ScheduleError` where the command is unfit for it."""
    match scheduler:
        case "systemd":
            return _systemd(run, say)
        case "cron":
            how = say("schedule.cron.needs" if run.variables else "schedule.cron", **_needs(run))
            return f"{cron_line(run)}\n{_comment(how, '#')}\n"
        case "schtasks":
            return f"{schtasks_line(run)}\n{_comment(say('schedule.schtasks'), 'REM')}\n"


def cron_line(run: Nightly) -> str:
    r"""Return a line for `crontab -e`.

    >>> print(cron_line(Nightly(time(20, 5), Path("/erp"), ("k3push", "run", "a 50%.csv"), 330)))
    5 20 * * * cd /erp && k3push run 'a 50\%.csv' >> k3push.log 2>&1
    """
    # To cron, a percent sign that is not escaped ends the line.
    command = f"cd {shlex.quote(str(run.folder))} && {shlex.join(run.command)}".replace("%", "\\%")
    return f"{run.at.minute} {run.at.hour} * * * {command} >> k3push.log 2>&1"


def schtasks_line(run: Nightly) -> str:
    r"""Return a line for a Windows command prompt.

    Raises:
        ScheduleError: It is longer than schtasks takes.

    >>> run = Nightly(time(20), Path("C:/erp"), ("k3push.exe", "run", "C:\\my lists\\a.csv"), 330)
    >>> print(schtasks_line(run))
    schtasks /Create /TN k3push /SC DAILY /ST 20:00 /TR "k3push.exe run \"C:\my lists\a.csv\""
    """
    command = subprocess.list2cmdline(run.command)
    if "--select" in run.command:
        # The results of a list are beside it; without one they are where the command starts,
        # which is a folder of Windows that refuses them.
        folder = subprocess.list2cmdline([str(run.folder)])
        command = f"cmd /c cd /d {folder} && {subprocess.list2cmdline(_seen_from_folder(run))}"
    if len(command) > MOST_SCHTASKS:
        raise ScheduleError(remark("schedule.too_long", most=MOST_SCHTASKS, length=len(command)))
    whole = subprocess.list2cmdline(["/TR", command])
    return f"schtasks /Create /TN k3push /SC DAILY /ST {run.at:%H:%M} {whole}"


def _seen_from_folder(run: Nightly) -> list[str]:
    """Return the command with what lies in its folder by name alone: the room is short."""
    words = [Path(word) for word in run.command]
    return [
        path.name if path.parent == run.folder else word
        for path, word in zip(words, run.command, strict=True)
    ]


def _systemd(run: Nightly, say: Say) -> str:
    secrets = run.folder / "k3push.env"
    command = " ".join(_systemd_word(word) for word in run.command)
    how = say("schedule.systemd")
    if run.variables:
        how = f"{say('schedule.systemd.needs', secrets=secrets, **_needs(run))}\n{how}"
    return f"""\
# k3push.service
[Unit]
Description=Push bills down in K/3 Cloud
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_systemd_path(run.folder)}
EnvironmentFile=-{_systemd_path(secrets)}
ExecStart={command}
# 3: finished, and some numbers are for a person to read.
SuccessExitStatus=3
# SIGTERM lets open calls end, and their answers are recorded.
TimeoutStopSec={run.drain_s}

# k3push.timer
[Unit]
Description=Push bills down every day

[Timer]
OnCalendar=*-*-* {run.at:%H:%M}:00
Persistent=true

[Install]
WantedBy=timers.target

{_comment(how, "#")}
"""


def _needs(run: Nightly) -> dict[str, object]:
    return {"names": ", ".join(run.variables), "count": len(run.variables)}


def _comment(text: str, sign: str) -> str:
    return "\n".join(f"{sign} {line}" for line in text.splitlines())


def _systemd_word(word: str) -> str:
    """Quote a word of ExecStart, where % and $ mean something.

    >>> print(_systemd_word("a 50%.csv"), _systemd_word("it's.csv"), _systemd_word("a.csv"))
    "a 50%%.csv" "it's.csv" a.csv
    """
    plain = word == shlex.quote(word)
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return word if plain else f'"{word}"'


def _systemd_path(path: Path) -> str:
    return str(path).replace("%", "%%")
