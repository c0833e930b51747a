"""The dashboard over PostgreSQL: tenants of one database, one of which has a run under way."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import anyio
import httpx
import pytest

from k3push.adapters.ledger.postgres import open_postgres
from k3push.core.model import BillNumber, Intent, Listed, NoAnswer, Outcome, RunId, State
from tests.adapters.ledger.samples import identified
from tests.cli.terminal import Desk, Sandbox, end, orders, until
from tests.reporting.pages import NOON, RUN, UP
from tests.web.server import Serve
from tests.web.visits import sent_in

pytestmark = pytest.mark.halved

DOUBTED = BillNumber("CGDD-LOST")
UNREACHED = "http://127.0.0.1:9/K3Cloud/"


async def fill(url: str, acct_id: str) -> None:
    """Make a run of a tenant, with one number in doubt."""
    async with open_postgres(url, account=acct_id) as ledger:
        run = replace(RUN, id=RunId(f"20260102-120000-{acct_id}"), scope=f"{acct_id}|PO|r")
        await ledger.open_run(run)
        await ledger.add(run.id, [Listed(2, DOUBTED)])
        await ledger.identify(run.id, identified({DOUBTED: DOUBTED}))
        await ledger.claim(run.id, [DOUBTED])
        attempt = await ledger.begin(Intent(run.id, 1, 1, (DOUBTED,), {}, b"{}", NOON, UP))
        unknown = [Outcome(DOUBTED, State.UNKNOWN, (), "broken", "it broke")]
        await ledger.record(attempt, NoAnswer("it broke"), "in doubt", unknown, at=NOON)
        await ledger.end_run(run.id, 4, NOON)


def test_tenants_of_one_database_are_watched_controlled_and_settled_apart(
    desk: Desk, serve: Serve, postgres_url: str
) -> None:
    """A service provider has one database for all, and each company's runs are its own."""
    (desk.folder / "tenants").mkdir()
    ledger = f"\n[ledger]\nurl = {json.dumps(postgres_url)}\n"
    with Sandbox(desk.folder, "--latency", "0.1") as sandbox:
        for name, acct_id in (("a", "sandbox"), ("b", "beta")):
            desk.configure(sandbox.url, lines={"acct_id": f'acct_id = "{acct_id}"'}, more=ledger)
            (desk.folder / "config.toml").rename(desk.folder / "tenants" / f"{name}.toml")
        anyio.run(fill, postgres_url, "beta")
        run = desk.begin(
            "run",
            desk.job(orders(200)),
            "--json",
            "--chunk-size",
            "1",
            "--config",
            "tenants/a.toml",
        )
        until(lambda: sandbox.made() >= 2)
        served = serve("--tenants", "tenants")
        own = {"origin": served.base, "sec-fetch-site": "same-origin"}
        with httpx.Client(
            base_url=served.base, headers=own, trust_env=False, follow_redirects=True, timeout=20
        ) as browser:
            browser.get(served.address)
            overview = browser.get("/").text
            (id_,) = re.findall(r'href="/t/a/runs/([^"]+)"', overview)
            assert "under way" in overview
            assert "/t/b/runs/20260102-120000-beta" in overview
            page = browser.get(f"/t/a/runs/{id_}").text
            assert browser.get(f"/t/b/runs/{id_}").status_code == 404
            assert browser.get(f"/t/a/numbers/{DOUBTED}").status_code == 404
            seal = re.findall(r'name="seal" value="(\w+)"', page)[0]
            stopped = browser.post(f"/t/a/runs/{id_}/control", data={"seal": seal, "words": "stop"})
            assert stopped.status_code == 200
            assert end(run).exit == 5
            word = {"seal": seal, "number": DOUBTED, "word": "absent", "because": "seen"}
            assert browser.post("/t/a/settle", data={**word, "sure": "yes"}).status_code == 404
            word |= sent_in(browser.get(f"/t/b/numbers/{DOUBTED}"))
            settled = browser.post("/t/b/settle", data={**word, "sure": "yes"})
            assert "settled by hand as planned: seen" in settled.text
            metrics = browser.get("/metrics").text
            assert 'k3push_run_exit_code{route="po-instock",tenant="a"} 5.0' in metrics
            assert 'k3push_unknown_numbers{route="po-instock",tenant="b"} 0.0' in metrics


def test_a_tenant_that_no_worker_can_serve_keeps_no_server_from_beginning(
    desk: Desk, serve: Serve, postgres_url: str
) -> None:
    """Its ledger is a file, or its queue is away; the others are shown, and it is named."""
    (desk.folder / "tenants").mkdir()
    away = "postgresql://u@127.0.0.1:9/d"
    ledgers = {"a": "sqlite:///ledger.db", "b": postgres_url, "c": away}
    for name, url in ledgers.items():
        own = {"acct_id": f'acct_id = "{name}"'}
        desk.configure(UNREACHED, lines=own, more=f"\n[ledger]\nurl = {json.dumps(url)}\n")
        (desk.folder / "config.toml").rename(desk.folder / "tenants" / f"{name}.toml")
    served = serve("--tenants", "tenants", "--enqueue")
    with httpx.Client(base_url=served.base, trust_env=False, timeout=20) as browser:
        browser.get(served.address)
        shown = browser.get("/").text
        assert [name for name in ledgers if f"/t/{name}/" in shown] == ["b"]
    told = served.stop().err
    assert "machines cannot share an SQLite ledger" in told
    assert "127.0.0.1:9" in told


def test_a_database_that_is_away_as_a_server_begins_is_no_mistake_in_the_settings(
    desk: Desk,
) -> None:
    """It is started again after that exit, and not after the one of wrong settings (2)."""
    ledger = '\n[ledger]\nurl = "postgresql://u@127.0.0.1:9/d"\n'
    desk.configure(UNREACHED, more=ledger)
    ran = desk.k3push("serve", "--port", "0", "--enqueue")
    assert ran.exit == 5, ran
    assert "127.0.0.1:9" in ran.err
