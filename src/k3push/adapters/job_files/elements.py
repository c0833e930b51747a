"""One JSON value to one number; the same for an element of a list and for a line of JSONL."""

from __future__ import annotations

from functools import lru_cache

from k3push.adapters.job_files.number_columns import (
    ROLES,
    Headings,
    flaw,
    internal_id,
    is_route,
    plain,
    tidy,
)
from k3push.adapters.job_files.troubles import BadLines, Code, names, shown
from k3push.core.model import BillNumber, Listed


class Elements:
    """Turns JSON values into numbers, bad ones into bad lines.

    Attributes:
        route: Route of the elements that name none.
    """

    def __init__(self, headings: Headings, bad: BadLines) -> None:
        self.route = ""
        self._bad = bad
        self._headings = headings
        # The objects of one file share few keys, but a hostile one may have any number.
        self.role = lru_cache(maxsize=256)(headings.role)

    def listed(self, value: object, line: int, item: int | None = None) -> Listed | None:
        """Return the number that *value* names; None if it is bad, which is noted."""
        if isinstance(value, dict):
            return self._listed_object(value, line, item)
        number = self._number(value, line, item)
        return None if number is None else Listed(line, number, self.route)

    def _listed_object(
        self, fields: dict[str, object], line: int, item: int | None
    ) -> Listed | None:
        keys: dict[str, list[str]] = {role: [] for role in ("", *ROLES)}
        for key in fields:
            keys[self.role(key)].append(key)
        # An object with a number and a list of bills may mean either: it is refused.
        lists = [key for key in keys[""] if is_list_key(key) and isinstance(fields[key], list)]
        rivals = [keys["number"] + lists if keys["number"] else [], *(keys[r] for r in ROLES)]
        if twice := next((each for each in rivals if len(each) > 1), None):
            self._bad.add(Code.TWO_KEYS, line, item, keys=names(twice))
            return None
        number_of, id_of, route_of = (fields[keys[r][0]] if keys[r] else None for r in ROLES)
        id_ = _id(id_of)
        if id_ is None:
            self._bad.add(Code.BAD_ID, line, item, value=json_shown(id_of))
            return None
        if not keys["number"] and not (id_ and self._stands_for_bill(keys["id"][0], keys[""])):
            self._bad.add(Code.NO_KEY, line, item, keys=names(fields))
            return None
        by_id = id_ and number_of in (None, "")
        number = BillNumber("") if by_id else self._number(number_of, line, item)
        if number is None:
            return None
        name = route_name(route_of)
        if name is None:
            self._bad.add(Code.BAD_ROUTE, line, item, value=json_shown(route_of))
            return None
        return Listed(line, number, name or self.route, id_)

    def _stands_for_bill(self, key: str, strangers: list[str]) -> bool:
        """Say whether an id stands for the bill of an object that has no number."""
        return not (strangers and self._headings.is_plain_id(key))

    def _number(self, value: object, line: int, item: int | None) -> BillNumber | None:
        if isinstance(value, str):
            if plain(value):
                return BillNumber(value)
            number = tidy(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            number = str(value)
        else:
            self._bad.add(Code.NOT_A_NUMBER, line, item, value=json_shown(value))
            return None
        wrong = flaw(number)
        if wrong:
            self._bad.add(wrong.code, line, item, **wrong.facts)
            return None
        return BillNumber(number)


def _id(value: object) -> str | None:
    """Return an internal id, "" where there is none, None for what is no id.

    >>> _id(100017), _id(" 100017 "), _id(None), _id(True), _id("A")
    ('100017', '100017', '', None, None)
    """
    if value is None:
        return ""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return internal_id(tidy(str(value)))
    return None


def is_list_key(key: str) -> bool:
    """Say whether a list of bills stands under a key, and not one bill."""
    return key.casefold() == "numbers"


def put_field(fields: dict[str, object], key: str, value: object) -> None:
    """Put a field of an object beside the others; one that is there already hides no other.

    Spaces behind a key change nothing about what it stands for.

    >>> fields: dict[str, object] = {"number": "A"}
    >>> put_field(fields, "number", "B")
    >>> fields
    {'number': 'A', 'number ': 'B'}
    """
    while key in fields:
        key += " "
    fields[key] = value


def route_name(value: object) -> str | None:
    """Return the name of a route, "" for null, None for what is no name.

    >>> route_name(" po-instock "), route_name(None), route_name(7)
    ('po-instock', '', None)
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return None
    name = tidy(value)
    return name if is_route(name) else None


def json_shown(value: object) -> str:
    """Return a value as a message may show it, as it is written in JSON.

    >>> json_shown(None), json_shown(True), json_shown({"a": 1}), json_shown(1.5)
    ('null', 'true', '{…}', '1.5')
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "{…}"
        case list():
            return "[…]"
        case _:
            return shown(str(value))
