"""`token`: the commands about the programs that ask the dashboard's server for pushes."""

from __future__ import annotations

from typing import Annotated

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import argument, command_group, typed
from k3push.cli.options import Config, Json
from k3push.runs.push_requests.program_roles import DEFAULT_RATE, MOST_RATE, ProgramRole
from k3push.words.language import Say

Name = Annotated[str, argument("NAME", words="argument.program")]

family = command_group("command.token")


@family.command("command.token.add", "k3push token add wms --route po-instock --role approve")
def add(
    say: Say,
    name: Name,
    role: Annotated[ProgramRole, typed("--role", words="option.role")],
    route: Annotated[str | None, typed("--route", metavar="R", words="option.route_of")] = None,
    rate: Annotated[
        int, typed("--rate", min=1, max=MOST_RATE, metavar="N", words="option.rate")
    ] = DEFAULT_RATE,
    config: Config = None,
) -> int:
    from k3push.cli.actions import manage_tokens  # noqa: PLC0415

    return awaited(lambda: manage_tokens.add(config, name, say, route=route, role=role, rate=rate))


@family.command("command.token.list", "k3push token list --json")
def list_tokens(say: Say, config: Config = None, json: Json = False) -> int:
    from k3push.cli.actions import manage_tokens  # noqa: PLC0415

    return awaited(lambda: manage_tokens.show(config, say, json=json))


@family.command("command.token.revoke", "k3push token revoke wms")
def revoke(say: Say, name: Name, config: Config = None) -> int:
    from k3push.cli.actions import manage_tokens  # noqa: PLC0415

    return awaited(lambda: manage_tokens.revoke(config, name, say))
