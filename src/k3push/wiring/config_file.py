"""Which configuration file a command uses, and its settings."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from k3push.config.settings import Settings
from k3push.config.settings_file import read_settings
from k3push.core.remark import remark
from k3push.runs.problem import Problem

# Folders above this one in which somebody may have left a file of settings.
MOST_ABOVE = 5


def find_config(named: Path | None) -> Path:
    """Return the configuration file: the named one, the folder's own, or the user's."""
    if named is not None:
        return named
    folder = platformdirs.user_config_path("k3push")
    for path in (Path("config.toml"), folder / "config.toml"):
        if path.is_file():
            return path
    above = (Path(*[".."] * nth, "config.toml") for nth in range(1, MOST_ABOVE + 1))
    # A folder above may be closed to us, and that is no news.
    if found := next(filter(os.path.isfile, above), None):
        raise Problem(remark("error.config_above", file=found))
    raise Problem(remark("error.no_config", folder=folder))


def load_settings(named: Path | None) -> Settings:
    """Read the settings, the environment's included."""
    return read_settings(find_config(named), os.environ)
