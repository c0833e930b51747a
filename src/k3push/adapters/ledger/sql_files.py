"""Files of SQL statements, each under its name: those of a ledger, and those that both share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

SHARED = "k3push.adapters.ledger.sql_steps"


@cache
def verbs_of(package: str) -> Mapping[str, str]:
    """Return the statements of the ledger in a package, by name: the shared ones and its own."""
    return statements_in(sql_file(SHARED, "verbs.sql") + sql_file(package, "verbs.sql"))


def sql_file(package: str, file: str) -> str:
    """Read a file of a package's folder `sql`."""
    return (files(package) / "sql" / file).read_text(encoding="utf-8")


def statements_in(text: str) -> dict[str, str]:
    r"""Split a file of statements by the line that names each, and leave out what says why.

    >>> statements_in("-- All.\n\n-- name: one\n-- Why.\nSELECT 1;\n\n-- name: two\nSELECT 2;\n")
    {'one': 'SELECT 1', 'two': 'SELECT 2'}
    """
    parts = (part.split("\n", 1) for part in text.split("-- name: ")[1:])
    return {name.strip(): _bare(statement) for name, statement in parts}


def _bare(statement: str) -> str:
    lines = [line for line in statement.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")
