"""The order in which trio runs tasks that are ready at the same moment, by seed."""

from __future__ import annotations

from trio._core import _run as trio_run


def seed_schedule(seed: int) -> None:
    """Make all runs of trio from here on take the order that *seed* draws.

    trio leaves that order to chance, so that nobody relies on one, and lets hypothesis set it;
    a failure that cannot be had again teaches nothing. Tasks are put in the order of their
    birth before they are shuffled, since sets of them have the order of their addresses.
    """
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # its plugin does so
    trio_run._r.seed(seed)
