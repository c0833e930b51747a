"""A busy server: browsers watch runs, and a program pushes a few bills every moment.

Real processes: a sandbox with faults, `k3push serve --work`, and this one, which is the browsers
and the program. Each browser signs in, begins or finds a run, opens its page and holds the live
view open, as a window does; two hold the first page open. The program asks for pushes at an even
pace, some of bills that another push has named, and asks with one key in twenty a second time,
as after an answer that was lost. At the end every row is held against the sandbox's books.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import anyio
import httpx
import psutil  # type: ignore[import-untyped]  # it has no types

from k3push.runs.outcome import Exit
from tests.cli.terminal import Desk, Sandbox, orders

SECRET = "a password for twenty browsers"
SERVED = f'\n[serve]\nwork = true\npassword = "{SECRET}"\n'
# A call takes long on a busy machine, and what a fault hides is shown five seconds later.
LINES = {
    "connect_timeout_s": "connect_timeout_s = 10",
    "answer_timeout_s": "answer_timeout_s = 30",
    "first_wait_s": "first_wait_s = 3",
    "poll_s": "poll_s = 3",
    "window_s": "window_s = 45",
    "halt": 'halt = "fail=1000"',
}

FAULTS = """\
session_calls = 2000
[seeded]
rate = 0.03
faults = [
    "reset", "make-then-reset", "make-then-close", "make-then-html-502", "html-503",
    "make-then-empty", "late-commit:5", "edit-lock", "call-limit", "lose-session", "drop-one",
]
"""
LATENCY_S = 0.1
MOST_BILLS = 5
SHARED = 0.1
"""The part of pushes that name a bill of the push before, too."""

REPEATED = 0.05
"""The part of keys that are asked for twice."""

TOKEN_RATE = 6000
ASKED_AT_ONCE = 4
"""How many ask side by side which pushes are over."""
SAMPLE_S = 5.0
PATIENCE_S = 1800.0
OVER = {"ended", "failed", "withdrawn"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="10")
    parser.add_argument("--pushes", type=int, default=200, metavar="N", help="a minute: 200")
    parser.add_argument("--browsers", type=int, default=20, metavar="N", help="20")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="watched: 10")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Let browsers watch while a program pushes: nothing twice, nothing lost, memory flat."""
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(Desk(Path(folder)), arguments)
        return anyio.run(crowd.play)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the processes held and had taken at a moment, by name."""

    at_s: float
    mib: Mapping[str, float]
    cpu_s: Mapping[str, float]


@dataclass(slots=True)
class Asked:
    """A push of the program.

    Attributes:
        took_s: From the request to 202.
        ids: What was answered, of each time that it was asked for.
    """

    key: str
    numbers: Sequence[str]
    took_s: float = 0.0
    ids: list[str] = field(default_factory=list)


class Crowd:
    """The scene."""

    def __init__(self, desk: Desk, arguments: argparse.Namespace) -> None:
        self._desk = desk
        self._seconds = arguments.minutes * 60
        self._every_s = 60 / arguments.pushes
        self._browsers: int = arguments.browsers
        self._runs: int = arguments.runs
        # So many as one run pushes one by one in that time, and some more.
        self._length = max(20, int(self._seconds / (2 * LATENCY_S)))
        self._pushes = int(self._seconds / self._every_s)
        self._random = random.Random(17)  # noqa: S311  # the same every time
        self._asked: list[Asked] = []
        self._events: Counter[int] = Counter()
        self._samples: list[Sample] = []
        self._unanswered = 0
        self._again = 0
        self._resumed = 0
        self._left: dict[str, str] = {}
        self._base = ""

    async def play(self) -> dict[str, Any]:
        """Play it, and return the figures."""
        needed = self._runs * self._length + self._pushes * MOST_BILLS
        faults = self._desk.write("faults.toml", FAULTS)
        options = ["--orders", str(needed), "--latency", str(LATENCY_S), "--faults", faults]
        with Sandbox(self._desk.folder, *options) as sandbox:
            self._desk.configure(sandbox.url, lines=LINES, more=SERVED)
            added = self._desk.k3push(
                "token", "add", "wms", "--role", "approve", "--rate", str(TOKEN_RATE)
            )
            with self._served() as process:
                return await self._watched(sandbox, process.pid, added.out.strip())

    @contextmanager
    def _served(self) -> Iterator[subprocess.Popen[str]]:
        """Serve. What the server tells goes into a file: a full pipe would hold it up."""
        path = self._desk.folder / "serve.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "k3push", "serve", "--port", "0"],
                cwd=self._desk.folder,
                env={**os.environ, "PYTHONMALLOC": "malloc"},  # as the units of `deployment` do
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert process.stdout is not None
            self._base = process.stdout.readline().strip().rstrip("/")
            assert self._base, path.read_text("utf-8")
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)

    async def _watched(self, sandbox: Sandbox, server: int, token: str) -> dict[str, Any]:
        processes = {"server": server, "sandbox": sandbox.pid, "clients": os.getpid()}
        headers = {"authorization": f"Bearer {token}"}
        limits = httpx.Limits(max_connections=50)
        async with (
            httpx.AsyncClient(
                base_url=f"{self._base}/api/v1",
                headers=headers,
                timeout=60,
                limits=limits,
                trust_env=False,
            ) as wms,
            anyio.create_task_group() as watching,
        ):
            runs = await self._begin_runs()
            for nth in range(self._browsers):
                watching.start_soon(self._browse, nth, runs)
            watching.start_soon(self._sample, processes)
            began_s = time.monotonic()
            await self._push_evenly(wms, began_s)
            pushed_s = time.monotonic() - began_s
            await self._until_over(wms)
            await self._resume_stopped(wms)
            over_s = time.monotonic() - began_s
            told = [await self._told(wms, asked) for asked in self._asked]
            watching.cancel_scope.cancel()
        return self._report(sandbox, told, pushed_s, over_s)

    # -- browsers -----------------------------------------------------------------------------

    @asynccontextmanager
    async def _signed_in(self) -> AsyncIterator[httpx.AsyncClient]:
        own = {"origin": self._base, "sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(
            base_url=self._base, headers=own, timeout=60, trust_env=False
        ) as browser:
            page = await browser.get("/login")
            form = {"seal": _seal(page), "password": SECRET}
            assert (await browser.post("/login", data=form)).status_code == 303
            yield browser

    async def _begin_runs(self) -> list[str]:
        """Begin the runs that are watched, as a person does, and slow them to one at a time."""
        runs = []
        async with self._signed_in() as browser:
            for nth in range(self._runs):
                numbers = "\n".join(orders(self._length, nth * self._length))
                page = await browser.get("/push")
                form = dict(re.findall(r'name="(seal|id)" value="([^"]*)"', page.text))
                files = {"file": ("", b"")}
                sent = await browser.post("/push", data={**form, "text": numbers}, files=files)
                plan = sent.headers["location"]
                page = await _until(browser, plan, f"{plan}/approve")
                await browser.post(f"{plan}/approve", data={"seal": _seal(page)})
                page = await _until(browser, plan, 'href="/runs/')
                (run,) = set(re.findall(r'href="/runs/([^"]+)"', page.text))
                page = await _until(browser, f"/runs/{run}", "/control")
                for key in ("concurrency", "chunk-size"):
                    order = {"seal": _seal(page), "key": key, "value": "1"}
                    await browser.post(f"/runs/{run}/control", data=order)
                runs.append(run)
        return runs

    async def _browse(self, nth: int, runs: Sequence[str]) -> None:
        """Open a page and hold its live view open, until cancelled."""
        path = "/" if nth < 2 else f"/runs/{runs[nth % len(runs)]}"
        live = f"{path.rstrip('/')}/events"
        while True:
            with suppress(httpx.TransportError):  # on a busy machine, an answer takes minutes
                async with self._signed_in() as browser:
                    assert (await browser.get(path)).status_code == 200
                    async with browser.stream("GET", live, timeout=60) as answer:
                        async for line in answer.aiter_lines():
                            self._events[nth] += line.startswith("data: ")
            self._again += 1
            await anyio.sleep(3)  # as the page is told to

    # -- the program --------------------------------------------------------------------------

    async def _push_evenly(self, wms: httpx.AsyncClient, began_s: float) -> None:
        first = self._runs * self._length
        async with anyio.create_task_group() as tasks:
            for nth in range(self._pushes):
                count = self._random.randint(1, MOST_BILLS)
                numbers = orders(count, first)
                first += count
                if self._asked and self._random.random() < SHARED:
                    numbers.append(self._asked[-1].numbers[0])
                asked = Asked(f"event-{nth}", numbers)
                self._asked.append(asked)
                await anyio.sleep(max(0.0, began_s + nth * self._every_s - time.monotonic()))
                tasks.start_soon(self._push, wms, asked)

    async def _push(self, wms: httpx.AsyncClient, asked: Asked) -> None:
        began_s = time.monotonic()
        await self._ask(wms, asked)
        asked.took_s = time.monotonic() - began_s
        if self._random.random() < REPEATED:
            await self._ask(wms, asked)
        await anyio.sleep(3)
        await self._state(wms, asked.ids[0])

    async def _ask(self, wms: httpx.AsyncClient, asked: Asked) -> dict[str, Any]:
        """Ask for a push, with its key; again where no answer comes."""
        body = {"key": asked.key, "numbers": asked.numbers}
        told = await self._answered(partial(wms.post, "/pushes", json=body))
        asked.ids.append(told["id"])
        return told

    async def _state(self, wms: httpx.AsyncClient, id_: str) -> str:
        state: str = (await self._answered(partial(wms.get, f"/pushes/{id_}")))["state"]
        return state

    async def _answered(self, ask: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
        while True:
            try:
                answer = await ask()
            except httpx.TransportError:
                self._unanswered += 1
                await anyio.sleep(1)
                continue
            assert answer.is_success, answer.text
            told: dict[str, Any] = answer.json()
            return told

    async def _until_over(self, wms: httpx.AsyncClient) -> None:
        self._left = {asked.ids[0]: "" for asked in self._asked}
        with anyio.move_on_after(PATIENCE_S):
            while self._left:
                async with anyio.create_task_group() as tasks:
                    for ids in batched(list(self._left), -(-len(self._left) // ASKED_AT_ONCE)):
                        tasks.start_soon(self._see_which_are_over, wms, ids)
                await anyio.sleep(10 if self._left else 0)

    async def _see_which_are_over(self, wms: httpx.AsyncClient, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._left[id_] = await self._state(wms, id_)
            if self._left[id_] in OVER:
                del self._left[id_]

    async def _resume_stopped(self, wms: httpx.AsyncClient) -> None:
        """Go on with what was stopped: its bill may have been another push's to settle first."""
        for asked in self._asked:
            address = f"/pushes/{asked.ids[0]}"
            if (await self._answered(partial(wms.get, address)))["exit"] == Exit.STOPPED:
                command = {"command": "resume"}
                await self._answered(partial(wms.post, f"{address}/commands", json=command))
                self._resumed += 1
        await self._until_over(wms)

    async def _told(self, wms: httpx.AsyncClient, asked: Asked) -> dict[str, Any]:
        """Ask for the last time, by the key, and for the rows."""
        told = await self._ask(wms, asked)
        rows = partial(wms.get, f"/pushes/{asked.ids[0]}/rows")
        return {**told, **await self._answered(rows)}

    # -- figures ------------------------------------------------------------------------------

    async def _sample(self, processes: Mapping[str, int]) -> None:
        known = {name: psutil.Process(pid) for name, pid in processes.items()}
        began_s = time.monotonic()
        while True:
            self._samples.append(
                Sample(
                    round(time.monotonic() - began_s, 1),
                    {name: each.memory_info().rss / 2**20 for name, each in known.items()},
                    {name: sum(each.cpu_times()[:2]) for name, each in known.items()}
                    | {"the whole machine": _busy_s()},
                )
            )
            self._tell_each_minute()
            await anyio.sleep(SAMPLE_S)

    def _tell_each_minute(self) -> None:
        """Say how far it is, for whoever waits."""
        *_, before, now = (0.0, *(each.at_s for each in self._samples))
        if int(before // 60) < int(now // 60):
            last = self._samples[-1]
            sys.stderr.write(
                f"{now:.0f} s: {len(self._asked):,} asked for, {len(self._left):,} waited for, "
                f"server {last.mib['server']:.0f} MiB\n"
            )

    def _report(
        self,
        sandbox: Sandbox,
        told: Sequence[Mapping[str, Any]],
        pushed_s: float,
        over_s: float,
    ) -> dict[str, Any]:
        truth = sandbox.truth()["sources"]
        twice = [
            number for number, made in truth.items() if len({each["push"] for each in made}) > 1
        ]
        keys = [asked.key for asked in self._asked if len(set(asked.ids)) != 1]
        ids = {asked.ids[0] for asked in self._asked}
        untrue = [
            row["number"]
            for each in told
            for row in each["rows"]
            if {str(target["id"]) for target in row["targets"]}
            != {str(made["id"]) for made in truth.get(row["number"], ())}
        ]
        states = Counter(row["state"] for each in told for row in each["rows"])
        lost = {n for asked in self._asked for n in asked.numbers} - set(truth)
        took = sorted(asked.took_s for asked in self._asked)
        first, last = self._samples[0], self._samples[-1]
        seconds = last.at_s - first.at_s
        figures = {
            "pushes": len(self._asked),
            "bills": sum(len(asked.numbers) for asked in self._asked),
            "keys asked for twice": sum(len(asked.ids) > 2 for asked in self._asked),
            "requests without an answer": self._unanswered,
            "live views that were opened again": self._again,
            "pushes that were stopped and resumed": self._resumed,
            "pushes that are not over": dict(Counter(self._left.values())),
            "pushes of one key that differ": len(keys),
            "ids": len(ids),
            "states": dict(states),
            "bills made twice": len(twice),
            "rows that are not true": len(untrue),
            "bills without a document": len(lost),
            "numbers of the watched runs made": sum(
                number in truth for number in orders(self._runs * self._length)
            ),
            "asked for in s": round(pushed_s, 1),
            "all over after s": round(over_s, 1),
            "202 after ms": {
                "median": round(median(took) * 1000),
                "slowest twentieth": round(quantiles(took, n=20)[-1] * 1000),
                "slowest": round(took[-1] * 1000),
            },
            "live messages of a browser": [self._events[n] for n in range(self._browsers)],
            "cores": {
                name: round((last.cpu_s[name] - first.cpu_s[name]) / seconds, 3)
                for name in last.cpu_s
            },
            "MiB of the server, each minute": self._each_minute(),
        }
        for name, value in figures.items():
            sys.stdout.write(f"{name}: {value}\n")
        return {**figures, "samples": [asdict(sample) for sample in self._samples]}

    def _each_minute(self) -> list[int]:
        found: dict[int, float] = {}
        for sample in self._samples:
            found.setdefault(int(sample.at_s // 60), sample.mib["server"])
        return [round(mib) for mib in (*found.values(), self._samples[-1].mib["server"])]


def _busy_s() -> float:
    """Return how long processors have worked, for anybody."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


async def _until(browser: httpx.AsyncClient, path: str, text: str) -> httpx.Response:
    """Load a page until it holds a text."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            page = await browser.get(path)
            if text in page.text:
                return page
            await anyio.sleep(0.3)


def batched(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield so many at a time."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


def _seal(page: httpx.Response) -> str:
    found = re.search(r'name="seal" value="([0-9a-f]+)"', page.text)
    assert found, page.text
    return found[1]
