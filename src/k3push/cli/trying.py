"""`sandbox` and `demo`: to see k3push work before it meets an ERP."""

from __future__ import annotations

import gc
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import anyio

from k3push.cli.executing import RunOptions
from k3push.cli.jobs import JobOptions
from k3push.cli.problem import Problem
from k3push.cli.running import Runner
from k3push.cli.signals import on_interrupt
from k3push.cli.wiring import ledger_of
from k3push.cli.words import Lang, Say
from k3push.core.model import Run
from k3push.reporting.ending import Exit
from k3push.reporting.tables import pages_of, records_of
from k3push.simulator import SandboxOptions, Site, audit, build, serve

CONFIG_PORT = "127.0.0.1:8100"
DEMO_JOBS = ("orders.csv", "orders.json")


def samples() -> Path:
    """Return the folder of the sample jobs: in the wheel, or at the top of the repository."""
    shipped = files("k3push") / "batches"
    with as_file(shipped) as folder:
        if folder.is_dir():
            return folder
    return Path(__file__).parents[3] / "batches"


def sandbox_config() -> str:
    """Return the configuration that works with the sandbox at its usual port."""
    folder = samples()
    for path in (folder / "config.toml", folder.parent / "config.toml"):
        if path.is_file():
            return path.read_text("utf-8")
    raise FileNotFoundError("config.toml")


OLDEST_SELDOM = 1000
"""After how many collections of younger objects the sandbox looks through its oldest."""


async def sandbox(options: SandboxOptions, port: int, say: Say) -> Exit:
    """Serve until interrupted."""
    # A million orders are many millions of objects that stay, and what is made of them stays as
    # well: to look through them for garbage again and again would take most of the time.
    gc.disable()
    try:
        site = build(options)
    except ValueError as error:
        raise Problem(str(error)) from error
    finally:
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], OLDEST_SELDOM)
        gc.enable()

    def started(address: str) -> None:
        sys.stdout.write(f"{address}\n")
        host = address.split("/")[2]
        sys.stdout.write(f"{say('sandbox.ready')}\n{say('sandbox.config')}\n\n")
        sys.stdout.write(sandbox_config().replace(CONFIG_PORT, host))
        sys.stdout.flush()

    try:
        with anyio.CancelScope() as serving, on_interrupt(serving.cancel):
            await serve(site, port=port, started=started)
    except OSError as error:
        raise Problem(say("port_taken", port=port, why=error.strerror)) from error
    return Exit.DONE


async def demo(options: RunOptions, folder: Path, say: Say, lang: Lang) -> Exit:
    """Push the sample jobs to a sandbox, and hold the ledger against the sandbox's books."""
    jobs = _laid_out(folder)
    site = build(SandboxOptions(faults=samples() / "demo-faults.toml"))
    async with _serving(site) as address:
        config = _configured(folder, address)
        runner = Runner(replace(options, config=config, yes=True), say, lang)
        runner.warn("demo.begin", url=address)
        code = await runner.run(jobs, JobOptions())
        site.finish()
        async with ledger_of(runner.settings, say) as ledger:
            run: Run = (await ledger.runs())[-1]
            pages = [records_of(rows, run) async for rows in pages_of(ledger, run)]
    findings = audit((record._asdict() for page in pages for record in page), site.world)
    if findings:
        raise Problem(say("demo.untrue", what="; ".join(findings)), Exit.DEFECT)
    runner.warn("demo.audit", documents=len(_documents(site)))
    runner.warn("demo.next", config=config)
    return code


def _laid_out(folder: Path) -> list[str]:
    """Put the sample jobs into the demo's folder, and take away the ledger of an earlier demo."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob("ledger.db*"):
        # It tells of a sandbox that is gone.
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    return [str(shutil.copyfile(samples() / name, folder / name)) for name in DEMO_JOBS]


def _configured(folder: Path, address: str) -> Path:
    """Write the sample configuration for a sandbox at *address*; doubts are settled in seconds."""
    text = sandbox_config().replace(CONFIG_PORT, address.split("/")[2])
    for key, value in (("first_wait_s", 1), ("poll_s", 1), ("window_s", 10)):
        text = re.sub(rf"^{key} = \d+", f"{key} = {value}", text, flags=re.MULTILINE)
    config = folder / "config.toml"
    config.write_text(text, "utf-8")
    return config


def _documents(site: Site) -> set[int]:
    numbers = site.world.numbers_with_documents()
    return {bill.id for number in numbers for bill in site.world.documents_of(number)}


@asynccontextmanager
async def _serving(site: Site) -> AsyncIterator[str]:
    """Serve a sandbox beside us, and give its address."""
    addresses: list[str] = []
    ready = anyio.Event()

    def started(address: str) -> None:
        addresses.append(address)
        ready.set()

    async def run() -> None:
        await serve(site, port=0, started=started)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await ready.wait()
        yield addresses[0]
        tasks.cancel_scope.cancel()
