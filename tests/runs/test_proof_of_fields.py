"""When "nothing is there" counts: the field was seen to find, and the sender's sight is covered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from trio.testing import MockClock

from k3push.core.model import (
    Answered,
    Attempt,
    BillNumber,
    Intent,
    Route,
    RunId,
    Sighting,
    State,
    Target,
    Targets,
    Uptime,
)
from k3push.ports import (
    AttemptRecord,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    Made,
)
from k3push.runs.lookup.looker import HARMLESS
from k3push.runs.proof.absence_proof import Proofs
from k3push.runs.proof.document_makers import LEAST_SAMPLE, SAMPLE
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.test_lookup import Asked, Job, refused

pytestmark = pytest.mark.anyio

RUN = RunId("run")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
KNOWN = [BillNumber(f"K{nth}") for nth in range(SAMPLE)]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Books(MemoryLedger):
    """A ledger that knows of some documents, and of whom."""

    def __init__(self, known: Mapping[BillNumber, tuple[Target, ...]], sender: str = "b") -> None:
        super().__init__(account="acct")
        self.known = known
        self.sender = sender
        self.read: list[str | None] = []

    async def made_by(
        self, run: RunId, sender: str | None = None, *, limit: int = 20
    ) -> Sequence[Made]:
        """Return what is known of a sender, or all."""
        assert (run, limit) == (RUN, SAMPLE)
        self.read.append(sender)
        if sender not in {None, self.sender}:
            return []
        return [Made(run, number, State.PUSHED, found) for number, found in self.known.items()]

    async def attempts_of(self, number: BillNumber) -> Sequence[AttemptRecord]:
        """Return the call that has made the documents of a number, whose answer names them."""
        named = [{"Id": each.id, "Number": each.number} for each in self.known.get(number, ())]
        status = {"IsSuccess": True, "MsgCode": 0, "Errors": [], "SuccessEntitys": named}
        body = orjson.dumps({"Result": {"ResponseStatus": status}})
        intent = Intent(RUN, 1, 1, (number,), {}, b"{}", NOW, Uptime("boot", 0), self.sender)
        return [AttemptRecord(Attempt(1, intent), Answered(200, body), "", NOW)]


@dataclass(slots=True)
class Seen(Asked):
    """An ERP that shows each user something.

    Attributes:
        shows: What each user sees; who is not named may not look.
        gone: Which numbers' documents are cancelled.
        looks: How often it was asked, in any way.
    """

    shows: dict[str, Targets] = field(default_factory=dict)
    gone: Collection[BillNumber] = ()
    looks: int = 0

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Name what it is told, and count the look."""
        self.looks += 1
        return await Asked.newest_of(self, route)

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Show what the users see together."""
        del route, unsent
        if list(numbers) == [HARMLESS]:
            return Sighting(users=frozenset(self.shows))  # whether a short question is answered
        assert by_all
        self.looks += 1
        if self.fails:
            raise self.fails.pop(0)
        found = {
            number: targets
            for seen in self.shows.values()
            for number, targets in seen.items()
            if number in numbers
        }
        there = {number: each for number, each in found.items() if number not in self.gone}
        gone = {number: each for number, each in found.items() if number in self.gone}
        return Sighting(there, frozenset(self.shows), gone)


def documents(count: int) -> dict[BillNumber, tuple[Target, ...]]:
    """Make a document of each of some bills."""
    return {number: (Target(f"id {number}", f"T{number}"),) for number in KNOWN[:count]}


# -- the field -------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [(), KNOWN])
async def test_a_field_is_proved_by_one_document_that_the_ledger_knows(
    gone: Collection[BillNumber],
) -> None:
    """Rights may hide the others, and a cancelled one was found as well."""
    erp = Seen(shows={"a": documents(1)}, gone=gone)
    assert await Proofs().absence_proved(Job(erp), Books(documents(5)), RUN, now=NOW)


async def test_a_field_that_finds_another_document_is_not_proved_by_it() -> None:
    """The supplier's number may be that of a bill, by chance."""
    erp = Seen(shows={"a": {KNOWN[0]: (Target("another", "T"),)}})
    assert not await Proofs().absence_proved(Job(erp), Books(documents(5)), RUN, now=NOW)


@pytest.mark.parametrize(("named", "proved"), [([], False), ([KNOWN[0]], True)])
async def test_without_a_document_of_the_ledger_the_newest_ones_may_prove_it(
    named: list[BillNumber], *, proved: bool
) -> None:
    """A new ledger knows of none."""
    proofs, erp = Proofs(), Seen(shows={"a": {}}, named=named)
    assert await proofs.absence_proved(Job(erp), Books({}), RUN, now=NOW) is proved
    asked = erp.looks
    assert await proofs.absence_proved(Job(erp), Books(documents(1)), RUN, now=NOW) is proved
    assert erp.looks == asked


async def test_what_this_run_has_found_is_proof_enough() -> None:
    """Nothing is asked for it."""
    erp, books = Seen(), Books({})
    assert await Proofs(field_finds=True).absence_proved(Job(erp), books, RUN, now=NOW)
    assert (erp.looks, books.read) == (0, [])


@pytest.mark.parametrize(
    "error", [LookFailedError("cut"), ErpUnreachableError("away"), LoginRefusedError("wrong")]
)
async def test_a_look_that_fails_proves_nothing_and_is_made_again(error: Exception) -> None:
    """The proof may come later in the same run."""
    proofs, job = Proofs(), Job(Seen(shows={"a": documents(1)}, fails=[error] * 9), max_attempts=1)
    books = Books(documents(1))
    with pytest.raises(type(error)):
        await proofs.absence_proved(job, books, RUN, now=NOW)
    job.erp.fails.clear()
    assert await proofs.absence_proved(job, books, RUN, now=NOW)


