"""What a site tells of the links of a route, where these are not built in.

Documents are found by the id of their source where the target form's links can be asked for
(P 6.5). For a pair that k3push does not know the site is asked which entry carries them, and what
the source's table is called: QueryBusinessInfo, and the newest documents. If it does not tell, or
refuses queries of links, documents are found by the number field; without such a field, each call
carries one number.

That links can be asked for proves nothing yet: a rule may keep none. What proves it is a document
that the route's own rule has made, among the newest, or the first that the run itself makes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import anyio

from k3push.core.protocol.links import (
    FoundLinks,
    LinkRow,
    entries_that_may_link,
    found_in,
    link_fields,
    source_tables,
    target_entry,
)
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.ports import (
    BELIEVED_AFTER_S,
    LAST_BELIEVED_AFTER_S,
    LookRefusedError,
    ask_again_in_s,
)
from k3push.runs.lookup.retried_reads import ReadContext, read_unless_refused, read_with_retries

T = TypeVar("T")


async def find_links(reader: ReadContext, *, in_haste: bool = False) -> FoundLinks:
    """Ask the site for the links of the reader's route, unless they and its field are known.

    What it refuses to tell of links is no error: then documents are looked for as without them. A
    look that fails tells nothing, neither that there are links nor that there are none.

    Args:
        reader: What to look with.
        in_haste: Nothing is sent because of the answer, so that a refusal is believed soon.

    Raises:
        LookFailedError: A look failed.
        ErpUnreachableError: Nothing answered.
        LoginRefusedError: No session could be opened.
    """
    route, erp = reader.route, reader.erp
    if route.source_number_field and link_fields(route):
        return FoundLinks(route)
    # Where nothing else tells of documents, a refusal is believed only if it lasts.
    short = in_haste or bool(route.source_number_field)
    long_s = BELIEVED_AFTER_S if short else LAST_BELIEVED_AFTER_S
    entries = [target_entry(route)] if target_entry(route) else await _entries(reader, long_s)
    newest: dict[str, list[LinkRow]] = {}
    for entry in entries:
        tried = replace(route, target_entry=entry)
        form = f"{route.target}.{entry}"
        rows = await _told(reader, form, partial(erp.newest_links, tried), long_s)
        if rows is not None:
            newest[entry] = list(rows)
        # The form has been asked once, so its metadata are loaded, and the short wait is enough.
        long_s = BELIEVED_AFTER_S
    # An entry without links must not hide the one that has them.
    newest = {entry: rows for entry, rows in newest.items() if rows} or newest
    found = found_in(route, newest, ())
    if newest and found.absent and not source_tables(route):
        told = await _told(reader, route.source, lambda: erp.entries_of(route.source))
        found = found_in(route, newest, [each.table for each in told or ()])
    return found


async def see_target_form(reader: ReadContext) -> None:
    """See that the target form is there, before bills are sent that nobody can ask about.

    The rule makes documents in whichever form it leads to: with a wrong name nobody would look for
    what is there already. A user without the right to read may push all the same.

    Raises:
        LookRefusedError: There is no such form.
        LookFailedError: The look failed.
    """
    route, erp = reader.route, reader.erp
    # That the form was read before, by whoever, says nothing of this user's right.
    asked = f"whether {route.target} is there"
    try:
        await read_with_retries(reader, asked, lambda: erp.newest_id(route))
    except LookRefusedError as refusal:
        if refusal.code != NO_RIGHT:
            raise


async def _entries(reader: ReadContext, long_s: float) -> list[str]:
    """Return the entries of the target form that may carry links; none where nobody tells.

    Metadata that are being loaded may tell of none at first.
    """
    form = reader.route.target
    began_s = anyio.current_time()
    while True:
        told = await _told(reader, form, lambda: reader.erp.entries_of(form), long_s)
        entries = entries_that_may_link(told or ())
        wait_s = ask_again_in_s(anyio.current_time() - began_s, long_s)
        if entries or told is None or not wait_s:
            return entries
        await anyio.sleep(wait_s)


async def _told(
    reader: ReadContext,
    what: str,
    look: Callable[[], Awaitable[T]],
    long_s: float = BELIEVED_AFTER_S,
) -> T | None:
    """Return what the site tells; None where it refuses to for so many seconds."""
    told = f"what is told of {what}"
    return await read_unless_refused(reader, told, look, believed_after_s=long_s)
