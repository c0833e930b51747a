"""The SQL by which PostgreSQL itself keeps one tenant's ledger from another's.

The verbs of a ledger see the rows of their account alone. A role for each tenant makes the same
a matter of the database: what a defect of ours, or somebody with the password of one tenant, asks
of another's rows is not there. An operator reads the SQL, and runs it as the owner of the schema.
"""

from __future__ import annotations

import re
from importlib.resources import files

from k3push.adapters.ledger.postgres.database import SCHEMA

# How the rows of each table say whose they are, where `mine` is a list of accounts. What is
# about a run is its account's; a scope begins with its account. A slot, by which a process finds
# out whether its commit was done, ends with its role; those of older versions have none.
_OF_RUN = "EXISTS (SELECT FROM {schema}.runs AS r WHERE r.key = run)"
_OF_SCOPE = "split_part(scope, '|', 1) = ANY ({mine})"
_OF_ATTEMPT = "EXISTS (SELECT FROM {schema}.attempts AS a WHERE a.id = attempt)"
_OF_SLOT = "coalesce(substring(slot FROM ' (.*)'), current_user) = current_user"
WHOSE = {
    "runs": "account = ANY ({mine})",
    "attempts": _OF_RUN,
    "rows": _OF_RUN,
    "tallies": _OF_RUN,
    "repeats": _OF_RUN,
    "claims": _OF_SCOPE,
    "carried": _OF_ATTEMPT,
    "notes": _OF_RUN,
    "commands": _OF_RUN,
    "taken_files": _OF_RUN,
    "paces": _OF_SCOPE,
    "memos": "account = ANY ({mine})",
    "steps": _OF_RUN,
    "documents": _OF_RUN,
    "signatures": _OF_SLOT,
}
"""The condition for the rows of each table of a ledger."""

_POLICY = """\
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS of_account ON {table};
CREATE POLICY of_account ON {table} USING ({whose});"""

SHARED = ("schema_version", "places")
"""What holds nothing of any tenant; to `places` no role but the owner's is granted anything."""


def isolation_sql(role: str, account: str, database: str) -> str:
    """Return the SQL that binds a role of PostgreSQL to an account; it may be run again.

    Args:
        role: Whom the tenant's file names in `[ledger] url`.
        account: Whose rows it sees.
        database: Of the ledger.
    """
    mine = f"(SELECT {SCHEMA}.accounts_of(current_user))::text[]"
    policies = "\n".join(
        _POLICY.format(
            table=table,
            whose=whose.format(schema=SCHEMA, mine=mine),
        )
        for table, whose in WHOSE.items()
    )
    facts = {
        "policies": policies,
        "tables": ", ".join(WHOSE),
        "role_name": quoted_name(role),
        "role": quoted(role),
        "account": quoted(account),
        "database_name": quoted_name(database),
    }
    text = (files("k3push.fleet") / "sql" / "tenant_role.sql").read_text(encoding="utf-8")
    # Once through, so that no name is taken for a place.
    place = re.compile("|".join(f"{{({name})}}" for name in facts))
    return place.sub(lambda found: facts[found[found.lastindex or 0]], text)


def quoted_name(name: str) -> str:
    """Return a name as SQL has it.

    >>> quoted_name('k3push_a"b')
    '"k3push_a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """Return a text as SQL has it, whatever `standard_conforming_strings` says.

    >>> quoted("it's"), quoted("a" + chr(92))[:3]
    ("'it''s'", "E'a")
    """
    doubled = text.replace("'", "''")
    return f"'{doubled}'" if "\\" not in text else "E'" + doubled.replace("\\", "\\\\") + "'"