async def test_a_look_at_the_newest_documents_is_tried_again() -> None:
    """One failed query ends no night, this one neither."""
    erp = Seen(named=KNOWN, fails=[LookFailedError("cut"), ErpUnreachableError("away")])
    assert await Proofs().absence_proved(Job(erp), Books({}), RUN, now=NOW)


async def test_where_the_newest_documents_may_not_be_asked_for_nothing_is_proved() -> None:
    """The ERP has said so, and says so again."""
    erp = Seen(named=KNOWN, fails=[refused(code="2")] * 2)
    assert not await Proofs().absence_proved(Job(erp), Books({}), RUN, now=NOW)
    assert erp.looks == 2


async def test_a_refusal_to_tell_the_newest_documents_may_pass() -> None:
    """While a site loads its metadata anew, it refuses what it tells at other times."""
    erp = Seen(named=KNOWN, fails=[refused(code="2")])
    assert await Proofs().absence_proved(Job(erp), Books({}), RUN, now=NOW)


async def test_a_route_without_a_field_has_nothing_to_prove() -> None:
    """It cannot ask."""
    erp = Seen(shows={"a": documents(5)}, named=KNOWN)
    job = Job(erp, route=replace(Job(erp).route, source_number_field=""))
    assert not await Proofs().absence_proved(job, Books(documents(5)), RUN, now=NOW)
    assert erp.looks == 0


# -- the user --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "looked", "covered"),
    [
        ("a", {"a"}, True),
        ("a", {"a", "b"}, True),
        ("b", {"a"}, False),
        ("", {"a", "b"}, True),
        ("", {"a"}, False),
        ("", set(), False),
        ("a", set(), False),
    ],
)
async def test_the_sender_or_all_users_must_have_looked(
    sender: str, looked: set[str], *, covered: bool
) -> None:
    """An attempt of an earlier version does not say who sent it."""
    erp = Seen(users=frozenset("ab"))
    found = await Proofs().covers(Job(erp), Books({}), RUN, users=looked, sender=sender)
    assert found is covered
    assert erp.looks == 0


@pytest.mark.parametrize(
    ("made", "shown", "covered"),
    [
        (SAMPLE, SAMPLE, True),
        (LEAST_SAMPLE, LEAST_SAMPLE, True),
        (SAMPLE, SAMPLE - 1, False),
        (SAMPLE, 0, False),
    ],
)
async def test_another_user_covers_the_sender_whose_known_documents_he_sees_one_and_all(
    made: int, shown: int, *, covered: bool
) -> None:
    """The one that is hidden would be made a second time."""
    proofs, erp = Proofs(), Seen(shows={"a": documents(shown)})
    books = Books(documents(made))
    for _ in range(2):
        found = await proofs.covers(Job(erp), books, RUN, users={"a"}, sender="b")
        assert found is covered
    assert books.read == ["b"]


async def test_few_known_documents_prove_nothing_until_there_are_more() -> None:
    """The run goes on, and the sender's doubts may be settled by what he makes meanwhile."""
    proofs, erp = Proofs(), Seen(shows={"a": documents(SAMPLE)})
    few, more = Books(documents(LEAST_SAMPLE - 1)), Books(documents(LEAST_SAMPLE))
    assert not await proofs.covers(Job(erp), few, RUN, users={"a"}, sender="b")
    assert await proofs.covers(Job(erp), more, RUN, users={"a"}, sender="b")


async def test_each_sender_has_a_proof_of_his_own() -> None:
    """Who sees one may not see another."""
    proofs, erp = Proofs(), Seen(shows={"a": documents(5)})
    books = Books(documents(5))
    assert await proofs.covers(Job(erp), books, RUN, users={"a"}, sender="b")
    assert not await proofs.covers(Job(erp), books, RUN, users={"a"}, sender="c")


async def test_a_proof_holds_for_those_who_gave_it() -> None:
    """Once the one is gone who sees all, nobody sees what the sender makes."""
    proofs, erp = Proofs(), Seen(shows={"a": {}, "c": documents(5)})
    books = Books(documents(5))
    assert await proofs.covers(Job(erp), books, RUN, users={"a", "c"}, sender="b")
    erp.shows.pop("c")
    assert not await proofs.covers(Job(erp), books, RUN, users={"a"}, sender="b")


async def test_what_somebody_sees_who_has_not_looked_proves_nothing() -> None:
    """The sender himself may be back by now, and sees his own."""
    proofs, erp = Proofs(), Seen(shows={"a": {}, "b": documents(5)})
    books = Books(documents(5))
    assert not await proofs.covers(Job(erp), books, RUN, users={"a"}, sender="b")


@pytest.mark.parametrize(
    "error", [LookFailedError("cut"), ErpUnreachableError("away"), LoginRefusedError("wrong")]
)
async def test_a_look_for_a_senders_documents_that_fails_is_made_again(error: Exception) -> None:
    """It is no answer."""
    proofs, job = (
        Proofs(),
        Job(Seen(shows={"a": documents(5)}, fails=[error, error]), max_attempts=1),
    )
    books = Books(documents(5))
    with pytest.raises(type(error)):
        await proofs.covers(job, books, RUN, users={"a"}, sender="b")
    job.erp.fails.clear()
    assert await proofs.covers(job, books, RUN, users={"a"}, sender="b")
