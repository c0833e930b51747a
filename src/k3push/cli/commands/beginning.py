"""The commands that come before the first run."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import awaited
from k3push.cli.words import Lang, Say


def add_beginning(app: typer.Typer, say: Say, lang: Lang) -> None:
    """Add the commands that come before the first run."""
    Config = Annotated[Path | None, typer.Option("--config", help=say("opt.config"))]

    @app.command("check", help=say("check"), short_help=say("check.short"))
    def check_(
        route: Annotated[str | None, typer.Option("--route", help=say("opt.route"))] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli.checking import check  # noqa: PLC0415

        return awaited(lambda: check(config, route, say))

    @app.command(help=say("init"), short_help=say("init.short"))
    def init(config: Config = None) -> int:
        from k3push.cli import starting  # noqa: PLC0415

        return starting.init(config, say)

    @app.command(
        help=say("sandbox"),
        short_help=say("sandbox.short"),
        epilog="k3push sandbox --port 8100 --faults night",
    )
    def sandbox(
        port: Annotated[
            int, typer.Option(min=0, max=65535, metavar="N", help=say("opt.port"))
        ] = 8100,
        faults: Annotated[str, typer.Option(metavar="NAME|FILE", help=say("opt.faults"))] = "none",
        seed: Annotated[int, typer.Option(metavar="N", help=say("opt.seed"))] = 0,
        latency: Annotated[
            float, typer.Option(min=0, metavar="SECONDS", help=say("opt.latency"))
        ] = 0.0,
        capacity: Annotated[int, typer.Option(min=0, metavar="N", help=say("opt.capacity"))] = 0,
        queue: Annotated[
            Literal["user", "site"] | None, typer.Option(help=say("opt.queue"))
        ] = None,
        policy: Annotated[
            Literal["one-to-one", "merge", "split"], typer.Option(help=say("opt.policy"))
        ] = "one-to-one",
        orders: Annotated[int, typer.Option(min=1, metavar="N", help=say("opt.orders"))] = 1000,
    ) -> int:
        from k3push.cli import trying  # noqa: PLC0415
        from k3push.simulator import SandboxOptions  # noqa: PLC0415

        options = SandboxOptions(
            orders=orders,
            seed=seed,
            latency_s=latency,
            capacity=capacity,
            queue=queue,
            policy=policy,
            faults=faults,
        )
        return awaited(lambda: trying.sandbox(options, port, say))

    @app.command(help=say("demo"), short_help=say("demo.short"))
    def demo(
        folder: Annotated[Path, typer.Option("--output", help=say("opt.keep"))] = Path(
            "k3push-demo"
        ),
        json: Annotated[bool, typer.Option("--json", help=say("opt.json"))] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help=say("opt.quiet"))] = False,
        verbose: Annotated[
            int, typer.Option("--verbose", "-v", count=True, help=say("opt.verbose"))
        ] = 0,
    ) -> int:
        from k3push.cli import trying  # noqa: PLC0415
        from k3push.cli.executing import RunOptions  # noqa: PLC0415
        from k3push.cli.logs import LogOptions  # noqa: PLC0415

        options = RunOptions(json=json, quiet=quiet, log=LogOptions(verbose))
        return awaited(lambda: trying.demo(options, folder, say, lang))
