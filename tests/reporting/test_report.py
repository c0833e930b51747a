"""The report's page as it is written, and as a browser shows it."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from k3push.adapters.job_files import read_job
from k3push.core.model import BillNumber, Listed, Outcome, Repeat, State, Target, key_of
from k3push.core.pacing.samples import PaceStep, Setting
from k3push.core.remark import remark
from k3push.reporting.audit_files import write_audit
from k3push.reporting.audit_findings import new_findings
from k3push.reporting.report import Gatherer, write_report
from k3push.runs.kept_in_ledger.row_pages import FollowedRow
from k3push.runs.stop import Cause
from k3push.words.language import Lang, speaker
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.accessibility import barriers
from tests.reporting.pages import NOON, RUN, ending, filled, in_doubt, lost, number
from tests.reporting.test_audit_files import found
from tests.shares import shared_out

CHROMIUM = next(
    (path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/google-chrome")) if path.exists()),
    None,
)
LIGHTS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
UNSAFE = "<img src=x onerror=\"document.title='run'\">"
REFUSED = {
    3: ("11", f"单据编号为“{number(3)}”的采购订单未审核"),
    5: ("11", f"单据编号为“{number(5)}”的采购订单未审核"),
    8: ("4", "=1+1，数据有误"),
    9: ("4", UNSAFE),
}


# Playwright's own loop is asyncio's, and two of these do not go together in one thread.
in_trio = partial(anyio.run, backend="trio")


def write(ledger: MemoryLedger, path: Path, lang: Lang = "en") -> str:
    """Write the page of a run, and return it."""

    async def written() -> None:
        await write_report(ledger, await ending(ledger), path, speaker(lang), now=NOON)

    in_trio(written)
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "CI installs Chromium"
        pytest.skip("there is no Chromium")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of twelve numbers, of which four are rejected, one settled and one evil."""
    ledger = in_trio(filled, 12, REFUSED, {10: UNSAFE, 11: "=cmd|'/C calc'!A0"})
    in_trio(lost, ledger, "CGDD-LOST")
    write(ledger, tmp_path / "report.html")
    yield from opened(browser, tmp_path / "report.html")


def opened(browser: Browser, path: Path, width: int = 1280, **options: Any) -> Iterator[Page]:
    """Open a page; it may ask the network for nothing, and no script of it may fail."""
    view = ViewportSize(width=width, height=900)
    context = browser.new_context(viewport=view, accept_downloads=True, **options)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on(
        "request", lambda asked: None if asked.url == path.as_uri() else faults.append(asked.url)
    )
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    title = page.title()
    yield page
    assert page.title() == title, "a text of a bill ran as a script"
    assert [fault for fault in faults if not fault.startswith("blob:")] == []
    context.close()


def numbers(page: Page) -> list[str]:
    """Return the numbers that the table shows."""
    return page.locator("#rows .row > :nth-child(2)").all_text_contents()


# -- the file -------------------------------------------------------------------------------------


