"""What machines are told of an execution: the file of metrics, and traces."""

from __future__ import annotations

import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, orders
from tests.forked import path_of_ours

pytestmark = pytest.mark.halved

BROKEN = '[[step]]\nfault = "reset"\n'
OLDEST = "k3push_oldest_unknown_timestamp_seconds"
TEXTFILE = '\n[metrics]\ntextfile = "collected/k3push.prom"\n'


def collected(desk: Desk) -> dict[str, float]:
    """Read the file as a collector does: the value of each metric, and of each state."""
    text = (desk.folder / "collected" / "k3push.prom").read_text("utf-8")
    return {
        " ".join((sample.name, *filter(None, [sample.labels.get("state")]))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels["tenant"] == "config"
    }


@pytest.fixture
def measured(desk: Desk, sandbox: Sandbox) -> Desk:
    """A desk that keeps a file of metrics."""
    (desk.folder / "collected").mkdir()
    return desk.configure(sandbox.url, more=TEXTFILE)


def test_a_run_that_has_ended_is_in_the_file(measured: Desk) -> None:
    """Cron users have no server that a collector could ask."""
    ran = measured.k3push("run", measured.job([*orders(3), "NOWHERE-1"]))
    assert ran.exit == 3, ran
    told = collected(measured)
    assert told["k3push_numbers pushed"] == 3
    assert told["k3push_numbers rejected"] == 1
    assert told["k3push_run_exit_code"] == 3
    assert told["k3push_run_alive"] == 0, "it has ended"
    assert told["k3push_ledger_up"] == 1
    file = measured.folder / "collected" / "k3push.prom"
    assert "CGDD" not in file.read_text("utf-8"), "other users read it"
    assert list(file.parent.iterdir()) == [file], "a collector would read what is left over"
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_run_that_failed_is_in_the_file(measured: Desk, sandbox: Sandbox) -> None:
    """Nobody has to look at a night that went well."""
    measured.configure(sandbox.url, password="wrong", more=TEXTFILE)
    assert measured.k3push("run", measured.job(orders(2))).exit == 6
    assert collected(measured)["k3push_run_exit_code"] == 6
    measured.configure(sandbox.url, more=TEXTFILE)
    assert measured.k3push("resume").exit == 0
    assert collected(measured)["k3push_run_exit_code"] == 0


def test_a_plan_and_a_retry_are_in_the_file(measured: Desk) -> None:
    """Whatever moves numbers is told."""
    plan = measured.k3push("plan", measured.job([*orders(2), "NOWHERE-1"]))
    assert plan.exit == 3, plan
    file = measured.folder / "collected" / "k3push.prom"
    assert not file.exists(), "a plan executes nothing"
    assert measured.k3push("apply", "orders.plan.jsonl").exit == 3
    first = file.stat().st_mtime_ns
    assert collected(measured)["k3push_run_exit_code"] == 3
    assert measured.k3push("retry").exit == 3
    assert file.stat().st_mtime_ns > first


def test_a_persons_word_ends_the_alert(measured: Desk, start: Start) -> None:
    """Who has settled a number does not want to be woken for it again."""
    sandbox, numbers = start("--faults", measured.write("script.toml", BROKEN)), orders(1)
    measured.configure(sandbox.url, more=TEXTFILE)
    ran = measured.k3push("run", measured.job(numbers), "--no-canary", "--halt", "unknown=1")
    assert ran.exit == 4, ran
    told = collected(measured)
    assert told["k3push_unknown_numbers"] == 1
    assert told[OLDEST] <= told["k3push_run_start_timestamp_seconds"] + 10
    settled = measured.k3push("settle", "--as", "absent", *numbers, "--because", "seen")
    assert settled.exit == 0, settled
    told = collected(measured)
    assert (told["k3push_unknown_numbers"], OLDEST in told) == (0, False)


def test_only_the_own_runs_of_a_shared_ledger_are_in_the_file(measured: Desk) -> None:
    """Each tenant's file tells of that tenant, or one alert would ring for all of them."""
    assert measured.k3push("run", measured.job(orders(2))).exit == 0
    other = (
        (measured.folder / "config.toml")
        .read_text("utf-8")
        .replace('acct_id = "sandbox"', 'acct_id = "another"')
    )
    measured.write("config.toml", other)
    assert measured.k3push("run", measured.job(orders(1), "more.csv")).exit == 6
    told = collected(measured)
    assert (told["k3push_numbers planned"], told["k3push_numbers pushed"]) == (1, 0)


def test_a_folder_that_is_not_there_fails_no_run(desk: Desk, sandbox: Sandbox) -> None:
    """The bills are pushed, whatever becomes of a collector."""
    desk.configure(sandbox.url, more=TEXTFILE)
    assert "collected is not there" in desk.k3push("check").out
    ran = desk.k3push("run", desk.job(orders(2)))
    assert ran.exit == 0, ran
    (line,) = [line for line in ran.err.splitlines() if "no metrics in" in line]
    assert "k3push.prom" in line


# -- traces ---------------------------------------------------------------------------------------


class Collector:
    """A collector of traces on loopback, which keeps what it is sent."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.posts: list[bytes] = []
        posts = self.posts

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                posts.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def names(self) -> list[str]:
        """Return the names of all spans."""
        return [
            span.name
            for post in self.posts
            for resource in ExportTraceServiceRequest.FromString(post).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of traces."""
    service = Collector()
    yield service
    service.close()


@contextmanager
def silent() -> Iterator[str]:
    """Return the address of a collector that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def traces_to(url: str) -> str:
    """Return the table of settings that names a collector."""
    return f'\n[metrics]\notlp = "{url}"\n'


def test_each_execution_is_sent_to_the_collector(
    desk: Desk, sandbox: Sandbox, collector: Collector
) -> None:
    """Each attempt is a span, and no bill's number leaves the machine."""
    desk.configure(sandbox.url, more=traces_to(collector.url))
    ran = desk.k3push("run", desk.job(orders(5)), "--chunk-size", "2", "--json")
    assert ran.exit == 0, ran
    names = collector.names()
    assert names.count("k3push.execution") == 1
    assert names.count("k3push.attempt") == ran.said["pushes"] > 1
    assert len(collector.posts) < len(names), "one by one would be a call for each call"
    assert not any(b"CGDD" in post for post in collector.posts)
    assert ran.said["run"].encode() in b"".join(collector.posts)
    assert "span" not in ran.err


def test_a_collector_that_never_answers_holds_up_no_run(desk: Desk, sandbox: Sandbox) -> None:
    """The bills are pushed, and the end waits two seconds for it and no longer."""
    desk.environment["OTEL_EXPORTER_OTLP_TIMEOUT"] = "60"  # of the collector's own client
    with silent() as url:
        desk.configure(sandbox.url, more=traces_to(url))
        began_s = time.monotonic()
        ran = desk.k3push("run", desk.job(orders(5)), "--chunk-size", "2", "--log-json")
        took_s = time.monotonic() - began_s
    assert ran.exit == 0, ran
    lines = [line for line in ran.err.splitlines() if "did not reach" in line]
    assert len(lines) == 1, ran.err
    assert url in lines[0]
    assert all(line.startswith("{") for line in ran.err.splitlines()), "libraries keep quiet"
    assert took_s < 25, "the libraries alone would wait for half a minute"


def test_a_collector_that_is_away_fails_no_run(desk: Desk, sandbox: Sandbox) -> None:
    """Nothing listens there: the same warning, once, and the exit code of the run."""
    desk.configure(sandbox.url, more=traces_to("http://127.0.0.1:9"))
    ran = desk.k3push("run", desk.job([*orders(2), "NOWHERE-1"]))
    assert ran.exit == 3, ran
    assert ran.err.count("did not reach http://127.0.0.1:9") == 1
    assert "Traceback" not in ran.err
    assert "Max retries" not in ran.err


# -- packages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "module", "extra"),
    [
        ('otlp = "http://127.0.0.1:4318"', "opentelemetry", "otel"),
    ],
)
def test_a_package_that_is_missing_is_said_before_anything_is_sent(
    desk: Desk, untouched: Sandbox, setting: str, module: str, extra: str
) -> None:
    """A night without metrics would be noticed by nobody; a run that does not begin is."""
    (desk.folder / "absent").mkdir()
    desk.write(f"absent/{module}.py", "raise ModuleNotFoundError(name=__name__)\n")
    desk.environment |= path_of_ours(desk.folder / "absent")
    desk.configure(untouched.url, more=f"\n[metrics]\n{setting}\n")
    ran = desk.k3push("run", desk.job(orders(1)))
    assert ran.exit == 2, ran
    assert f"metrics.{setting.split(maxsplit=1)[0]}: " in ran.err
    assert f"pip install 'k3push[{extra}]'" in ran.err
    assert not list(desk.folder.glob("*.db")), "no ledger was made"


def test_what_the_environment_asks_of_a_package_in_vain_is_said_before_anything_is_sent(
    desk: Desk, untouched: Sandbox
) -> None:
    """The libraries read many variables, and what those hold must end no run half-way."""
    desk.environment["OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"] = "nobody"
    desk.configure(untouched.url, more=traces_to("http://127.0.0.1:4318"))
    for words in (["run", desk.job(orders(1))], ["check"]):
        ran = desk.k3push(*words)
        assert ran.exit == 2, ran
        assert "metrics.otlp: " in ran.err
    assert not list(desk.folder.glob("*.db")), "no ledger was made"


def test_a_queue_of_the_environment_ends_no_run(
    desk: Desk, sandbox: Sandbox, collector: Collector
) -> None:
    """A batch that is larger than the queue is an error to the library, in the midst of a run."""
    desk.environment["OTEL_BSP_MAX_QUEUE_SIZE"] = "1"
    desk.configure(sandbox.url, more=traces_to(collector.url))
    assert desk.k3push("run", desk.job(orders(2))).exit == 0
    assert "k3push.execution" in collector.names()
