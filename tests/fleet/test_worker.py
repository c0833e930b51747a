from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread
import psycopg
import pytest
from procrastinate.worker import Worker as Engine

from k3push.adapters.ledger.postgres.database import Server
from k3push.config.setting_errors import SettingsError
from k3push.config.tenants import LONGEST_NAME, Tenant
from k3push.core.model import RunId, State
from k3push.core.remark import remark
from k3push.fleet.followup import MOST_WAITS_FOR_SESSIONS, ForPerson, Later, next_of
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.status import standing
from k3push.fleet.work_port import CannotBeginError, NotHereError
from k3push.ports import RunIsAliveError
from k3push.runs.outcome import Ending, Exit
from k3push.runs.stop import Cause
from tests.fleet.crew import LOST, FakeWork, ask, outcome, serving, tenant, until, worker
from tests.fleet.test_followup import ended

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

SCHEDULE = '[schedules.nightly]\ncron = "0 20 * * *"\njobs = "inbox"\n'


def do(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement in the fleet's schema, as any program may."""
    options = "-c search_path=k3push_fleet"
    with psycopg.connect(url, autocommit=True, options=options) as session:
        cursor = session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


async def change(url: str, statement: str) -> None:
    """Change the tables; rows may be locked by what goes on in this loop, which must not stop."""
    await anyio.to_thread.run_sync(do, url, statement)


async def test_a_run_is_executed_once_and_its_exit_is_kept(
    postgres_url: str, tmp_path: Path
) -> None:
    """Two workers look for it at the same time."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    work.endings = [ended(Exit.SOME_REJECTED)]
    pair = (worker(work, postgres_url, "w1"), worker(work, postgres_url, "w2"))
    async with serving(*pair) as queue:
        await ask(queue, "acme", "r1")
        row = await outcome(queue, "acme", "r1")
        await anyio.sleep(0.3)
    assert (row["outcome"], row["exit"]) == ("done", 3)
    assert [run for _, run, _ in work.began] == ["r1"]


async def test_the_longest_name_of_a_tenant_is_no_trouble(
    postgres_url: str, tmp_path: Path
) -> None:
    """PostgreSQL refuses a job whose channel is longer than 63 bytes."""
    name = "租" * (LONGEST_NAME // 3) + "x" * (LONGEST_NAME % 3)
    work = FakeWork({name: tenant(tmp_path, postgres_url, name)})
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, name, "r1")
        await outcome(queue, name, "r1")


async def test_a_run_that_is_held_or_done_is_not_begun(postgres_url: str) -> None:
    """A job of the engine may come late, or twice; the tables say what is to be done."""
    run = RunId("r1")
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await ask(queue, "acme", "r1")
        slot = await queue.begin("acme", run, "w1")
        assert slot is not None
        assert await queue.begin("acme", run, "w2") is None
        await queue.end(slot, "done", 0, "")
        assert await queue.begin("acme", run, "w2") is None


async def test_runs_of_a_tenant_go_one_after_another(postgres_url: str, tmp_path: Path) -> None:
    """Side by side they would only wait for each other's numbers."""
    served = {name: tenant(tmp_path, postgres_url, name) for name in ("acme", "bexo")}
    work = FakeWork(served)
    async with serving(worker(work, postgres_url), worker(work, postgres_url, "w2")) as queue:
        for run in ("r1", "r2", "r3"):
            await ask(queue, "acme", run)
        for run in ("r1", "r2", "r3"):
            await outcome(queue, "acme", run)
    assert [run for _, run, _ in work.began] == ["r1", "r2", "r3"]
    assert work.most_at_once == 1


async def test_slices_of_a_list_go_side_by_side(postgres_url: str, tmp_path: Path) -> None:
    """That is what they are for."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1", lock="acme/1")
        await ask(queue, "acme", "r2", lock="acme/2")
        await until(lambda: work.at_once == 2)


async def test_a_tenant_that_is_not_served_here_is_left_to_others(
    postgres_url: str, tmp_path: Path
) -> None:
    """A host without the secret must not take the job, nor hold it up."""
    here = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    there = FakeWork({"bexo": tenant(tmp_path, postgres_url, "bexo")})
    async with serving(worker(here, postgres_url), worker(there, postgres_url, "w2")) as queue:
        await ask(queue, "bexo", "r1")
        await outcome(queue, "bexo", "r1")
    assert here.began == []
    assert [name for name, _, _ in there.began] == ["bexo"]


async def test_a_tenant_that_comes_later_is_served(postgres_url: str, tmp_path: Path) -> None:
    """A file is added to the folder, and no worker is started anew."""
    work = FakeWork({})
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await anyio.sleep(0.3)
        assert work.began == []
        work.served = {"acme": tenant(tmp_path, postgres_url)}
        await outcome(queue, "acme", "r1")


async def test_a_drained_run_is_handed_on_at_once(postgres_url: str, tmp_path: Path) -> None:
    """A host that is updated costs the night a few seconds, and not a heartbeat."""
    served = {"acme": tenant(tmp_path, postgres_url)}
    first, second = FakeWork(served, waits=True), FakeWork(served)
    leaving, staying = worker(first, postgres_url, "w1"), worker(second, postgres_url, "w2")
    async with serving(leaving) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: first.at_once == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(staying.serve)
            leaving.drain()
            with anyio.fail_after(2.5):  # sooner than silence counts as death
                row = await outcome(queue, "acme", "r1")
            staying.drain()
    assert row["outcome"] == "done"
    assert [run for _, run, _ in second.began] == ["r1"]


async def test_a_second_signal_stops_at_once(postgres_url: str, tmp_path: Path) -> None:
    """What is on its way is left to the next execution, which settles it."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    leaving = worker(work, postgres_url)
    async with serving(leaving) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: work.at_once == 1)
        leaving.drain()
        leaving.drain()
    (row,) = do(postgres_url, "SELECT outcome, worker FROM fleet_runs")
    assert row == (None, None)


