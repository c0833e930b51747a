"""`check`, `completion`, `init`, `sandbox` and `demo`: the commands before the first run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import Family, argument, typed
from k3push.cli.completion_values import presets
from k3push.cli.options import Config, Json
from k3push.words.language import Say

family = Family()


@family.command("command.check", "k3push check · k3push check --route po-instock")
def check_(
    say: Say,
    route: Annotated[str | None, typed("--route", words="option.route_checked")] = None,
    config: Config = None,
) -> int:
    from k3push.cli.actions.check import check  # noqa: PLC0415

    return awaited(lambda: check(config, route, say))


@family.command("command.completion", "k3push completion bash")
def completion(
    _say: Say,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell", "pwsh"],
        argument("bash|zsh|fish|powershell|pwsh", words="argument.shell"),
    ],
) -> int:
    import sys  # noqa: PLC0415

    # typer's own modules take it from there.
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # noqa: PLC0415

    script = get_completion_script(prog_name="k3push", complete_var="_K3PUSH_COMPLETE", shell=shell)
    # A line of ~/.zshrc may stand before the one that loads what completes.
    script = script.replace(
        "\ncompdef",
        "\n(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\ncompdef",
    )
    sys.stdout.write(f"{script}\n")
    return 0


@family.command("command.init", "k3push init · k3push init --config night.toml")
def init(say: Say, config: Config = None) -> int:
    from k3push.cli.actions import init  # noqa: PLC0415

    return awaited(lambda: init.init(config, say))


@family.command("command.sandbox", "k3push sandbox --port 8100 --faults night")
def sandbox(
    say: Say,
    port: Annotated[int, typed(min=0, max=65535, metavar="N", words="option.port")] = 8100,
    faults: Annotated[
        str, typed(metavar="NAME|FILE", words="option.faults", autocompletion=presets)
    ] = "none",
    seed: Annotated[int, typed(metavar="N", words="option.seed")] = 0,
    latency: Annotated[float, typed(min=0, metavar="SECONDS", words="option.latency")] = 0.0,
    look: Annotated[float | None, typed(min=0, metavar="SECONDS", words="option.look")] = None,
    capacity: Annotated[int, typed(min=0, metavar="N", words="option.capacity")] = 0,
    queue: Annotated[Literal["user", "site"] | None, typed(words="option.queue")] = None,
    policy: Annotated[
        Literal["one-to-one", "merge", "merge-lines", "split"], typed(words="option.policy")
    ] = "one-to-one",
    keep_open: Annotated[bool, typed("--keep-open", words="option.keep_open")] = False,
    write_back: Annotated[
        Literal["save", "audit", "never"], typed(words="option.write_back")
    ] = "save",
    pause: Annotated[float, typed(min=0, metavar="SECONDS", words="option.plugin_pause")] = 0.0,
    no_links: Annotated[bool, typed("--no-links", words="option.no_links")] = False,
    twins: Annotated[int, typed(min=0, metavar="N", words="option.twins")] = 0,
    payables: Annotated[bool, typed("--payables", words="option.payables")] = False,
    orders: Annotated[int, typed(min=1, metavar="N", words="option.orders")] = 1000,
) -> int:
    from k3push.cli.actions import demo  # noqa: PLC0415
    from k3push.simulator import PAYABLES, SandboxOptions, first_orders  # noqa: PLC0415

    options = SandboxOptions(
        orders=orders,
        seed=seed,
        latency_s=latency,
        look_s=look,
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


@family.command("command.demo", "k3push demo · k3push demo --output trial")
def demo(
    say: Say,
    folder: Annotated[Path, typed("--output", "-o", metavar="DIR", words="option.keep")] = Path(
        "k3push-demo"
    ),
    json: Json = False,
    quiet: Annotated[bool, typed("--quiet", "-q", words="option.quiet")] = False,
    verbose: Annotated[
        int, typed("--verbose", "-v", count=True, show_default=False, words="option.verbose")
    ] = 0,
) -> int:
    from k3push.cli.actions import demo  # noqa: PLC0415
    from k3push.cli.actions.push_runs import CommandOptions  # noqa: PLC0415
    from k3push.cli.console.logs import LogOptions  # noqa: PLC0415

    options = CommandOptions(json=json, quiet=quiet, log=LogOptions(verbose))
    return awaited(lambda: demo.demo(options, folder, say))
