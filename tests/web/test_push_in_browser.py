"""A push from the list to the results by two people, with nothing but a browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it has no types of its own
from playwright.sync_api import Browser, Locator, Page, expect

from k3push.words.language import Lang, Say, speaker
from tests.cli.terminal import PATIENT, Desk, Sandbox, assert_all_once, orders
from tests.shares import shared_out
from tests.web.server import Served
from tests.web.windows import opened

pytestmark = pytest.mark.halved

NUMBERS = orders(75)
REFUSED = NUMBERS[-3:]  # far behind the pause and the kill

# One number a call, so that a refusal concerns it alone; the second time, it passes.
SCRIPT = "".join(
    f'[[bill]]\nnumber = "{number}"\nfault = "msgcode-4"\nonce = true\n' for number in REFUSED
)
LINES = PATIENT | {"halt": 'halt = "fail=20%,min=50"\nchunk_size = 1\nconcurrency = 2'}
SECRETS = {"wang": "wang wang wang", "li": "li li li li"}
YEARLY = '\n[schedules.yearly]\ncron = "30 2 1 1 *"\njobs = "select"\n'
PEOPLE = "\n[serve]\nfour_eyes = true\n" + "".join(
    f'passwords.{user} = "{secret}"\nroles.{user} = "approve"\n' for user, secret in SECRETS.items()
)


def workbook(path: Path, cells: Sequence[str | float]) -> Path:
    """Write a workbook with a column of numbers, and one of remarks."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("采购订单")
        sheet.write_row(0, 0, ["单据编号", "备注"])
        for row, cell in enumerate(cells, start=1):
            sheet.write_row(row, 0, [cell, "急"])
    return path


@dataclass
class Person:
    """Somebody at a browser, who reads one language.

    Attributes:
        width: Of the window, in points.
    """

    page: Page
    base: str
    name: str
    say: Say
    width: int

    def sign_in(self) -> None:
        """Sign in by name."""
        if "/login" not in self.page.url:
            self.page.goto(self.base)
        self.page.get_by_label(self.say("web.user_name")).fill(self.name)
        self.page.get_by_label(self.say("web.password")).fill(SECRETS[self.name])
        self.press("web.sign_in")
        expect(self.page.locator("header")).to_contain_text(self.say("web.user", user=self.name))

    def press(self, key: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=self.say(key), exact=True).click()

    def send(self, path: Path) -> None:
        """Choose a list, and have it looked at."""
        self.page.get_by_label(self.say("desk.file"), exact=True).set_input_files(path)
        self.press("desk.look")

    def looks_around(self) -> None:
        """See that nobody has to scroll sideways."""
        # A page that comes in the place of another has no element for a moment.
        width = self.page.wait_for_function("document.documentElement?.scrollWidth")
        assert width.json_value() == self.width, self.page.url

    def sees(self, place: str | Locator, key: str, **facts: Any) -> None:
        """See a sentence at a place."""
        where = self.page.locator(place) if isinstance(place, str) else place
        expect(where).to_contain_text(self.say(key, **facts))


@pytest.mark.timeout(400)  # minutes on a busy machine
@pytest.mark.parametrize(
    ("lang", "width"), shared_out([("en", 1280), ("zh", 390)], 2, normal=0, of_more=1)
)
def test_two_people_push_a_list_through_a_kill(
    browser: Browser, desk: Desk, lang: Lang, width: int
) -> None:
    """From an Excel file with bad lines to the table of all documents; each is made once."""
    locale = {"en": "en-US", "zh": "zh-CN"}[lang]
    view = {"locale": locale, "viewport": {"width": width, "height": 800}}
    faults = desk.write("faults.toml", SCRIPT)
    with Sandbox(desk.folder, "--latency", "0.1", "--faults", faults) as sandbox:
        desk.configure(sandbox.url, lines=LINES, more=PEOPLE + YEARLY)
        with ExitStack() as stack:
            served = stack.enter_context(Served(desk, "--work"))
            wang, li = (
                Person(
                    stack.enter_context(opened(browser, served.base, **view)),
                    served.base,
                    name,
                    speaker(lang),
                    width,
                )
                for name in SECRETS
            )
            wang.sign_in()
            plan(wang, desk.folder)
            assert sandbox.made() == 0
            li.sign_in()
            approve_and_pause(li, sandbox)
            see_it_paused(wang, sandbox)
            served.kill()
            expect(wang.page.locator("#offline")).to_be_visible()
            port = served.base.rpartition(":")[2]
            stack.enter_context(Served(desk, "--work", "--port", port))
            see_it_go_on(wang)
            rows = retry_and_take_away(wang)
        assert_all_once(rows, sandbox.truth(), NUMBERS)


def test_what_was_typed_before_a_session_ended_is_there_after_signing_in(
    browser: Browser, desk: Desk
) -> None:
    """Each start of the server ends all sessions; a pasted list is sent once more, not typed."""
    desk.configure("http://127.0.0.1:9/K3Cloud/", more=PEOPLE)
    with Served(desk, "--work") as served, opened(browser, served.base, locale="en-US") as page:
        wang = Person(page, served.base, "wang", speaker("en"), 1280)
        wang.sign_in()
        page.get_by_role("link", name=wang.say("desk.push")).click()
        typed = page.locator("#text")
        typed.fill("CGDD0000001\nCGDD0000002")
        page.context.clear_cookies()
        wang.press("desk.look")
        expect(page).to_have_url(re.compile(r"/login\?next=%2Fpush&ended=1$"))
        wang.sees("main", "web.session_ended")
        wang.sign_in()
        expect(typed).to_have_value("CGDD0000001\nCGDD0000002")
        page.get_by_role("link", name="k3push").first.click()
        page.get_by_role("link", name=wang.say("desk.push")).click()
        expect(typed).to_have_value("")


