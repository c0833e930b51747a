"""The ERP's `ResponseStatus` (P 4.1): whether a call worked, its MsgCode, messages, documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from k3push.core.foreign_text import flaw_of
from k3push.core.model import Target
from k3push.core.protocol.json_values import NO_ID, UnreadableError, name_in, text_in


@dataclass(frozen=True, slots=True)
class ResponseStatus:
    """One `ResponseStatus` (P 4.1).

    Attributes:
        success: `IsSuccess`, which comes as a boolean or as text.
        code: `MsgCode` (`code_in`); "" where the server is too old to send one.
        errors: The messages of `Errors`, in order.
        entities: `SuccessEntitys`.
        worked: Something stands in `SuccessEntitys`, whether it can be read or not.
        unread: Something stands there that cannot be read: there may be more documents.
        told: The messages of `SuccessMessages`: what an approval has made besides (P 7.2).
    """

    success: bool
    code: str
    errors: tuple[str, ...]
    entities: tuple[Target, ...]
    worked: bool = False
    unread: bool = False
    told: tuple[str, ...] = ()


def status_in(value: Any, *, unsaid: bool | None = None) -> ResponseStatus | None:
    """Read a status; *unsaid* stands for an IsSuccess that cannot be read, None for no status."""
    if not isinstance(value, dict):
        return None
    success = _boolean(value.get("IsSuccess"))
    if success is None:
        success = unsaid
    if success is None:
        return None
    errors = value.get("Errors")
    items = list(filter(None, _listed(value.get("SuccessEntitys"))))
    entities = tuple(target for item in items if (target := entity_in(item)) is not None)
    return ResponseStatus(
        success,
        code_in(value.get("MsgCode")),
        _messages(errors),
        entities,
        worked=bool(value.get("SuccessEntitys")),
        unread=len(entities) < len(items),
        told=_messages(value.get("SuccessMessages")),
    )


def code_in(value: Any) -> str:
    """Return a MsgCode; one that is no number must not pass for a word of ours, as `absent` is.

    >>> code_in(11), code_in("11"), code_in(None), code_in("absent")
    ('11', '11', '', 'MsgCode absent')
    """
    code = text_in(value)
    return f"MsgCode {code}" if code and not code.isdecimal() else code


def code_words(code: str) -> str:
    """Name the code of an answer for a person; one that is no number bears its name already.

    >>> code_words("11"), code_words(""), code_words(code_in("absent"))
    ('MsgCode 11', 'MsgCode -', 'MsgCode absent')
    """
    return f"MsgCode {code or '-'}" if not code or code.isdecimal() else code


def _messages(value: Any) -> tuple[str, ...]:
    each = (text_in(item.get("Message")) for item in _listed(value) if isinstance(item, dict))
    return tuple(filter(None, each))


def entity_in(value: Any) -> Target | None:
    """Return the document that an entity names, if it names one."""
    if not isinstance(value, dict):
        return None
    try:
        target_id, number = name_in(value.get("Id")), name_in(value.get("Number"))
    except UnreadableError:
        return None
    # What no database and no question can hold names nothing.
    if target_id in {"", NO_ID} or flaw_of(target_id):
        return None
    return target_in(target_id, number, draft=number in {"", target_id})


def target_in(target_id: str, number: str, *, draft: bool) -> Target:
    """Return a document; a draft has no number."""
    # A draft's number comes as null, "", " " or as its id (P 5.9).
    return Target(target_id, "" if draft and number == target_id else number, draft)


def _listed(value: Any) -> list[Any]:
    """Return the items of a list, or the one that stands in the place of a list."""
    return value if isinstance(value, list) else [value]


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None
