"""What goes wrong in each trial of the comparison, and what k3push makes of it, in two languages.

The numbers of a trial are purchase orders that can be pushed. One of them is `HIT`: the first
call that holds it meets the trial's fault, whatever the client's calls look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from k3push.simulator import Aimed, FaultPlan, Refusal, SandboxOptions, fault

Lang = Literal["en", "zh"]

COUNT = 20
CHUNK = 5
NUMBERS = tuple(f"CGDD{index:07d}" for index in range(COUNT))
HIT = NUMBERS[7]
UNKNOWN = "CGDD9999999"

# Short, so that a trial takes seconds; what the ERP commits late comes within k3push's window, as
# it must, and later than a loop without patience tries again.
CONNECT_TIMEOUT_S = 0.9
ANSWER_TIMEOUT_S = 5
LATE_COMMIT_S = 3
FIRST_WAIT_S = 0.5
POLL_S = 0.5
WINDOW_S = 6
LATENCY_S = 0.05


class Books(StrEnum):
    """What the ERP makes of a number."""

    SAVED = "saved"
    """A saved document, which uses the order's quantity up: a second push is refused."""

    DRAFTS = "drafts"
    """A draft, which takes no quantity: a second push makes a second one (P 5.12)."""


class Course(StrEnum):
    """How the clients are started."""

    ONCE = "once"
    """One process works on the list."""

    KILLED = "killed"
    """The process is killed while the call that holds `HIT` is open, and started again."""

    TWO_LISTS = "two lists"
    """Two processes work on two lists at the same time that share half of their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One row of the comparison.

    Attributes:
        key: What the command line calls it.
        name: The fault in words.
        does: What k3push does, in words.
        meets: Fault that the first push with `HIT` meets.
        refusal: What the ERP has against `HIT`.
        unknown: Whether `UNKNOWN` stands in the list in `HIT`'s place.
        course: How the clients are started.
    """

    key: str
    name: dict[Lang, str]
    does: dict[Lang, str]
    meets: str = ""
    refusal: Refusal | None = None
    unknown: bool = False
    course: Course = Course.ONCE

    @property
    def lists(self) -> tuple[Sequence[str], ...]:
        """The list of each process."""
        if self.course is Course.TWO_LISTS:
            quarter = COUNT // 4
            return NUMBERS[: 3 * quarter], NUMBERS[quarter:]
        if self.unknown:
            return (tuple(UNKNOWN if number == HIT else number for number in NUMBERS),)
        return (NUMBERS,)

    @property
    def possible(self) -> int:
        """How many documents there should be."""
        return COUNT - (self.refusal is not None) - self.unknown

    def erp(self, books: Books) -> SandboxOptions:
        """Give the ERP in which the trial takes place."""
        unsaved = Refusal(11, "第1行分录，仓库是必填项", saving=True)
        refusals = dict.fromkeys(NUMBERS, unsaved) if books is Books.DRAFTS else {}
        if self.refusal is not None:
            refusals[HIT] = self.refusal
        aimed = {HIT: Aimed(fault(self.meets))} if self.meets else {}
        plan = FaultPlan(aimed=aimed, refusals=refusals)
        return SandboxOptions(orders=COUNT, faults=plan, latency_s=LATENCY_S)


_NOT_PUSHABLE = "单据编号为“{number}”的{form}，数量超出可入库数量！"

_ASKED: dict[Lang, str] = {
    "en": "asks for the documents, finds them, sends nothing",
    "zh": "核实并查到，不再发送",
}
_PAUSE: dict[Lang, str] = {
    "en": "reads back, waits, sends again what was not made",
    "zh": "回查，停顿，未生成的重发",
}

