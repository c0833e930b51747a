"""`k3push serve` as a command: when it refuses to begin, what it prints, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import psutil  # type: ignore[import-untyped]  # it has no types
import pytest
from rich.console import Console

from k3push.adapters.job_files import read_job
from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.cli.actions import served_tenants
from k3push.cli.actions.serve import _logger
from k3push.cli.actions.served_tenants import ConfigFiles, ServedTenants, _opened
from k3push.cli.app import run
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.remark import remark
from k3push.ports import LedgerLostError
from k3push.runs.kept_in_ledger.request_stages import requests
from k3push.runs.problem import Problem
from k3push.web.execution.request_work import Workshop
from k3push.wiring.config_file import load_settings
from k3push.words.language import Say
from tests.adapters.ledger.samples import planned
from tests.cli.terminal import Desk, end, until
from tests.memory_ledger.ledger import MemoryLedger
from tests.web.server import Serve
from tests.web.shop import fields_of

pytestmark = pytest.mark.halved

NOWHERE = "http://127.0.0.1:9/K3Cloud/"
ELSEWHERE = "http://127.0.0.1:10/K3Cloud/"
LONG = 'password = "long enough"'
NIGHTLY = '[schedules.nightly]\ncron = "{}"\ntime_zone = "UTC"\njobs = "select"\n'
PROXY = 'user_header = "X-Remote-User"\ntrusted_proxies = ["10.0.0.0/24"]'


def configured(desk: Desk, serve: str = "", name: str = "config.toml") -> None:
    """Write a configuration, with lines of `[serve]`."""
    desk.configure(NOWHERE, more=f"[serve]\n{serve}\n" if serve else "")
    if name != "config.toml":
        path = desk.folder / name
        path.parent.mkdir(exist_ok=True)
        (desk.folder / "config.toml").rename(path)


def status_of(url: str, **headers: str) -> int:
    """Ask for a page, and return how it was answered."""
    return httpx.get(url, headers=headers, follow_redirects=True, trust_env=False).status_code


def refused(told: pytest.CaptureFixture[str], *options: str) -> str:
    """Have a dashboard refuse to begin, and return why."""
    assert run(["serve", "--port", "0", *options], "en") == 2
    out, err = told.readouterr()
    assert out == ""
    return err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "erp.example"])  # noqa: S104  # refused
def test_an_open_door_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str], host: str) -> None:
    """Every machine of the network could stop runs."""
    configured(desk)
    config = str(desk.folder / "config.toml")
    said = refused(capsys, "--host", host, "--config", config)
    for way in ("password", "passwords", "user_header", "[serve.openid]"):
        assert way in said


@pytest.mark.parametrize("lines", [LONG, PROXY])
def test_other_addresses_are_served_behind_a_password_or_a_proxy(
    desk: Desk, serve: Serve, lines: str
) -> None:
    """Nobody comes in by the address alone."""
    configured(desk, f'{lines}\nhosts = ["dash.example"]')
    served = serve("--host", "0.0.0.0")  # noqa: S104  # what is tested
    assert "token" not in served.address
    port = served.base.rpartition(":")[2]
    url = f"http://127.0.0.1:{port}"
    assert status_of(f"{url}/") == (200 if lines == LONG else 403)  # 200: the way to sign in
    assert status_of(f"{url}/healthz", Host="dash.example") == 200
    assert status_of(f"{url}/healthz", Host="other.example") == 421
    unencrypted = "travels unencrypted" in served.stop().err
    assert unencrypted == (lines == LONG)


def test_a_short_password_is_named_by_its_file_and_key(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of many users, it is known whose it is."""
    configured(desk, 'passwords = { wang = "long enough", li = "short" }')
    config = str(desk.folder / "config.toml")
    said = refused(capsys, "--config", config)
    assert f"{config}: serve.passwords.li: has fewer than 8" in " ".join(said.split())


