"""The commands about the ledger as a whole."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import command_group, commands
from k3push.words.language import Say


def add_ledgers(app: typer.Typer, say: Say) -> None:
    """Add the commands about the ledger as a whole."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]

    ledger = command_group("command.ledger", app, say)
    command = commands(ledger, say)

    @command("command.ledger.migrate", "k3push ledger migrate")
    def migrate(config: Config = None) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.migrate(config, say))

    @command("command.ledger.check", "k3push ledger check")
    def check(config: Config = None) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.check(config, say))

    @command("command.ledger.archive", "k3push ledger archive")
    def archive(config: Config = None) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.archive(config, say))

    @command(
        "command.ledger.copy",
        "k3push ledger copy sqlite:///ledger.db postgresql://k3push@db/k3push",
    )
    def copy(
        source: Annotated[str, typer.Argument(metavar="SRC", help=say("argument.ledger"))],
        target: Annotated[str, typer.Argument(metavar="DST", help=say("argument.ledger"))],
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.copy(source, target, config, say))
