"""Files of SQL statements, each under its name: those of a ledger, and those that both share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

OF_BOTH = "k3push.adapters.ledger.sql_steps"

_HEADING = re.compile(r"^-- (name|part): (\w+)\n", re.MULTILINE)
_PLACE = re.compile(r"\{(\w+)\}")


@cache
def verbs_of(package: str) -> Mapping[str, str]:
    """Return the statements of the ledger in a package, by name: the shared ones and its own."""
    return statements_in(sql_file(OF_BOTH, "verbs.sql") + sql_file(package, "verbs.sql"))


def sql_file(package: str, file: str) -> str:
    """Read a file of a package's folder `sql`."""
    return (files(package) / "sql" / file).read_text(encoding="utf-8")


def statements_in(text: str) -> dict[str, str]:
    r"""Split a file of statements by the line that names each, and leave out what says why.

    A part of several statements goes where its name stands in braces.

    >>> statements_in("-- All.\n\n-- part: of\na, b\n\n-- name: one\n-- Why.\nSELECT {of};\n")
    {'one': 'SELECT a, b'}
    """
    _, *found = _HEADING.split(text)
    blocks = list(zip(found[::3], found[1::3], map(_bare, found[2::3]), strict=True))
    parts = {name: block for kind, name, block in blocks if kind == "part"}
    return {
        name: _PLACE.sub(lambda place: parts[place[1]], block)
        for kind, name, block in blocks
        if kind == "name"
    }


def _bare(block: str) -> str:
    lines = [line for line in block.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")
