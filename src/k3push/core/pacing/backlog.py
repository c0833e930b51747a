"""What travels next: the canary, whole chunks, parts of refused chunks."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import chain, count

from k3push.core.model import BillNumber, Chunk, key_of, number_in
from k3push.core.pacing.call_limits import quiet_s, travels_by_itself

AT_WORK_S = 20.0
"""Until it is asked again whether a call that was given up is at work yet."""


class Backlog:
    """Numbers that wait for a place in a chunk, and the chunks that are on their way.

    With a canary, one number travels alone until a target was found by its link, so that a
    wrong source-number field is seen with one document and not with a thousand (rule 9).
    Then one chunk travels alone, and from then on all go side by side.

    >>> backlog = Backlog(canary=True, first_index=1)
    >>> backlog.add(map(BillNumber, "ABCDE"))
    >>> canary = backlog.take(2)
    >>> canary.numbers, backlog.take(2)
    (('A',), None)
    >>> backlog.links_proved = True
    >>> backlog.done(canary)
    >>> backlog.take(2).numbers, backlog.take(2)
    (('B', 'C'), None)

    Documents that were there before prove that links can be found. They do not prove it of what
    the route's own rule makes. So chunks travel one by one until such a document was found too.

    Where documents are followed after their push, chunks travel one by one until the document of
    one number has come to its end.

    What was in doubt once, or met an exception, waits behind all others and until it is due, in
    parts that may be smaller: a bill that breaks its calls must not hold up its neighbours.

    A chunk that was put off by a limit on calls waits until another call has got through, and is
    then the next to go; or until nothing else is left. Some of it travels by itself
    (`call_limits`).

    Bills travel by number or by id; a chunk holds one kind only. Of several bills with one number,
    only one is on its way at a time, and the others wait. The same holds for two names of one bill,
    whose number may change while the list is pushed.
    """

    def __init__(
        self,
        *,
        canary: bool,
        first_index: int,
        first_alone: bool = False,
        by_id: Callable[[BillNumber], bool] = lambda _: False,
        source_id: Callable[[BillNumber], str] = lambda _: "",
    ) -> None:
        """Begin empty.

        Args:
            canary: Whether to prove the links first.
            first_index: Index of the first chunk.
            first_alone: Whether nothing travels beside the first chunk, where none can be proved.
            by_id: Whether a bill travels by id.
            source_id: The internal id of a bill, or "".
        """
        self.links_proved = False
        self.own_proved = not canary
        self.follow_proved = True
        self._needs_proof = canary
        self._needs_first_chunk = canary or first_alone
        self._canaries: set[int] = set()
        self._next_index = first_index
        self._by_id = by_id
        self._source_id = source_id
        self._ready: tuple[deque[BillNumber], deque[BillNumber]] = (deque(), deque())
        self._on_their_way: dict[int, frozenset[BillNumber]] = {}
        self._reserved: Counter[BillNumber] = Counter()
        self._namesakes: list[Chunk] = []
        self._parts: deque[Chunk] = deque()
        self._limited: deque[Chunk] = deque()
        self._suspects: list[tuple[float, int, Chunk]] = []
        self._suspected = count()
        self._open = 0
        self._by_itself = False

    @property
    def waiting(self) -> int:
        """How many numbers wait in no chunk yet."""
        return sum(map(len, self._ready))

    @property
    def fresh(self) -> bool:
        """Whether something waits that was never in doubt."""
        return bool(self.waiting or self._parts or self._namesakes)

    @property
    def proving(self) -> bool:
        """Whether numbers travel one by one, until one has shown that links are found."""
        return self._needs_proof and not self.links_proved

    @property
    def one_by_one(self) -> bool:
        """Whether one number is sent and waited for before others follow."""
        return not (self.own_proved and self.follow_proved)

    @property
    def open(self) -> int:
        """How many chunks are on their way."""
        return self._open

    @property
    def empty(self) -> bool:
        """Whether nothing waits; chunks may be on their way still."""
        return not self.fresh and not self.last

    @property
    def last(self) -> list[Chunk]:
        """What travels only where nothing else is left, or once others have got through."""
        return [*self._limited, *(chunk for *_, chunk in self._suspects)]

    def add(self, numbers: Iterable[BillNumber]) -> None:
        """Take numbers in, each once."""
        for number in numbers:
            self._ready[self._by_id(number)].append(number)

    def put_back(self, chunk: Chunk) -> None:
        """Take in what comes back as it was; it travels before the others."""
        self._parts.append(chunk)

    def put_off(self, chunk: Chunk) -> None:
        """Take in what a limit on calls has put off; it travels once others have got through."""
        self._limited.append(chunk)

    def put_last(self, chunk: Chunk, due_s: float = 0.0) -> None:
        """Take in what travels behind the others, and as it is: it may have broken its call.

        Args:
            chunk: What travels together.
            due_s: On the loop's clock, when it may travel at the earliest.
        """
        heappush(self._suspects, (due_s, next(self._suspected), chunk))

    def go_on(self) -> None:
        """Let what limits have put off travel before the others, which have got through."""
        self._parts.extend(self._limited)
        self._limited.clear()

    def due_s(self) -> float:
        """Return when the next suspect may travel; infinite where there is none."""
        return self._suspects[0][0] if self._suspects else math.inf

    def give_up_proof(self) -> None:
        """Say that nothing can show that links are found: all go side by side, as they are."""
        self._needs_proof = self._needs_first_chunk = False
        self.own_proved = True

    @property
    def quiet_s(self) -> float:
        """For how long nothing may be on its way before what travels next."""
        return quiet_s(self._parts[0]) if self._parts else 0.0

    def take(
        self,
        size: int,
        now_s: float = math.inf,
        *,
        most: float = math.inf,
        done_s: float = -math.inf,
        at_work: int = 0,
    ) -> Chunk | None:
        """Give out the next chunk, or None where nothing may travel now.

        Args:
            size: Size of a chunk of numbers that were never sent; a chunk that comes back is not
                regrouped.
            now_s: On the loop's clock.
            most: Numbers in any chunk; what is kept together is cut to it.
            done_s: On the loop's clock, when the last chunk was done.
            at_work: Calls that were given up, and at which the ERP may be at work.
        """
        proving = self.proving
        waits = proving or self._needs_first_chunk or self.one_by_one or self._by_itself
        if self._open and waits:
            return None
        chunk = None
        while chunk is None or not chunk.numbers:
            most = 1 if proving else most
            chunk = self._next(int(min(size, most)), now_s, most)
            if chunk is None:
                return None
            if chunk.by_itself and at_work:
                self.put_last(chunk, now_s + AT_WORK_S)
                chunk = None
                continue
            if travels_by_itself(chunk) and (self._open or now_s < done_s + quiet_s(chunk)):
                self._parts.appendleft(chunk)
                return None
            chunk = self._but_namesakes(chunk)
        chunk = replace(chunk, index=self._next_index)
        self._next_index += 1
        self._open += 1
        self._by_itself = travels_by_itself(chunk)
        self._on_their_way[chunk.index] = frozenset(chain(*map(self._names, chunk.numbers)))
        if proving:
            self._canaries.add(chunk.index)
        return chunk

    def _next(self, size: int, now_s: float, most: float) -> Chunk | None:
        """Take what comes next from where it waits, and leave there what is more than *most*."""
        if self._parts:
            chunk = self._parts.popleft()
            going, rest = _cut(chunk, most)
            if rest.numbers:
                self._parts.appendleft(rest)
        elif ready := next(filter(None, self._ready), None):
            going = Chunk(0, tuple(ready.popleft() for _ in range(min(size, len(ready)))))
        elif self._limited:
            going, rest = _cut(self._limited.popleft(), most)
            if rest.numbers:
                self.put_off(rest)
        elif self._suspects and self.due_s() <= now_s:
            *_, chunk = heappop(self._suspects)
            going, rest = _cut(chunk, most)
            if rest.numbers:
                self.put_last(rest)
        else:
            return None
        return going

    def _but_namesakes(self, chunk: Chunk) -> Chunk:
        """Set aside bills that share a name with one on its way, reserved, or in the chunk."""
        taken = {*chain(*self._on_their_way.values()), *self._reserved}
        going = []
        for number in chunk.numbers:
            names = self._names(number)
            if taken.isdisjoint(names):
                taken.update(names)
                going.append(number)
            else:
                self._namesakes.append(replace(chunk, numbers=(number,)))
        return replace(chunk, numbers=tuple(going))

    def _names(self, bill: BillNumber) -> list[BillNumber]:
        """Return what a bill is known by: its number, and its id where that is known."""
        id_ = self._source_id(bill)
        return [number_in(bill), key_of("", id_)] if id_ else [number_in(bill)]

    def reserve(self, bills: Iterable[BillNumber]) -> list[BillNumber]:
        """Let no bill travel that shares its number with one of *bills*, until `release`.

        Returns:
            The bills that are reserved now: those of whose number none is on its way.
        """
        taken = set(chain(*self._on_their_way.values()))
        free = [bill for bill in bills if number_in(bill) not in taken]
        self._reserved.update(map(number_in, free))
        return free

    def release(self, bills: Iterable[BillNumber]) -> None:
        """Let travel again what shares its number with *bills*, which were reserved."""
        self._reserved.subtract(map(number_in, bills))
        self._reserved = +self._reserved
        self._let_namesakes_go()

    def _let_namesakes_go(self) -> None:
        self._parts.extend(self._namesakes)
        self._namesakes.clear()

    def done(self, chunk: Chunk, *, sent: bool = True) -> None:
        """Note that *chunk* is no longer on its way: it has a result, or was not sent."""
        self._open -= 1
        del self._on_their_way[chunk.index]
        self._let_namesakes_go()
        if sent and chunk.index not in self._canaries:
            self._needs_first_chunk = False


def _cut(chunk: Chunk, most: float) -> tuple[Chunk, Chunk]:
    """Cut what is kept together into so many numbers as may travel, and the rest."""
    at = int(min(most, len(chunk.numbers)))
    return replace(chunk, numbers=chunk.numbers[:at]), replace(chunk, numbers=chunk.numbers[at:])
