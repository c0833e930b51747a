"""Workers in this process, with tenants who have no ERP: what they are told is written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import anyio

from k3push.adapters.ledger.postgres.database import Server
from k3push.config.settings_file import read_settings
from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.fleet.execution_terms import Terms
from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.queue import Queue
from k3push.fleet.queue_database import end_sessions
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.worker import Worker
from k3push.ports import LedgerLostError
from k3push.runs.outcome import Ending, Exit
from k3push.runs.stop import Cause, Stop
from tests.fleet.test_followup import ended

QUICK = Rhythm(poll=0.05, tick=0.1, gone=0.6, silence=3.0)
PATIENCE_S = 20.0

CONFIG = """\
[erp]
url = "https://erp.example.com"
acct_id = "{acct_id}"
username = "api"
password = {{ env = "ERP_PASSWORD" }}
[ledger]
url = "{url}"
[routes.in]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
{more}
"""


def tenant(
    folder: Path, url: str, name: str = "acme", more: str = "", acct_id: str = "64f0"
) -> Tenant:
    """Return a tenant whose file is written."""
    path = folder / f"{name}.toml"
    path.write_text(CONFIG.format(url=url, more=more, acct_id=acct_id), "utf-8")
    return Tenant(name, read_settings(path, {}))


@dataclass
class FakeWork:
    """What a worker does, as the test decides.

    Attributes:
        served: The tenants.
        endings: How the next executions end; afterwards all are done.
        waits: Executions last until they are told to stop.
        began: Tenant, run and terms of each execution.
        looked: Schedules that were looked after.
        whole: What is said of lists.
        wrong: What keeps from a tenant's ledger.
        said: Keys of the sentences that were told.
        whys: The reasons in them.
    """

    served: dict[str, Tenant]
    endings: list[Ending | Exception] = field(default_factory=list)
    waits: bool = False
    began: list[tuple[str, RunId, Terms]] = field(default_factory=list)
    looked: list[tuple[str, str]] = field(default_factory=list)
    whole: bool | None = False
    wrong: dict[str, Exception] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def tenants(self) -> Mapping[str, Tenant]:
        """Return the tenants."""
        return self.served

    async def execute(self, tenant: Tenant, run: RunId, terms: Terms, stop: Stop) -> Ending:
        """End as the test says."""
        self.began.append((tenant.name, run, terms))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with stop.scope:
                if self.waits:
                    await stop.event.wait()
                await anyio.sleep(0.05)
        finally:
            self.at_once -= 1
        if self.endings:
            ending = self.endings.pop(0)
            if isinstance(ending, Exception):
                raise ending
            return ending
        if stop.asked:
            return replace(ended(Exit.STOPPED), causes=stop.causes)
        return ended(Exit.DONE)

    async def look(
        self,
        tenant: Tenant,
        schedule: str,
        queue: Queue,  # noqa: ARG002
        due: datetime | None,  # noqa: ARG002
    ) -> str:
        """Note that a schedule was looked after."""
        self.looked.append((tenant.name, schedule))
        return ""

    async def is_whole(self, tenant: Tenant, run: RunId) -> bool | None:  # noqa: ARG002
        """Say what the test says."""
        if tenant.name in self.wrong:
            raise self.wrong[tenant.name]
        return self.whole

    async def size_of(self, tenant: Tenant, run: RunId) -> int:  # noqa: ARG002
        """Say that it is a long one."""
        return 10_000

    async def end_sessions(self, tenant: Tenant, worker: str) -> None:
        """End what a dead worker holds."""
        if tenant.name in self.wrong:
            raise self.wrong[tenant.name]
        await end_sessions(Server.of(tenant.settings.ledger.url), worker)

    def tell(self, sentence: str, /, **facts: object) -> None:
        """Note what was told."""
        self.said.append(sentence)
        self.whys += [str(facts["why"])] if "why" in facts else []


def worker(work: FakeWork, url: str, name: str = "w1") -> Worker:
    """Return a worker that is quick."""
    return Worker(work, Server.of(url), f"k3push-{name}", name, "host", 4, QUICK)


@asynccontextmanager
async def serving(*workers: Worker) -> AsyncIterator[Queue]:
    """Let workers serve beside the block."""
    async with (
        open_queue(workers[0].database, create=True) as queue,
        anyio.create_task_group() as tasks,
    ):
        for each in workers:
            tasks.start_soon(each.serve)
        yield queue
        for each in workers:
            each.drain()


async def ask(
    queue: Queue, name: str, run: str, lock: str = "", *, window: str = "", numbers: int = 3
) -> None:
    """Ask for a run whose list is written down."""
    await queue.ask(name, RunId(run), lock or name, window, "Asia/Shanghai" if window else "")
    await queue.listed(name, RunId(run), numbers)
    await queue.make_jobs()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds; fail when it never does."""
    with anyio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # it may look at a database
            await anyio.sleep(0.02)


async def outcome(queue: Queue, name: str, run: str) -> dict[str, object]:
    """Wait until a run is done or waits for a person, and return its row."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            (row,) = await queue.all("run", tenant=name, run=run)
            if row["outcome"] is not None:
                return dict(row)
            await anyio.sleep(0.02)


LOST = LedgerLostError("away")
DRAINED = replace(ended(Exit.STOPPED), causes={Cause.INTERRUPTED: ""})
