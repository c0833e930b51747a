"""Ask the source form for bills: by number, by id, or by what selects them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from k3push.core.model import BillNumber, Source
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.ports import LookRefusedError
from k3push.runs.lookup.looker import HARMLESS, Looker
from k3push.runs.lookup.retried_reads import (
    TRIES_OF_A_PART,
    ReadContext,
    read_in_parts,
    read_with_retries,
)


async def look_at_sources(
    context: Looker, numbers: Sequence[BillNumber]
) -> tuple[Mapping[BillNumber, tuple[Source, ...]], Mapping[BillNumber, str]]:
    """Read the bills that *numbers* spell from the source form.

    Returns:
        What it holds of each number, and the ERP's words for those whose query it refuses.
    """
    found: dict[BillNumber, tuple[Source, ...]] = {}
    refused: dict[BillNumber, str] = {}

    async def read(part: Sequence[BillNumber]) -> None:
        found.update(await context.erp.sources_of(context.route, part))

    form, harmless = context.route.source, _harmless_source(context)
    await read_in_parts(context, form, numbers, read, harmless=harmless, refused=refused)
    return found, refused


async def look_at_ids(
    context: Looker, ids: Sequence[str]
) -> tuple[Mapping[str, Source], Mapping[str, str]]:
    """Read the bills that have *ids* from the source form.

    Returns:
        Those that it holds, and the ERP's words for ids whose query it refuses.
    """
    found: dict[str, Source] = {}
    refused: dict[str, str] = {}

    async def read(part: Sequence[str]) -> None:
        found.update(await context.erp.sources_by_id(context.route, part))

    form, harmless = context.route.source, _harmless_source(context)
    await read_in_parts(context, form, ids, read, harmless=harmless, refused=refused)
    return found, refused


def _harmless_source(context: Looker) -> Callable[[], Awaitable[object]]:
    return lambda: context.erp.sources_of(context.route, [HARMLESS])


async def look_at_selected(
    context: ReadContext, selection: Selection, *, today: date, after: str
) -> SelectedPage:
    """Read the next page of the bills that a selection names, in the order of their ids.

    If the question is refused with the user's own filter and answered without it, the filter is to
    blame, and the refusal is final.
    """
    refusals = 0

    async def ask(what: Selection) -> SelectedPage:
        return await context.erp.selected(context.route, what, today=today, after=after)

    async def read() -> SelectedPage:
        nonlocal refusals
        try:
            return await ask(selection)
        except LookRefusedError as refusal:
            refusals += 1
            if refusal.definite or not selection.where or refusals < TRIES_OF_A_PART:
                raise
            await ask(replace(selection, where=""))
            raise LookRefusedError(str(refusal), code=refusal.code) from refusal

    return await read_with_retries(context, context.route.source, read)