async def test_what_a_dead_worker_held_is_taken_up(postgres_url: str, tmp_path: Path) -> None:
    """It has no session any more, which is seen long before its silence is."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await ask(queue, "acme", "r1")
        (engine,) = do(postgres_url, "SELECT worker_id FROM procrastinate_register_worker_v1()")[0]
        job = await queue.app.job_manager.fetch_job(["acme"], int(str(engine)))
        assert job is not None
        assert await queue.begin("acme", RunId("r1"), "dead-worker") is not None
        await queue.do("here", worker="dead-worker", name="w0", host="host", serves=1)
    async with serving(worker(work, postgres_url)) as queue:
        with anyio.fail_after(2.5):
            await outcome(queue, "acme", "r1")
    assert "worker.takes_up" in work.said


async def test_a_silent_worker_loses_its_sessions_and_cannot_end_what_another_has(
    postgres_url: str, tmp_path: Path
) -> None:
    """It is only paused, and holds the run's lock; when it wakes it must find itself replaced."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    async with open_queue(Server.of(postgres_url), create=True, name="zombie") as zombie:
        await ask(zombie, "acme", "r1")
        (engine,) = do(postgres_url, "SELECT worker_id FROM procrastinate_register_worker_v1()")[0]
        assert await zombie.app.job_manager.fetch_job(["acme"], int(str(engine))) is not None
        slot = await zombie.begin("acme", RunId("r1"), "zombie")
        assert slot is not None
        await zombie.do("here", worker="zombie", name="w0", host="host", serves=1)
        with psycopg.connect(postgres_url, application_name="zombie", autocommit=True) as held:
            held.execute("SELECT pg_advisory_lock(1)")
            async with serving(worker(work, postgres_url)) as queue:
                row = await outcome(queue, "acme", "r1")
            with pytest.raises(psycopg.OperationalError):
                held.execute("SELECT 1")
        await zombie.end(slot, "person", 5, "woken")
        assert row["outcome"] == "done"
        (row,) = await zombie.all("run", tenant="acme", run="r1")
        assert (row["outcome"], row["why"]) == ("done", "")


