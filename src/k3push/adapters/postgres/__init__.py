"""The ledger in PostgreSQL, for the processes of many machines."""

from k3push.adapters.postgres.ledger import PostgresLedger, is_there, open_postgres

__all__ = ["PostgresLedger", "is_there", "open_postgres"]
