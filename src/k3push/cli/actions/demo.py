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

from k3push.adapters.output_files import STANDARD_OUTPUT
from k3push.cli.actions.push_runs import CommandOptions, Runner
from k3push.cli.console.shell import Shell
from k3push.cli.console.signals import on_interrupt
from k3push.core.model import Run
from k3push.core.remark import remark
from k3push.reporting.table_files import records_of
from k3push.runs.kept_in_ledger.row_pages import followed_pages_of
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.simulator import PRESETS, SandboxOptions, Site, build, check_ledger, serve
from k3push.wiring.job_lists import JobOptions
from k3push.wiring.open_ledger import ledger_of
from k3push.words.language import Say

CONFIG_PORT = "127.0.0.1:8100"
DEMO_JOBS = ("orders.csv", "orders.json")
CONFIG = "config.toml"

DEMO_MARK = "# Written by `k3push demo`; the next demo in this folder writes it anew.\n"
"""The first line of a demo's configuration; without it, a folder is somebody's own."""


# A sandbox answers at once. The window must be longer than a call may take.
DEMO_TIMES = {
    "connect_timeout_s": 2,
    "answer_timeout_s": 6,
    "first_wait_s": 1,
    "poll_s": 1,
    "window_s": 10,
}

# Larger calls would put the bill whose answer is lost beside one whose call is refused whole.
DEMO_CHUNK = 20

# Documents are submitted and approved; one of them waits in a flow.
DEMO_FOLLOW = 'follow = ["submit", "audit"]'

# What is pushed beside the sample lists, without being on any.
DEMO_WHERE = "FBillNo>='CGDD0000980'"

# The number whose answer is lost, by `demo-faults.toml`.
DEMO_LOST = "CGDD0000033"


def samples() -> Path:
    """Return the folder of the sample jobs: in the wheel, or at the top of the repository."""
    shipped = files("k3push") / "batches"
    with as_file(shipped) as folder:
        if folder.is_dir():
            return folder
    return Path(__file__).parents[4] / "batches"


def sandbox_config() -> str:
    """Return the configuration that works with the sandbox at its usual port."""
    folder = samples()
    for path in (folder / "config.toml", folder.parent / "config.toml"):
        if path.is_file():
            return path.read_text("utf-8")
    raise FileNotFoundError("config.toml")


SANDBOX_CONFIG = """\
[erp]
url = "{url}"
acct_id = "sandbox"
username = "sandbox"
password = "sandbox"

[routes.po-instock]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
"""
"""What a sandbox prints, so that its address stays in sight: no key that has a default."""

OLDEST_SELDOM = 1000
"""After how many collections of younger objects the sandbox looks through its oldest."""


def _check_faults(faults: str, say: Say) -> None:
    """Refuse what is neither a preset nor a script file; the simulator speaks English alone."""
    if faults not in PRESETS and not Path(faults).is_file():
        known = say("framework.between").join(PRESETS)
        raise Problem(remark("sandbox.no_faults", faults=faults, known=known))


async def sandbox(options: SandboxOptions, port: int, say: Say) -> Exit:
    """Serve until interrupted."""
    _check_faults(str(options.faults), say)
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
        sys.stdout.write(f"{say('sandbox.ready')}\n{say('sandbox.config')}\n\n")
        sys.stdout.write(SANDBOX_CONFIG.format(url=address))
        sys.stdout.flush()

    try:
        with anyio.CancelScope() as serving, on_interrupt(serving.cancel):
            await serve(site, port=port, started=started)
    except OSError as error:
        raise Problem(remark("error.port_taken", port=port, why=error.strerror)) from error
    return Exit.DONE


async def demo(options: CommandOptions, folder: Path, say: Say) -> Exit:
    """Push sample jobs and what a route selects to a sandbox; hold the ledger against its books.

    It ends well where that proof holds, whatever the run came to: some bills are to be refused.

    Raises:
        Problem: The proof does not hold.
    """
    jobs = laid_out(folder)
    site = build(SandboxOptions(faults=samples() / "demo-faults.toml"))
    async with _serving(site) as address:
        config = _configured(folder, address)
        runner = Runner(replace(options, config=config, yes=True), say)
        runner.warn("demo.begin", url=address)
        async with runner.selected(JobOptions()) as (selected, how, _):
            await runner.run([*jobs, *selected], how)
        site.finish()
        async with ledger_of(runner.settings) as ledger:
            run: Run = (await ledger.runs())[-1]
            pages = [records_of(rows, run) async for rows in followed_pages_of(ledger, run)]
    findings = check_ledger((record._asdict() for page in pages for record in page), site.world)
    if findings:
        raise Problem(remark("demo.untrue", what="; ".join(findings)), Exit.DEFECT)
    runner.warn("demo.books", documents=len(_documents(site)))
    explain = Shell().command("explain", DEMO_LOST, "--config", config)
    runner.warn("demo.next", command=explain)
    return Exit.DONE


def laid_out(folder: Path) -> list[str]:
    """Put the sample jobs into the demo's folder, and take away the ledger of an earlier demo.

    Raises:
        Problem: The folder holds something else of these names, or cannot be one.
    """
    if folder == STANDARD_OUTPUT:
        raise Problem(remark("output.no_stdout", path=folder))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stale = sorted(folder.glob("ledger.db*"))
        config = folder / CONFIG
        if not (config.is_file() and config.read_bytes().startswith(DEMO_MARK.encode())):
            for path in (config, *stale, *(folder / name for name in DEMO_JOBS)):
                if path.exists() or path.is_symlink():
                    raise Problem(remark("demo.not_ours", path=path))
            # Before anything else, so that a demo that is broken off stays known for one.
            config.write_text(DEMO_MARK, "utf-8")
        for path in stale:
            # It tells of a sandbox that is gone.
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [str(shutil.copyfile(samples() / name, folder / name)) for name in DEMO_JOBS]
    except OSError as error:
        why = error.strerror or error
        raise Problem(remark("demo.no_folder", path=folder, why=why)) from error


def _configured(folder: Path, address: str) -> Path:
    """Write the sample configuration for a sandbox at *address*: what to select, and to follow.

    Doubts are settled in seconds.
    """
    text = sandbox_config().replace(CONFIG_PORT, address.split("/")[2])
    for key, value in DEMO_TIMES.items():
        text = re.sub(rf"^{key} = \d+", f"{key} = {value}", text, flags=re.MULTILINE)
    text = re.sub(r'^chunk_size = "auto"', f"chunk_size = {DEMO_CHUNK}", text, flags=re.MULTILINE)
    text = re.sub(r"^follow = \[\]", DEMO_FOLLOW, text, flags=re.MULTILINE)
    text = re.sub(r'^where = ""', f'where = "{DEMO_WHERE}"', text, flags=re.MULTILINE)
    config = folder / CONFIG
    config.write_text(DEMO_MARK + text, "utf-8")
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
