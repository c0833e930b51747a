"""`fleet init-tenant`: the SQL that gives a tenant a role which sees its own rows alone."""

from __future__ import annotations

import sys
from pathlib import Path

from k3push.adapters.ledger.postgres.database import parts_of_url
from k3push.core.foreign_text import flaw_of
from k3push.core.remark import remark
from k3push.fleet import isolation_sql, needs_shared_ledger, read_folder
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.words.language import Say

LONGEST_ROLE = 63
"""Bytes of a name in PostgreSQL, which cuts off what is longer."""


def print_sql(folder: Path, name: str, role: str | None, say: Say) -> Exit:
    """Print the SQL for a tenant; what to write into its file goes to standard error.

    Raises:
        Problem: The tenant is not known, has no ledger in PostgreSQL, or cannot have that role.
        NoLedgerError: The ledger's URL cannot be read.
    """
    tenants = read_folder(folder)
    if name not in tenants.by_name:
        raise Problem(remark("fleet.unknown", tenant=name, known=", ".join(tenants.by_name)))
    settings = tenants.by_name[name].settings
    needs_shared_ledger(settings)
    given = parts_of_url(settings.ledger.url)
    role = role or f"k3push_{name}"
    if flaw_of(role) or not role.isprintable() or len(role.encode()) > LONGEST_ROLE:
        raise Problem(remark("fleet.bad_role", role=role, most=LONGEST_ROLE))
    sql = isolation_sql(role, settings.erp.acct_id, str(given.get("dbname") or "k3push"))
    sys.stdout.write(sql)
    sys.stderr.write(say("fleet.role_printed", role=role, file=settings.file) + "\n")
    return Exit.DONE
