"""The commands about the ledger as a whole."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.words.language import Say


def add_ledgers(app: typer.Typer, say: Say) -> None:
    """Add the commands about the ledger as a whole."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]

    ledger = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(
        ledger, name="ledger", help=say("command.ledger"), short_help=say("command.ledger.short")
    )

    @ledger.command(
        help=say("command.ledger.migrate"),
        short_help=say("command.ledger.migrate.short"),
        epilog="k3push ledger migrate",
    )
    def migrate(config: Config = None) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.migrate(config, say))

    @ledger.command(
        help=say("command.ledger.check"),
        short_help=say("command.ledger.check.short"),
        epilog="k3push ledger check",
    )
    def check(config: Config = None) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.check(config, say))

    @ledger.command(
        help=say("command.ledger.archive"),
        short_help=say("command.ledger.archive.short"),
        epilog="k3push ledger archive",
    )
    def archive(config: Config = None) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.archive(config, say))

    @ledger.command(
        help=say("command.ledger.copy"),
        short_help=say("command.ledger.copy.short"),
        epilog="k3push ledger copy sqlite:///ledger.db postgresql://k3push@db/k3push",
    )
    def copy(
        source: Annotated[str, typer.Argument(metavar="SRC", help=say("argument.ledger"))],
        target: Annotated[str, typer.Argument(metavar="DST", help=say("argument.ledger"))],
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

        return awaited(lambda: ledger_upkeep.copy(source, target, config, say))
