"""The tutorial's chapter without the command line, followed in a fresh clone in both languages.

What is pressed, pasted and chosen is read from the page, so that it names what is really there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Window

from k3push.words.language import Lang, Say, speaker
from tests.cli.terminal import until
from tests.documents.pages import Page, page
from tests.documents.playing import Clone
from tests.shares import shared_out
from tests.web.windows import opened

pytestmark = pytest.mark.halved

CHAPTER = 11

# What is printed in bold: buttons and links, in the order in which the chapter names them first.
PRESSED = ("desk.push", "desk.look", "desk.approve", "desk.retry_all")


def chapter(tutorial: Page) -> str:
    """Return the text of the chapter."""
    found = re.search(rf"^## {CHAPTER}\. .*?(?=^## )", tutorial.text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.timeout(400)  # minutes on a busy machine
@pytest.mark.parametrize("lang", shared_out(["en", "zh"], 2))
def test_the_chapter_without_the_command_line_can_be_followed(
    browser: Browser, tmp_path: Path, lang: Lang
) -> None:
    """Step by step, with nothing but a browser once the server runs beside the sandbox."""
    tutorial, say = page("tutorial.md", lang), speaker(lang)
    text = chapter(tutorial)
    bold = list(dict.fromkeys(re.findall(r"\*\*([^*]+)\*\*", text)))
    assert bold == [say(key) for key in PRESSED]
    locale = {"en": "en-US", "zh": "zh-CN"}[lang]
    with Clone(tmp_path, lang) as clone:
        clone.type("k3push sandbox --port 8100")
        serve = clone.begin("k3push serve --work --port 0", on_terminal=True)
        until(lambda: "Ctrl-C" in serve.output)
        (address,) = re.findall(r"http://\S+", serve.output)
        base = "/".join(address.split("/")[:3])
        with opened(browser, base, locale=locale) as window:
            window.goto(address)
            reader = Reader(window, say, *bold)
            (bad,) = set(re.findall(r"`(batches/faulty/[^`]+)`", text))
            (pasted,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
            reader.plans(clone.top / bad, pasted)
            assert clone.made() == 0
            reader.approves()
            reader.takes_results_away(pasted.split()[-1])
            reader.finds(pasted.split()[1])
        serve.typed("\x03")
        assert serve.end() == 0


@dataclass
class Reader:
    """Somebody who does what the chapter says, at a browser.

    Attributes:
        push: What is pressed, as the chapter calls it; so are the others.
    """

    window: Window
    say: Say
    push: str
    look: str
    approve: str
    retry: str

    def press(self, name: str) -> None:
        """Press a button."""
        self.window.get_by_role("button", name=name, exact=True).click()

    def plans(self, bad: Path, pasted: str) -> None:
        """Send a list that cannot be used, then paste a good one."""
        window, say = self.window, self.say
        window.get_by_role("link", name=self.push).click()
        window.get_by_label(say("desk.file"), exact=True).set_input_files(bad)
        self.press(self.look)
        trouble = window.get_by_role("alert").get_by_role("listitem")
        expect(trouble).to_contain_text(say("job.at_line", line=2))
        window.get_by_label(say("desk.text"), exact=True).fill(pasted)
        self.press(self.look)
        expect(window.locator(".tile.fate-ready b")).to_have_text("2")
        expect(window.locator(".tile.fate-blocked b")).to_have_text("1")

    def approves(self) -> None:
        """Two are pushed, and one is rejected, also when it is tried once more."""
        window, say = self.window, self.say
        self.press(self.approve)
        window.wait_for_url("**/runs/*")
        ended = say("summary.exit", code=3, what="").strip()
        expect(window.locator(".verdict")).to_contain_text(ended)
        expect(window.locator(".tile.pushed b")).to_have_text("2")
        self.press(self.retry)
        retried = say("desk.act.retry_all")
        expect(window.locator(".acts")).to_contain_text(retried)
        expect(window.locator(".tile.rejected b")).to_have_text("1")

    def takes_results_away(self, refused: str) -> None:
        """See why a bill was refused, and download what the page of the run offers."""
        window, say = self.window, self.say
        window.get_by_role("link", name=refused, exact=True).first.click()
        expect(window.get_by_role("heading", level=1)).to_have_text(refused)
        window.go_back()
        rejected = say("desk.state_list", state=say("state.rejected"))
        for name in (say("desk.all_xlsx"), rejected, say("desk.report")):
            with window.expect_download() as download:
                window.get_by_role("link", name=name, exact=True).click()
            assert Path(download.value.path()).stat().st_size

    def finds(self, number: str) -> None:
        """Find a bill by its number, and by its last four digits."""
        for words in (number, number[-4:]):
            self.window.get_by_role("searchbox").fill(words)
            self.window.keyboard.press("Enter")
            expect(self.window.locator("main")).to_contain_text(number)
