"""Ask how documents stand: their status, their links, and the open tasks of approval flows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from k3push.core.model import FlowTask, Sighting, Standing
from k3push.core.protocol import wire
from k3push.core.protocol.json_values import NO_ID
from k3push.ports import LookFailedError
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.retried_reads import (
    read_in_parts,
    read_unless_refused,
    read_with_retries,
)


async def look_at_standings(
    context: Looker, ids: Collection[str], *, of_source: bool = False
) -> Mapping[str, Standing]:
    """Read how documents of the target form stand, by id; one that is gone is absent.

    It goes on trying after a stop was asked, since what a call has done must be written down. Where
    the ERP refuses to be asked for several, it is asked for fewer.

    Args:
        context: What to look with.
        ids: The documents.
        of_source: Bills of the source form are read instead.

    Raises:
        LookFailedError: It was tried for long, or one of them cannot be asked for.
    """
    route = context.route
    route = replace(route, target=route.source) if of_source else route
    found: dict[str, Standing] = {}
    refused: dict[str, str] = {}

    async def read(part: Sequence[str]) -> None:
        found.update(await context.erp.standings_of(route, part))

    await read_in_parts(
        context,
        route.target,
        sorted(ids),
        read,
        harmless=lambda: context.erp.standings_of(route, [NO_ID]),
        refused=refused,
        stop_or_not=True,
    )
    if refused:
        raise LookFailedError(next(iter(refused.values())))
    return found


async def look_at_standings_if_allowed(
    context: Looker, ids: Collection[str]
) -> Mapping[str, Standing] | None:
    """Read how documents of the target form stand; None where nobody here may read them."""
    route = context.route
    return await read_unless_refused(
        context, route.target, lambda: context.erp.standings_of(route, ids), stop_or_not=True
    )


async def look_at_flow_tasks(
    context: Looker, numbers: Collection[str]
) -> Mapping[str, FlowTask] | None:
    """Read open tasks of approval flows; None where the site does not let them be read."""
    return await read_unless_refused(
        context,
        wire.FLOW_TASKS,
        lambda: context.erp.flow_tasks_of(context.route, numbers),
        stop_or_not=True,
        with_any_error=True,
    )


async def are_linked(context: Looker, ids: Collection[str], seen: Sighting) -> bool:
    """Say whether a look has found some documents by links, and each of their lines has one.

    A rule may merge bills into one document and keep the link of some of its lines only (P 5.6).
    Such a document is found by the bill that a link names, and it may be of other bills of its call
    as well.

    Args:
        context: What to look with.
        ids: The documents.
        seen: The look.
    """
    if not seen.by_link.issuperset(ids):
        return False
    route, asked = context.route, f"the lines of {context.route.target}"
    return not ids or not await read_with_retries(
        context, asked, lambda: context.erp.partly_linked(route, ids), stop_or_not=True
    )
