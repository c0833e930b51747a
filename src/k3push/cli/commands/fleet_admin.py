"""`enqueue`, `worker` and `fleet`: the commands that spread runs over machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from k3push.cli.arguments import awaited
from k3push.cli.command_decorator import argument, command_group, typed
from k3push.cli.options import ConfigOptions, Json, ListOptions
from k3push.core.control_words import LIMITS, Key
from k3push.words.language import Say

# Each slice logs in, and five wrong logins lock the account (P 2.4).
MOST_SLICES = 4


Folder = Annotated[Path, typed("--tenants", metavar="DIR", words="option.tenants")]
Names = Annotated[list[str] | None, typed("--tenant", metavar="T", words="option.tenant")]
Everybody = Annotated[bool, typed("--all", words="option.all")]


def _needed() -> None:
    from k3push.fleet import needs_fleet  # noqa: PLC0415

    needs_fleet()


family = command_group("command.fleet")


@family.command("command.enqueue", "k3push enqueue orders.csv --config tenants/acme.toml")
def enqueue(
    say: Say,
    jobs: Annotated[list[str], argument("JOB...", words="argument.jobs")],
    lists: ListOptions,
    settings: ConfigOptions,
    slices: Annotated[
        int, typed("--slices", min=1, max=MOST_SLICES, metavar="N", words="option.slices")
    ] = 1,
    json: Json = False,
) -> int:
    from k3push.cli.actions import enqueue_lists  # noqa: PLC0415

    how = lists.made()
    return awaited(
        lambda: enqueue_lists.enqueue(jobs, settings.config, how, say, slices=slices, json=json)
    )


@family.command("command.worker", "k3push worker --tenants tenants")
def worker(
    say: Say,
    folder: Folder = Path("tenants"),
    concurrency: Annotated[
        int,
        typed(
            "--concurrency",
            min=LIMITS[Key.CONCURRENCY][0],
            max=LIMITS[Key.CONCURRENCY][-1],
            metavar="N",
            words="option.runs",
        ),
    ] = 4,
    name: Annotated[str | None, typed("--name", words="option.worker")] = None,
) -> int:
    _needed()
    from k3push.cli.actions import run_worker  # noqa: PLC0415

    return awaited(lambda: run_worker.serve(folder, concurrency=concurrency, name=name, say=say))


@family.command("command.fleet.status", "k3push fleet status")
def status(
    say: Say,
    folder: Folder = Path("tenants"),
    names: Names = None,
    json: Json = False,
    textfile: Annotated[
        Path | None, typed("--textfile", metavar="F", words="option.fleet_metrics")
    ] = None,
) -> int:
    _needed()
    from k3push.cli.actions import fleet_status  # noqa: PLC0415

    return awaited(
        lambda: fleet_status.status(folder, names or [], json=json, textfile=textfile, say=say)
    )


def add_word(word: str) -> None:
    """Add the command by which a person says a word to all runs of tenants."""

    @family.command(f"command.fleet.{word}", f"k3push fleet {word} --tenant acme")
    def act(
        say: Say,
        folder: Folder = Path("tenants"),
        names: Names = None,
        everybody: Everybody = False,
    ) -> int:
        _needed()
        from k3push.cli.actions.control_tenants import WORDS  # noqa: PLC0415

        return awaited(lambda: WORDS[word](folder, names or [], everybody=everybody, say=say))


for word in ("pause", "continue", "cancel", "retry"):
    add_word(word)


@family.command("command.fleet.init_tenant", "k3push fleet init-tenant acme > acme.sql")
def init_tenant(
    say: Say,
    name: Annotated[str, argument("TENANT", words="argument.tenant")],
    folder: Folder = Path("tenants"),
    role: Annotated[str | None, typed("--role", metavar="ROLE", words="option.pg_role")] = None,
) -> int:
    _needed()
    from k3push.cli.actions import init_tenant as action  # noqa: PLC0415

    return action.print_sql(folder, name, role, say)