TRIALS = (
    Trial(
        key="nothing",
        name={"en": "nothing goes wrong", "zh": "一切正常"},
        does={"en": "reads each call back", "zh": "每次调用后回查"},
    ),
    Trial(
        key="reset-before",
        name={"en": "connection reset before the work", "zh": "处理前连接被重置"},
        does={
            "en": "asks until `window_s` is over, then sends again",
            "zh": "在 `window_s` 内反复核实，确实没有才重发",
        },
        meets="reset",
    ),
    Trial(
        key="reset-after",
        name={"en": "connection reset after the work", "zh": "处理后连接被重置"},
        does=_ASKED,
        meets="make-then-reset",
    ),
    Trial(
        key="timeout",
        name={"en": "time-out after the work", "zh": "处理后应答超时"},
        does=_ASKED,
        meets="make-then-silence",
    ),
    Trial(
        key="http-502",
        name={"en": "502 page of a proxy after the work", "zh": "处理后代理返回 502 页面"},
        does=_ASKED,
        meets="make-then-html-502",
    ),
    Trial(
        key="empty",
        name={"en": "empty answer after the work", "zh": "处理后应答为空"},
        does=_ASKED,
        meets="make-then-empty",
    ),
    Trial(
        key="cut-off",
        name={"en": "answer cut off after the work", "zh": "处理后应答被截断"},
        does=_ASKED,
        meets="make-then-cut-off",
    ),
    Trial(
        key="response-error",
        name={"en": "`response_error:` after the work", "zh": "处理后返回 `response_error:`"},
        does={"en": "reads back, finds the documents", "zh": "回查即查到"},
        meets="make-then-response-error",
    ),
    Trial(
        key="late-commit",
        name={
            "en": f"connection reset, documents appear {LATE_COMMIT_S} s later",
            "zh": f"连接被重置，单据 {LATE_COMMIT_S} 秒后才出现",
        },
        does={"en": "asks until they appear", "zh": "一直核实到查到为止"},
        meets=f"late-commit:{LATE_COMMIT_S}",
    ),
    Trial(
        key="lost-session",
        name={"en": "session lost", "zh": "会话丢失"},
        does={"en": "logs in, sends again", "zh": "重新登录后重发"},
        meets="lose-session",
    ),
    Trial(
        key="edit-lock",
        name={"en": "edit lock (MsgCode 13)", "zh": "网控冲突（MsgCode 13）"},
        does=_PAUSE,
        meets="edit-lock",
    ),
    Trial(
        key="call-limit",
        name={"en": "call limit (MsgCode 14)", "zh": "调用上限（MsgCode 14）"},
        does=_PAUSE,
        meets="call-limit",
    ),
    Trial(
        key="refused",
        name={"en": "one bill refused, the others are made", "zh": "一张单据被拒绝，其余照常生成"},
        does={"en": "rejects that bill", "zh": "只把这一张记为 `rejected`"},
        refusal=Refusal(11, _NOT_PUSHABLE),
    ),
    Trial(
        key="refused-whole",
        name={
            "en": "one bill refused, and the whole call with it",
            "zh": "一张单据被拒绝，整次调用不保留",
        },
        does={
            "en": "rejects that bill, sends the others again",
            "zh": "只把这一张记为 `rejected`，其余重发",
        },
        refusal=Refusal(11, _NOT_PUSHABLE, whole_call=True),
    ),
    Trial(
        key="dropped",
        name={"en": "a success passes over one number", "zh": "返回成功，却漏掉一张单据"},
        does={"en": "misses it in the read-back, sends it alone", "zh": "回查发现缺少，单独重发"},
        meets="drop-one",
    ),
    Trial(
        key="unknown",
        name={"en": "one number that the ERP does not know", "zh": "清单中有一张 ERP 没有的单据"},
        does={"en": "rejects it unsent", "zh": "不发送，记为 `rejected`"},
        unknown=True,
    ),
    Trial(
        key="killed",
        name={
            "en": "killed after the work, started again",
            "zh": "处理后进程被杀，再次启动",
        },
        does={"en": "settles what was open, then goes on", "zh": "先核实未结束的，再继续"},
        meets="make-then-delay",
        course=Course.KILLED,
    ),
    Trial(
        key="two-lists",
        name={
            "en": "two at the same time, ten numbers in both lists",
            "zh": "两个任务同时进行，有十张单据在两份清单中",
        },
        does={
            "en": "one run claims a number, the other finds it `already` there",
            "zh": "单据由一个任务占用，另一个查到后记为 `already`",
        },
        course=Course.TWO_LISTS,
    ),
)