def test_what_one_person_has_typed_is_not_there_for_the_next(browser: Browser, desk: Desk) -> None:
    """People share a computer, and a list that was sent is not sent again by itself."""
    desk.configure("http://127.0.0.1:9/K3Cloud/", more=PEOPLE)
    with Served(desk, "--work") as served, opened(browser, served.base, locale="en-US") as page:
        wang, li = (Person(page, served.base, name, speaker("en"), 1280) for name in ("wang", "li"))
        typed, faulty = page.locator("#text"), "CGDD0000001,CGDD0000002"

        def push_page() -> None:
            page.get_by_role("link", name=wang.say("desk.push")).click()

        wang.sign_in()
        push_page()
        typed.fill(faulty)
        wang.press("desk.look")
        expect(page).to_have_url(re.compile(r"/push\?id="))
        expect(typed).to_have_value(faulty)
        push_page()
        expect(typed).to_have_value("")
        typed.fill(faulty)
        wang.press("desk.look")
        expect(page).to_have_url(re.compile(r"/push\?id="))
        wang.press("web.leave")
        li.sign_in()
        push_page()
        expect(typed).to_have_value("")
        typed.fill(faulty)
        page.context.clear_cookies()
        li.press("desk.look")
        expect(page).to_have_url(re.compile(r"/login"))
        wang.sign_in()
        expect(page).to_have_url(re.compile(r"/push$"))
        expect(typed).to_have_value("")


def plan(wang: Person, folder: Path) -> None:
    """Bad lines are named, the mended list is planned, and its planner may not approve it."""
    wang.looks_around()
    wang.page.get_by_role("link", name=wang.say("desk.schedules")).click()
    wang.looks_around()
    wang.page.get_by_role("link", name=wang.say("desk.push")).click()
    wang.looks_around()
    bad: list[str | float] = [NUMBERS[0], 12.5, f"{NUMBERS[1]},{NUMBERS[2]}", ""]
    wang.send(workbook(folder / "orders.xlsx", bad))
    troubles = wang.page.get_by_role("alert").get_by_role("listitem")
    expect(troubles).to_have_count(3)
    for trouble, line in zip(troubles.all(), (3, 4, 5), strict=True):
        wang.sees(trouble, "job.at_line", line=line)
    wang.looks_around()
    wang.send(workbook(folder / "orders.xlsx", NUMBERS))
    expect(wang.page.locator(".tile.fate-ready b")).to_have_text(str(len(NUMBERS)))
    wang.sees(".decide", "desk.approve_other", by="wang")
    approves = wang.page.get_by_role("button", name=wang.say("desk.approve"))
    expect(approves).to_have_count(0)
    wang.looks_around()


def approve_and_pause(li: Person, sandbox: Sandbox) -> None:
    """What waits for somebody stands on top of the first page."""
    waiting = li.page.locator("section", has_text=li.say("desk.needing"))
    waiting.get_by_role("link").first.click()
    with sandbox.stopping(made=6):  # the run must not end before a slow page can pause it
        li.press("desk.approve")
        li.page.wait_for_url("**/runs/*")
        while not sandbox.made():
            li.page.wait_for_timeout(50)
        li.press("web.pause")
        li.sees("#standing .held", "hold.control", since="")
        li.sees(".acts", "desk.act.approved")


def see_it_paused(wang: Person, sandbox: Sandbox) -> None:
    """The page of the plan leads to the run by itself; nothing more leaves after a pause."""
    wang.page.locator("main li a").click()
    wang.sees("#standing .held", "hold.control", since="")
    expect(wang.page.get_by_role("button", name=wang.say("web.continue"))).to_be_visible()
    assert 0 < sandbox.made() < len(NUMBERS)
    wang.looks_around()


def see_it_go_on(wang: Person) -> None:
    """The next server knows nobody's session, and takes up its runs by itself."""
    wang.page.wait_for_url("**/login?next=*")
    wang.sign_in()
    expect(wang.page).to_have_url(re.compile(r"/runs/"))  # the page that was open
    wang.sees(".verdict", "summary.exit", code=3, what="")
    expect(wang.page.locator(".tile.rejected b")).to_have_text(str(len(REFUSED)))
    wang.looks_around()


def retry_and_take_away(wang: Person) -> list[dict[str, str]]:
    """The refused are tried once more; all rows are read from what was downloaded."""
    wang.press("desk.retry_cause")
    wang.sees(".verdict", "summary.exit", code=0, what="")
    for name in SECRETS:
        expect(wang.page.locator(".acts")).to_contain_text(name)
    with wang.page.expect_download() as taken:
        wang.page.get_by_role("link", name=wang.say("desk.all_csv")).click()
    text = Path(taken.value.path()).read_text("utf-8-sig")
    wang.looks_around()
    run = wang.page.url
    wang.press("web.leave")
    wang.page.goto(run)
    expect(wang.page.get_by_label(wang.say("web.password"))).to_be_visible()
    return list(csv.DictReader(io.StringIO(text)))
