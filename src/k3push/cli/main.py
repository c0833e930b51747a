"""The command line: languages, commands, and the one place where exceptions become exit codes."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from k3push.cli.commands.beginning import add_beginning
from k3push.cli.commands.fleet import add_fleet
from k3push.cli.commands.ledgers import add_ledgers
from k3push.cli.commands.looking import add_looking
from k3push.cli.commands.nights import add_nights
from k3push.cli.commands.pushing import add_control, add_pushing
from k3push.cli.commands.watching import add_watching
from k3push.cli.streams import prepare_streams
from k3push.cli.words import Lang, Say, choose_language, speaker

DEFECT = 1
USAGE = 2
INTERRUPTED = 5


def main() -> None:
    """Run the command line; the one place where exceptions become exit codes."""
    arguments = sys.argv[1:]
    lang = choose_language(arguments)
    prepare_streams()
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"  # rich and whatever else writes to the terminal obey it
    sys.exit(run(_without_globals(arguments), lang))


def _without_globals(arguments: Sequence[str]) -> list[str]:
    """Take `--lang` and `--no-color` out, which may stand anywhere and have done their work.

    >>> _without_globals(["run", "--lang", "zh", "a.csv", "--lang=en", "--no-color"])
    ['run', 'a.csv']
    """
    left = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--lang":
            next(rest, None)
        elif argument != "--no-color" and not argument.startswith("--lang="):
            left.append(argument)
    return left


def run(arguments: Sequence[str], lang: Lang) -> int:
    """Run one command and return its exit code."""
    say = speaker(lang)
    app = build_app(say, lang)
    try:
        code = app(list(arguments), prog_name="k3push", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever is left is sorted by kind, or raised
        return _exit_of(error, say, lang)
    return int(code or 0)


def _exit_of(error: Exception, say: Say, lang: Lang) -> int:
    """Say what went wrong, and return the exit code for it; a defect shows its trace."""
    from k3push.adapters.job_files import JobFileError  # noqa: PLC0415
    from k3push.cli.problem import Problem, innermost  # noqa: PLC0415
    from k3push.ports import LedgerLostError, RunIsAliveError  # noqa: PLC0415
    from k3push.settings import SettingsError  # noqa: PLC0415

    cause = innermost(error)
    match cause:
        case JobFileError():
            return _tell(say("error", what=cause.text(lang)), USAGE)
        case Problem():
            return _tell(say("error", what=cause), int(cause.exit))
        case SettingsError() | RunIsAliveError():
            return _tell(say("error", what=cause), USAGE)
        case LedgerLostError():
            return _tell(say("error", what=cause), INTERRUPTED)
    if hasattr(cause, "format_message") and hasattr(cause, "exit_code"):
        return _tell(say("error", what=cause.format_message()), USAGE)
    import traceback  # noqa: PLC0415

    sys.stderr.write("".join(traceback.format_exception(error)))
    return _tell(say("defect"), DEFECT)


def _tell(words: str, code: int) -> int:
    sys.stderr.write(words + "\n")
    return code


def build_app(say: Say, lang: Lang) -> typer.Typer:
    """Make the command line in one language."""
    app = typer.Typer(
        help=say("app"),
        epilog=say("app.epilog"),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich would double the time that help takes
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    _add_global_options(app, say)
    add_pushing(app, say, lang)
    add_control(app, say)
    add_looking(app, say, lang)
    add_watching(app, say, lang)
    add_beginning(app, say, lang)
    add_nights(app, say)
    add_fleet(app, say, lang)
    add_ledgers(app, say)
    return app


def _add_global_options(app: typer.Typer, say: Say) -> None:
    def version(wanted: bool) -> None:  # noqa: FBT001  # typer's own form of a callback
        if wanted:
            from importlib.metadata import version as version_of  # noqa: PLC0415

            sys.stdout.write(f"k3push {version_of('k3push')}\n")
            raise typer.Exit

    @app.callback()
    def options(
        _version: Annotated[
            bool,
            typer.Option("--version", help=say("opt.version"), callback=version, is_eager=True),
        ] = False,
        _lang: Annotated[str, typer.Option("--lang", help=say("opt.lang"))] = "",
        _no_color: Annotated[bool, typer.Option("--no-color", help=say("opt.no_color"))] = False,
    ) -> None:
        pass