async def test_a_worker_that_wakes_does_not_begin_what_it_goes_on_with(
    postgres_url: str, tmp_path: Path
) -> None:
    """Others have freed its run while it was silent, and it may get the new job itself."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: work.at_once == 1)
        assert await queue.let_go("acme", RunId("r1"), "k3push-w1")
        await queue.make_jobs()
        await anyio.sleep(1.0)
    # Told to end, it ends what it goes on with.
    assert (work.at_once, work.most_at_once) == (0, 1)
    assert "worker.lost" not in work.said


async def test_a_run_whose_asker_died_before_it_had_a_job_is_not_lost(
    postgres_url: str, tmp_path: Path
) -> None:
    """The ledger is written first, then the queue, and between the two the power fails."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, whole=True)
    async with serving(worker(work, postgres_url)) as queue:
        await queue.ask("acme", RunId("r1"), "acme", "", "")
        await anyio.sleep(0.3)
        assert work.began == []  # its list may still be being written
        await change(postgres_url, "UPDATE fleet_runs SET asked_at = now() - interval '1 minute'")
        await outcome(queue, "acme", "r1")


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("wrong", [LOST, SettingsError("acme.toml", []), KeyError("a defect")])
async def test_what_is_wrong_with_one_tenants_ledger_holds_up_no_other_tenant(
    postgres_url: str, tmp_path: Path, wrong: Exception, *, listed: bool
) -> None:
    """Its own database is away, or its secret is gone, and a dead worker has left a run of it."""
    served = {name: tenant(tmp_path, postgres_url, name) for name in ("acme", "bexo")}
    work = FakeWork(served, wrong={"acme": wrong})
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await queue.ask("acme", RunId("r1"), "acme", "", "")
        if listed:
            await queue.listed("acme", RunId("r1"), 3)
            assert await queue.begin("acme", RunId("r1"), "dead-worker") is not None
    for when in ("asked_at", "began_at"):
        ago = f"{when} = {when} - interval '1 minute'"
        await change(postgres_url, "UPDATE fleet_runs SET " + ago)  # noqa: S608
    async with serving(worker(work, postgres_url)) as queue:
        await queue.ask("bexo", RunId("r2"), "bexo", "", "")
        await queue.listed("bexo", RunId("r2"), 3)  # the leader gives it a job
        await outcome(queue, "bexo", "r2")
        (row,) = await queue.all("run", tenant="acme", run="r1")
    assert row["outcome"] is None


class Unread(FakeWork):
    """The folder of tenants brings up a defect, once they are served."""

    looks = 0

    async def tenants(self) -> Mapping[str, Tenant]:
        """Read the folder."""
        self.looks += 1
        if self.looks > 1:
            raise RuntimeError("a circle of links")
        return await FakeWork.tenants(self)


async def test_a_defect_that_a_file_brings_up_ends_no_worker(
    postgres_url: str, tmp_path: Path
) -> None:
    """Every worker of the fleet reads that file, and no run of any tenant went on."""
    work = Unread({"acme": tenant(tmp_path, postgres_url)})
    async with serving(worker(work, postgres_url)) as queue:
        await until(lambda: work.looks > 2)
        await ask(queue, "acme", "r1")
        await outcome(queue, "acme", "r1")
    assert work.said.count("worker.unread") == 1


class Hanging(FakeWork):
    """Ledgers of some tenants neither answer nor refuse."""

    hanging = ("acme", "bexo")

    async def end_sessions(self, tenant: Tenant, worker: str) -> None:
        """End what a dead worker holds, where that can be done at all."""
        if tenant.name in self.hanging:
            await anyio.sleep_forever()
        await FakeWork.end_sessions(self, tenant, worker)


