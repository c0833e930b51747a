"""The pictures of the documents: the report and the dashboard of real runs, in a real browser.

While the dashboard is open, somebody pauses the run, sets its calls at once and lets it go on; so
the block of the dashboard's page comes from here as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from k3push.words.language import Lang
from tests.cli.terminal import until
from tests.documents.pages import CHINESE, DOCS, Page, page
from tests.documents.playing import Clone, Played, renewed
from tests.reporting.test_report import CHROMIUM

WIDTH = 960
REPORT_HEIGHT = 935
DASHBOARD_HEIGHT = 820

# Long enough to be watched, with refusals among the good.
SANDBOX = "k3push sandbox --port 8100 --latency 0.4 --faults refusals"
RUN = "k3push run batches/list500.txt --yes --concurrency 4 --chunk-size 10 --halt ''"
WORTH_SEEING = 120  # documents


def take(lang: Lang, folder: Path) -> Page:
    """Take the pictures of one language, and return the dashboard's page, which shows its log."""
    to = (CHINESE if lang == "zh" else DOCS) / "pictures"
    to.mkdir(exist_ok=True)
    shown = page("guides/dashboard.md", lang)
    with Clone(folder, lang) as clone, _browser() as browser:
        _take_report(clone, browser, to / "report.png", lang)
        log = _take_dashboard(clone, browser, to / "dashboard.png", lang)
    block = next(each for each in shown.blocks if each.lang == "console")
    shown.path.write_text(renewed(shown, [Played(block, log)], all_blocks=True), "utf-8")
    return shown


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


def _take_report(clone: Clone, browser: Browser, to: Path, lang: Lang) -> None:
    clone.type("k3push demo --quiet")
    (report,) = clone.top.glob("k3push-demo/results/*/report.html")
    window = browser.new_page(
        viewport={"width": WIDTH, "height": REPORT_HEIGHT}, locale=_locale(lang)
    )
    window.goto(report.as_uri())
    window.screenshot(path=to)
    window.close()


def _take_dashboard(clone: Clone, browser: Browser, to: Path, lang: Lang) -> str:
    """Take the page of a run that goes on, and return what the dashboard has printed."""
    clone.type(SANDBOX)
    run = clone.begin(RUN)
    until(lambda: clone.made() >= WORTH_SEEING)
    serve = clone.begin("k3push serve", on_terminal=True)
    until(lambda: "Ctrl-C" in serve.output)
    found = re.search(r"http://\S+", serve.output)
    assert found is not None
    window = browser.new_page(
        viewport={"width": WIDTH, "height": DASHBOARD_HEIGHT}, locale=_locale(lang)
    )
    window.goto(found[0])
    window.locator(".runs tbody a").first.click()
    window.locator("#standing .tile.pushed b").wait_for()
    window.locator("svg").first.wait_for()
    window.screenshot(path=to)
    for press in (
        "button[name=words][value=pause]",
        "form.dial:first-of-type button",
        "button[name=words][value=continue]",
    ):
        if "dial" in press:
            window.locator("form.dial:first-of-type input:not([type=hidden])").fill("8")
        said = serve.output.count("command.given")
        window.locator(press).first.click()
        until(lambda said=said: serve.output.count("command.given") > said)  # type: ignore[misc]
    window.close()
    serve.typed("\x03")
    serve.end()
    run.end()
    return f"$ k3push serve\n{clone.shown(serve.output.partition('^C')[0])}"


def _locale(lang: Lang) -> str:
    return "zh-CN" if lang == "zh" else "en-US"
