"""The walks of the architecture page, and whether the code goes where they say.

A line of a walk is "`caller` → `callee`: what happens". The caller reaches the callee where its
own code, or code of its module that it uses, names the callee, and its module imports the
callee's, itself or through one that it imports. A verb of a port counts where the caller has the
port.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.documents.pages import SOURCE, Page

_LINE = re.compile(r"^\d+\. `([\w.]+)` → `([\w.]+)`(?:: .+\.|：.+。)$")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a walk."""

    caller: str
    callee: str


def walks(page: Page, section: str, after: str) -> Mapping[str, list[Step]]:
    """Return the walks of a section by their headings, each with its steps."""
    text = page.text.partition(f"\n## {section}\n")[2].partition(f"\n## {after}\n")[0]
    return {
        part.partition("\n")[0]: [
            Step(*found.groups()) for line in part.splitlines() if (found := _LINE.match(line))
        ]
        for part in text.split("\n### ")[1:]
    }


def module_of(name: str) -> tuple[str, list[str]]:
    """Part a dotted name into its module and what is named in it.

    >>> module_of("core.safety.verdict.judge")
    ('core.safety.verdict', ['judge'])
    """
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        if _file(".".join(parts[:at])).is_file():
            return ".".join(parts[:at]), parts[at:]
    raise LookupError(f"{name}: no such module")


def definition(name: str) -> Definition:
    """Find the function, class or method of a dotted name.

    Raises:
        LookupError: There is none.
    """
    module, path = module_of(_home_of(name))
    node: ast.AST = _tree(module)
    for part in path:
        node = next((each for each in _defined(node) if each.name == part), node)
        if not isinstance(node, Definition) or node.name != part:
            raise LookupError(f"{name}: {module} has no {part}")
    assert isinstance(node, Definition), name
    return node


def reaches(step: Step) -> bool:
    """Say whether the caller's code goes to the callee."""
    caller, _ = module_of(step.caller)
    callee, path = module_of(step.callee)
    # Whoever makes an object of a class names the class; whoever has one names the method.
    return path[-1] in _names(step.caller) and (caller == callee or callee in _near(caller))


def _home_of(name: str) -> str:
    """Return the name with the module that defines it, where a package hands it on."""
    module, path = module_of(name)
    for node in _tree(module).body if _file(module).name == "__init__.py" else ():
        if isinstance(node, ast.ImportFrom) and path[0] in {each.name for each in node.names}:
            return ".".join([str(node.module).removeprefix("k3push."), *path])
    return name


def _near(module: str) -> set[str]:
    """Return the modules that one imports, and those that these import."""
    direct = set(_imports(module))
    return direct | {far for near in direct for far in _imports(near)}


def _names(name: str) -> set[str]:
    """Return every name in the code of a definition, and in what it uses of its own module."""
    module, _ = module_of(name)
    own = {each.name: each for each in _defined(_tree(module))}
    found: set[str] = set()
    todo: list[ast.AST] = [definition(name)]
    while todo:
        new = {each for each in _identifiers(todo.pop()) if each not in found}
        found |= new
        todo += [own[each] for each in new if each in own]
    return found


def _identifiers(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


def _defined(node: ast.AST) -> Iterator[Definition]:
    for each in ast.iter_child_nodes(node):
        if isinstance(each, Definition):
            yield each


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("k3push."):
            package = str(node.module).removeprefix("k3push.")
            yield from (f"{package}.{alias.name}" for alias in node.names)
            yield package


@cache
def _tree(module: str) -> ast.Module:
    file = _file(module)
    return ast.parse(file.read_text("utf-8") if file.is_file() else "")


def _file(module: str) -> Path:
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
