"""`select`: a job file from the ERP's own query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio

from k3push.adapters.clock import SystemClock
from k3push.adapters.job_files.writing import ENDINGS
from k3push.adapters.output_files import STANDARD_OUTPUT
from k3push.cli.console.screen import put_json
from k3push.cli.console.shell import Shell
from k3push.cli.console.terminal import Terminal
from k3push.core.protocol.selection import FilterFlawError, Selection, check_where, joined
from k3push.core.remark import remark
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.wiring.erp import ErpAccess, endpoints_of
from k3push.wiring.open_ledger import ledger_if_there
from k3push.wiring.protected_files import check_output
from k3push.wiring.selected_bills import Selector
from k3push.words.language import Say


@dataclass(frozen=True, slots=True)
class SelectChoice:
    """What the command's options say; None leaves it to the route's settings."""

    config: Path | None
    route: str | None
    where: str | None
    max_count: int | None
    json: bool

    def over(self, selection: Selection) -> Selection:
        """Return the settings' selection with what the options say: a filter narrows it.

        Raises:
            Problem: The filter cannot be used.
        """
        if self.max_count is not None:
            selection = replace(selection, max_count=self.max_count)
        if self.where is None:
            return selection
        try:
            return replace(selection, where=joined(selection.where, check_where(self.where)))
        except FilterFlawError as flaw:
            raise Problem(remark("note.place", place="--where", why=str(flaw))) from flaw


async def select(choice: SelectChoice, output: Path, say: Say) -> Exit:
    """Write the bills that a route selects to a job file."""
    began_s = anyio.current_time()
    terminal = Terminal(say)
    settings = load_settings(choice.config)
    streams = output == STANDARD_OUTPUT
    if streams and choice.json:
        raise Problem(remark("output.json_too", path=f"--output {output}"))
    if not streams and output.suffix.lower() not in ENDINGS:
        raise Problem(remark("select.ending", path=output, known=", ".join(ENDINGS)))
    check_output(output, settings=[settings], may_be_stdout=True)
    route = settings.route(choice.route)
    selection = choice.over(settings.selection(route))
    selector = Selector(settings, ErpAccess(endpoints_of(settings)), terminal.warn)
    today = SystemClock().now().date()

    def put(count: int, **more: int) -> None:
        told = {"output": str(output), "route": route.name, "count": count}
        put_json({**told, "seconds": round(anyio.current_time() - began_s, 2), **more})

    try:
        async with ledger_if_there(settings) as ledger:
            found = await selector.write(output, route, selection, today=today, ledger=ledger)
    except Problem as problem:
        if choice.json and problem.exit is not Exit.USAGE:
            put(0, exit=int(problem.exit))
        raise
    if choice.json:
        put(found.count)
    else:
        shown = terminal.errors if streams else terminal.output
        out = partial(shown.print, highlight=False, markup=False)
        told = {"count": found.count, "form": route.source}
        if streams:
            out(say("select.streamed", **told))
        else:
            out(say("select.written", path=output, **told))
        if found.count and not streams:
            where = ("--config", choice.config) if choice.config else ()
            which = ("--route", choice.route) if choice.route else ()
            out(say("select.next", command=Shell().command("run", output, *which, *where)))
    return Exit.STOPPED if found.more else Exit.DONE
