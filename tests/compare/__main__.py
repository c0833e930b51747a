"""Compare k3push with what people use: ``python -m tests.compare``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.compare.clients import CLIENTS
from tests.compare.faults import TRIALS, Books
from tests.compare.measuring import Figures, measure
from tests.compare.table import markdown


def main() -> None:
    """Measure, and print the table."""
    known = [trial.key for trial in TRIALS]
    parser = argparse.ArgumentParser(prog="python -m tests.compare", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=known, default=known, metavar="FAULT")
    parser.add_argument("--lang", choices=["en", "zh"], default="en", help="language of the table")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trials at once")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures to F as well")
    said = parser.parse_args()
    trials = [trial for trial in TRIALS if trial.key in said.only]
    plays = [(trial, name, books) for trial in trials for name in CLIENTS for books in Books]
    with ThreadPoolExecutor(said.jobs) as pool:
        measured = list(pool.map(lambda play: measure(*play), plays))
    figures: Mapping[tuple[str, str, Books], Figures] = {
        (trial.key, name, books): each
        for (trial, name, books), each in zip(plays, measured, strict=True)
    }
    print(markdown(trials, figures, said.lang))
    if said.json:
        told = [
            {"fault": key, "client": name, "books": books, **asdict(each)}
            for (key, name, books), each in figures.items()
        ]
        said.json.write_text(json.dumps(told, indent=1), "utf-8")


if __name__ == "__main__":
    main()
