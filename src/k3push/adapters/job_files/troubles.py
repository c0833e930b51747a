"""What can be wrong with a job file, and the words for it.

A trouble is a code with facts; its sentences stand once, here, in both languages, each
with a cure. Texts from the file are shown shortened and with control characters spelled
out, so that a damaged file can neither flood nor steer a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Lang = Literal["en", "zh"]

# As many as an operator mends in one go; a wrong export has millions.
_TOLD_AT_MOST: Final = 20

_SHOWN_AT_MOST: Final = 40
_NAMES_AT_MOST: Final = 12


class Code(StrEnum):
    """What is wrong; the sentences are in ``_SENTENCES``."""

    MISSING = "missing"
    FOLDER = "folder"
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
    NO_SHEET = "no_sheet"
    BLANK_SHEET = "blank_sheet"
    OTHER_KIND = "other_kind"
    UNDECODABLE = "undecodable"
    NUL = "nul"
    LONG_LINE = "long_line"

    UNKNOWN_HEADINGS = "unknown_headings"
    NO_SUCH_COLUMN = "no_such_column"
    TWO_COLUMNS = "two_columns"
    PASTED_LIST = "pasted_list"
    OPEN_QUOTE = "open_quote"

    JSON_IN_TABLE = "json_in_table"
    NOT_JSON = "not_json"
    JSON_NOT_LINES = "json_not_lines"
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
    CONTROL = "control"
    LINE_BREAK = "line_break"
    TOO_LONG = "too_long"
    TOO_MANY_CELLS = "too_many_cells"
    STRAY_QUOTE = "stray_quote"
    BAD_ROUTE = "bad_route"
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


class _Said(NamedTuple):
    """A trouble in words: what is wrong, and what to do about it."""

    en: str
    en_cure: str
    zh: str
    zh_cure: str


_SENTENCES: Final[Mapping[Code, _Said]] = MappingProxyType(
    {
        # The file as a whole.
        Code.MISSING: _Said(
            "there is no such file",
            "Check the name and the folder.",
            "文件不存在",
            "请检查文件名和所在文件夹。",
        ),
        Code.FOLDER: _Said(
            "this is a folder",
            "Name the job file in it.",
            "这是一个文件夹",
            "请指定其中的作业文件。",
        ),
        Code.NO_PERMISSION: _Said(
            "this user may not read the file, or another program has locked it",
            "Close it elsewhere or have its permissions changed.",
            "当前用户无权读取该文件，或文件被其他程序占用",
            "请关闭占用它的程序，或调整文件权限。",
        ),
        Code.UNREADABLE: _Said(
            "the file cannot be read ({reason})",
            "Copy it to a local disk and try again.",
            "无法读取该文件（{reason}）",
            "请将其复制到本地磁盘后重试。",
        ),
        Code.CHANGED: _Said(
            "the file changed while it was being read",
            "Wait until it is written completely, then try again.",
            "读取过程中文件发生了变化",
            "请等文件写完后再试。",
        ),
        Code.NO_BYTE: _Said(
            "the file is empty, to the last byte; its export has probably failed",
            "Export it again. An empty list still has its heading.",
            "文件为空（0 字节），很可能是导出失败",
            "请重新导出。空清单也应保留标题行。",
        ),
        Code.BLANK: _Said(
            "there is nothing in the file but blanks",
            "Export it again. An empty list still has its heading.",
            "文件中只有空白",
            "请重新导出。空清单也应保留标题行。",
        ),
        Code.WORKBOOK: _Said(
            "this is a workbook of the kind {kind}, of which only XLSX is read",
            "Open it and save it as an Excel workbook (.xlsx).",
            "这是 {kind} 格式的工作簿，只能读取 XLSX",
            "请打开后另存为“Excel 工作簿 (.xlsx)”。",
        ),
        Code.WORKBOOK_BY_ANOTHER_NAME: _Said(
            "this is a workbook (XLSX), whatever its name says",
            "Name it .xlsx.",
            "文件内容是工作簿（XLSX），与扩展名不符",
            "请将扩展名改为 .xlsx。",
        ),
        Code.NOT_A_WORKBOOK: _Said(
            "this is not a workbook (XLSX), whatever its name says",
            "If it is a list or a table of text, name it .csv; else save it as .xlsx again.",
            "文件内容不是工作簿（XLSX），与扩展名不符",
            "如果是文本清单或表格，请将扩展名改为 .csv；否则请重新另存为 .xlsx。",
        ),
        Code.ENCRYPTED: _Said(
            "the workbook is locked with a password",
            "Save it without a password to open, or save the list as CSV UTF-8.",
            "工作簿已用密码加密",
            "请取消打开密码后保存，或将清单另存为“CSV UTF-8”格式。",
        ),
        Code.DAMAGED_WORKBOOK: _Said(
            "the workbook is damaged or not complete ({reason})",
            "Copy or export it again, or open it in Excel and save it.",
            "工作簿已损坏或不完整（{reason}）",
            "请重新复制或导出，或用 Excel 打开后重新保存。",
        ),
        Code.NO_SUCH_SHEET: _Said(
            "there is no sheet {wanted}; there are: {sheets}",
            "Name one of these with --sheet.",
            "没有名为 {wanted} 的工作表；现有：{sheets}",
            "请用 --sheet 指定其中一个。",
        ),
        Code.NO_SHEET: _Said(
            "the workbook has no visible sheet with cells (hidden: {sheets})",
            "Name a hidden one with --sheet, or show it and save the workbook.",
            "工作簿中没有可见的工作表（隐藏的：{sheets}）",
            "请用 --sheet 指定隐藏的工作表，或取消隐藏后保存。",
        ),
        Code.BLANK_SHEET: _Said(
            "there is nothing in this sheet",
            "Name another with --sheet ({sheets}). An empty list still has its heading.",
            "此工作表中没有内容",
            "请用 --sheet 指定其他工作表（{sheets}）。空清单也应保留标题行。",
        ),
        Code.OTHER_KIND: _Said(
            "this is not a list of numbers but {kind}, whatever its name says",
            "Export the list as CSV UTF-8.",
            "文件内容是 {kind}，与扩展名不符，不是编号清单",
            "请将清单导出为“CSV UTF-8”格式。",
        ),
        Code.UNDECODABLE: _Said(
            "there are bytes that are no {encoding} text",
            "The file is damaged or in another encoding. Save it as CSV UTF-8.",
            "存在无法按 {encoding} 解码的字节",
            "文件已损坏或使用了其他编码，请另存为“CSV UTF-8”格式。",
        ),
        Code.NUL: _Said(
            "there is a NUL byte, so the file is damaged or no text at all",
            "Export it again, as CSV UTF-8.",
            "存在 NUL 字节，文件已损坏或不是文本文件",
            "请重新导出为“CSV UTF-8”格式。",
        ),
        Code.LONG_LINE: _Said(
            "the line is longer than {most} characters",
            "Put each number on a line of its own.",
            "该行超过 {most} 个字符",
            "请将每个编号单独放在一行。",
        ),
        # Tables.
        Code.UNKNOWN_HEADINGS: _Said(
            "none of the headings is known as the bill number ({headings})",
            "Name the column with --column, or call it number; "
            "if these are bill numbers, put each on a line of its own.",
            "没有可识别为单据编号的列标题（{headings}）",
            "请用 --column 指定列名，或将该列标题改为“单据编号”；"
            "如果这些就是单据编号，请每行放一个。",
        ),
        Code.NO_SUCH_COLUMN: _Said(
            "there is no column {column}; the first line has {headings}",
            "Name one of these with --column.",
            "没有名为 {column} 的列；首行内容为：{headings}",
            "请用 --column 指定其中一列。",
        ),
        Code.TWO_COLUMNS: _Said(
            "more than one column could be meant ({headings})",
            "Name the right one with --column, or rename or remove the others.",
            "有多个列都符合（{headings}）",
            "请用 --column 指定正确的一列，或改名、删除其余的列。",
        ),
        Code.PASTED_LIST: _Said(
            "the first line has several values and no heading ({headings})",
            "If they are all bill numbers, put each on a line of its own; "
            "if they are columns, put a line of headings above them.",
            "首行有多个值而没有标题（{headings}）",
            "如果都是单据编号，请每行放一个；如果是多列，请在上方加一行标题。",
        ),
        Code.OPEN_QUOTE: _Said(
            'a quotation mark (") opens here and is not closed properly',
            "Close or remove it; if the file breaks off there, export it again.",
            '此处的引号（"）没有正确闭合',
            "请补全或删除引号；如果文件在此中断，请重新导出。",
        ),
        # JSON.
        Code.JSON_IN_TABLE: _Said(
            "the file holds JSON",
            "Name it .json (or .jsonl, for one value a line).",
            "文件内容是 JSON",
            "请将扩展名改为 .json（每行一个值时改为 .jsonl）。",
        ),
        Code.NOT_JSON: _Said(
            "the file does not hold JSON",
            "Name it .csv, if it is a list or a table.",
            "文件内容不是 JSON",
            "如果是清单或表格，请将扩展名改为 .csv。",
        ),
        Code.JSON_NOT_LINES: _Said(
            "the file is one JSON document, not one value a line",
            "Name it .json.",
            "文件是一个完整的 JSON 文档，而不是每行一个值",
            "请将扩展名改为 .json。",
        ),
        Code.LINES_NOT_JSON: _Said(
            "the file has one JSON value a line, not one list",
            "Name it .jsonl.",
            "文件是每行一个 JSON 值，而不是一个列表",
            "请将扩展名改为 .jsonl。",
        ),
        Code.NO_LIST: _Said(
            'there is no list under the key "numbers" (keys: {keys})',
            'Write ["A", "B"] or {{"route": "…", "numbers": ["A", "B"]}}.',
            '键 "numbers" 下没有列表（现有的键：{keys}）',
            '请写成 ["A", "B"] 或 {{"route": "…", "numbers": ["A", "B"]}}。',
        ),
        Code.KEY_TWICE: _Said(
            'the key "{key}" is there twice',
            "Keep one of them.",
            "键 “{key}” 重复出现",
            "请只保留一个。",
        ),
        Code.ROUTE_NOT_TEXT: _Said(
            'the value of "route" is {value}, not a name',
            "Write the route's name in quotation marks.",
            '"route" 的值是 {value}，不是名称',
            "请写成带引号的路由名称。",
        ),
        Code.JSON_SYNTAX: _Said(
            "this is not valid JSON",
            "Mend it here, or export the file again.",
            "此处不是合法的 JSON",
            "请在此处修正，或重新导出文件。",
        ),
        Code.CUT_OFF: _Said(
            "the file ends before its JSON is complete",
            "It was probably cut off: export or copy it again.",
            "JSON 不完整，文件提前结束",
            "文件可能被截断，请重新导出或复制。",
        ),
        Code.TOO_DEEP: _Said(
            "JSON is nested more than {most} deep here",
            'Write ["A", "B"] or [{{"number": "A"}}].',
            "此处 JSON 嵌套超过 {most} 层",
            '请写成 ["A", "B"] 或 [{{"number": "A"}}]。',
        ),
        Code.HUGE_VALUE: _Said(
            "there is a value here that is too large to be read",
            "Remove it. A bill number has at most 80 characters.",
            "此处的值过大，无法读取",
            "请删除。单据编号最多 80 个字符。",
        ),
        # Single lines; these may be skipped.
        Code.EMPTY: _Said(
            "the bill number is empty",
            "Remove the line or fill it in.",
            "单据编号为空",
            "请删除该行或补上编号。",
        ),
        Code.COMMA: _Said(
            "there is a comma in the bill number ({value})",
            "Put each number on a line of its own.",
            "单据编号中有逗号（{value}）",
            "请将每个编号单独放在一行。",
        ),
        Code.CONTROL: _Said(
            "there is an invisible character ({char}) in the bill number ({value})",
            "Type the number anew.",
            "单据编号中有不可见字符 {char}（{value}）",
            "请重新输入该编号。",
        ),
        Code.LINE_BREAK: _Said(
            "the bill number runs on to line {last} ({value})",
            "Remove the line break, or the quotation mark that was left open.",
            "单据编号跨行，一直到第 {last} 行（{value}）",
            "请删除其中的换行，或删除未闭合的引号。",
        ),
        Code.TOO_LONG: _Said(
            "the bill number has {length} characters, more than {most} ({value})",
            "Check that only the number is in the cell.",
            "单据编号有 {length} 个字符，超过 {most} 个（{value}）",
            "请确认单元格中只有编号。",
        ),
        Code.TOO_MANY_CELLS: _Said(
            "the line has {cells} cells and the heading only {headings}",
            "Put quotation marks around cells that hold the delimiter.",
            "该行有 {cells} 个单元格，而标题只有 {headings} 个",
            "含有分隔符的单元格请加引号。",
        ),
        Code.STRAY_QUOTE: _Said(
            'there is text behind a closing quotation mark (")',
            "Remove the quotation marks, or double those inside the cell.",
            '右引号（"）之后还有文字',
            "请删除引号，或将单元格内部的引号写成两个。",
        ),
        Code.BAD_ROUTE: _Said(
            "the route is not a name ({value})",
            "Write the name of a route, or leave it empty.",
            "路由不是有效的名称（{value}）",
            "请填写路由名称，或留空。",
        ),
        Code.NOT_A_NUMBER: _Said(
            "the bill number is {value}, not text",
            "Write it in quotation marks.",
            "单据编号是 {value}，不是文本",
            "请将编号写在引号内。",
        ),
        Code.NO_KEY: _Said(
            "none of the keys is known as the bill number ({keys})",
            "Name the key with --column, or call it number.",
            "没有可识别为单据编号的键（{keys}）",
            "请用 --column 指定键名，或将该键改为 number。",
        ),
        Code.TWO_KEYS: _Said(
            "more than one key could be meant ({keys})",
            "Name the right one with --column, or remove the others.",
            "有多个键都符合（{keys}）",
            "请用 --column 指定正确的键，或删除其余的键。",
        ),
        Code.BAD_RECORD: _Said(
            "the line is not valid JSON",
            "Mend or remove the line.",
            "该行不是合法的 JSON",
            "请修正或删除该行。",
        ),
        Code.NUMBER_CELL: _Said(
            "cell {cell} holds the number {value}, which Excel may have rounded: it keeps "
            "15 digits, and no zeros at the end of a fraction",
            "Format the column as text, and put the bill number in again.",
            "单元格 {cell} 是数值 {value}，可能已被 Excel 改变：Excel 只保留 15 位有效数字，"
            "且不保留小数末尾的零",
            "请将该列设为“文本”格式，然后重新填入编号。",
        ),
        Code.SHAPED_CELL: _Said(
            "cell {cell} holds the number {value}, and its format shows zeros or words around it",
            "Format the column as text, and put the bill number in again.",
            "单元格 {cell} 的值是 {value}，但其数字格式还显示了零或文字",
            "请将该列设为“文本”格式，然后重新填入编号。",
        ),
        Code.DATE_CELL: _Said(
            "cell {cell} holds a date or a time",
            "Format the column as text, and put the bill number in again.",
            "单元格 {cell} 是日期或时间",
            "请将该列设为“文本”格式，然后重新填入编号。",
        ),
        Code.TRUTH_CELL: _Said(
            "cell {cell} holds TRUE or FALSE",
            "Format the column as text, and put the bill number in again.",
            "单元格 {cell} 是逻辑值（TRUE 或 FALSE）",
            "请将该列设为“文本”格式，然后重新填入编号。",
        ),
        Code.ERROR_CELL: _Said(
            "cell {cell} holds an error ({value})",
            "Mend its formula, or remove the row.",
            "单元格 {cell} 是错误值（{value}）",
            "请修正公式，或删除该行。",
        ),
        Code.NO_RESULT: _Said(
            "cell {cell} holds a formula that was never worked out",
            "Open the workbook in Excel and save it.",
            "单元格 {cell} 中的公式没有计算结果",
            "请用 Excel 打开后保存。",
        ),
        Code.MORE_CELLS: _Said(
            "cell {cell} holds something beside the number, and there is no line of headings",
            "Put a line of headings above the numbers, or remove the other cells.",
            "编号之外的单元格 {cell} 也有内容，而表中没有标题行",
            "请在编号上方加一行标题，或删除其他单元格的内容。",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with a job file.

    Attributes:
        code: What is wrong.
        file: Name of the file as the operator gave it; "-" is standard input.
        line: Line in the file, from 1, or None if it is the file as a whole.
        item: Element of the JSON list, from 1, or None; a list of millions may be one line.
        facts: What the sentences mention.
        sheet: Sheet of a workbook, or "".

    >>> print(Trouble(Code.EMPTY, "orders.csv", 41))
    orders.csv, line 41: the bill number is empty. Remove the line or fill it in.
    >>> print(Trouble(Code.EMPTY, "orders.csv", 41).text("zh"))
    orders.csv，第 41 行：单据编号为空。请删除该行或补上编号。
    """

    code: Code
    file: str
    line: int | None = None
    item: int | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    sheet: str = ""

    def place(self, lang: Lang = "en") -> str:
        """Say where it is: file, sheet, line, element."""
        if lang == "zh":
            file = "标准输入" if self.file == "-" else self.file
            sheet = f"，工作表 {shown(self.sheet)}" if self.sheet else ""
            line = "" if self.line is None else f"，第 {self.line} 行"
            item = "" if self.item is None else f"，第 {self.item} 个元素"
        else:
            file = "standard input" if self.file == "-" else self.file
            sheet = f", sheet {shown(self.sheet)}" if self.sheet else ""
            line = "" if self.line is None else f", line {self.line}"
            item = "" if self.item is None else f", element {self.item}"
        return file + sheet + line + item

    def what(self, lang: Lang = "en") -> str:
        """Say what is wrong, without place and full stop."""
        said = _SENTENCES[self.code]
        return (said.zh if lang == "zh" else said.en).format_map(self.facts)

    def cure(self, lang: Lang = "en") -> str:
        """Say what to do, in one or more whole sentences."""
        said = _SENTENCES[self.code]
        return (said.zh_cure if lang == "zh" else said.en_cure).format_map(self.facts)

    def text(self, lang: Lang = "en") -> str:
        """Say all of it on one line."""
        if lang == "zh":
            return f"{self.place(lang)}：{self.what(lang)}。{self.cure(lang)}"
        return f"{self.place()}: {self.what()}. {self.cure()}"

    def __str__(self) -> str:
        return self.text()


