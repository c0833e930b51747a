"""Ask whether links tell of each line of a document.

A rule may merge bills into one document and keep the link of some of its lines only (P 5.6). Such a
document is found by the bill that a link names, and it may be of other bills of its call as well.
"""

from __future__ import annotations

from collections.abc import Collection

from k3push.core.model import Sighting
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.retried_reads import read_with_retries


async def are_linked(context: Looker, ids: Collection[str], seen: Sighting) -> bool:
    """Say whether a look has found some documents by links, and each of their lines has one.

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
