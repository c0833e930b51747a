"""What pydantic finds wrong with a value, as a remark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from k3push.core.remark import remark

# Kinds of errors that settings and options can meet, by the sentence for them.
_KINDS = {
    "setting.missing": ("missing",),
    "setting.whole_number": ("int_parsing", "int_type", "int_from_float", "int_parsing_size"),
    "setting.number": ("float_parsing", "float_type"),
    "setting.finite": ("finite_number",),
    "setting.text": ("string_type",),
    "setting.yes_or_no": ("bool_parsing", "bool_type"),
    "setting.list": ("tuple_type", "list_type"),
    "setting.table": ("dict_type", "model_type", "model_attributes_type"),
    "setting.empty": ("string_too_short", "too_short"),
    "setting.above": ("greater_than",),
    "setting.at_least": ("greater_than_equal",),
    "setting.at_most": ("less_than_equal",),
}
_KEY_OF = {kind: key for key, kinds in _KINDS.items() for kind in kinds}


def remark_on_value(error: ErrorDetails) -> str:
    """Say what is wrong with a value; a kind that is not known stays in pydantic's words."""
    kind, facts = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(facts["error"])  # a validator of ours, which says it with a remark
    if kind == "literal_error":
        return remark("setting.one_of", known=", ".join(_quoted(facts)))
    if kind in _KEY_OF:
        bounds = {name: facts[name] for name in ("gt", "ge", "le") if name in facts}
        return remark(_KEY_OF[kind], **bounds)
    return error["msg"]


def _quoted(facts: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'[^']*'", facts["expected"])
