"""Who has shown the token or the password, and who has to wait for having guessed it wrong.

All of it is in memory, and ends with the process.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Callable

from k3push.web.admission.addresses import neighbourhood

IDLE_S = 12 * 3600.0
MOST_SESSIONS = 1000
MOST_ADDRESSES = 10_000
LONGEST_WAIT_S = 60


class Sessions:
    """The sessions, by ids that nobody can guess; a memory dump holds their digests alone."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin without any, by a clock that only goes forward."""
        self._now_s = now_s
        self._used: dict[bytes, tuple[float, str]] = {}
        self._key = secrets.token_bytes(32)

    def new_id(self) -> str:
        """Return an id that is no session yet; a form of login is bound to it."""
        return secrets.token_urlsafe(32)

    def begin(self, user: str = "") -> str:
        """Begin a session of a user, and return its id.

        The one that was idle longest makes room.
        """
        if len(self._used) >= MOST_SESSIONS:
            del self._used[min(self._used, key=lambda each: self._used[each])]
        id_ = self.new_id()
        self._used[_digest(id_)] = (self._now_s(), user)
        return id_

    def user_of(self, id_: str) -> str | None:
        """Return whose session is under way, which is a use of it; None where none is."""
        digest = _digest(id_)
        used_s, user = self._used.get(digest, (-math.inf, ""))
        if self._now_s() - used_s > IDLE_S:
            self._used.pop(digest, None)
            return None
        self._used[digest] = (self._now_s(), user)
        return user

    def goes_on(self, id_: str) -> bool:
        """Say whether a session is under way, without using it."""
        used_s, _ = self._used.get(_digest(id_), (-math.inf, ""))
        return self._now_s() - used_s <= IDLE_S

    def end(self, id_: str) -> None:
        """End a session."""
        self._used.pop(_digest(id_), None)

    def end_all_of(self, user: str) -> None:
        """End all sessions of a user."""
        self._used = {id_: use for id_, use in self._used.items() if use[1] != user}

    def seal(self, owner: str) -> str:
        """Return what a form of *owner*, a session or a user, has to bring along."""
        return hmac.new(self._key, owner.encode(), hashlib.sha256).hexdigest()

    def is_sealed(self, owner: str, seal: str) -> bool:
        """Say whether a form is *owner*'s."""
        return hmac.compare_digest(self.seal(owner).encode(), seal.encode("utf-8", "replace"))


class Token:
    """What the printed address holds: it lets one browser in, once."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(32)
        self._spent = False

    def spend(self, text: str) -> bool:
        """Say whether *text* is the token, for the first time."""
        right = same(text, self.text) and not self._spent
        self._spent = self._spent or right
        return right


class Brake:
    """Slows down whoever guesses passwords: 1, 2, 4, … 60 s after each failure of an address."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin with nobody slowed, by a clock that only goes forward."""
        self._now_s = now_s
        self._failures: dict[str, tuple[int, float]] = {}

    def wait_s(self, address: str) -> float:
        """Return how long an address has to wait before its next try; 0 for none."""
        _, until_s = self._failures.get(neighbourhood(address), (0, 0.0))
        return max(0.0, until_s - self._now_s())

    def failed(self, address: str) -> None:
        """Note a wrong password. The address that was noted first makes room."""
        place = neighbourhood(address)
        count, _ = self._failures.pop(place, (0, 0.0))
        if len(self._failures) >= MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        wait_s = min(2**count, LONGEST_WAIT_S) if count < LONGEST_WAIT_S else LONGEST_WAIT_S
        self._failures[place] = (count + 1, self._now_s() + wait_s)

    def passed(self, address: str) -> None:
        """Forget the failures of an address that knew the password."""
        self._failures.pop(neighbourhood(address), None)


def same(given: str, secret: str) -> bool:
    """Compare in a time that tells nothing of the secret, its length included."""
    return hmac.compare_digest(_digest(given), _digest(secret))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
