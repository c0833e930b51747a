"""`audit-dups`: bills with more documents than they should have, whoever made them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from k3push.adapters.erp.inspection import Inspector
from k3push.adapters.names_on_disk import names_on_disk
from k3push.cli.actions.push_runs import Runner
from k3push.cli.console.look_progress import LookProgress
from k3push.cli.console.signals import ask_as_signal, on_interrupt
from k3push.config.real_paths import real
from k3push.core.control_words import Key
from k3push.core.model import Listed, Route
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.reporting.audit_files import (
    WRITERS,
    Audit,
    audit_lines,
    json_parts,
    names_of,
    verdict,
    write_audit,
)
from k3push.reporting.audit_findings import Findings, new_findings
from k3push.reporting.phrases import cause_words
from k3push.runs.audit.audit_doubles import Books, audit
from k3push.runs.audit.audit_feeds import Batches, chained, of_documents, of_jobs, of_ledger
from k3push.runs.create import JobSource, scope_of, survey
from k3push.runs.forecast import ForecastContext, learn_links
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.lookup.looker import can_ask
from k3push.runs.outcome import Exit, exit_of_looks
from k3push.runs.problem import Problem
from k3push.runs.stop import Stop, stopping
from k3push.wiring.ending_messages import recipients, send_word
from k3push.wiring.job_lists import JobOptions, opened_jobs, routes_of
from k3push.wiring.open_ledger import is_there, ledger_of
from k3push.wiring.protected_files import check_output, see_writable
from k3push.wiring.selected_bills import Selector
from k3push.words.language import harmless_json

# An audit is of all that there is; no site has as many.
MOST_SELECTED = 1_000_000_000

# Bills that a message names; the file has all.
MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """What the options of the command say.

    Attributes:
        jobs: Job files whose bills are looked at; none for others.
        lists: How they are read, and the one route.
        from_ledger: The bills of the ledger are looked at.
        select: Those that the route selects are, whether they can still be pushed or not.
        since: Only what was made, or worked on, since then.
        excess: Which part of an ordered quantity may be taken beyond it.
    """

    jobs: Sequence[str]
    lists: JobOptions
    from_ledger: bool = False
    select: bool = False
    since: datetime | None = None
    excess: Decimal = Decimal()
    output: Path | None = None


class Auditor:
    """`audit-dups`, with the settings and the words of a `Runner`."""

    def __init__(self, runner: Runner, options: AuditOptions) -> None:
        """Raise `Problem` unless the options go together, and the file can be written."""
        self._runner, self._options = runner, options
        self._settings, self._say, self._warn = runner.settings, runner.say, runner.warn
        self._recipients = recipients(runner.settings)
        self._stop = Stop()
        if sum(map(bool, (options.jobs, options.from_ledger, options.select))) > 1:
            raise Problem(remark("audit.one_source"))
        if (options.jobs or options.select) and options.since:
            raise Problem(remark("audit.since_of_list"))
        if options.output is not None:
            self._check_output(options.output)

    def _check_output(self, path: Path) -> None:
        """See that the file can be written before an hour of looks."""
        check_output(path, settings=[self._settings], jobs=self._options.jobs)
        if path.suffix.lower() not in WRITERS:
            raise Problem(remark("audit.bad_form", path=path, known=", ".join(WRITERS)))
        see_writable(path)

    async def run(self) -> Exit:
        """Look at the bills, tell what was found, and say so by the exit code."""
        async with AsyncExitStack() as stack:
            names, how = self._options.jobs, self._options.lists
            if self._options.select:
                names, how = await stack.enter_async_context(self._selected())
            jobs = stack.enter_context(opened_jobs(names, how, self._warn))
            findings = stack.enter_context(new_findings())
            routes = await self._routes(jobs)
            with anyio.CancelScope() as scope, on_interrupt(scope.cancel):
                await self._look(findings, routes, jobs)
            if scope.cancelled_caught:
                ask_as_signal(self._stop)
            findings.why += [
                cause_words(cause, why, self._say) for cause, why in self._stop.causes.items()
            ]
            made = Audit(
                findings,
                self._exit(findings),
                self._settings.erp.acct_id,
                self._scope(),
                self._runner.clock.now(),
            )
            await self._tell(made, routes)
            return Exit(made.exit)

    def _exit(self, findings: Findings) -> Exit:
        if self._stop.asked:
            code = exit_of_looks(self._stop)
            # Whoever is told nothing knows nothing, whether or not the settings are to blame.
            return Exit.UNREACHABLE if code is Exit.USAGE else code
        if findings.reasons:
            return Exit.UNREACHABLE
        return Exit.SOME_REJECTED if findings.count else Exit.DONE

    # -- what is looked at --------------------------------------------------------------------

    @asynccontextmanager
    async def _selected(self) -> AsyncIterator[tuple[Sequence[str], JobOptions]]:
        """Select what the route's settings say, and give it as the job that it is.

        A bill that was pushed is closed or used up, so that these are not left out here.

        Raises:
            Problem: The ERP could not be read to the end.
        """
        how, settings = self._options.lists, self._settings
        route = settings.route(how.route)
        wanted = replace(settings.selection(route), pushable=False, max_count=MOST_SELECTED)
        selector = Selector(settings, self._runner.executor.entrance, self._warn)
        today = self._runner.clock.now().date()
        async with selector.spooled(route, wanted, today=today) as (path, _):
            yield [SELECTED], replace(how, selected=path)

    async def _routes(self, jobs: Sequence[JobSource]) -> dict[str, Route]:
        """Return the routes to look at, by the names that lines of a list give."""
        settings, how = self._settings, self._options.lists
        if jobs:
            routes = routes_of(settings, how, await survey(jobs))
        else:
            names = [how.route] if how.route else list(settings.routes)
            routes = {name: settings.route(name) for name in names}
        return routes

    async def _look(
        self, findings: Findings, routes: Mapping[str, Route], jobs: Sequence[JobSource]
    ) -> None:
        """Look through all routes; two that make the same documents of a bill are one.

        Raises:
            Problem: The documents of one cannot be asked for.
        """
        throttle = self._runner.executor.throttle()
        progress = LookProgress(
            self._runner.terminal.errors,
            self._say,
            lambda done: self._say("audit.looking", done=done),
            quiet=self._runner.options.quiet,
        )
        by_scope: dict[str, list[str]] = {}
        for name, route in routes.items():
            by_scope.setdefault(scope_of(self._settings.erp.acct_id, route), []).append(name)
        async with AsyncExitStack() as stack, anyio.create_task_group() as others:
            stack.enter_context(progress)
            once = stack.enter_context(names_on_disk())
            others.start_soon(progress.tell_now_and_then)
            with stopping(self._stop):
                ledger = await self._ledger(stack)
                erp = self._runner.executor.entrance.opened(
                    lambda: throttle[Key.CALLS_PER_MINUTE],
                    partial(self._runner.terminal.set_aside, None),
                )
                await stack.enter_async_context(erp)
                await erp.open_session()
                looks: dict[str, ForecastContext] = {}
                for scope, names in by_scope.items():
                    route, limits = routes[names[0]], self._runner.executor.limits()
                    look = ForecastContext(route, erp, limits, self._stop, progress)
                    looks[scope] = await learn_links(look)
                    if not can_ask(looks[scope]):
                        raise Problem(remark("audit.blind", route=route.name))
                for scope, names in by_scope.items():
                    route, look = looks[scope].route, looks[scope]
                    books = Books(look, Inspector(erp), once, ledger, scope, self._options.excess)
                    feed = self._feed(books, jobs, names)
                    findings.begin(route.name)
                    at_once = throttle[Key.CONCURRENCY]
                    async with aclosing(audit(books, feed, self._stop, at_once=at_once)) as audited:
                        async for each in audited:
                            await anyio.to_thread.run_sync(findings.add, route.name, each)
                            progress.add(each.sources)
            others.cancel_scope.cancel()

    async def _ledger(self, stack: AsyncExitStack) -> Ledger | None:
        if self._options.from_ledger or await is_there(self._settings):
            return await stack.enter_async_context(ledger_of(self._settings))
        self._warn("audit.no_ledger", path=self._settings.ledger_place)
        return None

    def _feed(self, books: Books, jobs: Sequence[JobSource], names: Sequence[str]) -> Batches:
        """Return the bills to look at by one route, which lines call by *names*."""
        since, ledger = self._options.since, books.ledger
        if jobs:

            def is_meant(listed: Listed) -> bool:
                return listed.route in names

            return of_jobs(jobs, is_meant)
        if self._options.from_ledger and ledger is not None:
            return of_ledger(ledger, books.scope, since)
        # The ERP keeps its own time of day, and so does whoever writes a day down.
        made_since = f"{since:%Y-%m-%d %H:%M:%S}" if since else ""
        documents = of_documents(books.look, books.inspection, made_since)
        if ledger is None:
            return documents
        # What the ledger has made and the ERP does not have is named by no document.
        return chained(documents, of_ledger(ledger, books.scope, since))

    def _scope(self) -> str:
        """Say in words which bills are looked at."""
        options, say = self._options, self._say
        since = f"{options.since:%Y-%m-%d}" if options.since else ""
        if options.jobs:
            return say("audit.scope.jobs", jobs=", ".join(Path(job).name for job in options.jobs))
        if options.select:
            return say("audit.scope.select")
        if options.from_ledger:
            return (
                say("audit.scope.ledger_since", since=since) if since else say("audit.scope.ledger")
            )
        return say("audit.scope.since", since=since) if since else say("audit.scope.all")

    # -- telling ------------------------------------------------------------------------------

    async def _tell(self, made: Audit, routes: Mapping[str, Route]) -> None:
        """Print what was found, write the file and send the message."""
        options, findings = self._options, made.findings
        for route in {route.name: route for route in routes.values()}.values():
            strange = findings.totals[route.name].strange if route.name in findings.totals else 0
            if strange:
                kind = "strange" if options.jobs else "unseen"
                self._warn(f"audit.{kind}", route=route.name, count=strange, form=route.source)
        if self._runner.options.json:
            for part in json_parts(made):
                sys.stdout.write(harmless_json(part.decode()))
            for reason in map(self._say.said, findings.reasons):
                self._runner.terminal.errors.print(reason, highlight=False, markup=False)
        else:
            for line in audit_lines(made, self._say):
                self._runner.terminal.output.print(line, highlight=False, markup=False)
        if options.output is not None:
            try:
                await write_audit(made, options.output, self._say)
            except OSError as error:
                why = error.strerror or error
                raise Problem(remark("error.file", path=options.output, why=why)) from error
            self._warn("notice.report", path=options.output)
        await send_word(
            self._settings, self._recipients, _events(made), self._message(made), self._warn
        )

    def _message(self, made: Audit) -> tuple[str, str]:
        """Return the title and the lines that tell people."""
        lines = [verdict(made, self._say), *map(self._say.said, made.findings.reasons)]
        lines += [", ".join(names_of(made.findings, MOST_NAMED, self._say))]
        if self._options.output is not None:
            lines.append(self._say("notify.report", path=real(self._options.output)))
        title = self._say("audit.notify", code=made.exit)
        return title, "\n".join(line for line in lines if line)


def _events(made: Audit) -> set[str]:
    """Name what an audit came to, in the words of `notify.on`."""
    found = {"doubles"} if made.findings.count else set()
    if made.exit == Exit.UNREACHABLE:
        return found | {"login"}
    return found | ({"halt"} if made.findings.reasons else {"finish"})
