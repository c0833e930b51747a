"""What receivers are told of programs' pushes: signed, again until taken, and over a restart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.adapters.webhook_post import Refused, post
from k3push.ports import LedgerLostError, Memo
from k3push.runs.kept_in_ledger.request_stages import Stage
from k3push.runs.push_requests.program_events import (
    KEPT_FOR,
    LONGEST_PAUSE_S,
    announce,
    drop_for_others,
    not_taken,
    receiver_id,
    waiting,
)
from k3push.simulator import build
from k3push.simulator.fault_plans.script import Channel
from k3push.web.execution.request_work import Workshop
from k3push.wiring.webhook_receivers import Receivers
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import VirtualClock, orders, sandbox, steps
from tests.web.programs import JSON, played, program, until_over
from tests.web.shop import Shop, signed_in
from tests.web.visits import PATIENCE_S, House, house, in_time, seal_of, sent_in

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 characters").decode()
HERE, THERE = "https://wms.example/hook?t=1", "https://bi.example/hook"


@dataclass
class Receiver:
    """Takes events, but for the first so many, and sees that each is signed."""

    refuse: Sequence[Refused] = ()
    taken: list[tuple[str, JSON]] = field(default_factory=list)
    tries: list[tuple[str, str, float]] = field(default_factory=list)

    async def post(self, address: str, headers: Mapping[str, str], body: bytes) -> Refused | None:
        """Take an event, or not."""
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mac}"
        told = json.loads(body)
        assert told["id"] == headers["webhook-id"]
        self.tries.append((address, told["id"], anyio.current_time()))
        if len(self.tries) <= len(self.refuse):
            return self.refuse[len(self.tries) - 1]
        self.taken.append((address, told))
        return None

    def types(self, address: str = HERE) -> list[str]:
        """Name what a receiver was told of."""
        return [told["type"] for to, told in self.taken if to == address]

    async def until(self, count: int) -> None:
        """Wait until so many events were taken."""
        with anyio.fail_after(48 * 3600):
            while len(self.taken) < count:  # noqa: ASYNC110  # the clock jumps from look to look
                await anyio.sleep(1)


def shop_with(folder: Path, receiver: Receiver, *addresses: str, **more: object) -> Shop:
    """Return a shop whose settings name receivers."""
    named = {receiver_id(each): each for each in addresses or (HERE,)}
    return Shop(folder, receivers=Receivers(named, SECRET), send=receiver.post, **more)  # type: ignore[arg-type]


async def push(wms: httpx.AsyncClient, key: str, *numbers: str) -> JSON:
    """Push bills, and return how that ended."""
    made = await wms.post("/pushes", json={"key": key, "numbers": list(numbers)})
    return await until_over(wms, made.json()["id"])


def test_receivers_change_with_the_settings(tmp_path: Path) -> None:
    """An address that is gone from them is told nothing more, until the server started anew."""
    receiver = Receiver([Refused("away", down=True)])

    async def visit() -> None:
        shop = shop_with(tmp_path, receiver)
        tenant = shop.tenant()
        assert tenant.workshop is not None
        async with (
            house(tenant, clock=VirtualClock()) as home,
            program(home, await shop.token()) as wms,
        ):
            tenant.workshop.take(tenant.workshop.settings, shop.receivers)
            await push(wms, "1", "CGDD0000000")
            with anyio.fail_after(PATIENCE_S):
                while not receiver.tries:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            there = Receivers({receiver_id(THERE): THERE}, SECRET)
            tenant.workshop.take(tenant.workshop.settings, there)
            await push(wms, "2", "CGDD0000001")
            await receiver.until(1)
            await anyio.sleep(600)
            tenant.workshop.take(tenant.workshop.settings, Receivers({}, ""))
            await push(wms, "3", "CGDD0000002")
            home.ready.close()
            await home.ready.drained()
        assert [(to, told["data"]["key"]) for to, told in receiver.taken] == [(THERE, "2")]

    in_time(visit)


@pytest.mark.parametrize("ahead", [timedelta(days=20_000), timedelta(minutes=10)])
def test_a_clock_that_was_ahead_once_holds_no_event_back(tmp_path: Path, ahead: timedelta) -> None:
    """The next try was written down for years to come, or for later than any pause after one."""
    receiver = Receiver([Refused("away", down=False)])

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        await push(wms, "e-1", *orders(1))
        with anyio.fail_after(PATIENCE_S):
            while not receiver.tries:  # noqa: ASYNC110
                await anyio.sleep(0.1)
        await anyio.sleep(0.1)
        (waits,) = await waiting(shop.ledger, receiver_id(HERE))
        await not_taken(shop.ledger, waits, VirtualClock().now() + ahead)
        with anyio.fail_after(120):
            await receiver.until(1)

    played(act, tmp_path, shop_with(tmp_path, receiver))


def test_each_receiver_is_told_once_of_what_happened(tmp_path: Path) -> None:
    """The end of a push, and that it needs a person; nothing of what a person has pushed."""
    receiver = Receiver()

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        told = await push(wms, "e-1", *orders(2))
        await push(wms, "e-2", "CGDD9999999")
        await receiver.until(6)
        for address in (HERE, THERE):
            assert receiver.types(address) == ["push.ended", "push.ended", "push.needs_person"]
        first = receiver.taken[0][1]["data"]
        assert (first["push"], first["key"], first["program"]) == (told["id"], "e-1", "wms")
        assert (first["counts"], first["exit"], first["run"]) == ({"pushed": 2}, 0, told["run"])
        for address in (HERE, THERE):
            assert await waiting(shop.ledger, receiver_id(address)) == []

    played(act, tmp_path, shop_with(tmp_path, receiver, HERE, THERE))


def test_what_is_not_taken_is_sent_again_after_growing_pauses(tmp_path: Path) -> None:
    """Under one id, so that a receiver that had it after all drops it."""
    receiver = Receiver(refuse=[Refused("timeout", down=True)] * 5)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        await push(wms, "e-1", *orders(1))
        await receiver.until(1)
        times = [at for _, _, at in receiver.tries]
        pauses = [after - before for before, after in pairwise(times)]
        assert pauses == pytest.approx([5, 10, 20, 40, 80], abs=1)
        assert len({id_ for _, id_, _ in receiver.tries}) == 1

    played(act, tmp_path, shop_with(tmp_path, receiver))


def test_an_event_that_a_receiver_will_not_have_holds_up_no_other(tmp_path: Path) -> None:
    """It waits by itself; a receiver that is down is left in peace instead."""
    receiver = Receiver(refuse=[Refused("HTTP 400", down=False)])

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        await push(wms, "e-1", "CGDD9999999")
        await receiver.until(1)
        assert receiver.tries[0][1] != receiver.taken[0][1]["id"]
        assert receiver.tries[1][2] - receiver.tries[0][2] < 1
        await receiver.until(2)

    played(act, tmp_path, shop_with(tmp_path, receiver))


class Breaking(Receiver):
    """Breaks down each time at the first event that it was sent."""

    async def post(self, address: str, headers: Mapping[str, str], body: bytes) -> Refused | None:
        """Take an event, unless it is that one."""
        told = headers["webhook-id"]
        if told == (self.tries[0][1] if self.tries else told):
            self.tries.append((address, told, anyio.current_time()))
            return Refused("HTTP 500", down=True)
        return await super().post(address, headers, body)


def test_an_event_at_which_a_receiver_breaks_holds_up_no_other(tmp_path: Path) -> None:
    """The others follow at once, and that one is sent again ever more seldom."""
    receiver = Breaking()

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        for nth, number in enumerate(orders(3)):
            await push(wms, f"e-{nth}", number)
        with anyio.fail_after(3):
            while len(receiver.taken) < 2:  # noqa: ASYNC110  # the clock jumps from look to look
                await anyio.sleep(1)
        await anyio.sleep(3600)
        broken = receiver.tries[0][1]
        assert 5 < sum(id_ == broken for _, id_, _ in receiver.tries) < 12
        await push(wms, "e-4", "CGDD0000009")
        with anyio.fail_after(60):
            await receiver.until(3)

    played(act, tmp_path, shop_with(tmp_path, receiver))


@pytest.mark.parametrize(
    ("status", "down"), [(400, False), (410, False), (500, False), (429, True), (503, True)]
)
def test_an_answer_that_is_about_one_event_says_nothing_of_the_others(
    status: int, *, down: bool
) -> None:
    """A program that breaks at one event answers 500."""

    async def ask() -> Refused | None:
        async def answer(stream: SocketStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # of a socket
            refused = await post(f"http://127.0.0.1:{port}/", {}, b"{}")
            tasks.cancel_scope.cancel()
        return refused

    assert anyio.run(ask) == Refused(f"HTTP {status}", down=down)


def test_a_receiver_that_is_down_is_asked_ever_more_seldom(tmp_path: Path) -> None:
    """Also where many events wait: each try is another's, and the pauses are the receiver's."""
    receiver = Receiver(refuse=[Refused("HTTP 503", down=True)] * 5)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        for nth, number in enumerate(orders(9)):
            await push(wms, f"e-{nth}", number)
        await receiver.until(9)
        times = [at for _, _, at in receiver.tries[:6]]
        pauses = [after - before for before, after in pairwise(times)]
        # Which event is tried when depends on when each is there.
        assert sum(pauses) > 15, pauses

    played(act, tmp_path, shop_with(tmp_path, receiver))


def test_a_restart_tells_what_the_last_server_could_not(tmp_path: Path) -> None:
    """The event is in the ledger, and the pause goes on where it was."""
    down = Receiver(refuse=[Refused("ConnectError", down=True)] * 1000)
    up = Receiver()

    async def visit() -> None:
        shop = shop_with(tmp_path, down)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            await push(wms, "e-1", *orders(1))
            await anyio.sleep(3 * LONGEST_PAUSE_S)
        (left,) = await waiting(shop.ledger, receiver_id(HERE))
        assert left.tries > 8
        shop.send = up.post
        async with shop.open():
            await up.until(1)
        assert (up.types(), up.taken[0][1]["id"]) == (["push.ended"], left.event)
        assert await waiting(shop.ledger, receiver_id(HERE)) == []

    in_time(visit)


def test_a_kill_before_the_end_is_written_tells_it_once(tmp_path: Path) -> None:
    """Another server ends the push, and comes to the same event."""
    receiver = Receiver()

    async def visit() -> None:
        shop = shop_with(tmp_path, receiver)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            await wms.post("/pushes", json={"key": "e", "numbers": orders(3)})
            with anyio.fail_after(PATIENCE_S):
                while not (await waiting(shop.ledger, receiver_id(HERE)) or receiver.tries):
                    await anyio.lowlevel.checkpoint()
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        async with shop.open() as home, program(home, token) as wms:
            await push(wms, "e", *orders(3))
            await receiver.until(1)
        assert len({told["id"] for _, told in receiver.taken}) == 1
        assert {shop.documents(number) for number in orders(3)} == {1}

    in_time(visit)


def test_a_kill_right_after_the_end_was_written_loses_no_event(tmp_path: Path) -> None:
    """Nobody looks after a push that has ended, so its event has to be in the ledger by then."""
    receiver = Receiver()

    async def visit() -> None:
        shop = shop_with(tmp_path, receiver)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            await wms.post("/pushes", json={"key": "e", "numbers": orders(3)})
            with anyio.fail_after(PATIENCE_S):
                while (await shop.asked()).is_open:
                    await anyio.lowlevel.checkpoint()
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        async with shop.open():
            await receiver.until(1)
        assert set(receiver.types()) == {"push.ended"}

    in_time(visit)


class AwayAtTheEnd(MemoryLedger):
    """Is away for a moment as a push is about to be over, which is tried again."""

    was_away = False

    async def revise(self, memo: Memo) -> bool:
        """Change a memo."""
        if memo.value.get("stage") == Stage.ENDED and not self.was_away:
            self.was_away = True
            raise LedgerLostError("away")
        return await super().revise(memo)


def test_an_end_that_was_told_and_is_another_by_now_is_told_as_well(tmp_path: Path) -> None:
    """The server was lost between the event and its end, and the next one has gone on with it."""
    receiver = Receiver()
    site = build(sandbox(steps(*["refuse-connection"] * 50, on=Channel.LOGIN)))
    ledger = AwayAtTheEnd(account="sandbox")

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        await wms.post("/pushes", json={"key": "e", "numbers": orders(1)})
        await receiver.until(2)
        site.faults = build(sandbox()).faults
        await receiver.until(3)
        exits = [(told["type"], told["data"]["exit"]) for _, told in receiver.taken]
        assert exits == [("push.ended", 6), ("push.needs_person", 6), ("push.ended", 0)]

    played(act, tmp_path, shop_with(tmp_path, receiver, site=site, ledger=ledger))


def test_doubts_are_told_of(tmp_path: Path) -> None:
    """Whoever relies on a push has to know that the ERP may have acted or not."""
    receiver = Receiver()
    plan = steps("make-then-reset")

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        told = await push(wms, "e-1", orders(1)[0])
        await receiver.until(1 if told["exit"] == 0 else 2)
        expected = {0: ["push.ended"], 4: ["push.ended", "push.doubts"]}[told["exit"]]
        assert receiver.types() == expected

    more = 'source_number_field = ""\n'
    played(act, tmp_path, shop_with(tmp_path, receiver, more=more, site=build(sandbox(plan))))


@pytest.mark.parametrize("by_word", [False, True])
def test_a_doubt_that_another_push_or_a_person_has_settled_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_word: bool
) -> None:
    """Whoever was told of the doubt waits to hear what became of it."""
    # Virtual time runs away while threads write, and no session is to end meanwhile.
    monkeypatch.setattr("k3push.web.admission.sessions.IDLE_S", 1e12)
    receiver = Receiver()

    async def act(_: Shop, home: House, wms: httpx.AsyncClient) -> None:
        first, bill = {"key": "e-1", "numbers": orders(1)}, orders(1)[0]
        id_ = (await wms.post("/pushes", json=first)).json()["id"]
        with anyio.fail_after(PATIENCE_S):
            while (await wms.get(f"/pushes/{id_}")).json()["counts"] != {"unknown": 1}:  # noqa: ASYNC110
                await anyio.sleep(0.1)
        await wms.post(f"/pushes/{id_}/commands", json={"command": "stop"})
        assert (await until_over(wms, id_))["exit"] == 4
        if by_word:
            async with signed_in(home, "li") as li:
                page = await li.get(f"/numbers/{bill}")
                form = {"seal": seal_of(page), "number": bill, **sent_in(page)}
                word = {"word": "pushed", "because": "seen", "sure": "yes"}
                assert (await li.post("/settle", data={**form, **word})).status_code == 303
        else:
            assert (await push(wms, "e-2", bill))["counts"] == {"already": 1}
        told = (await wms.get(f"/pushes/{id_}")).json()
        assert (told["exit"], told["counts"]) == (0, {"pushed": 1})
        await receiver.until(3 if by_word else 4)
        told_of = [(told["data"]["key"], told["data"]["exit"]) for _, told in receiver.taken]
        more = [] if by_word else [("e-2", 0)]
        assert sorted(told_of) == [("e-1", 0), ("e-1", 4), ("e-1", 4), *more]

    site = build(sandbox(steps("commit-late-then-reset:3")))
    played(act, tmp_path, shop_with(tmp_path, receiver, site=site))


def test_a_plan_that_waits_for_approval_is_told_of(tmp_path: Path) -> None:
    """Somebody has to look at it."""
    receiver = Receiver()

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = await wms.post("/plans", json={"key": "p", "numbers": orders(1)})
        await receiver.until(2)
        assert receiver.types() == ["plan.ready", "push.needs_person"]
        await wms.post(f"/plans/{made.json()['id']}/approve")
        await receiver.until(3)
        assert receiver.types()[2:] == ["push.ended"]

    played(act, tmp_path, shop_with(tmp_path, receiver))


def test_of_a_plan_that_was_withdrawn_elsewhere_nobody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two servers that look ahead for it, one alone hears of that."""
    receiver = Receiver()
    monkeypatch.setattr(Workshop, "give_up", lambda *_: None)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = await wms.post("/plans", json={"key": "p", "numbers": orders(1)})
        assert (await wms.post(f"/plans/{made.json()['id']}/withdraw")).status_code == 200
        await anyio.sleep(60)
        await push(wms, "1", *orders(1))
        await receiver.until(1)
        assert receiver.types() == ["push.ended"]

    played(act, tmp_path, shop_with(tmp_path, receiver))


