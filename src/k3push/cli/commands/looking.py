"""The commands that look at the ledger."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import awaited
from k3push.cli.words import Lang, Say


def add_looking(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the commands that look at the ledger."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]
    RunName = Annotated[str | None, typer.Argument(metavar="[RUN]", help=say("arg.run"))]

    @app.command(help=say("status"), short_help=say("status.short"))
    def status(name: RunName = None, config: Config = None) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return awaited(lambda: showing.status(config, name, say))

    @app.command(help=say("runs"), short_help=say("runs.short"))
    def runs(config: Config = None) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return awaited(lambda: showing.runs(config, say))

    @app.command(
        help=say("explain"), short_help=say("explain.short"), epilog="k3push explain CGDD0000017"
    )
    def explain(
        number: Annotated[str, typer.Argument(help=say("arg.number"))], config: Config = None
    ) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return awaited(lambda: showing.explain(config, number, say))

    @app.command(
        help=say("report"),
        short_help=say("report.short"),
        epilog="k3push report --output night.html",
    )
    def report(
        output: Annotated[Path, typer.Option("--output", metavar="F.html", help=say("opt.page"))],
        name: RunName = None,
        config: Config = None,
    ) -> int:
        from k3push.cli import showing  # noqa: PLC0415

        return awaited(lambda: showing.report(config, name, say, lang, output))

    @app.command(
        help=say("export"),
        short_help=say("export.short"),
        epilog="k3push export --format xlsx --output all.xlsx --state rejected --state draft",
    )
    def export(
        output: Annotated[Path, typer.Option("--output", help=say("opt.output"))],
        name: RunName = None,
        form: Annotated[
            Literal["csv", "jsonl", "xlsx", "parquet"] | None,
            typer.Option("--format", help=say("opt.format")),
        ] = None,
        states: Annotated[
            list[str] | None, typer.Option("--state", metavar="S", help=say("opt.state"))
        ] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli import showing  # noqa: PLC0415
        from k3push.core.model import State  # noqa: PLC0415

        try:
            wanted = [State(state) for state in states or []]
        except ValueError as error:
            known = ", ".join(State)
            raise typer.BadParameter(f"--state: {error}; there are: {known}") from error
        return awaited(
            lambda: showing.export(config, name, say, form=form, output=output, states=wanted)
        )
