"""Answers that tell less than was done, and what tests of them ask of the ERP's books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import anyio
import orjson
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.push_limits import PushLimits
from k3push.runs.retry import plan_rejected
from k3push.simulator import Refusal, WriteBack, site
from k3push.simulator.answers import failure
from k3push.simulator.books.conversion import Converter
from k3push.simulator.books.refusals import Problem
from k3push.simulator.exchange import json_reply
from k3push.simulator.fault_plans.script import Channel
from tests.runs.office import FIRST, Office, VirtualClock

NO_CANARY = PushLimits(canary=False)
NO_HALT = PushLimits(canary=False, halt=HaltRule())
AT_A_DOUBT = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
AT_TWO_DOUBTS = PushLimits(canary=False, halt=HaltRule(unknown_count=2))
# Bills that stay open once they are pushed, so that nothing but a look keeps a second push away.
OPEN: dict[str, Any] = {"write_back": WriteBack.NEVER, "closes": False}
REFUSED = Refusal(11, "单据“{number}”的仓库必录")


def doubled(office: Office, numbers: Sequence[str]) -> list[str]:
    """Return the numbers that have more than one document."""
    office.site.finish()
    return [n for n in numbers if len(office.site.world.documents_of(n)) > 1]


def answer_of() -> Any:
    """Return how the site words its answer to a push, as tests have changed it so far."""
    return vars(site)["push_answer"]


def name_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refusal keep to itself what was saved all the same."""
    told = answer_of()

    def silent(*what: Any) -> Any:
        answer = told(*what)
        status = answer["Result"]["ResponseStatus"]
        if not status["IsSuccess"]:
            status["SuccessEntitys"] = []
        return answer

    monkeypatch.setattr(site, "push_answer", silent)


def name_no_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let successes name nothing that they have made, as some old servers do."""
    answered = answer_of()

    def mute(*what: Any) -> Any:
        answer = answered(*what)
        status = answer["Result"]["ResponseStatus"]
        if status["IsSuccess"]:
            status["SuccessEntitys"] = []
        return answer

    monkeypatch.setattr(site, "push_answer", mute)


def answer_in_part(
    monkeypatch: pytest.MonkeyPatch, told: Problem | None, *, kept: slice, later_s: float = 0.0
) -> None:
    """Let the first push of several documents save some, and say why the rest is missing.

    Args:
        monkeypatch: Of the test.
        told: What it says; None is a success.
        kept: Which documents are saved, and named.
        later_s: When the others are saved all the same; 0 is never.
    """
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        conversion = self.world.convert(order, visit.user)
        if len(conversion.made) <= 1 or getattr(self, "in_part", False):
            return work(self, visit, now_s)
        self.in_part = True
        part = replace(conversion, made=conversion.made[kept], problems=(told,) if told else ())
        self._save(part, now_s)
        if later_s:
            rest = replace(conversion, made=conversion.made[kept.stop :])
            self._agenda.add(now_s + later_s, lambda: self._commit(rest, now_s + later_s))
        return json_reply(answer_of()(self._manners.style, part, self._manners.on_refusal))

    monkeypatch.setattr(site.Site, "_push", push)


def keep_a_part(
    monkeypatch: pytest.MonkeyPatch, numbers: Sequence[str], *, kept: int, why: Refusal = REFUSED
) -> None:
    """Let the first call with exactly these numbers be refused, though it saves some documents.

    Args:
        monkeypatch: Of the test.
        numbers: What the call carries. The answer speaks of each, and names no document.
        kept: How many documents are saved all the same.
        why: What the answer says.
    """
    work, met = site.Site._push, iter([True])

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if set(order.numbers) != set(numbers) or not next(met, False):
            return work(self, visit, now_s)
        conversion = self.world.convert(order, visit.user)
        self._save(replace(conversion, made=conversion.made[:kept]), now_s)
        answer = failure(self._manners.style, why.code, "")
        words = dict.fromkeys(why.text.format(number=number) for number in numbers)
        answer["Result"]["ResponseStatus"]["Errors"] = [
            {"FieldName": None, "Message": each, "DIndex": 0} for each in words
        ]
        return json_reply(answer)

    monkeypatch.setattr(site.Site, "_push", push)


def keep_but_the_last(monkeypatch: pytest.MonkeyPatch, numbers: Sequence[str], words: str) -> None:
    """Let the call that carries all of them save all but the last, and refuse that by name."""
    work = site.Site._push
    bad = numbers[-1]

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if bad not in order.numbers:
            return work(self, visit, now_s)
        if set(order.numbers) == set(numbers):
            good = replace(order, numbers=tuple(n for n in order.numbers if n != bad))
            self._save(self.world.convert(good, visit.user), now_s)
        return json_reply(failure(self._manners.style, 11, words))

    monkeypatch.setattr(site.Site, "_push", push)


def make_as(monkeypatch: pytest.MonkeyPatch, creator: str) -> None:
    """Let documents bear another maker from now on: our user has another name, or was made anew."""
    made = Converter._target

    def target(self: Converter, *what: Any, **how: Any) -> Any:
        document = made(self, *what, **how)
        document.creator = creator
        return document

    monkeypatch.setattr(Converter, "_target", target)


def drop_each_second_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every second document keep no link, as a plug-in of a site may."""
    made, nth = Converter._target, count()

    def target(self: Converter, *what: Any, **how: Any) -> Any:
        document = made(self, *what, **how)
        if next(nth) % 2:
            for line in document.entries:
                line.links = ()
        return document

    monkeypatch.setattr(Converter, "_target", target)


