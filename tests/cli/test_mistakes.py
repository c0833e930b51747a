from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from tests.cli.terminal import Desk, Sandbox

GOOD = "单据编号\nCGDD0000001\n"

RUN = ("run", "orders.csv")


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """Something that cannot work, and what must be named."""

    types: tuple[str, ...] = RUN
    named: tuple[str, ...]
    name: str = "orders.csv"
    job: str | bytes | None = GOOD
    lines: dict[str, str] = field(default_factory=dict)
    more: str = ""
    configured: bool = True


MISTAKES = {
    # Job files: the file and the line.
    "missing-file": Mistake(job=None, named=("orders.csv", "no such file")),
    "no-byte": Mistake(job=b"", named=("orders.csv", "empty")),
    "comma": Mistake(
        job='单据编号\nCGDD0000001\n"CGDD0000002,CGDD0000003"\n', named=("orders.csv", "3", "comma")
    ),
    "empty-number": Mistake(job="单据编号,备注\nCGDD0000001,\n,x\n", named=("orders.csv", "3")),
    "heading": Mistake(job="foo,bar\nCGDD0000001,x\n", named=("orders.csv", "foo", "--column")),
    "half-json": Mistake(
        types=("run", "orders.json"),
        name="orders.json",
        job='[\n"CGDD0000001",\n"CGDD',
        named=("orders.json", "3"),
    ),
    "route-of-a-line": Mistake(
        job="单号,route\nCGDD0000001,po-instok\n", named=("po-instok", "po-instock")
    ),
    # Settings: the file, the line and the key.
    "no-settings": Mistake(configured=False, named=("config.toml", "k3push init")),
    "no-toml": Mistake(more="\n[run\n", named=("config.toml", "TOML")),
    "unknown-key": Mistake(
        lines={"halt": "halts = 'fail=5'"}, named=("config.toml, line 8", "run.halts", "'halt'")
    ),
    "halt-rule": Mistake(lines={"halt": "halt = 'fail=lots'"}, named=("line 8", "run.halt")),
    "no-url": Mistake(lines={"url": "url = 'erp.example.com'"}, named=("line 2", "erp.url")),
    "follow": Mistake(more="follow = ['submit']\n", named=("follow", "later")),
    "rule-twice": Mistake(more="default_rule = true\n", named=("routes.po-instock.rule",)),
    # Arguments: the option and its value.
    "unknown-route": Mistake(types=(*RUN, "--route", "nope"), named=("nope", "po-instock")),
    "chunk-size": Mistake(types=(*RUN, "--chunk-size", "0"), named=("'0'",)),
    "limit": Mistake(types=(*RUN, "--limit", "0"), named=("--limit",)),
    "again": Mistake(types=(*RUN, "--again"), named=("--because",)),
    "unknown-option": Mistake(types=(*RUN, "--chunksize", "5"), named=("--chunksize",)),
    "unknown-command": Mistake(types=("push", "orders.csv"), named=("push",)),
    "until": Mistake(types=(*RUN, "--until", "25:00"), named=("25:00", "HH:MM")),
    "max-duration": Mistake(types=(*RUN, "--max-duration", "soon"), named=("soon", "90s")),
    "halt-option": Mistake(types=(*RUN, "--halt", "fail=x"), named=("--halt", "fail=x")),
    "nothing-run-yet": Mistake(types=("resume",), named=("ledger.db",)),
    "state": Mistake(
        types=("export", "--output", "a.csv", "--state", "done"), named=("done", "pushed")
    ),
    "export-to-nowhere": Mistake(types=("export",), named=("--output",)),
    "faults": Mistake(types=("sandbox", "--port", "0", "--faults", "no"), named=("no", "night")),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_and_nothing_is_sent(
    desk: Desk, untouched: Sandbox, mistake: Mistake
) -> None:
    """Exit 2, the place and the cure on standard error, no run in the ledger, no request."""
    if mistake.configured:
        desk.configure(untouched.url, more=mistake.more, lines=mistake.lines)
    if mistake.job is not None:
        desk.write(mistake.name, mistake.job)
    calls = untouched.truth()["calls"].get("push", 0)
    ran = desk.k3push(*mistake.types)
    assert ran.exit == 2, ran
    assert ran.out == ""
    assert "Traceback" not in ran.err
    for words in mistake.named:
        assert words in ran.err, ran.err
    assert not list(desk.folder.glob("results"))
    assert not (desk.folder / "ledger.db").exists()
    assert untouched.truth()["calls"].get("push", 0) == calls == 0


def test_a_secret_that_is_not_set_is_named(desk: Desk, untouched: Sandbox) -> None:
    """A password whose variable is not set ends the run with 2; its key and name are told."""
    line = "password = { env = 'NOT_SET' }"
    desk.configure(untouched.url, lines={"password": line})
    ran = desk.k3push("run", desk.write("orders.csv", GOOD))
    assert (ran.exit, ran.out) == (2, ""), ran
    assert "erp.password" in ran.err
    assert "NOT_SET" in ran.err
    assert not (desk.folder / "ledger.db").exists()


def test_a_route_that_a_line_names_wrongly_is_found_there(desk: Desk, untouched: Sandbox) -> None:
    """A list of a thousand lines is mended where it is wrong."""
    desk.configure(untouched.url)
    job = desk.write("orders.csv", "number,route\nCGDD0000001,\nCGDD0000002,po-instok\n")
    ran = desk.k3push("run", job)
    assert (ran.exit, ran.out) == (2, ""), ran
    assert "orders.csv, line 3" in ran.err
    assert "did you mean 'po-instock'" in ran.err


def test_an_empty_job_and_nothing_to_retry_still_print_their_object(
    desk: Desk, untouched: Sandbox
) -> None:
    """A script parses what `--json` prints, whatever there was to do."""
    desk.configure(untouched.url)
    ran = desk.k3push("run", desk.write("empty.csv", "number\n"), "--json", "--lang", "zh")
    assert (ran.exit, json.loads(ran.out)["counts"]) == (0, {}), ran
    assert "清单为空" in ran.err


def test_every_bad_line_is_told(desk: Desk, untouched: Sandbox) -> None:
    """All bad lines are named at once, so that a list is mended once."""
    desk.configure(untouched.url).write("orders.csv", f'{GOOD}"A,B"\nCGDD0000002\n"C,D"\n')
    ran = desk.k3push("run", "orders.csv")
    assert ran.exit == 2
    assert "3" in ran.err
    assert "5" in ran.err


def test_bad_lines_are_skipped_when_asked(desk: Desk, untouched: Sandbox) -> None:
    """With `--skip-bad-lines` the others go on, and each bad line is told once."""
    desk.configure(untouched.url).write("orders.csv", '单号\n"A,B"\nCGDDU000000\n')
    ran = desk.k3push("run", "orders.csv", "--skip-bad-lines", "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"rejected": 1}), ran
    assert ran.err.count("skipped") == 1
    assert "A,B" in ran.err
