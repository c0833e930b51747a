"""What can go wrong with one request, as values with names.

A fault is two independent things: what becomes of the *work*, and what becomes of the
*answer*. Its name says both: ``reset`` breaks the connection and does nothing,
``make-then-reset`` makes the documents first. Names are what scripts, presets and the
command line use; `FAULT_NAMES` lists them, `fault` reads them.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import StrEnum


class Work(StrEnum):
    """What becomes of the work that a request asks for."""

    NONE = ""
    """It is not done."""

    MAKE = "make-then-"
    """It is done and kept before the answer."""

    COMMIT_LATE = "commit-late-then-"
    """It is done, and kept only seconds later: until then nobody can see it (P 5.15)."""

    DROP_ONE = "drop-one-then-"
    """It is done for all but the last source or document, which nobody mentions (P 4.6)."""

    MISLINK = "mislink-then-"
    """It is done, and the links of what a push has made name a source that is not theirs."""


class Ending(StrEnum):
    """What becomes of the answer."""

    OK = "ok"
    """It arrives."""

    REFUSE_CONNECTION = "refuse-connection"
    """No connection is made, and the client is told so. In memory only."""

    CONNECT_TIMEOUT = "connect-timeout"
    """No connection is made, and nobody tells the client. In memory only."""

    RESET = "reset"
    """The connection is reset."""

    CLOSE = "close"
    """The connection is closed without an answer."""

    CUT_OFF = "cut-off"
    """The connection is reset in the middle of the body."""

    SILENCE = "silence"
    """Nothing ever comes."""

    DELAY = "delay"
    """It arrives seconds later."""

    EMPTY = "empty"
    """HTTP 200 without a body (P 1.8)."""

    GARBAGE = "garbage"
    """HTTP 200 with bytes that mean nothing."""

    RESULT_NULL = "result-null"
    """HTTP 200 with `{"Result": null}` (P 9)."""

    HTML_200 = "html-200"
    """HTTP 200 with a page (P 1.12)."""

    HTML_502 = "html-502"
    """HTTP 502 with a page, as a proxy makes it."""

    HTML_503 = "html-503"
    """HTTP 503 with a page, as during a recycle."""

    RESPONSE_ERROR = "response-error"
    """`response_error:` and the JSON of an exception (P 1.10)."""

    RESPONSE_ERROR_TEXT = "response-error-text"
    """`response_error:` and free text (P 1.10)."""

    RESPONSE_ERROR_TIMEOUT = "response-error-timeout"
    """`response_error:` with the words of a statement that ran out of time."""

    RESPONSE_ERROR_DEADLOCK = "response-error-deadlock"
    """`response_error:` with the words of a deadlock's victim."""

    FORBIDDEN_TEXT = "forbidden-text"
    """HTTP 200 with the text of P 1.11."""

    GATEWAY_519 = "gateway-519"
    """The old gateway's HTTP 519 (P 1.13)."""

    TOO_MANY_429 = "too-many-429"
    """HTTP 429."""

    LOSE_SESSION = "lose-session"
    """The session is lost before anything is looked at (P 3); or, after the work, the server
    says that it has none."""

    EDIT_LOCK = "edit-lock"
    """Refused with MsgCode 13."""

    CALL_LIMIT = "call-limit"
    """Refused with MsgCode 14."""

    NO_LICENCE = "no-licence"
    """Refused with MsgCode 7; in the midst of the work, perhaps."""

    NO_PERMISSION = "no-permission"
    """Refused with MsgCode 2; a login, as the door refuses (P 2.4)."""

    MSGCODE_4 = "msgcode-4"
    """Refused with MsgCode 4."""

    MSGCODE_6 = "msgcode-6"
    """Refused with MsgCode 6."""

    INTERRUPTED = "interrupted"
    """MsgCode 4 and the words of a task that was stopped; what it began may go on."""

    GZIP = "gzip"
    """It arrives with `Content-Encoding: gzip`."""

    BASE64_GZIP = "base64-gzip"
    """It arrives as base64 of gzip, without a header that says so (P 1.8)."""

    NULL_VALUES = "null-values"
    """It arrives with a null in each row, each time in the next place; targets have no number."""

    SHORT_ROWS = "short-rows"
    """It arrives with rows that lack their last value."""


