from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from k3push.config import checked_values
from k3push.config.secret_values import Secret
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import (
    ErpSettings,
    FleetSettings,
    LedgerSettings,
    NotifySettings,
    OpenIdSettings,
    RouteSettings,
    RunSettings,
    ScheduleSettings,
    SelectSettings,
    ServeSettings,
    Settings,
    SettleSettings,
)
from k3push.config.settings_file import read_settings
from k3push.core.model import Route
from k3push.core.remark import remark
from k3push.runs.create import scope_of
from tests.said import english, refused

SHIPPED = Path(__file__).parents[2] / "config.toml"
SECRET = "do-not-show-me"

GOOD = """\
[erp]
url = "https://erp.example.com"
acct_id = "64f0"
username = "api"
password = { env = "ERP_PASSWORD" }
[run]
canary = true
[routes.in]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
"""


def read(folder: Path, text: str = GOOD, **environment: str) -> Settings:
    """Write a configuration file and read it."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path, environment)


def faults(folder: Path, text: str = GOOD, **environment: str) -> SettingsError:
    """Read a configuration file that cannot be used."""
    with pytest.raises(SettingsError) as raised:
        read(folder, text, **environment)
    return raised.value


# -- the file that is shipped ------------------------------------------------------------------


def test_the_shipped_file_is_valid() -> None:
    """It is the first that anybody runs."""
    settings = read_settings(SHIPPED, {})
    assert settings.erp.url == "http://127.0.0.1:8100/K3Cloud/"
    assert settings.folder == SHIPPED.parent
    assert settings.ledger_path == SHIPPED.parent / "ledger.db"


SECTIONS: dict[str, type[BaseModel]] = {
    "erp": ErpSettings,
    "ledger": LedgerSettings,
    "run": RunSettings,
    "settle": SettleSettings,
    "notify": NotifySettings,
    "serve": ServeSettings,
    "serve.openid": OpenIdSettings,
    "routes.po-instock": RouteSettings,
    "routes.po-instock.select": SelectSettings,
    "fleet": FleetSettings,
}


def shipped_keys(section: str) -> dict[str, str]:
    """Return the keys of a section with their text, commented ones included."""
    lines = SHIPPED.read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"[{section}]"))
    keys: dict[str, str] = {}
    for line in lines[start + 1 :]:
        if line.startswith("["):
            break
        name, equals, value = line.removeprefix("# ").partition(" = ")
        if equals and name.isidentifier():
            keys[name] = value
    return keys


@pytest.mark.parametrize("section", SECTIONS)
def test_the_shipped_file_names_every_key(section: str) -> None:
    """It is the manual of the settings; identities are tables of their own."""
    known = set(SECTIONS[section].model_fields) - {"identities", "select", "openid"}
    assert set(shipped_keys(section)) == known
    assert "# [[erp.identities]]\n" in SHIPPED.read_text("utf-8")


@pytest.mark.parametrize("section", SECTIONS)
def test_defaults_of_the_shipped_file_are_the_codes(section: str) -> None:
    """Deleting a line that was never changed must change nothing."""
    shipped: Any = tomllib.loads(SHIPPED.read_text("utf-8"))
    for part in section.split("."):
        shipped = shipped[part]
    own = {"url", "acct_id", "username", "password", "source", "target", "rule"}
    own -= {"url"} if section == "ledger" else set()
    # A known pair has it built in, which the next test holds it to.
    own |= {"source_number_field", "select", "openid"}
    values = {key: value for key, value in shipped.items() if key not in own}
    assert values
    for key, value in values.items():
        default = SECTIONS[section].model_fields[key].get_default(call_default_factory=True)
        shown = list(default) if isinstance(default, tuple) else default
        assert (key, value) == (key, shown)


def test_the_shipped_source_number_field_is_the_pairs_own() -> None:
    """Deleting that line changes nothing either."""
    given = read_settings(SHIPPED, {})
    route = given.routes["po-instock"].model_copy(update={"source_number_field": None})
    without = given.model_copy(update={"routes": {"po-instock": route}})
    assert without.route(None) == given.route(None)


# -- the environment ---------------------------------------------------------------------------


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """Containers are set up that way; values are text or JSON."""
    settings = read(
        tmp_path,
        K3PUSH_RUN__CHUNK_SIZE="50",
        k3push_run__canary="false",
        K3PUSH_SETTLE__POLL_S="2.5",
        K3PUSH_NOTIFY__ON='["halt"]',
        K3PUSH_ERP__PASSWORD='{"file": "pw"}',
        K3PUSH_ROUTES__IN__BLOCKED="send",
        K3PUSH_ERP__USERNAME="[api",
    )
    assert (settings.run.chunk_size, settings.run.canary) == (50, False)
    assert (settings.settle.poll_s, settings.notify.on) == (2.5, ("halt",))
    assert settings.erp.password is not None
    assert settings.erp.password.kind == "file"
    assert settings.routes["in"].blocked == "send"
    assert settings.erp.username == "[api"


def test_a_hyphen_in_the_name_of_a_route_is_an_underscore_in_a_variable(tmp_path: Path) -> None:
    """A shell takes no hyphen in a name."""
    text = changed("[routes.in]", "[routes.po-instock]")
    settings = read(tmp_path, text, K3PUSH_ROUTES__PO_INSTOCK__BLOCKED="send")
    assert [(name, route.blocked) for name, route in settings.routes.items()] == [
        ("po-instock", "send")
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{ env = "ERP_PASSWORD" }', "env"),
        ('{command=["pass", "erp"]}', "command"),
        ("{env}", "plain"),
        ("{environment}=1", "plain"),
    ],
)
def test_a_secret_in_the_environment_is_written_as_in_the_file(
    tmp_path: Path, text: str, kind: str
) -> None:
    """Taken for the password itself it would cost a login, and five lock the account."""
    secret = read(tmp_path, K3PUSH_ERP__PASSWORD=text).erp.password
    assert secret is not None
    assert secret.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        " {env:ERP_PASSWORD}",
        "{env:ERP_PASSWORD}",
        "{ env = ERP_PASSWORD }",
        '{"file": "a',
        '{env = "A"}\nb = 1',
    ],
)
def test_a_secret_whose_quotation_marks_a_shell_has_taken_is_no_password(
    tmp_path: Path, text: str
) -> None:
    """`K3PUSH_ERP__PASSWORD={"env":"ERP_PASSWORD"}` is typed by whoever follows the page."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, K3PUSH_ERP__PASSWORD=text)
    said = english(caught.value)
    assert said.startswith("environment: K3PUSH_ERP__PASSWORD: begins as a secret"), said
    assert text not in said


