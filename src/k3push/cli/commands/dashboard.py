"""The command that shows runs in a browser."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import commands
from k3push.core.remark import remark
from k3push.words.language import Say


def add_watching(app: typer.Typer, say: Say) -> None:
    """Add the command that shows runs in a browser."""
    command = commands(app, say)

    @command(
        "command.serve",
        "k3push serve --open --work · k3push serve --tenants tenants/ --host 0.0.0.0",
    )
    def serve(
        host: Annotated[str, typer.Option("--host", metavar="A", help=say("option.host"))] = (
            "127.0.0.1"
        ),
        port: Annotated[
            int,
            typer.Option("--port", min=0, max=65535, metavar="N", help=say("option.serve_port")),
        ] = 8200,
        config: Annotated[
            list[Path] | None,
            typer.Option("--config", metavar="FILE", help=say("option.configs")),
        ] = None,
        tenants: Annotated[
            Path | None, typer.Option("--tenants", metavar="DIR", help=say("option.tenants"))
        ] = None,
        browser: Annotated[bool, typer.Option("--open", help=say("option.open"))] = False,
        work: Annotated[bool, typer.Option("--work", help=say("option.work"))] = False,
        enqueue: Annotated[
            bool, typer.Option("--enqueue", help=say("option.enqueue_served"))
        ] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help=say("option.verbose_serve"))
        ] = False,
        log_json: Annotated[bool, typer.Option("--log-json", help=say("option.log_json"))] = False,
        log_file: Annotated[
            Path | None, typer.Option("--log-file", metavar="F", help=say("option.log_file"))
        ] = None,
    ) -> int:
        from k3push.cli.console.logs import LogOptions  # noqa: PLC0415
        from k3push.runs.problem import Problem  # noqa: PLC0415

        try:
            from k3push.cli.actions import serve  # noqa: PLC0415
        except ModuleNotFoundError as error:
            package, _, _ = (error.name or "").partition(".")
            if package not in {
                "fastapi",
                "python_multipart",
                "starlette",
                "uvicorn",
            }:
                raise
            raise Problem(remark("error.no_web", why=error)) from error
        options = serve.ServeOptions(
            host=host,
            port=port,
            configs=config or (),
            tenants=tenants,
            browser=browser,
            work=work,
            enqueue=enqueue,
            log=LogOptions(2 if verbose else 1, log_json, log_file),
        )
        return awaited(lambda: serve.serve(options, say))
