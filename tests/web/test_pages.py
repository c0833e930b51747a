"""What the pages show, what they take, and how little of the ledger they read for it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import anyio
import pytest
from markupsafe import escape

from k3push.core.control_words import Key
from k3push.core.model import Archive, BillNumber, Listed, Row, Run, RunId, State
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.reporting.results_folder import MOST_READ
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.kept_in_ledger.request_stages import Act, note_act
from k3push.runs.kept_in_ledger.row_pages import FollowedRow
from k3push.web.api.push_status import row_as
from k3push.web.pages.run_pages import DRAWING
from k3push.web.pages.run_sections import ROWS_A_PAGE, is_left_to_person
from k3push.words.language import speaker
from tests.adapters.ledger.samples import identified
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import NOON, RUN, filled, in_doubt, lose_answer, lost, number
from tests.said import english
from tests.web.visits import (
    ACCT,
    PROXY,
    StoppedClock,
    house,
    in_time,
    led,
    seal_of,
    sent_in,
    tenant,
    without_ledger,
)

HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "<script>alert(1)</script>",
    "'-alert(1)-'",
    "javascript:alert(1)",
    "a/../../b?c=d#e",
    "%3Cscript%3E&lt;b&gt;&amp;",
)
URL = f"/runs/{RUN.id}"
BLOCKED = remark("note.blocked.unapproved")


class Counted(MemoryLedger):
    """Counts the rows and the attempts that are read."""

    def __init__(self) -> None:
        super().__init__(account=ACCT)
        self.read: Counter[str] = Counter()

    async def rows(
        self,
        run: RunId,
        *,
        states: Collection[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Row]:
        """Count rows."""
        found = await super().rows(run, states=states, after=after, limit=limit)
        self.read["rows"] += len(found)
        return found

    async def attempts_in(self, run: RunId, *, after: int = 0, limit: int = 100) -> Any:
        """Count attempts."""
        found = await super().attempts_in(run, after=after, limit=limit)
        self.read["attempts"] += len(found)
        return found


async def another(ledger: MemoryLedger, id_: str, **changes: Any) -> Run:
    """Open one more run, with one number."""
    run = replace(RUN, id=RunId(id_), started_at=NOON + timedelta(days=1), **changes)
    await ledger.open_run(run)
    await ledger.add(run.id, [Listed(2, BillNumber(f"CGDD-{id_}"))])
    return run


# -- runs -----------------------------------------------------------------------------------------


def test_runs_stand_the_newest_first() -> None:
    """Last night is what everybody asks for."""

    async def visit() -> None:
        ledger = await filled(3, {1: ("11", "未审核")})
        await ledger.end_run(RUN.id, 3, NOON)
        await another(ledger, "20260103-120000-new")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get("/")).text
            assert text.index("20260103-120000-new") < text.index(RUN.id)
            assert ("killed" in text, "exit 3" in text) == (True, True)
            assert ("pushed 2" in text, "rejected 1" in text) == (True, True)

    in_time(visit)


def test_a_run_that_waits_for_another_of_its_command_was_not_killed() -> None:
    """They go one after another; whoever resumes it by hand would be refused."""

    async def visit() -> None:
        ledger = MemoryLedger(account=ACCT)
        first = await another(ledger, "20260103-120000-one", group="20260103-120000-one")
        second = await another(ledger, "20260103-120000-two", group=first.id)
        async with (
            ledger.another_process().own(first.id),
            house(tenant(ledger)) as home,
            home.signed_in() as browser,
        ):
            for page in ("/", f"/runs/{second.id}"):
                text = (await browser.get(page)).text
                assert ("waits" in text, "killed" in text) == (True, False), text
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            assert "killed" in (await browser.get(f"/runs/{second.id}")).text

    in_time(visit)


def test_many_runs_come_in_pages() -> None:
    """A ledger of a year holds hundreds."""

    async def visit() -> None:
        ledger = MemoryLedger(account=ACCT)
        for index in range(120):
            run = await another(ledger, f"20260103-120000-{index:03}")
            await ledger.end_run(run.id, 0, NOON)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            seen: list[str] = []
            url = "/"
            while url:
                text = (await browser.get(url)).text
                seen += re.findall(r'href="/runs/([^"]+)"', text)
                more = re.search(r'href="(\?from=\d+)"', text)
                url = f"/{more[1]}" if more else ""
            assert seen == [f"20260103-120000-{index:03}" for index in reversed(range(120))]

    in_time(visit)


def test_a_dashboard_without_a_run_says_how_to_begin() -> None:
    """An empty table would look like a fault."""

    async def visit() -> None:
        async with house() as home, home.signed_in() as browser:
            text = (await browser.get("/")).text
            assert "<code>k3push run LIST.csv</code>" in text

    in_time(visit)


def test_a_page_of_a_long_run_reads_few_rows() -> None:
    """A run of a hundred thousand answers as one of a thousand does."""

    async def visit() -> None:
        ledger = Counted()
        refused = {index: ("11", f"单据{number(index)}未审核") for index in range(0, 5000, 2)}
        await filled(5000, refused, ledger=ledger)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            for query in ("", "?state=rejected", "?after=4000", "?state=pushed&after=2500"):
                ledger.read.clear()
                answer = await browser.get(f"{URL}{query}")
                assert answer.text.count('<tr role="row">') == ROWS_A_PAGE + 1
                assert ledger.read == {"rows": ROWS_A_PAGE + 1 + MOST_READ}
                assert f"{2500 - MOST_READ:,} more numbers" in answer.text
            ledger.read.clear()
            assert "<svg" in (await browser.get(f"{URL}/pace?part=1")).text
            await browser.get("/")
            assert not ledger.read

    in_time(visit)


def test_the_rows_of_a_state_are_all_there_page_by_page() -> None:
    """Each rejected number is somebody's work in the morning."""

    async def visit() -> None:
        refused = dict.fromkeys(range(0, 500, 2), ("11", "未审核"))
        async with (
            house(tenant(await filled(500, refused))) as home,
            home.signed_in() as browser,
        ):
            seen: list[str] = []
            url = f"{URL}?state=rejected"
            while url:
                text = (await browser.get(url)).text
                rows = text.partition('id="rows"')[2]
                seen += re.findall(r'href="/numbers/(\w+)"', rows)
                more = re.search(rf'href="({URL}\?state=rejected&amp;after=\d+)#rows"', rows)
                url = unescape(more[1]) if more else ""
            assert seen == [number(index) for index in sorted(refused)]

    in_time(visit)