@pytest.mark.parametrize(
    ("text", "verify"), [("true", True), ("FALSE", False), ("0", False), ("ca.pem", "ca.pem")]
)
def test_certificates_can_be_set_from_the_environment(
    tmp_path: Path,
    text: str,
    verify: bool | str,  # noqa: FBT001
) -> None:
    """`false` is a word there, and not the name of a file."""
    assert read(tmp_path, K3PUSH_ERP__VERIFY=text).erp.verify == verify


def test_other_variables_are_passed_over(tmp_path: Path) -> None:
    """Secrets may stand in variables that begin the same way."""
    read(tmp_path, K3PUSH_APP_SECRET="x", PATH="/bin", MY_K3PUSH_RUN__CANARY="x")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("K3PUSH_RUN__CHUNKSIZE", "did you mean 'chunk_size'?"),
        ("K3PUSH_RUNS__CANARY", "did you mean 'run'?"),
        ("K3PUSH_RUNN__CANARY", "(with K3PUSH_RUNN__CANARY)"),
        ("K3PUSH_ROUTES__INN__RULE", "(with K3PUSH_ROUTES__INN__RULE)"),
        ("K3PUSH_RUN__CANARY__X", "names no setting"),
        ("K3PUSH_RUN__", "unknown key"),
    ],
)
def test_a_variable_that_names_no_setting_is_an_error(
    tmp_path: Path, name: str, words: str
) -> None:
    """A misspelt override would be passed over in silence."""
    assert words in english(faults(tmp_path, **{name: "5"}))


def test_a_line_is_counted_as_editors_count_it(tmp_path: Path) -> None:
    """A separator that was pasted into a comment begins no line."""
    (fault,) = faults(tmp_path, f"# one\u2028two\x85three\n{GOOD}".replace("true", "5")).faults
    assert (fault.key, fault.line) == ("run.canary", 8)


def test_a_bad_value_from_the_environment_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """Whoever reads line 7 finds nothing wrong there."""
    error = faults(tmp_path, K3PUSH_RUN__CANARY="perhaps")
    assert [fault.key for fault in error.faults] == ["run.canary"]
    assert "K3PUSH_RUN__CANARY" in english(error)
    assert "line" not in english(error)


def test_a_number_beyond_64_bits_from_the_environment_is_a_fault(tmp_path: Path) -> None:
    """A variable is text until its setting is read; the ledger could not hold it."""
    name = "K3PUSH_ROUTES__IN__TARGET_ORG_ID"
    error = faults(tmp_path, **{name: str(1 << 63)})
    assert [fault.key for fault in error.faults] == ["routes.in.target_org_id"]
    assert "64 bits" in english(error)


# -- what is wrong, where, and the cure --------------------------------------------------------


def changed(old: str, new: str) -> str:
    """Change the good file."""
    assert old in GOOD
    return GOOD.replace(old, new)


RUN = "canary = true"
ROUTE = 'rule = "PUR_PurchaseOrder-STK_InStock"'
PASSWORD = 'password = { env = "ERP_PASSWORD" }'

MORE = '[[erp.identities]]\nusername = "api2"\n'

