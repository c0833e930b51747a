"""How every page of the dashboard looks: by day, at night, on a telephone and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from k3push.words.language import Lang
from tests.reporting.accessibility import barriers
from tests.shares import shared_out
from tests.web.every_page import not_seen, play_all, show, window

# A4, within its margins.
PAPER = 690
NARROW = 760

WIDTH = "document.documentElement.scrollWidth"
GROUND = "getComputedStyle(document.body).backgroundColor"
WHITE = "rgb(255, 255, 255)"
NIGHT = "rgb(21, 27, 34)"

# What nobody can use on paper; headings under which nothing stands; names that are broken.
FAULTS = """() => {
    const isSeen = each => each.checkVisibility() && each.getClientRects().length;
    const isRead = each => isSeen(each) && each.innerText.trim();
    const all = places => [...document.querySelectorAll(places)].filter(isSeen);
    const isBare = heading => {
        let next = heading.nextElementSibling;
        while (next && !isRead(next)) next = next.nextElementSibling;
        return !next || /^(H[1-3]|SECTION)$/.test(next.tagName);
    };
    const isBroken = cell => {
        if (!/^[A-Z0-9]{1,20}$/.test(cell.textContent.trim())) return false;
        const text = document.createRange();
        text.selectNodeContents(cell);
        return new Set([...text.getClientRects()].map(each => each.top)).size > 1;
    };
    return [
        ...all("button, input, select, textarea, summary"),
        ...all("h2, h3").filter(isBare),
        ...all("td a, .name").filter(isBroken),
    ].map(each => each.outerHTML.slice(0, 200));
}"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("lang", "width"), shared_out([("en", 1280), ("zh", 390)], 2, normal=0, of_more=1)
)
def test_every_page_is_for_everybody(
    browser: Browser, tmp_path: Path, lang: Lang, width: int
) -> None:
    """Who sees little, hears it, has no mouse, holds a telephone, or a sheet of paper.

    A page that no scene comes to fails it as well: nobody would look at that.
    """
    scenes = play_all(lang, tmp_path)
    assert not_seen(scenes) == set()
    with window(browser, scenes, width) as page:
        for seen in scenes.seen:
            assert seen.answer.status_code < 500, seen.name
            show(page, seen)
            assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[lang]
            assert barriers(page) == [], seen.name
            assert page.evaluate(WIDTH) == width, seen.name
            page.emulate_media(color_scheme="dark")
            assert page.evaluate(GROUND) == NIGHT
            if width > NARROW:  # the same colours
                assert barriers(page, colours_alone=True) == [], seen.name
            assert printed(page) == (PAPER, WHITE, []), seen.name
            page.emulate_media(media="screen", color_scheme="light")
            page.set_viewport_size({"width": width, "height": 900})


def printed(page: Page) -> tuple[int, str, list[str]]:
    """Return how wide a page is on paper, on which ground, and what is wrong with it there."""
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": 1000})
    return page.evaluate(WIDTH), page.evaluate(GROUND), page.evaluate(FAULTS)
