"""The ledger in memory."""

from k3push.adapters.ledger.memory.ledger import MemoryLedger

__all__ = ["MemoryLedger"]
