"""HTML templates that escape by themselves: Jinja2, set up once for the report and the dashboard.

Jinja2 is imported when the first page is made, so that a command without one starts quickly.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from k3push.core.model import State
from k3push.reporting.packed_rows import moment
from k3push.runs.find import list_names
from k3push.runs.kept_in_ledger.request_stages import PASTED, SELECTED
from k3push.words.language import Say

if TYPE_CHECKING:
    from jinja2 import Environment

# Controls that change the order in which a line is read, and halves of surrogate pairs, which
# UTF-8 has no bytes for. A bill number may hold both.
_UNSHOWN = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@cache
def environment(*packages: str) -> Environment:
    """Return the templates of *packages*, each in a folder `templates`.

    What a template shows is escaped, and a name that it does not know is an error.
    """
    from jinja2 import (  # noqa: PLC0415  # see above
        ChoiceLoader,
        Environment,
        PackageLoader,
        StrictUndefined,
        pass_context,
    )

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(State=State, asset=asset)
    made.filters.update(
        code_parts=code_parts,
        digest=digest,
        list_names=pass_context(named_lists),
        moment=moment,
        thousands="{:,}".format,
    )
    return made


def visible(value: object) -> object:
    r"""Show characters that a browser would not show, or would obey, by their codes.

    >>> visible("CGDD\u202e001"), visible("采购"), visible(3)
    ('CGDD[U+202E]001', '采购', 3)
    """
    # What has `__html__` is the output of a template, and has been here already.
    if not isinstance(value, str) or value.isascii() or hasattr(value, "__html__"):
        return value
    return _UNSHOWN.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)


def code_parts(text: str) -> list[str]:
    """Split a text at its backticks: what stands at an odd place is code.

    >>> code_parts("mend it, then `k3push retry`")
    ['mend it, then ', 'k3push retry', '']
    """
    return re.split(r"`([^`]+)`", text)


def digest(text: str) -> str:
    """Return what a content security policy calls a script or a style by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def named_lists(context: Mapping[str, Any], jobs: Sequence[str]) -> str:
    """Name lists as people know them; what came in another way than by a file has no name."""
    return ", ".join(_list_name(name, context["say"]) for name in list_names(jobs))


def _list_name(name: str, say: Say) -> str:
    if name == PASTED:
        return say("desk.pasted")
    if name == SELECTED:
        return say("desk.selects")
    return say("job.stdin") if name == "-" else name


@cache
def asset(name: str) -> str:
    """Return a file of `assets`."""
    return (resources.files("k3push.reporting") / "assets" / name).read_text("utf-8")
