"""`init`: from nothing to a configuration, with what the site has to choose from.

What the site does not tell is asked for, as it is where nothing answers. A password is used to
look around, and never written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getpass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.prompt import Prompt

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint
from k3push.adapters.private_files import opened_for_owner
from k3push.cli.console.screen import screen
from k3push.cli.console.shell import Shell
from k3push.cli.console.signals import ctrl_c_ends
from k3push.config.invalid_values import remark_on_value
from k3push.config.secret_values import is_variable_name
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.config.settings_file import read_settings
from k3push.core.foreign_text import flaw_of
from k3push.core.protocol.conversion_rules import Rule
from k3push.core.protocol.logins import AccountSet
from k3push.core.protocol.pairs import known_pair
from k3push.core.remark import remark
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.erp import endpoints_of
from k3push.wiring.protected_files import check_output, see_writable
from k3push.words.language import Say, harmless

_TEMPLATE = """\
# {note}
[erp]
url = {url}
acct_id = {acct_id}
username = {username}
{login}
[routes.{name}]
source = {source}
target = {target}
rule = {rule}
{follow}"""

# Ways in with an application's id, in the order in which they are tried.
APP_LOGINS = ("app_secret", "sign", "signature")

# So many things to choose from fit a screen.
MOST_OFFERED = 20
LONGEST_PLACE = len(str(MOST_OFFERED))

Option = tuple[str, str]
"""What an answer may be, and what to call it."""


async def init(config: Path | None, say: Say) -> Exit:
    """Ask, and write a configuration without a secret in it."""
    path = config or Path("config.toml")
    check_output(path)
    if path.exists():
        raise Problem(remark("init.exists", path=path))
    see_writable(path)
    guide = _Guide(say)
    text = _TEMPLATE.format(name="default", note=say("init.note"), **await guide.answers())
    try:
        with opened_for_owner(path) as file:
            file.write(text)
    except OSError as error:
        why = error.strerror or error
        raise Problem(remark("output.unusable", path=path, why=why)) from error
    read_settings(path, {})
    shell = Shell()
    check = shell.command("check") if config is None else shell.command("check", "--config", config)
    done = say("init.done", path=path, env=guide.env, command=check)
    guide.tell(done)
    return Exit.DONE


@dataclass(slots=True)
class _Guide:
    """Asks what a configuration needs.

    Attributes:
        env: The variable that holds the password.
    """

    say: Say
    console: Console = field(default_factory=lambda: screen(stderr=True))
    env: str = ""

    async def answers(self) -> Mapping[str, str]:
        """Ask everything; return the values as TOML has them."""
        url = self._address()
        acct_id = self._choose(
            self.say("init.acct"), [(each.id, each.name) for each in await _account_sets(url)]
        )
        username = self._ask(self.say("init.user"))
        self.env = self._variable()
        erp = {"url": url, "acct_id": acct_id, "username": username}
        login, rules = await self._look_around(erp)
        source = self._choose(
            self.say("init.source"), _sources(rules), _default(_sources(rules), "PUR_PurchaseOrder")
        )
        targets = _targets(rules, source)
        target = self._choose(self.say("init.target"), targets, _default(targets, "STK_InStock"))
        rule = self._rule(rules, source, target)
        values = {**erp, "source": source, "target": target, "rule": rule}
        shown = {key: _toml(value) for key, value in values.items()}
        return {"login": login, "follow": self._follow(), **shown}

    def tell(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    # -- the site -----------------------------------------------------------------------------

    async def _look_around(self, erp: Mapping[str, str]) -> tuple[str, Sequence[Rule]]:
        """Log in, if that can be tried; return the lines for it, and the rules of the site."""
        login = f"password = {{ env = {_toml(self.env)} }}\n"
        secret = os.environ.get(self.env, "") or self._secret()
        if not secret:
            return login, []
        entered = await self._enter({**erp, "auth": "password", "password": secret})
        if entered is None:
            app_id = self._ask(self.say("init.app_id"), "-").strip("-")
            for auth in APP_LOGINS if app_id else ():
                keys = {"auth": auth, "app_id": app_id}
                entered = await self._enter({**erp, **keys, "app_secret": secret})
                # Where each is refused, the usual way of a third party stays.
                if entered is not None or auth == APP_LOGINS[0]:
                    login = "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())
                    login += f"app_secret = {{ env = {_toml(self.env)} }}\n"
                if entered is not None:
                    break
        return login, entered or []

    async def _enter(self, erp: Mapping[str, str]) -> Sequence[Rule] | None:
        """Log in one way, once; return the rules that are shown, or None if that is refused."""
        try:
            endpoint = _endpoint(erp)
            async with ErpClient(endpoint) as site:
                await site.open_session()
                self.tell(self.say("init.entered", auth=erp["auth"]))
                try:
                    return await site.rules()
                except LookFailedError as error:
                    self.tell(self.say("init.no_rules", why=error))
                    return []
        except (LoginRefusedError, SettingsError) as error:
            self.tell(self.say("init.refused", auth=erp["auth"], why=error))
            return None
        except ErpUnreachableError as error:
            self.tell(self.say("init.unreachable", why=error))
            return []

    def _rule(self, rules: Sequence[Rule], source: str, target: str) -> str:
        """Ask for the rule of a pair; the one that the ERP ships with, or the default, first."""
        pair = known_pair(source, target)
        usual = pair.rule if pair else f"{source}-{target}"
        mine = [each for each in _usable(rules) if each.is_of(source, target)]
        defaults = [each.number for each in mine if each.default]
        first = next(iter([*defaults, *(each.number for each in mine)]), usual)
        known = {each.number for each in mine} or {usual}
        options = [(each.number, each.name) for each in mine]
        return self._choose(
            self.say("init.rule"), options, usual if usual in known or not options else first
        )

    def _follow(self) -> str:
        """Ask how far documents are taken after their push; return the line for it."""
        steps = {
            "none": ("", self.say("init.follow_none")),
            "submit": ('follow = ["submit"]\n', self.say("init.follow_submit")),
            "audit": ('follow = ["submit", "audit"]\n', self.say("init.follow_audit")),
        }
        options = [(answer, meaning) for answer, (_, meaning) in steps.items()]
        answer = ""
        while answer not in steps:
            answer = self._choose(self.say("init.follow"), options, "none")
        return steps[answer][0]

    # -- asking -------------------------------------------------------------------------------

    def _choose(self, question: str, options: Sequence[Option], default: str = "") -> str:
        """Ask for one of several, by its place or as it is; anything else may be typed as well."""
        shown = options[:MOST_OFFERED]
        for place, (value, name) in enumerate(shown, start=1):
            self.tell(f"  {place}  {harmless(value)}  {harmless(name)}".rstrip())
        if len(options) > len(shown):
            self.tell(self.say("init.more", count=len(options) - len(shown)))
        first = default or next((value for value, _ in options), "")
        # What cannot be shown as it is, nobody agrees to by pressing Enter.
        first = first if harmless(first) == first else ""
        values = {value for value, _ in options}
        while True:
            answer = self._ask(question, first)
            # As short as the place of one that is shown; ids have more digits.
            is_place = answer.isascii() and answer.isdigit() and len(answer) <= LONGEST_PLACE
            if not (shown and is_place) or answer in values:
                return answer
            if 1 <= int(answer) <= len(shown):
                return shown[int(answer) - 1][0]

    def _address(self) -> str:
        """Ask for the site's address until one is given that the settings can hold.

        One that names a password among others is none of these, so it is never written.
        """
        while True:
            url = self._ask(self.say("init.url"), "https://example.ik3cloud.com/K3Cloud/")
            why = _fault_of_address(url)
            if not why:
                return url
            self.tell(self.say("error.line", what=why))

    def _variable(self) -> str:
        """Ask for a variable's name until one is given; a password that is typed is no name."""
        while True:
            name = self._ask(self.say("init.env"), "K3PUSH_PASSWORD")
            if is_variable_name(name):
                return name
            self.tell(self.say("error.line", what=self.say("init.no_variable")))

    def _ask(self, question: str, default: str = "") -> str:
        answer = ""
        while not answer or flaw_of(answer):
            answer = self._prompt(question, default or None) or ""
        return answer.strip()

    def _secret(self) -> str:
        """Ask for the password, of a person alone; it is used to look around, and forgotten."""
        if not sys.stdin.isatty():
            return ""
        with _ended_as_problem():
            # It hides what is typed before it asks; rich would ask first.
            return getpass(f"{self.say('init.secret')}: ", stream=sys.stderr)

    def _prompt(self, question: str, default: str | None) -> str | None:
        with _ended_as_problem():
            answer: str | None = Prompt.ask(question, console=self.console, default=default)
        return answer


