"""`ledger`: the commands about the ledger as a whole."""

from __future__ import annotations

from typing import Annotated

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import argument, command_group
from k3push.cli.options import Config
from k3push.words.language import Say

family = command_group("command.ledger")


@family.command("command.ledger.migrate", "k3push ledger migrate")
def migrate(say: Say, config: Config = None) -> int:
    from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

    return awaited(lambda: ledger_upkeep.migrate(config, say))


@family.command("command.ledger.check", "k3push ledger check")
def check(say: Say, config: Config = None) -> int:
    from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

    return awaited(lambda: ledger_upkeep.check(config, say))


@family.command("command.ledger.archive", "k3push ledger archive")
def archive(say: Say, config: Config = None) -> int:
    from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

    return awaited(lambda: ledger_upkeep.archive(config, say))


@family.command(
    "command.ledger.copy", "k3push ledger copy sqlite:///ledger.db postgresql://k3push@db/k3push"
)
def copy(
    say: Say,
    source: Annotated[str, argument("SRC", words="argument.ledger")],
    target: Annotated[str, argument("DST", words="argument.ledger")],
    config: Config = None,
) -> int:
    from k3push.cli.actions import ledger_upkeep  # noqa: PLC0415

    return awaited(lambda: ledger_upkeep.copy(source, target, config, say))
