"""The commands that spread runs over machines."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.cli.words import Lang, Say

# Each slice logs in, and five wrong logins lock the account (P 2.4).
MOST_SLICES = 4


def add_fleet(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the commands that spread runs over machines."""
    Folder = Annotated[Path, typer.Option("--tenants", metavar="DIR", help=say("opt.tenants"))]
    Json = Annotated[bool, typer.Option("--json", help=say("opt.json"))]

    @app.command(
        help=say("enqueue"),
        short_help=say("enqueue.short"),
        epilog="k3push enqueue orders.csv --config tenants/acme.toml",
    )
    def enqueue(
        jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help=say("arg.jobs"))],
        route: Annotated[str | None, typer.Option("--route", help=say("opt.route"))] = None,
        column: Annotated[str | None, typer.Option("--column", help=say("opt.column"))] = None,
        sheet: Annotated[str | None, typer.Option("--sheet", help=say("opt.sheet"))] = None,
        skip_bad_lines: Annotated[
            bool, typer.Option("--skip-bad-lines", help=say("opt.skip"))
        ] = False,
        config: Annotated[Path | None, typer.Option("--config", help=say("opt.config"))] = None,
        slices: Annotated[
            int,
            typer.Option("--slices", min=1, max=MOST_SLICES, metavar="N", help=say("opt.slices")),
        ] = 1,
        json: Json = False,
    ) -> int:
        from k3push.cli import enqueuing  # noqa: PLC0415
        from k3push.cli.jobs import JobOptions  # noqa: PLC0415

        how = JobOptions(route=route, column=column, sheet=sheet, skip_bad_lines=skip_bad_lines)
        options = enqueuing.EnqueueOptions(config, how, slices, json)
        return awaited(lambda: enqueuing.enqueue(jobs, options, say, lang))

    @app.command(
        help=say("worker"), short_help=say("worker.short"), epilog="k3push worker --tenants tenants"
    )
    def worker(
        folder: Folder = Path("tenants"),
        concurrency: Annotated[
            int, typer.Option("--concurrency", min=1, max=256, metavar="N", help=say("opt.runs"))
        ] = 4,
        name: Annotated[str | None, typer.Option("--name", help=say("opt.worker"))] = None,
    ) -> int:
        _needed(say)
        from k3push.cli import working  # noqa: PLC0415

        return awaited(
            lambda: working.serve(folder, concurrency=concurrency, name=name, say=say, lang=lang)
        )

    _add_group(app, say)


def _add_group(app: typer.Typer, say: Say) -> None:
    Folder = Annotated[Path, typer.Option("--tenants", metavar="DIR", help=say("opt.tenants"))]
    Names = Annotated[
        list[str] | None, typer.Option("--tenant", metavar="T", help=say("opt.tenant"))
    ]
    Everybody = Annotated[bool, typer.Option("--all", help=say("opt.all"))]

    fleet = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(fleet, name="fleet", help=say("fleet.help"), short_help=say("fleet.short"))

    @fleet.callback()
    def _fleet() -> None:
        _needed(say)

    @fleet.command("status", help=say("fleet.status"), epilog="k3push fleet status")
    def status(
        folder: Folder = Path("tenants"),
        names: Names = None,
        json: Annotated[bool, typer.Option("--json", help=say("opt.json"))] = False,
    ) -> int:
        from k3push.cli import fleet  # noqa: PLC0415

        return awaited(lambda: fleet.status(folder, names or [], json=json, say=say))

    @fleet.command("pause", help=say("fleet.pause"), epilog="k3push fleet pause --tenant acme")
    def pause(
        folder: Folder = Path("tenants"), names: Names = None, everybody: Everybody = False
    ) -> int:
        from k3push.cli import fleet  # noqa: PLC0415

        return awaited(lambda: fleet.pause(folder, names or [], everybody=everybody, say=say))

    @fleet.command(
        "continue", help=say("fleet.continue"), epilog="k3push fleet continue --tenant acme"
    )
    def continue_(
        folder: Folder = Path("tenants"), names: Names = None, everybody: Everybody = False
    ) -> int:
        from k3push.cli import fleet  # noqa: PLC0415

        return awaited(lambda: fleet.go_on(folder, names or [], everybody=everybody, say=say))

    @fleet.command("cancel", help=say("fleet.cancel"), epilog="k3push fleet cancel --tenant acme")
    def cancel(
        folder: Folder = Path("tenants"), names: Names = None, everybody: Everybody = False
    ) -> int:
        from k3push.cli import fleet  # noqa: PLC0415

        return awaited(lambda: fleet.cancel(folder, names or [], everybody=everybody, say=say))

    @fleet.command("retry", help=say("fleet.retry"), epilog="k3push fleet retry --tenant acme")
    def retry(
        folder: Folder = Path("tenants"), names: Names = None, everybody: Everybody = False
    ) -> int:
        from k3push.cli import fleet  # noqa: PLC0415

        return awaited(lambda: fleet.retry(folder, names or [], everybody=everybody, say=say))


def _needed(say: Say) -> None:
    from k3push.cli.enqueuing import needs_fleet  # noqa: PLC0415

    needs_fleet(say)
