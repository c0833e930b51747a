"""The statements of SQL ledgers, as tests look at them."""

from __future__ import annotations

from importlib.resources import files

from k3push.adapters.ledger.sql_files import SHARED, sql_file, statements_in, verbs_of


def unused_statements(package: str) -> list[str]:
    """Return the statements of a ledger that neither its code names nor that of the shared steps.

    One that is shared and the ledger's own as well is none: nobody could say which of them is run.
    """
    code = "".join(
        entry.read_text(encoding="utf-8")
        for place in (package, SHARED)
        for entry in files(place).iterdir()
        if entry.name.endswith(".py")
    )
    shared, own = (statements_in(sql_file(place, "verbs.sql")) for place in (SHARED, package))
    names = verbs_of(package)
    return [name for name in names if f'"{name}"' not in code or (name in shared and name in own)]
