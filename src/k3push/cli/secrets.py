"""`login set`: a secret from the terminal into the system's keyring."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from k3push.cli.problem import Problem
from k3push.cli.wiring import load_settings
from k3push.cli.words import Say
from k3push.reporting.ending import Exit
from k3push.settings import store_in_keyring


def login_set(config: Path | None, name: str | None, say: Say) -> Exit:
    """Ask for a secret without an echo, and store it.

    Args:
        config: The configuration file, which names the entries where *name* does not.
        name: The keyring's entry.
        say: Sentences.

    Raises:
        Problem: There is no entry, no keyring, or no secret.
    """
    names = [name] if name else load_settings(config, say).keyring_entries
    if not names:
        raise Problem(say("login.none"))
    for entry in names:
        secret = _asked(say("login.ask", name=entry))
        if not secret:
            raise Problem(say("login.empty"))
        try:
            store_in_keyring(entry, secret)
        except (ImportError, OSError) as error:
            raise Problem(say("login.no_keyring", why=error)) from None
        sys.stderr.write(say("login.done", name=entry) + "\n")
    return Exit.DONE


def _asked(question: str) -> str:
    """Read a line from the terminal unseen, or from a pipe."""
    if sys.stdin.isatty():
        return getpass(f"{question}: ")
    return sys.stdin.readline().rstrip("\r\n")
