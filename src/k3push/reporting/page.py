"""The report's page as HTML: what stands on it before a browser has unpacked the rows.

Every text of a bill, a message or a file's name is escaped here. The page lets no other script
or style run than its own, whose digests it names, and loads nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path

import orjson

from k3push.core.clusters import Cluster
from k3push.core.model import Repeat, State
from k3push.reporting.ending import Ending
from k3push.reporting.evidence import moment
from k3push.reporting.timeline import Say

MOST_CLUSTERS = 100
MOST_REPEATS = 200

_COLUMNS = ("line", "number", "state", "targets", "code", "reason")
# Where each column stands in a row of the page's data.
_PLACES = {"line": 0, "number": 1, "state": 3, "targets": 4, "code": 6, "reason": 7}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a page is made of, apart from its rows.

    Attributes:
        ending: How the run stands.
        clusters: Why numbers are where they are, the largest first.
        pictures: SVG figures.
        left_out: Numbers whose rows the page does not hold.
        lang: `en` or `zh`.
    """

    ending: Ending
    clusters: Sequence[Cluster]
    pictures: Sequence[str]
    left_out: int
    lang: str


def head(contents: Contents, say: Say) -> str:
    """Return everything before the packed rows."""
    style, script = asset("report.css"), asset("report.js")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = say("report.title", run=contents.ending.run.id)
    sections = [_verdict(contents.ending, say), tiles(contents.ending.counts, say)]
    sections += [_facts(contents.ending, say), _clusters(contents, say)]
    sections += [_pictures(contents.pictures, say), _steps(contents.ending, say)]
    sections += [_repeats(contents.ending.repeats, say)]
    sections += [_table(contents, say)]
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if contents.lang == "zh" else "en"}">\n'
        f'<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{style}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(sections)
        + '\n<script type="text/plain" id="data">'
    )


def tail(contents: Contents, say: Say, version: str, made_at: str) -> str:
    """Return everything after the packed rows."""
    made = say("report.footer", version=version, at=made_at)
    # In a block of data, only the end of the element could be misread.
    words = orjson.dumps(_words(contents, say)).decode().replace("<", "\\u003c")
    return (
        f"</script>\n<footer>{escape(made)}</footer>\n"
        f'<script type="application/json" id="words">{words}</script>\n'
        f"<script>{asset('report.js')}</script>\n</body></html>\n"
    )


def _verdict(ending: Ending, say: Say) -> str:
    code = int(ending.exit)
    lines = [say("summary.exit", code=code, what=say(f"exit.{code}"))]
    lines += [say("summary.stopped", why=why) for why in ending.causes.values()]
    if ending.unverified:
        lines.append(say("unverified"))
    return verdict(f"exit-{code}", lines)


def verdict(kind: str, lines: Sequence[str]) -> str:
    """Say how a run stands, the first line above all; *kind* is a class of the style sheet."""
    first, *others = map(with_code, lines)
    return f'<div class="verdict {kind}">{"<br>".join([f"<b>{first}</b>", *others])}</div>'


def tiles(counts: Mapping[State, int], say: Say) -> str:
    """Show how many numbers are in each state."""
    shown = "".join(
        f'<div class="tile {state}"><b>{counts[state]:,}</b>{state}'
        f'<div class="soft">{escape(say(f"state.{state}"))}</div></div>'
        for state in State
        if counts.get(state)
    )
    return f'<div class="tiles">{shown}</div>'


def _facts(ending: Ending, say: Say) -> str:
    run, route = ending.run, ending.run.route
    return facts(
        {
            "report.route": f"{route.name}: {route.source} → {route.target}",
            "report.jobs": ", ".join(Path(job).name or job for job in run.jobs),
            "report.began": moment(run.started_at),
            "report.ended": moment(run.ended_at) if run.ended_at else "",
            "report.made": f"{ending.targets:,}",
            "report.pushes": f"{ending.pushes:,}",
            "report.account": run.account,
            "report.again": run.again_because,
        },
        say,
    )


def facts(known: Mapping[str, str], say: Say) -> str:
    """List facts by the keys of their names; an empty one is left out."""
    rows = "".join(
        f"<dt>{escape(say(key))}</dt><dd>{escape(value)}</dd>"
        for key, value in known.items()
        if value
    )
    return f'<dl class="facts">{rows}</dl>'


def _clusters(contents: Contents, say: Say) -> str:
    def buttons(cluster: Cluster) -> str:
        name = f"{contents.ending.run.id}.{cluster.place + 1}.csv"
        return (
            f'<button data-show="{cluster.place}">{escape(say("report.show"))}</button> '
            f'<button data-save="{cluster.place}" data-name="{name}">'
            f"{escape(say('report.job_file'))}</button>"
        )

    return clusters(contents.clusters, say, buttons)


