"""Runs, rows and attempts for the tests of ledgers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

from k3push.core.control_words import Command, Verb
from k3push.core.model import (
    Answered,
    Attempt,
    BillNumber,
    Document,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    NeverSent,
    NoAnswer,
    Outcome,
    Route,
    Row,
    Run,
    RunId,
    State,
    Step,
    StepIntent,
    Target,
    Uptime,
)
from k3push.core.pacing.server_model import FittedServer, Learnt
from k3push.ports import Ledger, Memo

NOON = datetime(2024, 5, 17, 12, 0, 0, 250_000, tzinfo=UTC)
UPTIME = Uptime("3f1c", 86_400.125)
ACCOUNT = "s"
OTHER_ACCOUNT = "t"
ANSWER = Answered(200, b'{"Result":{}}')
ROUTE = Route("po-instock", "PUR_PurchaseOrder", "STK_InStock", custom_params={"k": [1, "二"]})


def later(seconds: float) -> datetime:
    """Return a time after noon."""
    return NOON + timedelta(seconds=seconds)


def a_run(name: str = "r1", scope: str = "s|po|in", *, at: datetime = NOON) -> Run:
    """Return a run that has just begun."""
    return Run(RunId(name), scope, ROUTE, ("orders.csv", "更多.txt"), "results/orders.r1", at)


def numbers(text: str) -> tuple[BillNumber, ...]:
    """Return one number for each word."""
    return tuple(map(BillNumber, text.split()))


def lines(text: str, first: int = 1) -> list[Listed]:
    """Return one line of a job file for each word."""
    return [Listed(line, number) for line, number in enumerate(numbers(text), start=first)]


def identified(spellings: Mapping[BillNumber, BillNumber]) -> dict[BillNumber, Identified]:
    """Return which bills lines mean, by the ERP's spelling of each: one spelling is one bill."""
    return {line: Identified(spelling, id_of(spelling)) for line, spelling in spellings.items()}


def id_of(number: str) -> str:
    """Return the id that the bill of a number has in these tests."""
    return str(crc32(number.encode()))


async def planned(ledger: Ledger, text: str, name: str = "r1", scope: str = "s|po|in") -> RunId:
    """Open a run with identified rows, whose spellings are the ERP's."""
    run = a_run(name, scope)
    await ledger.open_run(run)
    await ledger.add(run.id, lines(text))
    await ledger.identify(run.id, identified({number: number for number in numbers(text)}))
    return run.id


def intent(run: RunId, text: str, *, chunk: int = 1, nth: int = 1, sender: str = "push") -> Intent:
    """Return an intent to send numbers, each with one target there before."""
    before = {number: (f"before-{number}",) for number in numbers(text)}
    request = b'{"Numbers":"..."}'
    return Intent(run, chunk, nth, numbers(text), before, request, NOON, UPTIME, sender)


async def sent(
    ledger: Ledger, run: RunId, text: str, *, chunk: int = 1, sender: str = "push"
) -> Attempt:
    """Claim numbers and begin an attempt with them."""
    assert await ledger.claim(run, numbers(text)) == {}
    return await ledger.begin(intent(run, text, chunk=chunk, sender=sender))


def outcomes(text: str, state: State) -> list[Outcome]:
    """Return the same outcome for each word, with targets where the state has them."""
    made = state in {State.PUSHED, State.DRAFT, State.ALREADY}
    return [
        Outcome(
            number,
            state,
            (Target(f"id-{number}", "" if state is State.DRAFT else f"CGRK-{number}"),)
            if made
            else (),
            "" if made else "4",
            "" if made else f"单据 {number} 不满足条件",
        )
        for number in numbers(text)
    ]


async def pushed(
    ledger: Ledger,
    run: RunId,
    text: str,
    state: State = State.PUSHED,
    *,
    sender: str = "push",
) -> Attempt:
    """Send numbers and record one outcome for all."""
    attempt = await sent(ledger, run, text, sender=sender)
    await ledger.record(attempt, ANSWER, "read back", outcomes(text, state), at=later(1))
    return attempt


async def states(ledger: Ledger, run: RunId) -> dict[str, State]:
    """Return where every number of a run stands."""
    return {row.number: row.state for row in await ledger.rows(run)}


def in_words(rows: Sequence[Row]) -> str:
    """Return the numbers of rows, in their order."""
    return " ".join(row.number for row in rows)


async def lived_in(ledger: Ledger) -> RunId:
    """Fill a ledger with something in each of its tables."""
    other = await planned(ledger, "A B", "r0", "s|po|other")
    for _ in range(2):
        attempt = await sent(ledger, other, "B")
        back = outcomes("B", State.PLANNED)
        await ledger.record(attempt, NeverSent("no route"), "again", back, at=NOON)
    run = replace(a_run("r1"), group="r0")
    await ledger.open_run(run)
    await ledger.add(run.id, lines("A B C 丁 e E F A"))
    spelled = {n: BillNumber(n.upper()) for n in numbers("A B C 丁 e E F")}
    await ledger.identify(run.id, identified(spelled))
    await ledger.close_list(run.id)
    await ledger.take(FolderFile("/inbox", "订单.csv", "00ff"), run.id)
    await ledger.keep_pace(run.scope, Learnt(FittedServer(0.5, 0.01), 16), at=NOON)
    await ledger.remember(Memo("request", "r1", NOON, {"by": "王芳"}, "r1"))
    async with ledger.own(run.id):
        command = await ledger.command(run.id, Command(Verb.PAUSE), at=NOON)
        await ledger.obeyed(command, at=later(1), on_their_way=2)
        await pushed(ledger, run.id, "A B")
        attempt = await sent(ledger, run.id, "C 丁", chunk=2)
        await ledger.record(
            attempt, NoAnswer("reset"), "doubt", outcomes("C 丁", State.UNKNOWN), at=later(2)
        )
        await ledger.conclude(
            run.id, outcomes("E", State.REJECTED), at=later(3), note="未审核 (precheck)"
        )
        await ledger.claim(run.id, numbers("F"))
        await ledger.enrol(run.id, [Document("100001", "CGRK1", sender="push")], at=later(4))
        step = await ledger.begin_step(
            StepIntent(
                run.id, Step.SUBMIT, ("100001",), "A", b'{"Ids":"..."}', NOON, UPTIME, "push"
            )
        )
        submitted = Document("100001", "CGRK1", Follow.SUBMITTED)
        await ledger.record_step(step, ANSWER, "finished", [submitted], at=later(5))
    await ledger.end_run(run.id, 4, later(9))
    return run.id