TWICE = '[ledger]\nurl = "postgresql://u:p@h/d"\npassword = "p"\n'
BAD: list[tuple[str, str, str, int | None, str]] = [
    ('"https://erp.example.com"', '"erp.example.com"', "erp.url", 2, "http://"),
    ('"https://erp.example.com"', '"ftp://erp"', "erp.url", 2, "http://"),
    ('"https://erp.example.com"', '"https://"', "erp.url", 2, "host"),
    ('"https://erp.example.com"', '"https://me:pw@erp.com"', "erp.url", 2, "their own keys"),
    ('"https://erp.example.com"', '"https://erp:port"', "erp.url", 2, "no host"),
    ('"https://erp.example.com"', '"https://erp .com"', "erp.url", 2, "must end"),
    ('"https://erp.example.com"', '"https://erp/site/?a=1"', "erp.url", 2, "must end"),
    ('"https://erp.example.com"', '"https://[erp"', "erp.url", 2, "no address"),
    ('"https://erp.example.com"', "7", "erp.url", 2, "must be text"),
    ('acct_id = "64f0"\n', "", "erp.acct_id", 1, "is missing"),
    ('acct_id = "64f0"', 'acct_id = ""', "erp.acct_id", 3, "not be empty"),
    ('acct_id = "64f0"', 'acctid = "64f0"', "erp.acctid", 3, "did you mean 'acct_id'?"),
    ('username = "api"', 'username = ""', "erp.username", 4, "not be empty"),
    ('username = "api"', 'username = "api"\nauth = "oauth"', "erp.auth", 5, "'password'"),
    ('username = "api"', 'username = "api"\nencoding = "xml"', "erp.encoding", 5, "'json'"),
    ('username = "api"', 'username = "api"\nverify = 7', "erp.verify", 5, "must be true or false"),
    ('username = "api"', 'username = "api"\nlcid = "x"', "erp.lcid", 5, "whole number"),
    (
        'username = "api"',
        'username = "api"\nanswer_timeout_s = 0',
        "erp.answer_timeout_s",
        5,
        "above 0",
    ),
    (PASSWORD, "", "erp.password", 1, 'is needed for auth = "password"'),
    (PASSWORD, 'auth = "sign"', "erp.app_id", 1, 'is needed for auth = "sign"'),
    (PASSWORD, 'auth = "sign"', "erp.app_secret", 1, "is needed"),
    (PASSWORD, f'password = {{ envv = "{SECRET}" }}', "erp.password", 5, "keyring"),
    (PASSWORD, 'password = { env = "A", file = "B" }', "erp.password", 5, "env"),
    (PASSWORD, 'password = { command = "pass erp" }', "erp.password", 5, "command"),
    (PASSWORD, "password = { command = [] }", "erp.password", 5, "command"),
    (PASSWORD, "password = 1234", "erp.password", 5, "env"),
    (RUN, 'chunk_size = "many"', "run.chunk_size", 7, "auto"),
    (RUN, "chunk_size = 0", "run.chunk_size", 7, "from 1 to 10000"),
    (RUN, "chunk_size = 10001", "run.chunk_size", 7, "10000"),
    (RUN, "concurrency = 257", "run.concurrency", 7, "256"),
    (RUN, "max_attempts = 0", "run.max_attempts", 7, "1"),
    (RUN, "max_attempts = true", "run.max_attempts", 7, "whole number"),
    (RUN, "[settle]\nfirst_wait_s = true", "settle.first_wait_s", 8, "must be a number"),
    (RUN, "canary = 7", "run.canary", 7, "true or false"),
    (RUN, 'halt = "fail=20"\nhalts = ""', "run.halts", 8, "did you mean 'halt'?"),
    (RUN, 'halt = "fails=20%"', "run.halt", 7, "use fail=20%,min=50"),
    (RUN, "max_calls_per_minute = -1", "run.max_calls_per_minute", 7, "at least 0"),
    (RUN, 'window = "20:00"', "run.window", 7, 'use two times such as "20:00-06:00"'),
    (RUN, 'window = "20:00-25:00"', "run.window", 7, 'use times from "00:00" to "24:00"'),
    (RUN, 'window = "06:00-06:00"', "run.window", 7, 'use "" to send at any time'),
    ("[run]", f"{MORE}[run]", "erp.identities.0.password", 6, 'needed for auth = "password"'),
    ("[run]", f"{MORE}passwort = 'x'\n[run]", "erp.identities.0.passwort", 8, "'password'"),
    ("[run]", MORE + MORE.replace("api2", "") + "[run]", "erp.identities.1.username", 9, "not be"),
    ("[run]", MORE.replace("api2", "API") + "[run]", "erp.identities.0.username", 7, "already"),
    ("[run]", MORE * 2 + "[run]", "erp.identities.1.username", 9, "already"),
    ("[run]", '[erp.identities]\nusername = "api2"\n[run]', "erp.identities", 6, "a list"),
    ("[run]", "[runs]", "runs", 6, "did you mean 'run'?"),
    (
        "[run]",
        '[schedules.n]\ncron = "0 20 * * *"\njobs = ["select", "inbox"]\n[run]',
        "schedules.n.jobs",
        8,
        "stands alone",
    ),
    ("[run]", '[ledger]\nurl = "ledger.db"\n[run]', "ledger.url", 7, "sqlite:///"),
    ("[run]", '[ledger]\nurl = "sqlite:///"\n[run]', "ledger.url", 7, "sqlite:///"),
    ("[run]", '[ledger]\nurl = "sqlite:///a.db?mode=ro"\n[run]', "ledger.url", 7, "options behind"),
    ("[run]", '[ledger]\nurl = "sqlite:///:memory:"\n[run]', "ledger.url", 7, "is a file"),
    ("[run]", '[ledger]\nurl = "postgresql://h"\n[run]', "ledger.url", 7, "the database"),
    ("[run]", '[ledger]\npassword = "x"\n[run]', "ledger.password", 7, "in PostgreSQL"),
    ("[run]", f"{TWICE}[run]", "ledger.password", 8, "keep one"),
    ("[run]", "[settle]\npoll_s = 0\n[run]", "settle.poll_s", 7, "above 0"),
    ("[run]", "[settle]\npoll_s = inf\n[run]", "settle.poll_s", 7, "finite"),
    ("[run]", "[settle]\nwindow_s = -1\n[run]", "settle.window_s", 7, "above 0"),
    ("[run]", "[settle]\nwindow_s = 1e9\n[run]", "settle.window_s", 7, "604800"),
    ("[run]", "[settle]\nwindow_s = 310\n[run]", "settle.window_s", 7, "above 310"),
    ("[run]", "[settle]\nfirst_wait_s = 601\n[run]", "settle.first_wait_s", 7, "above settle.w"),
    ("[run]", "[settle]\npoll_s = 601\n[run]", "settle.poll_s", 7, "above settle.window_s"),
    ('"https://erp.example.com"', '"http://x..y"', "erp.url", 2, "no host can be named 'x..y'"),
    (
        '"https://erp.example.com"',
        f'"http://{"a" * 300}.com"',
        "erp.url",
        2,
        "no host can be named",
    ),
    ('"https://erp.example.com"', '"http://256.1.1.1"', "erp.url", 2, "256.1.1.1"),
    ('"https://erp.example.com"', '"http://a\\u0000b"', "erp.url", 2, "NUL"),
    (RUN, "max_attempts = 9223372036854775808", "run.max_attempts", 7, "64 bits"),
    (RUN, "max_attempts = 1001", "run.max_attempts", 7, "1000"),
    (RUN, "max_calls_per_minute = 100001", "run.max_calls_per_minute", 7, "100000"),
    (RUN, 'halt = "min=50"', "run.halt", 7, "min=N counts for fail=N% alone"),
    (RUN, 'halt = "fail=101%"', "run.halt", 7, "at most fail=100%"),
    (RUN, f"window = {'[' * 40}{']' * 40}", "run.window", 7, "nested more than 32 deep"),
    (ROUTE, f'{ROUTE}\nsource_number_field = "FID"', "routes.in.source_number_field", 12, "itself"),
    (
        ROUTE,
        f"{ROUTE}\n[routes.in.custom_params]\na = 2026-01-01",
        "routes.in.custom_params.a",
        13,
        "quotation",
    ),
    ("[run]", '[notify]\non = ["end"]\n[run]', "notify.on", 7, "'finish'"),
    (ROUTE, "", "routes.in.rule", 8, "default_rule"),
    (ROUTE, f"{ROUTE}\ndefault_rule = true", "routes.in.rule", 11, "either"),
    (ROUTE, f'{ROUTE}\nblocked = "maybe"', "routes.in.blocked", 12, "'skip'"),
    (ROUTE, f'{ROUTE}\nfollow = ["audit"]', "routes.in.follow", 12, "in this order"),
    (ROUTE, f'{ROUTE}\nfollow = ["approve"]', "routes.in.follow", 12, "'submit'"),
    (ROUTE, f'{ROUTE}\ntargt = "x"', "routes.in.targt", 12, "did you mean 'target'?"),
    ('target = "STK_InStock"\n', "", "routes.in.target", 8, "is missing"),
    (GOOD[GOOD.index("[routes.in]") :], "", "routes", None, "is missing"),
    (GOOD[: GOOD.index("[run]")], "", "erp", None, "is missing"),
]


