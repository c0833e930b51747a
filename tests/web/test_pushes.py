"""A push that is begun in a browser: its list, its plan, who approves it, and what comes of it."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from threading import Event
from typing import Any
from zipfile import ZipFile

import anyio
import anyio.lowlevel
import httpx
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from anyio import to_thread

from k3push.adapters.job_files import read_job
from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.cli.actions import explain_number
from k3push.core.model import Attempt, Intent, Listed, RunId, State
from k3push.ports import Ledger, LedgerLostError, Memo
from k3push.runs.kept_in_ledger.request_stages import (
    Request,
    RequestKind,
    Stage,
    acts_about,
    move,
    put_request,
    requests,
)
from k3push.runs.problem import Problem
from k3push.runs.push_requests.program_requests import Wish, accept
from k3push.runs.push_requests.program_tokens import program_of
from k3push.runs.retry import plan_rejected
from k3push.simulator import build
from k3push.simulator.fault_plans.script import Channel
from k3push.web.admission.uploads import MOST_PASTED_BYTES, MOST_UPLOAD_BYTES
from k3push.web.execution.request_fulfilment import Fulfilment
from k3push.web.execution.request_origin import origin_of_selection
from k3push.web.execution.request_work import READS_AT_ONCE
from k3push.web.execution.served_schedules import Timetable
from k3push.web.pages.page_context import TOLD_FOR
from k3push.web.pages.plan_pages import LINES_A_PAGE
from k3push.wiring.job_lists import JobOptions
from tests.adapters.job_files.test_untrusted_files import LITTLE, huge
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import RUN, in_doubt
from tests.runs.office import NOON, VirtualClock, orders, sandbox, steps
from tests.web.programs import program
from tests.web.shop import (
    BY_NAME,
    FOUR_EYES,
    NO_RECEIVERS,
    Shop,
    fields_of,
    press,
    send_list,
    signed_in,
)
from tests.web.test_live import Viewer
from tests.web.visits import (
    COOKIE,
    HOST,
    PATIENCE_S,
    PROXY,
    SPEAKERS,
    House,
    house,
    in_time,
    led,
    seal_of,
    sent_in,
    until,
)

pytestmark = pytest.mark.halved

# The client's own generators, where its body is not read to the end.
UNREAD = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def text_of(page: httpx.Response) -> str:
    """Return what a page says."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def played(act: Callable[[Shop, House], Awaitable[None]], shop: Shop) -> None:
    """Play in a server whose waiting takes no time."""

    async def visit() -> None:
        async with shop.open() as home:
            await act(shop, home)

    in_time(visit)


def test_a_list_is_planned_approved_and_pushed(tmp_path: Path) -> None:
    """The whole way of a push, each step of which is seen before the next."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang, signed_in(home, "li") as li:
            sent = await send_list(wang, "\n".join([*orders(3), "CGDD9999999"]))
            url = sent.headers["location"]
            asked = await shop.until("planned")
            assert url == f"/plans/{asked.id}"
            page = await wang.get(url)
            seen = text_of(page)
            assert ("3 ready" in seen, "1 blocked" in seen) == (True, True), seen
            assert "planned by wang" in seen
            assert "check the number in the job file" in seen  # the cure
            assert (shop.site.calls[Channel.PUSH], f"{url}/approve" in page.text) == (0, False)
            after = (await press(li, url, f"{url}/approve")).headers["location"]
            assert after.partition("?")[0] == url
            asked = await shop.until("ended")
            (run,) = asked.runs
            # Who has approved it is led to the run; whoever opens the plan sees the plan.
            assert (await li.get(after)).headers["location"] == f"/runs/{run}"
            assert (await li.get(url)).status_code == 200
            assert await shop.counts(run) == {State.PUSHED: 3, State.REJECTED: 1}
            assert [shop.documents(number) for number in orders(3)] == [1, 1, 1]
            shown = text_of(await wang.get(f"/runs/{run}"))
            assert re.search(r"wang · planned it .* li · approved it", shown), shown
            assert [(act.by, act.what) for act in await acts_about(shop.ledger, run)] == [
                ("wang", "planned"),
                ("li", "approved"),
            ]

    played(push, Shop(tmp_path))


def test_a_plan_with_nothing_to_push_waits_for_nobody(tmp_path: Path) -> None:
    """Nobody could approve it."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            for number, waits in (("CGDD9999999", False), ("CGDD0000000", True)):
                await send_list(li, number)
                plan = f"/plans/{(await shop.until('planned')).id}"
                shown = (await li.get(plan)).text
                said = (">nothing to push<" in shown, ">waits for approval<" in shown)
                assert said == (not waits, waits)
                listed = text_of(await li.get("/"))
                assert (plan.removeprefix("/plans/") in listed) == waits
                assert ("waits for approval · pasted numbers · 1 number · li" in listed) == waits
                assert "Signed in as li (may approve)" in listed

    played(push, Shop(tmp_path))


def test_a_plan_that_is_made_shows_no_bar_any_more(tmp_path: Path) -> None:
    """A bar at 0 of 0 lines would look as if the server were at work."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open() as home, signed_in(home, "li") as li:
            await send_list(li, "CGDD0000000")
            plan = await shop.until("planned")
            viewer, cookie = Viewer(), f"{COOKIE}={li.cookies[COOKIE]}"
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(viewer.view, home, cookie, f"/plans/{plan.id}/events")
                with anyio.fail_after(60):
                    while not viewer.heard:  # noqa: ASYNC110  # the clock jumps
                        await anyio.sleep(0.1)
                viewer.gone.set()
            assert viewer.heard[0]["parts"]["look"].strip() == ""

    in_time(visit)


def test_people_of_different_roles_watch_one_plan(tmp_path: Path) -> None:
    """A page that is told of another state than its own is loaded again, here without end."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with (
            shop.open() as home,
            signed_in(home, "wang") as wang,
            signed_in(home, "li") as li,
        ):
            await send_list(wang, "CGDD0000000")
            plan = f"/plans/{(await shop.until('planned')).id}"
            async with anyio.create_task_group() as tasks:
                viewers = []
                for browser in (wang, li):
                    page = (await browser.get(plan)).text
                    viewer, cookie = Viewer(), f"{COOKIE}={browser.cookies[COOKIE]}"
                    tasks.start_soon(viewer.view, home, cookie, f"{plan}/events")
                    viewers.append((viewer, unescape(page.split('data-state="')[1].split('"')[0])))
                for viewer, shown in viewers:
                    with anyio.fail_after(60):
                        while not viewer.heard:  # noqa: ASYNC110  # the clock jumps
                            await anyio.sleep(0.1)
                    assert viewer.heard[0]["state"] == shown
                    viewer.gone.set()

    in_time(visit)


