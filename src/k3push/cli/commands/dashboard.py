"""The command that shows runs in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import Family, typed
from k3push.core.remark import remark
from k3push.words.language import Say

family = Family()


@family.command(
    "command.serve", "k3push serve --open --work · k3push serve --tenants tenants/ --host 0.0.0.0"
)
def serve(
    say: Say,
    host: Annotated[str, typed("--host", metavar="A", words="option.host")] = ("127.0.0.1"),
    port: Annotated[
        int, typed("--port", min=0, max=65535, metavar="N", words="option.serve_port")
    ] = 8200,
    config: Annotated[
        list[Path] | None, typed("--config", metavar="FILE", words="option.configs")
    ] = None,
    tenants: Annotated[
        Path | None, typed("--tenants", metavar="DIR", words="option.tenants")
    ] = None,
    browser: Annotated[bool, typed("--open", words="option.open")] = False,
    work: Annotated[bool, typed("--work", words="option.work")] = False,
    enqueue: Annotated[bool, typed("--enqueue", words="option.enqueue_served")] = False,
    verbose: Annotated[bool, typed("--verbose", "-v", words="option.verbose_serve")] = False,
    log_json: Annotated[bool, typed("--log-json", words="option.log_json")] = False,
    log_file: Annotated[
        Path | None, typed("--log-file", metavar="F", words="option.log_file")
    ] = None,
) -> int:
    from k3push.cli.console.logs import LogOptions  # noqa: PLC0415
    from k3push.runs.problem import Problem  # noqa: PLC0415

    try:
        from k3push.cli.actions import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package, _, _ = (error.name or "").partition(".")
        if package not in {"fastapi", "python_multipart", "starlette", "uvicorn"}:
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