@pytest.mark.parametrize("bad", BAD, ids=[f"{each[2]} {each[4]}" for each in BAD])
def test_a_fault_names_its_key_its_line_and_the_cure(
    tmp_path: Path, bad: tuple[str, str, str, int | None, str]
) -> None:
    """The administrator has the file open, and not our source."""
    old, new, key, line, words = bad
    error = faults(tmp_path, changed(old, new))
    places = {(fault.key, fault.line) for fault in error.faults}
    assert (key, line) in places
    assert words in " ".join(english(fault.what) for fault in error.faults if fault.key == key)
    assert f"config.toml{f', line {line}' if line else ''}: {key}: " in english(error)
    assert SECRET not in english(error)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Nobody wants to find them one run at a time."""
    text = changed(RUN, "canary = 7\nhalt = 'x'").replace("acct_id", "acctid")
    assert {fault.key for fault in faults(tmp_path, text).faults} == {
        "erp.acctid",
        "erp.acct_id",
        "run.canary",
        "run.halt",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[erp\n", "no valid TOML"),
        (b"a = 1\na = 2\n", "line 2: no valid TOML: Cannot overwrite a value"),
        ("[erp]\n[routes.采购入库]\n".encode(), r'line 2: a name with .* in TOML: "采购入库"'),
        (b"[run]\n\n[run]\n", r"line 3: the section \[run\] is there twice"),
        ("[erp]\nusername = “webapi”\n".encode(), r"line 2: full-width marks \(“ ”\) are no part"),
        ("[run]\ncanary = yes  # 首张，试探".encode(), "line 2: no valid TOML: Invalid value"),
        ("[run]\ncanary ＝ true\n".encode(), r"line 2: full-width marks \(＝\) are no part"),
        ("# 采购".encode("gb18030"), "save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    """Editors of Windows save in another encoding."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with refused(SettingsError, words):
        read_settings(path, {})