def copy_creators(office: Office) -> None:
    """Let the rules give each document the creator of its first bill from now on."""
    world = office.site.world
    routes = [replace(each, copies_creators=True) for each in world.rules]
    world._converter = replace(world._converter, routes=routes)


async def until_lost(office: Office, run: RunId = FIRST) -> str:
    """Wait until the answer for a bill is lost, and return its number."""
    while True:
        for number, row in (await office.rows(run)).items():
            if row.state is State.UNKNOWN:
                return number
        await anyio.sleep(0.01)


async def until_rejected(office: Office, number: str) -> None:
    """Wait until a number of the first run is rejected."""
    while (await office.rows())[number].state is not State.REJECTED:  # noqa: ASYNC110
        await anyio.sleep(0.05)


async def until_pushed(office: Office, times: int = 1) -> None:
    """Wait until the ERP has taken so many pushes in since its office was opened."""
    while office.site.calls[Channel.PUSH] - office.pushes_before < times:  # noqa: ASYNC110
        await anyio.sleep(0.05)


async def plan_again(office: Office) -> None:
    """Plan what was rejected, as `k3push retry` does."""
    run = await office.store.run(FIRST)
    assert run is not None
    async with office.store.own(FIRST, executes=False):
        await plan_rejected(office.store, VirtualClock(), run, lambda _: True)


class FastClock(VirtualClock):
    """A machine whose clock is two days ahead, as after a flat battery."""

    def now(self) -> datetime:
        """Return the time of the day after tomorrow."""
        return super().now() + timedelta(days=2)


def interrupt(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """Let the first call that makes something of a bill be interrupted, and name it."""
    push = site.Site._push

    def interrupted(self: site.Site, *what: Any) -> Any:
        reply = push(self, *what)
        if not self.world.documents_of(named):
            return reply
        monkeypatch.setattr(site.Site, "_push", push)
        answer = orjson.loads(reply.body)
        status = answer["Result"]["ResponseStatus"]
        status |= {"IsSuccess": False, "MsgCode": 4, "ErrorCode": 500}
        status["Errors"] = [{"FieldName": "", "Message": "Execution Timeout Expired.", "DIndex": 0}]
        return json_reply(answer)

    monkeypatch.setattr(site.Site, "_push", interrupted)


def hide_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be told which document of a form is the newest."""

    async def untold(*_: object) -> str:
        return ""

    monkeypatch.setattr(ErpClient, "newest_id", untold)
