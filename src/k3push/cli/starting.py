"""`init` and `check`: from nothing to a configuration that works."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.prompt import Prompt

from k3push.adapters.erp_http import ErpHttp
from k3push.cli.problem import Problem
from k3push.cli.sites import site_of
from k3push.cli.wiring import SystemClock, find_config
from k3push.cli.words import Say
from k3push.core import wire
from k3push.core.model import BillNumber, Route
from k3push.core.pairs import known_pair
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError, LookRefusedError
from k3push.reporting.ending import Exit
from k3push.reporting.tables import opened_for_owner
from k3push.settings import read_settings

CLOCK_TOLERANCE_S = 120

_TEMPLATE = """\
# Every other setting has a default; README lists them.
[erp]
url = {url}
acct_id = {acct_id}
username = {username}
password = {{ env = {env} }}

[routes.{name}]
source = {source}
target = {target}
rule = {rule}
"""


def init(config: Path | None, say: Say) -> Exit:
    """Ask, and write a configuration without a secret in it."""
    path = config or Path("config.toml")
    console = Console(stderr=True)
    if path.exists():
        raise Problem(say("init.exists", path=path))

    def ask(key: str, default: str = "") -> str:
        while not (answer := Prompt.ask(say(key), console=console, default=default or None)):
            pass
        return answer.strip()

    url = ask("init.url", "https://example.ik3cloud.com/K3Cloud/")
    acct_id, username = ask("init.acct"), ask("init.user")
    env = ask("init.env", "K3PUSH_PASSWORD")
    source = ask("init.source", "PUR_PurchaseOrder")
    target = ask("init.target", "STK_InStock")
    pair = known_pair(source, target)
    rule = ask("init.rule", pair.rule if pair else f"{source}-{target}")
    values = {
        "url": url,
        "acct_id": acct_id,
        "username": username,
        "env": env,
        "source": source,
        "target": target,
        "rule": rule,
    }
    text = _TEMPLATE.format(name="default", **{k: _toml(v) for k, v in values.items()})
    with opened_for_owner(path) as file:
        file.write(text)
    read_settings(path, {})
    console.print(say("init.done", path=path, env=env), highlight=False, markup=False)
    return Exit.DONE


async def check(config: Path | None, route: str | None, say: Say) -> Exit:
    """Read the configuration, log in, and ask for one row of each form; say each in a line."""
    return await _Check(say).run(config, route)


class _Check:
    """One run of `check`, a line for each thing that is asked."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.console = Console(soft_wrap=True)
        self.exit = Exit.DONE

    async def run(self, config: Path | None, name: str | None) -> Exit:
        path = find_config(config, self.say)
        settings = read_settings(path, os.environ)
        routes = [settings.route(name)] if name else [settings.route(n) for n in settings.routes]
        self._good(self.say("check.config", path=path))
        login = self.say("check.login", url=settings.erp.url, user=settings.erp.username)
        async with ErpHttp(site_of(settings)) as erp:
            try:
                await erp.open_session()
                self._good(login)
                self._clock(erp.server_time)
                for route in routes:
                    await self._route(erp, route)
            except LoginRefusedError as error:
                self._bad(self.say("cause.login refused", why=error), Exit.UNREACHABLE)
            except ErpUnreachableError as error:
                self._bad(self.say("cause.unreachable", why=error), Exit.UNREACHABLE)
        return self.exit

    async def _route(self, erp: ErpHttp, route: Route) -> None:
        """Ask each form for one row of a bill that does not exist: its fields must be known."""
        nobody = [BillNumber("k3push-check")]
        fields = [wire.BILL_NO, wire.ID]
        await self._form(
            self.say("check.source", form=route.source),
            lambda: erp.look_at_form(route.source, fields, wire.one_of(wire.BILL_NO, nobody)),
        )
        field = route.source_number_field
        if not field:
            self._bad(self.say("check.nofield", route=route.name), Exit.DONE)
            return
        await self._form(
            self.say("check.target", form=route.target, field=field),
            lambda: erp.look_at_form(
                route.target, wire.target_fields(route), wire.one_of(field, nobody)
            ),
        )

    async def _form(self, what: str, look: Callable[[], Awaitable[int]]) -> None:
        try:
            await look()
        except LookRefusedError as error:
            self._bad(f"{what}: {self.say('cause.look refused', why=error)}", Exit.USAGE)
        except LookFailedError as error:
            self._bad(f"{what}: {error}", Exit.UNREACHABLE)
        else:
            self._good(what)

    def _clock(self, server_time: str) -> None:
        if not server_time:
            return
        ahead_s = (SystemClock().now() - parsedate_to_datetime(server_time)).total_seconds()
        if abs(ahead_s) <= CLOCK_TOLERANCE_S:
            self._good(self.say("check.clock", seconds=ahead_s))
        else:
            self._bad(self.say("check.clock_off", seconds=ahead_s), Exit.DONE)

    def _good(self, what: str) -> None:
        self.console.print(f"[green]✓[/] {escape(what)}", highlight=False)

    def _bad(self, what: str, code: Exit) -> None:
        self.exit = max(self.exit, code)
        self.console.print(f"[red]✗[/] {escape(what)}", highlight=False)


def _toml(text: str) -> str:
    """Write a text as a TOML string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
