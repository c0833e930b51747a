"""`select` and `rules`: the commands that list what is in the ERP, and send nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from k3push.cli.arguments import LARGEST_COUNT, awaited
from k3push.cli.command_decorator import Family, argument, typed
from k3push.cli.options import Config, Json
from k3push.words.language import Say

family = Family()


@family.command(
    "command.select",
    'k3push select -o tonight.csv · k3push select --where "FDate>=today-1" -o new.jsonl',
)
def select(
    say: Say,
    output: Annotated[Path, typed("--output", "-o", metavar="F", words="option.list")],
    route: Annotated[str | None, typed("--route", words="option.route_of")] = None,
    where: Annotated[str | None, typed("--where", metavar="EXPR", words="option.where")] = None,
    max_count: Annotated[
        int | None,
        typed("--max-count", min=1, max=LARGEST_COUNT, metavar="N", words="option.max_count"),
    ] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    from k3push.cli.actions import select_bills  # noqa: PLC0415

    options = select_bills.SelectChoice(config, route, where, max_count, json)
    return awaited(lambda: select_bills.select(options, output, say))


@family.command("command.rules", "k3push rules · k3push rules PUR_PurchaseOrder STK_InStock")
def rules(
    say: Say,
    source: Annotated[str | None, argument("[SOURCE]", words="argument.source")] = None,
    target: Annotated[str | None, argument("[TARGET]", words="argument.target")] = None,
    json: Json = False,
    config: Config = None,
) -> int:
    from k3push.cli.actions import list_rules  # noqa: PLC0415

    return awaited(lambda: list_rules.list_rules(config, source, target, say, json=json))
