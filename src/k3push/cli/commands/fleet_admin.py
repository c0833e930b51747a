"""The commands that spread runs over machines."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import command_group, commands
from k3push.cli.options import ConfigOptions, ListOptions
from k3push.core.control_words import LIMITS, Key
from k3push.words.language import Say

# Each slice logs in, and five wrong logins lock the account (P 2.4).
MOST_SLICES = 4


def add_fleet(app: typer.Typer, say: Say) -> None:
    """Add the commands that spread runs over machines."""
    command = commands(app, say)
    Folder = Annotated[Path, typer.Option("--tenants", metavar="DIR", help=say("option.tenants"))]
    Json = Annotated[bool, typer.Option("--json", help=say("option.json"))]

    @command("command.enqueue", "k3push enqueue orders.csv --config tenants/acme.toml")
    def enqueue(
        jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help=say("argument.jobs"))],
        lists: ListOptions,
        settings: ConfigOptions,
        slices: Annotated[
            int,
            typer.Option(
                "--slices", min=1, max=MOST_SLICES, metavar="N", help=say("option.slices")
            ),
        ] = 1,
        json: Json = False,
    ) -> int:
        from k3push.cli.actions import enqueue_lists  # noqa: PLC0415

        options = enqueue_lists.EnqueueOptions(settings.config, lists.made(), slices, json)
        return awaited(lambda: enqueue_lists.enqueue(jobs, options, say))

    @command("command.worker", "k3push worker --tenants tenants")
    def worker(
        folder: Folder = Path("tenants"),
        concurrency: Annotated[
            int,
            typer.Option(
                "--concurrency",
                min=LIMITS[Key.CONCURRENCY][0],
                max=LIMITS[Key.CONCURRENCY][-1],
                metavar="N",
                help=say("option.runs"),
            ),
        ] = 4,
        name: Annotated[str | None, typer.Option("--name", help=say("option.worker"))] = None,
    ) -> int:
        _needed()
        from k3push.cli.actions import run_worker  # noqa: PLC0415

        return awaited(
            lambda: run_worker.serve(folder, concurrency=concurrency, name=name, say=say)
        )

    _add_group(app, say)


def _add_group(app: typer.Typer, say: Say) -> None:
    Folder = Annotated[Path, typer.Option("--tenants", metavar="DIR", help=say("option.tenants"))]
    Names = Annotated[
        list[str] | None, typer.Option("--tenant", metavar="T", help=say("option.tenant"))
    ]
    Everybody = Annotated[bool, typer.Option("--all", help=say("option.all"))]

    fleet = command_group("command.fleet", app, say)
    command = commands(fleet, say)

    @fleet.callback()
    def _fleet() -> None:
        _needed()

    @command("command.fleet.status", "k3push fleet status")
    def status(
        folder: Folder = Path("tenants"),
        names: Names = None,
        json: Annotated[bool, typer.Option("--json", help=say("option.json"))] = False,
        textfile: Annotated[
            Path | None, typer.Option("--textfile", metavar="F", help=say("option.fleet_metrics"))
        ] = None,
    ) -> int:
        from k3push.cli.actions import fleet_status  # noqa: PLC0415

        return awaited(
            lambda: fleet_status.status(folder, names or [], json=json, textfile=textfile, say=say)
        )

    def add_word(word: str) -> None:
        """Add the command by which a person says a word to all runs of tenants."""

        @command(f"command.fleet.{word}", f"k3push fleet {word} --tenant acme")
        def act(
            folder: Folder = Path("tenants"), names: Names = None, everybody: Everybody = False
        ) -> int:
            from k3push.cli.actions.fleet_status import WORDS  # noqa: PLC0415

            return awaited(lambda: WORDS[word](folder, names or [], everybody=everybody, say=say))

    for word in ("pause", "continue", "cancel", "retry"):
        add_word(word)

    @command("command.fleet.init_tenant", "k3push fleet init-tenant acme > acme.sql")
    def init_tenant(
        name: Annotated[str, typer.Argument(metavar="TENANT", help=say("argument.tenant"))],
        folder: Folder = Path("tenants"),
        role: Annotated[
            str | None, typer.Option("--role", metavar="ROLE", help=say("option.pg_role"))
        ] = None,
    ) -> int:
        from k3push.cli.actions import init_tenant as action  # noqa: PLC0415

        return action.print_sql(folder, name, role, say)


def _needed() -> None:
    from k3push.fleet import needs_fleet  # noqa: PLC0415

    needs_fleet()
