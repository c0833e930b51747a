"""The command line: languages, commands, and the one place where exceptions become exit codes."""

# No `from __future__ import annotations` here: typer reads the annotations, and these hold
# sentences in the language that was chosen.
import os
import sys
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, get_args

import typer
import typer.main
from typer.core import TyperGroup

from k3push.cli.commands import (
    dashboard,
    erp_lists,
    fleet_admin,
    inspect,
    ledger_admin,
    program_admin,
    push,
    schedules,
    setup,
)
from k3push.cli.console.streams import prepare_streams
from k3push.cli.framework import speak, what_is_wrong
from k3push.cli.help_groups import grouped
from k3push.core.foreign_text import flaw_of
from k3push.words.language import Lang, Say, choose_language, harmless_lines, speaker

DEFECT = 1
USAGE = 2
INTERRUPTED = 5

HALT = "--halt"

# Their exit codes tell how runs or services stand, whatever becomes of the words.
_MOVES = ("run", "apply", "resume", "retry", "settle", "follow", "control", "ledger archive")
_SERVES = ("enqueue", "worker", "fleet", "serve")

COMPLETES = "_K3PUSH_COMPLETE"
"""Set by a shell that asks how a word may go on."""


def main() -> None:
    """Run the command line; the one place where exceptions become exit codes."""
    arguments = sys.argv[1:]
    lang = choose_language(arguments)
    streams = prepare_streams()
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"  # rich and whatever else writes to the terminal obey it
    arguments = _without_globals(arguments)
    code = run(arguments, lang)
    if why := streams.lost():
        code = code if acts(arguments) else code or USAGE
        _tell(speaker(lang)("error.stream_lost", why=why), code)
    sys.exit(code)


def _without_globals(arguments: Sequence[str]) -> list[str]:
    """Take `--lang` and `--no-color` out, which may stand anywhere and have done their work.

    What is no language goes to the front, where it is an option that is refused.

    >>> _without_globals(["run", "--lang", "zh", "a.csv", "--lang=en", "--no-color"])
    ['run', 'a.csv']
    >>> _without_globals(["run", "--lang", "fr"])
    ['--lang=fr', 'run']
    >>> _without_globals(["run", "a.csv", "--lang"])  # is told to lack its value
    ['--lang']
    """
    left = []
    rest = iter(arguments)
    wrong = []
    for argument in rest:
        if argument == "--lang" or argument.startswith("--lang="):
            named = next(rest, None) if argument == "--lang" else argument.partition("=")[2]
            if named is None:
                return [argument]
            if named not in get_args(Lang):
                wrong = [f"--lang={named}"]
        elif argument != "--no-color":
            left.append(argument)
    return wrong + left


def _config_in(arguments: Sequence[str]) -> str:
    """Return the file of settings that was typed, quoted; "" where none was, or several.

    >>> _config_in(["run", "a.csv", "--config", "my night.toml"])
    "'my night.toml'"
    """
    typed = {after for one, after in pairwise(arguments) if one == "--config"}
    typed |= {one.partition("=")[2] for one in arguments if one.startswith("--config=")}
    if len(typed) != 1:
        return ""
    from k3push.cli.console.shell import Shell  # noqa: PLC0415

    return Shell().word(Path(typed.pop()))