def test_a_plan_by_which_nothing_would_be_pushed_waits_for_nobody(tmp_path: Path) -> None:
    """There is nothing to approve, as its page says too."""
    receiver = Receiver()

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = await wms.post("/plans", json={"key": "p", "numbers": ["CGDD9999999"]})
        await receiver.until(1)
        assert receiver.types() == ["plan.ready"]
        told = (await wms.get(f"/pushes/{made.json()['id']}")).json()
        assert (told["state"], told["needs_person"]) == ("planned", False)

    played(act, tmp_path, shop_with(tmp_path, receiver))


def test_a_plan_that_could_not_be_made_since_the_erp_is_away_is_told_of(tmp_path: Path) -> None:
    """Its program waits for a plan that never comes."""
    receiver = Receiver()
    site = build(sandbox(steps(*["refuse-connection"] * 50, on=Channel.LOGIN)))

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        await wms.post("/plans", json={"key": "p", "numbers": orders(1)})
        await receiver.until(2)
        assert receiver.types() == ["push.failed", "push.needs_person"]
        assert "cannot be reached" in receiver.taken[0][1]["data"]["why"]

    played(act, tmp_path, shop_with(tmp_path, receiver, site=site))


@pytest.mark.parametrize("new", [{receiver_id(THERE): THERE}, {}], ids=["another", "none"])
def test_what_waits_for_a_receiver_that_is_gone_is_dropped(
    tmp_path: Path, new: dict[str, str]
) -> None:
    """Its address may hold a secret that was changed; the new one is another receiver.

    A server without receivers waits for a day, since another of the ledger may have them.
    """
    down = Receiver(refuse=[Refused("ConnectError", down=True)] * 1000)

    async def visit() -> None:
        shop = shop_with(tmp_path, down)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            await push(wms, "e-1", *orders(1))
        assert await waiting(shop.ledger, receiver_id(HERE))
        shop.receivers = Receivers(new, SECRET)
        async with shop.open():
            await anyio.sleep(1)
            assert bool(new) is not bool(await waiting(shop.ledger, receiver_id(HERE)))
            await anyio.sleep(2 * KEPT_FOR.total_seconds())
        assert await waiting(shop.ledger, receiver_id(HERE)) == []
        (told,) = [facts for event, facts in shop.logged if event == "webhooks.dropped"]
        assert told["count"] == 1
        assert HERE not in str(await shop.ledger.memos("webhook"))

    in_time(visit)


