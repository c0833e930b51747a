"""The ledger in one SQLite file."""

from k3push.adapters.sqlite.ledger import SqliteLedger, open_sqlite, version_of

__all__ = ["SqliteLedger", "open_sqlite", "version_of"]