async def test_ledgers_that_do_not_answer_leave_time_for_others(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead worker has left runs of each; those that hang take longer than a look may take."""
    monkeypatch.setattr("k3push.fleet.left_behind.TENANT_PATIENCE_S", 0.3)
    monkeypatch.setattr("k3push.fleet.worker.TICK_PATIENCE_S", 0.5)
    names = (*Hanging.hanging, "cody")
    work = Hanging({name: tenant(tmp_path, postgres_url, name) for name in names})
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        for name in names:
            await queue.ask(name, RunId(name), name, "", "")
            await queue.listed(name, RunId(name), 3)
            assert await queue.begin(name, RunId(name), "dead-worker") is not None
    await change(postgres_url, "UPDATE fleet_runs SET began_at = began_at - interval '1 minute'")
    async with serving(worker(work, postgres_url)) as queue:
        await outcome(queue, "cody", "cody")


@pytest.mark.parametrize(("whole", "comes_to"), [(None, None), (False, "dropped")])
async def test_half_a_list_is_never_executed(
    postgres_url: str,
    tmp_path: Path,
    *,
    whole: bool | None,
    comes_to: str | None,
) -> None:
    """Its other half would be lost; while its asker lives it is waited for."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, whole=whole)
    async with serving(worker(work, postgres_url)) as queue:
        await queue.ask("acme", RunId("r1"), "acme", "", "")
        await change(postgres_url, "UPDATE fleet_runs SET asked_at = now() - interval '1 hour'")
        if comes_to:
            await outcome(queue, "acme", "r1")
        else:
            await anyio.sleep(0.5)
        (row,) = await queue.all("run", tenant="acme", run="r1")
    assert row["outcome"] == comes_to
    assert work.began == []


async def test_an_erp_that_is_away_is_tried_later(postgres_url: str, tmp_path: Path) -> None:
    """The wait is in the database, so it outlives the worker."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    work.endings = [ended(Exit.UNREACHABLE, Cause.UNREACHABLE)]
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: "worker.later" in work.said)
        await anyio.sleep(0.3)
        assert len(work.began) == 1
        ((left, waits, code),) = do(
            postgres_url,
            "SELECT extract(epoch FROM not_before - now())::int, waits, exit FROM fleet_runs",
        )
        assert 50 <= int(str(left)) <= 60
        assert (waits, code) == (1, 6)
        await change(postgres_url, "UPDATE fleet_runs SET not_before = now()")
        await outcome(queue, "acme", "r1")


async def test_a_refused_login_holds_all_runs_of_its_tenant(
    postgres_url: str, tmp_path: Path
) -> None:
    """Each would try once, and the fifth locks the account (P 2.4)."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    work.endings = [ended(Exit.UNREACHABLE, Cause.LOGIN_REFUSED)]
    async with serving(worker(work, postgres_url)) as queue:
        for run in ("r1", "r2", "r3"):
            await ask(queue, "acme", run)
        assert (await outcome(queue, "acme", "r1"))["outcome"] == "person"
        await anyio.sleep(0.4)
        assert [run for _, run, _ in work.began] == ["r1"]
        await queue.go_on("acme")
        await outcome(queue, "acme", "r3")
        await outcome(queue, "acme", "r2")
    assert sorted(run for _, run, _ in work.began) == ["r1", "r2", "r3"]


async def test_a_session_that_another_program_takes_is_no_refused_login(
    postgres_url: str, tmp_path: Path
) -> None:
    """It may be done soon; a person is asked only after some tries."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    lost = {Cause.LOGIN_REFUSED: remark("answer.session_useless")}
    work.endings = [replace(ended(Exit.UNREACHABLE, Cause.LOGIN_REFUSED), causes=lost)]
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: "worker.later" in work.said)
        await change(postgres_url, "UPDATE fleet_runs SET not_before = now()")
        assert (await outcome(queue, "acme", "r1"))["outcome"] == "done"
    last = replace(ended(Exit.UNREACHABLE, Cause.LOGIN_REFUSED), causes=lost)
    assert next_of(last, waits=MOST_WAITS_FOR_SESSIONS) == ForPerson(holds_tenant=True)


@pytest.mark.parametrize("error", [LOST, RunIsAliveError("by a person"), NotHereError("no secret")])
async def test_what_is_no_fault_of_the_run_is_tried_again(
    postgres_url: str, tmp_path: Path, error: Exception
) -> None:
    """The ledger is away, a person executes it, the secret is not here any more."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, endings=[error])
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: "worker.later" in work.said)
        await change(postgres_url, "UPDATE fleet_runs SET not_before = now()")
        await outcome(queue, "acme", "r1")
    assert len(work.began) == 2


@pytest.mark.parametrize(
    "ending", [LOST, CannotBeginError("no route"), ended(Exit.UNREACHABLE, Cause.UNREACHABLE)]
)
async def test_what_others_have_ended_is_not_told_as_if_it_were_tried_again(
    postgres_url: str, tmp_path: Path, ending: Ending | Exception
) -> None:
    """The worker was silent for a while, and whoever took the run over was quicker with it."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True, endings=[ending])
    one = worker(work, postgres_url)
    async with serving(one) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: bool(work.began))
        await change(postgres_url, "UPDATE fleet_runs SET outcome = 'done', worker = NULL")
        one.drain()
        await until(lambda: "worker.elsewhere" in work.said)
    assert {"worker.later", "worker.cannot"}.isdisjoint(work.said)


async def test_what_is_in_doubt_is_settled_after_a_halt(postgres_url: str, tmp_path: Path) -> None:
    """A person decides whether more is sent, and the doubts need not wait for that."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    work.endings = [ended(Exit.SOME_UNKNOWN, Cause.HALTED), ended(Exit.STOPPED)]
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        assert (await outcome(queue, "acme", "r1"))["outcome"] == "person"
    assert [order.only_settle for _, _, order in work.began] == [False, True]


