"""What ends a command early: an exit code and the words for it."""

from __future__ import annotations

from k3push.reporting.ending import Exit


class Problem(Exception):  # noqa: N818  # it is reported, not handled
    """A command cannot go on.

    Attributes:
        exit: The exit code; usually 2, nothing was sent.
    """

    def __init__(self, what: str, exit_code: Exit = Exit.USAGE) -> None:
        super().__init__(what)
        self.exit = exit_code


def innermost(error: BaseException) -> BaseException:
    """Unwrap the groups that task groups make of one exception."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