def test_the_verdict_names_what_a_browser_has() -> None:
    """Whoever looks at the page has buttons, and no command line."""

    async def visit() -> None:
        ledger = await filled(1)
        await in_doubt(ledger, "CGDD-LOST")
        await ledger.end_run(RUN.id, 4, NOON)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get(URL)).text
            assert "or <b>Settle by hand, on the number&#39;s page</b>" in text
            assert "settle --as" not in text
            chinese = (await browser.get(f"{URL}?lang=zh")).text
            assert "查不清的用<b>单据页面的“人工核实”</b>登记" in chinese

    in_time(visit)


def test_what_was_said_to_a_run_bears_the_names_of_buttons() -> None:
    """In the language of whoever reads it, and not of whoever has pressed."""

    async def visit() -> None:
        ledger = await filled(1)
        for what, detail in (
            ("control", "pause"),
            ("control", "set concurrency=8"),
            ("retry", remark("note.blocked.unapproved")),
        ):
            await note_act(ledger, Act(NOON, RUN.id, "王芳", what, detail))
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get(f"{URL}?lang=zh")).text
            assert "下达指令 <code>暂停</code>" in text
            assert "下达指令 <code>并发调用数 8</code>" in text
            assert "重试被拒单据：源单未审核" in text

    in_time(visit)


def test_clusters_stand_with_cause_and_cure() -> None:
    """The page says what to do, as the terminal does."""

    async def visit() -> None:
        refused = {3: ("11", f"单据编号为“{number(3)}”的采购订单未审核")}
        async with house(tenant(await filled(5, refused))) as home, home.signed_in() as browser:
            text = (await browser.get(URL)).text
            assert "approve it in the ERP, then <code>k3push retry</code>" in text
            assert f'<a href="/numbers/{number(3)}">' in text.partition("What needs attention")[2]

    in_time(visit)