@pytest.mark.parametrize("how", ["waits", "ends", "put off"])
async def test_what_only_waits_to_be_settled_is_resumed_where_somebody_asks_for_it(
    postgres_url: str, how: str
) -> None:
    """A server had asked for it, and was told that it had been done."""
    run, settles = RunId("r1"), Later(3600.0, vain=True, only_settle=True)
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await ask(queue, "acme", "r1")
        slot = await queue.begin("acme", run, "w1")
        assert slot is not None
        await queue.put_off(slot, settles, 4, "")
        if how != "waits":
            await change(postgres_url, "UPDATE fleet_runs SET not_before = now()")
            slot = await queue.begin("acme", run, "w1")
            assert slot is not None
            assert slot.only_settle
        await queue.hand_over("acme", run, "acme", "resume", 3)
        if how == "ends":
            assert await queue.end(slot, "done", 5, "")
        elif how == "put off":
            assert await queue.put_off(slot, settles, 4, "")
        assert await queue.is_open("acme", run)
        again = await queue.begin("acme", run, "w1")
        assert again is not None
        assert not again.only_settle
        assert await queue.end(again, "done", 0, "")
        assert not await queue.is_open("acme", run)


@pytest.mark.parametrize("how", ["ends", "put off"])
async def test_what_is_asked_for_as_people_are_told_of_the_last_end_is_executed(
    postgres_url: str, how: str
) -> None:
    """The run has ended in the ledger, and its worker waits for a messenger that is slow."""
    run = RunId("r1")
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await ask(queue, "acme", "r1")
        slot = await queue.begin("acme", run, "w1")
        assert slot is not None
        await queue.hand_over("acme", run, "acme", "retry", 3)
        if how == "ends":
            assert await queue.end(slot, "done", 3, "")
        else:
            later = Later(3600.0, vain=True, only_settle=True)
            assert await queue.put_off(slot, later, 4, "")
        again = await queue.begin("acme", run, "w1")
        assert again is not None
        assert (again.only_settle, again.waits) == (False, 0)
        assert await queue.end(again, "done", 0, "")
        assert not await queue.is_open("acme", run)


async def test_a_paused_tenant_waits_for_its_word(postgres_url: str, tmp_path: Path) -> None:
    """Other tenants go on."""
    served = {name: tenant(tmp_path, postgres_url, name) for name in ("acme", "bexo")}
    work = FakeWork(served)
    async with serving(worker(work, postgres_url)) as queue:
        await queue.pause("acme")
        await ask(queue, "acme", "r1")
        await ask(queue, "bexo", "r2")
        await outcome(queue, "bexo", "r2")
        await anyio.sleep(0.3)
        assert [name for name, _, _ in work.began] == ["bexo"]
        await queue.go_on("acme")
        await outcome(queue, "acme", "r1")


async def test_a_cancelled_run_is_stopped_and_a_queued_one_never_begins(
    postgres_url: str, tmp_path: Path
) -> None:
    """Until a person queues them again."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await ask(queue, "acme", "r2")
        await until(lambda: work.at_once == 1)
        assert sorted(await queue.cancel("acme")) == ["r1", "r2"]
        await until(lambda: work.at_once == 0)
        await anyio.sleep(0.3)
        assert [run for _, run, _ in work.began] == ["r1"]
        work.waits = False
        await queue.retry("acme")
        await outcome(queue, "acme", "r1")
        await outcome(queue, "acme", "r2")


@pytest.mark.parametrize("cancels", [False, True])
async def test_what_an_execution_has_left_in_doubt_is_told(
    postgres_url: str, tmp_path: Path, *, cancels: bool
) -> None:
    """Also where it was cancelled meanwhile: nobody settles its doubts, and nobody knew of them."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=cancels)
    doubts = {State.UNKNOWN: 8, State.SENT: 1, State.PUSHED: 5}
    stop = Cause.CONTROL if cancels else Cause.PERSON
    work.endings = [replace(ended(Exit.SOME_UNKNOWN, stop), counts=doubts), ended(Exit.STOPPED)]
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        if cancels:
            await until(lambda: work.at_once == 1)
            await queue.cancel("acme")
        noted = "SELECT in_doubt FROM fleet_runs"
        await until(lambda: do(postgres_url, noted) == [(9,)])
        (row,) = (await standing(queue, ["acme"]))["tenants"]
        assert row["in_doubt"] == {"r1": 9} or not cancels
        if not cancels:  # it is settled
            await until(lambda: do(postgres_url, noted) == [(0,)])


