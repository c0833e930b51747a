"""`init`: from nothing to a configuration."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.prompt import Prompt

from k3push.cli.problem import Problem
from k3push.cli.words import Say
from k3push.core.pairs import known_pair
from k3push.reporting.ending import Exit
from k3push.reporting.tables import opened_for_owner
from k3push.settings import read_settings

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


def _toml(text: str) -> str:
    """Write a text as a TOML string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
