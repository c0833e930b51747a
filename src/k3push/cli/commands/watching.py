"""The command that shows runs in a browser."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated

import typer

from k3push.cli.arguments import awaited
from k3push.cli.words import Lang, Say


def add_watching(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the command that shows runs in a browser."""

    @app.command(
        help=say("serve"),
        short_help=say("serve.short"),
        epilog="k3push serve --open · k3push serve --tenants tenants/ --host 0.0.0.0 --port 8200",
    )
    def serve(
        host: Annotated[str, typer.Option("--host", metavar="A", help=say("opt.host"))] = (
            "127.0.0.1"
        ),
        port: Annotated[
            int,
            typer.Option("--port", min=0, max=65535, metavar="N", help=say("opt.serve_port")),
        ] = 8200,
        config: Annotated[
            list[Path] | None, typer.Option("--config", help=say("opt.configs"))
        ] = None,
        tenants: Annotated[
            Path | None, typer.Option("--tenants", metavar="DIR", help=say("opt.tenants"))
        ] = None,
        browser: Annotated[bool, typer.Option("--open", help=say("opt.open"))] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help=say("opt.verbose_serve"))
        ] = False,
        log_json: Annotated[bool, typer.Option("--log-json", help=say("opt.log_json"))] = False,
        log_file: Annotated[
            Path | None, typer.Option("--log-file", metavar="F", help=say("opt.log_file"))
        ] = None,
    ) -> int:
        from k3push.cli.logs import LogOptions  # noqa: PLC0415
        from k3push.cli.problem import Problem  # noqa: PLC0415

        try:
            from k3push.cli import serving  # noqa: PLC0415
        except ModuleNotFoundError as error:
            package, _, _ = (error.name or "").partition(".")
            if package not in {"prometheus_client", "starlette", "uvicorn"}:
                raise
            raise Problem(say("no_web", why=error)) from error
        options = serving.ServeOptions(
            host=host,
            port=port,
            configs=config or (),
            tenants=tenants,
            browser=browser,
            log=LogOptions(2 if verbose else 1, log_json, log_file),
        )
        return awaited(lambda: serving.serve(options, say, lang))
