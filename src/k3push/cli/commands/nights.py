"""The commands that prepare runs which nobody watches."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import parse_until
from k3push.cli.words import Say


def add_nights(app: typer.Typer, say: Say) -> None:
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
