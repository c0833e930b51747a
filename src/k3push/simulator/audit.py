"""Does a ledger tell the truth? Its rows against the world's own books."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k3push.simulator.world import Making, World

# What the contract promises of these states: the ERP made nothing from the number.
_NOTHING_MADE = frozenset({"rejected", "planned"})


def audit(
    ledger: Iterable[Mapping[str, Any]],
    world: World,
    expected: Iterable[str] = (),
    *,
    since: int = 0,
) -> list[str]:
    """List what is wrong, in plain text; an empty list is a clean bill of health.

    Found are: numbers with documents of more than one push; rows that name other targets
    than the world made, or none, or that deny them; rows left `sent`; documents and
    expected numbers that no row tells of. `unknown` contradicts nothing.

    Args:
        ledger: Rows with the keys number, state, targets and target_ids. The last two are
            lists, or text with ";" between.

        world: What really happened. Late work must be done first (`Site.finish`).

        expected: Numbers that must have a row.

        since: Pushes to pass over, the oldest: what was there before, where a ledger is meant to
            push it again.
    """

    def makings_of(number: str) -> tuple[Making, ...]:
        return tuple(making for making in world.makings_of(number) if making.push > since)

    findings: list[str] = []
    told: set[str] = set()
    for row in ledger:
        number = str(row["number"])
        told.add(world.collation(number))
        findings += _check(row, number, makings_of(number))
    for number in world.numbers_with_documents():
        makings = makings_of(number)
        pushes = {making.push for making in makings}
        if len(pushes) > 1:
            ids = _ids(makings)
            findings.append(f"{number}: made by {len(pushes)} pushes: {', '.join(sorted(ids))}")
        if makings and world.collation(number) not in told:
            findings.append(f"{number}: documents were made and no row tells of them")
    missing = (number for number in expected if world.collation(number) not in told)
    findings += [f"{number}: there is no row" for number in missing]
    return findings


def _check(row: Mapping[str, Any], number: str, makings: tuple[Making, ...]) -> list[str]:
    """Compare one row with what was made from its number."""
    state = str(row["state"])
    made, named = _ids(makings), set(_items(row.get("target_ids")))
    if state == "sent":
        return [f"{number}: left `sent`"]
    if state in _NOTHING_MADE and made:
        return [f"{number}: `{state}`, yet {', '.join(sorted(made))} was made"]
    if state not in {"pushed", "draft", "already"}:
        return []
    if not made:
        return [f"{number}: `{state}`, yet nothing was made"]
    findings: list[str] = []
    if named != made:
        findings.append(
            f"{number}: names {', '.join(sorted(named)) or 'no target'}, "
            f"but {', '.join(sorted(made))} was made"
        )
    numbers = {making.target.number for making in makings if making.target.number}
    named_numbers = set(_items(row.get("targets")))
    if named == made and named_numbers != numbers:
        findings.append(
            f"{number}: calls its targets {', '.join(sorted(named_numbers)) or 'nothing'}, "
            f"but they are {', '.join(sorted(numbers)) or 'drafts'}"
        )
    has_draft = any(not making.target.number for making in makings)
    if has_draft and state == "pushed":
        findings.append(f"{number}: `pushed`, yet a draft was made")
    if not has_draft and state == "draft":
        findings.append(f"{number}: `draft`, yet no draft was made")
    return findings


def _ids(makings: tuple[Making, ...]) -> set[str]:
    return {str(making.target.id) for making in makings}


def _items(value: Any) -> list[str]:
    items = value.split(";") if isinstance(value, str) else value or ()
    return [str(item) for item in items if item not in (None, "", " ")]