@pytest.mark.parametrize(
    "text",
    [
        "password: 密码abc123",
        "password：密码abc123",
        "password 密码abc123",
        "password: pässw0rd",
        "password: 密码abc=123",
        'password = """\n密码abc\\q"""',
        'password = """\n密码abc=1\\q"""',
        "urls = [\n密码abc]",
        "urls = [\n[密码abc]]",
        "password = 密码abc",
    ],
)
def test_what_is_no_toml_shows_no_value(tmp_path: Path, text: str) -> None:
    """It may be a secret, and a fault is printed, logged and asked about."""
    path = tmp_path / "config.toml"
    path.write_text(f"[erp]\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"setting\.no_toml") as caught:
        read_settings(path, {})
    assert not re.search("密码|ssw0rd", str(caught.value))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It may have been looked for in another folder."""
    with refused(SettingsError, r"nowhere\.toml"):
        read_settings(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize("blank", [" {}", "{} ", "\u3000{}\u00a0"])
def test_blanks_around_a_name_make_no_other_bills_of_an_account_and_its_forms(
    tmp_path: Path, blank: str
) -> None:
    """Many an ERP takes them for the same, so that claims have to meet."""
    text = GOOD
    for name in ("64f0", "PUR_PurchaseOrder", "STK_InStock"):
        text = text.replace(f'"{name}"', f'"{blank.format(name)}"')
    odd, even = read(tmp_path, text), read(tmp_path)
    scopes = {scope_of(each.erp.acct_id, each.route("in")) for each in (odd, even)}
    assert len(scopes) == 1
    assert odd.route("in").source_tables == even.route("in").source_tables


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Notepad writes one."""
    assert read(tmp_path, "\ufeff" + GOOD).erp.acct_id == "64f0"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://erp.example.com", "https://erp.example.com/K3Cloud/"),
        ("http://erp:8080/", "http://erp:8080/K3Cloud/"),
        ("https://erp/k3cloud", "https://erp/k3cloud/"),
        ("HTTPS://erp/K3Cloud/", "HTTPS://erp/K3Cloud/"),
        ("https://erp/site/K3Cloud", "https://erp/site/K3Cloud/"),
        ("http://erp/k3cloud/html5/index.aspx", "http://erp/k3cloud/"),
        ("https://erp/site/K3Cloud/html5/dform.aspx?ud=1#x", "https://erp/site/K3Cloud/"),
        ("https://erp/k3cloudy", "https://erp/k3cloudy/K3Cloud/"),
    ],
)
def test_an_address_is_completed(tmp_path: Path, given: str, url: str) -> None:
    """People copy it with and without its end (P 1.1)."""
    assert read(tmp_path, changed("https://erp.example.com", given)).erp.url == url


# -- routes ------------------------------------------------------------------------------------


def test_the_only_route_needs_no_name(tmp_path: Path) -> None:
    """Most files have one; the field of a known pair is built in."""
    assert read(tmp_path).route(None) == Route(
        "in",
        "PUR_PurchaseOrder",
        "STK_InStock",
        "PUR_PurchaseOrder-STK_InStock",
        "FSRCBillNo",
    )


@pytest.mark.parametrize(("given", "field"), [('""', ""), ('"FMine"', "FMine")])
def test_a_source_number_field_that_is_given_wins(tmp_path: Path, given: str, field: str) -> None:
    """An empty one says that there is none."""
    text = changed(ROUTE, f"{ROUTE}\nsource_number_field = {given}")
    assert read(tmp_path, text).route("in").source_number_field == field


def test_a_pair_that_is_not_known_has_no_field(tmp_path: Path) -> None:
    """It is not guessed at."""
    assert read(tmp_path, changed("STK_InStock", "X_Y")).route("in").source_number_field == ""


def test_a_route_must_be_named_where_there_are_two(tmp_path: Path) -> None:
    """Taking the first would push into the wrong form."""
    two = read(tmp_path, GOOD + GOOD[GOOD.index("[routes.in]") :].replace("in]", "out]"))
    with refused(SettingsError, "name one of: in, out"):
        two.route(None)
    with refused(SettingsError, "did you mean 'out'"):
        two.route("outt")


# -- secrets -----------------------------------------------------------------------------------


def secret_of(folder: Path, text: str) -> Secret:
    """Read the password's setting."""
    secret = read(folder, changed(PASSWORD, f"password = {text}")).erp.password
    assert secret is not None
    return secret


def test_a_secret_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is used, and not before."""
    secret = secret_of(tmp_path, '{ env = "ERP_PASSWORD" }')
    monkeypatch.setenv("ERP_PASSWORD", SECRET)
    assert secret.resolve("erp.password", tmp_path / "config.toml") == SECRET


def test_a_secret_comes_from_a_file_beside_the_settings(tmp_path: Path) -> None:
    """Its last line end does not count."""
    (tmp_path / "pw").write_text(f"{SECRET}\n", encoding="utf-8")
    secret = secret_of(tmp_path, '{ file = "pw" }')
    assert secret.resolve("erp.password", tmp_path / "config.toml") == SECRET


def test_a_secret_comes_from_a_command(tmp_path: Path) -> None:
    """No shell reads the words."""
    words = [sys.executable, "-c", f"print('{SECRET}')"]
    secret = secret_of(tmp_path, "{ command = [" + ", ".join(f'"{w}"' for w in words) + "] }")
    assert secret.resolve("erp.password", tmp_path / "config.toml") == SECRET


class Keyring(ModuleType):
    """Stands for the package of that name.

    Args:
        says: What it answers, or raises.
    """

    class KeyringError(Exception):
        """Its own error, which is no OSError."""

    def __init__(self, says: str | Exception | None) -> None:
        super().__init__("keyring")
        self._says = says
        self.errors = self
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, name: str) -> str | None:
        """Answer."""
        self.asked.append((service, name))
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


def test_a_secret_comes_from_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name that the settings give it."""
    keyring = Keyring(SECRET)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    secret = secret_of(tmp_path, '{ keyring = "erp" }')
    assert secret.resolve("erp.password", tmp_path / "config.toml") == SECRET
    assert keyring.asked == [("k3push", "erp")]


