"""What can be wrong with a job file.

A trouble is a code with facts; `words.job_troubles` has its sentences, each with a cure. Texts
from the file are shown shortened and with control characters spelled out, so that a damaged
file can neither flood nor steer a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from k3push.core.remark import remark

# As many as an operator mends in one go; a wrong export has millions.
_TOLD_AT_MOST: Final = 20

_SHOWN_AT_MOST: Final = 40
_NAMES_AT_MOST: Final = 12


class Code(StrEnum):
    """What is wrong; the sentences are `job.CODE` and `job.CODE.cure`."""

    MISSING = "missing"
    MISSING_WORD = "missing_word"
    FOLDER = "folder"
    DEVICE = "device"
    LINK = "link"
    TOO_BIG = "too_big"
    FULL_FOLDER = "full_folder"
    ASIDE = "aside"
    KILLS_READER = "kills_reader"
    NO_PERMISSION = "no_permission"
    UNREADABLE = "unreadable"
    CHANGED = "changed"
    NO_BYTE = "no_byte"
    BLANK = "blank"
    WORKBOOK = "workbook"
    WORKBOOK_BY_ANOTHER_NAME = "workbook_by_another_name"
    NOT_A_WORKBOOK = "not_a_workbook"
    ENCRYPTED = "encrypted"
    DAMAGED_WORKBOOK = "damaged_workbook"
    NO_SUCH_SHEET = "no_such_sheet"
    WHICH_SHEET = "which_sheet"
    NO_SHEET = "no_sheet"
    BLANK_SHEET = "blank_sheet"
    OTHER_SHEETS = "other_sheets"
    HEADING_PERHAPS = "heading_perhaps"
    ENCODING_PERHAPS = "encoding_perhaps"
    BLANK_ONLY_SHEET = "blank_only_sheet"
    OTHER_KIND = "other_kind"
    SETTINGS = "settings"
    UNDECODABLE = "undecodable"
    NUL = "nul"
    LONG_LINE = "long_line"

    UNKNOWN_HEADINGS = "unknown_headings"
    LATE_HEADING = "late_heading"
    NO_SUCH_COLUMN = "no_such_column"
    TWO_COLUMNS = "two_columns"
    PASTED_LIST = "pasted_list"
    OPEN_QUOTE = "open_quote"

    JSON_IN_TABLE = "json_in_table"
    NOT_JSON = "not_json"
    JSON_NOT_LINES = "json_not_lines"
    PLAN = "plan"
    LINES_NOT_JSON = "lines_not_json"
    NO_LIST = "no_list"
    KEY_TWICE = "key_twice"
    ROUTE_NOT_TEXT = "route_not_text"
    JSON_SYNTAX = "json_syntax"
    CUT_OFF = "cut_off"
    TOO_DEEP = "too_deep"
    HUGE_VALUE = "huge_value"

    EMPTY = "empty"
    COMMA = "comma"
    TAB = "tab"
    SHORTENED = "shortened"
    CONTROL = "control"
    APOSTROPHE = "apostrophe"
    LINE_BREAK = "line_break"
    TOO_LONG = "too_long"
    TOO_MANY_CELLS = "too_many_cells"
    STRAY_QUOTE = "stray_quote"
    BAD_ROUTE = "bad_route"
    BAD_ID = "bad_id"
    NOT_A_NUMBER = "not_a_number"
    NO_KEY = "no_key"
    TWO_KEYS = "two_keys"
    BAD_RECORD = "bad_record"
    NUMBER_CELL = "number_cell"
    SHAPED_CELL = "shaped_cell"
    DATE_CELL = "date_cell"
    TRUTH_CELL = "truth_cell"
    ERROR_CELL = "error_cell"
    NO_RESULT = "no_result"
    MORE_CELLS = "more_cells"


MENTIONED: Final = frozenset({Code.OTHER_SHEETS, Code.HEADING_PERHAPS, Code.ENCODING_PERHAPS})
"""What a reading goes by, and leaves no line out for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with a job file.

    Attributes:
        file: Name of the file as the operator gave it; "-" is standard input.
        line: Line in the file, from 1, or None if it is the file as a whole.
        item: Element of the JSON list, from 1, or None; a list of millions may be one line.
        facts: What the sentences mention.
        sheet: Sheet of a workbook, or "".

    >>> str(Trouble(Code.EMPTY, "orders.csv")).startswith("job.trouble{")
    True
    """

    code: Code
    file: str
    line: int | None = None
    item: int | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    sheet: str = ""

    @property
    def place(self) -> str:
        """Where it is, as a remark: file, sheet, line, element."""
        return remark(
            "job.place",
            file=remark("job.stdin") if self.file == "-" else self.file,
            sheet=remark("job.at_sheet", sheet=shown(self.sheet)) if self.sheet else "",
            line="" if self.line is None else remark("job.at_line", line=self.line),
            item="" if self.item is None else remark("job.at_item", item=self.item),
        )

    @property
    def what(self) -> str:
        """What is wrong, as a remark."""
        return remark(f"job.{self.code}", **self.facts)

    def __str__(self) -> str:
        """Return the remark that says all of it: where, what is wrong, what to do."""
        cure = remark(f"job.{self.code}.cure", **self.facts)
        return remark("job.trouble", place=self.place, what=self.what, cure=cure)


class JobFileError(Exception):
    """A job file that must be mended before anything is sent.

    Attributes:
        troubles: What is wrong, in the order of the file; at least one.
        more: Further bad lines that were counted and not kept.
        sheets: Those of a workbook that can be seen, to choose another from.
        skippable: Whether a reading that skips bad lines meets none of it.
    """

    def __init__(
        self,
        *troubles: Trouble,
        more: int = 0,
        sheets: Sequence[str] = (),
        skippable: bool = False,
    ) -> None:
        super().__init__(*troubles)
        self.troubles = troubles
        self.more = more
        self.sheets = sheets
        self.skippable = skippable

    def __str__(self) -> str:
        """Return a remark for each trouble, a line each."""
        more = [remark("job.more_lines", count=self.more)] if self.more else []
        return "\n".join([*map(str, self.troubles), *more])

    @property
    def for_command(self) -> str:
        """All of it, and the option that helps, for whoever has typed a command."""
        count = len(self.troubles) + self.more
        return f"{self}\n{remark('job.skip', count=count)}" if self.skippable else str(self)


class BadLines:
    """The bad lines of one reading: kept until its end, or told and skipped.

    They are kept so that an operator can mend many in one go. Nothing is sent meanwhile:
    a caller sends nothing before the reading has ended without an error.

    Attributes:
        file: Name of the file.
        sheet: Sheet of the workbook that is being read, or "".
        sheets: All of its sheets that can be seen.
    """

    def __init__(
        self, file: str, *, skip: bool, on_bad_line: Callable[[Trouble], None] | None
    ) -> None:
        self.file = file
        self.sheet = ""
        self.sheets: Sequence[str] = ()
        self._skip = skip
        self._on_bad_line = on_bad_line
        self._kept: list[Trouble] = []
        self._more = 0

    def add(self, code: Code, line: int, item: int | None = None, /, **facts: str | int) -> None:
        """Skip the line and tell of it, or keep it until the end of the file."""
        if not self._skip:
            if len(self._kept) >= _TOLD_AT_MOST:
                self._more += 1
                return
            self._kept.append(Trouble(code, self.file, line, item, facts, self.sheet))
        elif self._on_bad_line is not None:
            self._on_bad_line(Trouble(code, self.file, line, item, facts, self.sheet))

    def mention(self, code: Code, line: int | None = None, /, **facts: str | int) -> None:
        """Tell how the list is read, though nothing may be wrong with it."""
        if self._on_bad_line is not None:
            self._on_bad_line(Trouble(code, self.file, line, facts=facts, sheet=self.sheet))

    def stop(
        self, code: Code, line: int | None = None, item: int | None = None, /, **facts: str | int
    ) -> JobFileError:
        """Return the error that ends the reading here, with what was kept so far before it."""
        last = Trouble(code, self.file, line, item, facts, self.sheet)
        return JobFileError(*self._kept, last, more=self._more, sheets=self.sheets)

    def end(self) -> None:
        """Raise what was kept.

        Raises:
            JobFileError: If there was a bad line and none may be skipped.
        """
        if self._kept:
            raise JobFileError(*self._kept, more=self._more, sheets=self.sheets, skippable=True)


def shown(text: str) -> str:
    r"""Return *text* as a message may show it: short, and harmless on a terminal.

    >>> print(shown("CGDD\x1b[31m"))
    CGDD\u001b[31m
    """
    cut = text[:_SHOWN_AT_MOST] + ("…" if len(text) > _SHOWN_AT_MOST else "")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)


def names(texts: Iterable[str]) -> str:
    """Return headings or keys as a message may list them; "-" stands for none.

    >>> names(["a", "", "b"])
    'a, b'
    """
    real = [shown(text) for text in texts if text]
    rest = ", …" if len(real) > _NAMES_AT_MOST else ""
    return (", ".join(real[:_NAMES_AT_MOST]) + rest) or "-"