class JobFileError(Exception):
    """A job file that must be mended before anything is sent.

    Attributes:
        troubles: What is wrong, in the order of the file; at least one.
        more: Further bad lines that were counted and not kept.
    """

    def __init__(self, *troubles: Trouble, more: int = 0) -> None:
        super().__init__(*troubles)
        self.troubles = troubles
        self.more = more

    def text(self, lang: Lang = "en") -> str:
        """Say everything, one line for each trouble."""
        lines = [trouble.text(lang) for trouble in self.troubles]
        if self.more:
            lines.append(f"另有 {self.more} 行有错。" if lang == "zh" else f"and {self.more} more")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()


class BadLines:
    """The bad lines of one reading: kept until its end, or told and skipped.

    They are kept so that an operator can mend many in one go. Nothing is sent meanwhile:
    a caller sends nothing before the reading has ended without an error.

    Attributes:
        file: Name of the file.
        sheet: Sheet of the workbook that is being read, or "".
    """

    def __init__(
        self, file: str, *, skip: bool, on_bad_line: Callable[[Trouble], None] | None
    ) -> None:
        self.file = file
        self.sheet = ""
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

    def stop(
        self, code: Code, line: int | None = None, item: int | None = None, /, **facts: str | int
    ) -> JobFileError:
        """Return the error that ends the reading here, with what was kept so far before it."""
        last = Trouble(code, self.file, line, item, facts, self.sheet)
        return JobFileError(*self._kept, last, more=self._more)

    def end(self) -> None:
        """Raise what was kept.

        Raises:
            JobFileError: If there was a bad line and none may be skipped.
        """
        if self._kept:
            raise JobFileError(*self._kept, more=self._more)


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
