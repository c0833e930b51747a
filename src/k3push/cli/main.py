"""The commands and their options. Each imports what it needs when it runs, so help is quick."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k3push.cli.streams import prepare_streams
from k3push.cli.words import Lang, Say, choose_language, speaker

DEFECT = 1
USAGE = 2
INTERRUPTED = 5

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def main() -> None:
    """Run the command line; the one place where exceptions become exit codes."""
    arguments = sys.argv[1:]
    lang = choose_language(arguments)
    prepare_streams()
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"  # rich and whatever else writes to the terminal obey it
    sys.exit(run(_without_globals(arguments), lang))


def _without_globals(arguments: Sequence[str]) -> list[str]:
    """Take `--lang` and `--no-color` out, which may stand anywhere and have done their work.

    >>> _without_globals(["run", "--lang", "zh", "a.csv", "--lang=en", "--no-color"])
    ['run', 'a.csv']
    """
    left = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--lang":
            next(rest, None)
        elif argument != "--no-color" and not argument.startswith("--lang="):
            left.append(argument)
    return left


def run(arguments: Sequence[str], lang: Lang) -> int:
    """Run one command and return its exit code."""
    say = speaker(lang)
    app = build_app(say, lang)
    try:
        code = app(list(arguments), prog_name="k3push", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever is left is sorted by kind, or raised
        return _exit_of(error, say, lang)
    return int(code or 0)


def _exit_of(error: Exception, say: Say, lang: Lang) -> int:
    """Say what went wrong, and return the exit code for it; a defect shows its trace."""
    from k3push.adapters.job_files import JobFileError  # noqa: PLC0415
    from k3push.cli.problem import Problem  # noqa: PLC0415
    from k3push.ports import LedgerLostError, RunIsAliveError  # noqa: PLC0415
    from k3push.settings import SettingsError  # noqa: PLC0415

    cause = _innermost(error)
    match cause:
        case JobFileError():
            return _tell(say("error", what=cause.text(lang)), USAGE)
        case Problem():
            return _tell(say("error", what=cause), int(cause.exit))
        case SettingsError() | RunIsAliveError():
            return _tell(say("error", what=cause), USAGE)
        case LedgerLostError():
            return _tell(say("error", what=cause), INTERRUPTED)
    if hasattr(cause, "format_message") and hasattr(cause, "exit_code"):
        return _tell(say("error", what=cause.format_message()), USAGE)
    import traceback  # noqa: PLC0415

    sys.stderr.write("".join(traceback.format_exception(error)))
    return _tell(say("defect"), DEFECT)


def _innermost(error: BaseException) -> BaseException:
    """Unwrap the groups that task groups make of one exception."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _tell(words: str, code: int) -> int:
    sys.stderr.write(words + "\n")
    return code


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise typer.BadParameter(f"{text!r}: use 90s, 30m, 2h or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def parse_until(text: str, now: datetime) -> datetime:
    """Read a time of day, today or, if that is over, tomorrow.

    >>> parse_until("06:00", datetime(2026, 11, 25, 22, 0))
    datetime.datetime(2026, 11, 26, 6, 0)
    """
    try:
        time = datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007  # a time alone
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: use HH:MM, such as 06:00") from error
    until = datetime.combine(now.date(), time, now.tzinfo)
    return until if until > now else until + timedelta(days=1)


def parse_size(text: str | None) -> int | None:
    """Read a number that is at least 1; "auto" and None leave it to the settings.

    >>> parse_size("50"), parse_size("auto")
    (50, None)
    """
    if text is None or text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r}: use a number of at least 1, or auto")
    return int(text)