@pytest.mark.parametrize(
    "path",
    [
        "/runs/none",
        f"{URL}?state=gone",
        f"{URL}?after=-1",
        f"{URL}?after=1e9",
        f"{URL}?after={10**30}",
        "/?from=x",
        "/numbers/none",
        "/gone",
        "/t/config/",
        "/static/..%2fapp.py",
    ],
)
def test_a_wrong_address_is_answered_with_a_page(path: str) -> None:
    """It was typed, or made up by a scanner."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            answer = await browser.get(path)
            assert 400 <= answer.status_code < 500
            assert "<h1>" in answer.text
            assert ("<h1>Refused" in answer.text) == (answer.status_code == 400)
            assert "content-security-policy" in answer.headers

    in_time(visit)


def test_the_pace_is_drawn_now_and_then_however_many_look() -> None:
    """A run of a hundred thousand calls takes a second to draw."""

    class Spanned(MemoryLedger):
        drawn = 0

        async def spans(self, run: RunId) -> Any:
            self.drawn += 1
            await anyio.sleep(1)
            return await super().spans(run)

    async def visit() -> None:
        ledger = Spanned(account=ACCT)
        await filled(5, ledger=ledger)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            for _ in range(20):
                assert (await browser.get(f"{URL}/pace?part=1")).status_code == 200
            assert ledger.drawn == 1
            await anyio.sleep(1 / DRAWING + 1)
            assert "<h1>Pace over time" in (await browser.get(f"{URL}/pace")).text
            assert ledger.drawn == 2
            # What it has ended with is another picture.
            await ledger.end_run(RUN.id, 5, NOON + timedelta(minutes=1))
            await browser.get(f"{URL}/pace?part=1")
            assert ledger.drawn == 3

    in_time(visit)


def test_a_report_says_that_no_certificate_is_checked() -> None:
    """As the one in the results does, which this one replaces for who looks at the pages."""

    async def visit() -> None:
        ledger = await filled(2, ledger=MemoryLedger(account=ACCT))
        for unverified in (True, False):
            shown = replace(tenant(ledger), unverified=unverified)
            async with house(shown) as home, home.signed_in() as browser:
                page = (await browser.get(f"{URL}/files/report.html")).text
                assert ("erp.verify = false" in page) == unverified

    in_time(visit)


def test_an_archived_run_says_so_and_gives_no_half_files() -> None:
    """What is left of its rows would pass for all of them."""

    async def visit() -> None:
        ledger = MemoryLedger(account=ACCT)
        await ledger.open_run(replace(RUN, exit=0, archive=Archive("a.jsonl.gz", "00", NOON)))
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            assert "archived in a.jsonl.gz" in (await browser.get(URL)).text
            file = await browser.get(f"{URL}/files/ledger.csv")
            assert (file.status_code, "a.jsonl.gz" in file.text) == (410, True)

    in_time(visit)


# -- texts of others ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_bill_or_a_message_is_markup(name: str) -> None:
    """Whoever writes bills writes on these pages."""

    async def visit() -> None:
        ledger = await filled(3, {1: ("4", name)}, {2: name})
        await in_doubt(ledger, f"LOST{name}")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            found = await browser.get("/numbers", params={"q": name}, follow_redirects=True)
            assert found.status_code == 200
            pages = [found.text, (await browser.get(URL)).text]
            pages.append((await browser.get("/numbers", params={"q": f"{name}!"})).text)
            doubted = await browser.get(
                "/numbers", params={"q": f"LOST{name}"}, follow_redirects=True
            )
            form = {
                "seal": seal_of(doubted),
                **sent_in(doubted),
                "number": f"LOST{name}",
                "word": "absent",
                "because": name,
            }
            pages += [doubted.text, (await browser.post("/settle", data=form)).text]
            settled = await browser.post(
                "/settle", data={**form, "sure": "yes"}, follow_redirects=True
            )
            pages.append(settled.text)
            for text in pages:
                assert escape(name) in text
                if escape(name) != name:
                    assert name not in text
                assert re.findall(r"<(?:img|script(?! src))|href=\"javascript", text) == []

    in_time(visit)


# -- languages ------------------------------------------------------------------------------------


def test_the_language_is_the_browsers_or_the_chosen_one() -> None:
    """A choice is kept."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            chinese = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
            assert "<h1>任务</h1>" in (await browser.get("/", headers=chinese)).text
            page = await browser.get(f"{URL}?state=pushed")
            assert '<h2 id="rows">Numbers</h2>' in page.text
            assert 'href="?state=pushed&amp;lang=zh"' in page.text
            chosen = await browser.get(f"{URL}?state=pushed&lang=zh")
            assert '<html lang="zh-CN">' in chosen.text
            assert "单据明细" in chosen.text
            assert "HttpOnly" in chosen.headers["set-cookie"]
            assert "<h1>任务</h1>" in (await browser.get("/")).text
            assert "<h1>Runs</h1>" in (await browser.get("/?lang=en", headers=chinese)).text
            assert "<h1>Runs</h1>" in (await browser.get("/?lang=xx", headers=chinese)).text

    in_time(visit)


# -- numbers --------------------------------------------------------------------------------------


