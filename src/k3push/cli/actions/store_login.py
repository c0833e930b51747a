"""`login set`: a secret from the terminal into the system's keyring."""

from __future__ import annotations

import json
import sys
from getpass import getpass
from pathlib import Path

from k3push.config.secret_values import store_in_keyring
from k3push.core.foreign_text import flaw_of
from k3push.core.remark import remark
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.words.language import Say


def login_set(config: Path | None, name: str | None, say: Say) -> Exit:
    """Ask for a secret without an echo, and store it.

    Args:
        config: The configuration file, which names the entries where *name* does not.
        name: The keyring's entry.

    Raises:
        Problem: There is no entry, no keyring, or no secret.
    """
    names = [name] if name else load_settings(config).keyring_entries
    if not names:
        raise Problem(remark("login.none"))
    for entry in names:
        secret = _asked(say("login.ask", name=entry))
        if not secret:
            raise Problem(remark("login.empty"))
        if why := flaw_of(secret):
            raise Problem(remark("login.no_text", why=why))
        try:
            store_in_keyring(entry, secret)
        except (ImportError, OSError) as error:
            raise Problem(remark("login.no_keyring", why=error)) from None
        sys.stderr.write(say("login.done", name=entry) + "\n")
        if name:
            # Nothing names the entry yet; a name in quotation marks is the same in TOML and JSON.
            sys.stderr.write(say("login.paste") + "\n")
            sys.stdout.write(f"{{ keyring = {json.dumps(entry, ensure_ascii=False)} }}\n")
    return Exit.DONE


def _asked(question: str) -> str:
    """Read a line from the terminal unseen, or from a pipe."""
    if sys.stdin.isatty():
        return getpass(f"{question}: ")
    return sys.stdin.readline().rstrip("\r\n")