# These come before the ERP sees the request, or are its word that nothing was done.
_NEVER_WORKED = frozenset(
    {
        Ending.REFUSE_CONNECTION,
        Ending.CONNECT_TIMEOUT,
        Ending.LOSE_SESSION,
        Ending.EDIT_LOCK,
        Ending.CALL_LIMIT,
        Ending.NO_LICENCE,
        Ending.NO_PERMISSION,
        Ending.MSGCODE_4,
        Ending.MSGCODE_6,
    }
)
# Some servers say that there is no session when they have done the work all the same, an exception
# may come from a plug-in that is called after it, and another module may want a licence then.
_WORKED_ALL_THE_SAME = {
    Ending.LOSE_SESSION: {Work.MAKE},
    Ending.MSGCODE_4: {Work.MAKE},
    Ending.MSGCODE_6: {Work.MAKE},
    Ending.NO_LICENCE: {Work.MAKE, Work.DROP_ONE},
}

# These are a true answer in another form, which there is none of without the work.
_ALWAYS_WORKED = frozenset(
    {Ending.OK, Ending.GZIP, Ending.BASE64_GZIP, Ending.NULL_VALUES, Ending.SHORT_ROWS}
)

_SHORT = {"late-commit": "commit-late-then-reset", "drop-one": "drop-one-then-ok"}
_SHORT |= {"mislink": "mislink-then-ok"}

# Longer than the time in which impatient clients give up, shorter than k3push's default window.
DEFAULT_SECONDS = 30.0

_SECONDS = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        seconds: How long a delay or a late commit takes.
    """

    work: Work
    ending: Ending
    seconds: float = DEFAULT_SECONDS

    @property
    def name(self) -> str:
        """Its name, without the seconds."""
        for short, long in _SHORT.items():
            if long == f"{self.work}{self.ending}":
                return short
        hidden = self.ending in _ALWAYS_WORKED and self.work is Work.MAKE
        return str(self.ending) if hidden else f"{self.work}{self.ending}"

    @property
    def works(self) -> bool:
        """Whether the work is done at some time."""
        return self.work is not Work.NONE or self.ending is Ending.DELAY

    @property
    def denies(self) -> bool:
        """Whether the client knows that nothing was done."""
        return self.ending in _NEVER_WORKED and not self.works

    @property
    def tells(self) -> bool:
        """Whether the true answer arrives, which is not there before the work has ended."""
        return self.ending in _ALWAYS_WORKED or self.ending is Ending.DELAY

    @property
    def is_whole(self) -> bool:
        """Whether the true answer arrives undamaged."""
        return self.tells and self.ending not in {Ending.NULL_VALUES, Ending.SHORT_ROWS}

    @property
    def connects(self) -> bool:
        """Whether there is a connection at all."""
        return self.ending not in {Ending.REFUSE_CONNECTION, Ending.CONNECT_TIMEOUT}

    @property
    def delay_before_work_s(self) -> float:
        """How much longer the work takes: a slow server, which goes on without its client."""
        slow = self.ending is Ending.DELAY and self.work is Work.NONE
        return self.seconds if slow else 0.0

    @property
    def delay_after_work_s(self) -> float:
        """How long the answer stays away once the work is done."""
        late = self.ending is Ending.DELAY and self.work is not Work.NONE
        return self.seconds if late else 0.0

    @property
    def commit_delay_s(self) -> float:
        """How long what was made cannot be seen."""
        return self.seconds if self.work is Work.COMMIT_LATE else 0.0


NO_FAULT = Fault(Work.MAKE, Ending.OK)


def fault(name: str) -> Fault:
    """Read a fault's name, with seconds after a colon where they matter.

    Raises:
        ValueError: If there is no such fault.

    >>> fault("make-then-delay:400").seconds
    400.0
    """
    text, _, seconds = name.partition(":")
    known = _FAULTS.get(text)
    if known is None:
        near = difflib.get_close_matches(text, FAULT_NAMES, n=3, cutoff=0.3)
        raise ValueError(f"there is no fault {text!r}; near it are: {', '.join(near) or 'none'}")
    if seconds and not _SECONDS.fullmatch(seconds):
        raise ValueError(f"{name!r} does not end in a number of seconds")
    return Fault(known.work, known.ending, float(seconds) if seconds else DEFAULT_SECONDS)


def _all_faults() -> dict[str, Fault]:
    faults: dict[str, Fault] = {}
    for ending in Ending:
        for work in Work:
            never = ending in _NEVER_WORKED and work is not Work.NONE
            always = ending in _ALWAYS_WORKED and work is Work.NONE
            all_the_same = work in _WORKED_ALL_THE_SAME.get(ending, set())
            if (never and not all_the_same) or always:
                continue
            made = Fault(work, ending)
            faults[made.name] = made
            faults[f"{work}{ending}"] = made
    return faults


_FAULTS = _all_faults()
FAULT_NAMES = tuple(dict.fromkeys(each.name for each in _FAULTS.values()))
"""The name of every fault."""
