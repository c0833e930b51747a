"""What an exchange means: the right to repeat the call, a reason to read back, or doubt.

`SendAgain` proves that the ERP did nothing (rule 4). It is built here alone, and no call is
repeated without it. Single numbers travel again in other chunks: after a read-back as
`evidence.conclude` says, after a doubt as `runs.doubts.settle_doubts` does.

`judge` is total: any bytes give a verdict, and what it cannot read is `InDoubt`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum

from k3push.core.model import Answered, BillNumber, Exchange, NeverSent, NoAnswer, Target, number_in
from k3push.core.protocol import wire
from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.lost_sessions import is_lost_session
from k3push.core.remark import remark
from k3push.core.safety.interruptions import is_interrupted

GIVEN_UP = frozenset({"timeout", "http_504"})
"""Codes of calls that k3push, or a proxy, has waited for no longer."""

SOON_S = 25.0
"""A call that breaks sooner was not given up: what stands between waits longer than that."""


class Cure(StrEnum):
    """What must happen before a chunk may be sent again."""

    WAIT = "wait"
    """The connection could not be made: try later."""

    LOG_IN = "log in"
    """The session is lost: open a new one."""


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Proof that the ERP did nothing (rule 4).

    Attributes:
        session: The session that is lost, where the cure is to log in.
    """

    cure: Cure
    because: str
    session: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a finished call said, whatever became of it.

    Attributes:
        success: `IsSuccess` of the saving.
        code: MsgCode as text, `response_error`, or "".
        messages: Errors of saving and converting, in order, each once.
        named: What either status names.
        saved: Ids of those that the saving's status names, which are targets (P 5.4).
        converted: Whether the conversion's own status was there. Some servers name drafts nowhere
            else (P 5.8), and old servers do not send it.
        partial: There may be more targets than it names: an old server names one, what cannot be
            read names none, and of what the conversion alone names some pass for sources.
        told: What a success has done besides, as an approval makes further documents (P 7.2).
    """

    success: bool
    code: str
    messages: tuple[str, ...]
    named: tuple[Target, ...]
    converted: bool = False
    partial: bool = False
    told: tuple[str, ...] = ()
    saved: frozenset[str] = frozenset()

    def targets(self, numbers: Collection[BillNumber]) -> tuple[Target, ...]:
        """Return the targets that it names.

        It is not known what the conversion's status names on a plain success. If it names the
        sources (P "Unknown" 3), those are left out.

        Args:
            numbers: The numbers of the call.

        >>> sources = Said(True, "0", (), (Target("1", "A"), Target("2", "RK2")))
        >>> sources.targets([BillNumber("A")])
        (Target(id='2', number='RK2', draft=False),)
        """
        sources = set(map(number_in, numbers))
        return tuple(
            target
            for target in self.named
            if target.id in self.saved or target.number not in sources
        )

    def but_sources(self, ids: Collection[str]) -> Said:
        """Return the same without documents of these ids that only the conversion's status names.

        Each form counts its ids for itself, so a draft may have the id of its source. A source has
        a number, and where saving has failed, the conversion's status names drafts (P 5.8).

        >>> Said(False, "11", (), (Target("1", "", draft=True),)).but_sources(["1"]).named
        (Target(id='1', number='', draft=True),)
        >>> both = Said(True, "0", (), (Target("1", "A"), Target("2", "RK2")))
        >>> both.but_sources(["1"]).named
        (Target(id='2', number='RK2', draft=False),)
        >>> len(replace(both, saved=frozenset({"1"})).but_sources(["1"]).named)
        2
        """

        def stays(named: Target) -> bool:
            is_draft = named.draft and not self.success
            return is_draft or named.id in self.saved or named.id not in ids

        return replace(self, named=tuple(filter(stays, self.named)))

    @property
    def names_all(self) -> bool:
        """Whether what it names is all that the call has made."""
        return self.success and not self.partial and bool(self.named)

    @property
    def acted(self) -> bool:
        """Whether it says that something was made."""
        return self.success or bool(self.named)

    @property
    def thrown(self) -> bool:
        """Whether it tells of an exception, which says nothing of what was done before it."""
        return not self.success and self.code in _THROWN


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The ERP has finished: one complete query tells what it made (rule 5).

    Attributes:
        twice: The call broke on the server, so one look more is due after a while (rule 6).
    """

    said: Said
    twice: bool = False


RESPONSE_ERROR = "response_error"
"""`Said.code` of an exception that the server wrote into its answer (P 1.10)."""

# The MsgCodes of an exception and of a failed database (P 4.3).
_THROWN = frozenset({RESPONSE_ERROR, "4", "6"})
# Without a MsgCode an answer does not say what kind of failure it is.
_UNCLASSIFIED = frozenset({"", "0"})
# Nor do these say why, where no words come with them: a check failed, or the bill is not operable.
_NEED_WORDS = frozenset({"11", "12"})

