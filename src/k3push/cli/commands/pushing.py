"""The commands that move numbers, and the one that steers them."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k3push.cli.arguments import awaited, parse_duration, parse_size, parse_until
from k3push.cli.words import Lang, Say


def add_pushing(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the commands that move numbers."""
    Jobs = Annotated[list[str], typer.Argument(metavar="JOB...", help=say("arg.jobs"))]
    RouteName = Annotated[str | None, typer.Option("--route", help=say("opt.route"))]
    Column = Annotated[str | None, typer.Option("--column", help=say("opt.column"))]
    Sheet = Annotated[str | None, typer.Option("--sheet", help=say("opt.sheet"))]
    SkipBadLines = Annotated[bool, typer.Option("--skip-bad-lines", help=say("opt.skip"))]
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]
    RunName = Annotated[str | None, typer.Argument(metavar="[RUN]", help=say("arg.run"))]
    ChunkSize = Annotated[
        str | None, typer.Option("--chunk-size", metavar="N|auto", help=say("opt.chunk"))
    ]
    Concurrency = Annotated[
        str | None, typer.Option("--concurrency", metavar="N|auto", help=say("opt.concurrency"))
    ]
    Canary = Annotated[bool | None, typer.Option("--canary/--no-canary", help=say("opt.canary"))]
    Halt = Annotated[str | None, typer.Option("--halt", metavar="RULE", help=say("opt.halt"))]
    Until = Annotated[str | None, typer.Option("--until", metavar="HH:MM", help=say("opt.until"))]
    MaxDuration = Annotated[
        str | None, typer.Option("--max-duration", metavar="D", help=say("opt.max_duration"))
    ]
    Limit = Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help=say("opt.limit"))
    ]
    Again = Annotated[bool, typer.Option("--again", help=say("opt.again"))]
    Because = Annotated[str, typer.Option("--because", metavar="TEXT", help=say("opt.because"))]
    Overlap = Annotated[
        Literal["share", "wait", "quit"], typer.Option("--overlap", help=say("opt.overlap"))
    ]
    Yes = Annotated[bool, typer.Option("--yes", "-y", help=say("opt.yes"))]
    Json = Annotated[bool, typer.Option("--json", help=say("opt.json"))]
    Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=say("opt.quiet"))]
    Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help=say("opt.verbose"))]
    LogJson = Annotated[bool, typer.Option("--log-json", help=say("opt.log_json"))]
    LogFile = Annotated[
        Path | None, typer.Option("--log-file", metavar="F", help=say("opt.log_file"))
    ]

    def execute(act: Callable[[Any], Awaitable[int]], **options: Any) -> int:
        """Make a Planner of the options, which is a Runner too, and let it act."""
        from k3push.cli.executing import RunOptions  # noqa: PLC0415
        from k3push.cli.logs import LogOptions  # noqa: PLC0415
        from k3push.cli.plans import Planner  # noqa: PLC0415

        options["log"] = LogOptions(*options.get("log", ()))
        return awaited(lambda: act(Planner(RunOptions(**options), say, lang)))

    @app.command(
        help=say("plan"),
        short_help=say("plan.short"),
        epilog="k3push plan orders.csv · k3push plan orders.csv -o tonight.plan.jsonl",
    )
    def plan(
        jobs: Jobs,
        output: Annotated[
            Path | None, typer.Option("--output", "-o", metavar="F", help=say("opt.plan_output"))
        ] = None,
        route: RouteName = None,
        column: Column = None,
        sheet: Sheet = None,
        skip_bad_lines: SkipBadLines = False,
        config: Config = None,
        chunk_size: ChunkSize = None,
        concurrency: Concurrency = None,
        canary: Canary = None,
        json: Json = False,
        quiet: Quiet = False,
    ) -> int:
        from k3push.cli.jobs import JobOptions  # noqa: PLC0415

        how = JobOptions(route=route, column=column, sheet=sheet, skip_bad_lines=skip_bad_lines)
        return execute(
            lambda runner: runner.plan(jobs, how, output),
            config=config,
            json=json,
            quiet=quiet,
            **_pace(chunk_size, concurrency, canary),
        )

    @app.command(
        "apply",
        help=say("apply"),
        short_help=say("apply.short"),
        epilog="k3push apply orders.plan.jsonl",
    )
    def apply_(
        plan: Annotated[Path, typer.Argument(metavar="PLAN", help=say("arg.plan"))],
        config: Config = None,
        chunk_size: ChunkSize = None,
        concurrency: Concurrency = None,
        canary: Canary = None,
        halt: Halt = None,
        until: Until = None,
        max_duration: MaxDuration = None,
        limit: Limit = None,
        again: Again = False,
        because: Because = "",
        overlap: Overlap = "share",
        yes: Yes = False,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        log_json: LogJson = False,
        log_file: LogFile = None,
    ) -> int:
        return execute(
            lambda runner: runner.apply(plan),
            config=config,
            because=_reason_of(again, because, say),
            overlap=overlap,
            yes=yes,
            json=json,
            quiet=quiet,
            log=(verbose, log_json, log_file),
            **_pace(chunk_size, concurrency, canary, halt, until, max_duration, limit),
        )

    @app.command(
        "run",
        help=say("run"),
        short_help=say("run.short"),
        epilog="k3push run orders.csv · k3push run - < list.txt",
    )
    def run_(
        jobs: Jobs,
        route: RouteName = None,
        column: Column = None,
        sheet: Sheet = None,
        skip_bad_lines: SkipBadLines = False,
        config: Config = None,
        chunk_size: ChunkSize = None,
        concurrency: Concurrency = None,
        canary: Canary = None,
        halt: Halt = None,
        until: Until = None,
        max_duration: MaxDuration = None,
        limit: Limit = None,
        again: Again = False,
        because: Because = "",
        overlap: Overlap = "share",
        yes: Yes = False,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        log_json: LogJson = False,
        log_file: LogFile = None,
    ) -> int:
        from k3push.cli.jobs import JobOptions  # noqa: PLC0415

        how = JobOptions(route=route, column=column, sheet=sheet, skip_bad_lines=skip_bad_lines)
        return execute(
            lambda runner: runner.run(jobs, how),
            config=config,
            because=_reason_of(again, because, say),
            overlap=overlap,
            yes=yes,
            json=json,
            quiet=quiet,
            log=(verbose, log_json, log_file),
            **_pace(chunk_size, concurrency, canary, halt, until, max_duration, limit),
        )

    @app.command(
        help=say("resume"),
        short_help=say("resume.short"),
        epilog="k3push resume · k3push resume 20261125-2000",
    )
    def resume(
        name: RunName = None,
        config: Config = None,
        chunk_size: ChunkSize = None,
        concurrency: Concurrency = None,
        canary: Canary = None,
        halt: Halt = None,
        until: Until = None,
        max_duration: MaxDuration = None,
        limit: Limit = None,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        log_json: LogJson = False,
        log_file: LogFile = None,
    ) -> int:
        return execute(
            lambda runner: runner.resume(name),
            config=config,
            json=json,
            quiet=quiet,
            log=(verbose, log_json, log_file),
            **_pace(chunk_size, concurrency, canary, halt, until, max_duration, limit),
        )

    @app.command(
        help=say("retry"), short_help=say("retry.short"), epilog="k3push retry --reason 未审核"
    )
    def retry(
        name: RunName = None,
        reason: Annotated[
            str, typer.Option("--reason", metavar="TEXT", help=say("opt.reason"))
        ] = "",
        config: Config = None,
        chunk_size: ChunkSize = None,
        concurrency: Concurrency = None,
        canary: Canary = None,
        halt: Halt = None,
        until: Until = None,
        max_duration: MaxDuration = None,
        limit: Limit = None,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        log_json: LogJson = False,
        log_file: LogFile = None,
    ) -> int:
        return execute(
            lambda runner: runner.retry(name, reason),
            config=config,
            json=json,
            quiet=quiet,
            log=(verbose, log_json, log_file),
            **_pace(chunk_size, concurrency, canary, halt, until, max_duration, limit),
        )

    @app.command(
        help=say("settle"),
        short_help=say("settle.short"),
        epilog='k3push settle · k3push settle --as absent CGDD0000017 --because "looked it up"',
    )
    def settle(
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[RUN | NUMBER...]", help=say("arg.settle")),
        ] = None,
        word: Annotated[
            Literal["pushed", "absent"] | None, typer.Option("--as", help=say("opt.as"))
        ] = None,
        because: Because = "",
        config: Config = None,
        json: Json = False,
        quiet: Quiet = False,
    ) -> int:
        from k3push.core.model import State  # noqa: PLC0415

        names = names or []
        if word is None:
            name = names[0] if names else None
            return execute(
                lambda runner: runner.settle(name), config=config, json=json, quiet=quiet
            )
        if not names or not because:
            raise typer.BadParameter(say("as_needs"))
        state = State.PUSHED if word == "pushed" else State.PLANNED
        return execute(
            lambda runner: runner.settle_as(state, names), config=config, because=because
        )