@contextmanager
def _ended_as_problem() -> Iterator[None]:
    """Turn an end of the input into a problem, and let Ctrl-C end a question."""
    try:
        with ctrl_c_ends():
            yield
    except EOFError as error:
        raise Problem(remark("init.ended")) from error


def _endpoint(erp: Mapping[str, str]) -> Endpoint:
    """Return how settings that are not written yet reach the site, or raise `SettingsError`."""
    route = {"source": "A", "target": "B", "rule": "C"}
    settings = Settings.model_validate({"erp": dict(erp), "routes": {"default": route}})
    return next(iter(endpoints_of(settings).values()))


def _of_nobody(url: str) -> dict[str, str]:
    """Return `[erp]` of an address of which nothing else is known yet."""
    return {"url": url, "acct_id": "-", "username": "-", "password": "-"}


def _fault_of_address(url: str) -> str:
    """Say why no settings could hold an address, or "" where they could."""
    try:
        _endpoint(_of_nobody(url))
    except ValidationError as error:
        return remark_on_value(error.errors()[0])
    except SettingsError as error:
        return str(error)
    return ""


async def _account_sets(url: str) -> Sequence[AccountSet]:
    """Return the account sets that a site tells everybody of; none where it does not."""
    try:
        async with ErpClient(_endpoint(_of_nobody(url))) as site:
            return await site.account_sets()
    except LookFailedError:
        return []


def _usable(rules: Sequence[Rule]) -> Iterator[Rule]:
    return (rule for rule in rules if rule.source and rule.target and rule.enabled is not False)


def _forms(pairs: Sequence[tuple[str, bool]]) -> list[Option]:
    """Return forms, each once, those of pairs that k3push knows first."""
    known = {form for form, is_known in pairs if is_known}
    every = sorted({form for form, _ in pairs}, key=lambda form: (form not in known, form))
    return [(form, "") for form in every]


def _sources(rules: Sequence[Rule]) -> list[Option]:
    return _forms([(r.source, known_pair(r.source, r.target) is not None) for r in _usable(rules)])


def _targets(rules: Sequence[Rule], source: str) -> list[Option]:
    mine = [rule for rule in _usable(rules) if rule.is_of(source, "")]
    return _forms([(r.target, known_pair(r.source, r.target) is not None) for r in mine])


def _default(options: Sequence[Option], usual: str) -> str:
    """Return the usual answer, where it is among the options or nobody knows any."""
    return usual if not options or usual in dict(options) else ""


def _toml(text: str) -> str:
    """Write a text as a TOML string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