def run(arguments: Sequence[str], lang: Lang) -> int:
    """Run one command and return its exit code."""
    say = speaker(lang)
    for argument in arguments:
        if why := flaw_of(argument):
            what = say("error.bad_argument", argument=ascii(argument), why=why)
            return _tell(say("error.line", what=what), USAGE)
    if before := before_nothing(arguments):
        return _tell(say("error.line", what=say("error.empty_argument", before=before)), USAGE)
    config = _config_in(arguments)
    say, group = speaker(lang, config=config), command_line(lang, config)
    if COMPLETES in os.environ:
        # typer's own modules take it from there.
        from typer.completion import completion_init  # type: ignore[attr-defined]  # noqa: PLC0415

        completion_init()  # a shell asks what may stand where the cursor is
    try:
        code = group(list(arguments), prog_name="k3push", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever is left is sorted by kind, or raised
        return _exit_of(error, say, is_begun=acts(arguments))
    return int(code or 0)


def acts(arguments: Sequence[str]) -> bool:
    """Say whether a command does more than to show something.

    >>> acts(["run", "a.csv"]), acts(["ledger", "archive"]), acts(["ledger", "check"])
    (True, True, False)
    """
    return not {*arguments[:1], " ".join(arguments[:2])}.isdisjoint((*_MOVES, *_SERVES))


def before_nothing(arguments: Sequence[str]) -> str:
    """Return what stands before an argument that is empty, as of a variable without a value; or "".

    None of them may stand for the current folder, the last run or all that there is. The rule of
    `--halt` alone means something when it is empty.

    >>> before_nothing(["run", ""]), before_nothing(["retry", "--reason="]), before_nothing([" "])
    ('run', '--reason', 'k3push')
    >>> before_nothing(["run", "a.csv", "--halt", ""]), before_nothing(["run", "--halt="])
    ('', '')
    """
    for before, argument in pairwise(["k3push", *arguments]):
        option, sign, value = argument.partition("=")
        is_option = bool(sign) and option.startswith("--")
        said = value if is_option else argument
        if not said.strip() and HALT not in {option, before}:
            return option if is_option else before
    return ""


def _exit_of(error: Exception, say: Say, *, is_begun: bool) -> int:
    """Say what went wrong, and return the exit code for it; a defect shows its trace.

    Args:
        is_begun: It may have begun something.
    """
    from k3push.adapters.job_files import JobFileError  # noqa: PLC0415
    from k3push.config.setting_errors import SettingsError  # noqa: PLC0415
    from k3push.core.safety.legal_moves import IllegalMoveError  # noqa: PLC0415
    from k3push.ports import (  # noqa: PLC0415
        LedgerAwayError,
        LedgerLostError,
        NoLedgerError,
        OtherSpellingError,
        RunIsAliveError,
        RunIsArchivedError,
    )
    from k3push.runs.problem import Problem, innermost  # noqa: PLC0415

    cause = innermost(error)
    what: object = cause
    match cause:
        case JobFileError():
            what, code = cause.for_command, USAGE
        case Problem():
            code = int(cause.exit)
        case SettingsError() | RunIsAliveError() | RunIsArchivedError() | NoLedgerError():
            code = USAGE
        case OtherSpellingError():
            what, code = say("error.other_spelling", known=cause.known), USAGE
        case LedgerLostError():
            away = isinstance(cause, LedgerAwayError) or not is_begun
            what = say("error.ledger_away" if away else "error.ledger_lost", why=cause)
            code = USAGE if away else INTERRUPTED
        case IllegalMoveError():
            what, code = say("error.contradiction", why=cause), INTERRUPTED
        case OSError():
            # What nobody foresaw of a disk; whether anything was sent is for `status` to say.
            place = f"{cause.filename}: " if cause.filename else ""
            why = f"{place}{cause.strerror or type(cause).__name__}"
            what, code = say("error.disk", why=why), INTERRUPTED
        case _ if type(cause).__name__ == "NoArgsIsHelpError":
            return _tell(what_is_wrong(cause, say), USAGE)
        case _ if hasattr(cause, "format_message") and hasattr(cause, "exit_code"):
            what, code = what_is_wrong(cause, say), USAGE
        case _:
            import traceback  # noqa: PLC0415

            sys.stderr.write(harmless_lines("".join(traceback.format_exception(error))))
            return _tell(say("error.defect"), DEFECT)
    return _tell(say("error.line", what=what), code)


def _tell(words: str, code: int) -> int:
    sys.stderr.write(words + "\n")
    return code


@cache
def command_line(lang: Lang, config: str = "") -> TyperGroup:
    """Return the command line in one language; it is made once, however many commands run.

    Args:
        config: The file of settings that was typed, for `Say`.
    """
    say = speaker(lang, config=config)
    group = typer.main.get_group(build_app(say))
    speak(group, say)
    return group


def build_app(say: Say) -> typer.Typer:
    """Make the command line in one language."""
    app = typer.Typer(
        cls=grouped(say),
        help=say("app.help"),
        epilog=say("app.epilog"),
        no_args_is_help=True,
        add_completion=False,  # `completion` prints what the shell needs
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich would double the time that help takes
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    _add_global_options(app, say)
    single = (push, erp_lists, inspect, dashboard, program_admin, setup, schedules)
    for module in (*single, fleet_admin, ledger_admin):
        module.family.add_to(app, say)
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
            typer.Option("--version", help=say("option.version"), callback=version, is_eager=True),
        ] = False,
        _lang: Annotated[Lang | None, typer.Option("--lang", help=say("option.lang"))] = None,
        _no_color: Annotated[bool, typer.Option("--no-color", help=say("option.no_color"))] = False,
    ) -> None:
        pass
