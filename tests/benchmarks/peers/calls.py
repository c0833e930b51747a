"""The loop of calls that k3push makes, without all else that it does.

Looks at the source form ahead of the pushes, and for each chunk a look at the target form,
the push, and a look at what it made. Nothing is written down, nothing is doubted, and a call
that goes wrong ends it all: this is what the calls themselves cost with a given HTTP library.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream

from k3push.adapters.erp.calls import AUTH_SERVICE, FORM_SERVICE, SESSION_KEY
from k3push.core.model import BillNumber, Route
from k3push.core.pacing.chunking import split
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.paging import PAGE_ROWS
from k3push.core.safety.question_parts import MOST_NUMBERS, questions
from k3push.runs.throttle import CALLS_A_LOOK

Post = Callable[[str, bytes], Awaitable[bytes]]
"""Posts a body to an address, and returns that of the answer."""

Connect = Callable[[dict[str, str]], AbstractAsyncContextManager[Post]]
"""Opens a client of its own, which sends these headers with each call."""

ROUTE = Route(
    "po-instock",
    "PUR_PurchaseOrder",
    "STK_InStock",
    rule="PUR_PurchaseOrder-STK_InStock",
    source_number_field="FSRCBillNo",
)


@dataclass(frozen=True, slots=True)
class Erp:
    """One client of the ERP."""

    post: Post
    url: str

    async def log_in(self) -> str:
        """Open a session, and return its id."""
        login = {"acctID": "sandbox", "username": "sandbox", "password": "sandbox", "lcid": 2052}
        answer = await self._call(AUTH_SERVICE, "ValidateUser", orjson.dumps(login))
        return str(orjson.loads(answer)["KDSVCSessionId"])

    async def bills(self, numbers: Sequence[BillNumber]) -> list[BillNumber]:
        """Return the ERP's spelling of each number."""
        fields = bill_rows.source_fields()
        rows = await self._look(ROUTE.source, fields, wire.BILL_NO, numbers)
        return [source.number for source in bill_rows.read_sources(rows, fields)]

    async def push(self, chunk: Sequence[BillNumber]) -> list[BillNumber]:
        """Push what has no target, and return what has one then."""
        assert not await self._pushed(chunk), "somebody has pushed it before"
        body = wire.call_body(ROUTE.source, wire.push_data(ROUTE, chunk))
        answer = wire.read_push(await self._call(FORM_SERVICE, "Push", body))
        assert answer.saved.success, answer
        return await self._pushed(chunk)

    async def _pushed(self, chunk: Sequence[BillNumber]) -> list[BillNumber]:
        fields = bill_rows.target_fields(ROUTE)
        rows = await self._look(ROUTE.target, fields, ROUTE.source_number_field, chunk)
        return [number for number, _ in bill_rows.read_targets(rows, fields, ROUTE)]

    async def _look(
        self, form: str, fields: Sequence[str], field: str, numbers: Sequence[BillNumber]
    ) -> list[list[object]]:
        rows: list[list[object]] = []
        for question in questions(numbers):
            asked = wire.one_of(field, question)
            data = wire.query_data(form, fields, asked, start=0, limit=PAGE_ROWS)
            body = wire.call_body("", data)
            answer = await self._call(FORM_SERVICE, "ExecuteBillQuery", body)
            rows += wire.read_rows(answer, len(fields))
        return rows

    async def _call(self, service: str, method: str, body: bytes) -> bytes:
        return await self.post(f"{self.url}{service}.{method}.common.kdsvc", body)


async def push_all(
    connect: Connect, url: str, numbers: Sequence[BillNumber], *, at_once: int, size: int
) -> int:
    """Push *numbers*, and return how many of them were found again in documents."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    async with connect(headers) as post:
        headers[SESSION_KEY] = await Erp(post, url).log_in()
    made: set[BillNumber] = set()

    async def work(chunks: MemoryObjectReceiveStream[Sequence[BillNumber]]) -> None:
        async with connect(headers) as post, chunks:
            async for chunk in chunks:
                made.update(await Erp(post, url).push(chunk))

    chunks_in, chunks_out = anyio.create_memory_object_stream[Sequence[BillNumber]](at_once)
    looks = max(1, at_once // CALLS_A_LOOK)
    async with AsyncExitStack() as opened, anyio.create_task_group() as tasks, chunks_in:
        lookers = [
            Erp(await opened.enter_async_context(connect(headers)), url) for _ in range(looks)
        ]
        for _ in range(at_once):
            tasks.start_soon(work, chunks_out.clone())
        chunks_out.close()
        for page in split(numbers, looks * MOST_NUMBERS):
            bills = await _bills(lookers, page)
            for chunk in split(bills, size):
                await chunks_in.send(chunk)
    return len(made)


async def _bills(lookers: Sequence[Erp], numbers: Sequence[BillNumber]) -> list[BillNumber]:
    """Ask for a page of numbers, the questions side by side."""
    found: dict[int, list[BillNumber]] = {}

    async def look(nth: int, asked: Sequence[BillNumber]) -> None:
        found[nth] = await lookers[nth].bills(asked)

    async with anyio.create_task_group() as tasks:
        for nth, asked in enumerate(split(numbers, MOST_NUMBERS)):
            tasks.start_soon(look, nth, asked)
    return [bill for nth in sorted(found) for bill in found[nth]]


def main(connect: Connect) -> None:
    """Push the numbers of a file, a line each; print the seconds and how many were made.

    Arguments: address, file, calls at once, numbers in each.
    """
    url, file, at_once, size = sys.argv[1:]
    numbers = [BillNumber(line) for line in Path(file).read_text("utf-8").split()[1:]]
    began_s = time.monotonic()

    async def push() -> int:
        return await push_all(connect, url, numbers, at_once=int(at_once), size=int(size))

    made = anyio.run(push)
    sys.stdout.write(json.dumps({"seconds": time.monotonic() - began_s, "made": made}) + "\n")
