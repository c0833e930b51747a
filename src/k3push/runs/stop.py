"""How an execution is told to stop, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import anyio

from k3push.ports import (
    ErpUnreachableError,
    LedgerAwayError,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
)


class Cause(StrEnum):
    """Why an execution stops before its end."""

    INTERRUPTED = "interrupted"
    HALTED = "halted"
    DEADLINE = "deadline"
    CONTROL = "control"
    LIMIT = "limit"
    CONTRADICTION = "contradiction"
    TWINS = "twins"
    UNPROVED = "unproved"
    PERSON = "person"
    BARRED = "barred"
    FOLLOW = "follow"
    LOOK_REFUSED = "look refused"
    LOOK_FAILED = "look failed"
    STOOD_STILL = "stood still"
    UNREACHABLE = "unreachable"
    LOGIN_REFUSED = "login refused"
    LEDGER_LOST = "ledger lost"


# What the ERP or the ledger has ended an execution with; see `stopping`.
_OF_OUTSIDE = frozenset(
    {
        Cause.LOOK_REFUSED,
        Cause.LOOK_FAILED,
        Cause.UNREACHABLE,
        Cause.LOGIN_REFUSED,
        Cause.LEDGER_LOST,
    }
)

# What a refused login says where the ERP met an exception, and refused nobody.
_LOGIN_THREW = "answer.login_threw"
# And where it let everybody in, and took each session away at once.
_SESSION_LOST = ("answer.session_useless", "why.sessions")
_LIMITED = "why.limited"
# OpenSSL's names for what a person mends in the settings, and not in the network.
_TLS = {
    "CERTIFICATE_VERIFY_FAILED": "certificate",
    "WRONG_VERSION_NUMBER": "no tls",
    "RECORD_LAYER_FAILURE": "no tls",
}
_STOOD_STILL = "note.stood_still"
# Why a worker gives up what it executes, though nobody has told it to stop.
_GIVEN_UP = ("fleet.away", "fleet.forgotten")
_STOP_CAME = "note.stop_came"


def told_as(cause: Cause, why: str) -> str:
    """Return the cause to report for a stop: a login that met an exception is not a wrong password.

    Nor is a session that was lost as soon as it was opened. An ERP that limits calls was reached,
    and so was one whose certificate nobody vouches for. A worker that gives a run up was told by
    nobody.
    """
    if cause is Cause.INTERRUPTED and why.startswith(_GIVEN_UP):
        return "given up"
    if cause is Cause.UNREACHABLE:
        tls = (told for sign, told in _TLS.items() if sign in why)
        return "limited" if why.startswith(_LIMITED) else next(tls, cause.value)
    if cause is Cause.LOGIN_REFUSED and _LOGIN_THREW in why:
        return "login threw"
    return "session lost" if cause is Cause.LOGIN_REFUSED and is_session_lost(why) else cause.value


def is_session_lost(why: str) -> bool:
    """Say whether nobody was refused a login, where nobody could come in.

    Where several users log in, the message names only those who were refused, if any were
    (`identities`).
    """
    return any(each in why for each in _SESSION_LOST)


class Stop:
    """Whether the execution is asked to stop: no new chunk leaves, open ones are waited for.

    Attributes:
        causes: Why, the first cause first, each with a remark or somebody else's words.
        event: Set when it is asked.
        scope: Holds all that the execution does; cancelling it stops at once, and leaves what
            is on its way to the next execution, which settles it.
    """

    def __init__(self) -> None:
        """Begin unasked."""
        self.causes: dict[Cause, str] = {}
        self.event = anyio.Event()
        self.scope = anyio.CancelScope()

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return bool(self.causes)

    @property
    def is_of_outside(self) -> bool:
        """Whether the ERP or the ledger has ended it, so that one more look meets the same."""
        return not _OF_OUTSIDE.isdisjoint(self.causes)

    def ask(self, cause: Cause, why: str) -> None:
        """Ask to stop; a cause that is known already keeps its first words."""
        self.causes.setdefault(cause, why)
        self.event.set()

    def ask_unsent(self, because: str) -> None:
        """Ask to stop where call after call has done nothing.

        Args:
            because: What the last one has met. If that was a stop, it has its cause already.
        """
        if _STOP_CAME not in because:
            self.ask(Cause.STOOD_STILL if _STOOD_STILL in because else Cause.UNREACHABLE, because)

    async def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until a stop is asked."""
        with anyio.move_on_after(seconds):
            await self.event.wait()


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Turn what the ERP or the ledger ends an execution with into its stop, with the cause.

    A defect of ours stays an exception.
    """
    try:
        yield
    except LedgerAwayError:
        raise  # nothing was begun
    except LedgerLostError as error:
        stop.ask(Cause.LEDGER_LOST, str(error))
    except LoginRefusedError as error:
        stop.ask(Cause.LOGIN_REFUSED, str(error))
    except LookRefusedError as error:
        stop.ask(Cause.LOOK_REFUSED, str(error))
    except LookFailedError as error:
        stop.ask(Cause.LOOK_FAILED, str(error))
    except ErpUnreachableError as error:
        stop.ask(Cause.UNREACHABLE, str(error))


async def guarded(stop: Stop, act: Callable[[], Awaitable[None]]) -> None:
    """Do something in a task of its own; what ends it with a cause stops the execution."""
    with stopping(stop):
        await act()
