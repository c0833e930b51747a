"""`rules`: the conversion rules of the site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from k3push.adapters.erp.client import ErpClient
from k3push.cli.console.listing import put_listing
from k3push.cli.console.screen import put_json, screen
from k3push.core.protocol.conversion_rules import Rule
from k3push.core.remark import remark
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.runs.stop import Cause, told_as
from k3push.wiring.config_file import load_settings
from k3push.wiring.erp import endpoints_of
from k3push.words.language import Say

COLUMNS = Rule._fields

_SHOWN = {True: "yes", False: "no", None: "unknown"}


async def list_rules(
    config: Path | None, source: str | None, target: str | None, say: Say, *, json: bool
) -> Exit:
    """Print the rules between two forms, or all.

    Where the site does not show the forms of its rules, all are printed.
    """
    endpoint = next(iter(endpoints_of(load_settings(config)).values()))
    try:
        async with ErpClient(endpoint) as erp:
            every = await erp.rules()
    except (LoginRefusedError, ErpUnreachableError, LookFailedError) as error:
        if json:
            put_json({"rules": [], "exit": int(Exit.UNREACHABLE)})
        raise Problem(_told(error, str(error)), Exit.UNREACHABLE) from error
    shown = any(rule.source for rule in every)
    rules = [r for r in every if not shown or r.is_of(source or "", target or "")]
    if json:
        told = {"rules": [rule._asdict() for rule in rules]}
        put_json(told)
        return Exit.DONE
    console = screen(highlight=False)
    if rules:
        headings = [say(f"rules.column.{column}") for column in COLUMNS]
        put_listing(console, headings, [_cells(rule, say) for rule in rules], folds={1})
    else:
        console.print(escape(say("rules.none", count=len(every))), soft_wrap=True)
    if (source or target) and every and not shown:
        screen(stderr=True, soft_wrap=True).print(escape(say("rules.no_forms")), highlight=False)
    return Exit.DONE


def _told(error: Exception, why: str) -> str:
    """Say what kept the rules from being read."""
    match error:
        case LoginRefusedError():
            return remark(f"cause.{told_as(Cause.LOGIN_REFUSED, why)}", why=why)
        case ErpUnreachableError():
            return remark(f"cause.{told_as(Cause.UNREACHABLE, why)}", why=why)
        case _:
            return remark("rules.unread", why=why)


def _cells(rule: Rule, say: Say) -> Sequence[str]:
    number, name, source, target, *flags = rule
    return (number, name, source, target, *(say(f"rules.is.{_SHOWN[flag]}") for flag in flags))