def test_bad_lines_are_told_at_once_and_can_be_mended_or_left_out(tmp_path: Path) -> None:
    """Nothing is asked of the ERP for a list that nobody can push."""
    bad = b"number\nCGDD0000000\nCGDD0000001,CGDD0000002\n" + b"X" * 200 + b"\n"
    read: list[object] = []

    def reader(*given: Any, **how: Any) -> Iterator[Listed]:
        read.append(given)
        return read_job(*given, **how)

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            answer = await led(wang, await send_list(wang, file=("lists/late orders.csv", bad)))
            said = text_of(answer)
            assert "late orders.csv, line 3" in said
            assert "late orders.csv, line 4" in said
            assert (str(tmp_path) in said, len(await requests(shop.ledger))) == (False, 0)
            # Whoever is sent the address reads the same, in their language; it is read once.
            for lang, told in (("zh", "第 4 行"), ("en", "line 4")):
                for _ in range(3):
                    assert told in text_of(await wang.get(f"{answer.url}&lang={lang}"))
            assert len(read) == 2
            assert str(answer.url).startswith(f"{HOST}/push?id=")
            # The list is kept, so that it need not be sent again.
            again = {**fields_of(answer), "skip": "yes"}
            answer = await wang.post("/push", data=again, files={"file": ("", b"")})
            assert answer.status_code == 303, answer.text
            asked = await shop.until("planned")
            seen = text_of(await wang.get(f"/plans/{asked.id}"))
            assert "1 ready" in seen
            assert "Lines that are left out late orders.csv, line 3" in seen
            async with signed_in(home, "li") as li:
                await press(li, f"/plans/{asked.id}", f"/plans/{asked.id}/approve")
            (run,) = (await shop.until("ended")).runs
            assert "2 lines of the list were left out" in text_of(await wang.get(f"/runs/{run}"))
            # What was pasted comes back into its field.
            pasted = "CGDD0000001\nCGDD0000002,CGDD0000003"
            answer = await led(wang, await send_list(wang, pasted))
            assert pasted in unescape(answer.text)
            assert "pasted numbers, line 2" in text_of(answer)
            chinese = await wang.get(f"{answer.url}&lang=zh")
            assert "粘贴的编号，第 2 行" in text_of(chinese)

    played(push, Shop(tmp_path, reader=reader))


LISTS = {
    "orders.csv": b"\xef\xbb\xbfnumber;note\r\nCGDD0000000;x\r\n",
    "orders.txt": "单据编号\nCGDD0000000\n".encode("gb18030"),
    "orders.json": b'{"route": "po-instock", "numbers": ["CGDD0000000"]}',
    "orders.jsonl": b'{"number": "CGDD0000000"}\n',
}


@pytest.mark.parametrize("name", [*LISTS, "orders.xlsx", "pasted cells"])
def test_every_kind_of_list_is_taken(tmp_path: Path, name: str) -> None:
    """What the command line reads, a browser may send."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            if name == "pasted cells":
                await send_list(wang, "单据编号\t备注\r\nCGDD0000000\t急\r\n")
            else:
                await send_list(wang, file=(name, LISTS.get(name) or workbook("CGDD0000000")))
            asked = await shop.until("planned")
            assert asked.seen["routes"][0]["fates"] == {"ready": 1}

    played(push, Shop(tmp_path))


def workbook(number: str) -> bytes:
    """Return a workbook of one number, as small as can be."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kept = io.BytesIO()
    rows = "".join(
        f'<row r="{nth}"><c r="A{nth}" t="inlineStr"><is><t>{text}</t></is></c></row>'
        for nth, text in enumerate(("number", number), start=1)
    )
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    with ZipFile(kept, "w") as parts:
        parts.writestr("[Content_Types].xml", f'<Types xmlns="{types}"/>')
        parts.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{links}"><Relationship Id="a" Type="{office}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        )
        parts.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="A" sheetId="1" r:id="a"/></sheets></workbook>',
        )
        parts.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{links}"><Relationship Id="a" Type="{office}/worksheet"'
            ' Target="worksheets/sheet1.xml"/></Relationships>',
        )
        parts.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
        )
    return kept.getvalue()


def test_a_plan_tells_how_long_it_takes_once_a_run_has_told(tmp_path: Path) -> None:
    """What the last run has found of the server is played for the next list."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang, signed_in(home, "li") as li:
            url = (await send_list(wang, "\n".join(orders(12)))).headers["location"]
            await shop.until("planned")
            assert " · time: known after a run of ten numbers" in text_of(await wang.get(url))
            await press(li, url, f"{url}/approve")
            await shop.until("ended")
            url = (await send_list(wang, "\n".join(orders(20, 12)))).headers["location"]
            await shop.until("planned")
            shown = text_of(await wang.get(url))
            assert "20 numbers are sent in about " in shown
            assert re.search(r"time: (about )?\d+ s( to \d+ s)?, judging by the last run", shown)

    played(push, Shop(tmp_path))


def test_a_workbook_of_several_sheets_asks_which_is_meant(tmp_path: Path) -> None:
    """The first had been read in silence: an instruction passed for the list."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.add_worksheet("说明").write_string(0, 0, "how to read this")
        book.add_worksheet("old").hide()
        sheet = book.add_worksheet("bills")
        for row, text in enumerate(("number", *orders(2))):
            sheet.write_string(row, 0, text)

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            answer = await led(wang, await send_list(wang, file=("list.xlsx", file.getvalue())))
            shown = text_of(answer)
            assert "several sheets: 说明, bills" in shown
            assert "Name one of these under “Sheet of the workbook”." in shown
            assert "<details open>" in answer.text
            select = answer.text.partition('<select id="sheet"')[2].partition("</select>")[0]
            offered = [unescape(value) for value in re.findall(r'value="([^"]*)"', select)]
            assert offered == ["", "说明", "bills"]  # and none that is hidden
            form = {**fields_of(answer), "sheet": offered[2]}
            sent = await wang.post("/push", data=form, files={"file": ("", b"")})
            assert sent.status_code == 303, text_of(sent)
            asked = await shop.until("planned")
            assert asked.seen["routes"][0]["fates"] == {"ready": 2}

    played(push, Shop(tmp_path))