def test_a_number_is_found_by_both_spellings() -> None:
    """The list has one, and the ERP may have another."""

    async def visit() -> None:
        ledger = MemoryLedger(account=ACCT)
        await ledger.open_run(RUN)
        await ledger.add(RUN.id, [Listed(2, BillNumber("cgdd１"))])
        await ledger.identify(RUN.id, identified({BillNumber("cgdd１"): BillNumber("CGDD1")}))
        other = replace(RUN, id=RunId("20990101-000000-aaa"))
        await ledger.open_run(other)
        await ledger.add(other.id, [Listed(2, BillNumber("CGDD1"))])
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            for spelling in ("cgdd１", "CGDD1", " CGDD1 "):
                answer = await browser.get("/numbers", params={"q": spelling})
                assert answer.status_code == 303
                evidence = await browser.get(answer.headers["location"])
                assert (evidence.status_code, RUN.id in evidence.text) == (200, True)
                assert other.id in evidence.text
            answer = await browser.get("/numbers", params={"q": "CGD"})
            assert (answer.status_code, "CGD is in no run" in answer.text) == (404, True)

    in_time(visit)


def test_a_part_of_whatever_a_person_has_in_hand_finds_where_it_is() -> None:
    """A document, four characters of a number, a list, a cause, or who has done something."""

    async def visit() -> None:
        ledger = await filled(4, {1: ("11", "单据未审核"), 2: ("precheck", BLOCKED)})
        other = await another(ledger, "20260103-120000-two", jobs=("lists/late.csv",))
        await note_act(ledger, Act(NOON, other.id, "王芳", "resume"))
        document = next(row.targets[0].number for row in await ledger.rows(RUN.id) if row.targets)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:

            async def found(words: str) -> str:
                return (await browser.get("/numbers", params={"q": words})).text

            assert number(0) in await found(number(0)[-5:])
            assert number(0) in await found(document)
            assert number(1) in await found("单据未审核")
            assert number(2) in await found("is not approved")
            for words in ("late.csv", "王芳", other.id):
                assert f'href="/runs/{other.id}"' in await found(words), words
            assert "is in no run" in await found("%%%%")

    in_time(visit)


def test_the_page_of_a_number_tells_who_has_done_something_with_its_run() -> None:
    """Among its calls, by the time; what was done with another run is not its history."""

    async def visit() -> None:
        ledger = await filled(2)
        other = await another(ledger, "20260103-120000-two")
        await note_act(ledger, Act(NOON, RUN.id, "王芳", "control", "pause"))
        await note_act(ledger, Act(NOON, other.id, "李雷", "resume"))
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get(f"/numbers/{number(0)}")).text
            assert f"王芳: said <code>pause</code> (run {RUN.id})" in text
            assert "李雷" not in text

    in_time(visit)


def test_runs_are_filtered_and_those_that_need_a_person_stand_on_top() -> None:
    """Of a year of nights a few are wanted."""

    async def visit() -> None:
        ledger = await filled(2)
        await ledger.end_run(RUN.id, 0, NOON)
        await another(ledger, "20260103-120000-ill")
        late = await another(ledger, "20260103-120000-two", jobs=("lists/late.csv",))
        await ledger.end_run(late.id, 3, NOON)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:

            async def shown(**asked: str) -> list[str]:
                text = (await browser.get("/", params=asked)).text
                return re.findall(r'href="/runs/([^"]+)"', text)

            ill, late_id = "20260103-120000-ill", late.id
            assert await shown() == [late_id, ill, late_id, ill, RUN.id]
            assert await shown(how="needs") == [late_id, ill]
            assert await shown(exit="3") == [late_id]
            assert await shown(exit="-1") == [ill]
            assert await shown(words="LATE") == [late_id]
            assert await shown(until="2026-01-02") == [RUN.id]
            assert await shown(since="2026-01-03", route=RUN.route.name) == [late_id, ill]
            assert await shown(route="nowhere") == []
            assert await shown(sort="oldest") == [RUN.id, ill, late_id]
            assert await shown(sort="exit") == [ill, late_id, RUN.id]
            async with ledger.another_process().own(RunId(ill)):
                assert await shown(how="alive") == [ill]
            for bad in ({"exit": "x"}, {"since": "yesterday"}, {"from": "-1"}, {"sort": "x"}):
                assert (await browser.get("/", params=bad)).status_code == 400, bad

    in_time(visit)


def test_the_list_can_be_narrowed_to_every_route_whatever_it_is_narrowed_to() -> None:
    """Whoever looks for one exit code goes on to the other route from there."""

    async def visit() -> None:
        ledger = await filled(2)
        await another(ledger, "20260103-120000-two", route=replace(RUN.route, name="so-out"))
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            for asked in ({}, {"exit": "3"}, {"route": "so-out"}, {"sort": "oldest"}):
                text = (await browser.get("/", params=asked)).text
                for name in (RUN.route.name, "so-out"):
                    assert f'<option value="{name}"' in text, (asked, name)

    in_time(visit)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/a", "a?b", "a b", "%2e%2e", "单据#1"])