def clusters(largest: Sequence[Cluster], say: Say, links: Callable[[Cluster], str]) -> str:
    """Show why numbers are where they are, with cause and cure.

    Args:
        largest: The clusters, the largest first.
        say: Sentences.
        links: What leads from a cluster to its numbers, as HTML.
    """
    if not largest:
        return ""
    rows = []
    for cluster in largest[:MOST_CLUSTERS]:
        advice = cluster.advice
        cause, cure = (say(advice.cause), say(advice.cure)) if advice else ("", "")
        shape = cluster.shape or say("report.no_words")
        rows.append(
            f"<tr><td>{cluster.count:,}</td>"
            f'<td class="reason">{escape(shape)}'
            f'<div class="soft mono">{escape(cluster.code)}</div></td>'
            f"<td>{escape(cause)}</td><td>{with_code(cure)}</td>"
            f'<td class="screen">{links(cluster)}</td></tr>'
        )
    left = len(largest) - MOST_CLUSTERS
    if left > 0:
        rows.append(f'<tr><td></td><td colspan="4">{escape(say("report.more", n=left))}</td></tr>')
    headings = "".join(
        f"<th>{escape(say(f'report.{key}'))}</th>" for key in ("count", "reason", "cause", "cure")
    )
    return (
        f"<h2>{escape(say('report.clusters'))}</h2>\n"
        f'<table class="clusters"><thead><tr>{headings}<th class="screen"></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _pictures(pictures: Sequence[str], say: Say) -> str:
    if not pictures:
        return ""
    return f'<h2>{escape(say("report.course"))}</h2>\n<div class="charts">{"".join(pictures)}</div>'


def _steps(ending: Ending, say: Say) -> str:
    """List what the automatic pace did, and why, where this execution has it."""
    if not ending.pace:
        return ""
    lines = [
        say(
            "report.step",
            seconds=step.at_s,
            calls=step.setting.concurrency,
            numbers=step.setting.chunk_size,
            why=step.why,
        )
        for step in ending.pace
    ]
    return (
        f"<details><summary>{escape(say('report.steps'))}</summary>"
        f'<p class="mono">{"<br>".join(map(escape, lines))}</p></details>'
    )


def _repeats(repeats: Sequence[Repeat], say: Say) -> str:
    if not repeats:
        return ""
    lines = [
        say("repeated", line=each.line, number=each.number, first=each.first_line)
        for each in repeats[:MOST_REPEATS]
    ]
    if len(repeats) > MOST_REPEATS:
        lines.append(say("report.more", n=len(repeats) - MOST_REPEATS))
    return (
        f"<h2>{escape(say('summary.repeats', count=len(repeats)))}</h2>\n"
        f"<details><summary>{escape(say('report.lines'))}</summary>"
        f'<p class="mono">{"<br>".join(map(escape, lines))}</p></details>'
    )


def _table(contents: Contents, say: Say) -> str:
    ending = contents.ending
    states = [state.value for state in State if ending.counts.get(state)]
    buttons = _buttons([("", say("report.every")), *((state, state) for state in states)])
    headings = "".join(
        f'<span><button data-by="{_PLACES[key]}">{escape(say(f"report.{key}"))}</button></span>'
        for key in _COLUMNS
    )
    printed = "".join(f"<th>{escape(say(f'report.{key}'))}</th>" for key in _COLUMNS)
    left_out = say("report.left_out", n=contents.left_out) if contents.left_out else ""
    return (
        f'<h2 id="table">{escape(say("report.table"))}</h2>\n'
        f'<p class="soft">{escape(left_out)}</p>'
        f'<div class="tools"><input type="search" id="search" autocomplete="off" '
        f'placeholder="{escape(say("report.search"))}" aria-label="{escape(say("report.search"))}">'
        f"{buttons}"
        f'<button id="all" hidden>{escape(say("report.every_reason"))}</button>'
        f'<button id="save" data-name="{ending.run.id}.csv">{escape(say("report.job_file"))}'
        '</button><span id="found" class="soft" role="status">…</span></div>\n'
        f'<div class="table" role="table"><div class="row head" role="row">{headings}</div>'
        '<div class="rows" id="rows"><div id="space"></div></div></div>\n'
        f'<table id="printed"><thead><tr>{printed}</tr></thead><tbody></tbody></table>\n'
        f"<noscript><p>{escape(say('report.noscript'))}</p></noscript>\n"
        '<dialog id="evidence"></dialog>'
    )


def _buttons(states: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<button data-state="{state}" aria-pressed="{"false" if state else "true"}">'
        f"{escape(name)}</button>"
        for state, name in states
    )


def _words(contents: Contents, say: Say) -> dict[str, object]:
    """Return what the script says."""
    keys = (
        "line", "bill", "targets", "ids", "code", "reason", "cause", "cure", "sent", "settled",
        "request", "answer", "verdict", "attempt", "unsent", "close", "found", "unprinted",
        "broken",
    )  # fmt: skip
    holes = {key: f"{{{key}}}" for key in ("n", "id", "chunk", "nth", "at", "why")}
    advice = {
        str(each.place): (say(each.advice.cause), say(each.advice.cure))
        for each in contents.clusters
        if each.advice
    }
    return {key: say(f"report.{key}", **holes) for key in keys} | {"advice": advice}


def with_code(text: str) -> str:
    """Escape a text, and show what stands between backticks as code.

    >>> with_code("mend it, then `k3push retry`")
    'mend it, then <code>k3push retry</code>'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def asset(name: str) -> str:
    """Return a file of `assets`."""
    return (resources.files("k3push.reporting") / "assets" / name).read_text("utf-8")


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
