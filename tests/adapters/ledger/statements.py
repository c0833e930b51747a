"""The statements of SQL ledgers, as tests look at them."""

from __future__ import annotations

import re
from importlib.resources import files

from k3push.adapters.ledger.sql_files import OF_BOTH, sql_file


def unused_statements(package: str) -> list[str]:
    """Return what nobody uses of the statements that a ledger has, and of their parts.

    One that is shared and the ledger's own as well is none: nobody could say which of them is run.
    """
    code = "".join(
        entry.read_text(encoding="utf-8")
        for place in (package, OF_BOTH)
        for entry in files(place).iterdir()
        if entry.name.endswith(".py")
    )
    sql = sql_file(OF_BOTH, "verbs.sql") + sql_file(package, "verbs.sql")
    names = re.findall(r"^-- name: (\w+)$", sql, re.MULTILINE)
    parts = re.findall(r"^-- part: (\w+)$", sql, re.MULTILINE)
    unused = [name for name in names if f'"{name}"' not in code or names.count(name) > 1]
    return unused + [part for part in parts if f"{{{part}}}" not in sql]
