"""The commands that move numbers, and the one that steers them."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import commands
from k3push.cli.completion_values import control_words, runs
from k3push.cli.options import (
    AgainOptions,
    BoundOptions,
    ConfigOptions,
    ListOptions,
    LogGroup,
    OutputOptions,
    OverlapOptions,
    PaceOptions,
    SelectOptions,
)
from k3push.words.language import Say

if TYPE_CHECKING:
    from k3push.cli.actions.push_runs import Runner


def add_pushing(app: typer.Typer, say: Say) -> None:
    """Add the commands that move numbers."""
    _add_plan_and_apply(app, say)
    _add_run_and_resume(app, say)
    _add_settle(app, say)
    _add_follow(app, say)


def _act(
    say: Say,
    action: "Callable[[Runner], Awaitable[int]]",
    settings: ConfigOptions,
    output: OutputOptions,
    *groups: PaceOptions | BoundOptions | AgainOptions | OverlapOptions | LogGroup,
    **options: Any,
) -> int:
    """Make a Runner of the options, and let it act."""
    for group in groups:
        options |= group.made(say)
    from k3push.cli.actions.push_runs import CommandOptions, Runner  # noqa: PLC0415

    made = CommandOptions(config=settings.config, json=output.json, quiet=output.quiet, **options)
    return awaited(lambda: action(Runner(made, say)))


def _add_run_and_resume(app: typer.Typer, say: Say) -> None:
    command = commands(app, say)
    Jobs = Annotated[list[str] | None, typer.Argument(metavar="JOB...", help=say("argument.jobs"))]
    RunName = Annotated[
        str | None, typer.Argument(metavar="[RUN]", help=say("argument.run"), autocompletion=runs)
    ]

    @command("command.run", "k3push run orders.csv · k3push run - < list.txt · k3push run --select")
    def run(
        lists: ListOptions,
        choice: SelectOptions,
        settings: ConfigOptions,
        pace: PaceOptions,
        bounds: BoundOptions,
        again: AgainOptions,
        overlap: OverlapOptions,
        output: OutputOptions,
        log: LogGroup,
        jobs: Jobs = None,
    ) -> int:
        names = choice.made(jobs, say)
        lists.see_read(names, say)
        return _act(
            say,
            lambda runner: (
                runner.run(names, lists.made()) if names else runner.run_selected(lists.made())
            ),
            settings,
            output,
            pace,
            bounds,
            again,
            overlap,
            log,
        )

    @command("command.resume", "k3push resume · k3push resume 20261125-2000")
    def resume(
        settings: ConfigOptions,
        pace: PaceOptions,
        bounds: BoundOptions,
        again: AgainOptions,
        output: OutputOptions,
        log: LogGroup,
        name: RunName = None,
    ) -> int:
        return _act(
            say.about(name),
            lambda runner: runner.resume(name),
            settings,
            output,
            pace,
            bounds,
            again,
            log,
        )

    @command("command.retry", "k3push retry --reason 未审核")
    def retry(
        settings: ConfigOptions,
        pace: PaceOptions,
        bounds: BoundOptions,
        again: AgainOptions,
        output: OutputOptions,
        log: LogGroup,
        name: RunName = None,
        reason: Annotated[
            str, typer.Option("--reason", metavar="TEXT", help=say("option.reason"))
        ] = "",
    ) -> int:
        return _act(
            say.about(name),
            lambda runner: runner.retry(name, reason),
            settings,
            output,
            pace,
            bounds,
            again,
            log,
        )


def _add_plan_and_apply(app: typer.Typer, say: Say) -> None:
    command = commands(app, say)
    Jobs = Annotated[list[str] | None, typer.Argument(metavar="JOB...", help=say("argument.jobs"))]

    @command("command.plan", "k3push plan orders.csv · k3push plan --select -o tonight.plan.jsonl")
    def plan(
        lists: ListOptions,
        choice: SelectOptions,
        settings: ConfigOptions,
        pace: PaceOptions,
        shown: OutputOptions,
        output: Annotated[
            Path | None, typer.Option("--output", "-o", metavar="F", help=say("option.plan_output"))
        ] = None,
        jobs: Jobs = None,
    ) -> int:
        from k3push.cli.actions.plan_and_apply import Planner  # noqa: PLC0415

        names = choice.made(jobs, say)
        lists.see_read(names, say)
        return _act(
            say,
            lambda runner: (
                Planner(runner).plan(names, lists.made(), output)
                if names
                else Planner(runner).plan_selected(lists.made(), output)
            ),
            settings,
            shown,
            pace,
        )

    @command("command.apply", "k3push apply orders.plan.jsonl")
    def apply(
        plan: Annotated[Path, typer.Argument(metavar="PLAN", help=say("argument.plan"))],
        settings: ConfigOptions,
        pace: PaceOptions,
        bounds: BoundOptions,
        again: AgainOptions,
        overlap: OverlapOptions,
        output: OutputOptions,
        log: LogGroup,
    ) -> int:
        from k3push.cli.actions.plan_and_apply import Planner  # noqa: PLC0415

        return _act(
            say,
            lambda runner: Planner(runner).apply(plan),
            settings,
            output,
            pace,
            bounds,
            again,
            overlap,
            log,
        )


def _add_settle(app: typer.Typer, say: Say) -> None:
    command = commands(app, say)

    @command(
        "command.settle",
        'k3push settle · k3push settle --as absent CGDD0000017 --because "looked it up"',
    )
    def settle(
        settings: ConfigOptions,
        output: OutputOptions,
        names: Annotated[
            list[str] | None,
            typer.Argument(metavar="[RUN | NUMBER...]", help=say("argument.settle")),
        ] = None,
        word: Annotated[
            Literal["pushed", "absent"] | None, typer.Option("--as", help=say("option.as"))
        ] = None,
        because: Annotated[
            str, typer.Option("--because", metavar="TEXT", help=say("option.because"))
        ] = "",
    ) -> int:
        from k3push.core.model import State  # noqa: PLC0415

        names = names or []
        if word is None:
            if because:
                raise typer.BadParameter(say("error.because_of_nothing", option="--as"))
            if names[1:]:
                raise typer.BadParameter(say("error.settle_one"))
            name = names[0] if names else None
            return _act(say.about(name), lambda runner: runner.settle(name), settings, output)
        if not names or not because:
            raise typer.BadParameter(say("error.as_needs"))
        from k3push.cli.actions.settle_by_person import settle_as  # noqa: PLC0415

        state = State.PUSHED if word == "pushed" else State.PLANNED
        return _act(
            say, lambda runner: settle_as(runner, state, names), settings, output, because=because
        )


def _add_follow(app: typer.Typer, say: Say) -> None:
    command = commands(app, say)
    RunName = Annotated[
        str | None, typer.Argument(metavar="[RUN]", help=say("argument.run"), autocompletion=runs)
    ]

    @command("command.follow", "k3push follow · k3push follow 20261125-2000")
    def follow(
        settings: ConfigOptions,
        bounds: BoundOptions,
        output: OutputOptions,
        log: LogGroup,
        name: RunName = None,
    ) -> int:
        about = say.about(name)
        return _act(about, lambda runner: runner.follow(name), settings, output, bounds, log)


def add_control(app: typer.Typer, say: Say) -> None:
    """Add the command to a run that is under way."""
    command = commands(app, say)

    @command(
        "command.control",
        "k3push control pause · k3push control 20261125-2000 set concurrency=8 chunk-size=9",
    )
    def control(
        words: Annotated[
            list[str],
            typer.Argument(
                metavar="[RUN] pause|continue|stop|set KEY=VALUE...",
                help=say("argument.control"),
                autocompletion=control_words,
            ),
        ],
        settings: ConfigOptions,
    ) -> int:
        from k3push.cli.actions import control_run  # noqa: PLC0415

        return awaited(lambda: control_run.control(settings.config, words, say))
