"""What the fleet has to do, in PostgreSQL: tables of our own, and the engine's jobs for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from procrastinate import App
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status

from k3push.adapters.ledger.postgres.database import Server
from k3push.core.model import RunId
from k3push.fleet.followup import Later
from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.patient_engine import PatientManager
from k3push.fleet.queue_database import array_of, lost, verbs
from k3push.fleet.turns import priority

PUSH = "k3push.push"

BATCH = 1000
"""Jobs that are written at once."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A run that a worker has begun.

    Attributes:
        worker: Who.
        window: Of the run's schedule; "" is the tenant's own.
        zone: Whose clock the window goes by; "" is the host's.
        waits: Vain executions in a row before this one.
        only_settle: Nothing is sent.
        asked_by: The request of a server that has asked for it; "" for none.
    """

    tenant: str
    run: RunId
    worker: str
    window: str
    zone: str
    waits: int
    only_settle: bool
    asked_by: str

    @property
    def key(self) -> dict[str, str]:
        """What names it in the database, and who had asked for it."""
        return {
            "tenant": self.tenant,
            "run": self.run,
            "worker": self.worker,
            "asked_by": self.asked_by,
        }


class Queue:
    """The fleet's database: its runs, tenants and workers, as verbs.

    Every verb raises `LedgerLostError` where it cannot be reached.

    Two modules name statements themselves, by `all` and `do`. `due_schedules` is the verbs of the
    schedules, each made of several statements that nobody else has a use for; `status` is what
    people and collectors read, row by row as it is found. A verb between them and the statement
    would only say its name again.
    """

    def __init__(self, app: App, server: Server, manager: PatientManager) -> None:
        self.app = app
        self.manager = manager
        self._server = server
        self._statements = verbs()

    # -- runs ---------------------------------------------------------------------------------

    async def ask(
        self, tenant: str, run: RunId, lock: str, window: str, zone: str, *, part: str = ""
    ) -> bool:
        """Write down that a run is to be executed; nothing begins before it is `listed`.

        Args:
            tenant: Whose.
            run: The run.
            lock: Runs of one lock go one after another.
            window: When it may send.
            zone: Whose clock that goes by.
            part: What it is of, and no other run; "" where others may be.

        Returns:
            Whether that was done; false where another run is of that part.
        """
        facts = {"lock": lock, "window": window, "zone": zone, "part": part}
        return bool(await self.all("ask", tenant=tenant, run=run, **facts))

    async def run_of_part(self, tenant: str, part: str) -> tuple[RunId, bool, float] | None:
        """Return the run of a part, whether all of it is listed, and its age in seconds."""
        rows = await self.all("run_of_part", tenant=tenant, part=part)
        return (RunId(rows[0]["run"]), rows[0]["listed"], rows[0]["age_s"]) if rows else None

    async def runs_of_turn(self, tenant: str, turn: str) -> list[RunId]:
        """Return the runs whose parts begin so."""
        rows = await self.all("runs_of_turn", tenant=tenant, turn=turn)
        return [RunId(row["run"]) for row in rows]

    async def free_part(self, tenant: str, run: RunId, part: str, *, listed: bool) -> None:
        """Let another run be of a part, whose run is not in the ledger as a whole.

        Args:
            tenant: Whose.
            run: Which is of it; if it was not listed, it is never executed.
            part: The part.
            listed: As it was read; where that has changed, nothing is done.
        """
        await self.do("free_part", tenant=tenant, run=run, part=part, listed=listed)

    async def unask(self, tenant: str, run: RunId) -> None:
        """Take back that a run was asked for, whose id is another account's in the ledger."""
        await self.do("unask", tenant=tenant, run=run)

    async def listed(self, tenant: str, run: RunId, numbers: int) -> bool:
        """Write down that all *numbers* of a run are in the tenant's ledger.

        Returns:
            Whether the run is the fleet's; false where another has dropped it meanwhile.
        """
        return bool(await self.all("listed", tenant=tenant, run=run, numbers=numbers))

    async def unlisted(self, tenants: Collection[str]) -> Sequence[tuple[str, RunId, float]]:
        """Return runs of which it is not said that all is listed: tenant, run, age in seconds."""
        rows = await self.all("unlisted", tenants=array_of(tuple(tenants)))
        return [(row["tenant"], RunId(row["run"]), row["age_s"]) for row in rows]

    async def drop(self, tenant: str, run: RunId, why: str) -> None:
        """End a run that was never listed, without an execution."""
        await self.do("drop", tenant=tenant, run=run, why=why)

    async def hand_over(
        self, tenant: str, run: RunId, lock: str, request: str, numbers: int
    ) -> None:
        """Write down that a run, which is whole, is to be executed for a request of a server.

        Doing it again for the same request changes nothing, also where somebody has cancelled
        the run meanwhile. For another request, one that is over is executed once more, and one
        that waits to be settled is not only settled.
        """
        facts = {"lock": lock, "request": request, "numbers": numbers}
        await self.do("hand_over", tenant=tenant, run=run, **facts)

    async def is_open(self, tenant: str, run: RunId) -> bool:
        """Say whether the fleet has something left to do about a run."""
        rows = await self.all("run", tenant=tenant, run=run)
        return bool(rows) and rows[0]["outcome"] is None

    async def open_runs(self, tenant: str) -> set[RunId]:
        """Return the runs of a tenant about which there is something left to do."""
        return {RunId(row["run"]) for row in await self.all("open_runs", tenant=tenant)}

    async def doing(self, tenant: str) -> list[RunId]:
        """Return the runs of a tenant that workers execute now."""
        return [RunId(row["run"]) for row in await self.all("doing", tenant=tenant)]

    async def make_jobs(self, tenant: str = "", runs: Collection[RunId] = ()) -> None:
        """Give a job to each run that is due and has none, or only to some *runs* of a tenant.

        Several may do so side by side: the engine takes one job of a name at a time.
        """
        while True:
            rows = (
                await self.all("due_of", tenant=tenant, runs=list(runs), most=BATCH)
                if tenant
                else await self.all("due", most=BATCH)
            )
            jobs = [self._job_of(row) for row in rows]
            with self._lost():
                try:
                    if jobs:
                        await self.app.job_manager.batch_defer_jobs_async(jobs)
                except AlreadyEnqueued:  # another was faster with one of them
                    for job in jobs:
                        with suppress(AlreadyEnqueued):
                            await self.app.job_manager.defer_job_async(job)
            if len(rows) < BATCH:
                return

    def _job_of(self, row: Mapping[str, Any]) -> Job:
        name = f"{row['tenant']}/{row['run']}"
        task = self.app.configure_task(
            PUSH,
            queue=row["tenant"],
            lock=row["lock"],
            queueing_lock=name,
            priority=priority(row["since_s"], row["numbers"]),
        )
        return task.job.evolve(task_kwargs={"tenant": row["tenant"], "run": row["run"]})

    async def begin(self, tenant: str, run: RunId, worker: str) -> Slot | None:
        """Become the one who executes a run; None where it is not to be executed now."""
        rows = await self.all("begin", tenant=tenant, run=run, worker=worker)
        return Slot(tenant, run, worker, *rows[0].values()) if rows else None

    async def end(
        self,
        slot: Slot,
        outcome: str,
        exit_code: int | None,
        why: str,
        unarchived: str | None = None,
        *,
        in_doubt: int = 0,
    ) -> bool:
        """Write down that a run is `done`, or waits for a `person`, unless another has it now.

        Args:
            slot: The run.
            outcome: One of the two.
            exit_code: Of its last execution.
            why: A remark.
            unarchived: As in `Ending`.
            in_doubt: Numbers that are left in doubt.

        Returns:
            Whether it was the worker's still.
        """
        facts = {"outcome": outcome, "why": why, "unarchived": unarchived}
        left = {"exit": exit_code, "in_doubt": in_doubt}
        if await self.all("end", **slot.key, **facts, **left):
            return True
        await self.do("end_cancelled", **slot.key, **left)
        return False

    async def put_off(
        self,
        slot: Slot,
        later: Later,
        exit_code: int | None,
        why: str,
        *,
        in_doubt: int | None = None,
    ) -> bool:
        """Give a run back, to be taken up later; return whether it was the worker's still.

        Args:
            slot: The run.
            later: When.
            exit_code: Of its last execution; None where there was none.
            why: A remark.
            in_doubt: Numbers that are left in doubt; None where that is as before.
        """
        rows = await self.all(
            "put_off",
            **slot.key,
            seconds=later.seconds,
            waits=slot.waits + 1 if later.vain else 0,
            only_settle=later.only_settle,
            exit=exit_code,
            why=why,
            in_doubt=in_doubt,
        )
        if not rows and in_doubt is not None:
            await self.do("end_cancelled", **slot.key, exit=exit_code, in_doubt=in_doubt)
        return bool(rows)

    async def executed_by(self, worker: str) -> Sequence[tuple[str, RunId]]:
        """Return the runs that are a worker's: tenant, run."""
        rows = await self.all("executed_by", worker=worker)
        return [(row["tenant"], RunId(row["run"])) for row in rows]

    async def cancelled_of(self, worker: str) -> Sequence[tuple[str, RunId]]:
        """Return the runs that a worker has begun, and a person has cancelled: tenant, run."""
        rows = await self.all("cancelled_of", worker=worker)
        return [(row["tenant"], RunId(row["run"])) for row in rows]

    async def stalled(self, rhythm: Rhythm) -> Sequence[Job]:
        """Return the jobs of engines that have been silent for too long."""
        with self._lost():
            return list(
                await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=rhythm.silence)
            )

    async def left_behind(self, rhythm: Rhythm) -> Sequence[tuple[str, RunId, str]]:
        """Return runs of workers that are dead: tenant, run, worker.

        A process that dies takes its sessions with it, which is seen at once. One that is paused
        or cut off is only silent.
        """
        rows = await self.all("left_behind", gone_s=rhythm.gone, silence_s=rhythm.silence)
        return [(row["tenant"], RunId(row["run"]), row["worker"]) for row in rows]

    async def let_go(self, tenant: str, run: RunId, worker: str) -> bool:
        """Take a run away from a dead worker, and its job out of the engine.

        Returns:
            Whether that was done here, and not by another before.
        """
        jobs = await self.all("jobs_of", name=f"{tenant}/{run}")
        if not await self.all("let_go", tenant=tenant, run=run, worker=worker):
            return False
        for job in jobs:
            await self.finish(job["id"])
        return True

    async def finish(self, job: int) -> None:
        """Take a job that nobody works at out of the engine; if it has ended, that is well too.

        So it is where the database cannot be reached: the job is found again.
        """
        with suppress(ConnectorException):
            await self.app.job_manager.finish_job_by_id_async(job, Status.FAILED, delete_job=False)

    async def cancel(self, tenant: str) -> Sequence[RunId]:
        """Cancel all open runs of a tenant, those that are being executed as well."""
        cancelled = await self.all("cancel", tenant=tenant)
        for job in await self.all("waiting_jobs", tenant=tenant):
            with self._lost():
                await self.app.job_manager.cancel_job_by_id_async(job["id"], delete_job=True)
        return [RunId(row["run"]) for row in cancelled]

    async def retry(self, tenant: str) -> list[RunId]:
        """Have what waits for a person, was cancelled, or waits for its time be due now.

        So are schedules that are to be looked after again; the runs are returned.
        """
        await self.do("hurry_looks", tenant=tenant)
        again = [*await self.all("retry", tenant=tenant), *await self.all("hurry", tenant=tenant)]
        return [RunId(row["run"]) for row in again]

    # -- tenants, their files, workers --------------------------------------------------------

    async def pause(self, tenant: str, why: str = "") -> None:
        """Let no run of a tenant begin.

        Args:
            tenant: Whose.
            why: A remark, where no person has said so; a pause that is there keeps its own.
        """
        await self.do("pause", tenant=tenant, why=why)

    async def go_on(self, tenant: str) -> bool:
        """End a tenant's pause; return whether there was one."""
        return bool(await self.all("go_on", tenant=tenant))

    async def pauses(self) -> dict[str, str]:
        """Return the tenants that are paused, each with why; "" is a person's word."""
        return {row["tenant"]: row["why"] for row in await self.all("pauses")}

    async def looked_after(self, tenant: str, schedule: str, why: str) -> None:
        """Write down that a look was done as a job, and what is wrong, or ""."""
        await self.do("looked_after", tenant=tenant, schedule=schedule, why=why)

    async def put_aside(self, tenant: str, digest: str, file: str) -> None:
        """Write down that a file is read no more, whatever its name, until a person says so."""
        await self.do("put_aside", tenant=tenant, digest=digest, file=file)

    async def asides_of(self, tenant: str) -> set[str]:
        """Return the digests of a tenant's files that are put aside."""
        return {row["digest"] for row in await self.all("asides_of", tenant=tenant)}

    async def try_asides(self, tenant: str) -> list[str]:
        """Let a tenant's files that are put aside be read again; return which."""
        return [row["file"] for row in await self.all("try_asides", tenant=tenant)]

    async def gone(self, worker: str) -> None:
        """Forget a worker that has come to its end."""
        await self.do("gone", worker=worker)

    # -- plumbing -----------------------------------------------------------------------------

    async def now(self) -> datetime:
        """Return the database's time."""
        now: datetime = (await self.all("now"))[0]["now"]
        return now

    async def all(self, name: str, /, **values: object) -> Sequence[dict[str, Any]]:
        """Return all rows of a statement of `sql/verbs.sql`."""
        with self._lost():
            return await self.app.connector.execute_query_all_async(
                self._statements[name], **values
            )

    async def do(self, name: str, /, **values: object) -> None:
        """Run a statement of `sql/verbs.sql`."""
        with self._lost():
            await self.app.connector.execute_query_async(self._statements[name], **values)

    def _lost(self) -> AbstractContextManager[None]:
        return lost(self._server)
