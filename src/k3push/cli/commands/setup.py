"""The commands that come before the first run."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
from pathlib import Path
from typing import Annotated, Literal

import typer

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import commands
from k3push.cli.completion_values import presets
from k3push.words.language import Say


def add_beginning(app: typer.Typer, say: Say) -> None:
    """Add the commands that come before the first run."""
    command = commands(app, say)
    Config = Annotated[Path | None, typer.Option("--config", help=say("option.config"))]

    @command("command.check")
    def check_(
        route: Annotated[
            str | None, typer.Option("--route", help=say("option.route_checked"))
        ] = None,
        config: Config = None,
    ) -> int:
        from k3push.cli.actions.check import check  # noqa: PLC0415

        return awaited(lambda: check(config, route, say))

    @command("command.completion", "k3push completion bash")
    def completion(
        shell: Annotated[
            Literal["bash", "zsh", "fish", "powershell", "pwsh"],
            typer.Argument(metavar="bash|zsh|fish|powershell|pwsh", help=say("argument.shell")),
        ],
    ) -> int:
        import sys  # noqa: PLC0415

        # typer's own modules take it from there.
        from typer.completion import get_completion_script  # type: ignore[attr-defined]  # noqa: PLC0415

        script = get_completion_script(
            prog_name="k3push", complete_var="_K3PUSH_COMPLETE", shell=shell
        )
        # A line of ~/.zshrc may stand before the one that loads what completes.
        script = script.replace(
            "\ncompdef",
            "\n(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\ncompdef",
        )
        sys.stdout.write(f"{script}\n")
        return 0

    @command("command.init")
    def init(config: Config = None) -> int:
        from k3push.cli.actions import init  # noqa: PLC0415

        return awaited(lambda: init.init(config, say))

    @command("command.sandbox", "k3push sandbox --port 8100 --faults night")
    def sandbox(
        port: Annotated[
            int, typer.Option(min=0, max=65535, metavar="N", help=say("option.port"))
        ] = 8100,
        faults: Annotated[
            str,
            typer.Option(metavar="NAME|FILE", help=say("option.faults"), autocompletion=presets),
        ] = "none",
        seed: Annotated[int, typer.Option(metavar="N", help=say("option.seed"))] = 0,
        latency: Annotated[
            float, typer.Option(min=0, metavar="SECONDS", help=say("option.latency"))
        ] = 0.0,
        capacity: Annotated[int, typer.Option(min=0, metavar="N", help=say("option.capacity"))] = 0,
        queue: Annotated[
            Literal["user", "site"] | None, typer.Option(help=say("option.queue"))
        ] = None,
        policy: Annotated[
            Literal["one-to-one", "merge", "merge-lines", "split"],
            typer.Option(help=say("option.policy")),
        ] = "one-to-one",
        keep_open: Annotated[
            bool, typer.Option("--keep-open", help=say("option.keep_open"))
        ] = False,
        write_back: Annotated[
            Literal["save", "audit", "never"], typer.Option(help=say("option.write_back"))
        ] = "save",
        pause: Annotated[
            float, typer.Option(min=0, metavar="SECONDS", help=say("option.plugin_pause"))
        ] = 0.0,
        no_links: Annotated[bool, typer.Option("--no-links", help=say("option.no_links"))] = False,
        twins: Annotated[int, typer.Option(min=0, metavar="N", help=say("option.twins"))] = 0,
        payables: Annotated[bool, typer.Option("--payables", help=say("option.payables"))] = False,
        orders: Annotated[int, typer.Option(min=1, metavar="N", help=say("option.orders"))] = 1000,
    ) -> int:
        from k3push.cli.actions import demo  # noqa: PLC0415
        from k3push.simulator import PAYABLES, SandboxOptions, first_orders  # noqa: PLC0415

        options = SandboxOptions(
            orders=orders,
            seed=seed,
            latency_s=latency,
            capacity=capacity,
            queue=queue,
            policy=policy,
            closes=not keep_open,
            write_back=write_back,
            pause_s=pause,
            link_fields=not no_links,
            twins=first_orders(twins),
            successors=PAYABLES if payables else {},
            faults=faults,
        )
        return awaited(lambda: demo.sandbox(options, port, say))

    @command("command.demo")
    def demo(
        folder: Annotated[
            Path, typer.Option("--output", metavar="DIR", help=say("option.keep"))
        ] = Path("k3push-demo"),
        json: Annotated[bool, typer.Option("--json", help=say("option.json"))] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help=say("option.quiet"))] = False,
        verbose: Annotated[
            int,
            typer.Option(
                "--verbose", "-v", count=True, show_default=False, help=say("option.verbose")
            ),
        ] = 0,
    ) -> int:
        from k3push.cli.actions import demo  # noqa: PLC0415
        from k3push.cli.actions.push_runs import CommandOptions  # noqa: PLC0415
        from k3push.cli.console.logs import LogOptions  # noqa: PLC0415

        options = CommandOptions(json=json, quiet=quiet, log=LogOptions(verbose))
        return awaited(lambda: demo.demo(options, folder, say))
