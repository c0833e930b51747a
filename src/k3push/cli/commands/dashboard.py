"""`serve`: the command that shows runs in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import Family, option
from k3push.core.remark import remark
from k3push.words.language import Say

if TYPE_CHECKING:
    from k3push.cli.console.logs import LogOptions

family = Family()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How the dashboard is served."""

    host: str = option("--host", default="127.0.0.1", metavar="A", words="option.host")
    port: int = option(
        "--port", default=8200, min=0, max=65535, metavar="N", words="option.serve_port"
    )
    config: list[Path] | None = option("--config", metavar="FILE", words="option.configs")
    tenants: Path | None = option("--tenants", metavar="DIR", words="option.tenants")
    browser: bool = option("--open", default=False, words="option.open")
    work: bool = option("--work", default=False, words="option.work")
    enqueue: bool = option("--enqueue", default=False, words="option.enqueue_served")
    verbose: bool = option("--verbose", "-v", default=False, words="option.verbose_serve")
    log_json: bool = option("--log-json", default=False, words="option.log_json")
    log_file: Path | None = option("--log-file", metavar="F", words="option.log_file")

    def log(self) -> LogOptions:
        """Return what is logged, and where."""
        from k3push.cli.console.logs import LogOptions  # noqa: PLC0415

        return LogOptions(2 if self.verbose else 1, self.log_json, self.log_file)


@family.command(
    "command.serve", "k3push serve --open --work · k3push serve --tenants tenants/ --host 0.0.0.0"
)
def serve(say: Say, options: ServeOptions) -> int:
    from k3push.runs.problem import Problem  # noqa: PLC0415

    try:
        from k3push.cli.actions import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package, _, _ = (error.name or "").partition(".")
        if package not in {"fastapi", "python_multipart", "starlette", "uvicorn"}:
            raise
        raise Problem(remark("error.no_web", why=error)) from error
    return awaited(lambda: serve.serve(options, say))
