"""What a person may say to a run that is under way, from any terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from k3push.core.remark import remark


class Verb(StrEnum):
    """What a person may want of a run."""

    PAUSE = "pause"
    """Send nothing new until told to continue."""

    CONTINUE = "continue"
    """End a pause."""

    STOP = "stop"
    """Send nothing new, record what is on its way, and end."""

    SET = "set"
    """Set a quantity."""


class Key(StrEnum):
    """What may be set while a run goes."""

    CONCURRENCY = "concurrency"
    """Chunks on their way at once."""

    CHUNK_SIZE = "chunk-size"
    """Numbers in the next chunk."""

    CALLS_PER_MINUTE = "calls-per-minute"
    """Calls to the ERP that may begin in a minute; 0 is no limit."""


LIMITS = {
    Key.CONCURRENCY: range(1, 256 + 1),
    Key.CHUNK_SIZE: range(1, 10_000 + 1),
    Key.CALLS_PER_MINUTE: range(100_000 + 1),
}
"""What each may be set to."""


_LONGEST_NUMBER = 9


def size_of(text: str, key: Key) -> int | None:
    """Read what a quantity may be set to, wherever it stands: settings, option or command.

    >>> size_of("50", Key.CHUNK_SIZE), size_of("auto", Key.CHUNK_SIZE)
    (50, None)

    Returns:
        The number; None is auto.

    Raises:
        ValueError: If it is neither; a remark says what to use.
    """
    text = text.strip()
    if text == "auto":
        return None
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    if not is_number or int(text) not in LIMITS[key]:
        limits = LIMITS[key]
        raise ValueError(remark("setting.size", least=limits[0], most=limits[-1]))
    return int(text)


class CommandError(ValueError):
    """The words are no command."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that a person wants of a run.

    Attributes:
        key: What to set; None for the other verbs.
        value: To which value; None is auto.
    """

    verb: Verb
    key: Key | None = None
    value: int | None = None

    def __str__(self) -> str:
        """Return the words that `parse` reads."""
        if self.key is None:
            return self.verb
        return f"{self.verb} {self.key}={'auto' if self.value is None else self.value}"

    @classmethod
    def parse(cls, words: Sequence[str]) -> Command:
        """Read a command as it is typed.

        >>> Command.parse(["set", "concurrency=8"])
        Command(verb=<Verb.SET: 'set'>, key=<Key.CONCURRENCY: 'concurrency'>, value=8)

        Raises:
            CommandError: If the words are none; it holds the word that is wrong.
        """
        verb, *rest = words or [""]
        if verb not in set(Verb):
            raise CommandError(verb)
        if verb != Verb.SET:
            if rest:
                raise CommandError(rest[0])
            return cls(Verb(verb))
        setting = " ".join(rest)
        name, _, value = setting.partition("=")
        if name not in set(Key):
            raise CommandError(setting)
        key = Key(name)
        try:
            return cls(Verb.SET, key, size_of(value, key))
        except ValueError as error:
            raise CommandError(setting) from error
