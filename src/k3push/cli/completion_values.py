"""The values that a shell offers where the cursor is: routes, states, presets, control words.

Each is asked for while somebody waits for a key, so that what is heavy is imported then.
"""

from __future__ import annotations

from collections.abc import Iterable

from k3push.core.control_words import Key


def routes(incomplete: str) -> list[str]:
    """Return names of the routes of the settings that a command here would read."""
    import tomllib  # noqa: PLC0415

    from k3push.runs.problem import Problem  # noqa: PLC0415
    from k3push.wiring.config_file import find_config  # noqa: PLC0415

    try:
        told = tomllib.loads(find_config(None).read_text(encoding="utf-8")).get("routes", {})
    except (Problem, OSError, ValueError):
        return []
    return _beginning(told if isinstance(told, dict) else {}, incomplete)


def states(incomplete: str) -> list[str]:
    """Return the states of a number."""
    from k3push.core.model import State  # noqa: PLC0415

    return _beginning((state.value for state in State), incomplete)


def presets(incomplete: str) -> list[str]:
    """Return the faults that a sandbox knows by name."""
    from k3push.simulator.presets import PRESETS  # noqa: PLC0415

    return _beginning(PRESETS, incomplete)


def control_words(incomplete: str) -> list[str]:
    """Return what can be done with a run under way.

    >>> control_words("c"), control_words("ch")
    (['continue', 'concurrency=', 'chunk-size=', 'calls-per-minute='], ['chunk-size='])
    """
    settings = (f"{key.value.replace('_', '-')}=" for key in Key)
    return _beginning(("pause", "continue", "stop", "set", *settings), incomplete)


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
