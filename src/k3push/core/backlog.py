"""What travels next: the canary, whole chunks, parts of refused chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from k3push.core.model import BillNumber, Chunk


class Backlog:
    """Numbers that wait for a place in a chunk, and the chunks that are on their way.

    With a canary, one number travels alone until a target was found by its link, so that a
    wrong source-number field is seen with one document and not with a thousand (rule 9).
    Then one chunk travels alone, and from then on all go side by side.

    >>> backlog = Backlog(size=2, canary=True, first_index=1)
    >>> backlog.add(map(BillNumber, "ABCDE"))
    >>> canary = backlog.take()
    >>> canary.numbers, backlog.take()
    (('A',), None)
    >>> backlog.links_proved = True
    >>> backlog.done(canary)
    >>> backlog.take().numbers, backlog.take()
    (('B', 'C'), None)
    """

    def __init__(self, *, size: int, canary: bool, first_index: int) -> None:
        """Begin empty.

        Args:
            size: Numbers in the next chunk; may be set anew between two.
            canary: Whether to prove the links first.
            first_index: Index of the first chunk.
        """
        self.size = size
        self.links_proved = False
        self._needs_proof = canary
        self._needs_first_chunk = canary
        self._canaries: set[int] = set()
        self._next_index = first_index
        self._ready: deque[BillNumber] = deque()
        self._parts: deque[Chunk] = deque()
        self._open = 0

    @property
    def waiting(self) -> int:
        """How many numbers wait in no chunk yet."""
        return len(self._ready)

    @property
    def open(self) -> int:
        """How many chunks are on their way."""
        return self._open

    @property
    def empty(self) -> bool:
        """Whether nothing waits; chunks may be on their way still."""
        return not self._ready and not self._parts

    def add(self, numbers: Iterable[BillNumber]) -> None:
        """Take numbers in, each once."""
        self._ready.extend(numbers)

    def add_part(
        self, numbers: tuple[BillNumber, ...], *, alone: bool = False, tries: int = 0
    ) -> None:
        """Take in a part of a chunk that came back; it travels as it is, before the others.

        Args:
            numbers: What travels together.
            alone: They were dropped in silence, and this is their one more try.
            tries: How often the ERP has put these off.
        """
        self._parts.append(Chunk(0, numbers, alone, tries))

    def take(self) -> Chunk | None:
        """Give out the next chunk, or None where nothing may travel now."""
        proving = self._needs_proof and not self.links_proved
        if self.empty or (self._open and (proving or self._needs_first_chunk)):
            return None
        if self._parts and not proving:
            chunk = self._parts.popleft()
        elif self._parts:
            chunk = self._split_canary()
        else:
            size = 1 if proving else self.size
            numbers = tuple(self._ready.popleft() for _ in range(min(size, len(self._ready))))
            chunk = Chunk(0, numbers)
        chunk = replace(chunk, index=self._next_index)
        self._next_index += 1
        self._open += 1
        if proving:
            self._canaries.add(chunk.index)
        return chunk

    def done(self, chunk: Chunk, *, sent: bool = True) -> None:
        """Say that *chunk* has come to something, or is on its way no longer, unsent."""
        self._open -= 1
        if sent and chunk.index not in self._canaries:
            self._needs_first_chunk = False

    def _split_canary(self) -> Chunk:
        part = self._parts.popleft()
        if len(part.numbers) > 1:
            self._parts.appendleft(replace(part, numbers=part.numbers[1:]))
        return replace(part, numbers=part.numbers[:1])