def test_a_wrong_route_of_a_line_is_told_without_the_folder_of_the_server(tmp_path: Path) -> None:
    """It is the list's own name that a person knows."""

    async def push(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            lines = b'[{"number": "CGDD0000000", "route": "nope"}]'
            answer = await led(wang, await send_list(wang, file=("bad.json", lines)))
            wrong = text_of(answer).partition("What is wrong with the list")[2]
            assert "no route 'nope'; there are: po-instock" in wrong
            assert "config.toml" not in answer.text
            assert str(tmp_path) not in answer.text

    played(push, Shop(tmp_path))


def test_a_form_that_is_sent_twice_is_one_push(tmp_path: Path) -> None:
    """Who sees nothing happen presses again."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            form = {**fields_of(await wang.get("/push")), "text": "CGDD0000000"}
            first = await wang.post("/push", data=form, files={"file": ("", b"")})
            second = await wang.post("/push", data=form, files={"file": ("", b"")})
            assert first.headers["location"] == second.headers["location"]
            assert len(await requests(shop.ledger)) == 1

    played(push, Shop(tmp_path))


def test_a_list_to_be_mended_is_shown_in_its_own_tenant_alone(tmp_path: Path) -> None:
    """Tenants of one folder have one folder of lists; its address leads to no other place."""
    shop = Shop(tmp_path)
    faulty = "CGDD0000001\nCGDD0000002,CGDD0000003"
    elsewhere = tmp_path / "elsewhere" / "20260101-000000-abcdef01"
    elsewhere.mkdir(parents=True)
    (elsewhere / "pasted").write_text("CGDD0000008,CGDD0000009", "utf-8")

    async def visit() -> None:
        tenants = [replace(shop.tenant(), name=name) for name in "ab"]
        async with (
            house(*tenants, rules=BY_NAME, clock=VirtualClock(), several=True) as home,
            signed_in(home, "wang") as wang,
        ):
            form = {**fields_of(await wang.get("/t/a/push")), "text": faulty}
            answer = await wang.post("/t/a/push", data=form, files={"file": ("", b"")})
            at = answer.headers["location"]
            assert "CGDD0000003" in (await wang.get(at)).text
            other = at.replace("/t/a/", "/t/b/")
            assert "CGDD0000003" not in (await wang.get(other)).text
            form = {**fields_of(await wang.get("/t/b/push")), "id": at.partition("id=")[2]}
            answer = await wang.post("/t/b/push", data=form, files={"file": ("", b"")})
            assert answer.status_code == 422
            for id_ in (str(elsewhere), f"../elsewhere/{elsewhere.name}", f"/{'x' * 300}/{at}"):
                page = await wang.get("/t/a/push", params={"id": id_})
                assert (page.status_code, "CGDD0000009" in page.text) == (200, False)

    in_time(visit)


def test_a_form_that_is_sent_many_times_at_once_is_one_push(tmp_path: Path) -> None:
    """A proxy tries again what takes long."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            form = {**fields_of(await wang.get("/push")), "text": "CGDD0000000"}
            answers: list[httpx.Response] = []

            async def send() -> None:
                answers.append(await wang.post("/push", data=form, files={"file": ("", b"")}))

            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(send)
            assert [answer.status_code for answer in answers] == [303] * 5
            assert len({answer.headers["location"] for answer in answers}) == 1
            assert len(await requests(shop.ledger)) == 1
            assert [path.name[0] for path in (tmp_path / "lists").iterdir()] == ["2"]

    played(push, Shop(tmp_path))


@pytest.mark.parametrize("changed", [{"text": "CGDD0000001"}, {"select": "yes"}])
def test_a_list_that_is_changed_and_sent_again_from_one_page_is_another(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    """Somebody stops the loading, mends the list, and sends it: the plan is of what was sent."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            form = {**fields_of(await wang.get("/push")), "text": "CGDD0000000"}
            first = await wang.post("/push", data=form, files={"file": ("", b"")})
            second = await wang.post("/push", data=form | changed, files={"file": ("", b"")})
            assert second.status_code == 303
            assert second.headers["location"] != first.headers["location"]
            jobs = {job for asked in await requests(shop.ledger) for job in asked.jobs}
            assert len(jobs) == 2

    played(push, Shop(tmp_path))


def test_a_file_that_gets_another_name_and_is_sent_again_from_one_page_is_taken(
    tmp_path: Path,
) -> None:
    """It was not what its extension said; somebody goes back, and sends it as what it is."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            form, content = fields_of(await wang.get("/push")), b"CGDD0000000\n"
            wrong = await wang.post("/push", data=form, files={"file": ("list.xlsx", content)})
            assert "this is not a workbook" in (await led(wang, wrong)).text
            right = await wang.post("/push", data=form, files={"file": ("list.txt", content)})
            assert right.status_code == 303
            (asked,) = await requests(shop.ledger)
            assert [Path(job).name for job in asked.jobs] == ["list.txt"]

    played(push, Shop(tmp_path))


@pytest.mark.more
def test_a_list_that_ends_its_reader_is_told_and_others_are_taken(tmp_path: Path) -> None:
    """A service for many tenants reads what each of them sends."""
    readers = ReadersApart(memory=LITTLE)

    async def push(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            bad = await led(wang, await send_list(wang, file=("list.xlsx", huge())))
            assert "list.xlsx: it cannot be read within the limits of memory" in text_of(bad)
            assert (await send_list(wang, file=("list.csv", b"CGDD0000000\n"))).status_code == 303

    with closing(readers):
        played(push, Shop(tmp_path, reader=readers.read_job))


def test_a_disk_that_has_no_room_for_a_copy_of_a_list_is_told(tmp_path: Path) -> None:
    """A list that was kept is copied before it is read."""

    def read(*_: object, **__: object) -> Iterator[Listed]:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def push(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            sent = await led(wang, await send_list(wang, text="CGDD0000000"))
            assert "No space left on device" in text_of(sent)

    played(push, Shop(tmp_path, reader=read))


def test_lists_that_take_long_keep_nobody_from_anything_else(tmp_path: Path) -> None:
    """A reader has two minutes for a list. Who waits for one has no thread that others wait for."""
    begun, over = list[str](), Event()

    def read(source: Path, *, name: str, **_: object) -> Iterator[Listed]:
        begun.append(name)
        assert over.wait(60)
        yield from read_job(source, name=name)

    async def visit() -> None:
        workshop = Shop(tmp_path, reader=read).tenant().workshop
        assert workshop is not None
        workshop.lists.mkdir()
        path = workshop.lists / "list.csv"
        path.write_text("CGDD0000000\n")
        async with anyio.create_task_group() as reading:
            for _ in range(50):
                reading.start_soon(workshop.read, [path], JobOptions())
            try:
                while len(begun) < READS_AT_ONCE:  # noqa: ASYNC110  # threads tell
                    await anyio.sleep(0.01)
                await anyio.sleep(0.3)
                assert len(begun) == READS_AT_ONCE
                assert to_thread.current_default_thread_limiter().borrowed_tokens == 0
            finally:
                over.set()

    anyio.run(visit)


def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    """A list of customers' orders is nobody else's on the server."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            await send_list(wang, file=("../../../config.csv", b"CGDD0000000"))
            asked = await shop.until("planned")
            (folder,) = (tmp_path / "lists").iterdir()
            assert asked.jobs == [str(folder / "config.csv")]
            plans = Path(asked.plan).parent
            found = {path.name: oct(path.stat().st_mode & 0o777) for path in folder.rglob("*")}
            assert found == {
                "config.csv": "0o600",
                plans.name: "0o700",
                "config.plan.jsonl": "0o600",
            }
            assert oct(folder.stat().st_mode & 0o777) == "0o700"

    played(push, Shop(tmp_path))


@UNREAD
def test_what_is_too_large_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    """A disk that fills up is a ledger that cannot write."""

    async def push(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            for text, file in (
                ("A" * (MOST_PASTED_BYTES + 1), b""),
                ("", b"A" * (MOST_UPLOAD_BYTES + 1)),
            ):
                answer = await send_list(wang, text, file=("a.csv", file))
                assert answer.status_code == 413
            assert not (tmp_path / "lists").exists()

    played(push, Shop(tmp_path))


@UNREAD
def test_a_file_is_taken_where_one_is_asked_for_and_from_who_may_send_one(tmp_path: Path) -> None:
    """What nobody needs is not read."""

    async def push(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang, signed_in(home, "guest") as guest:
            seal = seal_of(await wang.get("/"))
            for who, path in ((wang, "/settle"), (guest, "/push")):
                form = {"seal": seal}
                answer = await who.post(path, data=form, files={"file": ("a", b"A")})
                assert answer.status_code == 403, path
        async with home.browser() as stranger:
            answer = await stranger.post("/push", data={}, files={"file": ("a", b"A")})
            assert answer.headers["location"] == "/login?next=%2Fpush&ended=1"
            broken = {"content-type": "multipart/form-data; boundary=x"}
            async with signed_in(home, "wang") as wang:
                answer = await wang.post("/push", content=b"--y\r\n", headers=broken)
                assert answer.status_code == 403
        async with home.browser(origin="https://evil.example") as evil:
            answer = await evil.post(f"{HOST}/push", files={"file": ("a", b"A")})
            assert answer.status_code == 403

    played(push, Shop(tmp_path))


# -- approving ------------------------------------------------------------------------------------


def test_who_has_planned_a_push_may_not_approve_it_where_four_eyes_are_asked_for(
    tmp_path: Path,
) -> None:
    """Both names stand in the ledger, and they differ."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with (
            shop.open(FOUR_EYES) as home,
            signed_in(home, "wang") as wang,
            signed_in(home, "li") as li,
        ):
            url = (await send_list(wang, "CGDD0000000")).headers["location"]
            await shop.until("planned")
            page = await wang.get(url)
            assert ("Somebody other than wang" in page.text, "/approve" in page.text) == (
                True,
                False,
            )
            assert (await press(wang, url, f"{url}/approve")).status_code == 403
            assert (await shop.asked()).stage == "planned"
            assert (await press(li, url, f"{url}/approve")).status_code == 303
            asked = await shop.until("ended")
            assert (asked.by, asked.approved_by) == ("wang", "li")

    in_time(visit)


@pytest.mark.parametrize("alias", ["Wang", "WANG", "ｗａｎｇ"])
def test_another_spelling_of_a_name_makes_no_second_person(tmp_path: Path, alias: str) -> None:
    """A directory takes any letter case, and its proxy passes on what was typed."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with (
            shop.open(replace(PROXY, four_eyes=True)) as home,
            home.browser("10.0.0.9", **{"x-remote-user": "wang"}) as wang,
            home.browser("10.0.0.9", **{"x-remote-user": alias}) as again,
            home.browser("10.0.0.9", **{"x-remote-user": "wang2"}) as other,
        ):
            url = (await send_list(wang, "CGDD0000000")).headers["location"]
            await shop.until("planned")
            assert (await press(again, url, f"{url}/approve")).status_code == 403
            assert (await press(other, url, f"{url}/approve")).status_code == 303

    in_time(visit)


def test_of_two_who_approve_at_once_one_has_approved_it(tmp_path: Path) -> None:
    """It is pushed once, and the ledger tells one truth."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li, home.browser() as _:
            url = (await send_list(li, "CGDD0000000")).headers["location"]
            await shop.until("planned")
            seal = seal_of(await li.get(url))
            told: list[int] = []

            async def approve() -> None:
                answer = await li.post(f"{url}/approve", data={"seal": seal})
                told.append(answer.status_code)

            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(approve)
            assert told == [303] * 4
            await shop.until("ended")
            assert shop.documents("CGDD0000000") == 1

    played(push, Shop(tmp_path))


def test_a_withdrawn_plan_cannot_be_approved_and_can_be_made_anew(tmp_path: Path) -> None:
    """A person who was too late is told so."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            url = (await send_list(li, "CGDD0000000")).headers["location"]
            await shop.until("planned")
            seal = seal_of(await li.get(url))
            assert (await li.post(f"{url}/withdraw", data={"seal": seal})).status_code == 303
            late = await led(li, await li.post(f"{url}/approve", data={"seal": seal}))
            assert "its state now: withdrawn" in late.text
            assert "当前状态为“已撤回”" in (await li.get(f"{late.url}&lang=zh")).text
            anew = await li.post(f"{url}/again", data={"seal": seal})
            assert anew.headers["location"] != url
            await shop.until("planned")
            assert shop.site.calls[Channel.PUSH] == 0

    played(push, Shop(tmp_path))


def test_what_is_planned_anew_says_of_nobody_that_they_have_approved_it(tmp_path: Path) -> None:
    """They have approved the plan before it, and where four eyes are needed that counts."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            await pushed(shop, li, "CGDD0000000")
            url = f"/plans/{(await shop.asked()).id}"
            assert "approved by li" in text_of(await li.get(url))
            anew = (await press(li, url, f"{url}/again")).headers["location"]
            await shop.until("planned")
            assert "approved by" not in text_of(await li.get(anew))

    played(push, Shop(tmp_path))


@pytest.mark.parametrize("stages", [[Stage.WITHDRAWN], [Stage.PLANNED, Stage.APPROVED]])
@pytest.mark.parametrize("where", ["_executor", "_announce"])
def test_what_others_do_about_a_request_that_fails_ends_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, stages: list[Stage]
) -> None:
    """A person withdraws it right then, or another server has planned it and somebody approved."""
    shop, original = Shop(tmp_path), getattr(Fulfilment, where)

    async def with_others(fulfilment: Fulfilment, *given: Any) -> Any:
        (asked,) = await requests(shop.ledger)
        if asked.stage is Stage.PLANNING:
            for stage in stages:
                asked = await move(shop.ledger, asked, stage)
        return await original(fulfilment, *given)

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            url = (await send_list(li, "CGDD0000000")).headers["location"]
            with anyio.fail_after(PATIENCE_S):
                while "request.failed" not in {event for event, _ in shop.logged}:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            await anyio.sleep(1)
            assert (await shop.asked()).stage is stages[-1]
            assert (await li.get(url)).status_code == 200

    def fail(*_: object) -> None:
        raise Problem("")

    monkeypatch.setattr(Shop, "executor", fail)
    monkeypatch.setattr(Fulfilment, where, with_others)
    played(push, shop)


def test_a_defect_beside_the_requests_of_a_tenant_ends_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tenants are served by the same process, and it is tried again."""
    tries = []

    async def fail(*_: object) -> None:
        tries.append("")
        raise KeyError("a schedule")

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            await send_list(li, "CGDD0000000")
            await shop.until("planned")
            await anyio.sleep(60)
            assert (await li.get("/")).status_code == 200
        assert len(tries) > 1
        assert "workshop.failed" in {event for event, _ in shop.logged}

    monkeypatch.setattr(Timetable, "serve", fail)
    played(push, Shop(tmp_path))


def test_a_plan_whose_list_or_settings_have_changed_is_not_pushed(tmp_path: Path) -> None:
    """What was approved is what was seen."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            for change in ("list", "plan", "settings"):
                url = (await send_list(li, "CGDD0000000")).headers["location"]
                asked = await shop.until("planned")
                path = {
                    "list": Path(asked.jobs[0]),
                    "plan": Path(asked.plan),
                    "settings": tmp_path / "config.toml",
                }[change]
                text = path.read_text("utf-8")
                path.write_text(text.replace("0000000", "0000001") + "draft_when_save_fails = true")
                await press(li, url, f"{url}/approve")
                assert (await shop.until("failed")).why, change
                assert "could not be begun" in (await li.get(url)).text
            assert shop.site.calls[Channel.PUSH] == 0

    played(push, Shop(tmp_path))


def test_an_erp_that_cannot_be_looked_at_fails_the_plan_with_its_cause(tmp_path: Path) -> None:
    """Nothing was sent, and the same list can be looked at again."""
    site = build(sandbox(steps(*["refuse-connection"] * 50, on=Channel.LOGIN)))

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            url = (await send_list(wang, "CGDD0000000")).headers["location"]
            await shop.until("failed")
            page = await wang.get(url)
            assert f"{url}/again" in page.text
            assert "the ERP cannot be reached" in text_of(page)

    played(push, Shop(tmp_path, site=site))


def test_two_servers_that_plan_one_request_keep_one_plan(tmp_path: Path) -> None:
    """The one that comes second finds that it was planned, and leaves that plan as it is."""
    shop = Shop(tmp_path)
    kept = tmp_path / "lists" / "two" / "pasted"
    kept.parent.mkdir(parents=True)
    kept.write_text("\n".join(orders(3)))
    both = Request("two", RequestKind.PUSH, "li", NOON, Stage.PLANNING, jobs=[str(kept)])

    async def visit() -> None:
        await put_request(shop.ledger, both)
        async with shop.open() as home, shop.open(), signed_in(home, "li") as li:
            await shop.until("planned")
            await anyio.sleep(60)
            await press(li, "/plans/two", "/plans/two/approve")
            asked = await shop.until("ended")
            assert await shop.counts(asked.runs[0]) == {State.PUSHED: 3}

    in_time(visit)


@pytest.mark.parametrize("is_there", [True, False])
def test_what_another_tenant_of_the_account_was_asked_is_left_to_it(
    tmp_path: Path, *, is_there: bool
) -> None:
    """Its settings are others: what it would leave new was approved, and pushed as another user."""
    shop = Shop(tmp_path, beside=["config", "other"] if is_there else ["config"])
    kept = tmp_path / "lists" / "one" / "pasted"
    kept.parent.mkdir(parents=True)
    kept.write_text("\n".join(orders(3)))
    asked = Request("one", RequestKind.PUSH, "li", NOON, Stage.PLANNING, jobs=[str(kept)])

    async def visit() -> None:
        await put_request(shop.ledger, asked, "other")
        async with shop.open() as home, signed_in(home, "li") as li:
            if is_there:
                await anyio.sleep(3600)
                assert "request.taken_up" not in dict(shop.logged)
                assert (await shop.asked()).stage is Stage.PLANNING
                await send_list(li, "CGDD0000000")  # and what it is asked for itself is done
            await shop.until("planned")

    in_time(visit)


def test_what_a_tenant_was_asked_is_approved_at_its_own_pages(tmp_path: Path) -> None:
    """Another of the account, on the same ledger, has other settings, and approvers of its own."""
    names = ["config", "other"]
    mine = Shop(tmp_path, beside=names)
    theirs = Shop(tmp_path, beside=names, ledger=mine.ledger, file="other.toml")

    async def visit() -> None:
        token = await mine.token()
        those = [replace(mine.tenant(), name="config"), replace(theirs.tenant(), name="other")]
        async with house(*those, rules=BY_NAME, clock=VirtualClock(), several=True) as home:
            async with program(home, token) as wms, signed_in(home, "li") as li:
                there = "/t/other/api/v1"
                here = f"{HOST}/t/config/api/v1"
                wanted = {"key": "1", "numbers": orders(1)}
                told = (await wms.post(f"{here}/plans", json=wanted)).json()
                await mine.until("planned")
                plan = f"plans/{told['id']}"
                for method, path in [("GET", ""), ("POST", "/approve"), ("POST", "/withdraw")]:
                    answer = await wms.request(method, f"{HOST}{there}/{plan}{path}")
                    assert answer.json()["type"].endswith("not-found"), path
                again = await wms.post(f"{HOST}{there}/plans", json=wanted)
                assert again.json()["type"].endswith("key-reused")
                found = [f"/t/{name}/" for name in names]
                assert [plan in (await li.get(each)).text for each in found] == [True, False]
                shown = await li.get(f"/t/other/{plan}")
                assert shown.headers["location"] == f"/t/config/{plan}"
                pressed = await press(li, "/t/other/", f"/t/other/{plan}/approve")
                assert pressed.status_code == 404
                assert (await mine.asked()).stage is Stage.PLANNED
                await press(li, f"/t/config/{plan}", f"/t/config/{plan}/approve")
                await mine.until("ended")
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


async def tried(shop: Shop) -> None:
    """Wait until a server has tried to do something about a request, in vain."""

    async def is_told() -> bool:
        return bool({"workshop.waits", "request.failed"} & {event for event, _ in shop.logged})

    await until(is_told)


def test_a_server_that_lacks_the_list_ends_no_request_of_another(tmp_path: Path) -> None:
    """Each host has a disk of its own; after a while it is told, since nobody comes for it."""
    shop = Shop(tmp_path)
    asked = Request("one", RequestKind.PUSH, "li", NOON, Stage.PLANNING, jobs=["/on/another/host"])

    async def visit() -> None:
        await put_request(shop.ledger, asked)
        async with shop.open():
            await tried(shop)
            assert (await shop.asked()).stage is Stage.PLANNING
            await shop.until("failed")

    in_time(visit)


def test_a_server_that_lacks_a_secret_ends_nothing_that_another_executes(tmp_path: Path) -> None:
    """It is told of the push, and cannot log in; the other server is at its run."""
    shop = Shop(tmp_path)
    asked = Request("one", RequestKind.RESUME, "li", NOON, Stage.APPROVED, runs=[RUN.id])

    async def visit() -> None:
        other = shop.ledger.another_process()
        await put_request(other, asked)
        await other.open_run(replace(RUN, scope="sandbox|po|in"))
        await anyio.sleep(2000)  # it is too old to be left alone for its age
        lacking = shop.tenant(tmp_path / "lacking.toml")
        async with other.own(RUN.id), house(lacking, rules=BY_NAME, clock=VirtualClock()) as home:
            await tried(shop)
            assert (await shop.asked()).stage is Stage.APPROVED
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


def test_two_servers_that_select_for_one_request_keep_lists_of_their_own(tmp_path: Path) -> None:
    """The plan of one is bound to its list, which the other's took the place of."""
    shop = Shop(tmp_path)
    named = tmp_path / "lists" / "two" / "selected.csv"
    how = {"route": "po-instock", **origin_of_selection()}
    both = Request("two", RequestKind.PUSH, "li", NOON, Stage.PLANNING, jobs=[str(named)], how=how)

    async def visit() -> None:
        await put_request(shop.ledger, both)
        async with shop.open() as home, shop.open(), signed_in(home, "li") as li:
            asked = await shop.until("planned")
            await anyio.sleep(60)
            lists = sorted(named.parent.glob("*.csv"))
            assert (len(lists), Path(asked.jobs[0]) in lists) == (2, True)
            for each in set(lists) - {Path(asked.jobs[0])}:
                each.write_text("number\nCGDD0000001\n", "utf-8")  # it has found something else
            await press(li, "/plans/two", "/plans/two/approve")
            await shop.until("ended")

    in_time(visit)


# -- a ledger that is away for a moment ------------------------------------------------------------


class AwayOnce(MemoryLedger):
    """Is lost where a verb is first used that it was told of, and where the next one is."""

    loses: tuple[str, ...] = ()

    def _use(self, verb: str) -> None:
        if self.loses[:1] == (verb,):
            self.loses = self.loses[1:]
            raise LedgerLostError("away")

    async def revise(self, memo: Memo) -> bool:
        """Change a memo."""
        if memo.value.get("stage") == Stage.PLANNED:
            self._use("revise")
        return await super().revise(memo)

    async def begin(self, intent: Intent) -> Attempt:
        """Write an attempt down."""
        self._use("begin")
        return await super().begin(intent)

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count rows."""
        self._use("counts")
        return await super().counts(run)


@pytest.mark.parametrize("loses", [("revise",), ("begin", "counts")])
def test_a_push_goes_on_once_a_ledger_is_back_that_was_lost(
    tmp_path: Path, loses: tuple[str, ...]
) -> None:
    """What has ended the first try, of a plan or of an execution, does not end the next."""
    ledger = AwayOnce(account="sandbox")

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            ledger.loses = loses
            run = await pushed(shop, li, *orders(3))
            assert await shop.counts(run) == {State.PUSHED: 3}
            assert ledger.loses == ()

    played(push, Shop(tmp_path, ledger=ledger))


# -- the server's own death -----------------------------------------------------------------------


def test_a_server_that_starts_takes_up_what_the_last_one_has_left(tmp_path: Path) -> None:
    """Wherever it died: while looking ahead, after the approval, or in the middle of the push."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open() as home, signed_in(home, "li") as li:
            url = (await send_list(li, "\n".join(orders(40)))).headers["location"]
            # Told to stop before it has looked ahead.
        assert (await shop.asked()).stage == "planning"
        async with shop.open() as home, signed_in(home, "li") as li:
            await shop.until("planned")
            await press(li, url, f"{url}/approve")
            # Told to stop right after somebody has approved it.
        assert (await shop.asked()).stage == "approved"
        async with shop.open():
            asked = await shop.until("ended")
        assert await shop.counts(asked.runs[0]) == {State.PUSHED: 40}
        assert {shop.documents(number) for number in orders(40)} == {1}

    in_time(visit)


def test_a_server_that_starts_takes_up_all_that_was_left_however_much_it_is(tmp_path: Path) -> None:
    """A burst of programs' pushes may have been accepted right before it died."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        for nth in range(1200):
            settle = Request(
                f"settle-{nth}",
                RequestKind.SETTLE,
                "wang",
                NOON,
                Stage.APPROVED,
                runs=[RunId("none")],
            )
            await put_request(shop.ledger, settle)
        assert await requests(shop.ledger, only_open=True)
        async with shop.open():

            async def all_are_over() -> bool:
                return not await requests(shop.ledger, only_open=True)

            await until(all_are_over)

    in_time(visit)


class Replaced(MemoryLedger):
    """Has another one put in its place as it dies."""

    async def until_replaced(self) -> None:
        """Wait for its death."""
        while not self._process.is_dead:  # noqa: ASYNC110  # it tells nobody
            await anyio.sleep(1)


def test_a_call_that_is_on_its_way_as_a_backup_is_put_back_is_not_made_twice(
    tmp_path: Path,
) -> None:
    """The backup holds the push as it was approved, and knows nothing of the call."""
    site = build(sandbox(steps("late-commit:100"), latency_s=0.5))
    shop = Shop(tmp_path, site=site, ledger=Replaced(account="sandbox"))
    config = tmp_path / "config.toml"
    patient = config.read_text("utf-8").replace("window_s = 4.5", "window_s = 300")
    config.write_text(patient, "utf-8")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ledger]:
        yield shop.ledger

    async def visit() -> None:
        tenant = replace(shop.tenant(), opened=opened)
        async with (
            house(tenant, rules=BY_NAME, clock=VirtualClock()) as home,
            signed_in(home, "li") as li,
        ):
            url = (await send_list(li, "CGDD0000000")).headers["location"]
            await shop.until("planned")
            await press(li, url, f"{url}/approve")
            backup = Replaced(deepcopy(shop.ledger._store), account="sandbox")
            backup._store.owners.clear()
            with anyio.fail_after(PATIENCE_S):
                while not site.calls[Channel.PUSH]:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            dead, shop.ledger = shop.ledger, backup
            dead.die()
            (run,) = (await shop.until("ended")).runs
            assert await shop.counts(run) == {State.ALREADY: 1}
            assert site.calls[Channel.PUSH] == 1
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


def test_what_another_ledger_holds_is_begun_once_all_calls_have_ended(tmp_path: Path) -> None:
    """It knows nothing of calls that were on their way as it was put in the place of the first."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        tenant = shop.tenant()
        assert tenant.workshop is not None
        window_s = tenant.workshop.settings.settle.window_s
        async with house(tenant, rules=BY_NAME, clock=VirtualClock()) as home:
            await anyio.sleep(1)
            program = await program_of(shop.ledger, await shop.token())
            assert program is not None
            bills = [(number, "") for number in orders(3)]
            wish = Wish(key="1", route="po-instock", bills=bills)
            await accept(shop.ledger, VirtualClock(), program, wish)
            tenant.workshop.take_another_ledger()
            await anyio.sleep(window_s - 0.1)
            assert shop.site.calls[Channel.PUSH] == 0
            assert "workshop.waits" in dict(shop.logged)
            await shop.until("ended")
            assert {shop.documents(number) for number in orders(3)} == {1}
            tenant.workshop.take_another_ledger()
            home.ready.close()  # it is not waited for at the end
            await home.ready.drained()

    in_time(visit)


def test_a_tenant_whose_file_has_another_name_by_now_fails_nothing_of_another_ledger(
    tmp_path: Path,
) -> None:
    """What it was under its former name has no settings left, and shares the ledger."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        former, tenant = shop.tenant(tmp_path / "former.toml"), replace(shop.tenant(), name="named")
        assert former.workshop is not None
        async with house(former, tenant, rules=BY_NAME, several=True, clock=VirtualClock()) as home:
            await anyio.sleep(1)
            former.workshop.rest()
            program = await program_of(shop.ledger, await shop.token())
            assert program is not None
            bills = [(number, "") for number in orders(3)]
            wish = Wish(key="1", route="po-instock", bills=bills)
            await accept(shop.ledger, VirtualClock(), program, wish)
            for each in (former, tenant):
                assert each.workshop is not None
                each.workshop.take_another_ledger()
            await shop.until("ended")
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


def test_what_another_ledger_holds_is_begun_once_the_file_of_its_tenant_is_mended(
    tmp_path: Path,
) -> None:
    """It had a fault as the ledger was put in its place."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        tenant = shop.tenant()
        assert tenant.workshop is not None
        settings = tenant.workshop.settings
        async with house(tenant, rules=BY_NAME, clock=VirtualClock()) as home:
            await anyio.sleep(1)
            tenant.workshop.rest()
            program = await program_of(shop.ledger, await shop.token())
            assert program is not None
            wish = Wish(key="1", route="po-instock", bills=[("CGDD0000000", "")])
            await accept(shop.ledger, VirtualClock(), program, wish)
            tenant.workshop.take_another_ledger()
            await anyio.sleep(2 * settings.settle.window_s)
            assert (await shop.asked()).stage is Stage.APPROVED
            tenant.workshop.take(settings, NO_RECEIVERS)
            await shop.until("ended")
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


def test_a_killed_server_leaves_nothing_that_is_pushed_twice(tmp_path: Path) -> None:
    """Answers that it was waiting for are settled first by the next one."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open() as home, signed_in(home, "li") as li:
            url = (await send_list(li, "\n".join(orders(30)))).headers["location"]
            await shop.until("planned")
            await press(li, url, f"{url}/approve")
            with anyio.fail_after(600):
                while not shop.site.calls[Channel.PUSH]:
                    await anyio.lowlevel.checkpoint()
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        async with shop.open():
            asked = await shop.until("ended")
        assert await shop.counts(asked.runs[0]) == {State.PUSHED: 30}
        assert {shop.documents(number) for number in orders(30)} == {1}

    in_time(visit)


# -- afterwards -----------------------------------------------------------------------------------


async def pushed(shop: Shop, browser: httpx.AsyncClient, *numbers: str) -> RunId:
    """Push numbers, and return the run."""
    url = (await send_list(browser, "\n".join(numbers))).headers["location"]
    await shop.until("planned")
    await press(browser, url, f"{url}/approve")
    asked = await shop.until("ended")
    return asked.runs[0]


@pytest.mark.more
def test_the_page_of_a_run_says_that_the_erp_is_away(tmp_path: Path) -> None:
    """Whoever has a browser alone reads no log."""
    shop = Shop(tmp_path)
    waits = "waiting, and trying again: ConnectError"

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            url = (await send_list(li, "\n".join(orders(20)))).headers["location"]
            run = (await shop.until("planned")).runs[0]
            shop.site.faults.add(*["ok"] * 9, *["refuse-connection"] * 8, on=Channel.QUERY)
            await press(li, url, f"{url}/approve")

            told = set[str]()
            while (await shop.asked()).is_open:
                told |= {
                    page for page in ("/", f"/runs/{run}") if waits in text_of(await li.get(page))
                }
                await anyio.sleep(0.1)
            assert told == {"/", f"/runs/{run}"}
            assert waits not in text_of(await li.get(f"/runs/{run}"))
            assert (await shop.counts(run)) == {State.PUSHED: 20}

    played(visit, shop)


def test_refused_numbers_are_retried_all_or_by_cause_or_by_choice(tmp_path: Path) -> None:
    """Each press is in the ledger, with who pressed."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li, signed_in(home, "wang") as wang:
            missing = ["CGDD9999990", "CGDD9999991"]
            run = await pushed(shop, li, *orders(2), "CGDDU000003", "CGDDC000001", *missing)
            url = f"/runs/{run}"
            assert await shop.counts(run) == {State.PUSHED: 2, State.REJECTED: 4}
            page = await wang.get(url)
            assert ("Retry all rejected" in page.text, f"{url}/resume" in page.text) == (
                True,
                False,
            )
            assert "approve it in the ERP, then <b>Retry</b>" in page.text  # a button, no command
            chinese = (await li.get(f"{url}?lang=zh")).text
            assert "然后<b>“重试”</b>" in chinese
            of_one = (
                r'name="cause" value="(.{16})">.*?"code" value="(.*?)">.*?"shape" value="(.*?)">'
            )
            causes = [
                dict(zip(("cause", "code", "shape"), map(unescape, each), strict=True))
                for each in re.findall(of_one, page.text)
            ]
            assert len(causes) == 3
            for nth, form in enumerate(
                (causes[0], {"place": "3"}, {"all": "yes"}),
                start=2,  # the push itself was the first
            ):
                assert (await press(wang, url, f"{url}/retry", **form)).status_code == 303
                asked = await shop.until("ended")
                assert asked.id == f"resume-{run}-{nth}"
            said = [(act.by, act.what, act.detail) for act in await acts_about(shop.ledger, run)]
            assert [each[:2] for each in said[2:]] == [("wang", "retry")] * 3
            assert [SPEAKERS["zh"].said(each[2]) for each in said[3:]] == ["所选 1 张", ""]
            assert said[2][2]  # a cause, in words of the ledger
            forged = {**causes[1], "shape": 'desk.repeats{"count":[]}'}
            assert (await press(wang, url, f"{url}/retry", **forged)).status_code == 303
            await shop.until("ended")
            assert (await acts_about(shop.ledger, run))[-1].detail == ""
            page = await led(wang, await press(wang, url, f"{url}/retry"))
            assert "Choose numbers first" in page.text
            # Nobody else is told, no other page says so, and this one not for ever.
            at = page.url.params["told"]
            others = [(li, url), (wang, "/schedules"), (wang, "/push")]
            for who, where in others:
                answer = await who.get(where, params={"told": at})
                assert "Choose numbers first" not in answer.text
            await anyio.sleep(TOLD_FOR.total_seconds())
            assert "Choose numbers first" not in (await wang.get(page.url)).text
            assert 'name="place"' in page.text
            assert await shop.counts(run) == {State.PUSHED: 2, State.REJECTED: 4}

    played(push, Shop(tmp_path))


def test_the_results_of_a_run_hold_what_a_person_has_said_in_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left to be executed, so that nobody else would write them."""
    # Virtual time runs away while threads write, and no session is to end meanwhile.
    monkeypatch.setattr("k3push.web.admission.sessions.IDLE_S", 1e12)

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            run = await pushed(shop, li, *orders(2))
            lost = await in_doubt(shop.ledger, "CGDD-LOST", run)
            await shop.ledger.end_run(run, 4, NOON)
            page = await li.get(f"/numbers/{lost}")
            form = {"seal": seal_of(page), "number": lost, **sent_in(page)}
            told = {"word": "pushed", "because": "seen", "sure": "yes"}
            assert (await li.post("/settle", data={**form, **told})).status_code == 303
            found = await shop.ledger.run(run)
            assert found is not None
            lines = (Path(found.folder) / "ledger.csv").read_text("utf-8-sig").splitlines()
            assert [line for line in lines if "CGDD-LOST" in line and "pushed" in line], lines

    played(push, Shop(tmp_path))


def test_a_retry_leaves_what_was_planned_besides_to_a_resume(tmp_path: Path) -> None:
    """Nobody has named that number; a server that was ended meanwhile keeps to it as well."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            refused = ["CGDDU000003", "CGDDU000004"]
            run = await pushed(shop, li, *orders(1), *refused)
            found = await shop.ledger.run(run)
            assert found is not None
            async with shop.ledger.own(run, executes=False):
                await plan_rejected(shop.ledger, VirtualClock(), found, lambda row: row.place == 3)
            await shop.ledger.end_run(run, 5, NOON)
            await press(li, f"/runs/{run}", f"/runs/{run}/retry", all="yes")
            asked = await shop.until("ended")
            counts = {State.PUSHED: 1, State.REJECTED: 1, State.PLANNED: 1}
            assert await shop.counts(run) == counts
            assert asked.places is None  # over, and as short as others
            await press(li, f"/runs/{run}", f"/runs/{run}/resume")
            await shop.until("ended")
            assert await shop.counts(run) == {State.PUSHED: 1, State.REJECTED: 2}

    played(push, Shop(tmp_path))


def test_nothing_is_planned_again_where_a_run_of_the_same_command_is_under_way(
    tmp_path: Path,
) -> None:
    """Whoever is told to wait finds the numbers as they were."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            name = await pushed(shop, li, *orders(2), "CGDD9999999")
            run = await shop.ledger.run(name)
            assert run is not None
            beside = replace(run, id=RunId(f"{name}-2"), exit=None)
            await shop.ledger.open_run(beside)
            async with shop.ledger.another_process().own(beside.id):
                answer = await press(li, f"/runs/{name}", f"/runs/{name}/retry", all="yes")
            assert "under way already" in (await led(li, answer)).text
            assert await shop.counts(name) == {State.PUSHED: 2, State.REJECTED: 1}

    played(push, Shop(tmp_path))


def test_two_who_resume_at_once_are_one_execution(tmp_path: Path) -> None:
    """The second finds that it goes on already."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open() as home, signed_in(home, "li") as li:
            run = await pushed(shop, li, *orders(2), "CGDD9999999")
            await shop.ledger.end_run(run, 5, NOON)
            seal = seal_of(await li.get(f"/runs/{run}"))
            told: list[int] = []

            async def resume() -> None:
                answer = await li.post(f"/runs/{run}/resume", data={"seal": seal})
                told.append(answer.status_code)

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(resume)
            assert set(told) == {303}
            found = [
                each for each in await requests(shop.ledger) if each.kind is RequestKind.RESUME
            ]
            assert len(found) == 1
            await shop.until("ended")

    in_time(visit)


def test_results_are_taken_away_in_every_format(tmp_path: Path) -> None:
    """Each list is a valid job file, and nothing stays in the server's temporary folder."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li, signed_in(home, "guest") as guest:
            numbers = [*orders(2), "CGDDU000003", "CGDD9999999"]
            run = await pushed(shop, li, *numbers, numbers[0])
            url = f"/runs/{run}"
            page = await guest.get(url)
            assert "1 line repeats a number and is pushed once" in page.text
            links = re.findall(rf'href="({url}/files/[^"]+)"', page.text)
            assert f"{url}/files/rejected.csv" in links
            assert f"{url}/files/draft.csv" not in links
            names = set()
            for link in links:
                answer = await guest.get(unescape(link))
                assert answer.status_code == 200, link
                assert "attachment" in answer.headers["content-disposition"]
                names.add(answer.headers["content-disposition"])
            # Lists of several causes do not write over one another.
            assert len(names) == len(set(links))
            zone = f"{datetime.now(UTC).astimezone():%z}"
            assert f"Times are those of the server (now UTC{zone[:3]}:{zone[3:]})." in page.text
            whole = (await guest.get(f"{url}/files/ledger.csv")).content.decode("utf-8-sig")
            assert len(whole.splitlines()) == 5
            cause = re.search(r"cause\.csv\?cause=([0-9a-f]+)", page.text)
            assert cause is not None
            part = (await guest.get(f"{url}/files/cause.csv?cause={cause[1]}")).text
            assert len(part.splitlines()) == 2
            for bad in ("ledger.exe", "config.toml", "planned.csv/..", "cause.csv"):
                assert (await guest.get(f"{url}/files/{bad}")).status_code in {400, 404}, bad
            assert (await guest.get(f"{url}/files/report.html")).text.startswith("<!doctype")

    played(push, Shop(tmp_path))


def test_a_list_and_pasted_numbers_are_not_sent_together(tmp_path: Path) -> None:
    """What was pasted was passed over without a word."""

    async def push(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            both = await send_list(wang, orders(1)[0], file=("b.csv", orders(2)[1].encode()))
            assert both.status_code == 422
            assert "Send one of them" in both.text

    played(push, Shop(tmp_path))


def test_the_list_of_runs_offers_the_routes_of_the_settings(tmp_path: Path) -> None:
    """Of one that has no run yet it says so, rather than that there is no such route."""

    async def look(shop: Shop, home: House) -> None:  # noqa: ARG001
        async with signed_in(home, "guest") as guest:
            text = (await guest.get("/", params={"how": "needs"})).text
            assert '<option value="po-instock"' in text

    played(look, Shop(tmp_path))


@pytest.mark.parametrize("of", ["person", "program"])
def test_a_bill_in_a_plan_that_waits_for_approval_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], of: str
) -> None:
    """A clerk who asks whether it is on its way was told that it is in no run."""

    async def push(shop: Shop, home: House) -> None:
        @asynccontextmanager
        async def opened(_: object) -> AsyncIterator[Ledger]:
            yield shop.ledger

        monkeypatch.setattr(explain_number, "ledger_of", opened)
        async with signed_in(home, "wang") as wang:
            if of == "person":
                await send_list(wang, file=("night.csv", "\n".join(orders(3)).encode()))
            else:
                async with program(home, await shop.token()) as wms:
                    await wms.post("/plans", json={"key": "GR-1", "numbers": orders(3)})
            plan = await shop.until("planned")
            name = "night.csv" if of == "person" else "GR-1"
            for words in (orders(3)[2], orders(3)[2].lower(), orders(3)[2][-4:], name):
                answer = await wang.get("/numbers", params={"q": words})
                assert (answer.status_code, f"/plans/{plan.id}" in answer.text) == (200, True)
                await explain_number.explain(tmp_path / "config.toml", words, SPEAKERS["en"])
                told = capsys.readouterr().out
                assert (f"in plan {plan.id}" in told, name in told) == (True, True), told
            for words in ("fate", "ready", "po-instock", orders(4)[3]):
                assert (await wang.get("/numbers", params={"q": words})).status_code == 404, words
            await press(wang, f"/plans/{plan.id}", f"/plans/{plan.id}/withdraw")
            gone = await wang.get("/numbers", params={"q": orders(3)[2]})
            assert gone.status_code == 404

    played(push, Shop(tmp_path))


def test_every_line_of_a_plan_is_on_some_page_whatever_lines_the_list_has(tmp_path: Path) -> None:
    """A program's JSON stands on one line."""

    async def push(shop: Shop, home: House) -> None:
        bills = [f"CGDD9{nth:06}" for nth in range(LINES_A_PAGE + 1)]
        async with signed_in(home, "wang") as wang:
            await send_list(wang, file=("a.json", json.dumps(bills).encode()))
            url = f"/plans/{(await shop.until('planned')).id}"
            (after,) = re.findall(r"\?after=(\d+)#rows", (await wang.get(url)).text)
            page = (await wang.get(url, params={"after": after})).text
        assert [bill for bill in bills if f">{bill}<" in page] == bills[-1:]

    played(push, Shop(tmp_path))


def test_a_plan_is_taken_away_as_a_table_and_as_a_file(tmp_path: Path) -> None:
    """What is blocked is a list that can be mended and sent again."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            sent = await send_list(wang, "\n".join([*orders(2), "CGDDU000003", orders(1)[0]]))
            url = sent.headers["location"]
            await shop.until("planned")
            # Nothing can be retried that was not pushed: the page has no such button yet.
            assert "approve it in the ERP, then New push" in text_of(await wang.get(url))
            table = (await wang.get(f"{url}/files/plan.csv")).content.decode("utf-8-sig")
            rows = list(csv.DictReader(table.splitlines()))
            assert [row["number"] for row in rows[:3]] == [*orders(2), "CGDDU000003"]
            assert [row["fate"] for row in rows] == ["ready", "ready", "blocked", "repeat"]
            first = rows[0]["line"]
            assert rows[3]["reason"] == f"与第 {first} 行重复 (repeats line {first})"
            blocked = await wang.get(f"{url}/files/blocked.csv")
            assert (await send_list(wang, file=("b.csv", blocked.content))).status_code == 303
            asked = await shop.until("planned")
            assert asked.seen["routes"][0]["fates"] == {"blocked": 1}
            plan = await wang.get(f"{url}/files/plan.jsonl")
            assert plan.text.startswith('{"k3push_plan":')

    played(push, Shop(tmp_path))


def edited(plan: Path, edit: str) -> None:
    """Do something to a plan that its server does not know of."""
    text = plan.read_text("utf-8")
    match edit:
        case "cut":
            plan.write_text(text[: len(text) // 2], "utf-8")
        case "changed":
            plan.write_text(text.replace("CGDD0000002", "CGDD0000099"), "utf-8")
        case _:
            plan.unlink()


@pytest.mark.parametrize("edit", ["cut", "changed", "gone"])
def test_a_plan_that_is_no_longer_what_was_planned_is_neither_shown_nor_taken_away(
    tmp_path: Path, edit: str
) -> None:
    """Whoever approves must not read other bills, and a table broke off half way."""

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            url = (await send_list(li, "\n".join(orders(3)))).headers["location"]
            path = Path((await shop.until("planned")).plan)
            edited(path, edit)
            page = await li.get(url)
            assert page.status_code == 200
            assert path.name in page.text
            assert not set(re.findall(r"CGDD\d+", page.text))
            assert f"{url}/approve" not in page.text
            for name in ("plan.csv", "plan.jsonl", "blocked.csv"):
                answer = await li.get(f"{url}/files/{name}")
                assert answer.status_code == (404 if edit == "gone" else 410), name
                assert "CGDD" not in answer.text

    played(push, Shop(tmp_path))


def test_a_server_that_only_watches_offers_and_takes_nothing(tmp_path: Path) -> None:
    """What it would not execute cannot be asked of it."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open() as home, signed_in(home, "li") as li:
            run = await pushed(shop, li, "CGDD0000000", "CGDD9999999")
        watching = replace(shop.tenant(), workshop=None)
        async with house(watching, rules=BY_NAME) as home, signed_in(home, "li") as li:
            page = await li.get(f"/runs/{run}")
            assert ('href="/push"' in page.text, "/retry" in page.text) == (False, False)
            seal = seal_of(page)
            assert (await li.get("/push")).status_code == 404
            for action in ("/push", f"/runs/{run}/retry", f"/runs/{run}/resume"):
                form = {"seal": seal, "all": "yes", "text": "A"}
                assert (await li.post(action, data=form)).status_code == 404, action

    in_time(visit)


def test_faults_on_the_way_double_nothing(tmp_path: Path) -> None:
    """The server pushes by the same door as the command."""
    plan = steps("make-then-reset", "make-then-html-502", "make-then-cut-off")

    async def push(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            run = await pushed(shop, li, *orders(20))
            assert await shop.counts(run) == {State.PUSHED: 20}
            assert {shop.documents(number) for number in orders(20)} == {1}

    played(push, Shop(tmp_path, site=build(sandbox(plan))))
