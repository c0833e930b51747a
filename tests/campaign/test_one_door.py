from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

import k3push

SOURCE = Path(k3push.__file__).parent

# They hand each call on: to one of several users, or together with others.
POOL = "adapters/erp/identities.py"
TURN = "adapters/erp/user_turn.py"
JOINED = "adapters/erp/query_batching.py"


@cache
def _called() -> Mapping[str, set[str]]:
    """Name what each module outside the simulator calls, by the last part of its name."""
    return {
        path.relative_to(SOURCE).as_posix(): {
            getattr(node.func, "attr", getattr(node.func, "id", ""))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        }
        for path in SOURCE.rglob("*.py")
        if "simulator" not in path.parts
    }


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("perform", {"runs/sending/attempt.py", TURN, JOINED}),
        ("send_once", set()),
        ("push_chunk", {"runs/engine.py"}),
        ("push_data", {"runs/sending/attempt.py"}),
        ("SendAgain", {"core/safety/verdict.py"}),
        ("targets_of", {"runs/lookup/target_lookup.py", POOL, JOINED}),
        (
            "sources_of",
            {"runs/lookup/source_lookup.py", "cli/actions/check_routes.py", POOL, JOINED},
        ),
    ],
)
def test_there_is_one_door_to_the_erp(name: str, modules: set[str]) -> None:
    """A second place that sends would have to remember every rule of the first (rule 10)."""
    assert {module for module, called in _called().items() if name in called} == modules
