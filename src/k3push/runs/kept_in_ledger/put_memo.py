"""How a memo takes the place of the one that is there."""

from __future__ import annotations

from dataclasses import replace

from k3push.ports import Ledger, Memo


async def put_memo(ledger: Ledger, memo: Memo) -> None:
    """Insert a memo, or overwrite the one that is there, however many write at the same moment."""
    kept = await ledger.remember(memo)
    while kept.value != memo.value and not await ledger.revise(replace(kept, value=memo.value)):
        kept = await ledger.memo(memo.kind, memo.id) or memo