@pytest.mark.parametrize(
    ("keyring", "told"),
    [
        (None, " needs a package: pip install 'k3push[keyring]'"),
        (Keyring(None), " has no such entry, or an empty one; store it with `k3push login set`"),
        (Keyring(Keyring.KeyringError(SECRET)), "(KeyringError)"),
        (Keyring(RuntimeError(SECRET)), "(RuntimeError)"),
    ],
)
def test_a_keyring_without_the_secret_is_a_fault_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyring: ModuleType | None, told: str
) -> None:
    """It is not installed, does not know the name, or is locked: its back end's word says which."""
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    secret = secret_of(tmp_path, '{ keyring = "erp" }')
    with refused(SettingsError, rf"erp\.password: keyring.*{re.escape(told)}"):
        secret.resolve("erp.password", tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (f'{{ file = "no/{SECRET}" }}', r"file gave no secret \(No such file"),
        (f'{{ command = ["no-such-program", "{SECRET}"] }}', r"gave no secret \(No such file"),
        (
            f"{{ command = ['{sys.executable}', '-c', 'print(\"{SECRET}\"); exit(3)'] }}",
            r"gave no secret \(exit 3\)",
        ),
    ],
)
def test_a_secret_that_is_not_there_says_why(tmp_path: Path, where: str, told: str) -> None:
    """A kind of exception was named, which is for those who know Python."""
    with refused(SettingsError, told) as caught:
        secret_of(tmp_path, where).resolve("erp.password", tmp_path / "config.toml")
    assert SECRET not in english(str(caught.value))


def test_each_user_has_a_secret_of_its_own(tmp_path: Path) -> None:
    """With an application's secret the users need none."""
    more = '[[erp.identities]]\nusername = "api2"\npassword = { keyring = "two" }\n[run]'
    settings = read(tmp_path, changed("[run]", more))
    assert [user.username for user in settings.erp.users] == ["api", "api2"]
    assert settings.keyring_entries == ["two"]
    by_app = 'auth = "sign"\napp_id = "a_b"\napp_secret = { keyring = "app" }'
    text = changed(PASSWORD, by_app).replace("[run]", f"{MORE}[run]")
    assert [user.password for user in read(tmp_path, text).erp.users] == [None, None]
    given = '[{"username": "api3", "password": {"env": "THREE"}}]'
    from_environment = read(tmp_path, GOOD, K3PUSH_ERP__IDENTITIES=given)
    assert [user.username for user in from_environment.erp.users] == ["api", "api3"]


def test_a_plain_secret_is_known_as_such(tmp_path: Path) -> None:
    """It works, and a warning is due."""
    settings = read(tmp_path, changed(PASSWORD, f'password = "{SECRET}"'))
    assert settings.plain_secrets == ["erp.password"]
    assert settings.erp.password is not None
    assert settings.erp.password.resolve("erp.password", tmp_path / "config.toml") == SECRET
    assert read(tmp_path).plain_secrets == []
    # A variable of the environment is no file.
    assert read(tmp_path, GOOD, K3PUSH_ERP__PASSWORD=SECRET).plain_secrets == []
    given = json.dumps([{"username": "api3", "password": SECRET}])
    assert read(tmp_path, GOOD, K3PUSH_ERP__IDENTITIES=given).plain_secrets == []


@pytest.mark.parametrize(
    "text",
    [
        '{ env = "ERP_PASSWORD" }',
        '{ file = "nowhere" }',
        '{ file = "empty" }',
        '{ file = "binary" }',
        '{ command = ["k3push-no-such-command"] }',
        f'{{ command = [{sys.executable!r}, "-c", "print({SECRET!r}); raise SystemExit(3)"] }}',
        f'{{ command = [{sys.executable!r}, "-c", ""] }}',
        '""',
    ],
)
def test_a_secret_that_is_not_there_names_its_key_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A command's output may be half of the secret."""
    monkeypatch.delenv("ERP_PASSWORD", raising=False)
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    secret = secret_of(tmp_path, text)
    with refused(SettingsError, r"erp\.password") as raised:
        secret.resolve("erp.password", tmp_path / "config.toml")
    assert SECRET not in english(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


@pytest.mark.parametrize("typed", ["S3cr3t-pw-xyz", "2brave", "Geheim!", "密码", "a b"])
def test_what_can_be_no_variables_name_is_not_shown(tmp_path: Path, typed: str) -> None:
    """Somebody has written the secret where its variable is to be named."""
    secret = secret_of(tmp_path, f'{{ env = "{typed}" }}')
    with refused(SettingsError, r"erp\.password") as raised:
        secret.resolve("erp.password", tmp_path / "config.toml")
    told = english(raised.value)
    assert "the name of an environment variable" in told
    assert typed not in told


def test_no_text_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    """They are written into logs and tracebacks."""
    more = f'[[erp.identities]]\nusername = "api2"\npassword = "{SECRET}"\n[run]'
    text = changed(PASSWORD, f'password = "{SECRET}"\napp_secret = "{SECRET}"')
    settings = read(tmp_path, text.replace("[run]", more))
    assert settings.plain_secrets == [
        "erp.app_secret",
        "erp.password",
        "erp.identities.0.password",
    ]
    shown = f"{settings} {settings!r} {settings.erp} {settings.erp.users}"
    assert SECRET not in shown
    assert SECRET not in str(settings.model_dump())
    assert SECRET not in repr([Secret("plain", SECRET)])


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://k3push:{SECRET}@db.example.com:5433/nights",
        f"postgres://k3push@db.example.com:5433/nights?sslmode=require&password={SECRET}",
    ],
)
def test_the_password_of_the_ledger_is_shown_nowhere(tmp_path: Path, url: str) -> None:
    """Its place stands in plans, logs and errors."""
    settings = read(tmp_path, GOOD.replace("[run]", f'[ledger]\nurl = "{url}"\n[run]'))
    assert settings.ledger_path is None
    assert settings.ledger_place == "postgresql://k3push@db.example.com:5433/nights"
    assert settings.plain_secrets == ["ledger.url"]
    shown = f"{settings} {settings!r} {settings.ledger!r} {settings.model_dump()}"
    assert SECRET not in shown


