"""A second conversion rule for one pair of forms, which a site may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from k3push.simulator.books.forms import ROUTES, Route


def with_second_rule(routes: Sequence[Route] = ROUTES, *, default: bool = False) -> Sequence[Route]:
    """Add a second rule for the pair of forms of the first one.

    Args:
        routes: The rules.

        default: Whether the second one is the pair's default, instead of the first.
    """
    first, *others = routes
    second = replace(first, rule_id=f"ZMER_{first.rule_id}", default=default)
    return (replace(first, default=not default), *others, second)