async def test_outside_its_window_a_run_takes_nobodys_place(
    postgres_url: str, tmp_path: Path
) -> None:
    """It would hold a worker for a day; it begins when the window does."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    ((hour,),) = do(
        postgres_url, "SELECT extract(hour FROM now() AT TIME ZONE 'Asia/Shanghai')::int"
    )
    begins = (int(str(hour)) + 2) % 24
    window = f"{begins:02}:00-{(begins + 3) % 24:02}:00"
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1", window=window)
        held = "SELECT 1 FROM fleet_runs WHERE why LIKE 'fleet.outside_window%'"
        await until(lambda: bool(do(postgres_url, held)))
        ((left,),) = do(
            postgres_url, "SELECT extract(epoch FROM not_before - now())::int FROM fleet_runs"
        )
        assert 3600 <= int(str(left)) <= 7200
        assert work.began == []


async def test_a_run_is_given_its_schedules_window(postgres_url: str, tmp_path: Path) -> None:
    """It ends when the window does, by the clock of the schedule's zone."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1", window="00:00-24:00".replace("24:00", "23:59"))
        await outcome(queue, "acme", "r1")
    order = work.began[0][2]
    assert order.zone == ZoneInfo("Asia/Shanghai")
    assert order.window is not None
    assert order.seconds is not None
    assert 0 < order.seconds < 86400


async def test_a_due_schedule_is_looked_after_by_one_worker(
    postgres_url: str, tmp_path: Path
) -> None:
    """Each sees that it is due, by the database's clock."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url, more=SCHEDULE)})
    pair = [worker(work, postgres_url, name) for name in ("w1", "w2")]
    async with serving(*pair):
        await until(lambda: bool(do(postgres_url, "SELECT 1 FROM fleet_schedules")))
        await anyio.sleep(0.3)
        assert work.looked == []  # it has not been due since it is known
        await change(postgres_url, "UPDATE fleet_schedules SET due_at = now() - interval '3 days'")
        await until(lambda: bool(work.looked))
        await anyio.sleep(0.4)
    assert work.looked == [("acme", "nightly")]
    ((due, wanted),) = do(postgres_url, "SELECT due_at > now(), wanted FROM fleet_schedules")
    assert (due, wanted) == (True, False)


async def test_a_schedule_whose_looker_died_is_looked_after_by_another(
    postgres_url: str, tmp_path: Path
) -> None:
    """The night's list must not be lost with a host."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url, more=SCHEDULE)})
    async with serving(worker(work, postgres_url)):
        await until(lambda: bool(do(postgres_url, "SELECT 1 FROM fleet_schedules")))
        await change(postgres_url, "UPDATE fleet_schedules SET wanted = true")
        await until(lambda: bool(work.looked))


async def test_a_schedule_that_is_changed_is_due_by_its_new_times(
    postgres_url: str, tmp_path: Path
) -> None:
    """And one that is taken out of the file is due no more."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url, more=SCHEDULE)})
    due = "SELECT extract(hour FROM due_at AT TIME ZONE 'Asia/Shanghai')::int FROM fleet_schedules"
    async with serving(worker(work, postgres_url)):
        await until(lambda: do(postgres_url, due) == [(20,)])
        later = SCHEDULE.replace("0 20", "0 21")
        work.served = {"acme": tenant(tmp_path, postgres_url, more=later)}
        await until(lambda: do(postgres_url, due) == [(21,)])
        work.served = {"acme": tenant(tmp_path, postgres_url)}
        await until(lambda: do(postgres_url, due) == [])


async def test_the_database_holds_no_secret(postgres_url: str, tmp_path: Path) -> None:
    """Whoever can read the queue learns names and run ids."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: work.at_once == 1)
        ((arguments,),) = do(postgres_url, "SELECT args FROM procrastinate_jobs")
    assert arguments == {"tenant": "acme", "run": "r1"}


