"""What axe-core finds on a page that keeps somebody from reading or using it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

# Preloading would ask for style sheets by a script, which the dashboard's policy forbids.
_RUN = "rules => axe.run(document, {resultTypes: ['violations'], preload: false, ...rules})"
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def barriers(page: Page, *, colours_alone: bool = False) -> list[str]:
    """Return what bars the way, each with its weight and its first place; best is none.

    Args:
        page: What a window shows.
        colours_alone: Look whether texts stand out from their ground, and at nothing else.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    found = page.evaluate(_RUN, _COLOURS if colours_alone else {})
    return [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html']}"
        for each in found["violations"]
    ]


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
