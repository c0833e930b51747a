"""What ends a command early: an exit code, and a remark that says why."""

from __future__ import annotations

from collections.abc import Iterator

from k3push.runs.outcome import Exit


class Problem(Exception):  # noqa: N818  # it is reported, not handled
    """A command cannot go on; a remark says why.

    Attributes:
        exit: The exit code; usually 2, nothing was sent.
    """

    def __init__(self, what: str, exit_code: Exit = Exit.USAGE) -> None:
        super().__init__(what)
        self.exit = exit_code


def innermost(error: BaseException) -> BaseException:
    """Unwrap the groups that task groups make, where all that is in them is of one kind.

    A lost ledger, for one, is met by every task that writes at the moment.
    """
    leaves = list(_leaves(error))
    for one in leaves:
        if all(isinstance(leaf, type(one)) for leaf in leaves):
            return one
    return error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
