"""The commands that prepare runs which nobody watches."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import parse_time
from k3push.cli.command_decorator import command_group, commands
from k3push.cli.options import SelectOptions
from k3push.words.language import Say


def add_nights(app: typer.Typer, say: Say) -> None:
    """Add the commands that prepare runs which nobody watches."""
    command = commands(app, say)
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]

    @command("command.schedule", "k3push schedule --at 20:00 --for systemd batches/inbox/")
    def schedule(
        choice: SelectOptions,
        at: Annotated[str, typer.Option("--at", metavar="HH:MM", help=say("option.at"))],
        scheduler: Annotated[
            Literal["systemd", "cron", "schtasks"], typer.Option("--for", help=say("option.for"))
        ],
        route: Annotated[str | None, typer.Option("--route", help=say("option.route"))] = None,
        config: Config = None,
        jobs: Annotated[
            list[str] | None, typer.Argument(metavar="JOB...", help=say("argument.jobs"))
        ] = None,
    ) -> int:
        from k3push.cli.actions import install_schedule as scheduling  # noqa: PLC0415

        names = choice.made(jobs, say)
        return scheduling.schedule(
            scheduler, parse_time(at, say, "--at"), names, config=config, route=route, say=say
        )

    login = command_group("command.login", app, say)
    command = commands(login, say)

    @command("command.login.set", "k3push login set · k3push login set webapi")
    def login_set(
        name: Annotated[
            str | None, typer.Argument(metavar="[NAME]", help=say("argument.entry"))
        ] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import store_login  # noqa: PLC0415

        return store_login.login_set(config, name, say)
