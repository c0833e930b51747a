"""The dashboard as a person clicks through it, in a real browser, beside a real run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest
from playwright.sync_api import Browser, expect

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import BillNumber, Listed, Outcome, State
from tests.adapters.ledger.samples import identified
from tests.cli.terminal import Desk, Sandbox, assert_all_once, end, orders, until
from tests.reporting.accessibility import barriers
from tests.reporting.pages import NOON, RUN
from tests.web.server import Serve, Served
from tests.web.windows import entered, opened

UNSAFE = '"><img src=x onerror="document.title=\'run\'">'
NUMBERS = orders(120)


def fill(desk: Desk) -> None:
    """Make a ledger of one ended run without an ERP: evil texts, and one number in doubt."""

    async def filled() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            await ledger.open_run(replace(RUN, scope="sandbox|po|in"))
            names = [BillNumber(name) for name in (*orders(300), UNSAFE)]
            await ledger.add(RUN.id, [Listed(line, name) for line, name in enumerate(names, 2)])
            await ledger.identify(RUN.id, identified({name: name for name in names}))
            long = "很长的原因" * 60
            reasons = {2: UNSAFE, 3: long, 4: "x" * 400, 300: UNSAFE}
            outcomes = [
                Outcome(names[at], State.REJECTED, (), "4", why) for at, why in reasons.items()
            ]
            await ledger.conclude(RUN.id, outcomes, at=NOON)
            await ledger.end_run(RUN.id, 3, NOON)

    anyio.run(filled, backend="trio")


@dataclass(frozen=True)
class Night:
    """A dashboard over a ledger of one ended run, and the session of who has entered it."""

    base: str
    session: Any

    def opened(self, browser: Browser, width: int = 1280, **options: Any) -> Any:
        """Open a window of the session."""
        view = {"width": width, "height": 900}
        options = {"locale": "en-US", "viewport": view, "storage_state": self.session, **options}
        return opened(browser, self.base, **options)


@pytest.fixture(scope="module")
def night(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A dashboard that all may look at who change nothing."""
    desk = Desk(tmp_path_factory.mktemp("night")).configure("http://127.0.0.1:9/K3Cloud/")
    fill(desk)
    with Served(desk) as served:
        with entered(browser, served) as page:
            session = page.context.storage_state()
        yield Night(served.base, session)


def test_a_person_finds_a_refused_number_and_its_cause(browser: Browser, night: Night) -> None:
    """From the printed address to the one bill somebody asks about; evil texts stay texts."""
    with night.opened(browser) as page:
        page.goto(night.base)
        page.get_by_role("link", name=RUN.id).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Push-down run {RUN.id}")
        page.locator("a.choice", has_text="rejected").click()
        rows = page.locator(".rows-list tbody tr")
        expect(rows).to_have_count(4)
        expect(rows.last).to_contain_text(UNSAFE)
        page.get_by_role("searchbox").fill(UNSAFE)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(UNSAFE)
        expect(page.locator("main")).to_contain_text("It was never sent.")
        assert page.locator("img").count() == 0
        assert page.title() == f"{UNSAFE} · k3push"
        page.get_by_role("searchbox").fill("CGDX")
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_role("alert")).to_contain_text("CGDX is in no run")


def test_how_a_run_stands_stays_in_sight_on_a_telephone(browser: Browser, night: Night) -> None:
    """Whoever reads its hundredth row sees that it goes on."""
    with night.opened(browser, 390) as page:
        page.goto(f"{night.base}/runs/{RUN.id}")
        page.locator(".pages").scroll_into_view_if_needed()
        expect(page.locator("h1")).not_to_be_in_viewport()
        expect(page.locator(".now .badge")).to_be_in_viewport()
        expect(page.locator(".now")).to_contain_text("numbers done")


