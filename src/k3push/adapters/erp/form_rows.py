"""The rows of a form: whole, over all their pages, and without the fields that it lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import anyio

from k3push.adapters.erp.calls import Calls, of_place
from k3push.core.protocol import bill_rows, paging, wire
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.core.remark import remark
from k3push.ports import (
    BELIEVED_AFTER_S,
    LookFailedError,
    LookRefusedError,
    ask_again_in_s,
    tell_of_wait,
)

Rows = list[list[object]]

# Refusals in a row after which the fields that a form may lack are tried one by one.
REFUSALS_OF_A_FIELD = 2

# How long a field is refused that the form's metadata tell, before it is taken for lacking: a few
# times what loading them takes, and no longer than a person waits.
TOLD_BELIEVED_AFTER_S = 120.0

# Refusals that lie farther apart are of two occasions; the slowest calls lie between them.
ANOTHER_OCCASION_S = 3600.0

# Statuses and makers that a form lacks by refusals are asked for again once no field of it was
# refused for so long, and each time after twice as long: the site may have loaded its metadata at
# that moment, and the rest of a night would do without them. It is longer than the pauses between
# refusals of a field that is waited for.
LACKING_FOR_S = 120.0
ASKED_AGAIN = {*bill_rows.OPTIONAL_STANDING_FIELDS, *bill_rows.OPTIONAL_SOURCE_FIELDS}


class FormRows:
    """Reads rows, and remembers of each form what it lacks and how its site cuts pages."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lacking: dict[str, set[str]] = {}
        self._lacking_for_s: defaultdict[str, float] = defaultdict(lambda: LACKING_FOR_S)
        self._refusals: Counter[str] = Counter()
        self._refused_s: dict[tuple[str, str], tuple[float, float]] = {}
        self._answered: defaultdict[str, set[str]] = defaultdict(set)
        self._read: defaultdict[str, set[str]] = defaultdict(set)  # by this user himself
        self._misled: set[str] = set()
        self._proofs: dict[tuple[str, ...], paging.Proof] = {}

    def lacking(self, form: str) -> set[str]:
        """Return the fields that a form was found to lack; more may be added."""
        lacking = self._lacking.setdefault(form, set())
        refused = {field: s for (of, field), (_, s) in self._refused_s.items() if of == form}
        again = ASKED_AGAIN & lacking & refused.keys()
        waited_s = anyio.current_time() - max(refused.values(), default=0.0)
        if again and waited_s >= self._lacking_for_s[form]:
            self._lacking_for_s[form] *= 2
            lacking.difference_update(again)
        return lacking

    async def without_lacking(
        self,
        form: str,
        fields_but: Callable[[Iterable[str]], list[str]],
        optional: Sequence[str],
        filter_string: str,
        *,
        by_name: bool = False,
        believed_after_s: float = BELIEVED_AFTER_S,
    ) -> tuple[list[str], Rows]:
        """Read rows of the fields that a form has, leaving out the optional ones that it lacks.

        A field that a refusal names is believed to be lacking where the form's metadata lack it, or
        where the form is refused for some seconds; never one that was read before. It is asked for
        again after some minutes. Where a query is refused twice and names none, each optional field
        is tried by itself, twice; should it be taken for lacking by mistake, less is known of a
        document, and none is lost.

        Args:
            fields_but: Returns its fields but those that it lacks.
            optional: Those that it may lack.
            by_name: Fields are left out by name alone: without its status a source that is not
                to be pushed would travel.
            believed_after_s: For how long refusals that name a field have to last.
        """
        lacking = self.lacking(form)
        while True:
            fields = fields_but(lacking)
            # A lacking field that is still in the query is needed there for another purpose, so its
            # refusal ends the look.
            left = [field for field in optional if field in fields and field not in lacking]
            try:
                rows = await self.whole(form, fields, filter_string)
            except LookRefusedError as refusal:
                named = bill_rows.field_named_in(str(refusal), left)
                if named in self._answered[form]:
                    raise LookFailedError(str(refusal)) from refusal  # it passes
                if named is not None:
                    why = str(refusal)
                    if await self.lacks_surely(form, named, believed_after_s, why, beside=left):
                        lacking.add(named)
                    continue
                self._refusals[form] += 1
                is_again = any((form, field) in self._refused_s for field in left)
                few = self._refusals[form] < REFUSALS_OF_A_FIELD and not is_again
                if not left or few or by_name or refusal.code == NO_RIGHT:
                    raise
                lacking.update(await self._missing(form, left, refusal))
            else:
                self._refusals[form] = 0
                return fields, rows

    async def _missing(
        self, form: str, fields: Sequence[str], refusal: LookRefusedError
    ) -> list[str]:
        """Return which fields a form lacks whose refusal names none; raise where it is none."""
        missing = [field for field in fields if await self.lacks(form, field)]
        if not missing:
            raise refusal
        if not self._answered[form].isdisjoint(missing):
            raise LookFailedError(str(refusal)) from refusal  # it passes
        for field in missing:
            self._refused_for_s(form, field)  # it is asked for again as well
        return missing

    async def lacks_surely(
        self, form: str, field: str, seconds: float, why: str, *, beside: Sequence[str] = ()
    ) -> bool:
        """Say whether a form lacks a field that refusals have named; else wait for a while.

        What its metadata tell (P 15.1) is told again, since they may be loaded at this moment. A
        refusal names one field: the others that they lack are waited for at the same time. Where
        queries keep refusing a field that the metadata list, the queries are believed, since the
        field is wanted for queries. From then on the metadata of the form are ignored.

        Args:
            seconds: For how long refusals have to last.
            beside: Fields that were asked for as well, and that the form may lack.
        """
        since_s = self._refused_for_s(form, field)
        keys = await self._field_keys(form)
        if wire.BILL_NO.lower() in keys:
            for other in beside:
                if other.lower() not in keys and (form, other) not in self._refused_s:
                    self._refused_for_s(form, other)
        told = field.lower() in keys and seconds > BELIEVED_AFTER_S
        if told and form not in self._misled:
            seconds = TOLD_BELIEVED_AFTER_S
            why = remark("answer.told_and_refused", field=field, why=why)
        elif not told and wire.BILL_NO.lower() in keys and field != bill_rows.DOCUMENT_STATUS:
            # They lack it. Nearly each form has that one status; others are often lacking.
            seconds = BELIEVED_AFTER_S
        wait_s = ask_again_in_s(since_s, seconds)
        if wait_s:
            tell_of_wait(why, since_s, wait_s)
            await anyio.sleep(wait_s)
        elif told:
            self._misled.add(form)
        return not wait_s

    def _refused_for_s(self, form: str, field: str) -> float:
        """Return for how long a field has been refused, each time that it was asked for.

        What is answered of its form meanwhile was not asked for it.
        """
        now_s = anyio.current_time()
        first_s, last_s = self._refused_s.get((form, field), (now_s, now_s))
        if now_s - last_s > ANOTHER_OCCASION_S:
            first_s = now_s
        self._refused_s[form, field] = (first_s, now_s)
        return now_s - first_s

    async def _field_keys(self, form: str) -> frozenset[str]:
        """Return which fields the metadata of a form tell; none where the site does not tell."""
        try:
            return await self._calls.ask(
                "QueryBusinessInfo", form, wire.form_data(form), wire.read_field_keys
            )
        except (LookFailedError, LookRefusedError):
            return frozenset()

    async def whole(self, form: str, fields: Sequence[str], filter_string: str) -> Rows:
        """Read all pages, up to one that proves to be the last."""
        proof = self._proofs.setdefault((form, *fields), paging.Proof())
        reading = paging.whole(proof)
        try:
            ask = next(reading)
            while True:
                if ask.probes:
                    page = await self._probe(form, fields)
                else:
                    page = await self.page(
                        form, fields, filter_string, start=ask.start, limit=ask.limit
                    )
                ask = reading.send(page)
        except StopIteration as end:
            rows: Rows = end.value
            return rows
        except paging.PagesError as error:
            raise LookFailedError(of_place(form, error)) from error

    async def _probe(self, form: str, fields: Sequence[str]) -> Rows | None:
        try:
            return await self.page(
                form, fields, "", start=0, limit=paging.PAGE_ROWS, order=wire.NEWEST_FIRST
            )
        except LookFailedError:
            return None

    async def page(
        self,
        form: str,
        fields: Sequence[str],
        filter_string: str,
        *,
        start: int,
        limit: int,
        order: str = "",
    ) -> Rows:
        """Read one page, in one query; the site may cut it.

        A user who has read these fields before may read the form. His refusal is a look that has
        failed: were he set aside, what only he sees would count as absent.
        """
        data = wire.query_data(form, fields, filter_string, start=start, limit=limit, order=order)
        try:
            rows = await self._calls.ask(
                "ExecuteBillQuery", form, data, lambda body: wire.read_rows(body, len(fields))
            )
        except LookRefusedError as refusal:
            if refusal.code == NO_RIGHT and self._read[form].issuperset(fields):
                raise LookFailedError(str(refusal)) from refusal
            raise
        self._read[form].update(fields)
        self.believe(form, fields)
        return rows

    def believe(self, form: str, fields: Iterable[str]) -> None:
        """Take for known that a form has fields: no refusal takes them from it any more."""
        self._answered[form].update(fields)

    def has(self, form: str, fields: Iterable[str]) -> bool:
        """Say whether a form is known to have fields."""
        return self._answered[form].issuperset(fields)

    async def lacks(self, form: str, field: str) -> bool:
        """Say whether a field is refused each time, though its form is answered without it."""
        for _ in range(REFUSALS_OF_A_FIELD):
            if await self._answers(form, field) or not await self._answers(form, wire.ID):
                return False
        return True

    async def _answers(self, form: str, field: str) -> bool:
        """Say whether a query of one row of a field is answered."""
        try:
            await self.page(form, [wire.ID, field], "", start=0, limit=1)
        except LookRefusedError:
            return False
        return True
