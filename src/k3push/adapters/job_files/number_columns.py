"""What numbers and ids look like in a job file, and which headings or JSON keys stand for them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from k3push.adapters.job_files.troubles import Code, shown
from k3push.core.cells import is_marked

_HEADINGS: Final = frozenset(
    ("number", "bill_no", "billno", "fbillno", "单据编号", "单据编码", "单号", "编号")
)
_IDS: Final = frozenset(("id", "fid", "源单内码", "内码"))
_ROUTE: Final = "route"

ROLES: Final = ("number", "id", "route")
"""What a heading may stand for."""

LONGEST: Final = 80
"""Characters of the longest number or name of a route."""

# Whole numbers of 64 bits; some programs write a column with blanks as fractions.
_ID: Final = re.compile(r"0*([1-9][0-9]{0,18})(?:\.0+)?", re.ASCII)

# Every space of Unicode and what comes along when a cell is pasted: tabs, line ends, the
# zero-width space of web pages, byte order marks of files that were joined.
_AROUND: Final = (
    " \t\r\n\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u202f\u205f\u3000\ufeff"
)

# Of visible characters, only the comma is refused. The full-width one is as surely a paste error.
_COMMAS: Final = frozenset(",，")

# Controls, invisible formats, lone surrogates, line and paragraph separators.
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))

# What Excel shows of a number of more than eleven digits, and writes into CSV.
_SHORTENED: Final = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]{2,3}", re.ASCII)

# Nearly all numbers are of printable ASCII, Chinese characters and full-width forms without
# a comma and a plus; one match finds those sound, and only the others are looked at one by one.
plain: Final = re.compile(r"[!-*\--~\u4e00-\u9fff\uff01-\uff0b\uff0d-\uff5e]{1,80}").fullmatch


@dataclass(frozen=True, slots=True)
class Headings:
    """Which headings, or keys of JSON objects, stand for what.

    Attributes:
        column: The only heading of the number that counts, or None for the known ones.

    >>> Headings().role(" FBillNo"), Headings("Order").role("order"), Headings("Order").role("单号")
    ('number', 'number', '')
    >>> Headings().role("ＦＢｉｌｌＮｏ"), Headings().role("ｉｄ")  # of a Chinese input method
    ('number', 'id')
    """

    column: str | None = None

    def role(self, heading: str) -> str:
        """Return one of `ROLES`, or "", for a heading in any letter case and width."""
        heading = _folded(heading)
        if heading in (_HEADINGS if self.column is None else {_folded(self.column)}):
            return "number"
        if heading in _IDS:
            return "id"
        return _ROUTE if heading == _ROUTE else ""

    def is_plain_id(self, heading: str) -> bool:
        """Say whether it is the heading that rows of any kind are counted under, too.

        Beside columns that nobody knows it may as well count the lines.
        """
        return _folded(heading) == "id"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a text cannot be a bill number, with the facts that the sentence mentions."""

    code: Code
    facts: dict[str, str | int]


def tidy(text: str) -> str:
    r"""Return *text* without the spaces around it, of whatever kind.

    >>> tidy("\ufeff\u3000CG　DD\u00a0\t")
    'CG\u3000DD'
    """
    return text.strip(_AROUND)


def _folded(heading: str) -> str:
    return unicodedata.normalize("NFKC", tidy(heading)).casefold()


def flaw(number: str) -> Flaw | None:
    """Return what is wrong with a tidied bill number, or None.

    >>> flaw("CGDD，0000017").code.value, flaw("ＣＧＤＤ 17（补）")
    ('comma', None)
    """
    if not number:
        return Flaw(Code.EMPTY, {})
    if not _COMMAS.isdisjoint(number):
        return Flaw(Code.COMMA, {"value": shown(number)})
    if len(number) > LONGEST:
        return Flaw(Code.TOO_LONG, {"length": len(number), "most": LONGEST, "value": shown(number)})
    if "\t" in number:
        return Flaw(Code.TAB, {"value": shown(number)})
    char = _invisible(number)
    if char:
        return Flaw(Code.CONTROL, {"char": f"U+{ord(char):04X}", "value": shown(number)})
    return None


def can_be_listed(number: str) -> bool:
    """Say whether a bill number of the ERP comes back from a list as it is.

    >>> can_be_listed("CGDD0000017"), can_be_listed("CG,17"), can_be_listed("CG17\u3000")
    (True, False, False)
    """
    return bool(plain(number)) or (flaw(number) is None and tidy(number) == number)


def flaw_of_cell(number: str) -> Flaw | None:
    """Return what is wrong with a tidied bill number in a table of somebody else's, or None.

    Nobody can say whether an apostrophe before a sign is a mark against formulas, nor which digits
    a spreadsheet has left out.

    >>> flaw_of_cell("'=1").code.value, flaw_of_cell("=1"), flaw_of_cell("'1")
    ('apostrophe', None, None)
    >>> flaw_of_cell("2.01803E+13").code.value, flaw_of_cell("CG1E+13"), flaw_of_cell("1+1")
    ('shortened', None, None)
    """
    if _SHORTENED.fullmatch(number):
        return Flaw(Code.SHORTENED, {"value": shown(number)})
    if is_marked(number):
        return Flaw(Code.APOSTROPHE, {"value": shown(number)})
    return flaw(number)


def internal_id(text: str) -> str | None:
    """Return a tidied internal id as the ERP writes it, "" for none, None for what is no id.

    >>> internal_id("100017"), internal_id("100017.0"), internal_id(""), internal_id("CGDD01")
    ('100017', '100017', '', None)
    """
    if not text:
        return ""
    found = _ID.fullmatch(text)
    return found[1] if found else None


def is_route(name: str) -> bool:
    r"""Whether a tidied text may be the name of a route; whether there is one is not asked.

    >>> is_route(""), is_route("po-instock"), is_route("po\tinstock")
    (True, True, False)
    """
    if not name or plain(name):
        return True
    return len(name) <= LONGEST and not _invisible(name)


def _invisible(text: str) -> str:
    """Return the first character that nobody can see, or ""."""
    return next((c for c in text if unicodedata.category(c) in _INVISIBLE), "")
