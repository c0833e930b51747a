"""The ledger in PostgreSQL, for the processes of many machines."""

from k3push.adapters.postgres.ledger import PostgresLedger, open_postgres, version_of

__all__ = ["PostgresLedger", "open_postgres", "version_of"]
