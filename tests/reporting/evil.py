"""A run on which every text that others write tries to be markup, and pages taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

from k3push.core.model import (
    Answered,
    BillNumber,
    Intent,
    Listed,
    NoAnswer,
    Outcome,
    Repeat,
    Route,
    Run,
    RunId,
    State,
    Target,
)
from k3push.core.pacing.samples import PaceStep, Setting
from k3push.reporting.html_templates import visible
from k3push.runs.outcome import Ending, ending_of
from k3push.runs.stop import Cause
from tests.adapters.ledger.samples import identified
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import NOON, UP

HARMLESS = "-x-"
# Without digits, which the shape of a message leaves out.
EVIL = (
    '"><img src=x onerror=alert(x)>',
    "' onmouseover='alert(x)",
    "<script>alert(x)</script>",
    "</title></pre></textarea><b>",
    "&lt;b&gt;&amp;&#xc;",
    "\u202e\u2066evil\u200f",
    "{{ x * x }}{% raw %}",
    "-->]]>",
)
STATES = (State.PUSHED, State.REJECTED, State.DRAFT, State.UNKNOWN)

_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def evil_run(text: str, folder: str = "") -> Run:
    """Return a run of evil names. Its own id has no slash: no id that we make has one."""
    route = Route(f"route{text}", f"source{text}", f"target{text}")
    return Run(
        RunId(f"id{text}".replace("/", "")),
        f"account{text}|PO|r",
        route,
        (f"job{text}".replace("/", ""),),
        folder or f"folder{text}",
        NOON,
        again_because=f"again{text}",
    )


def evil_number(state: State, text: str) -> BillNumber:
    """Name the number that came to a state."""
    return BillNumber(f"{state}{text}")


async def evil_ledger(text: str, folder: str = "") -> MemoryLedger:
    """Return a ledger of one run, with a number in each of `STATES`."""
    run = evil_run(text, folder)
    ledger = MemoryLedger(account=run.account)
    await ledger.open_run(run)
    bills = [evil_number(state, text) for state in STATES]
    await ledger.add(run.id, [Listed(line, bill) for line, bill in enumerate(bills, start=2)])
    await ledger.identify(run.id, identified({bill: bill for bill in bills}))
    for nth, (bill, state) in enumerate(zip(bills, STATES, strict=True), start=1):
        await ledger.claim(run.id, [bill])
        request = f"request{text}".encode()
        attempt = await ledger.begin(Intent(run.id, nth, 1, (bill,), {}, request, NOON, UP))
        lost = state in {State.PUSHED, State.UNKNOWN}
        answer = NoAnswer(f"because{text}") if lost else Answered(200, f"answer{text}".encode())
        made = (Target(f"draft{text}", "", draft=True),) if state is State.DRAFT else ()
        came_to = State.UNKNOWN if lost else state
        outcome = Outcome(bill, came_to, made, f"code{text}", f"reason{text}")
        at = NOON + timedelta(seconds=nth)
        await ledger.record(attempt, answer, f"verdict{text}", [outcome], at=at)
    found = Outcome(bills[0], State.PUSHED, (Target("1", f"made{text}"),))
    await ledger.conclude(run.id, [found], at=NOON, note=f"note{text}")
    return ledger


async def evil_ending(ledger: MemoryLedger, text: str) -> Ending:
    """Return how the run ended, with evil reasons."""
    run = evil_run(text)
    ending = await ending_of(ledger, run, {Cause.DEADLINE: f"why{text}"}, unverified=True)
    repeat = Repeat(9, BillNumber(f"repeat{text}"), 2)
    return replace(ending, pace=[PaceStep(1, Setting(1, 1), f"step{text}")], repeats=[repeat])


class Page(HTMLParser):
    """A page taken apart.

    Attributes:
        elements: The name of each element, with those of its attributes, and its end.
        shown: The texts, and the values of attributes.
        values: Those of the fields of forms, by their names.
        obeyed: Those of what is shown in which a browser would change the order of what it shows.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.shown: list[str] = []
        self.values: dict[str, str] = {}
        self.obeyed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the beginning of an element."""
        self.elements.append(" ".join([tag, *(name for name, _ in attrs)]))
        known = {name: value or "" for name, value in attrs}
        if tag == "input" and "name" in known:
            self.values[known["name"]] = known.get("value", "")
        for name, value in known.items():
            # What a form sends back is kept as it is.
            self._show(value, may_be_obeyed=name == "value")

    def handle_endtag(self, tag: str) -> None:
        """Take the end of an element."""
        self.elements.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Take a text."""
        self._show(data)

    def handle_comment(self, data: str) -> None:
        """Take a comment, of which no page has one."""
        self.elements.append(f"comment {data}")

    def _show(self, text: str, *, may_be_obeyed: bool = False) -> None:
        self.shown.append(text)
        if not may_be_obeyed and _BIDI.search(text):
            self.obeyed.append(text)

    def lacks(self, names: Iterable[str], text: str) -> list[str]:
        """Return which of the fields *names* the page does not show."""
        words = " ".join("\n".join(self.shown).split())
        ends = {str(visible(each)) for each in (text, text.replace("/", ""))}
        return [name for name in names if not any(f"{name}{end}" in words for end in ends)]