def test_a_password_may_come_from_the_environment_and_must_be_long_enough(
    desk: Desk, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service has its secrets from elsewhere."""
    configured(desk, 'password = "short"')
    assert "fewer than 8" in refused(capsys, "--config", str(desk.folder / "config.toml"))
    desk.environment["K3PUSH_SERVE__PASSWORD"] = "long enough"
    served = serve()
    assert served.address == f"{served.base}/"
    assert "long enough" not in served.stop().text


def test_without_the_extra_the_cure_is_named(desk: Desk) -> None:
    """Most installations have no need of it."""
    configured(desk)
    program = (
        "import sys; from k3push.cli.app import run\n"
        "for package in ('starlette', 'uvicorn'):\n"
        "    sys.modules[package] = None\n"
        "    print(run(['serve', '--port', '0'], 'en'))\n"
        "    del sys.modules[package]\n"
    )
    ran = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", program],
        cwd=desk.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=40,
    )
    assert ran.stdout.split() == ["2", "2"]
    assert ran.stderr.count('pip install "k3push[web]"') == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(desk: Desk, number: signal.Signals) -> None:
    """A service that is stopped has not failed."""
    configured(desk)
    process = desk.begin("serve", "--port", "0")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    ran = end(process)
    assert (ran.exit, "Traceback" in ran.err) == (0, False), ran


def test_a_port_that_is_taken_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Two dashboards of one machine need two ports."""
    configured(desk)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        config = str(desk.folder / "config.toml")
        assert f"port {port}" in refused(capsys, "--port", port, "--config", config)


def test_the_address_works_once_and_stands_in_no_log(desk: Desk, serve: Serve) -> None:
    """Before there is a ledger, too; requests are logged without their queries."""
    configured(desk)
    served = serve("-v", "--log-file", "serve.log", "--log-json")
    assert status_of(served.address) == 200
    assert status_of(served.address) == 403
    token = served.address.partition("token=")[2]
    assert len(token) >= 40
    ran = served.stop()
    logged = (desk.folder / "serve.log").read_text("utf-8")
    for text in (ran.err, logged):
        assert token not in text
    paths = [json.loads(line)["path"] for line in logged.splitlines()]
    assert paths == ["/enter", "/enter"]


def test_a_form_that_cannot_be_read_writes_no_line_of_its_own(desk: Desk, serve: Serve) -> None:
    """Among lines of JSON it stood without a time, once for each form."""
    configured(desk)
    served = serve("--work", "--log-json")
    headers = {"Origin": served.base, "Content-Type": "multipart/form-data; boundary=x"}
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        assert browser.get(served.address).status_code == 200
        answer = browser.post(f"{served.base}/push", content=b"no boundary", headers=headers)
    assert answer.status_code == 403
    assert "boundary" not in served.stop().err


def test_a_log_says_what_is_kept_without_words() -> None:
    """A remark is put into words; a defect's trace, and all else, stays as it is."""
    told: list[dict[str, object]] = []
    logger: Any = SimpleNamespace(info=lambda _, **facts: told.append(facts))
    trace = "Traceback:\n  {x}"
    _logger([logger])("schedule.due", why=remark("inbox.nothing", folder="in", known=1), n=1)
    _logger([logger])("workshop.failed", why=trace, user="")
    assert told == [{"why": "in: nothing new; 1 file was taken before", "n": 1}, {"why": trace}]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_browser_is_opened_without_showing_the_token_to_others(desk: Desk, serve: Serve) -> None:
    """Every user of a machine sees the arguments of its programs."""
    configured(desk)
    script = desk.write(
        "browser.py",
        "import os, pathlib, sys, urllib.parse\n"
        "page = pathlib.Path(urllib.parse.urlparse(sys.argv[1]).path)\n"
        "told = f'{sys.argv[1]}\\n{page.stat().st_mode & 0o777:o}\\n{page.read_text()}'\n"
        "pathlib.Path('part.txt').write_text(told)\n"
        "os.replace('part.txt', 'told.txt')\n",
    )
    desk.environment["BROWSER"] = f"{sys.executable} {script} %s"
    served = serve("--open")
    told = desk.folder / "told.txt"
    until(told.exists)
    url, mode, page = told.read_text().splitlines()
    assert (url.startswith("file://"), mode) == (True, "600")
    assert served.address in page
    assert served.address.partition("token=")[2] not in url
    served.stop()
    assert not Path(url.removeprefix("file://")).exists()


# -- tenants --------------------------------------------------------------------------------------


def test_each_file_of_a_folder_is_a_tenant(desk: Desk, serve: Serve) -> None:
    """A service provider adds a file, and starts it again."""
    for name in ("甲.toml", "b.toml"):
        configured(desk, name=f"tenants/{name}")
    # One without its secret is shown, and the others are as well.
    password = 'url = "postgresql://u@127.0.0.1/d"\npassword = { env = "NOT_SET" }\n'
    desk.configure(NOWHERE, more=f"[ledger]\n{password}")
    (desk.folder / "config.toml").rename(desk.folder / "tenants" / "c.toml")
    served = serve("--tenants", "tenants")
    with httpx.Client(trust_env=False, base_url=served.base) as browser:
        browser.get(served.address)
        page = browser.get("/").text
        assert page.index("/t/b/") < page.index("/t/%E7%94%B2/")
        assert "there is no ledger yet" in page
        assert "NOT_SET is not set" in page
        assert browser.get("/t/b/").status_code == 503


def test_a_tenants_file_that_changes_changes_its_schedules(desk: Desk, serve: Serve) -> None:
    """A schedule that was added began with the next start of the server."""
    for name in ("acme", "bexo"):
        configured(desk, name=f"tenants/{name}.toml")
    served = serve("--tenants", "tenants", "--work")
    with httpx.Client(trust_env=False, base_url=served.base) as browser:
        browser.get(served.address)
        assert "yearly" not in browser.get("/t/acme/schedules").text
        with (desk.folder / "tenants" / "acme.toml").open("a", encoding="utf-8") as file:
            file.write('\n[schedules.yearly]\ncron = "30 2 1 1 *"\njobs = "select"\n')
        until(lambda: "yearly" in browser.get("/t/acme/schedules").text)
        assert "yearly" not in browser.get("/t/bexo/schedules").text


def test_a_tenant_that_comes_while_the_server_works_has_a_ledger_made(
    desk: Desk, serve: Serve
) -> None:
    """What programs asked for of a customer who was new was refused until the next start."""
    configured(desk, name="tenants/acme.toml")
    served = serve("--tenants", "tenants", "--work")
    with httpx.Client(trust_env=False, base_url=served.base) as browser:
        browser.get(served.address)
        assert browser.get("/t/acme/").status_code == 200
        desk.configure(NOWHERE, more='[ledger]\nurl = "sqlite:///bexo.db"\n')
        (desk.folder / "config.toml").rename(desk.folder / "tenants" / "bexo.toml")
        until(lambda: "/t/bexo/" in browser.get("/").text)
        assert browser.get("/t/bexo/").status_code == 200


def test_a_tenant_that_another_one_has_put_to_rest_goes_on_after_that(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files name one ledger for two sites; the first of them never changes."""
    folder, told = desk.folder / "tenants", list[str]()
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    monkeypatch.setattr(Workshop, "rest", lambda _: told.append("rest"))
    monkeypatch.setattr(Workshop, "take", lambda *_: told.append("take"))
    configured(desk, name="tenants/acme.toml")
    text = (folder / "acme.toml").read_text("utf-8").replace(NOWHERE, ELSEWHERE)

    async def act(_: ServedTenants) -> None:
        await anyio.Path(folder / "bexo.toml").write_text(text, "utf-8")
        await until_told(told, ["rest"])
        await anyio.Path(folder / "bexo.toml").unlink()
        await until_told(told, ["rest", "take"])

    anyio.run(while_shown, folder, act)


def test_a_tenant_whose_file_could_not_be_read_once_goes_on_after_that(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share was away as another file changed, and its own has not changed since."""
    folder, told, away = desk.folder / "tenants", list[str](), list[str]()
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    monkeypatch.setattr(served_tenants, "LACKING_LOOK_S", 0.01)
    monkeypatch.setattr(Workshop, "rest", lambda _: told.append("rest"))
    monkeypatch.setattr(Workshop, "take", lambda *_: told.append("take"))
    configured(desk, name="tenants/acme.toml")

    def load(path: Path) -> Settings:
        if path.stem in away:
            raise SettingsError(str(path), [])
        return load_settings(path)

    async def act(_: ServedTenants) -> None:
        monkeypatch.setattr(served_tenants, "load_settings", load)
        away.append("acme")
        await anyio.Path(folder / "bexo.toml").write_text("no settings", "utf-8")
        await until_told(told, ["rest"])
        away.clear()
        await until_told(told, ["take"])

    anyio.run(while_shown, folder, act)


@pytest.mark.parametrize("moves", [False, True])
def test_a_tenant_that_comes_begins_nothing_that_was_due_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, moves: bool
) -> None:
    """A file is added, or names another account, half an hour after the time in it."""
    folder, due = desk.folder / "tenants", datetime.now(UTC) - timedelta(minutes=30)
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    configured(desk, name="tenants/acme.toml")
    text = (folder / "acme.toml").read_text("utf-8").replace('acct_id = "', 'acct_id = "new-')
    text = text.replace("ledger.db", "other.db") + NIGHTLY.format(f"{due:%M %H} * * *")
    came = folder / ("acme.toml" if moves else "bexo.toml")

    async def act(shown: ServedTenants) -> None:
        before = shown.known.get(came)
        await anyio.Path(came).write_text(text, "utf-8")
        with anyio.fail_after(20):
            while shown.known.get(came) is before:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        workshop, ledger = shown.known[came].workshop, MemoryLedger(account="new")
        assert workshop is not None
        assert list(workshop.timetable.schedules) == ["nightly"]
        await workshop.timetable.look(ledger)
        assert not await requests(ledger)

    anyio.run(while_shown, folder, act)


def test_a_tenant_that_comes_before_what_it_needs_begins_nothing_that_was_due_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is copied into the folder, and its secrets half a minute later."""
    folder, due = desk.folder / "tenants", datetime.now(UTC) - timedelta(minutes=30)
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    monkeypatch.setattr(served_tenants, "LACKING_LOOK_S", 0.01)
    configured(desk, name="tenants/acme.toml")
    text = (folder / "acme.toml").read_text("utf-8").replace('acct_id = "', 'acct_id = "new-')
    text = text.replace("ledger.db", "other.db") + NIGHTLY.format(f"{due:%M %H} * * *")
    needs = '[api]\nwebhooks = [{ file = "hook" }]\nwebhook_secret = { file = "key" }\n'
    came = folder / "bexo.toml"

    async def until_it_is(state: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while not state():  # noqa: ASYNC110
                await anyio.sleep(0.01)

    async def act(shown: ServedTenants) -> None:
        await anyio.Path(came).write_text(text + needs, "utf-8")
        await until_it_is(lambda: came in shown.lacking)
        await anyio.Path(folder / "key").write_text("whsec_" + "A" * 32, "utf-8")
        await anyio.Path(folder / "hook").write_text("https://hook.example/", "utf-8")
        await until_it_is(lambda: came in shown.known)
        workshop, ledger = shown.known[came].workshop, MemoryLedger(account="new")
        assert workshop is not None
        await workshop.timetable.look(ledger)
        assert not await requests(ledger)

    anyio.run(while_shown, folder, act)


def test_a_tenant_that_cannot_be_shown_as_its_file_says_begins_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names another account, and what the old schedules begin would go into the former."""
    folder, told = desk.folder / "tenants", list[str]()
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    monkeypatch.setattr(Workshop, "rest", lambda _: told.append("rest"))
    configured(desk, name="tenants/acme.toml")
    text = (folder / "acme.toml").read_text("utf-8").replace('acct_id = "', 'acct_id = "new-')
    faulty = '[api]\nwebhooks = [{ file = "hook" }]\nwebhook_secret = { file = "key" }\n'

    async def act(_: ServedTenants) -> None:
        await anyio.Path(folder / "acme.toml").write_text(text + faulty, "utf-8")
        await until_told(told, ["rest"])

    anyio.run(while_shown, folder, act)


def test_a_tenants_file_that_changes_changes_who_is_told_of_pushes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that somebody had taken out was told until the server started anew."""
    folder, told = desk.folder / "tenants", list[str]()
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    monkeypatch.setattr(
        Workshop, "take", lambda _, __, those: told.extend(those.addresses.values())
    )
    configured(desk, name="tenants/acme.toml")
    hook = '[api]\nwebhooks = ["https://hook.example/"]\nwebhook_secret = "a secret of 24 chars"\n'

    async def act(_: ServedTenants) -> None:
        text = await anyio.Path(folder / "acme.toml").read_text("utf-8")
        await anyio.Path(folder / "acme.toml").write_text(text + hook, "utf-8")
        await until_told(told, ["https://hook.example/"])

    anyio.run(while_shown, folder, act)


def test_a_tenant_is_known_by_whether_its_erps_certificate_is_checked(desk: Desk) -> None:
    """Its reports say so."""
    folder = desk.folder / "tenants"
    configured(desk, name="tenants/acme.toml")
    path = folder / "acme.toml"
    path.write_text(path.read_text("utf-8").replace("[erp]\n", "[erp]\nverify = false\n"), "utf-8")

    async def act(shown: ServedTenants) -> None:
        assert shown.known[path].unverified

    anyio.run(while_shown, folder, act)


@pytest.mark.parametrize("comes", ["named/door.toml", "tenants/door.toml"])
def test_a_file_that_is_named_holds_up_no_other_once_the_server_has_begun(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    """It gets a fault, or one of the folder gets its name; nothing was begun for anybody then."""
    folder, rests = desk.folder / "tenants", list[str]()
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    monkeypatch.setattr(Workshop, "rest", lambda shop: rests.append(shop.settings.file.stem))
    for name in ("named/door.toml", "tenants/acme.toml"):
        configured(desk, name=name)
    text = (folder / "acme.toml").read_text("utf-8")
    files = ConfigFiles([desk.folder / "named" / "door.toml"], folder)

    async def act(shown: ServedTenants) -> None:
        await anyio.Path(desk.folder / comes).write_text("no settings", "utf-8")
        await anyio.Path(folder / "bexo.toml").write_text(
            text.replace("ledger.db", "b.db"), "utf-8"
        )
        with anyio.fail_after(20):
            while folder / "bexo.toml" not in shown.known:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert not rests

    anyio.run(while_shown, folder, act, None, None, files)


def test_a_tenants_file_that_changes_while_the_server_begins_is_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had been read before, and the queue of the workers kept it waiting."""
    folder = desk.folder / "tenants"
    monkeypatch.setattr(served_tenants, "FOLDER_LOOK_S", 0.01)
    configured(desk, name="tenants/acme.toml")
    seen = ConfigFiles([], folder).state()
    settings = load_settings(folder / "acme.toml")
    with (folder / "acme.toml").open("a", encoding="utf-8") as file:
        file.write(NIGHTLY.format("30 2 1 1 *"))

    async def act(shown: ServedTenants) -> None:
        with anyio.fail_after(20):
            while not shown.known[settings.file].workshop.timetable.schedules:  # type: ignore[union-attr]  # noqa: ASYNC110
                await anyio.sleep(0.01)

    anyio.run(while_shown, folder, act, settings, seen)


def test_tenants_in_postgres_share_the_places_of_what_only_waits(desk: Desk) -> None:
    """An outage of an ERP would take up all the connections that their server has."""
    for name in ("acme", "bexo", "cito"):
        configured(desk, name=f"tenants/{name}.toml")
    folder = desk.folder / "tenants"
    for name in ("acme", "bexo"):
        with (folder / f"{name}.toml").open("a", encoding="utf-8") as file:
            file.write('[ledger]\nurl = "postgresql://k3push@127.0.0.1:9/k3push"\n')

    async def act(shown: ServedTenants) -> None:
        await shown.begin(
            [load_settings(path) for path in sorted(folder.glob("*.toml"))], Console()
        )
        acme, bexo, cito = (each.workshop for each in shown.known.values())
        assert acme is not None
        assert bexo is not None
        assert cito is not None
        assert (acme.crowd is bexo.crowd, acme.crowd is cito.crowd) == (True, False)
        assert acme.crowd.most < cito.crowd.most

    anyio.run(while_shown, folder, act)


async def while_shown(
    folder: Path,
    act: Callable[[ServedTenants], Awaitable[None]],
    settings: Settings | None = None,
    seen: Mapping[Path, tuple[int, int, int]] | None = None,
    files: ConfigFiles | None = None,
) -> None:
    """Do something while the folder of one tenant is looked at, as a server does."""
    quiet, say = Console(quiet=True), Say("en")
    shown = ServedTenants(
        files or ConfigFiles([], folder),
        say,
        lambda *_, **__: None,
        works=True,
        queues=None,
        reader=read_job,
        told=frozenset(),
        seen=seen or ConfigFiles([], folder).state(),
    )
    dashboard: Any = SimpleNamespace(take=lambda _: None)
    begun = await shown.begin([settings or load_settings(folder / "acme.toml")], quiet)
    assert [each.name for each in begun] == ["acme"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shown.keep_reading, dashboard, quiet)
        await anyio.sleep(0.1)
        await act(shown)
        tasks.cancel_scope.cancel()


async def until_told(told: list[str], what: list[str]) -> None:
    """Wait until this is the last that a tenant was told."""
    with anyio.fail_after(20):
        while told[-len(what) :] != what:  # noqa: ASYNC110
            await anyio.sleep(0.01)


@pytest.mark.more
def test_a_tenant_whose_receivers_cannot_be_told_holds_up_no_other(
    desk: Desk, serve: Serve
) -> None:
    """Neither when the server begins, nor when files change; it comes once it has what it lacks."""
    faulty = '[api]\nwebhooks = [{ file = "hook" }]\nwebhook_secret = { file = "key" }\n'

    def write(name: str, more: str = "") -> None:
        desk.configure(NOWHERE, more=more)
        (desk.folder / "tenants").mkdir(exist_ok=True)
        (desk.folder / "config.toml").rename(desk.folder / "tenants" / f"{name}.toml")

    write("a", faulty)
    write("b")
    served = serve("--work", "--tenants", "tenants")
    with httpx.Client(trust_env=False, base_url=served.base) as browser:
        browser.get(served.address)

        def shown() -> list[str]:
            page = browser.get("/").text
            return [name for name in "abcd" if f"/t/{name}/" in page]

        assert shown() == ["b"]
        write("c", faulty)
        write("d")
        until(lambda: shown() == ["b", "d"])
        (desk.folder / "tenants" / "hook").write_text("https://wms.example/hook")
        (desk.folder / "tenants" / "key").write_text("a secret of 24 characters")
        write("d", "# changed, so that nobody waits for the next look by itself\n")
        until(lambda: shown() == ["a", "b", "c", "d"])


def test_the_password_of_a_ledger_is_looked_for_beside_all_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come from a command that hangs, and no page of any tenant was answered meanwhile."""
    configured(desk)
    settings = load_settings(desk.folder / "config.toml")
    threads: list[int] = []

    def lacking(*_: object, **__: object) -> None:
        threads.append(threading.get_ident())
        raise Problem("")

    async def look() -> None:
        with pytest.raises(LedgerLostError):
            async with _opened(settings, ConnectionPlaces(), create=False):
                pass

    monkeypatch.setattr("k3push.cli.actions.served_tenants.ledger_of", lacking)
    anyio.run(look)
    assert threads not in ([], [threading.get_ident()])


def test_each_file_says_who_may_do_what_with_its_tenant(desk: Desk, serve: Serve) -> None:
    """One file has the door, and its roles hold everywhere; another's, for its tenant alone."""
    configured(desk, f'{PROXY.replace("10.0.0.0/24", "127.0.0.1")}\nroles = {{ wang = "view" }}')
    (desk.folder / "tenants").mkdir()
    (desk.folder / "config.toml").rename(desk.folder / "tenants" / "door.toml")
    configured(desk, 'roles = { li = "approve" }', "tenants/b.toml")
    served = serve("--tenants", "tenants")
    for user, tenant, status in (
        ("wang", "b", 503),  # it has no ledger yet, and may be seen
        ("wang", "door", 503),
        ("li", "b", 503),
        ("li", "door", 404),
        ("guest", "b", 404),
    ):
        url = f"{served.base}/t/{tenant}/"
        assert status_of(url, **{"X-Remote-User": user}) == status, (user, tenant)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--tenants", "empty"), "there is no *.toml"),
        (("--tenants", "a", "--config", "b/x.toml"), "two tenants are named x"),
        (("--config", "a/x.toml", "--config", "b/y.toml"), "differ in [serve]"),
        (("--config", "gone.toml"), "gone.toml: there is no such file"),
        (("--config", "a/x.toml", "--config", "c/z.toml"), "z.toml: roles need to know who"),
    ],
)
def test_tenants_that_cannot_be_told_apart_are_refused(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    what: str,
) -> None:
    """The page would show one of them under the name of the other."""
    (desk.folder / "empty").mkdir()
    configured(desk, LONG, "a/x.toml")
    configured(desk, PROXY, "b/y.toml")
    configured(desk, LONG, "b/x.toml")
    configured(desk, 'roles = { li = "approve" }', "c/z.toml")
    monkeypatch.chdir(desk.folder)
    assert what in refused(capsys, *options)