@pytest.mark.parametrize("letter", list("/?#[]@:"))
@pytest.mark.parametrize("key", ["ledger.url", "fleet.database"])
def test_a_password_that_breaks_its_url_is_told_and_shown_nowhere(
    tmp_path: Path, letter: str, key: str
) -> None:
    """What stands behind it would pass for a host or a database, and be printed."""
    url = f"postgresql://k3push:{SECRET}{letter}{SECRET}@db.example.com/nights"
    section, _, name = key.partition(".")
    text = GOOD.replace("[run]", f'[{section}]\n{name} = "{url}"\n[run]')
    if letter == ":":
        settings = read(tmp_path, text)
        assert settings.plain_secrets == [key]
        assert SECRET not in f"{settings} {settings.ledger_place} {settings.model_dump()}"
        return
    with refused(SettingsError, f"{key}: this is no URL of PostgreSQL") as caught:
        read(tmp_path, text)
    assert SECRET not in english(caught.value)


def test_the_ledgers_password_may_be_kept_where_others_are(tmp_path: Path) -> None:
    """A plain one is warned about, as in `[erp]`; one in the keyring `login set` asks for."""
    section = '[ledger]\nurl = "postgresql://u@h/d"\npassword = {}\n[run]'
    plain = read(tmp_path, GOOD.replace("[run]", section.format(f'"{SECRET}"')))
    assert plain.plain_secrets == ["ledger.password"]
    kept = read(tmp_path, GOOD.replace("[run]", section.format('{ keyring = "ledger" }')))
    assert kept.plain_secrets == []
    assert "ledger" in kept.keyring_entries


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (
            'password = "long enough"\nuser_header = "X-User"\ntrusted_proxies = ["10.0.0.5"]',
            "serve.password: give either",
        ),
        ('user_header = "X-User"', "serve.trusted_proxies: is needed"),
        ('user_header = "X User"', "serve.user_header: name a header"),
        ('trusted_proxies = ["proxy"]', "serve.trusted_proxies: 'proxy'"),
        ('hosts = [""]', "serve.hosts: '' is no host name"),
        ('hosts = ["*"]', "serve.hosts: '*' is no host name"),
        ('hosts = ["erp.example.com:8200"]', "without a port"),
        ('hosts = ["https://erp.example.com"]', "serve.hosts: 'https"),
        (
            'password = "long enough"\nopenid = { issuer = "https://id" }',
            "serve.openid: stands alone",
        ),
        ('openid = { issuer = "https://id" }', "serve.openid.client_secret: [serve.openid] needs"),
        ('openid = { issuer = "http://id.example.com" }', "serve.openid.issuer: is the provider's"),
        ('openid = { client_id = "a" }', "serve.openid.issuer: [serve.openid] needs issuer"),
        ('openid = { issuer = "https://id" }', "serve.roles: is needed with [serve.openid]"),
        (
            'openid = { issuer = "https://id", roles_claim = "groups" }',
            "serve.openid.roles: roles and roles_claim go together",
        ),
        ("pasword = 1", "did you mean 'password'?"),
        ("four_eyes = true", "serve.four_eyes: needs to know who somebody is"),
        (
            'password = "long enough"\nroles = { li = "approve" }',
            "serve.roles: needs to know who somebody is",
        ),
        ('roles = { li = "boss" }', "serve.roles.li: use one of: 'view'"),
        (
            'password = "long enough"\npasswords = { li = "long enough" }',
            "serve.passwords: give passwords by name, or one for all",
        ),
        (
            'passwords = { li = "long enough" }\nroles = { wang = "view" }',
            "serve.roles.wang: 'wang' has no password",
        ),
    ],
)
def test_a_door_that_is_half_closed_is_refused(tmp_path: Path, lines: str, what: str) -> None:
    """The dashboard can stop runs, and a gap in its settings looks closed."""
    assert what in english(faults(tmp_path, f"{GOOD}[serve]\n{lines}\n"))


def test_the_dashboards_secrets_are_secrets(tmp_path: Path) -> None:
    """They are warned about in the file, and stored by `login set`."""
    lines = '[serve]\npassword = "plain as day"\nmetrics_token = { keyring = "collector" }\n'
    settings = read(tmp_path, f"{GOOD}{lines}")
    assert settings.plain_secrets == ["serve.password"]
    assert settings.keyring_entries == ["collector"]
    assert "plain as day" not in repr(settings)


# -- schedules ---------------------------------------------------------------------------------

SCHEDULE = """
[schedules.nightly]
cron = "0 20 * * 1-5"
jobs = "inbox"
route = "in"
window = "20:00-06:00"
"""


def test_the_shipped_file_names_every_key_of_a_schedule() -> None:
    """It is the manual of the settings, though the sandbox's file has no schedule."""
    shipped = SHIPPED.read_text("utf-8").partition("[schedules.nightly]")[2]
    assert set(re.findall(r"^#   (\w+) =", shipped, re.MULTILINE)) == set(
        ScheduleSettings.model_fields
    )


def test_a_schedule_is_read(tmp_path: Path) -> None:
    """One folder may stand without brackets."""
    nightly = read(tmp_path, GOOD + SCHEDULE).schedules["nightly"]
    assert nightly.jobs == ("inbox",)
    assert nightly.due is not None
    assert nightly.due.zone.key == "Asia/Shanghai"


@pytest.mark.parametrize("name", ["", "  "])
def test_a_route_has_a_name(tmp_path: Path, name: str) -> None:
    """A line that names no route would ask for that one."""
    (fault,) = faults(tmp_path, GOOD.replace("[routes.in]", f'[routes."{name}"]')).faults
    assert (fault.key, "name of a route" in english(fault.what)) == ("routes", True)