def test_any_number_has_a_page(name: str) -> None:
    """A browser makes a folder of dots, and a query of a question mark."""

    async def visit() -> None:
        async with (
            house(tenant(await filled(2, names={1: name}))) as home,
            home.signed_in() as browser,
        ):
            text = (await browser.get(URL)).text
            links = [unescape(each) for each in re.findall(r'href="(/numbers[^"]+)"', text)]
            answer = await browser.get(links[1])
            assert f"<h1>{escape(name)}</h1>" in answer.text

    in_time(visit)


def test_the_evidence_holds_every_request_and_answer_in_order() -> None:
    """What was sent, what came back, and what was found out later."""

    async def visit() -> None:
        ledger = await filled(2)
        await lost(ledger, "CGDD-LOST")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get("/numbers/CGDD-LOST")).text
            assert text.index("the connection broke</pre>") < text.index("settled by a look")
            assert "CGRK-LATE" in text
            assert "经查询目标单核实" in (await browser.get("/numbers/CGDD-LOST?lang=zh")).text
            other = (await browser.get(f"/numbers/{number(1)}")).text
            assert escape('{"Result":"完成 </script><b>"}') in other

    in_time(visit)


def test_the_address_of_a_document_leads_to_its_bill() -> None:
    """What waits in a flow is named by its document, and the name is a link."""

    async def visit() -> None:
        ledger = await filled(2)
        await lost(ledger, "CGDD-LOST")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            page = await browser.get("/numbers/CGRK-LATE")
            assert (page.status_code, 'href="/numbers/CGDD-LOST"' in page.text) == (200, True)

    in_time(visit)


def test_a_bill_without_a_reason_has_no_name_of_one_on_a_telephone() -> None:
    """There each cell stands under its name, but for those that are empty."""

    async def visit() -> None:
        ledger = await filled(1)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get(f"/numbers/{number(0)}")).text
        assert 'data-name="reason"></td>' in text

    in_time(visit)


# -- a person's word ------------------------------------------------------------------------------


