"""Options and arguments that several commands share, each written once; options also in groups.

A command takes a group as one parameter; `cli.command_decorator` shows typer the options of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from k3push.cli.arguments import LARGEST_COUNT, parse_duration, parse_size, parse_until
from k3push.cli.command_decorator import argument, option, typed
from k3push.cli.completion_values import routes, runs
from k3push.core.control_words import Key
from k3push.words.language import Say

if TYPE_CHECKING:
    from k3push.wiring.job_lists import JobOptions

Config = Annotated[Path | None, typed("--config", words="option.config")]
Json = Annotated[bool, typed("--json", words="option.json")]
Jobs = Annotated[list[str] | None, argument("JOB...", words="argument.jobs")]
Lists = Annotated[list[str] | None, argument("JOB...", words="argument.lists")]
RunName = Annotated[str | None, argument("[RUN]", words="argument.run", autocompletion=runs)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigOptions:
    """Which settings."""

    config: Path | None = option("--config", words="option.config")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """How job files are read."""

    route: str | None = option("--route", words="option.route", autocompletion=routes)
    column: str | None = option("--column", words="option.column")
    sheet: str | None = option("--sheet", words="option.sheet")
    skip_bad_lines: bool = option("--skip-bad-lines", default=False, words="option.skip")

    def see_read(self, jobs: list[str] | None, say: Say) -> None:
        """Raise `BadParameter` where it is said how job files are read, and there are none."""
        said = {
            "--column": self.column,
            "--sheet": self.sheet,
            "--skip-bad-lines": self.skip_bad_lines,
        }
        idle = next((name for name, value in said.items() if value), None)
        if idle and not jobs:
            raise typer.BadParameter(say("error.no_lists", option=idle))

    def made(self) -> JobOptions:
        """Return them as the readers take them."""
        from k3push.wiring.job_lists import JobOptions  # noqa: PLC0415

        return JobOptions(
            route=self.route,
            column=self.column,
            sheet=self.sheet,
            skip_bad_lines=self.skip_bad_lines,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectOptions:
    """Whether the route selects its bills itself."""

    select: bool = option("--select", default=False, words="option.select")

    def made(self, jobs: list[str] | None, say: Say) -> list[str]:
        """Return the job files; `BadParameter` where both are asked for, or neither."""
        if self.select and jobs:
            raise typer.BadParameter(say("error.jobs_and_select"))
        if not self.select and not jobs:
            raise typer.BadParameter(say("error.no_jobs"))
        return jobs or []


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """How fast."""

    chunk_size: str | None = option("--chunk-size", metavar="N|auto", words="option.chunk")
    concurrency: str | None = option("--concurrency", metavar="N|auto", words="option.concurrency")
    canary: bool | None = option("--canary/--no-canary", words="option.canary")

    def made(self, say: Say) -> dict[str, Any]:
        """Return what `RunOptions` has of them; raises `BadParameter` where one is out of range."""
        return {
            "chunk_size": parse_size(self.chunk_size, Key.CHUNK_SIZE, say),
            "concurrency": parse_size(self.concurrency, Key.CONCURRENCY, say),
            "canary": self.canary,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundOptions:
    """When a command stops before its end."""

    halt: str | None = option("--halt", metavar="RULE", words="option.halt")
    until: str | None = option("--until", metavar="HH:MM", words="option.until")
    max_duration: str | None = option("--max-duration", metavar="D", words="option.max_duration")
    limit: int | None = option(
        "--limit", min=1, max=LARGEST_COUNT, metavar="N", words="option.limit"
    )

    def made(self, say: Say) -> dict[str, Any]:
        """Return what `RunOptions` has of them; raises `BadParameter` where one cannot be read."""
        from k3push.core.pacing.halting import HaltRule, HaltRuleError  # noqa: PLC0415

        if self.halt is not None:
            try:
                HaltRule.typed(self.halt)
            except HaltRuleError as error:
                raise typer.BadParameter(say("error.bad_halt", why=error)) from error
        now = datetime.now().astimezone()
        return {
            "halt": self.halt,
            "until": None if self.until is None else parse_until(self.until, now, say),
            "max_duration": None
            if self.max_duration is None
            else parse_duration(self.max_duration, say),
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainOptions:
    """Whether targets that are there stop a push."""

    again: bool = option("--again", default=False, words="option.again")
    because: str = option("--because", default="", metavar="TEXT", words="option.because")

    def made(self, say: Say) -> dict[str, Any]:
        """Return what `CommandOptions` has of them.

        Raises:
            BadParameter: A second document is wanted, and no reason is given, or the reverse.
        """
        if self.again and not self.because:
            raise typer.BadParameter(say("error.again_needs_because"))
        if self.because and not self.again:
            raise typer.BadParameter(say("error.because_of_nothing", option="--again"))
        return {"because": self.because}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapOptions:
    """What to do beside another run of the same list."""

    overlap: Literal["share", "wait", "quit"] = option(
        "--overlap", default="share", words="option.overlap"
    )

    def made(self, _say: Say) -> dict[str, Any]:
        """Return what `CommandOptions` has of them."""
        return {"overlap": self.overlap}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is printed."""

    json: bool = option("--json", default=False, words="option.json")
    quiet: bool = option("--quiet", "-q", default=False, words="option.quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """What is asked and logged while numbers move."""

    yes: bool = option("--yes", "-y", default=False, words="option.yes")
    verbose: int = option(
        "--verbose", "-v", default=0, count=True, show_default=False, words="option.verbose"
    )
    log_json: bool = option("--log-json", default=False, words="option.log_json")
    log_file: Path | None = option("--log-file", metavar="F", words="option.log_file")

    def made(self, _say: Say) -> dict[str, Any]:
        """Return what `CommandOptions` has of them."""
        from k3push.cli.console.logs import LogOptions  # noqa: PLC0415

        log: LogOptions = LogOptions(self.verbose, self.log_json, self.log_file)
        return {"yes": self.yes, "log": log}
