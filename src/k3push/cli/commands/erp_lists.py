"""The commands that list what is in the ERP, and send nothing."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import MOST_NUMBERS, awaited
from k3push.cli.command_decorator import commands
from k3push.words.language import Say


def add_lists(app: typer.Typer, say: Say) -> None:
    """Add the commands that list what is in the ERP."""
    command = commands(app, say)
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]
    Json = Annotated[bool, typer.Option("--json", help=say("option.json"))]

    @command(
        "command.select",
        'k3push select -o tonight.csv · k3push select --where "FDate>=today-1" -o new.jsonl',
    )
    def select(
        output: Annotated[
            Path, typer.Option("--output", "-o", metavar="F", help=say("option.list"))
        ],
        route: Annotated[str | None, typer.Option("--route", help=say("option.route_of"))] = None,
        where: Annotated[
            str | None, typer.Option("--where", metavar="EXPR", help=say("option.where"))
        ] = None,
        max_count: Annotated[
            int | None,
            typer.Option(
                "--max-count", min=1, max=MOST_NUMBERS, metavar="N", help=say("option.max_count")
            ),
        ] = None,
        json: Json = False,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import select_bills  # noqa: PLC0415

        options = select_bills.SelectChoice(config, route, where, max_count, json)
        return awaited(lambda: select_bills.select(options, output, say))

    @command("command.rules", "k3push rules · k3push rules PUR_PurchaseOrder STK_InStock")
    def rules(
        source: Annotated[
            str | None, typer.Argument(metavar="[SOURCE]", help=say("argument.source"))
        ] = None,
        target: Annotated[
            str | None, typer.Argument(metavar="[TARGET]", help=say("argument.target"))
        ] = None,
        json: Json = False,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import list_rules  # noqa: PLC0415

        return awaited(lambda: list_rules.list_rules(config, source, target, say, json=json))
