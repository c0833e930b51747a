"""The commands about the programs that ask the dashboard's server for pushes."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import command_group, commands
from k3push.runs.push_requests.program_roles import DEFAULT_RATE, MOST_RATE, ProgramRole
from k3push.words.language import Say


def add_tokens(app: typer.Typer, say: Say) -> None:
    """Add the commands about tokens of programs."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]
    Name = Annotated[str, typer.Argument(metavar="NAME", help=say("argument.program"))]

    token = command_group("command.token", app, say)
    command = commands(token, say)

    @command("command.token.add", "k3push token add wms --route po-instock --role approve")
    def add(
        name: Name,
        role: Annotated[ProgramRole, typer.Option("--role", help=say("option.role"))],
        route: Annotated[
            str | None, typer.Option("--route", metavar="R", help=say("option.route_of"))
        ] = None,
        rate: Annotated[
            int,
            typer.Option("--rate", min=1, max=MOST_RATE, metavar="N", help=say("option.rate")),
        ] = DEFAULT_RATE,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import manage_tokens  # noqa: PLC0415

        return awaited(
            lambda: manage_tokens.add(config, name, say, route=route, role=role, rate=rate)
        )

    @command("command.token.list", "k3push token list --json")
    def list_tokens(
        config: Config = None,
        json: Annotated[bool, typer.Option("--json", help=say("option.json"))] = False,
    ) -> int:
        from k3push.cli.actions import manage_tokens  # noqa: PLC0415

        return awaited(lambda: manage_tokens.show(config, say, json=json))

    @command("command.token.revoke", "k3push token revoke wms")
    def revoke(name: Name, config: Config = None) -> int:
        from k3push.cli.actions import manage_tokens  # noqa: PLC0415

        return awaited(lambda: manage_tokens.revoke(config, name, say))
