"""Plans in TOML files: what is to go wrong, by the names of faults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from k3push.simulator.books.flows import Flow, FlowNode
from k3push.simulator.books.orders import Approval, Operation
from k3push.simulator.books.refusals import Refusal
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import (
    Aimed,
    Channel,
    Does,
    FaultPlan,
    Hand,
    Rival,
    Seeded,
    Step,
)

# Keys whose values are texts, in whichever table.
_TEXTS = "decides does fault field form name number on person text user"


def load_plan(path: Path) -> FaultPlan:
    """Read a plan from a TOML file.

    Raises:
        ValueError: If something in it is not as it should be; the message names the file.
    """
    try:
        return plan_from(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def plan_from(content: Mapping[str, Any]) -> FaultPlan:
    """Read a plan from what a TOML file holds.

    Tables: `step` (fault, on, times, user), `bill` and `guard` (number, fault, once; and in
    `bill`, on), `refusal` (number, code, text, saving, whole_call, thrown, field, on), `rival`
    (number, nth, at_once), `hand` (number, does, on, nth, after), `flow` (form, numbers, spares,
    name, and the tables `node`: name, person, after_s, decides), `seeded`, `seeded_reads` and
    `seeded_follow` (rate, faults, seed, most, user); and the key `session_calls`. In `bill` and
    `hand`, `on` is push, submit or audit; in `refusal` it is any operation.

    Raises:
        ValueError: If a fault, a kind or a key is not known.

    >>> plan_from({"step": [{"fault": "reset", "times": 2}]}).steps[1].fault.name
    'reset'
    """
    tables = "step bill guard refusal rival hand flow seeded seeded_reads seeded_follow"
    _check("the script", content, optional=f"{tables} session_calls")
    steps: list[Step] = []
    for item in content.get("step", ()):
        _check("a step", item, "fault", "on times user")
        step = Step(fault(item["fault"]), Channel(item.get("on", "push")), item.get("user", ""))
        steps += [step] * int(item.get("times", 1))
    refusals = _refusals(content.get("refusal", ()))
    rivals: dict[str, Rival] = {}
    for item in content.get("rival", ()):
        _check("a rival", item, "number", "nth at_once")
        rivals[item["number"]] = Rival(int(item.get("nth", 1)), bool(item.get("at_once", False)))
    aims = _aims("a bill", content.get("bill", ()))
    guards = _aims("a guard", content.get("guard", ()))
    return FaultPlan(
        tuple(steps),
        {number: aimed for (on, number), aimed in aims.items() if on is Channel.PUSH},
        {number: aimed for (_, number), aimed in guards.items()},
        {number: refusal for (on, number), refusal in refusals.items() if on is None},
        rivals,
        _seeded("seeded", content),
        _seeded("seeded_reads", content),
        int(content.get("session_calls", 0)),
        aimed_follow={key: aimed for key, aimed in aims.items() if key[0] is not Channel.PUSH},
        refused_follow={
            (on, number): refusal for (on, number), refusal in refusals.items() if on is not None
        },
        hands=_hands(content.get("hand", ())),
        seeded_follow=_seeded("seeded_follow", content),
        flows=tuple(map(_flow, content.get("flow", ()))),
    )


def _refusals(
    items: Iterable[Mapping[str, Any]],
) -> dict[tuple[Operation | None, str], Refusal]:
    refusals: dict[tuple[Operation | None, str], Refusal] = {}
    for item in items:
        _check("a refusal", item, "number code text", "saving whole_call thrown field on")
        rest = {key: value for key, value in item.items() if key not in {"number", "on"}}
        operation = Operation(item["on"]) if item.get("on", "push") != "push" else None
        refusals[operation, item["number"]] = Refusal(**rest)
    return refusals


def _hands(items: Iterable[Mapping[str, Any]]) -> dict[str, list[Hand]]:
    hands: dict[str, list[Hand]] = {}
    for item in items:
        _check("a hand", item, "number does", "on nth after")
        hand = Hand(
            Does(item["does"]),
            Channel(item.get("on", "submit")),
            int(item.get("nth", 1)),
            bool(item.get("after", False)),
        )
        hands.setdefault(item["number"], []).append(hand)
    return hands


_DECISIONS = {decision.name.lower(): decision for decision in Approval}


def _flow(item: Mapping[str, Any]) -> Flow:
    _check("a flow", item, "form node", "numbers spares name")
    nodes: list[FlowNode] = []
    for node in item["node"]:
        _check("a node", node, "name person", "after_s decides")
        decides = _DECISIONS.get(node.get("decides", "pass"))
        if decides is None:
            raise ValueError(f"a node decides {' or '.join(_DECISIONS)}, not {node['decides']!r}")
        after_s = float(node.get("after_s", 0))
        nodes.append(FlowNode(node["name"], node["person"], after_s, decides))
    rest = {key: item[key] for key in ("numbers", "spares", "name") if key in item}
    return Flow(item["form"], tuple(nodes), **rest)


def _aims(what: str, items: Iterable[Mapping[str, Any]]) -> dict[tuple[Channel, str], Aimed]:
    aimed: dict[tuple[Channel, str], Aimed] = {}
    for item in items:
        _check(what, item, "number fault", "once on")
        channel = Channel(item.get("on", "push"))
        aimed[channel, item["number"]] = Aimed(fault(item["fault"]), bool(item.get("once", True)))
    return aimed


def _seeded(name: str, content: Mapping[str, Any]) -> Seeded | None:
    if name not in content:
        return None
    item = content[name]
    _check(name, item, "rate faults", "seed most user")
    faults = tuple(fault(each) for each in item["faults"])
    return Seeded(
        float(item["rate"]),
        faults,
        int(item.get("seed", 0)),
        int(item.get("most", 0)),
        item.get("user", ""),
    )


def _check(what: str, item: Mapping[str, Any], required: str = "", optional: str = "") -> None:
    """Refuse *item* if a key is missing or not known, or no text; keys are parted by blanks."""
    missing = set(required.split()) - set(item)
    if missing:
        raise ValueError(f"{what} needs the key {min(missing)!r}")
    unknown = set(item) - set(required.split()) - set(optional.split())
    if unknown:
        raise ValueError(f"{what} has no key {min(unknown)!r}")
    if strange := [key for key in _TEXTS.split() if not isinstance(item.get(key, ""), str)]:
        raise ValueError(f"{what}: {strange[0]} is a text, in quotes")
