"""The ledger in one SQLite file."""

from k3push.adapters.ledger.sqlite.ledger import SqliteLedger, migrate, open_sqlite, version_of

__all__ = ["SqliteLedger", "migrate", "open_sqlite", "version_of"]
