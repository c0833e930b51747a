"""No text that others write is markup on any page of the dashboard, or changes its order."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from k3push.core.model import State
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.ports import Ledger, LedgerLostError
from k3push.runs.control import Orders
from k3push.web.pages.live import RunView
from k3push.web.pages.page_frame import rendered
from tests.reporting.evil import EVIL, HARMLESS, Page, evil_ledger, evil_number, evil_run
from tests.reporting.pages import NOON
from tests.web.visits import PROXY, SPEAKERS, house, in_time, seal_of, sent_in, tenant


async def pages_of(text: str, folder: Path) -> Mapping[str, Page]:
    """Return every page that shows a text of others, with *text* at the end of each of these."""
    folder = folder / f"folder{text}".replace("/", "")
    ledger = await evil_ledger(text, str(folder))
    run = evil_run(text, str(folder))
    folder.mkdir()
    summary = {"run": run.id, "stopped_by": {"deadline": f"why{text}"}}
    (folder / "summary.json").write_text(json.dumps(summary))
    await ledger.end_run(run.id, 4, NOON)

    @asynccontextmanager
    async def lost() -> AsyncIterator[Ledger]:
        raise LedgerLostError(f"lost{text}")
        yield ledger  # type: ignore[unreachable]  # makes it a generator

    name = f"tenant{text}".replace("/", "")
    tenants = (
        tenant(ledger, name, run.account),
        replace(tenant(ledger, "lost"), ledger="lost", opened=lost),
    )
    base, doubted = f"/t/{quote(name)}", evil_number(State.UNKNOWN, text)
    user = {"x-remote-user": f"user{text}"}
    async with (
        house(*tenants, rules=PROXY, several=True) as home,
        home.browser("10.0.0.9", **user) as browser,
    ):
        answers = {
            path: await browser.get(f"{base}{path}", follow_redirects=True)
            for path in (
                "/",
                f"/runs/{quote(run.id)}",
                f"/runs/{quote(run.id)}?state=rejected",
                f"/runs/{quote(run.id)}/pace",
                *(f"/numbers?q={quote(evil_number(state, text))}" for state in State),
                f"/numbers?q={quote(f'nothing{text}')}",
            )
        }
        answers["tenants"] = await browser.get("/")
        answers["found"] = await browser.get("/numbers", params={"q": doubted})
        answers["lost"] = await browser.get("/t/lost/")
        page = await browser.get(f"{base}/numbers/{quote(doubted, safe='')}")
        seal = seal_of(page)
        word = {
            "seal": seal,
            **sent_in(page),
            "number": doubted,
            "word": "absent",
            "because": f"seen{text}",
        }
        answers["sure"] = await browser.post(f"{base}/settle", data=word)
        # What a form holds comes back as it was.
        sent = Page(answers["sure"].text).values
        assert (sent["number"], sent["because"]) == (doubted, f"seen{text}")
        settled = await browser.post(f"{base}/settle", data=sent, follow_redirects=True)
        answers["settled"] = settled
        bad = {"seal": seal, "key": "concurrency", "value": f"value{text}"}
        control = f"{base}/runs/{quote(run.id)}/control"
        answers["bad command"] = await browser.post(control, data=bad)
    held = Orders(Hold(HoldCause.ERP, why=f"hold{text}"))
    view = RunView(run, {State.PLANNED: 3}, alive=True, orders=held)
    parts = [rendered(part, SPEAKERS["en"], view=view) for part in ("standing.html", "brief.html")]
    return {
        **{str(nth): Page(answer.text) for nth, answer in enumerate(answers.values())},
        "parts": Page("".join(parts)),
    }


@pytest.mark.parametrize("text", EVIL)
def test_no_text_makes_markup(tmp_path: Path, text: str) -> None:
    """Every page has the same elements, whatever bills, messages, names and reasons hold."""

    async def visit() -> None:
        pages = await pages_of(text, tmp_path)
        harmless = await pages_of(HARMLESS, tmp_path)
        for name, page in pages.items():
            assert page.elements == harmless[name].elements, name
            assert page.obeyed == [], name
        everything = Page("")
        everything.shown = [each for page in pages.values() for each in page.shown]
        names = (
            "id", "route", "source", "target", "job", "account", "again", "rejected",
            "made", "draft", "code", "reason", "request", "answer", "because", "verdict", "note",
            "why", "hold", "tenant", "lost", "user", "nothing", "seen",
        )  # fmt: skip
        assert everything.lacks(names, text) == []

    in_time(visit)
