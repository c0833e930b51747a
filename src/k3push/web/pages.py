"""What all pages have in common, as HTML; every text that is not ours is escaped here.

The pieces that a report has too are the report's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException

from k3push.core.model import BillNumber
from k3push.reporting.page import with_code
from k3push.reporting.timeline import Say
from k3push.web.speech import Speech

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page.

    Attributes:
        speech: Its language.
        seal: What its forms bring along.
        base: Where the tenant's pages begin: "" or `/t/NAME`.
        crumbs: Where the page is: address and name of each step above it.
        user: Who looks, where that is known.
        leave: Whether there is a session that one can leave.
        other: The same page in the other language.
        found: What was searched for.
        search: Whether there is something to be searched.
    """

    speech: Speech
    seal: str
    base: str = ""
    crumbs: Sequence[tuple[str, str]] = ()
    user: str = ""
    leave: bool = False
    other: str = ""
    found: str = ""
    search: bool = True

    @property
    def say(self) -> Say:
        """Sentences."""
        return self.speech.say

    def hidden(self, **fields: str) -> str:
        """Return the fields of a form that nobody fills in."""
        return "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in {"seal": self.seal, **fields}.items()
        )


def document(frame: Frame, title: str, main: str, *, live: str = "", state: str = "") -> str:
    """Return a whole page.

    Args:
        frame: What stands around it.
        title: Its name.
        main: Its content, as HTML.
        live: Where its changes are told; "" if it has none.
        state: What a change of, told there, asks for another page.
    """
    say, lang = frame.say, frame.speech.lang
    watched = f' data-live="{escape(live)}" data-state="{escape(state)}"' if live else ""
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">\n'
        f'<head><meta charset="utf-8"><title>{escape(title)} · k3push</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="/static/icon.svg">\n'
        '<link rel="stylesheet" href="/static/report.css">\n'
        '<link rel="stylesheet" href="/static/web.css">\n'
        '<script src="/static/live.js" defer></script></head>\n<body>\n'
        f'<a class="skip" href="#main">{escape(say("web.skip"))}</a>\n'
        f"{_header(frame)}\n"
        f'<main id="main"{watched}>\n<h1>{escape(title)}</h1>\n{main}\n</main>\n'
        f'<p id="offline" class="notice" role="status" hidden>{escape(say("web.offline"))}</p>\n'
        f'<p id="changed" class="notice" role="status" hidden>{escape(say("web.changed"))}</p>\n'
        "</body></html>\n"
    )


def _header(frame: Frame) -> str:
    say = frame.say
    steps = [("/", say("web.title")), *frame.crumbs]
    crumbs = "".join(f'<li><a href="{escape(url)}">{escape(name)}</a></li>' for url, name in steps)
    parts = [f'<nav aria-label="{escape(say("web.here"))}"><ol class="crumbs">{crumbs}</ol></nav>']
    if frame.search:
        parts.append(
            f'<form role="search" action="{escape(frame.base)}/numbers">'
            f'<input type="search" name="q" value="{escape(frame.found)}" autocomplete="off" '
            f'spellcheck="false" maxlength="80" placeholder="{escape(say("web.number"))}" '
            f'aria-label="{escape(say("web.number"))}">'
            f"<button>{escape(say('web.search'))}</button></form>"
        )
    parts.append('<div class="who">')
    if frame.user:
        parts.append(f"<span>{escape(say('web.user', user=frame.user))}</span>")
    if frame.other:
        other = "en" if frame.speech.lang == "zh" else "zh-CN"
        name = escape(say("web.language"))
        parts.append(
            f'<a href="{escape(frame.other)}" hreflang="{other}" lang="{other}">{name}</a>'
        )
    if frame.leave:
        parts.append(
            f'<form method="post" action="/leave">{frame.hidden()}'
            f"<button>{escape(say('web.leave'))}</button></form>"
        )
    return f'<header class="bar">{"".join(parts)}</div></header>'


def notice(text: str) -> str:
    """Return a sentence that has to be read first; what is between backticks is code."""
    return f'<p class="notice" role="alert">{with_code(text)}</p>' if text else ""


def table(headings: Iterable[str], rows: Iterable[Sequence[str]], kind: str) -> str:
    """Return a table; its cells are HTML, its headings are not.

    On a narrow screen each row is a block, whose cells bear their headings; the roles keep it a
    table for those who hear it.
    """
    names = [escape(each) for each in headings]
    head = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in names)
    body = "".join(
        '<tr role="row">'
        + "".join(
            f'<td role="cell" data-name="{name}">{cell}</td>'
            for name, cell in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<table class="list {kind}" role="table">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )


def link(url: str, text: str) -> str:
    """Return a link."""
    return f'<a href="{escape(url)}">{escape(text)}</a>'


def number_url(base: str, number: BillNumber | str) -> str:
    """Return where the evidence of a number is.

    >>> number_url("", "A/B?"), number_url("/t/a", "..")
    ('/numbers/A%2FB%3F', '/t/a/numbers?q=..')
    """
    # A browser takes dots alone for folders, however they are written.
    if not number.strip("."):
        return f"{base}/numbers?{urlencode({'q': number})}"
    return f"{base}/numbers/{quote(number, safe='', errors='replace')}"


def shortened(reason: str) -> str:
    """Return the words of the ERP, cut where a page of a hundred rows would grow too long."""
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…"


def whole(text: str) -> int:
    """Read a place in a list from an address.

    Raises:
        HTTPException: It is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 16):  # noqa: PLR2004  # 64 bits
        raise HTTPException(400)
    return int(text)