# Too many requests, or no service now.
BUSY_STATUSES = frozenset({429, 503})
_OVERLOADED = frozenset(f"http_{status}" for status in BUSY_STATUSES)


@dataclass(frozen=True, slots=True)
class InDoubt:
    """No usable answer: the ERP may have acted, may be acting still, or not (rule 6).

    Attributes:
        code: `timeout`, `broken`, `http_503`, `unreadable`: the word for the ledger.
        said: What an interrupted answer says all the same: the documents that it names are there.
    """

    code: str
    because: str
    said: Said | None = field(default=None, compare=False, repr=False)

    @property
    def overloaded(self) -> bool:
        """Whether the ERP asks to be spared: too many requests, or no service now.

        >>> InDoubt("http_503", "busy").overloaded, InDoubt("http_502", "bad gateway").overloaded
        (True, False)
        """
        return self.code in _OVERLOADED


Verdict = SendAgain | ReadBack | InDoubt


def was_given_up(doubt: InDoubt, after_s: float) -> bool:
    """Say whether somebody has waited for a call no longer; a clock that was set tells nothing."""
    return doubt.code in GIVEN_UP or (doubt.said is None and not 0 <= after_s < SOON_S)


def judge(exchange: Exchange) -> Verdict:
    """Say what an exchange means.

    >>> judge(NeverSent("connection refused"))
    SendAgain(cure=<Cure.WAIT: 'wait'>, because='connection refused', session=0)
    >>> judge(NoAnswer("the server closed the connection"))
    InDoubt(code='broken', because='the server closed the connection')
    >>> judge(Answered(502, b"<html>"))
    InDoubt(code='http_502', because='note.page{"start":"<html>"}')
    """
    match exchange:
        case NeverSent(because):
            return SendAgain(Cure.WAIT, because)
        case NoAnswer(because, timed_out):
            return InDoubt("timeout" if timed_out else "broken", because)
        case Answered():
            return _judge_answer(exchange)


def _judge_answer(answered: Answered) -> Verdict:
    status, body = answered.status, answered.body
    if status not in wire.ANSWER_STATUSES:
        return InDoubt(f"http_{status}", wire.describe(body))
    failure = wire.read_response_error(body)
    if failure is not None:
        said = Said(success=False, code=RESPONSE_ERROR, messages=(failure.message,), named=())
        return _is_no_refusal(said, failure) or ReadBack(said, twice=True)
    try:
        answer = wire.read_push(body)
    except UnreadableError as error:
        return InDoubt("unreadable", str(error))
    if status == 200 and is_lost_session(answer.saved, answer.converted):  # noqa: PLR2004
        because = " ".join(answer.saved.errors) or remark("note.session_lost")
        return SendAgain(Cure.LOG_IN, because, answered.session)
    said = _said(answer)
    wordless = said.code in _NEED_WORDS and not "".join(said.messages).strip()
    return _is_no_refusal(said) or ReadBack(said, twice=said.thrown or wordless)


def _is_no_refusal(said: Said, failure: wire.Thrown | None = None) -> InDoubt | None:
    """Say why an answer without success leaves open what was done, or None where it refuses.

    >>> _is_no_refusal(Said(False, "4", ("Execution Timeout Expired.",), ())).code
    'server_timeout'
    """
    words = " ".join(said.messages).strip()
    thrown = said.thrown or said.code in _UNCLASSIFIED
    messages, beside = (failure.messages, failure.text) if failure else (said.messages, "")
    if is_interrupted(messages, beside, thrown=thrown, bare=failure is not None):
        # What it names was saved before; the rest may be saved yet.
        return InDoubt("server_timeout", words, said)
    if not said.acted and not words and thrown:
        return InDoubt("wordless", remark("note.wordless"))
    return None


def _said(answer: wire.PushAnswer) -> Said:
    statuses = [answer.saved, *([answer.converted] if answer.converted else [])]
    by_conversion_alone = answer.saved.success and not answer.saved.entities
    messages = dict.fromkeys(error for status in statuses for error in status.errors)
    # The saving comes first, and what it says of a target wins.
    named: dict[str, Target] = {}
    for target in (target for status in statuses for target in status.entities):
        named.setdefault(target.id, target)
    return Said(
        success=answer.saved.success,
        code=answer.saved.code,
        messages=tuple(messages),
        named=tuple(named.values()),
        converted=answer.converted is not None,
        partial=answer.beside or answer.saved.unread or by_conversion_alone,
        told=answer.saved.told,
        saved=frozenset(target.id for target in answer.saved.entities),
    )
