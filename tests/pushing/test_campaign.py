from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import httpx
import pytest

from k3push.core.life import FINAL
from k3push.core.model import State
from k3push.job import Cause
from k3push.simulator import (
    FAULT_NAMES,
    AnswerStyle,
    DraftForm,
    Fault,
    FaultPlan,
    OnRefusal,
    Policy,
    Refusal,
    SandboxOptions,
    Seeded,
    audit,
    fault,
)
from k3push.simulator.faults import Ending, Work
from tests.pushing.office import ROUTE, Office, Pushed, orders, steered, steps
from tests.simulator.clients import logged_in, site_of

pytestmark = pytest.mark.anyio

BILLS = 40
BROKE_ON_THE_SERVER = {Ending.RESPONSE_ERROR, Ending.RESPONSE_ERROR_TEXT}
READABLE = {Ending.OK, Ending.GZIP, Ending.BASE64_GZIP}


def _fair(met: Fault) -> bool:
    """Leave out where the ERP itself lies: links to others, an end before the commit."""
    early = met.work is Work.COMMIT_LATE and met.ending in READABLE | BROKE_ON_THE_SERVER
    return met.work is not Work.MISLINK and not early


FAIR = [name for name in FAULT_NAMES if _fair(fault(name))]
REFUSALS = [
    Refusal(8, "仓库 {number} 必录"),
    Refusal(4, "数据有误"),
    Refusal(11, "仓库必录", saving=True),
    Refusal(4, "数据有误", whole_call=True),
    Refusal(4, "未将对象引用设置到对象的实例。", thrown=True),
]


def _options(seed: int) -> tuple[SandboxOptions, Mapping[str, int], bool]:
    chance = random.Random(seed)  # noqa: S311  # the same trials every time
    faults = tuple(
        replace(fault(name), seconds=chance.choice([5.0, 45.0, 400.0]))
        for name in chance.sample(FAIR, 8)
    )
    # The first bill is sound, so that the links are proved: silence about it is a contradiction.
    bad = chance.sample(orders(BILLS)[1:], 4)
    plan = FaultPlan(
        steps=steps("ok").steps,
        refusals={number: chance.choice(REFUSALS) for number in bad},
        seeded=Seeded(0.5, faults, seed, most=30),
        session_calls=chance.choice([0, 0, 30]),
    )
    style = AnswerStyle(
        old=chance.random() < 0.3,
        text_values=chance.random() < 0.3,
        draft_form=chance.choice(list(DraftForm)),
        draft_number=chance.choice([None, "", " ", "id"]),
    )
    options = SandboxOptions(
        orders=BILLS,
        seed=seed,
        latency_s=chance.choice([0.0, 1.0, 30.0]),
        policy=chance.choice(list(Policy)),
        faults=plan,
        on_refusal=chance.choice(list(OnRefusal)),
        style=style,
    )
    drive = {"chunk_size": chance.choice([1, 5, 12]), "concurrency": chance.choice([1, 4])}
    return options, drive, chance.random() < 0.5


async def _until_final(office: Office, drive: Mapping[str, int]) -> Pushed:
    """Execute a run again and again, as a patient person would after each stop."""
    for nth in count(1):
        pushed = await office.execute(
            steering=steered(chunk_size=drive["chunk_size"], concurrency=drive["concurrency"])
        )
        assert Cause.CONTRADICTION not in pushed.stop.causes
        if set(pushed.states.values()) <= FINAL:
            return pushed
        assert pushed.stop.causes
        assert nth < 10
    raise AssertionError


@pytest.mark.parametrize("tens", range(15))
async def test_whatever_goes_wrong_the_ledger_tells_the_truth(tens: int) -> None:
    """Faults meet in ways that nobody thinks of, so a seed mixes them."""
    for seed in range(10 * tens, 10 * tens + 10):
        options, drive, drafts = _options(seed)
        office = Office(options, replace(ROUTE, draft_when_save_fails=drafts))
        await office.open_run(orders(BILLS))
        pushed = await _until_final(office, drive)
        assert len(pushed.of(State.PUSHED)) >= BILLS // 2, seed


async def test_the_audit_sees_what_a_naive_client_does() -> None:
    """A checker that never finds anything would find nothing here either."""
    site = site_of(faults=steps("late-commit:30", "make-then-html-502"))
    client = await logged_in(site)
    rows = []
    for number in orders(3):
        row: dict[str, object] = {"number": number, "state": "rejected"}
        while True:
            try:
                status = await client.push(number)
            except (httpx.HTTPError, ValueError):
                continue
            break
        if status["IsSuccess"]:
            made = status["SuccessEntitys"]
            row |= {"state": "pushed", "targets": [one["Number"] for one in made]}
            row["target_ids"] = [one["Id"] for one in made]
        rows.append(row)
    site.finish()
    findings = audit(rows, site.world, orders(3))
    assert any("made by 2 pushes" in finding for finding in findings)
    assert any("`rejected`, yet" in finding for finding in findings)
