"""One client in one trial: what it left in the ERP's books, and whether it tells the truth.

Every trial has a fresh sandbox on a socket of its own, so that none disturbs another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from k3push.simulator import Site, build, serve
from tests.cli.terminal import PATIENCE_S, end, until
from tests.compare.clients import client
from tests.compare.faults import HIT, Books, Course, Trial


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a trial.

    Attributes:
        documents: Documents in the ERP.
        twice: Numbers with documents from more than one push.
        wrong: Numbers that were reported as done and have no document, or have one and were
            not reported as done.
    """

    documents: int
    twice: int
    wrong: int

    def __str__(self) -> str:
        return f"{self.documents} · {self.twice} · {self.wrong}"


def measure(trial: Trial, name: str, books: Books) -> Figures:
    """Let the client *name* go through *trial*, to the end of its second morning."""
    lists = {f"list{nth}": numbers for nth, numbers in enumerate(trial.lists, start=1)}
    with tempfile.TemporaryDirectory() as folder, _served(trial, books) as (site, url):
        tool = client(name, Path(folder), url, books)
        processes = {each: tool.begin(each, numbers) for each, numbers in lists.items()}
        if trial.course is Course.KILLED:
            until(lambda: bool(site.world.documents_of(HIT)))
            for process in processes.values():
                process.kill()
        exits = {each: end(process).exit for each, process in processes.items()}
        site.finish()  # what was late has come by the next morning
        for each, exit_code in exits.items():
            tool.go_on(each, exit_code)
        reports = [pair for each in lists for pair in tool.reports(each).items()]
    made = {number: site.world.makings_of(number) for number, _ in reports}
    return Figures(
        documents=site.truth()["documents"],
        twice=sum(len({making.push for making in each}) > 1 for each in made.values()),
        wrong=len({number for number, done in reports if done != bool(made[number])}),
    )


@contextmanager
def _served(trial: Trial, books: Books) -> Iterator[tuple[Site, str]]:
    site = build(trial.erp(books))
    url: Future[str] = Future()
    with start_blocking_portal() as portal:
        serving = portal.start_task_soon(lambda: serve(site, started=url.set_result))
        try:
            yield site, url.result(timeout=PATIENCE_S)
        finally:
            serving.cancel()
