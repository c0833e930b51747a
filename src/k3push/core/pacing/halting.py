"""Tallies into a decision: go on, or stop and why.

The rules are those of GNU parallel's `--halt`, in our words: `fail=20%,min=50` stops when
a fifth of the numbers sent was refused and at least fifty were; `fail=N` and `unknown=N`
stop at a count. `soon`, which is what is meant without a word, lets open chunks end; `now`
does not wait for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from k3push.core.remark import remark

_PART = re.compile(r"(fail|unknown|min)=0*([1-9][0-9]{0,8})(%?)")
_WHOLE_PERCENT = 100


class HaltRuleError(ValueError):
    """The text of a halt rule cannot be read; a remark says why."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers of this execution whose sending has come to something.

    Attributes:
        sent: All of them.
        failed: Those that the ERP refused after they were sent.
        unknown: Those whose answer was lost, settled since or not.
    """

    sent: int = 0
    failed: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is reached.

    Attributes:
        kind: Which: refused numbers in percent, refused numbers, numbers in doubt.
        value: What the tally came to: percent, or numbers.
        sent: Numbers that had come to something.
        limit: The part of the rule that it broke, as it is written.
    """

    kind: Literal["percent", "fail", "unknown"]
    value: float
    sent: int
    limit: str

    @property
    def why(self) -> str:
        """The remark that says it.

        >>> Breach("percent", 20.4, 98, "fail=20%,min=50").why
        'breach.percent{"value":20.4,"sent":98,"limit":"fail=20%,min=50"}'
        """
        return remark(f"breach.{self.kind}", value=self.value, sent=self.sent, limit=self.limit)


@dataclass(frozen=True, slots=True)
class HaltRule:
    """When to stop. A limit of None never stops.

    Attributes:
        fail_percent: Refused numbers in percent of those sent.
        fail_min: Below this many sent numbers the percentage is not looked at.
        fail_count: Refused numbers.
        unknown_count: Numbers in doubt.
        now: Stop at once, without waiting for what is on its way.
    """

    fail_percent: int | None = None
    fail_min: int = 0
    fail_count: int | None = None
    unknown_count: int | None = None
    now: bool = False

    @classmethod
    def parse(cls, text: str) -> HaltRule:
        """Read a rule; an empty text never halts.

        >>> HaltRule.parse("fail=20%,min=50")
        HaltRule(fail_percent=20, fail_min=50, fail_count=None, unknown_count=None, now=False)

        Raises:
            HaltRuleError: If a part is not fail=N, fail=N%, min=N or unknown=N, with N from 1, nor
                soon or now; or if they contradict each other, or one is there twice.
        """
        percent = fails = unknown = None
        least = 0
        when, seen = set(), set()
        for part in filter(None, (part.strip() for part in text.split(","))):
            if part in {"soon", "now"}:
                when.add(part)
                continue
            match = _PART.fullmatch(part)
            if match is None or (match[3] and match[1] != "fail"):
                raise HaltRuleError(remark("halt.form", text=part))
            name, value = match[1], int(match[2])
            if (name, match[3]) in seen:
                raise HaltRuleError(remark("halt.twice", text=part, part=f"{name}=N{match[3]}"))
            seen.add((name, match[3]))
            if match[3] and value > _WHOLE_PERCENT:
                raise HaltRuleError(remark("halt.never", text=part))
            if name == "min":
                least = value
            elif name == "unknown":
                unknown = value
            elif match[3]:
                percent = value
            else:
                fails = value
        if len(when) > 1:
            raise HaltRuleError(remark("halt.both"))
        return cls(percent, least, fails, unknown, now="now" in when)

    @classmethod
    def typed(cls, text: str) -> HaltRule:
        """Read a rule that a person has written: one that would never halt must be empty.

        Raises:
            HaltRuleError: As for `parse`; or if it names no limit, or a `min` of none.
        """
        rule = cls.parse(text)
        if rule.fail_percent is None and rule.fail_min:
            raise HaltRuleError(remark("halt.min_alone", text=text))
        if text.strip() and {rule.fail_percent, rule.fail_count, rule.unknown_count} == {None}:
            raise HaltRuleError(remark("halt.form", text=text))
        return rule

    def check(self, tally: Tally) -> Breach | None:
        """Return the limit that is reached, or None to go on.

        >>> HaltRule.parse("fail=20%,min=50").check(Tally(sent=50, failed=10))
        Breach(kind='percent', value=20.0, sent=50, limit='fail=20%,min=50')
        >>> HaltRule.parse("fail=20%,min=50").check(Tally(sent=49, failed=49))
        """
        if self.fail_count is not None and tally.failed >= self.fail_count:
            return Breach("fail", tally.failed, tally.sent, f"fail={self.fail_count}")
        if self.unknown_count is not None and tally.unknown >= self.unknown_count:
            return Breach("unknown", tally.unknown, tally.sent, f"unknown={self.unknown_count}")
        if self.fail_percent is None or not tally.sent or tally.sent < self.fail_min:
            return None
        if tally.failed * 100 < self.fail_percent * tally.sent:
            return None
        least = f",min={self.fail_min}" if self.fail_min else ""
        percent = tally.failed * 100 / tally.sent
        return Breach("percent", percent, tally.sent, f"fail={self.fail_percent}%{least}")
