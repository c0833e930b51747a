"""The values that a shell offers where the cursor is: routes, runs, states, presets and the like.

Each is asked for while somebody waits for a key, so that what is heavy is imported then.
"""

from __future__ import annotations

from collections.abc import Iterable

from k3push.core.control_words import Key

# More than these nobody chooses from.
MOST_RUNS = 30


def routes(incomplete: str) -> list[str]:
    """Return names of the routes of the settings that a command here would read."""
    import tomllib  # noqa: PLC0415

    from k3push.runs.problem import Problem  # noqa: PLC0415
    from k3push.wiring.config_file import find_config  # noqa: PLC0415

    try:
        told = tomllib.loads(find_config(None).read_text(encoding="utf-8-sig")).get("routes", {})
    except (Problem, OSError, ValueError):
        return []
    return _beginning(told if isinstance(told, dict) else {}, incomplete)


def runs(incomplete: str) -> list[str]:
    """Return the newest runs of the ledger that a command here would open, the newest first."""
    import anyio  # noqa: PLC0415

    from k3push.config.setting_errors import SettingsError  # noqa: PLC0415
    from k3push.ports import LedgerLostError  # noqa: PLC0415
    from k3push.runs.problem import Problem  # noqa: PLC0415
    from k3push.wiring.config_file import load_settings  # noqa: PLC0415
    from k3push.wiring.open_ledger import ledger_of  # noqa: PLC0415

    async def newest() -> list[str]:
        async with ledger_of(load_settings(None)) as ledger:
            return [run.id for run in reversed(await ledger.runs(last=MOST_RUNS))]

    try:
        return _beginning(anyio.run(newest), incomplete)
    except (Problem, SettingsError, LedgerLostError, OSError):
        return []


def exit_codes(incomplete: str) -> list[str]:
    """Return how a run may have ended.

    >>> exit_codes("")[:3]
    ['0', '1', '2']
    """
    from k3push.runs.outcome import Exit  # noqa: PLC0415

    return _beginning(sorted({str(code.value) for code in Exit}, key=int), incomplete)


def states(incomplete: str) -> list[str]:
    """Return the states of a number."""
    from k3push.core.model import State  # noqa: PLC0415

    return _beginning((state.value for state in State), incomplete)


def presets(incomplete: str) -> list[str]:
    """Return the faults that a sandbox knows by name."""
    from k3push.simulator.fault_plans.presets import PRESETS  # noqa: PLC0415

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
