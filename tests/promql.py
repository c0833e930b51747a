"""As much of PromQL as our alerting rules are written in, so that data can be held against them.

A series is the labels of a sample without its name. What was scraped last is what holds, for five
minutes; an operator between two vectors matches equal labels (Prometheus, "Operators").
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

LOOKBACK_S = 300.0
STEP_S = 60.0
_SECONDS = {"s": 1, "m": 60, "h": 3600}

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector

_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "-": operator.sub,
    "+": operator.add,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_OVER_TIME: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min_over_time": min,
    "max_over_time": max,
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """What was read at one time.

    Attributes:
        at_s: The time.
        values: By name and labels.
    """

    at_s: float
    values: Mapping[tuple[str, Labels], float]


def ringing(rule: Mapping[str, Any], scrapes: Sequence[Scrape]) -> set[Labels]:
    """Return the series for which an alerting rule rings after the last of some scrapes."""
    pending: dict[Labels, float] = {}
    at_s = scrapes[0].at_s
    expression = promql_parser.parse(rule["expr"])
    while at_s <= scrapes[-1].at_s:
        found = _evaluated(expression, [each for each in scrapes if each.at_s <= at_s], at_s)
        assert isinstance(found, dict), "an alert asks for series"
        pending = {labels: pending.get(labels, at_s) for labels in found}
        at_s += STEP_S
    held_s = seconds(rule.get("for", "0s"))
    return {labels for labels, since_s in pending.items() if scrapes[-1].at_s - since_s >= held_s}


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as `5m`."""
    found = re.fullmatch(r"(\d+)([smh])", duration)
    assert found, duration
    return float(found[1]) * _SECONDS[found[2]]


def _evaluated(expression: Any, scrapes: Sequence[Scrape], at_s: float) -> Value:
    match type(expression).__name__:
        case "NumberLiteral":
            return float(expression.val)
        case "ParenExpr":
            return _evaluated(expression.expr, scrapes, at_s)
        case "VectorSelector":
            recent = [each for each in scrapes if at_s - each.at_s < LOOKBACK_S][-1:]
            return {key: value[-1] for key, value in _series(expression.name, recent).items()}
        case "Call":
            return _called(expression, scrapes, at_s)
        case "BinaryExpr":
            left = _evaluated(expression.lhs, scrapes, at_s)
            right = _evaluated(expression.rhs, scrapes, at_s)
            return _combined(str(expression.op), left, right)
    raise NotImplementedError(type(expression).__name__)


def _called(expression: Any, scrapes: Sequence[Scrape], at_s: float) -> Value:
    name = expression.func.name
    if name == "time":
        return at_s
    (matrix,) = expression.args
    since_s = at_s - matrix.range.total_seconds()
    within = [each for each in scrapes if each.at_s > since_s]
    found = _series(matrix.vector_selector.name, within)
    return {key: _OVER_TIME[name](values) for key, values in found.items()}


def _series(name: str, scrapes: Sequence[Scrape]) -> dict[Labels, list[float]]:
    found: dict[Labels, list[float]] = {}
    for scrape in scrapes:
        for (of, labels), value in scrape.values.items():
            if of == name:
                found.setdefault(labels, []).append(value)
    return found


def _combined(sign: str, left: Value, right: Value) -> Value:
    if sign in {"and", "unless"}:
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {key: v for key, v in left.items() if (key in right) == (sign == "and")}
    if isinstance(left, float) and isinstance(right, float):
        return _ARITHMETIC[sign](left, right)
    pairs = _pairs(left, right)
    if sign in _COMPARISONS:
        return {key: a for key, (a, b) in pairs.items() if _COMPARISONS[sign](a, b)}
    return {key: _ARITHMETIC[sign](a, b) for key, (a, b) in pairs.items()}


def _pairs(left: Value, right: Value) -> dict[Labels, tuple[float, float]]:
    if isinstance(left, float):
        assert isinstance(right, dict)
        return {key: (left, b) for key, b in right.items()}
    if isinstance(right, float):
        return {key: (a, right) for key, a in left.items()}
    return {key: (left[key], right[key]) for key in left.keys() & right.keys()}