def test_what_waits_for_receivers_of_another_tenant_of_the_account_is_left_to_it(
    tmp_path: Path,
) -> None:
    """They share the ledger; what one could not tell yet was dropped as the other began."""
    down, other = Receiver(refuse=[Refused("ConnectError", down=True)] * 1000), Receiver()

    async def visit() -> None:
        shop = shop_with(tmp_path, down)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            await push(wms, "e-1", *orders(1))
        for each in (HERE, THERE):  # also where it has the same receiver, and another secret
            ours = {"ledger": shop.ledger, "beside": ["config", "other"], "file": "other.toml"}
            async with shop_with(tmp_path, other, each, **ours).open():
                await anyio.sleep(3600)
        assert other.taken == []
        assert await waiting(shop.ledger, receiver_id(HERE))

    in_time(visit)


def test_what_waits_for_a_receiver_that_is_gone_is_dropped_behind_that_of_other_tenants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ledger gives the newest first, and no more than so many at once."""
    monkeypatch.setattr("k3push.runs.push_requests.program_events.MOST_WAITING", 2)

    async def act() -> None:
        ledger, clock = MemoryLedger(account="sandbox"), VirtualClock()
        for nth, tenant in enumerate(["mine", *["other"] * 5]):
            await announce(ledger, clock, [HERE], ["push.ended"], {}, of=str(nth), tenant=tenant)
            await anyio.sleep(1)
        assert await drop_for_others(ledger, [THERE], "mine", clock.now()) == (1, 0)

    in_time(act)


def test_events_of_one_ending_are_told_in_their_order(tmp_path: Path) -> None:
    """A ledger on a disk keeps times to the millisecond."""

    async def act() -> None:
        async with open_sqlite(tmp_path / "ledger.db", account="sandbox") as ledger:
            for nth in range(8):
                of, types = str(nth), ["push.ended", "push.needs_person"]
                await announce(ledger, VirtualClock(), [of], types, {}, of=of)
                assert [each.type for each in await waiting(ledger, of)] == types

    anyio.run(act)


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("http://127.0.0.1:9/hook", "socks5://127.0.0.1:9"),  # a package for it is missing
        ("http://127.0.0.1:9/hook", "127.0.0.1:99999"),
        ("http://127.0.0.1:9/hook", "gopher://127.0.0.1"),
        ("http://xn--/hook", ""),
        ("http://127.0.0.1:9/\udcff", ""),
    ],
)
def test_what_cannot_be_posted_is_refused_whatever_the_reason(
    address: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment, or the name of a receiver, would end the server."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    refused = anyio.run(post, address, {}, b"{}")
    assert refused is not None
    assert refused.down
