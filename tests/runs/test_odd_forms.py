"""Sites whose field of the source's form holds something else, such as the bill type's number."""

from __future__ import annotations

from typing import Any

import pytest

from k3push.core.model import Follow, State
from k3push.runs.proof.unclear_documents import SHARED
from k3push.simulator.books.forms import IN_STOCK, Form
from k3push.simulator.query_answers import fields
from tests.runs.office import FIRST, SECOND, Office, orders, sandbox, steered
from tests.runs.rough_answers import NO_CANARY, OPEN, doubled
from tests.runs.test_follow import FOLLOW

pytestmark = pytest.mark.anyio

ODD = ["CGDD01_SYS", "T_PUR_POOrder"]


@pytest.fixture(params=ODD)
def office(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Office:
    """Return an office whose site has such a field, and no links that can be asked."""

    def odd(form: Form) -> list[Any]:
        key = form.source_form_field
        return [fields._line(key, "源单类型", lambda _: request.param)] if key else []

    monkeypatch.setattr(fields, "_source_form_fields", odd)
    return Office(sandbox(link_fields=False, **OPEN))


async def test_a_document_whose_form_is_odd_is_not_made_a_second_time(office: Office) -> None:
    """Nobody can say that it was made from another form; a person decides."""
    numbers = orders(6)
    for number in numbers:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=6), check=False
    )
    assert pushed.watch.carried == []
    assert {(row.state, row.code) for row in pushed.rows.values()} == {(State.REJECTED, SHARED)}


async def test_what_an_answer_names_is_ours_though_its_form_is_odd(office: Office) -> None:
    """So that such a site is pushed as any other, and a second ledger pushes nothing of it."""
    numbers = orders(6)
    await office.open_run(numbers)
    pushed = await office.execute()
    assert set(pushed.states.values()) == {State.PUSHED}
    other = Office(site=office.site)
    await other.open_run(numbers, SECOND)
    again = await other.execute(SECOND, check=False)
    assert again.watch.carried == []
    assert doubled(office, numbers) == []


async def test_what_the_ledger_has_made_is_done_though_its_form_is_odd(office: Office) -> None:
    """So that a list which is pushed twice is no trouble on such a site either."""
    numbers = orders(6)
    await office.open_run(numbers)
    pushed = await office.execute()
    await office.open_run(numbers, SECOND)
    again = await office.execute(SECOND, check=False)
    assert again.watch.carried == []
    assert set(again.states.values()) == {State.ALREADY}
    targets = {number: row.targets for number, row in pushed.rows.items()}
    assert {number: row.targets for number, row in again.rows.items()} == targets


async def test_what_an_earlier_execution_has_made_is_followed_though_its_form_is_odd(
    office: Office,
) -> None:
    """It is of the bill whose call has named it, and not of another."""
    await office.open_run(orders(4))
    await office.execute()
    await office.execute(route=FOLLOW)
    documents = await office.store.documents(FIRST, after="", limit=10)
    assert [each.follow for each in documents] == [Follow.APPROVED] * 4, documents
