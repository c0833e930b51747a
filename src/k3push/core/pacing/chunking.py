"""Numbers into chunks of a size, or a chunk into halves or quarters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def split(numbers: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Cut *numbers* into parts of *size*, in order; the last may be smaller.

    Args:
        numbers: Without repeats: two places could make two documents.
        size: Numbers in each part, at least 1.

    >>> split("ABCDE", 2)
    [('A', 'B'), ('C', 'D'), ('E',)]
    """
    if size < 1:
        raise ValueError(f"a chunk holds at least one number, not {size}")
    return [tuple(numbers[i : i + size]) for i in range(0, len(numbers), size)]


def count_chunks(numbers: int, size: int, *, canary: bool) -> int:
    """Say in how many chunks *numbers* travel if none is refused.

    >>> count_chunks(41, 20, canary=True), count_chunks(41, 20, canary=False)
    (3, 3)
    >>> count_chunks(40, 20, canary=True)
    3
    """
    first = 1 if canary and numbers else 0
    return first - (first - numbers) // size


def apart(items: Iterable[T], kind: Callable[[T], Hashable]) -> list[list[T]]:
    """Share *items* out into lists, so that no two of one kind are in one list.

    >>> apart(["a1", "b1", "a2"], lambda item: item[0])
    [['a1', 'b1'], ['a2']]
    """
    lists: list[list[T]] = []
    seen: dict[Hashable, int] = {}
    for item in items:
        nth = seen[kind(item)] = seen.get(kind(item), -1) + 1
        if nth == len(lists):
            lists.append([])
        lists[nth].append(item)
    return lists


def halve(numbers: Sequence[T]) -> list[tuple[T, ...]]:
    """Cut a chunk in two.

    >>> halve("ABCDE")
    [('A', 'B', 'C'), ('D', 'E')]
    """
    return split(numbers, max(1, (len(numbers) + 1) // 2))


def quarter(numbers: Sequence[T]) -> list[tuple[T, ...]]:
    """Cut a refused chunk in four: one bad number among n is found by about 4 log4(n) calls.

    By halves it takes as many calls, and twice as many rounds.

    >>> quarter("ABCDE"), quarter("AB")
    ([('A', 'B'), ('C',), ('D',), ('E',)], [('A',), ('B',)])
    """
    return [part for half in halve(numbers) for part in halve(half)]
