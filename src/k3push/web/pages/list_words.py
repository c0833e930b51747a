"""What is told of a list, in the words of the form that it was sent with.

Whoever reads a list tells of it as on the command line: by its path, and by the options that would
help. Who has sent it from a browser knows neither.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from k3push.runs.kept_in_ledger.request_stages import PASTED
from k3push.words.language import Say

_FIELDS = {"sheet": "desk.sheet", "column": "desk.column"}
_OPTION = re.compile(r"(?:\bwith |用 )--(sheet|column)\b(?:(?<=[a-z]) (?=[指正]))?")
_ROUTE = re.compile(r"^[^:\n]+: (?:--route|routes): ")


def without_folders(told: str, say: Say, *folders: Path) -> str:
    """Return what is told of a list without folders of the server.

    >>> say, here = Say("en"), Path("lists")
    >>> without_folders(str(here / "pasted, line 2"), say, here)
    'pasted numbers, line 2'
    >>> without_folders(str(here / "pasted.csv: it"), say, here)
    'pasted.csv: it'
    """
    for folder in folders:
        pasted = re.escape(f"{folder}{os.sep}{PASTED}")
        told = re.sub(rf"{pasted}(?![\w.-])", say("desk.pasted"), told)
        told = told.replace(f"{folder}{os.sep}", "")
    return told


def with_fields(told: str, say: Say) -> str:
    """Return what is told of a list with the names of fields for those of options.

    >>> with_fields("Name one of these with --sheet.", Say("en"))
    'Name one of these under “Sheet of the workbook”.'
    >>> with_fields("请用 --sheet 指定其中一个。", Say("zh"))
    '请在“工作表”中指定其中一个。'
    """

    def field(found: re.Match[str]) -> str:
        return say("desk.under", field=say(_FIELDS[found[1]]))

    told = _OPTION.sub(field, told)
    return _ROUTE.sub(f"{say('desk.route')}: ", told)
