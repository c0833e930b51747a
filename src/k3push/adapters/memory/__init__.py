"""The ledger in memory."""

from k3push.adapters.memory.ledger import MemoryLedger

__all__ = ["MemoryLedger"]