def _reason_of(again: bool, because: str, say: Say) -> str:  # noqa: FBT001  # as it is typed
    """Return why targets that are there do not stop a push, or "" if they do."""
    if again and not because:
        raise typer.BadParameter(say("again_needs_because"))
    return because if again else ""


def _pace(
    chunk_size: str | None,
    concurrency: str | None,
    canary: bool | None,  # noqa: FBT001  # as it stands on the command line
    halt: str | None = None,
    until: str | None = None,
    max_duration: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Read the options that say how fast and how long."""
    from k3push.core.halting import HaltRule, HaltRuleError  # noqa: PLC0415

    if halt is not None:
        try:
            HaltRule.parse(halt)
        except HaltRuleError as error:
            raise typer.BadParameter(f"--halt: {error}") from error
    return {
        "chunk_size": parse_size(chunk_size),
        "concurrency": parse_size(concurrency),
        "canary": canary,
        "halt": halt,
        "until": parse_until(until, datetime.now().astimezone()) if until else None,
        "max_duration": parse_duration(max_duration) if max_duration else None,
        "limit": limit,
    }


def add_control(app: typer.Typer, say: Say) -> None:
    """Add the command to a run that is under way."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]

    @app.command(
        help=say("control"),
        short_help=say("control.short"),
        epilog="k3push control pause · k3push control 20261125-2000 set concurrency=8",
    )
    def control(
        words: Annotated[
            list[str],
            typer.Argument(
                metavar="[RUN] pause|continue|stop|set KEY=VALUE", help=say("arg.control")
            ),
        ],
        config: Config = None,
    ) -> int:
        from k3push.cli import controlling  # noqa: PLC0415

        return awaited(lambda: controlling.control(config, words, say))
