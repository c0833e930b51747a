"""One look for all who ask while another look is under way.

A look for stray documents reads all that was made since a time, and costs as much for one call as
for many. In a bad hour many chunks ask at once. The first one looks; who asks meanwhile waits, and
one of them looks for all of them. Nobody shares a look that began before he asked: what it is to
see may have been made since.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

from k3push.ports import LookRefusedError

T = TypeVar("T")
Look = Callable[[Sequence[T]], Awaitable[Sequence[T]]]
"""Returns those of some things, by identity, of which something was found."""


@dataclass(slots=True, eq=False)
class _Asker(Generic[T]):
    """What one caller asks for, and the answer or the error that the look met.

    Attributes:
        found: None until a look has answered.
        alone: A look that it shared was refused, maybe for what another had asked for.
    """

    things: Sequence[T]
    found: Sequence[T] | None = None
    error: Exception | None = None
    alone: bool = False

    @property
    def is_open(self) -> bool:
        """Whether no look has answered yet."""
        return self.found is None and self.error is None


@dataclass(slots=True)
class JointLooks(Generic[T]):
    """Looks of one kind, one at a time."""

    _waiting: list[_Asker[T]] = field(default_factory=list)
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def ask(self, things: Sequence[T], look: Look[T]) -> Sequence[T]:
        """Return what *look* finds among *things*, together with those who wait by now."""
        asker = _Asker(things)
        self._waiting.append(asker)
        try:
            async with self._turn:
                while asker.is_open:
                    await self._look_together(asker, look)
        finally:
            self._waiting.remove(asker)
        if asker.error is not None:
            raise asker.error
        return asker.found or ()

    async def _look_together(self, asker: _Asker[T], look: Look[T]) -> None:
        askers = [each for each in self._waiting if each.is_open and not each.alone]
        if asker.alone:
            askers = [asker]
        try:
            found = await look([thing for each in askers for thing in each.things])
        except LookRefusedError as error:
            for each in askers:
                each.alone, each.error = True, error if len(askers) == 1 else None
        except Exception as error:  # noqa: BLE001  # each of them raises it
            for each in askers:
                each.error = error
        else:
            of_these = set(map(id, found))
            for each in askers:
                each.found = [thing for thing in each.things if id(thing) in of_these]