def test_a_fault_in_the_file_with_the_door_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files with roles alone were blamed, and nobody found what was to be mended."""
    configured(desk, f'{LONG}\nuser_header = "X-User"', "tenants/door.toml")
    configured(desk, 'roles = { li = "approve" }', "tenants/acme.toml")
    monkeypatch.chdir(desk.folder)
    told = refused(capsys, "--tenants", "tenants")
    assert "door.toml" in told
    assert "acme.toml: roles need to know who" in told


@pytest.mark.more
def test_a_ledger_that_is_restored_under_the_server_is_shown(desk: Desk, serve: Serve) -> None:
    """What it went on to show was what had been moved away, and sound bills were "in no run"."""
    configured(desk)
    ledger = desk.folder / "ledger.db"

    def keep(number: str) -> None:
        async def open_run() -> None:
            async with open_sqlite(ledger, account="sandbox") as opened:
                await planned(opened, number, number, "sandbox|po|in")

        anyio.run(open_run)

    keep("BEFORE")
    backup = ledger.read_bytes()
    keep("LATER")
    served = serve("--work")
    with httpx.Client(trust_env=False, base_url=served.base) as browser:
        browser.get(served.address)
        assert "LATER" in browser.get("/").text
        for part in desk.folder.glob("ledger.db*"):
            part.rename(part.with_name(f"away-{part.name}"))
        ledger.write_bytes(backup)
        assert browser.get("/").status_code == 503
        until(lambda: browser.get("/").status_code == 200)
        shown = browser.get("/").text
        assert ("BEFORE" in shown, "LATER" in shown) == (True, False)


def test_lists_are_read_in_processes_of_their_own(desk: Desk, serve: Serve) -> None:
    """A workbook of one megabyte had cost the server of all tenants a gigabyte of memory."""
    configured(desk)
    served = serve("--work")
    with httpx.Client(trust_env=False, base_url=served.base, timeout=60) as browser:
        browser.get(served.address)
        own = {"origin": served.base, "sec-fetch-site": "same-origin"}
        form, file = fields_of(browser.get("/push")), ("list.csv", b"number\nA1\n")
        sent = browser.post("/push", data=form, files={"file": file}, headers=own)
        assert sent.status_code == 303
    children = psutil.Process(served.pid).children()
    assert any("k3push.adapters.job_files.reader_process" in each.cmdline() for each in children)
