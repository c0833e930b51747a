"""The ledger in PostgreSQL, for the processes of many machines."""

from k3push.adapters.ledger.postgres.ledger import PostgresLedger as PostgresLedger
from k3push.adapters.ledger.postgres.ledger import is_there as is_there
from k3push.adapters.ledger.postgres.ledger import migrate as migrate
from k3push.adapters.ledger.postgres.ledger import open_postgres as open_postgres
from k3push.adapters.ledger.postgres.ledger import version_of as version_of
