"""`plan`, `apply`, `run`, `resume`, `retry`, `settle` and `follow`, and `control` over them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import Family, argument, typed
from k3push.cli.completion_values import control_words
from k3push.cli.options import (
    AgainOptions,
    BoundOptions,
    ConfigOptions,
    Jobs,
    ListOptions,
    Lists,
    LogGroup,
    OutputOptions,
    OverlapOptions,
    PaceOptions,
    RunName,
    SelectOptions,
)
from k3push.words.language import Say

if TYPE_CHECKING:
    from k3push.cli.actions.push_runs import Runner


family = Family()


def _act(
    say: Say,
    action: Callable[[Runner], Awaitable[int]],
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


@family.command(
    "command.plan", "k3push plan orders.csv · k3push plan --select -o tonight.plan.jsonl"
)
def plan(
    say: Say,
    lists: ListOptions,
    choice: SelectOptions,
    settings: ConfigOptions,
    pace: PaceOptions,
    shown: OutputOptions,
    output: Annotated[
        Path | None, typed("--output", "-o", metavar="F", words="option.plan_output")
    ] = None,
    jobs: Lists = None,
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


@family.command("command.apply", "k3push apply orders.plan.jsonl")
def apply(
    say: Say,
    plan: Annotated[Path, argument("PLAN", words="argument.plan")],
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


@family.command(
    "command.run", "k3push run orders.csv · k3push run - < list.txt · k3push run --select"
)
def run(
    say: Say,
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


@family.command("command.resume", "k3push resume · k3push resume 20261125-2000")
def resume(
    say: Say,
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


@family.command("command.retry", "k3push retry · k3push retry --reason 未审核")
def retry(
    say: Say,
    settings: ConfigOptions,
    pace: PaceOptions,
    bounds: BoundOptions,
    again: AgainOptions,
    output: OutputOptions,
    log: LogGroup,
    name: RunName = None,
    reason: Annotated[str, typed("--reason", metavar="TEXT", words="option.reason")] = "",
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


@family.command(
    "command.settle",
    'k3push settle · k3push settle --as absent CGDD0000017 --because "{because}"',
)
def settle(
    say: Say,
    settings: ConfigOptions,
    output: OutputOptions,
    names: Annotated[
        list[str] | None, argument("[RUN | NUMBER...]", words="argument.settle")
    ] = None,
    word: Annotated[Literal["pushed", "absent"] | None, typed("--as", words="option.as")] = None,
    because: Annotated[str, typed("--because", metavar="TEXT", words="option.because")] = "",
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


@family.command("command.follow", "k3push follow · k3push follow 20261125-2000")
def follow(
    say: Say,
    settings: ConfigOptions,
    bounds: BoundOptions,
    output: OutputOptions,
    log: LogGroup,
    name: RunName = None,
) -> int:
    about = say.about(name)
    return _act(about, lambda runner: runner.follow(name), settings, output, bounds, log)


@family.command(
    "command.control",
    "k3push control pause · k3push control 20261125-2000 set concurrency=8 chunk-size=9",
)
def control(
    say: Say,
    words: Annotated[
        list[str],
        argument(
            "[RUN] pause|continue|stop|set KEY=VALUE...",
            words="argument.control",
            autocompletion=control_words,
        ),
    ],
    settings: ConfigOptions,
) -> int:
    from k3push.cli.actions import control_run  # noqa: PLC0415

    return awaited(lambda: control_run.control(settings.config, words, say))
