"""`status`, `runs`, `explain`, `report`, `export` and `audit-dups`: what look, and send nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import awaited, parse_since
from k3push.cli.command_decorator import Family, argument, typed
from k3push.cli.completion_values import exit_codes, states
from k3push.cli.options import Config, ConfigOptions, Json, ListOptions, OutputOptions, RunName
from k3push.words.language import Say

Jobs = Annotated[list[str] | None, argument("[JOB...]", words="argument.audit")]

family = Family()


@family.command("command.status", "k3push status · k3push status 20261125-2000 --json")
def status(say: Say, name: RunName = None, json: Json = False, config: Config = None) -> int:
    from k3push.cli.actions import show_runs  # noqa: PLC0415

    return awaited(lambda: show_runs.status(config, name, say.about(name), json=json))


@family.command("command.runs", "k3push runs --limit 20 · k3push runs --needs-person --json")
def runs(
    say: Say,
    route: Annotated[str | None, typed("--route", words="option.runs_route")] = None,
    code: Annotated[
        int | None,
        typed("--exit", metavar="N", words="option.runs_exit", autocompletion=exit_codes),
    ] = None,
    words: Annotated[str | None, typed("--find", metavar="TEXT", words="option.runs_find")] = None,
    needs: Annotated[bool, typed("--needs-person", words="option.runs_needs")] = False,
    limit: Annotated[
        int | None, typed("--limit", min=1, metavar="N", words="option.runs_limit")
    ] = None,
    json: Annotated[bool, typed("--json", words="option.runs_json")] = False,
    config: Config = None,
) -> int:
    from k3push.cli.actions import show_runs  # noqa: PLC0415
    from k3push.runs.find import RunFilter  # noqa: PLC0415

    wanted = RunFilter(route=route or "", exit=code, words=words or "", in_rows=True, needs=needs)
    return awaited(lambda: show_runs.runs(config, wanted, say, limit=limit, json=json))


@family.command("command.explain", "k3push explain CGDD0000017 · k3push explain 未审核")
def explain(
    say: Say,
    number: Annotated[str, argument("NUMBER", words="argument.number")],
    archive: Annotated[Path | None, typed("--archive", metavar="F", words="option.archive")] = None,
    whole: Annotated[bool, typed("--whole", words="option.whole")] = False,
    config: Config = None,
) -> int:
    from k3push.cli.actions import explain_number  # noqa: PLC0415

    if archive is not None:
        return awaited(
            lambda: explain_number.explain_archived(config, number, archive, say, whole=whole)
        )
    return awaited(lambda: explain_number.explain(config, number, say, whole=whole))


@family.command("command.report", "k3push report --output night.html")
def report(
    say: Say,
    output: Annotated[Path, typed("--output", "-o", metavar="F.html", words="option.page")],
    name: RunName = None,
    config: Config = None,
) -> int:
    from k3push.cli.actions import write_results  # noqa: PLC0415

    return awaited(lambda: write_results.report(config, name, say, output))


@family.command(
    "command.export", "k3push export --format xlsx --output all.xlsx --state rejected --state draft"
)
def export(
    say: Say,
    output: Annotated[Path, typed("--output", "-o", words="option.output")],
    name: RunName = None,
    form: Annotated[
        Literal["csv", "jsonl", "xlsx", "parquet"] | None, typed("--format", words="option.format")
    ] = None,
    states: Annotated[
        list[str] | None, typed("--state", metavar="S", words="option.state", autocompletion=states)
    ] = None,
    config: Config = None,
) -> int:
    from k3push.cli.actions import write_results  # noqa: PLC0415
    from k3push.core.model import State  # noqa: PLC0415

    try:
        wanted = [State(state) for state in states or []]
    except ValueError as error:
        wrong = next(state for state in states or [] if state not in set(State))
        known = ", ".join(State)
        raise typer.BadParameter(say("error.bad_state", text=wrong, known=known)) from error
    return awaited(
        lambda: write_results.export(config, name, say, form=form, output=output, states=wanted)
    )


@family.command("command.audit_dups", "k3push audit-dups --since today-1 --output doubles.html")
def audit_dups(
    say: Say,
    settings: ConfigOptions,
    lists: ListOptions,
    shown: OutputOptions,
    jobs: Jobs = None,
    from_ledger: Annotated[bool, typed("--from-ledger", words="option.from_ledger")] = False,
    select: Annotated[bool, typed("--select", words="option.audit_select")] = False,
    since: Annotated[str | None, typed("--since", metavar="DAY", words="option.since")] = None,
    excess: Annotated[
        float, typed("--excess", metavar="PERCENT", min=0, max=100, words="option.excess")
    ] = 0,
    output: Annotated[
        Path | None, typed("--output", "-o", metavar="F", words="option.audit_output")
    ] = None,
) -> int:
    from decimal import Decimal  # noqa: PLC0415

    from k3push.cli.actions.audit_dups import AuditOptions, Auditor  # noqa: PLC0415
    from k3push.cli.actions.push_runs import CommandOptions, Runner  # noqa: PLC0415

    lists.see_read(jobs, say)
    now = datetime.now().astimezone()
    options = AuditOptions(
        jobs=jobs or [],
        lists=lists.made(),
        from_ledger=from_ledger,
        select=select,
        since=None if since is None else parse_since(since, now, say),
        excess=Decimal(str(excess)) / 100,
        output=output,
    )
    made = CommandOptions(config=settings.config, json=shown.json, quiet=shown.quiet)
    return awaited(lambda: Auditor(Runner(made, say), options).run())
