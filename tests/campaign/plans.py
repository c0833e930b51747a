"""The first run as a plan: foreseen by one person, applied by another, or by two, later on.

Meanwhile the office goes on: bills are pushed and closed by hand, and other runs end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import anyio

from k3push.core.model import Listed, id_in, number_in
from k3push.core.plan import Foreseen
from k3push.core.protocol.logins import LoginCall
from k3push.runs.create import JobSource
from k3push.runs.forecast import ForecastContext, HeldByOthers, forecast, held_numbers, learn_links
from k3push.runs.stop import Stop, stopping
from tests.campaign.scene import Scene
from tests.runs.office import LIMITS, Notebook


async def foresee(
    scene: Scene, logins: Mapping[str, LoginCall], *, again: bool, patience_s: float
) -> list[Foreseen]:
    """Plan the first run, as often as it takes."""
    run = scene.first
    listed = [
        Listed(line, number_in(each), id=id_in(each))
        for line, each in enumerate(scene.lines(run), start=1)
    ]
    job = JobSource("a.csv", Path("a.csv"), lambda: iter(listed))
    while True:
        stop, lines = Stop(), []
        with stopping(stop):
            async with scene.office.erp(logins) as erp:
                ledger, route = scene.ledger.another_process(), scene.routes[run]
                scope = scene.office.run(run).scope
                outlook = ForecastContext(
                    route,
                    erp,
                    LIMITS,
                    stop,
                    Notebook(),
                    HeldByOthers(partial(held_numbers, ledger, scope)),
                    ledger,
                    scope,
                    again=again,
                )
                outlook = await learn_links(outlook)
                async for page in forecast([job], {"": outlook}, stop, at_once=2):
                    lines += page
        if not stop.asked:
            return lines
        await anyio.sleep(patience_s)
