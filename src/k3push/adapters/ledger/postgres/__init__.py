"""The ledger in PostgreSQL, for the processes of many machines."""

from k3push.adapters.ledger.postgres.ledger import (
    PostgresLedger,
    migrate,
    open_postgres,
    version_of,
)

__all__ = ["PostgresLedger", "migrate", "open_postgres", "version_of"]
