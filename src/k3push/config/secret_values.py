"""Where a secret is: named in the settings, looked up when it is used, and shown by no text.

No object that holds one tells it, and no error; logs filter nothing.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from k3push.config.real_paths import real
from k3push.config.setting_errors import SettingsError
from k3push.core.foreign_text import flaw_of
from k3push.core.remark import remark

COMMAND_TIMEOUT_S = 30
"""How long the command of a secret may take; one that waits for a person never ends by night."""

KEYRING_SERVICE = "k3push"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_variable_name(text: str) -> bool:
    """Say whether a shell could set an environment variable of that name (POSIX).

    >>> is_variable_name("K3PUSH_PASSWORD"), is_variable_name("S3cr3t-pw")
    (True, False)
    """
    return _VARIABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is, or the secret itself, which no text of this object shows.

    Attributes:
        kind: `plain`, `env`, `keyring`, `command` or `file`.
    """

    kind: str
    _where: Any

    def __repr__(self) -> str:
        """Show the kind alone."""
        return f"Secret({self.kind})"

    @property
    def entry(self) -> str:
        """The keyring's entry, where the secret is in one."""
        return str(self._where) if self.kind == "keyring" else ""

    @property
    def variable(self) -> str:
        """The environment variable, where the secret is in one."""
        return str(self._where) if self.kind == "env" else ""

    def resolve(self, key: str, config: Path, patience_s: float = COMMAND_TIMEOUT_S) -> str:
        """Return the secret.

        Args:
            key: The setting's name, for the error.
            config: The configuration file; a relative file starts at its folder.
            patience_s: How long a command may take.

        Raises:
            SettingsError: It is not where it should be.
        """
        try:
            found = self._find(real(config).parent, patience_s)
        except subprocess.TimeoutExpired:
            what = remark("secret.slow", seconds=patience_s)
            raise SettingsError.of(config, key, what) from None
        except ImportError:
            what = remark("secret.no_keyring")
            raise SettingsError.of(config, key, what) from None
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            # What stands there may be the secret itself, so that the kind says enough.
            what = remark("secret.none", kind=self.kind, why=_why(error))
            raise SettingsError.of(config, key, what) from None
        if not found:
            raise SettingsError.of(config, key, self._why_nothing())
        if flaw := flaw_of(found):
            raise SettingsError.of(config, key, remark("secret.flaw", why=flaw))
        return found

    def _why_nothing(self) -> str:
        if self.kind == "env" and not is_variable_name(str(self._where)):
            return remark("secret.no_variable")  # it may be the secret, so it is not shown
        if self.kind == "keyring":
            return remark("secret.no_entry")  # likewise
        where = f" {self._where}" if self.kind in {"env", "file"} else ""
        return remark("secret.not_set", where=f"{self.kind}{where}")

    def _find(self, folder: Path, patience_s: float) -> str:
        match self.kind:
            case "env":
                return os.environ.get(str(self._where), "")
            case "file":
                # Editors and shells of Windows begin a file with a byte order mark.
                return (folder / str(self._where)).read_text("utf-8-sig").strip()
            case "command":
                ran = subprocess.run(  # noqa: S603  # the administrator's own command
                    self._where,
                    stdin=subprocess.DEVNULL,  # it may be a job, which the command must not eat
                    capture_output=True,
                    check=True,
                    timeout=patience_s,
                )
                return ran.stdout.decode("utf-8-sig").strip()
            case "keyring":
                return _from_keyring(str(self._where))
            case _:
                return str(self._where)


def _why(error: Exception) -> str:
    """Say why there is no secret; the error of a command may hold its output."""
    if isinstance(error, subprocess.CalledProcessError):
        return remark("secret.exit", code=error.returncode)
    if isinstance(error, OSError):
        return error.strerror or str(error)  # of a keyring, the kind of its error
    return type(error).__name__


def _from_keyring(name: str) -> str:
    keyring = importlib.import_module("keyring")
    try:
        return str(keyring.get_password(KEYRING_SERVICE, name) or "")
    except Exception as error:  # noqa: BLE001  # of some back end, of any kind
        # A locked keyring, or a host without one.
        raise OSError(type(error).__name__) from None


def store_in_keyring(name: str, secret: str) -> None:
    """Store a secret where `{ keyring = "NAME" }` finds it.

    Raises:
        ImportError: The package keyring is not installed.
        OSError: The keyring is locked, or there is none.
    """
    keyring = importlib.import_module("keyring")
    try:
        keyring.set_password(KEYRING_SERVICE, name, secret)
    except Exception as error:  # noqa: BLE001  # likewise
        raise OSError(type(error).__name__) from None


def _secret(value: Any) -> Any:
    if isinstance(value, str):
        return Secret("plain", value)
    if isinstance(value, dict) and len(value) == 1:
        kind, where = next(iter(value.items()))
        words = isinstance(where, list) and all(isinstance(word, str) for word in where)
        if kind == "command" and words and where:
            return Secret(kind, tuple(where))
        if kind in {"env", "keyring", "file"} and isinstance(where, str):
            return Secret(kind, where)
    if isinstance(value, Secret):
        return value
    raise ValueError(remark("secret.form"))


SecretValue = Annotated[Secret, BeforeValidator(_secret), PlainSerializer(repr)]