def test_a_doubt_that_no_look_settles_is_left_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The button that asks the ERP would be pressed in vain, and `status` says so."""
    monkeypatch.chdir(tmp_path)

    async def visit() -> None:
        ledger = await filled(1)
        name = await in_doubt(ledger, "CGDD-LOST")
        await ledger.end_run(RUN.id, 4, NOON)
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            for cause, hopeless in (("interrupted", False), ("person", True)):
                summary = {"run": RUN.id, "stopped_by": {cause: ""}, "counts": {"unknown": 1}}
                (tmp_path / RUN.folder).mkdir(exist_ok=True)
                (tmp_path / RUN.folder / "summary.json").write_text(json.dumps(summary))
                for path in (f"/runs/{RUN.id}", f"/numbers/{name}"):
                    text = (await browser.get(path)).text
                    cures = ("push nothing by hand before" in text, "look it up in the ERP" in text)
                    assert cures == (not hopeless, hopeless), (path, cause)
                (row,) = await ledger.rows(RUN.id, states=[State.UNKNOWN])
                run = await ledger.run(RUN.id)
                left = run is not None and await is_left_to_person(ledger, run)
                told = row_as(FollowedRow(row), speaker("en"), left=left)
                assert ("look it up in the ERP" in told.cure) == hopeless, told

    in_time(visit)


def test_a_word_is_asked_for_twice_and_recorded_with_its_reason_and_its_user() -> None:
    """The wrong word makes a second document."""

    async def visit() -> None:
        ledger = await filled(1)
        name = await in_doubt(ledger, "CGDD-LOST")
        await ledger.end_run(RUN.id, 4, NOON)

        async def state() -> State:
            return (await ledger.rows_of(name))[0][1].state

        async with (
            house(tenant(ledger), rules=PROXY) as home,
            home.browser("10.0.0.9", **{"x-remote-user": "王芳"}) as browser,
        ):
            page = await browser.get(f"/numbers/{name}")
            form = {"seal": seal_of(page), "number": name, **sent_in(page)}
            for half in (
                {},
                {"word": "pushed"},
                {"because": "seen"},
                {"word": "x", "because": "y"},
            ):
                answer = await browser.post("/settle", data={**form, **half, "sure": "yes"})
                assert "Say what is there" in (await led(browser, answer)).text
                assert await state() == State.UNKNOWN
            whole = {**form, "word": "absent", "because": "looked it up\nin the ERP"}
            asked = await browser.post("/settle", data=whole)
            assert (asked.status_code, await state()) == (200, State.UNKNOWN)
            assert "makes a second one" in asked.text
            done = await browser.post("/settle", data={**whole, "sure": "yes"})
            assert (done.status_code, await state()) == (303, State.PLANNED)
            evidence = await browser.get(done.headers["location"])
            assert "settled by hand as planned by 王芳: looked it up in the ERP" in evidence.text
            again = await browser.post("/settle", data={**whole, "sure": "yes"})
            assert "is no longer unknown" in (await led(browser, again)).text
        (note,) = await ledger.notes_of(name)
        told = "settled by hand as planned by 王芳: looked it up in the ERP (after 1 call)"
        assert english(note.text) == told
        run = await ledger.run(RUN.id)
        assert run is not None
        assert run.exit == 4
        settled = [facts for event, facts in home.logged if event == "number.settled"]
        assert [each["number"] for each in settled] == [name]

    in_time(visit)


def test_a_word_about_one_call_is_recorded_for_no_later_one() -> None:
    """Another person has settled and resumed meanwhile, and the next answer was lost as well."""

    async def visit() -> None:
        ledger = await filled(1)
        name = await in_doubt(ledger, "CGDD-LOST")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            page = await browser.get(f"/numbers/{name}")
            form = {"seal": seal_of(page), "number": name, "word": "absent", "because": "seen"}
            asked = await browser.post("/settle", data={**form, **sent_in(page)})
            assert sent_in(asked) == sent_in(page)
            await settle_by_word(ledger, StoppedClock(), RUN.id, name, State.PLANNED, because="li")
            await lose_answer(ledger, name, nth=2)
            late = await browser.post("/settle", data={**form, **sent_in(asked), "sure": "yes"})
            shown = await led(browser, late)
            assert "was sent again" in shown.text
            assert (await ledger.rows_of(name))[0][1].state is State.UNKNOWN
            anew = {**form, **sent_in(shown), "sure": "yes"}
            assert (await browser.post("/settle", data=anew)).status_code == 303

    in_time(visit)


def test_a_word_is_about_one_bill_and_one_kind_of_document() -> None:
    """Who has looked for the in-stock has not looked for the receipt."""

    async def visit() -> None:
        ledger = await filled(1)
        name = await in_doubt(ledger, "CGDD-LOST")
        receipts = replace(RUN, id=RunId("r2"), scope=f"{RUN.scope}-receipt")
        await ledger.open_run(receipts)
        await in_doubt(ledger, name, receipts.id)

        async def states() -> list[State]:
            return [row.state for _, row in await ledger.rows_of(name)]

        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            page = await browser.get(f"/numbers/{name}")
            assert f'<option value="r2 {name}">' in page.text
            form = {"seal": seal_of(page), "number": name, "word": "pushed", "because": "seen"}
            form |= sent_in(page)
            blind = await browser.post("/settle", data={**form, "sure": "yes"})
            assert "more than once" in (await led(browser, blind)).text
            assert await states() == [State.UNKNOWN] * 2
            sure = await browser.post("/settle", data={**form, "which": f"r2 {name}"})
            assert f'name="which" value="r2 {name}"' in sure.text
            told = {**form, "which": f"r2 {name}", "sure": "yes"}
            assert (await browser.post("/settle", data=told)).status_code == 303
            assert await states() == [State.UNKNOWN, State.PUSHED]

    in_time(visit)


def test_a_run_under_way_settles_by_itself() -> None:
    """It may be asking the ERP about that very number."""

    async def visit() -> None:
        ledger = await filled(1)
        name = await in_doubt(ledger, "CGDD-LOST")
        async with (
            ledger.another_process().own(RUN.id),
            house(tenant(ledger)) as home,
            home.signed_in() as browser,
        ):
            seal = seal_of(await browser.get(f"/numbers/{name}"))
            ((_, row),) = await ledger.rows_of(name)
            form = {
                "seal": seal,
                "sent": f"{RUN.id}/{row.place}:1",
                "number": name,
                "word": "pushed",
                "because": "seen",
                "sure": "yes",
            }
            answer = await browser.post("/settle", data=form)
            assert "under way already" in (await led(browser, answer)).text
        assert (await ledger.rows_of(name))[0][1].state is State.UNKNOWN

    in_time(visit)


# -- control --------------------------------------------------------------------------------------


@asynccontextmanager
async def executor(ledger: MemoryLedger, *, obeys: bool = True) -> AsyncIterator[None]:
    """Execute the run in another process, which looks for commands and does nothing else."""
    other = ledger.another_process()
    async with other.own(RUN.id), anyio.create_task_group() as tasks:

        async def obey() -> None:
            while obeys:
                for given in await other.commands(RUN.id):
                    await other.obeyed(given.id, at=NOON, on_their_way=2)
                await anyio.sleep(1)

        tasks.start_soon(obey)
        yield
        tasks.cancel_scope.cancel()


def test_a_command_is_given_and_shown_as_obeyed() -> None:
    """The person sees that it was heard, and what was on its way then."""

    async def visit() -> None:
        ledger = await filled(1)
        async with (
            executor(ledger),
            house(tenant(ledger)) as home,
            home.signed_in() as browser,
        ):
            seal = seal_of(await browser.get(URL))
            for form, words in (
                ({"words": "pause"}, "Pause: obeyed at"),
                ({"key": "concurrency", "value": "8"}, "calls at once 8: obeyed at"),
                ({"key": "chunk-size", "value": "auto"}, "numbers in a call auto: obeyed at"),
            ):
                answer = await browser.post(f"{URL}/control", data={"seal": seal, **form})
                assert answer.headers["location"] == f"{URL}#control"
                text = (await browser.get(URL)).text
                assert re.search(rf"{words} \d\d:\d\d, with 2 chunks on their way", text)
            assert [
                facts["command"] for event, facts in home.logged if event == "command.given"
            ] == [
                "pause",
                "set concurrency=8",
                "set chunk-size=auto",
            ]
        given = [str(each.command) for each in await ledger.commands(RUN.id)]
        assert given == ["pause", "set concurrency=8", "set chunk-size=auto"]

    in_time(visit)


def test_only_what_would_change_something_is_offered() -> None:
    """A button that does nothing makes people press it twice."""

    async def visit() -> None:
        ledger = await filled(1)
        name = await in_doubt(ledger, "CGDD-LOST")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:

            async def offered() -> list[str]:
                text = (await browser.get(URL)).text
                return re.findall(r'name="words" value="(\w+)"', text)

            assert await offered() == []
            assert 'action="/settle"' in (await browser.get(f"/numbers/{name}")).text
            async with executor(ledger):
                seal = seal_of(await browser.get(URL))
                seen = [await offered()]
                for command in ("pause", "continue", "pause", "stop"):
                    form = {"seal": seal, "words": command}
                    await browser.post(f"{URL}/control", data=form)
                    seen.append(await offered())
                going, paused = ["pause", "stop"], ["continue", "stop"]
                assert seen == [going, paused, going, paused, []]
                # The run settles its doubts by itself.
                doubted = (await browser.get(f"/numbers/{name}")).text
                assert 'action="/settle"' not in doubted
                assert "asks the ERP about unknown numbers itself" in doubted

    in_time(visit)


def test_a_command_that_is_not_obeyed_yet_is_shown_as_asked() -> None:
    """A machine may be busy; the command stays."""

    async def visit() -> None:
        ledger = await filled(1)
        async with (
            executor(ledger, obeys=False),
            house(tenant(ledger)) as home,
            home.signed_in() as browser,
        ):
            seal = seal_of(await browser.get(URL))
            await browser.post(f"{URL}/control", data={"seal": seal, "words": "pause"})
            assert "not obeyed yet" in (await browser.get(URL)).text

    in_time(visit)


def test_what_is_no_command_is_refused() -> None:
    """Also by those who write forms of their own."""

    async def visit() -> None:
        ledger = await filled(1)
        async with (
            executor(ledger),
            house(tenant(ledger)) as home,
            home.signed_in() as browser,
        ):
            seal = seal_of(await browser.get(URL))
            for form in (
                {"key": "concurrency", "value": "0"},
                {"key": "concurrency", "value": "<b>"},
                {"key": "x", "value": "1"},
                {"words": "set concurrency=8"},
                {"words": "explode"},
                {},
            ):
                answer = await browser.post(f"{URL}/control", data={"seal": seal, **form})
                page = await led(browser, answer)
                assert "cannot be set" in page.text, form
                assert "<b>&#39;" not in page.text
        assert not await ledger.commands(RUN.id)

    in_time(visit)


def test_the_fields_of_the_pace_tell_what_is_in_force() -> None:
    """What the settings have fixed was called auto."""

    async def visit() -> None:
        ledger = await filled(1)
        pace: Mapping[Key, int | str] = {
            Key.CONCURRENCY: 2,
            Key.CHUNK_SIZE: "auto",
            Key.CALLS_PER_MINUTE: 60,
        }
        async with (
            executor(ledger),
            house(replace(tenant(ledger), pace=pace)) as home,
            home.signed_in() as browser,
        ):

            async def told() -> list[str]:
                return re.findall(r'placeholder="(\w+)" title', (await browser.get(URL)).text)

            assert await told() == ["2", "auto", "60"]
            for value, shown in (("8", "8"), ("auto", "auto")):
                for key in Key:
                    form = {"seal": seal_of(await browser.get(URL)), "key": key, "value": value}
                    await browser.post(f"{URL}/control", data=form)
                # Of the calls a minute, auto is what the settings say.
                assert await told() == [shown, shown, "60" if shown == "auto" else shown]

    in_time(visit)


# -- tenants --------------------------------------------------------------------------------------


async def two_tenants() -> tuple[MemoryLedger, Mapping[str, str]]:
    """Return a ledger that two tenants share, and the run of the second."""
    ledger = await filled(2)
    theirs = await another(ledger.of_account("other"), "20260103-120000-b", scope="other|PO|r")
    return ledger, {"run": theirs.id, "number": f"CGDD-{theirs.id}"}


def test_tenants_of_one_ledger_see_their_own_runs_alone() -> None:
    """They are different companies."""

    async def visit() -> None:
        ledger, theirs = await two_tenants()
        tenants = (tenant(ledger, "甲"), tenant(ledger, "b", "other"))
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            first, second = "/t/%E7%94%B2", "/t/b"
            assert theirs["run"] not in (await browser.get(f"{first}/")).text
            assert theirs["run"] in (await browser.get(f"{second}/")).text
            for path in (
                f"/runs/{theirs['run']}",
                f"/runs/{theirs['run']}/pace",
                f"/runs/{theirs['run']}/events",
                f"/numbers/{theirs['number']}",
                f"/numbers?q={theirs['number']}",
            ):
                assert (await browser.get(f"{first}{path}")).status_code == 404, path
            seal = seal_of(await browser.get("/"))
            answer = await browser.post(
                f"{first}/runs/{theirs['run']}/control", data={"seal": seal, "words": "stop"}
            )
            assert answer.status_code == 404
            assert (await browser.get("/t/c/")).status_code == 404

    in_time(visit)


def test_a_ledger_that_tenants_share_is_opened_once() -> None:
    """A database server counts connections, and there may be hundreds of tenants."""

    async def visit() -> None:
        ledger, theirs = await two_tenants()
        opened: list[str] = []

        @asynccontextmanager
        async def opening() -> AsyncIterator[Ledger]:
            opened.append("opened")
            yield ledger
            opened.append("closed")

        tenants = [replace(tenant(ledger, name), opened=opening) for name in ("a", "b")]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            assert not opened
            for path in ("/", "/t/a/", "/t/b/", "/metrics"):
                text = (await browser.get(path)).text
                assert theirs["run"] not in text
            assert opened == ["opened"]
        assert opened == ["opened", "closed"]

    in_time(visit)


def test_on_a_ledger_of_many_one_tenant_alone_sees_its_own_runs() -> None:
    """Those of the others are there, though this dashboard does not show them."""

    async def visit() -> None:
        ledger, theirs = await two_tenants()
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            text = (await browser.get("/")).text
            assert (RUN.id in text, theirs["run"] in text) == (True, False)
            assert (await browser.get(f"/runs/{theirs['run']}")).status_code == 404
            assert (await browser.get(f"/numbers/{theirs['number']}")).status_code == 404

    in_time(visit)


def test_the_overview_shows_the_last_run_of_each_tenant() -> None:
    """One look in the morning; a ledger that is lost is one tenant's trouble."""

    async def visit() -> None:
        ledger, theirs = await two_tenants()
        tenants = (
            tenant(ledger, "a"),
            tenant(ledger, "b", "other"),
            without_ledger("c", "no <ledger> yet"),
            tenant(MemoryLedger(account=ACCT), "d"),
        )
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            text = (await browser.get("/")).text
            assert f'href="/t/a/runs/{RUN.id}"' in text
            assert f'href="/t/b/runs/{theirs["run"]}"' in text
            assert "no &lt;ledger&gt; yet" in text
            lost_one = await browser.get("/t/c/")
            assert (lost_one.status_code, "no &lt;ledger&gt; yet" in lost_one.text) == (503, True)
            assert "Nothing has been run yet" in (await browser.get("/t/d/")).text
            found = await browser.get("/numbers", params={"q": theirs["number"]})
            assert f'href="/t/b/numbers/{theirs["number"]}"' in found.text
            nowhere = await browser.get("/numbers", params={"q": "none"})
            assert nowhere.status_code == 404

    in_time(visit)


def test_one_configuration_shows_no_tenant() -> None:
    """Most users have one, and nothing to choose."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            text = (await browser.get("/")).text
            assert "/t/" not in text
            assert "config" not in text

    in_time(visit)
