"""Tallies into a decision: go on, or stop and why.

The rules are those of GNU parallel's `--halt`, in our words: `fail=20%,min=50` stops when
a fifth of the numbers sent was refused and at least fifty were; `fail=N` and `unknown=N`
stop at a count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(r"(fail|unknown|min)=0*([1-9]\d*)(%?)")


class HaltRuleError(ValueError):
    """The text of a halt rule cannot be read."""


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
class HaltRule:
    """When to stop. A limit of None never stops.

    Attributes:
        fail_percent: Refused numbers in percent of those sent.
        fail_min: Below this many sent numbers the percentage is not looked at.
        fail_count: Refused numbers.
        unknown_count: Numbers in doubt.
    """

    fail_percent: int | None = None
    fail_min: int = 0
    fail_count: int | None = None
    unknown_count: int | None = None

    @classmethod
    def parse(cls, text: str) -> HaltRule:
        """Read a rule; an empty text never halts.

        >>> HaltRule.parse("fail=20%,min=50")
        HaltRule(fail_percent=20, fail_min=50, fail_count=None, unknown_count=None)

        Raises:
            HaltRuleError: If a part is not fail=N, fail=N%, min=N or unknown=N, with N from 1.
        """
        percent = fails = unknown = None
        least = 0
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = _PART.fullmatch(part)
            if match is None or (match[3] and match[1] != "fail"):
                raise HaltRuleError(
                    f"{part!r} is not a halt rule; use fail=20%,min=50 or fail=N or unknown=N"
                )
            name, value = match[1], int(match[2])
            if name == "min":
                least = value
            elif name == "unknown":
                unknown = value
            elif match[3]:
                percent = value
            else:
                fails = value
        return cls(percent, least, fails, unknown)

    def check(self, tally: Tally) -> str:
        """Say why to stop, with the value and its limit, or "" to go on.

        >>> HaltRule.parse("fail=20%,min=50").check(Tally(sent=50, failed=10))
        '10 of 50 numbers sent were refused: 20 %, and the limit is 20 %'
        >>> HaltRule.parse("fail=20%,min=50").check(Tally(sent=49, failed=49))
        ''
        """
        if self.fail_count is not None and tally.failed >= self.fail_count:
            return f"{tally.failed} numbers were refused, and the limit is {self.fail_count}"
        if self.unknown_count is not None and tally.unknown >= self.unknown_count:
            return f"{tally.unknown} numbers are in doubt, and the limit is {self.unknown_count}"
        if self.fail_percent is None or not tally.sent or tally.sent < self.fail_min:
            return ""
        if tally.failed * 100 < self.fail_percent * tally.sent:
            return ""
        return (
            f"{tally.failed} of {tally.sent} numbers sent were refused: "
            f"{tally.failed * 100 // tally.sent} %, and the limit is {self.fail_percent} %"
        )