async def test_a_worker_says_who_it_is(postgres_url: str, tmp_path: Path) -> None:
    """A person at night looks for the host that is gone."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: work.at_once == 1)
        rows = await queue.all("workers")
        (row,) = (replaced for replaced in rows if replaced["busy"])
        assert (row["name"], row["host"], row["serves"]) == ("w1", "host", 1)
    assert do(postgres_url, "SELECT 1 FROM fleet_workers") == []


async def test_a_server_that_restarts_ends_neither_runs_nor_workers(
    postgres_url: str, tmp_path: Path
) -> None:
    """All sessions are gone at once, and come back."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)}, waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "acme", "r1")
        await until(lambda: work.at_once == 1)
        query = (
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        await change(postgres_url, query)
        await ask(queue, "acme", "r2")
        await anyio.sleep(0.5)
        assert work.at_once == 1
        work.waits = False
        await queue.cancel("acme")
        await until(lambda: work.at_once == 0)


async def test_what_ends_the_engine_is_told(postgres_url: str, tmp_path: Path) -> None:
    """The engine's own words for it are "Database error", and no more."""
    work = FakeWork({"acme": tenant(tmp_path, postgres_url)})
    async with open_queue(Server.of(postgres_url), create=True):
        pass
    await change(postgres_url, "ALTER TABLE procrastinate_workers RENAME TO away")
    async with serving(worker(work, postgres_url)):
        await until(lambda: "worker.lost" in work.said)
    assert {"procrastinate_workers" in why for why in work.whys} == {True}


async def test_a_database_that_is_away_for_long_fills_no_log(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same is told once in a minute, however often it is tried."""
    tries, work = [0], FakeWork({"acme": tenant(tmp_path, postgres_url)})

    async def run(_: Engine) -> None:
        tries[0] += 1
        raise OSError("no route" if tries[0] != 3 else "no space")

    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr("k3push.fleet.worker.DATABASE_WAIT_S", 0.01)
    async with serving(worker(work, postgres_url)):
        await until(lambda: tries[0] >= 6)
        assert [("no route" in why, "no space" in why) for why in work.whys] == [
            (True, False),
            (False, True),
        ]
        monkeypatch.setattr("k3push.fleet.worker.TOLD_AGAIN_S", 0.0)
        await until(lambda: len(work.whys) >= 4)


async def test_a_request_queues_its_runs_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a queue that an older version has made, and where somebody has cancelled the run."""
    server, run = Server.of(postgres_url), RunId("r1")
    monkeypatch.setattr("k3push.fleet.queue_opening.VERSION", 1)
    async with open_queue(server, create=True) as queue:
        do(
            postgres_url,
            "INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone)"
            " VALUES ('acme', 'r1', 'acme', '', '')",
        )
        await queue.cancel("acme")
    monkeypatch.undo()
    async with open_queue(server, create=True) as queue:
        await queue.hand_over("acme", run, "acme", "one", 3)
        assert await queue.is_open("acme", run)
        await queue.cancel("acme")
        await queue.hand_over("acme", run, "acme", "one", 3)
        assert not await queue.is_open("acme", run)
        await queue.hand_over("acme", run, "acme", "two", 3)
        assert await queue.is_open("acme", run)


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a{b}", "NULL", "a b", "back\\slash", "it's"])
async def test_tenants_of_any_name_are_served(postgres_url: str, tmp_path: Path, name: str) -> None:
    """They go to PostgreSQL as one text, in which commas, quotes and braces mean something."""
    work = FakeWork({name: tenant(tmp_path, postgres_url, more=SCHEDULE)})
    work.served = {name: Tenant(name, work.served[name].settings)}
    async with serving(worker(work, postgres_url)) as queue:
        await until(lambda: do(postgres_url, "SELECT tenant FROM fleet_schedules") == [(name,)])
        await change(postgres_url, "UPDATE fleet_schedules SET due_at = now()")
        await until(lambda: work.looked == [(name, "nightly")])
        await ask(queue, name, "r1")
        assert (await outcome(queue, name, "r1"))["outcome"] == "done"