def build_app(say: Say, lang: Lang) -> typer.Typer:
    """Make the command line in one language."""
    app = typer.Typer(
        help=say("app"),
        epilog=say("app.epilog"),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich would double the time that help takes
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    _add_global_options(app, say)
    _add_pushing(app, say, lang)
    _add_control(app, say)
    _add_looking(app, say, lang)
    _add_beginning(app, say, lang)
    _add_nights(app, say)
    return app


def _add_global_options(app: typer.Typer, say: Say) -> None:
    def version(wanted: bool) -> None:  # noqa: FBT001  # typer's own form of a callback
        if wanted:
            from importlib.metadata import version as version_of  # noqa: PLC0415

            sys.stdout.write(f"k3push {version_of('k3push')}\n")
            raise typer.Exit

    @app.callback()
    def options(
        _version: Annotated[
            bool,
            typer.Option("--version", help=say("opt.version"), callback=version, is_eager=True),
        ] = False,
        _lang: Annotated[str, typer.Option("--lang", help=say("opt.lang"))] = "",
        _no_color: Annotated[bool, typer.Option("--no-color", help=say("opt.no_color"))] = False,
    ) -> None:
        pass


def _add_pushing(app: typer.Typer, say: Say, lang: Lang) -> None:
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
        from k3push.cli.logs import LogOptions  # noqa: PLC0415
        from k3push.cli.plans import Planner  # noqa: PLC0415
        from k3push.cli.running import RunOptions  # noqa: PLC0415

        options["log"] = LogOptions(*options.get("log", ()))
        return _await(lambda: act(Planner(RunOptions(**options), say, lang)))

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


def _add_control(app: typer.Typer, say: Say) -> None:
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

        return _await(lambda: controlling.control(config, words, say))


def _add_looking(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the commands that look at the ledger."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]
    RunName = Annotated[str | None, typer.Argument(metavar="[RUN]", help=say("arg.run"))]

    @app.command(help=say("status"), short_help=say("status.short"))
    def status(name: RunName = None, config: Config = None) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return _await(lambda: showing.status(config, name, say))

    @app.command(help=say("runs"), short_help=say("runs.short"))
    def runs(config: Config = None) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return _await(lambda: showing.runs(config, say))

    @app.command(
        help=say("explain"), short_help=say("explain.short"), epilog="k3push explain CGDD0000017"
    )
    def explain(
        number: Annotated[str, typer.Argument(help=say("arg.number"))], config: Config = None
    ) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return _await(lambda: showing.explain(config, number, say))

    @app.command(
        help=say("report"),
        short_help=say("report.short"),
        epilog="k3push report --output night.html",
    )
    def report(
        output: Annotated[Path, typer.Option("--output", metavar="F.html", help=say("opt.page"))],
        name: RunName = None,
        config: Config = None,
    ) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return _await(lambda: showing.report(config, name, say, lang, output))

    @app.command(
        help=say("export"),
        short_help=say("export.short"),
        epilog="k3push export --format xlsx --output all.xlsx --state rejected --state draft",
    )
    def export(
        output: Annotated[Path, typer.Option("--output", help=say("opt.output"))],
        name: RunName = None,
        form: Annotated[
            Literal["csv", "jsonl", "xlsx", "parquet"] | None,
            typer.Option("--format", help=say("opt.format")),
        ] = None,
        states: Annotated[
            list[str] | None, typer.Option("--state", metavar="S", help=say("opt.state"))
        ] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli import showing  # noqa: PLC0415
        from k3push.core.model import State  # noqa: PLC0415

        try:
            wanted = [State(state) for state in states or []]
        except ValueError as error:
            known = ", ".join(State)
            raise typer.BadParameter(f"--state: {error}; there are: {known}") from error
        return _await(
            lambda: showing.export(config, name, say, form=form, output=output, states=wanted)
        )


def _add_beginning(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the commands that come before the first run."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]

    @app.command("check", help=say("check"), short_help=say("check.short"))
    def check_(
        route: Annotated[str | None, typer.Option("--route", help=say("opt.route"))] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli.checking import check  # noqa: PLC0415

        return _await(lambda: check(config, route, say))

    @app.command(help=say("init"), short_help=say("init.short"))
    def init(config: Config = None) -> int:
        from k3push.cli import starting  # noqa: PLC0415

        return starting.init(config, say)

    @app.command(
        help=say("sandbox"),
        short_help=say("sandbox.short"),
        epilog="k3push sandbox --port 8100 --faults night",
    )
    def sandbox(
        port: Annotated[
            int, typer.Option(min=0, max=65535, metavar="N", help=say("opt.port"))
        ] = 8100,
        faults: Annotated[str, typer.Option(metavar="NAME|FILE", help=say("opt.faults"))] = "none",
        seed: Annotated[int, typer.Option(metavar="N", help=say("opt.seed"))] = 0,
        latency: Annotated[
            float, typer.Option(min=0, metavar="SECONDS", help=say("opt.latency"))
        ] = 0.0,
        capacity: Annotated[int, typer.Option(min=0, metavar="N", help=say("opt.capacity"))] = 0,
        queue: Annotated[
            Literal["user", "site"] | None, typer.Option(help=say("opt.queue"))
        ] = None,
        policy: Annotated[
            Literal["one-to-one", "merge", "split"], typer.Option(help=say("opt.policy"))
        ] = "one-to-one",
        orders: Annotated[int, typer.Option(min=1, metavar="N", help=say("opt.orders"))] = 1000,
    ) -> int:
        from k3push.cli import trying  # noqa: PLC0415
        from k3push.simulator import SandboxOptions  # noqa: PLC0415

        options = SandboxOptions(
            orders=orders,
            seed=seed,
            latency_s=latency,
            capacity=capacity,
            queue=queue,
            policy=policy,
            faults=faults,
        )
        return _await(lambda: trying.sandbox(options, port, say))

    @app.command(help=say("demo"), short_help=say("demo.short"))
    def demo(
        folder: Annotated[Path, typer.Option("--output", help=say("opt.keep"))] = Path(
            "k3push-demo"
        ),
        json: Annotated[bool, typer.Option("--json", help=say("opt.json"))] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help=say("opt.quiet"))] = False,
        verbose: Annotated[
            int, typer.Option("--verbose", "-v", count=True, help=say("opt.verbose"))
        ] = 0,
    ) -> int:
        from k3push.cli import trying  # noqa: PLC0415
        from k3push.cli.logs import LogOptions  # noqa: PLC0415
        from k3push.cli.running import RunOptions  # noqa: PLC0415

        options = RunOptions(json=json, quiet=quiet, log=LogOptions(verbose))
        return _await(lambda: trying.demo(options, folder, say, lang))


def _add_nights(app: typer.Typer, say: Say) -> None:
    """Add the commands that prepare runs which nobody watches."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]

    @app.command(
        help=say("schedule"),
        short_help=say("schedule.short"),
        epilog="k3push schedule --at 20:00 --for systemd batches/inbox/",
    )
    def schedule(
        jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help=say("arg.jobs"))],
        at: Annotated[str, typer.Option("--at", metavar="HH:MM", help=say("opt.at"))],
        scheduler: Annotated[
            Literal["systemd", "cron", "schtasks"], typer.Option("--for", help=say("opt.for"))
        ],
        route: Annotated[str | None, typer.Option("--route", help=say("opt.route"))] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli import schedule as scheduling  # noqa: PLC0415

        time = parse_until(at, datetime.now().astimezone()).time()
        return scheduling.schedule(scheduler, time, jobs, config=config, route=route, say=say)

    login = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(login, name="login", help=say("login.help"), short_help=say("login.help"))

    @login.callback()
    def _login() -> None:
        pass

    @login.command(
        "set", help=say("login.set"), epilog="k3push login set · k3push login set webapi"
    )
    def login_set(
        name: Annotated[str | None, typer.Argument(metavar="[NAME]", help=say("arg.entry"))] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli import secrets  # noqa: PLC0415

        return secrets.login_set(config, name, say)


def _await(act: Callable[[], Awaitable[int]]) -> int:
    """Run an async command on an event loop of its own."""
    import anyio  # noqa: PLC0415

    async def awaited() -> int:
        return await act()

    return anyio.run(awaited)
