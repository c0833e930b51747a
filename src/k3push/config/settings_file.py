"""config.toml and the environment, read into the settings, or into every fault that they have."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from k3push.config.checked_values import MOST_WHOLE
from k3push.config.conflicts import conflicts
from k3push.config.invalid_values import remark_on_value
from k3push.config.setting_errors import SettingFault, SettingsError, nearest
from k3push.config.settings import Origin, Settings
from k3push.core.foreign_text import flaw_of
from k3push.core.remark import remark

ENVIRONMENT_PREFIX = "K3PUSH_"

DEEPEST = 32
"""How deep a value of the settings may be nested."""

MOST_BYTES = 1 << 20

# How `tomllib` names a place, and a section that is there already.
_AT_LINE = re.compile(r"(.*) \(at line (\d+), column \d+\)", re.DOTALL)
_TWICE = re.compile(r"Cannot declare \((.*)\) twice")
# What a Chinese keyboard types in the place of marks that TOML knows.
_TEXT_OR_COMMENT = re.compile(r"\"[^\"]*(?:\"|$)|'[^']*(?:'|$)|#.*")
# How a secret that is no plain text begins, as the file or JSON has it.
_SECRET_TABLE = re.compile(r"""\s*\{\s*["']?(env|keyring|command|file)["']?\s*[:=]""")
_WIDE_MARKS = re.compile("[“”‘’＂＇＝，［］｛｝]")
# Where `tomllib` misses or meets something in a name, and the part of a line that holds no value.
_IN_A_NAME = re.compile(r"Invalid statement|Invalid initial character|Expected '(=|\]\]?)'")
_HEADING_OR_KEY = re.compile(r"\s*(?:\[[^=]*|[\w.\s-]*(?==))")
# A name that TOML wants in quotation marks, such as that of a route in Chinese.
_BARE_NAME = re.compile(r"[\w-]*(?![\x00-\x7f])\w[\w-]*")


def read_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read a configuration file; `K3PUSH_<SECTION>__<KEY>` in *environment* wins over it.

    Raises:
        SettingsError: With every fault that was found.
    """
    text = _text_of(path)
    try:
        values = tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits among them
        raise SettingsError(str(path), [_no_toml(text, str(error))]) from error
    except RecursionError as error:
        what = remark("setting.too_deep", most=DEEPEST)
        raise SettingsError.of(path, "", what) from error
    variables = _overlay(values, variables_in(environment))
    if unfit := [_fault(text, variables, keys, what) for keys, what in _unfit(values)]:
        raise SettingsError(str(path), unfit)
    try:
        given = frozenset(".".join(keys) for keys in variables)
        settings = Settings.model_validate(values, context=Origin(path, given))
    except ValidationError as error:
        found = [_what_is_wrong(each) for each in error.errors()]
        faults = [_fault(text, variables, keys, what) for keys, what in found]
        raise SettingsError(str(path), faults) from None
    faults = [_fault(text, variables, key.split("."), what) for key, what in conflicts(settings)]
    if faults:
        raise SettingsError(str(path), faults)
    return settings


def _no_toml(text: str, said: str) -> SettingFault:
    """Put what is no TOML at its line; of what *said* shows of the text, no value is told.

    >>> _no_toml("a = “x”", "Invalid value (at line 1, column 5)").what
    'setting.wide_marks{"marks":"“ ”"}'
    >>> _no_toml("[routes.采购]", "Invalid initial character (at line 1, column 9)").what
    'setting.bare_name{"name":"采购"}'
    """
    why, line = said, None
    if found := _AT_LINE.fullmatch(said):
        why, line = found[1], int(found[2])
        outside = _TEXT_OR_COMMENT.sub("", text.split("\n")[line - 1])
        marks = dict.fromkeys(_WIDE_MARKS.findall(outside))
        if marks:
            return SettingFault("", line, remark("setting.wide_marks", marks=" ".join(marks)))
        names = _HEADING_OR_KEY.match(outside) if _IN_A_NAME.match(why) else None
        if names and (bare := _BARE_NAME.search(names[0])):
            return SettingFault("", line, remark("setting.bare_name", name=bare[0]))
    if found := _TWICE.fullmatch(why):
        name = ".".join(re.findall(r"'([^']*)'", found[1]))
        return SettingFault("", line, remark("setting.section_twice", name=name))
    return SettingFault("", line, remark("setting.no_toml", why=why))


def variables_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables of an environment that are settings.

    >>> variables_in({"K3PUSH_RUN__CANARY": "false", "K3PUSH_LANG": "en", "HOME": "/root"})
    {'K3PUSH_RUN__CANARY': 'false'}
    """
    return {
        name: value
        for name, value in environment.items()
        if name.upper().startswith(ENVIRONMENT_PREFIX) and "__" in name
    }


def _text_of(path: Path) -> str:
    if flaw_of(path.name):  # it names a tenant, whom neither a page nor a database could name
        raise SettingsError.of(repr(str(path)), "", remark("setting.file_name"))
    try:
        if path.is_dir():  # said before Windows calls it a lack of permission
            raise SettingsError.of(path, "", remark("setting.is_folder"))
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            what = remark("setting.too_large", most=MOST_BYTES)
            raise SettingsError.of(path, "", what)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        what = remark("setting.not_utf8")
        raise SettingsError.of(path, "", what) from error
    except FileNotFoundError as error:
        raise SettingsError.of(path, "", remark("setting.no_file")) from error
    except OSError as error:
        raise SettingsError.of(path, "", error.strerror or str(error)) from error
    except ValueError as error:  # a name that no file can have
        raise SettingsError.of(repr(str(path)), "", str(error)) from error


def _unfit(
    value: Any, keys: tuple[str, ...] = (), depth: int = 0
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find values that TOML or the environment can hold, and no ledger and no call: key, why."""
    if depth > DEEPEST:
        yield keys, remark("setting.too_deep", most=DEEPEST)
    elif isinstance(value, dict):
        for key, each in value.items():
            if flaw := flaw_of(key):
                yield keys, remark("setting.bad_key", key=key, why=flaw)
            else:
                yield from _unfit(each, (*keys, key), depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _unfit(each, keys, depth + 1)
    elif flaw := _flaw_of_value(value):
        yield keys, flaw


def _flaw_of_value(value: Any) -> str:
    match value:
        case str():
            return flaw_of(value)
        case float():
            return "" if math.isfinite(value) else remark("setting.finite")
        case int():
            return "" if abs(value) <= MOST_WHOLE else remark("setting.bits")
        case _:
            return remark("setting.date")


def _overlay(values: dict[str, Any], environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Lay the environment over *values*; return which variable each key came from."""
    variables: dict[tuple[str, ...], str] = {}
    for name, value in environment.items():
        *path, last = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        place: Any = values
        keys = []
        for part in path:
            keys.append(_same_key(part, place))
            place = place.setdefault(keys[-1], {})
            if not isinstance(place, dict):
                what = remark("setting.no_setting")
                raise SettingsError.of(remark("setting.environment"), name, what)
        keys.append(_same_key(last, place))
        read = _from_environment(value)
        if isinstance(read, str) and _SECRET_TABLE.match(read):
            # As a password it would cost a login, and five lock the account.
            raise SettingsError.of(remark("setting.environment"), name, remark("setting.no_table"))
        place[keys[-1]] = read
        variables[tuple(keys)] = name
    return variables


def _same_key(part: str, place: Mapping[str, Any]) -> str:
    # A shell takes no hyphen in a name, so po-instock is also PO_INSTOCK.
    return next(
        (key for key in place if part in {key.lower(), key.lower().replace("-", "_")}), part
    )


def _from_environment(value: str) -> Any:
    if value[:1] not in {"[", "{"}:
        return value
    with suppress(ValueError, RecursionError):
        return json.loads(value)
    with suppress(ValueError, RecursionError):
        # As the file has it; what opens further lines opens further keys.
        return _only(tomllib.loads(f"value = {value}"))
    return value


def _only(values: Mapping[str, Any]) -> Any:
    (value,) = values.values()
    return value


def _fault(
    text: str, variables: Mapping[tuple[str, ...], str], keys: Sequence[str], what: str
) -> SettingFault:
    key = ".".join(keys)
    for depth in range(len(keys), 0, -1):
        if variable := variables.get(tuple(keys[:depth])):
            return SettingFault(
                key, None, remark("setting.from_variable", what=what, variable=variable)
            )
    line = _line_of(text, keys)
    # Another key that is part of the reason may come from a variable, or the whole table may.
    table = () if line else _table_of(keys)
    named = [
        name
        for path, name in variables.items()
        if ".".join(path) in what or (table and path[: len(table)] == table)
    ]
    if named:
        what = remark("setting.with_variables", what=what, variables=", ".join(named))
    return SettingFault(key, line, what)


def _table_of(keys: Sequence[str]) -> tuple[str, ...]:
    """Return the table in which a line for a key is missing: that of a route, or a whole table.

    >>> _table_of(["routes", "po", "source"]), _table_of(["runn"]), _table_of(["erp", "acct_id"])
    (('routes', 'po'), ('runn',), ())
    """
    most = 2 if keys[0] == "routes" else 1
    return tuple(keys[:most]) if len(keys) == 1 or most > 1 else ()


def _what_is_wrong(error: ErrorDetails) -> tuple[Sequence[str], str]:
    """Put an error of pydantic into our words: the key, and what is wrong with it."""
    loc = error["loc"]
    # A union adds the name of its branch to the place, and a list the place in it.
    while isinstance(loc[-1], int) or loc[-1].startswith(("literal[", "constrained-")):
        loc = loc[:-1]
    if loc[-1] in {"bool", "str"} and loc[0] == "erp":
        loc = loc[:-1]
    path = [str(part) for part in loc]
    if error["type"] == "extra_forbidden":
        near = nearest(path[-1], _known_keys(path[:-1]))
        return path, remark("setting.unknown_key_near" if near else "setting.unknown_key", **near)
    return path, remark_on_value(error)


def _known_keys(path: Sequence[str]) -> list[str]:
    """Return the keys of a section, such as `erp`, `erp.identities.0` or `routes.NAME.select`."""
    section: type[BaseModel] = Settings
    parts = iter(path)
    for part in parts:
        kind: Any = section.model_fields[part].annotation
        if get_origin(kind) is not None:
            kind = next(each for each in get_args(kind) if issubclass(each, BaseModel))
            next(parts, None)
        section = kind
    return list(section.model_fields)


def _line_of(text: str, path: Sequence[str]) -> int | None:
    """Find the line of a key, or of the table that it is missing from."""
    section: list[str] = []
    tables: Counter[str] = Counter()
    found = None
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            section = [part.strip(" \"'") for part in stripped.split("]")[0].strip("[").split(".")]
            if stripped.startswith("[["):
                name = ".".join(section)
                section.append(str(tables[name]))
                tables[name] += 1
            if section == list(path[: len(section)]):
                found = number
        elif "=" in stripped and not stripped.startswith("#"):
            key = [part.strip(" \"'") for part in stripped.split("=")[0].split(".")]
            if [*section, *key] == list(path):
                return number
    return found
