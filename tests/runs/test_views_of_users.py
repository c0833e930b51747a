"""Several users push, and each is shown other documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import State
from k3push.runs.context import Context
from k3push.runs.engine_tasks import intake
from k3push.simulator import Policy
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.visibility import Rights, Sight
from tests.runs.office import Office, orders, sandbox, steered, steps
from tests.runs.rough_answers import OPEN, doubled
from tests.runs.test_proof import accounts, login

pytestmark = pytest.mark.anyio

USERS = ("sandbox", "sandbox2")


def hide_from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second user alone be shown what the clerk makes."""

    def shows(_: Rights, user: str, target: Any) -> bool:
        return user != USERS[0] or target.creator != "clerk"

    monkeypatch.setattr(Rights, "shows", shows)


@pytest.mark.parametrize("where", ["newest", "between", "older"])
async def test_documents_that_one_user_sees_are_asked_of_that_user(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The look before a sending is made through all users."""
    hide_from_the_first(monkeypatch)
    office = Office(sandbox(orders=300, accounts=accounts(*USERS), **OPEN))
    numbers, others = orders(60), orders(110, 150)
    world = office.site.world
    for number in others[: 110 if where == "newest" else 5]:
        world.add_target(IN_STOCK, number, creator="colleague")
    for number in numbers[-10:]:
        world.add_target(IN_STOCK, number, creator="clerk")
    for number in {"newest": [], "between": others[5:10], "older": others[5:]}[where]:
        world.add_target(IN_STOCK, number, creator="colleague")
    await office.open_run(numbers)
    await office.execute(
        login=login(USERS[0]),
        more_users={USERS[1]: login(USERS[1])},
        throttle=steered(concurrency=4, chunk_size=5),
        check=False,
    )
    assert doubled(office, numbers) == []


async def test_documents_of_the_meantime_are_asked_of_all_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look right before a sending is made through all users as well."""
    hide_from_the_first(monkeypatch)
    office = Office(sandbox(orders=300, accounts=accounts(*USERS), **OPEN))
    numbers, throttle = orders(80), steered(concurrency=1, chunk_size=5)
    await office.open_run(numbers)

    async def person(_: Context) -> None:
        while not office.site.world.documents_of(numbers[50]):  # noqa: ASYNC110
            await anyio.sleep(0.1)
        throttle.pause()
        await anyio.sleep(30)
        for number in numbers[-5:]:
            office.site.world.add_target(IN_STOCK, number, creator="clerk")
        throttle.go_on()

    load = office.site._load
    load._options = replace(load._options, round_trip_s=0.5)
    await office.execute(
        login=login(USERS[0]),
        more_users={USERS[1]: login(USERS[1])},
        throttle=throttle,
        beside=person,
        check=False,
    )
    assert doubled(office, numbers) == []


async def test_a_closed_bill_is_already_there_whoever_sees_its_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A document that the second user alone sees has closed the bill."""
    hide_from_the_first(monkeypatch)
    # A list longer than what is looked at ahead, in small.
    monkeypatch.setattr(intake, "MOST_READY", 20)
    monkeypatch.setattr(intake, "MOST_NUMBERS", 20)
    office = Office(sandbox(orders=300, accounts=accounts(*USERS)))
    numbers = orders(160)
    office.site.world.add_target(IN_STOCK, numbers[-1], creator="clerk")
    assert office.site.world.store.by_number(PURCHASE_ORDER, numbers[-1])[0].closed
    await office.open_run(numbers)
    pushed = await office.execute(
        login=login(USERS[0]),
        more_users={USERS[1]: login(USERS[1])},
        throttle=steered(concurrency=2, chunk_size=5),
        check=False,
    )
    assert pushed.rows[numbers[-1]].state is State.ALREADY


async def test_no_part_of_a_bill_is_all_of_it_while_nobody_looks_who_sees_the_others() -> None:
    """The one who sent it sees the first part, and may not log in when the others are saved."""
    office = Office(
        sandbox(
            steps("make-then-response-error-text"),
            policy=Policy.SPLIT,
            save_gap_s=0.5,
            accounts=accounts(*USERS),
            sees=dict.fromkeys(USERS, Sight.OWN),
            **OPEN,
        )
    )
    (number,) = orders(1)
    await office.open_run([number])
    logins = office.site.logins

    async def administrator(_: Context) -> None:
        while not office.site.world.documents_of(number):  # noqa: ASYNC110
            await anyio.sleep(0.1)
        await anyio.sleep(0.2)
        (sender,) = {each.creator for each in office.site.world.documents_of(number)}
        users = {**logins.accounts.users, sender: "changed"}
        logins.accounts = replace(logins.accounts, users=users)
        logins.lose_all()

    load = office.site._load
    load._options = replace(load._options, round_trip_s=0.1)
    more = {USERS[1]: login(USERS[1])}
    pushed = await office.execute(
        login=login(USERS[0]), more_users=more, beside=administrator, check=False
    )
    assert len(office.site.world.documents_of(number)) == 2
    assert pushed.rows[number].state is State.UNKNOWN
    logins.accounts = replace(logins.accounts, users=accounts(*USERS).users)
    pushed = await office.execute(login=login(USERS[0]), more_users=more)
    assert len(pushed.rows[number].targets) == 2
