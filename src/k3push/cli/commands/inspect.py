"""The commands that look at the ledger, and at what others have made."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import awaited, parse_since
from k3push.cli.command_decorator import commands
from k3push.cli.completion_values import exit_codes, states
from k3push.cli.completion_values import runs as newest_runs
from k3push.cli.options import ConfigOptions, ListOptions, OutputOptions
from k3push.words.language import Say


def add_audit(app: typer.Typer, say: Say) -> None:
    """Add the command that looks for documents that should not be there."""
    command = commands(app, say)
    Jobs = Annotated[
        list[str] | None, typer.Argument(metavar="[JOB...]", help=say("argument.audit"))
    ]

    @command("command.audit_dups", "k3push audit-dups --since today-1 --output doubles.html")
    def audit_dups(
        settings: ConfigOptions,
        lists: ListOptions,
        shown: OutputOptions,
        jobs: Jobs = None,
        from_ledger: Annotated[
            bool, typer.Option("--from-ledger", help=say("option.from_ledger"))
        ] = False,
        select: Annotated[bool, typer.Option("--select", help=say("option.audit_select"))] = False,
        since: Annotated[
            str | None, typer.Option("--since", metavar="DAY", help=say("option.since"))
        ] = None,
        excess: Annotated[
            float,
            typer.Option("--excess", metavar="PERCENT", min=0, max=100, help=say("option.excess")),
        ] = 0,
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", metavar="F", help=say("option.audit_output")),
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


def add_looking(app: typer.Typer, say: Say) -> None:
    """Add the commands that look at the ledger."""
    command = commands(app, say)
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]
    RunName = Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help=say("argument.run"), autocompletion=newest_runs),
    ]

    @command("command.status")
    def status(name: RunName = None, config: Config = None) -> int:
        from k3push.cli.actions import show_runs  # noqa: PLC0415

        return awaited(lambda: show_runs.status(config, name, say.about(name)))

    @command("command.runs", "k3push runs --limit 20 · k3push runs --needs-person --json")
    def runs(
        route: Annotated[str | None, typer.Option("--route", help=say("option.runs_route"))] = None,
        code: Annotated[
            int | None,
            typer.Option(
                "--exit", metavar="N", help=say("option.runs_exit"), autocompletion=exit_codes
            ),
        ] = None,
        words: Annotated[
            str | None, typer.Option("--find", metavar="TEXT", help=say("option.runs_find"))
        ] = None,
        needs: Annotated[
            bool, typer.Option("--needs-person", help=say("option.runs_needs"))
        ] = False,
        limit: Annotated[
            int | None, typer.Option("--limit", min=1, metavar="N", help=say("option.runs_limit"))
        ] = None,
        json: Annotated[bool, typer.Option("--json", help=say("option.runs_json"))] = False,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import show_runs  # noqa: PLC0415
        from k3push.runs.find import RunFilter  # noqa: PLC0415

        wanted = RunFilter(
            route=route or "", exit=code, words=words or "", in_rows=True, needs=needs
        )
        return awaited(lambda: show_runs.runs(config, wanted, say, limit=limit, json=json))

    @command("command.explain", "k3push explain CGDD0000017")
    def explain(
        number: Annotated[str, typer.Argument(metavar="NUMBER", help=say("argument.number"))],
        archive: Annotated[
            Path | None, typer.Option("--archive", metavar="F", help=say("option.archive"))
        ] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import explain_number  # noqa: PLC0415

        if archive is not None:
            return awaited(lambda: explain_number.explain_archived(config, number, archive, say))
        return awaited(lambda: explain_number.explain(config, number, say))

    @command("command.report", "k3push report --output night.html")
    def report(
        output: Annotated[
            Path, typer.Option("--output", metavar="F.html", help=say("option.page"))
        ],
        name: RunName = None,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions import write_results  # noqa: PLC0415

        return awaited(lambda: write_results.report(config, name, say, output))

    @command(
        "command.export",
        "k3push export --format xlsx --output all.xlsx --state rejected --state draft",
    )
    def export(
        output: Annotated[Path, typer.Option("--output", help=say("option.output"))],
        name: RunName = None,
        form: Annotated[
            Literal["csv", "jsonl", "xlsx", "parquet"] | None,
            typer.Option("--format", help=say("option.format")),
        ] = None,
        states: Annotated[
            list[str] | None,
            typer.Option("--state", metavar="S", help=say("option.state"), autocompletion=states),
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
