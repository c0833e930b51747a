"""The files for servers are held against the code, and read by those who are to read them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import typer.main
import yaml
from promql_parser import Expr, VectorSelector

from k3push.adapters.job_files.reader_pool import MOST_MEMORY, SIDE_BY_SIDE
from k3push.cli.app import build_app
from k3push.config.settings import ErpSettings
from k3push.reporting.metrics import HELP
from k3push.runs.outcome import Exit
from k3push.words.language import speaker
from tests.cli.terminal import Desk
from tests.image.containerfile import instructions
from tests.processes.conftest import need
from tests.web.server import Served

ROOT = Path(__file__).parents[1]
DEPLOYMENT = Path(str(files("k3push"))) / "deployment"
WORKER, SERVE = UNITS = ("k3push-worker.service", "k3push-serve.service")
PROGRAM = "/opt/k3push/bin/k3push"
MOST_EXPOSED = 20
"""Of `systemd-analyze security`, where 100 is no protection at all."""

BOTH = ["worker", "serve"]


def text_of(name: str) -> str:
    """Read a file for servers."""
    return (DEPLOYMENT / name).read_text("utf-8")


def pyproject() -> dict[str, Any]:
    """Read what the package says of itself."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def directives(name: str) -> dict[str, list[str]]:
    """Read a unit: the values of each key."""
    found: dict[str, list[str]] = {}
    for line in text_of(name).splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def told(instruction: str) -> str:
    """Return what the one instruction of a name says."""
    (found,) = [rest for word, rest in instructions() if word == instruction]
    return found


def assert_understood(arguments: list[str]) -> None:
    """See that the command line takes *arguments*; it does nothing with them."""
    group: Any = typer.main.get_command(build_app(speaker("en")))
    command = group.commands[arguments[0]]
    command.make_context(arguments[0], arguments[1:], resilient_parsing=False)


def packages(lock: Path) -> dict[str, str]:
    """Return the versions in a lock by name, each of which has hashes."""
    text = lock.read_text("utf-8")
    found = dict(
        re.findall(r"^([\w.-]+)==([^ ;\\]+)(?: ;[^\\]*)? \\\n +--hash", text, re.MULTILINE)
    )
    assert len(found) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)), "some have no hash"
    return found


