"""A plan as a CSV table, for people: what would become of each line of the lists."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from k3push.adapters.plan_file import lines_of
from k3push.core.cells import marked
from k3push.core.plan import Forecast, Foreseen
from k3push.core.remark import remark
from k3push.words.language import in_files

_COLUMNS = ("line", "number", "id", "route", "fate", "targets", "code", "reason")
_REPEAT = "repeat"


def write_plan_table(plan: Path, file: Path, fates: Collection[Forecast]) -> None:
    """Write lines of a plan as CSV."""
    with file.open("w", encoding="utf-8-sig", newline="") as text:
        table = csv.writer(text)
        table.writerow(_COLUMNS)
        table.writerows(_cells(one) for one in lines_of(plan) if one.fate in fates)


def _cells(one: Foreseen) -> tuple[object, ...]:
    targets = ";".join(target.number or target.id for target in one.targets)
    # A repeat is pushed once, and nobody should count it among those that are ready.
    fate = _REPEAT if one.first_line else one.fate.value
    why = remark("plan.repeats_line", line=one.first_line) if one.first_line else one.reason
    texts = (marked(text) for text in (targets, one.code, in_files(why)))
    names = (marked(text) for text in (one.number, one.listed_id, one.route))
    return one.line, *names, fate, *texts