@pytest.mark.parametrize(
    ("good", "bad", "key", "what"),
    [
        ('"0 20 * * 1-5"', '"0 25 * * *"', "cron", "bad hour"),
        ('jobs = "inbox"', "jobs = []", "jobs", "not be empty"),
        ('jobs = "inbox"', 'jobs = ""', "jobs", "not be empty"),
        ('jobs = "inbox"', 'jobs = ["inbox", " "]', "jobs", "not be empty"),
        ('route = "in"', 'route = "inn"', "route", "did you mean 'in'"),
        ('"20:00-06:00"', '"20-6"', "window", "20:00-06:00"),
        ('route = "in"', 'rout = "in"', "rout", "did you mean 'route'"),
        ('route = "in"', 'time_zone = "Asia/Peking"', "time_zone", "Asia/Shanghai"),
    ],
)
def test_a_fault_of_a_schedule_is_told_by_key_and_line(
    tmp_path: Path, good: str, bad: str, key: str, what: str
) -> None:
    """A schedule that cannot be read is found by whoever writes it, and not in the night."""
    error = faults(tmp_path, GOOD + SCHEDULE.replace(good, bad))
    (fault,) = error.faults
    assert fault.key == f"schedules.nightly.{key}"
    assert fault.line is not None
    assert what in english(fault.what)


def test_a_schedule_of_no_zone_is_refused_where_the_machine_knows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zone that it then has is none there; a server would begin, and push nothing at night."""

    def no_zones(name: str) -> None:
        raise ValueError(remark("cron.no_zones", name=name))

    monkeypatch.setattr(checked_values, "zone_of", no_zones)
    (fault,) = faults(tmp_path, GOOD + SCHEDULE).faults
    assert fault.key == "schedules.nightly.time_zone"
    assert "pip install tzdata" in english(fault.what)


# -- what no wait and no value may be ------------------------------------------------------------


def test_a_window_shorter_than_a_call_names_the_variable_that_made_it_so(tmp_path: Path) -> None:
    """The file may be right, and the fault in the unit that starts k3push."""
    error = faults(tmp_path, K3PUSH_ERP__ANSWER_TIMEOUT_S="590")
    assert "settle.window_s: must be above 600" in english(error)
    assert "K3PUSH_ERP__ANSWER_TIMEOUT_S" in english(error)
    error = faults(tmp_path, K3PUSH_SETTLE__WINDOW_S="300")
    assert "(from K3PUSH_SETTLE__WINDOW_S)" in english(error)
    assert read(tmp_path, K3PUSH_SETTLE__WINDOW_S="310.5").settle.window_s == 310.5


@pytest.mark.parametrize("name", ["FBillNo", "fbillno", " FBILLNO ", "FID", "fId"])
def test_the_number_of_the_target_itself_is_no_source_number(tmp_path: Path, name: str) -> None:
    """A look by it finds a document of the same number and takes it for a target."""
    error = faults(tmp_path, changed(ROUTE, f'{ROUTE}\nsource_number_field = "{name}"'))
    assert "names the target document itself and no source" in english(error)


def test_nesting_without_end_is_a_fault(tmp_path: Path) -> None:
    """The reader of TOML gives up by an exception of its own."""
    for text in (
        "x = " + "[" * 5000 + "]" * 5000,
        "x." * 5000 + "y = 1",
        "x = " + "9" * 5000,
    ):
        assert "config.toml" in english(faults(tmp_path, text))


def test_a_file_without_end_is_no_configuration(tmp_path: Path) -> None:
    """A device, or a list that was named by mistake, would fill the memory."""
    assert "no configuration" in english(faults(tmp_path, "#" * (1 << 20) + "\n"))


def test_bytes_of_the_environment_that_are_no_text_are_a_fault(tmp_path: Path) -> None:
    """The system hands them over as they are."""
    assert "is not UTF-8 text" in english(faults(tmp_path, K3PUSH_ERP__ORG_NUM="a\udcff"))


def test_a_secret_with_a_nul_is_a_fault(tmp_path: Path) -> None:
    """No header and no server takes it, and a driver cuts it off there."""
    (tmp_path / "secret").write_bytes(b"a\0b")
    with refused(SettingsError, r"erp\.password: the secret holds a NUL"):
        Secret("file", "secret").resolve("erp.password", tmp_path / "config.toml")


def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    """Editors and shells of Windows write one, and five wrong passwords lock the account."""
    (tmp_path / "secret").write_bytes("\ufeff密码 1\r\n".encode())
    assert Secret("file", "secret").resolve("erp.password", tmp_path / "config.toml") == "密码 1"
    writes = "import sys; sys.stdout.buffer.write(b'\\xef\\xbb\\xbfpw\\n')"
    command = Secret("command", (sys.executable, "-c", writes))
    assert command.resolve("erp.password", tmp_path / "config.toml") == "pw"


def test_a_command_that_gives_no_secret_in_time_is_a_fault(tmp_path: Path) -> None:
    """By night nobody types what it asks for; and it gets none of our standard input."""
    sleeps = (sys.executable, "-c", "import time; time.sleep(60)")
    with refused(SettingsError, r"erp\.password: the command gave no secret within"):
        Secret("command", sleeps).resolve("erp.password", tmp_path / "config.toml", patience_s=0.2)
    reads = (sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))")
    assert Secret("command", reads).resolve("erp.password", tmp_path / "config.toml") == "''"
