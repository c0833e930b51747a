"""Who asks a server for pushes: as what a user, a program and a schedule stand in the ledger."""

_OF_PROGRAMS = "api/"
_OF_SCHEDULES = "schedule/"


def by_program(name: str) -> str:
    """Return what stands in the ledger for a program; no user's name looks so."""
    return f"{_OF_PROGRAMS}{name}"


def is_program(by: str) -> bool:
    """Say whether what stands in the ledger for somebody stands for a program.

    >>> is_program("api/wms"), is_program("wang"), is_program("")
    (True, False, False)
    """
    return by.startswith(_OF_PROGRAMS)


def by_schedule(name: str) -> str:
    """Return what stands in the ledger for a schedule; no user's name looks so."""
    return f"{_OF_SCHEDULES}{name}"


def is_schedule(by: str) -> bool:
    """Say whether what stands in the ledger for somebody stands for a schedule.

    >>> is_schedule("schedule/nightly"), is_schedule("api/wms")
    (True, False)
    """
    return by.startswith(_OF_SCHEDULES)


def may_be_user(name: str) -> bool:
    """Say whether a user may be called so: nobody passes for a program, or for a schedule.

    >>> may_be_user("wang"), may_be_user("api/wms"), may_be_user("schedule/nightly")
    (True, False, False)
    """
    return not name.startswith((_OF_PROGRAMS, _OF_SCHEDULES))
