"""`token add`, `list` and `revoke`: the programs that may ask the dashboard's server for pushes."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from k3push.adapters.clock import SystemClock
from k3push.cli.console.listing import put_listing
from k3push.cli.console.screen import put_json, screen
from k3push.reporting.packed_rows import moment
from k3push.reporting.table_files import local
from k3push.runs.outcome import Exit
from k3push.runs.push_requests.program_roles import ProgramRole
from k3push.runs.push_requests.program_tokens import Program, add_program, programs, revoke_program
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.words.language import Say


async def add(
    config: Path | None,
    name: str,
    say: Say,
    *,
    route: str | None,
    role: ProgramRole,
    rate: int,
) -> Exit:
    """Make a token, and print it alone on standard output."""
    settings = load_settings(config)
    chosen = settings.route(route)
    async with ledger_of(settings, create=True) as ledger:
        program, token = await add_program(
            ledger, SystemClock(), name, route=chosen.name, role=role, rate=rate
        )
    _tell(say("token.made", name=program.name, route=program.route, role=role, rate=rate))
    if settings.serve.four_eyes and role == "approve":
        _tell(say("token.no_four_eyes"))
    sys.stdout.write(f"{token}\n")
    return Exit.DONE


async def show(config: Path | None, say: Say, *, json: bool) -> Exit:
    """Print the programs; no digest of a token is among it."""
    async with ledger_of(load_settings(config)) as ledger:
        found = await programs(ledger)
    if json:
        put_json([_as_json(each) for each in found])
        return Exit.DONE
    keys = ("name", "route", "role", "rate", "made", "revoked")
    rows = []
    for each in found:
        made, revoked = moment(each.made_at), each.revoked_at
        revoked = moment(datetime.fromisoformat(revoked)) if revoked else ""
        rows.append((each.name, each.route, each.role, str(each.rate), made, revoked))
    if found:
        headings = [say(f"token.head.{key}") for key in keys]
        put_listing(screen(highlight=False), headings, rows, folds={4, 5})
    else:
        _tell(say("token.nobody"))
    return Exit.DONE


def _as_json(program: Program) -> dict[str, object]:
    return {
        "name": program.name,
        "route": program.route,
        "role": program.role,
        "rate": program.rate,
        "made_at": local(program.made_at),
        "revoked_at": program.revoked_at or None,
    }


async def revoke(config: Path | None, name: str, say: Say) -> Exit:
    """Refuse a token from now on."""
    async with ledger_of(load_settings(config)) as ledger:
        program = await revoke_program(ledger, SystemClock(), name)
    _tell(say("token.revoked", name=program.name))
    return Exit.DONE


def _tell(line: str) -> None:
    screen(stderr=True, soft_wrap=True).print(line, highlight=False, markup=False)
