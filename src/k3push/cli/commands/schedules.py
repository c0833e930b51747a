"""`schedule` and `login set`: the commands that prepare runs which nobody watches."""

from __future__ import annotations

from typing import Annotated, Literal

from k3push.cli.arguments import parse_time
from k3push.cli.command_decorator import argument, command_group, typed
from k3push.cli.options import Config, SelectOptions
from k3push.words.language import Say

family = command_group("command.login")


@family.command("command.schedule", "k3push schedule --at 20:00 --for systemd batches/inbox/")
def schedule(
    say: Say,
    choice: SelectOptions,
    at: Annotated[str, typed("--at", metavar="HH:MM", words="option.at")],
    scheduler: Annotated[
        Literal["systemd", "cron", "schtasks"], typed("--for", words="option.for")
    ],
    route: Annotated[str | None, typed("--route", words="option.route")] = None,
    config: Config = None,
    jobs: Annotated[list[str] | None, argument("JOB...", words="argument.scheduled")] = None,
) -> int:
    from k3push.cli.actions import install_schedule as scheduling  # noqa: PLC0415

    names = choice.made(jobs, say)
    return scheduling.schedule(
        scheduler, parse_time(at, say, "--at"), names, config=config, route=route, say=say
    )


@family.command("command.login.set", "k3push login set · k3push login set webapi")
def login_set(
    say: Say,
    name: Annotated[str | None, argument("[NAME]", words="argument.entry")] = None,
    config: Config = None,
) -> int:
    from k3push.cli.actions import store_login  # noqa: PLC0415

    return store_login.login_set(config, name, say)
