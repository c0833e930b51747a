"""What is wrong with the settings: each fault by its key, with its place and the cure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from k3push.core.remark import remark


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One thing that is wrong with the settings.

    Attributes:
        key: Such as `erp.url`.
        line: Where it stands in the file, or None where it does not.
        what: What is wrong, and the cure: a remark.
    """

    key: str
    line: int | None
    what: str


class SettingsError(Exception):
    """The settings cannot be used; each fault names its key, its place and the cure.

    Attributes:
        file: Where the settings are.
        faults: What is wrong, at least one thing.
    """

    def __init__(self, file: str, faults: Sequence[SettingFault]) -> None:
        super().__init__(file, *faults)
        self.file = file
        self.faults = tuple(faults)

    @classmethod
    def of(cls, file: Path | str, key: str, what: str) -> Self:
        """Return the error of one fault, which stands in no line of the file."""
        return cls(str(file), [SettingFault(key, None, what)])

    def __str__(self) -> str:
        """Return a remark for each fault, a line each."""
        return "\n".join(map(self._line, self.faults))

    def _line(self, fault: SettingFault) -> str:
        line, key = fault.line, fault.key
        place = remark("setting.place", file=self.file, line=line) if line else self.file
        what = remark("setting.of_key", key=key, what=fault.what) if key else fault.what
        return remark("setting.fault", place=place, what=what)


def no_route(name: str, routes: Mapping[str, Any]) -> str:
    """Say that there is no such route, and which may have been meant."""
    near = nearest(name, routes)
    known = ", ".join(routes)
    return remark("route.none_near" if near else "route.none", name=name, known=known, **near)


def nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Return the fact of what may have been meant, or none."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return {"near": near[0]} if near else {}