def test_a_list_is_dropped_anywhere_on_the_page_of_a_push(
    browser: Browser, desk: Desk, serve: Serve
) -> None:
    """A browser would open a file that misses the field, and leave the page."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    with entered(browser, serve("--work")) as page:
        page.get_by_role("link", name="New push").click()
        page.wait_for_url("**/push")  # and until its script has run
        dropped = page.evaluate_handle(
            """() => {
                const brought = new DataTransfer();
                brought.items.add(new File(["number\\nA,B"], "late.csv"));
                return brought;
            }"""
        )
        page.locator("h1").dispatch_event("drop", {"dataTransfer": dropped})
        page.get_by_role("button", name="Look ahead").click()
        expect(page.get_by_role("alert")).to_contain_text("late.csv, line 2")


def test_a_list_of_a_long_name_fits_a_telephone(browser: Browser, desk: Desk, serve: Serve) -> None:
    """A word that finds no place in a line would make the whole page wider than the screen."""
    listed = desk.folder / f"{'z' * 70}.csv"
    listed.write_text(f"FBillNo\n{'x' * 200}\nCGDD0000001\n", "utf-8")
    width = "document.documentElement.scrollWidth"
    with Sandbox(desk.folder) as sandbox:
        desk.configure(sandbox.url)
        view = {"width": 360, "height": 800}
        with entered(browser, serve("--work"), viewport=view) as page:
            page.goto(f"{page.url}push")
            page.locator("#file").set_input_files(listed)
            page.get_by_role("button", name="Look ahead").click()
            expect(page.get_by_role("alert")).to_contain_text("more than 80")
            assert page.evaluate(width) == 360
            page.get_by_label("Go on without lines that cannot be used").check()
            page.get_by_role("button", name="Look ahead").click()
            expect(page.locator(".tile.fate-ready")).to_be_visible()
            assert page.evaluate(width) == 360


def test_the_name_of_a_schedule_is_not_broken(browser: Browser, desk: Desk, serve: Serve) -> None:
    """Beside a long path, and buttons that need little of the width."""
    nightly = {
        "cron": "0 20 * * 1-5",
        "time_zone": "Asia/Shanghai",
        "jobs": "/".join(["of-the-warehouse"] * 6),
        "route": "po-instock",
    }
    lines = [f'{key} = "{value}"\n' for key, value in nightly.items()]
    desk.configure("http://127.0.0.1:9/K3Cloud/", more=f"[schedules.nightly]\n{''.join(lines)}")
    with entered(browser, serve("--work"), viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"{page.url}schedules?lang=zh")
        parts = """cell => {
            const text = document.createRange();
            text.selectNodeContents(cell);
            return text.getClientRects().length;
        }"""
        assert page.get_by_role("cell", name="nightly").evaluate(parts) == 1


def test_the_pages_work_without_a_script(browser: Browser, night: Night) -> None:
    """Only what changes by itself needs one."""
    with night.opened(browser, 390, java_script_enabled=False) as page:
        page.goto(night.base)
        page.get_by_role("link", name=RUN.id).first.click()
        page.get_by_role("link", name="next page").click()
        expect(page.locator(".rows-list tbody tr").first).to_contain_text(orders(101)[100])
        page.get_by_role("link", name="Show the pace over time").click()
        expect(page.get_by_role("alert")).to_contain_text(
            "Fewer than three calls have been recorded."
        )
        page.get_by_role("link", name="中文").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("节奏变化")


def test_what_a_page_loads_by_itself_may_fail_without_an_error(
    browser: Browser, night: Night
) -> None:
    """The server is away now and then."""
    with night.opened(browser) as page:
        page.route("**/pace?part=1", lambda asked: asked.abort())
        with page.expect_event("requestfailed"):
            page.goto(f"{night.base}/runs/{RUN.id}")
        expect(page.locator("#pace")).to_contain_text("Show the pace over time")


def test_a_page_keeps_up_behind_a_proxy_that_holds_messages_back(
    browser: Browser, desk: Desk, serve: Serve
) -> None:
    """It would say for ever that a run goes on which has long ended."""

    async def keep(what: str) -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            if what == "ended":
                await ledger.end_run(RUN.id, 3, NOON)
                return
            if what == "begun":
                await ledger.open_run(replace(RUN, scope="sandbox|po|in"))
            line = len(what)
            await ledger.add(RUN.id, [Listed(line, BillNumber(f"CGDD{line}"))])

    anyio.run(keep, "begun", backend="trio")
    desk.configure("http://127.0.0.1:9")
    with entered(browser, serve()) as page:
        page.route("**/events", lambda _: None)
        page.clock.install()
        page.goto(f"{page.url}runs/{RUN.id}")
        for what, seen in (("more", "0 of 2"), ("ended", "exit 3")):
            expect(page.locator("#standing")).not_to_contain_text(seen)
            anyio.run(keep, what, backend="trio")
            page.clock.run_for(30_000)
            expect(page.locator("#standing")).to_contain_text(seen)


def test_what_is_spoken_does_not_stay_beside_the_present_figures(
    browser: Browser, night: Night
) -> None:
    """It is spoken now and then, and would be read again as it was then."""
    with night.opened(browser) as page:
        page.clock.install(time="2026-01-02T12:00:00")
        page.clock.pause_at("2026-01-02T12:01:00")
        page.goto(f"{night.base}/runs/{RUN.id}")
        expect(page.locator("#heard")).to_contain_text("of 301 done, exit 3")
        page.clock.run_for(5000)
        expect(page.locator("#heard")).to_be_empty()


def test_every_control_has_a_name_and_the_keyboard_reaches_the_content(
    browser: Browser, night: Night
) -> None:
    """Who does not see the page hears it."""
    unnamed = """() => [...document.querySelectorAll(
        "input:not([type=hidden]), button, a, select, textarea, progress, svg, nav"
    )].filter(each => !(
        each.labels?.length || each.getAttribute("aria-label") || each.textContent.trim()
    )).map(each => each.outerHTML)"""
    with night.opened(browser) as page:
        for path in ("/", f"/runs/{RUN.id}", f"/numbers/{orders(3)[2]}"):
            page.goto(night.base + path)
            assert page.evaluate(unnamed) == []
            assert page.locator("main h1").count() == 1
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_url(night.base + path + "#main")


def test_a_run_is_watched_paused_and_continued(browser: Browser, desk: Desk, serve: Serve) -> None:
    """What a person clicks reaches a real run, and the page shows that it did."""
    with Sandbox(desk.folder, "--latency", "0.15") as sandbox:
        desk.configure(sandbox.url)
        process = desk.begin(
            "run", desk.job(NUMBERS), "--json", "--chunk-size", "2", "--concurrency", "2"
        )
        until(lambda: sandbox.made() >= 3)
        served = serve()
        with entered(browser, served) as page:
            page.locator(".runs tbody a").first.click()
            tiles = page.locator("#standing .tile.pushed b")
            before = tiles.inner_text()
            # It grows without a click, and so do the rows and the charts.
            expect(tiles).not_to_have_text(before)
            rows = page.locator("#page .s-pushed")
            shown = rows.count()
            page.wait_for_function(
                "shown => document.querySelectorAll('#page .s-pushed').length > shown",
                arg=shown,
                timeout=10_000,
            )
            expect(page.locator("#pace svg").first).to_be_visible()
            page.get_by_role("button", name="Pause").click()
            expect(page.locator("#orders")).to_contain_text("Pause: obeyed at")
            expect(page.locator("#standing .held")).to_contain_text("paused by control since")
            expect(page.get_by_role("button", name="Pause")).to_have_count(0)
            until(lambda: "sent" not in desk.k3push("status").out)
            assert barriers(page) == []  # as it is after its live parts were put in
            # Stop asks.
            stop = page.get_by_role("button", name="Stop the run")
            expect(stop).to_be_hidden()
            page.get_by_text("Stop", exact=True).click()
            expect(stop).to_be_visible()
            expect(page.locator(".ask")).to_contain_text("continues it later")
            page.get_by_text("Stop", exact=True).click()
            made = sandbox.made()
            page.get_by_label("numbers in a call").fill("40")
            page.locator(".dial", has_text="numbers in a call").get_by_role("button").click()
            expect(page.locator("#orders")).to_contain_text("numbers in a call 40: obeyed at")
            assert sandbox.made() == made < len(NUMBERS)
            page.get_by_role("button", name="Continue").click()
            ran = end(process)
            assert (ran.exit, ran.said["counts"]) == (0, {"pushed": len(NUMBERS)}), ran
            # The page sees the end by itself.
            expect(page.locator(".verdict")).to_contain_text("exit 0")
            expect(page.locator("#pace svg").first).to_be_visible()
        assert "set chunk-size=40" in served.stop().err
        assert_all_once(desk.rows(), sandbox.truth(), NUMBERS)


def test_a_person_settles_a_number_by_their_word(
    browser: Browser, desk: Desk, serve: Serve
) -> None:
    """They have looked it up in the ERP, and say how they know."""
    script = '[[step]]\nfault = "make-then-reset"\n'
    numbers = orders(3)
    with Sandbox(desk.folder, "--faults", desk.write("script.toml", script)) as sandbox:
        desk.configure(sandbox.url, lines={"window_s": "window_s = 1000"})
        # One call carries all three, so that none is on its way when the run stops.
        ran = desk.k3push(
            "run", desk.job(numbers), "--no-canary", "--chunk-size", "8", "--halt", "unknown=1"
        )
        assert ran.exit == 4, ran
        with entered(browser, serve()) as page:
            page.goto(f"{page.url}numbers/{numbers[0]}")
            page.get_by_label("pushed: the document is there").check()
            page.get_by_label("How do you know?").fill("Wang <saw> it")
            page.get_by_role("button", name="Continue").click()
            expect(page.locator("main")).to_contain_text("is never sent again")
            page.get_by_role("button", name="Record it").click()
            expect(page.locator(".events")).to_contain_text(
                "settled by hand as pushed: Wang <saw> it"
            )
            expect(page.locator(".state")).to_have_text("pushed")
            assert page.get_by_text("Settle by your own word").count() == 0
        # The word stands, the other two are settled by a look, and nothing is made twice.
        assert desk.k3push("resume").exit == 0
        assert {row["state"] for row in desk.rows()} == {"pushed"}
        assert (sandbox.made(), sandbox.truth()["documents"]) == (3, 3)
