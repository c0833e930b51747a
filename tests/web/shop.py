"""A dashboard that works: pushes of a browser reach a sandbox in memory, and nothing waits."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path

import anyio
import httpx

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.identities import Identities
from k3push.adapters.job_files import read_job
from k3push.adapters.webhook_post import post
from k3push.config.settings_file import read_settings
from k3push.core.model import RunId, State
from k3push.core.web_addresses import LOOPBACK
from k3push.runs.kept_in_ledger.request_stages import Request, requests
from k3push.runs.push_requests.program_roles import ProgramRole
from k3push.runs.push_requests.program_tokens import add_program
from k3push.simulator import Site, build
from k3push.web.admission.access import Rules
from k3push.web.admission.roles import Role
from k3push.web.execution.request_fulfilment import HandOver
from k3push.web.execution.request_work import Workshop
from k3push.web.execution.webhook_delivery import Messenger, Post
from k3push.web.tenant_ledgers import ServedTenant
from k3push.wiring.erp import ErpAccess
from k3push.wiring.executor import Executor
from k3push.wiring.job_lists import Reader
from k3push.wiring.webhook_receivers import Receivers
from tests.cli.terminal import CONFIG, PASSWORD
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import VirtualClock, add_old_document, sandbox
from tests.simulator.transport import SandboxTransport
from tests.web.visits import COOKIE, PATIENCE_S, SPEAKERS, House, house, seal_of, tenant

ROLES = {"wang": Role.OPERATE, "li": Role.APPROVE, "guest": Role.VIEW}
SECRETS = {name: f"{name} {name} {name}" for name in ROLES}
BY_NAME = Rules(hosts=LOOPBACK, cookie=COOKIE, passwords=SECRETS, roles=ROLES)
FOUR_EYES = replace(BY_NAME, four_eyes=True, roles={**ROLES, "wang": Role.APPROVE})


NO_RECEIVERS = Receivers({}, "")


class _SandboxAccess(ErpAccess):
    """The way to a sandbox in memory."""

    site: Site

    def opened(
        self,
        calls_per_minute: Callable[[], int],  # noqa: ARG002  # a sandbox knows no limit
        set_aside: Callable[[str, str], None],
    ) -> ErpClient | Identities:
        """Return the ERP for one execution."""
        users = {
            name: ErpClient(address, transport=lambda: SandboxTransport(self.site))
            for name, address in self.sites.items()
        }
        if len(users) == 1:
            return next(iter(users.values()))
        return Identities(users, refused=self.refused, set_aside=set_aside)


@dataclass
class Shop:
    """One tenant: settings and lists in a folder, a ledger and an ERP in memory."""

    folder: Path
    more: str = ""
    site: Site = field(default_factory=lambda: build(sandbox()))
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(account="sandbox"))
    logged: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    receivers: Receivers = NO_RECEIVERS
    send: Post = post
    hand_over: HandOver | None = None
    reader: Reader = read_job
    beside: Sequence[str] = ()
    file: str = "config.toml"
    met: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the settings."""
        text = CONFIG.format(url="http://sandbox/K3Cloud/", password=PASSWORD) + self.more
        (self.folder / self.file).write_text(text, "utf-8")
        add_old_document(self.site.world)

    def executor(self, *given: object) -> Executor:
        """Make an executor whose ERP is the sandbox."""
        executor = Executor(*given)  # type: ignore[arg-type]  # as a workshop gives them
        access = type("Access", (_SandboxAccess,), {"site": self.site})
        executor.entrance = access(executor.entrance.sites)
        return executor

    def tenant(self, other: Path | None = None) -> ServedTenant:
        """Return the tenant with a workshop, as one more start of the server makes it.

        Args:
            other: A file from which an execution reads its settings, in the place of its own.
        """
        settings = read_settings(self.folder / self.file, {})

        def log(event: str, *, debug: bool = False, **facts: object) -> None:
            self.logged.append((event, {**facts, "debug": debug}))

        workshop = Workshop(
            settings,
            VirtualClock(),
            SPEAKERS["en"],
            log,
            reader=self.reader,
            make=self.executor,
            load=lambda path: read_settings(other or path, {}),
            hand_over=self.hand_over,
            messenger=Messenger(
                self.receivers,
                VirtualClock(),
                log,
                self.send,
                tenant=settings.file.stem,
                beside=lambda: self.beside,
            ),
            beside=lambda: self.beside,
        )
        return replace(tenant(self.ledger, acct_id="sandbox"), workshop=workshop)

    @asynccontextmanager
    async def open(self, rules: Rules = BY_NAME) -> AsyncIterator[House]:
        """Start the server; at the end it is told to stop, and waits for what is on its way."""
        async with house(self.tenant(), rules=rules, clock=VirtualClock()) as home:
            yield home
            home.ready.close()
            await home.ready.drained()

    async def asked(self) -> Request:
        """Return the latest request; of one moment, the one that was not met here before."""
        for request in (found := await requests(self.ledger)):
            self.met.setdefault(request.id, len(self.met))
        return max(found, key=lambda request: (request.at, self.met[request.id]))

    async def until(self, stage: str) -> Request:
        """Wait until the latest request has come to a stage."""
        with anyio.fail_after(PATIENCE_S):
            while (found := await self.asked()).stage != stage:
                assert found.is_open, found
                await anyio.sleep(0.1)
        return found

    async def token(
        self, name: str = "wms", role: ProgramRole = "approve", rate: int = 100_000
    ) -> str:
        """Let a program in, and return its token."""
        made = add_program(
            self.ledger, VirtualClock(), name, route="po-instock", role=role, rate=rate
        )
        return (await made)[1]

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count the rows of a run."""
        return await self.ledger.counts(run)

    def documents(self, number: str) -> int:
        """Count what the ERP has made of a bill."""
        return len(self.site.world.documents_of(number))


@asynccontextmanager
async def signed_in(home: House, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser of a user."""
    async with home.browser() as browser:
        page = await browser.get("/login")
        form = {"seal": seal_of(page), "user": name, "password": SECRETS[name]}
        answer = await browser.post("/login", data=form)
        assert answer.status_code == 303, answer.text
        yield browser


def fields_of(page: httpx.Response) -> dict[str, str]:
    """Return what the forms of a page bring along."""
    named = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in named}


async def send_list(
    browser: httpx.AsyncClient,
    text: str = "",
    *,
    file: tuple[str, bytes] | None = None,
    **more: str,
) -> httpx.Response:
    """Fill in the form of a push, and send it."""
    form = fields_of(await browser.get("/push"))
    sent = {**form, "text": text, **more}
    return await browser.post("/push", data=sent, files={"file": file or ("", b"")})


async def press(
    browser: httpx.AsyncClient, page: str, action: str, **fields: str
) -> httpx.Response:
    """Press a button of a page."""
    seal = seal_of(await browser.get(page))
    return await browser.post(action, data={"seal": seal, **fields})