# -- units ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_a_unit_without_a_word(name: str, tmp_path: Path) -> None:
    """A directive that systemd does not know is passed over, and protects nobody."""
    need("systemd-analyze")
    copy = tmp_path / name
    copy.write_text(text_of(name).replace(PROGRAM, sys.executable), "utf-8")
    for how in (["verify"], ["security", "--offline=yes", f"--threshold={MOST_EXPOSED}"]):
        ran = subprocess.run(  # noqa: S603  # the system's own program
            ["systemd-analyze", "--no-pager", *how, copy],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_keeps_its_promises(name: str) -> None:
    """Each of these has been forgotten in somebody's unit."""
    found = directives(name)
    for key, value in {
        "User": "k3push",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "KillSignal": "SIGTERM",
        "Restart": "on-failure",
        "RestartPreventExitStatus": str(int(Exit.USAGE)),
    }.items():
        assert found[key] == [value]
    assert "ProcSubset" not in found, "it hides what tells one boot from another"


@pytest.mark.parametrize("name", UNITS)
def test_a_list_that_takes_all_memory_ends_its_reader_alone(name: str) -> None:
    """Whatever else a unit does for other tenants goes on."""
    found = directives(name)
    (most,) = found["MemoryMax"]
    assert int(most.removesuffix("G")) << 30 > SIDE_BY_SIDE * MOST_MEMORY
    assert found["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize("name", UNITS)
def test_a_secret_that_a_unit_names_is_one_that_it_loads(name: str) -> None:
    """A password that is not where the settings look for it is found out at night."""
    loaded = dict(each.split(":") for each in directives(name)["LoadCredential"])
    assert loaded == {each: f"/etc/k3push/secrets/{each}" for each in loaded}
    named = re.findall(r"/run/credentials/([\w.-]+)/([\w-]+)", text_of(name))
    named += re.findall(r"=(%d)/([\w-]+)", text_of(name))
    assert {credential for _, credential in named} == set(loaded)
    assert {unit for unit, _ in named} == {name, "%d"}
    assert "Environment=PGPASSWORD" not in text_of(name), "whoever may list processes would see it"


def test_a_worker_has_time_for_its_open_calls() -> None:
    """What systemd kills is in doubt, so a connection and an answer at their limits come first."""
    fields = ErpSettings.model_fields
    longest = fields["connect_timeout_s"].default + fields["answer_timeout_s"].default
    (limit,) = directives(WORKER)["TimeoutStopSec"]
    assert longest < int(limit) < longest + 60
    (stop,) = re.findall(r"--stop-timeout (\d+)", text_of("Containerfile"))
    assert stop == limit


@pytest.mark.parametrize("command", BOTH)
def test_a_unit_calls_a_command_that_there_is(command: str) -> None:
    """An option that is renamed must not be found out by a restart at night."""
    ((program, *arguments),) = map(
        shlex.split, directives(f"k3push-{command}.service")["ExecStart"]
    )
    assert program == PROGRAM
    assert arguments[0] == command
    assert_understood(arguments)


# -- container ------------------------------------------------------------------------------------


def test_the_container_is_made_of_what_is_there() -> None:
    """A copied file that has been moved is found out by the first who builds the image."""
    name = pyproject()["name"]
    for source, *_ in (rest.split() for word, rest in instructions() if word == "COPY"):
        if source.startswith("--from="):
            assert ("FROM", f"${{BASE}} AS {source[7:]}") in instructions()
        elif source.startswith("dist/"):
            assert fnmatch(f"dist/{name}-{pyproject()['version']}-py3-none-any.whl", source)
        else:
            assert (ROOT / source).is_file(), source


def test_both_stages_have_one_base_that_nobody_can_replace() -> None:
    """Compiled parts need the Python that they were installed for, and a tag may mean another."""
    (base,) = [rest for word, rest in instructions() if word == "ARG"]
    found = re.fullmatch(
        r"BASE=docker\.io/library/python:(3\.\d+)-slim-\w+@sha256:[0-9a-f]{64}", base
    )
    assert found
    assert f"Programming Language :: Python :: {found[1]}" in pyproject()["classifiers"]
    stages = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert stages == ["${BASE}"] * 2


def test_the_container_takes_pinned_packages_and_runs_as_nobody() -> None:
    """What is installed is what was tested, and whoever breaks out of it is nobody."""
    for word, rest in instructions():
        if word == "RUN" and "install -" in rest and "pip" in rest:
            assert ("--require-hashes" in rest) != ("--no-deps --no-index" in rest), rest
    words = [word for word, _ in instructions()]
    assert told("USER") == "10001:10001"
    assert words.index("USER") < words.index("ENTRYPOINT")
    environment = "HOME=/var/lib/k3push PYTHONMALLOC=malloc"
    assert told("ENV") == environment, "no secret stands here"
    assert "ARG" not in words[words.index("FROM") :], "its values stay in the history of the image"


def test_the_container_calls_commands_that_there_are() -> None:
    """The words of CMD are read by k3push alone, and at the start."""
    assert json.loads(told("ENTRYPOINT")) == [PROGRAM]
    arguments = json.loads(told("CMD"))
    assert_understood(arguments)
    port = arguments[arguments.index("--port") + 1]
    assert told("EXPOSE") == port
    assert f":{port}/healthz" in told("HEALTHCHECK")


def test_the_health_check_tells_a_dashboard_from_none(tmp_path: Path) -> None:
    """A check that always succeeds is worse than none."""
    check = json.loads(told("HEALTHCHECK").partition("CMD ")[2])
    assert check[:2] == ["/opt/k3push/bin/python", "-c"]

    def healthy() -> bool:
        code = check[2].replace("http://127.0.0.1:8200", served.base)
        assert code != check[2]
        ran = subprocess.run(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", code], capture_output=True, check=False
        )
        return ran.returncode == 0

    with Served(Desk(tmp_path).configure("http://127.0.0.1:9/")) as served:
        assert healthy()
    assert not healthy()


# -- lock -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    ["fleet", "notify", "otel", "postgres", "web"],
)
def test_a_server_has_what_its_commands_need(extra: str) -> None:
    """An extra that the lock lacks is one that a server does not have."""
    extras = pyproject()["optional-dependencies"]
    (server,) = extras["server"]
    assert extra in server.partition("[")[2].strip("]").split(",")
    locked = packages(DEPLOYMENT / "requirements.lock")
    for requirement in (*pyproject()["dependencies"], *extras[extra]):
        name = re.split(r"[\[>=]", requirement)[0].lower()
        assert name in locked, requirement


def test_windows_which_knows_no_time_zones_gets_a_list_of_them() -> None:
    """Schedules go by the clock of a zone that is named, by default Asia/Shanghai."""
    needed = [each for each in pyproject()["dependencies"] if each.startswith("tzdata")]
    assert [each.partition("; ")[2] for each in needed] == ["sys_platform == 'win32'"]
    assert "tzdata" in packages(ROOT / "requirements.lock")


def test_both_locks_pin_the_same_versions() -> None:
    """What was tested on one kind of machine runs on the other."""
    alone, server = packages(ROOT / "requirements.lock"), packages(DEPLOYMENT / "requirements.lock")
    assert alone.items() <= server.items()


# -- alerts ---------------------------------------------------------------------------------------


def rules() -> list[dict[str, Any]]:
    """Read the alerting rules."""
    (group,) = yaml.safe_load(text_of("alerts.yml"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def names_in(expression: str) -> set[str]:
    """Return the metrics that an expression asks for; raise where it is none."""
    names = set()

    def visit(part: Expr) -> bool:
        if isinstance(part, VectorSelector):
            names.add(str(part.name))
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return names


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    """An alert on a metric that was renamed never rings, and nobody notices that."""
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    names = names_in(rule["expr"])
    assert names
    assert names <= set(HELP)
    assert set(re.findall(r"k3push_\w+", rule["expr"])) == names
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description"}
    assert set(re.findall(r"\$labels\.(\w+)", annotations["summary"])) <= {"tenant", "route"}


def test_an_alert_names_commands_that_there_are() -> None:
    """It is read at night, by somebody who types what it says."""
    group: Any = typer.main.get_command(build_app(speaker("en")))
    named = set(
        re.findall(r"k3push (\w+)", " ".join(r["annotations"]["description"] for r in rules()))
    )
    assert "resume" in named
    assert named <= set(group.commands)