def test_a_page_stands_alone(tmp_path: Path) -> None:
    """It is opened from a mail at home, without a network and without k3push."""
    text = write(in_trio(filled, 3), tmp_path / "report.html")
    assert re.findall(r"(?:src|href)=|url\(|@import|https?:", text) == []
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_page_is_for_its_owner(tmp_path: Path) -> None:
    """It holds the company's bills."""
    write(in_trio(filled, 1), tmp_path / "report.html")
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up must not take the report of last night along."""
    (tmp_path / "report.html").write_text("last night")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("k3push.reporting.report._write", full)
    with pytest.raises(OSError, match="No space"):
        write(in_trio(filled, 1), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "last night"


def test_the_steps_of_the_pace_stand_on_the_page(tmp_path: Path) -> None:
    """Whoever asks why a night was slow finds what was tried, and why."""
    step = PaceStep(12.5, Setting(8, 50), "more calls would only wait <b>")

    async def written() -> None:
        ledger = await filled(3)
        told = replace(await ending(ledger), pace=[step])
        path = tmp_path / "report.html"
        await write_report(ledger, told, path, speaker("en"), now=NOON)

    in_trio(written)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "12.5 s: 8 calls at once × 50 numbers (more calls would only wait &lt;b&gt;)" in text


def test_why_a_run_stopped_is_told_as_everywhere(tmp_path: Path) -> None:
    """With what to do about it; the page had the bare words of a library."""

    async def written() -> None:
        ledger = await filled(3)
        why = "http://erp/: ConnectError: refused"
        told = replace(await ending(ledger), causes={Cause.UNREACHABLE: why})
        path = tmp_path / "report.html"
        await write_report(ledger, told, path, speaker("en"), now=NOON)

    in_trio(written)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "Check erp.url and the network" in text


def test_a_doubt_that_no_look_settles_is_left_to_a_person(tmp_path: Path) -> None:
    """Who is told to ask the ERP asks it in vain, and the summary says so."""

    async def written() -> None:
        ledger = await filled(3)
        await in_doubt(ledger, "CGDD-LOST")
        told = replace(await ending(ledger), causes={Cause.PERSON: remark("why.person", count=1)})
        path = tmp_path / "report.html"
        await write_report(ledger, told, path, speaker("en"), now=NOON)

    in_trio(written)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert ("no look can tell" in text, "asks the ERP" in text) == (True, False)


def test_a_repeat_is_told_with_its_file_where_there_are_several(tmp_path: Path) -> None:
    """Lines are counted anew in each file, so that "line 2 repeats line 2" says nothing."""
    run = replace(RUN, jobs=("a.csv", "b.csv"))
    repeat = Repeat(2, number(0), 2, place=3, first_place=1)

    async def written() -> None:
        ledger = await filled(3)
        told = replace(await ending(ledger), run=run, repeats=[repeat], listed=(2, 1))
        await write_report(ledger, told, tmp_path / "report.html", speaker("en"), now=NOON)

    in_trio(written)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "b.csv, line 2: CGDD0000000 repeats a.csv, line 2" in text


def test_a_run_without_numbers_has_a_page(tmp_path: Path) -> None:
    """Nothing to show is shown as such, and is no crash at the end of a run."""
    text = write(in_trio(filled, 0), tmp_path / "report.html")
    assert "<svg" not in text


def test_a_page_holds_no_more_rows_than_a_browser_bears() -> None:
    """A million refusals are counted by what they say, and the ledger has them all."""
    refused = {index: ("11", f"单据编号为“{number(index)}”的采购订单未审核") for index in (1, 2, 3)}
    rows = in_trio(in_trio(filled, 6, refused).rows, RUN.id)
    out = io.StringIO()
    gatherer = Gatherer(len(rows), out, speaker("en"), most_rows=2)
    gatherer.rows(list(map(FollowedRow, rows)))
    gatherer.close()
    packed = zlib.decompress(base64.b64decode(out.getvalue()), wbits=31)
    shown = [json.loads(line)[2] for line in packed.splitlines()]
    assert shown == [number(1), number(2)]
    assert gatherer.left_out == 4
    assert gatherer.clusters.total == 3


# -- in a browser ---------------------------------------------------------------------------------


def test_texts_of_bills_are_never_markup(page: Page) -> None:
    """A bill number or a message is written by whoever writes bills."""
    assert UNSAFE in numbers(page)
    assert "<img src=x" in page.locator(".clusters").inner_text()
    assert page.locator("img").count() == 0
    page.locator("#rows .row", has_text=UNSAFE).first.click()
    assert "</script><b>" in page.locator("#evidence").inner_text()


def test_no_number_changes_the_order_of_a_line(browser: Browser, tmp_path: Path) -> None:
    """A control in it would make one bill look like another; a saved list has it as it is."""
    turned = "CGDD\u202e100"
    write(in_trio(filled, 2, None, {1: turned}), tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html"):
        assert numbers(page) == [number(0), "CGDD[U+202E]100"]
        page.locator("#rows .row").nth(1).click()
        assert "CGDD[U+202E]100" in page.locator("#evidence h2").inner_text()
        page.keyboard.press("Escape")
        with page.expect_download() as download:
            page.click("#save")
        assert turned in Path(download.value.path()).read_text("utf-8-sig")


def test_search_and_states_narrow_the_table(page: Page) -> None:
    """An administrator is asked about one bill, or about all that failed."""
    assert len(numbers(page)) == 13
    page.fill("#search", "cgrk0000002")
    assert numbers(page) == [number(2)]
    assert page.locator("#found").inner_text() == "1 number"
    page.fill("#search", "")
    page.click("button[data-state=rejected]")
    assert numbers(page) == [number(3), number(5), number(8), number(9)]
    assert page.locator("#found").inner_text() == "4 numbers"


def test_a_heading_sorts(page: Page) -> None:
    """Whoever compares with another list sorts by number."""
    page.click("button[data-by='1']")
    up = numbers(page)
    page.click("button[data-by='1']")
    assert (up, numbers(page)) == (sorted(up), sorted(up)[::-1])


def test_the_evidence_of_a_number_is_a_click_away(page: Page) -> None:
    """What was sent, what came back, and what was found out later, in the order of time."""
    page.locator("#rows .row", has_text="CGDD-LOST").click()
    told = page.locator("#evidence").inner_text()
    assert told.index("the connection broke") < told.index("settled by a look")
    assert "CGRK-LATE" in told
    page.keyboard.press("Escape")
    page.locator("#rows .row").nth(0).focus()
    page.keyboard.press("Enter")
    assert 'HTTP 200  {"Result":"完成' in page.locator("#evidence").inner_text()


def test_a_cluster_shows_its_numbers_and_makes_a_job_file(page: Page) -> None:
    """312 numbers with one cause are mended together and pushed together."""
    first = page.locator(".clusters tbody tr").first
    assert first.locator("td").first.inner_text() == "2"
    assert "approve it" in first.inner_text()
    first.locator("button[data-show]").click()
    assert numbers(page) == [number(3), number(5)]
    with page.expect_download() as download:
        first.locator("button[data-save]").click()
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["number", number(3), number(5)]


def test_no_cell_of_a_saved_list_starts_a_formula(page: Page) -> None:
    """It is opened in Excel a minute later."""
    with page.expect_download() as download:
        page.click("#save")
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    cells = [cell for row in rows for cell in row]
    assert "'=cmd|'/C calc'!A0" in cells
    assert "'=1+1，数据有误" in cells
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []


def test_a_saved_list_is_a_job_file(browser: Browser, tmp_path: Path) -> None:
    """The mark against formulas was taken for a part of the number, and the list was refused."""
    names = ["=1+1", "'=1+1", "-7", "CGDD1", "'8"]
    write(in_trio(filled, 5, {}, dict(enumerate(names))), tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html"):
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(tmp_path / "saved.csv")
    assert [each.number for each in read_job(tmp_path / "saved.csv")] == names


def test_a_bill_and_a_draft_without_numbers_are_named_on_paper(
    browser: Browser, tmp_path: Path
) -> None:
    """Their cells were empty there, though the table on the screen had their ids."""

    async def ledger_of_ids() -> MemoryLedger:
        ledger = await filled(1)
        bill = key_of("", "100017")
        await ledger.add(RUN.id, [Listed(9, BillNumber(""), id="100017")])
        draft = Outcome(bill, State.ALREADY, (Target("200017", "", draft=True),))
        await ledger.conclude(RUN.id, [draft], at=NOON, note="")
        return ledger

    write(in_trio(ledger_of_ids), tmp_path / "report.html", "zh")
    for page in opened(browser, tmp_path / "report.html"):
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        cells = page.locator("#printed tbody tr").first.locator("td").all_text_contents()
        assert cells[:4] == ["9", "id 100017", "此前已下推", "200017"]
        page.locator("#rows .row", has_text="100017").click()
        assert page.locator("#evidence-name").inner_text() == "id 100017 · 此前已下推"


def test_a_reason_that_narrows_the_table_is_named_until_all_is_asked_for(page: Page) -> None:
    """Whoever forgets it would miss the others."""
    assert not page.locator("#filter").is_visible()
    for clear in ("#all", "button[data-state='']"):
        page.locator(".clusters button[data-show]").first.click()
        assert "的采购订单未审核" in page.locator("#filter").inner_text()
        everything = page.locator("button[data-state='']")
        assert everything.get_attribute("aria-pressed") == "false"
        page.click("button[data-state=rejected]")
        assert numbers(page) == [number(3), number(5)]
        page.click(clear)
        assert not page.locator("#filter").is_visible()
        page.click("button[data-state='']")
        assert len(numbers(page)) == 13
        assert everything.get_attribute("aria-pressed") == "true"


def test_what_needs_a_person_stands_before_figures_and_plots(page: Page) -> None:
    """It is why the page is opened."""
    places = [
        page.locator(each).first.bounding_box()
        for each in (".verdict", ".clusters", ".tiles", ".facts", ".charts", "#rows")
    ]
    tops = [place["y"] for place in places if place]
    assert len(tops) == 6
    assert tops == sorted(tops)


def test_few_states_take_little_room(browser: Browser, tmp_path: Path) -> None:
    """One figure does not need the width of a screen."""
    write(in_trio(filled, 3), tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html"):
        (tile,) = [each.bounding_box() for each in page.locator(".tile").all()]
        assert tile is not None
        assert tile["width"] < 200


def test_groups_stand_upon_one_another_on_a_telephone(browser: Browser, tmp_path: Path) -> None:
    """Five columns side by side are five syllables wide."""
    write(in_trio(filled, 12, REFUSED), tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html", 390):
        cells = page.locator(".clusters tbody tr").first.locator("td").all()
        places = [place for cell in cells if (place := cell.bounding_box())]
        assert len(places) == 5
        assert len({place["x"] for place in places}) == 1
        ends = [place["y"] + place["height"] for place in places]
        assert all(end <= place["y"] for end, place in zip(ends, places[1:], strict=False))
        assert "cause the source bill is not approved" in " ".join(
            page.evaluate(LABELLED, ".clusters tbody tr:first-child td")
        )


def test_what_an_audit_found_stands_upon_one_another_on_a_telephone(
    browser: Browser, tmp_path: Path
) -> None:
    """Eight columns side by side are three letters wide."""
    with new_findings() as findings:
        findings.begin("po-instock")
        path = tmp_path / "audit.html"
        in_trio(write_audit, found(findings), path, speaker("en"))
    page = browser.new_page(viewport=ViewportSize(width=390, height=900))
    page.goto(path.as_uri())
    cells = page.locator(".audit tbody tr").first.locator("th, td").all()
    places = [place for cell in cells if (place := cell.bounding_box())]
    assert len({place["x"] for place in places}) == 1
    assert all(place["width"] > 300 for place in places)
    said = page.evaluate(LABELLED, ".audit tbody tr:first-child td")
    assert "expected 1 / 2" in " ".join(said)
    page.close()


@pytest.mark.parametrize("width", shared_out([1280, 390], 2))
def test_nothing_bars_the_way(browser: Browser, tmp_path: Path, width: int) -> None:
    """Also those read it who see little, hear it, or have no mouse."""
    ledger = in_trio(filled, 12, REFUSED)
    in_trio(lost, ledger, "CGDD-LOST")
    write(ledger, tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html", width):
        for light in LIGHTS:
            page.emulate_media(color_scheme=light)
            assert barriers(page) == []
        page.locator(".clusters button[data-show]").first.click()
        page.locator("#rows .row").first.click()
        for light in LIGHTS:
            page.emulate_media(color_scheme=light)
            assert barriers(page) == []


@pytest.mark.parametrize("width", shared_out([1280, 390], 2))
def test_nothing_bars_the_way_to_an_audit(browser: Browser, tmp_path: Path, width: int) -> None:
    """It is a page of its own, for the same readers."""
    with new_findings() as findings:
        findings.begin("po-instock")
        path = tmp_path / "audit.html"
        in_trio(write_audit, found(findings), path, speaker("en"))
    page = browser.new_page(viewport=ViewportSize(width=width, height=900))
    page.goto(path.as_uri())
    for light in LIGHTS:
        page.emulate_media(color_scheme=light)
        assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overflows(browser: Browser, tmp_path: Path, width: int) -> None:
    """A page that scrolls sideways hides its last column."""
    long = {1: ("4", "很长的原因" * 60), 2: ("4", "x" * 400)}
    ledger = in_trio(filled, 6, long, {4: "N" * 80})
    write(ledger, tmp_path / "report.html", "zh")
    for page in opened(browser, tmp_path / "report.html", width):
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#printed .state").all_text_contents() == ["被拒绝"] * 2
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_on_paper_stands_what_a_person_has_to_look_at(page: Page) -> None:
    """Nobody prints 900 bills that went well."""
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = page.locator("#printed tbody tr")
    assert printed.locator(":nth-child(2)").all_text_contents() == [
        number(index) for index in sorted(REFUSED)
    ]
    assert printed.last.inner_text() == "and 9 numbers that are not printed"
    assert not page.locator("#search").is_visible()
    assert page.locator("svg").first.is_visible()


def test_paper_is_white_at_night_too(browser: Browser, tmp_path: Path) -> None:
    """Nobody prints a black page."""
    write(in_trio(filled, 3), tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html", color_scheme="dark"):
        paper = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) == "rgb(21, 27, 34)"
        page.emulate_media(media="print")
        assert page.evaluate(paper) == "rgb(255, 255, 255)"


# The name of a cell as its style shows it, and what stands in it.
LABELLED = """cells => [...document.querySelectorAll(cells)].map(cell => {
    const name = getComputedStyle(cell, "::before").content;
    return (name === "none" ? "" : cell.dataset.name + " ") + cell.textContent.trim();
})"""

SEARCH = """() => {
    const box = document.getElementById("search"), began = performance.now();
    box.value = "cgdd0099";
    box.dispatchEvent(new Event("input"));
    return performance.now() - began;
}"""


@pytest.mark.more
def test_a_hundred_thousand_rows_stay_quick(browser: Browser, tmp_path: Path) -> None:
    """A migration is looked at in the same page; only the rows in sight are drawn."""
    refused = {index: ("11", f"单据{number(index)}未审核") for index in range(0, 100_000, 50)}
    write(in_trio(filled, 100_000, refused), tmp_path / "report.html")
    for page in opened(browser, tmp_path / "report.html"):
        assert page.locator("#rows .row").count() < 60
        took_ms = page.evaluate(SEARCH)
        assert page.locator("#found").inner_text() == "1,000 numbers"
        # A tenth of a second is felt as at once; here a browser shares two cores with tests.
        assert took_ms < 1000
