"""One JSON value to one number; the same for an element of a list and for a line of JSONL."""

from __future__ import annotations

from functools import lru_cache

from k3push.adapters.job_files.numbers import Headings, flaw, is_route, plain, tidy
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
        numbers: list[str] = []
        routes: list[str] = []
        for key in fields:
            role = self.role(key)
            if role == "number":
                numbers.append(key)
            elif role:
                routes.append(key)
        if not numbers:
            self._bad.add(Code.NO_KEY, line, item, keys=names(fields))
            return None
        if len(numbers) > 1 or len(routes) > 1:
            keys = numbers if len(numbers) > 1 else routes
            self._bad.add(Code.TWO_KEYS, line, item, keys=names(keys))
            return None
        number = self._number(fields[numbers[0]], line, item)
        if number is None:
            return None
        route = fields[routes[0]] if routes else None
        name = route_name(route)
        if name is None:
            self._bad.add(Code.BAD_ROUTE, line, item, value=json_shown(route))
            return None
        return Listed(line, number, name or self.route)

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
