"""What an exchange means: the right to send again, a reason to read back, or doubt.

This module alone decides whether a chunk may travel twice. `SendAgain` is built nowhere
else, and nothing else is ever sent again. `judge` is total: any bytes give a verdict, and
what it cannot read is `InDoubt`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from k3push.core import wire
from k3push.core.model import Answered, Exchange, NeverSent, NoAnswer, Target


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
        named: Targets that either status names.
        converted: Whether the conversion's own status was there, in which alone some servers
            tell of drafts (P 5.8); old ones do not send it.
    """

    success: bool
    code: str
    messages: tuple[str, ...]
    named: tuple[Target, ...]
    converted: bool = False

    @property
    def acted(self) -> bool:
        """Whether it says that something was made."""
        return self.success or bool(self.named)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The ERP has finished: one complete query tells what it made (rule 5).

    Attributes:
        twice: The call broke on the server, so one look more is due after a while (rule 6).
    """

    said: Said
    twice: bool = False


# Too many requests, or no service now.
BUSY_STATUSES = frozenset({429, 503})
_OVERLOADED = frozenset(f"http_{status}" for status in BUSY_STATUSES)


@dataclass(frozen=True, slots=True)
class InDoubt:
    """No usable answer: the ERP may have acted, may be acting still, or not (rule 6).

    Attributes:
        code: `timeout`, `broken`, `http_503`, `unreadable`: the word for the ledger.
    """

    code: str
    because: str

    @property
    def overloaded(self) -> bool:
        """Whether the ERP asks to be spared: too many requests, or no service now.

        >>> InDoubt("http_503", "busy").overloaded, InDoubt("http_502", "bad gateway").overloaded
        (True, False)
        """
        return self.code in _OVERLOADED


Verdict = SendAgain | ReadBack | InDoubt


def judge(exchange: Exchange) -> Verdict:
    """Say what an exchange means.

    >>> judge(NeverSent("connection refused"))
    SendAgain(cure=<Cure.WAIT: 'wait'>, because='connection refused', session=0)
    >>> judge(NoAnswer("the server closed the connection"))
    InDoubt(code='broken', because='the server closed the connection')
    >>> judge(Answered(502, b"<html>"))
    InDoubt(code='http_502', because='a page instead of JSON: <html>')
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
        said = Said(success=False, code="response_error", messages=(failure,), named=())
        return ReadBack(said, twice=True)
    try:
        answer = wire.read_push(body)
    except wire.UnreadableError as error:
        return InDoubt("unreadable", str(error))
    if status == 200 and wire.is_lost_session(answer.saved, answer.converted):  # noqa: PLR2004
        because = " ".join(answer.saved.errors) or "session lost"
        return SendAgain(Cure.LOG_IN, because, answered.session)
    return ReadBack(_said(answer))


def _said(answer: wire.PushAnswer) -> Said:
    statuses = [answer.saved, *([answer.converted] if answer.converted else [])]
    messages = dict.fromkeys(error for status in statuses for error in status.errors)
    named = {target.id: target for status in statuses for target in status.entities}
    return Said(
        success=answer.saved.success,
        code=answer.saved.code,
        messages=tuple(messages),
        named=tuple(named.values()),
        converted=answer.converted is not None,
    )
