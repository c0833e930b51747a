"""A code and a message of the ledger into cause and cure, and messages into their shapes.

A shape is a message without what differs from bill to bill: numbers, amounts and quoted
names are "…" in it. Advice is found by the shape, so that no number or name misleads it. The shape
of a remark (`core.remark`) is a remark, so that `words` can say it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain

from k3push.core.advice.catalogue import ENTRIES, STEP, Advice
from k3push.core.model import Follow, Row, State
from k3push.core.remark import read_remark, remark

__all__ = ["Advice", "advise", "advise_of_doubt", "code_of", "shape_of"]

_LONGEST_SHAPE = 300
# A stray quote costs time by the square of what comes after it.
_LONGEST_READ = 3000

# Advice that says what a person does about a number in doubt.
_FOR_PERSON = frozenset({"cancelled-since", "shared"})

_WORD = re.compile(r"[…0-9A-Za-z_０-９Ａ-Ｚａ-ｚ]+(?:[-./\\#]+[…0-9A-Za-z_０-９Ａ-Ｚａ-ｚ]+)*")
_VARIES = re.compile(r"[…\d]")
# A field's name stays: there are few, and the cure depends on it.
_QUOTED = re.compile(
    r"(?<!字段)(?:“[^”]*”|‘[^’]*’|「[^」]*」|【[^】]*】|\"[^\"]*\"|\[[^\]]*\]|(?<!\w)'[^']*')"
)


def advise(code: str, reason: str) -> Advice | None:
    """Say what a row's code and reason mean and what to do, or None where nothing is known.

    Args:
        code: A MsgCode, a word of ours, or ""; see `code_of` for that of a row.
        reason: The ledger's `reason`, or the shape of one.

    >>> found = advise("11", "单据编号为“CGDD0000017”的采购订单未审核，不能下推！")
    >>> found.key, found.cause
    ('not-approved', 'advice.not-approved.cause')
    >>> advise("timeout", "ReadTimeout").cure
    'advice.timeout.cure'
    >>> advise(Follow.REFUSED, "单据编号为“CGRK0000002”的采购入库单，库存不足！").cure
    'advice.step.cure'
    """
    shape = shape_of(reason)
    by_own = (each for each in ENTRIES if each.own and re.fullmatch(each.own, code))
    by_words = (each for each in ENTRIES if each.words and _says(shape, each.words))
    by_code = (each for each in ENTRIES if each.code and re.fullmatch(each.code, code))
    found = next(chain(by_own, by_words, by_code), None)
    if code == Follow.REFUSED and read_remark(reason) is None:
        return replace(found or STEP, cured_as=STEP.key)
    return found


def advise_of_doubt(told: Advice | None, reason: str) -> Advice | None:
    """Say what to do about a number that no look can settle.

    Args:
        told: What its row is advised, which may say it already.
        reason: The ledger's `reason`, or the shape of one.

    >>> advise_of_doubt(advise("cancelled_since", ""), "").key
    'cancelled-since'
    >>> advise_of_doubt(advise("timeout", "ReadTimeout"), "ReadTimeout").key
    'in-doubt'
    """
    return told if told and told.key in _FOR_PERSON else advise(State.UNKNOWN, reason)


def code_of(row: Row) -> str:
    """Return the code that a row is advised by: its own, or its state where that says more.

    A draft and a number in doubt stay what they are, whatever the ERP said beside it: to mend
    a refusal and push by hand could make a second document.
    """
    erps_own = row.code.isdecimal() or row.code == "response_error"
    if not row.code or (erps_own and row.state in {State.DRAFT, State.UNKNOWN}):
        return row.state.value
    return row.code


def code_of_step(follow: Follow) -> str:
    """Return the code that a document is advised by after its push.

    >>> code_of_step(Follow.WAITING), code_of_step(Follow.UNKNOWN)
    ('waiting', 'step_unknown')
    """
    # A number that is `unknown` may have no document; this one is there.
    return "step_unknown" if follow is Follow.UNKNOWN else follow.value


def shape_of(reason: str, number: str = "") -> str:
    """Return a message without what differs from bill to bill, at most 300 characters of it.

    Args:
        reason: The message.
        number: The bill number that it may name, in whatever form the ERP writes it.

    >>> shape_of("单据编号为“CGDD0000017”的采购订单，第3行数量12.50大于入库上限！")
    '单据编号为“…”的采购订单，第…行数量…大于入库上限！'
    >>> shape_of("单据体“明细信息”第1行字段“仓库”是必填项")
    '单据体“…”第…行字段“仓库”是必填项'
    >>> shape_of('note.ambiguous{"ids":"100001, 100002"}')
    'note.ambiguous{"ids":"…, …"}'
    """
    if (found := read_remark(reason)) is not None:
        key, facts = found
        shapes = {
            name: shape_of(fact, number) if isinstance(fact, str) else fact
            for name, fact in facts.items()
        }
        return remark(key, **shapes)
    if number:
        reason = reason.replace(number, "…")
    words = _WORD.sub(_without_number, reason[:_LONGEST_READ])
    return _QUOTED.sub(lambda part: f"{part[0][0]}…{part[0][-1]}", words)[:_LONGEST_SHAPE]


def _without_number(word: re.Match[str]) -> str:
    # A lone 0 is no bill's own: "the price must not be 0".
    return "…" if word[0] != "0" and _VARIES.search(word[0]) else word[0]


def _says(shape: str, words: str) -> bool:
    return re.search(words, shape, re.IGNORECASE) is not None
