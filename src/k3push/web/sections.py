"""The sections of a run's page: verdict, control, facts, reasons and rows."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import urlencode

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from k3push.core.clusters import TOLD, Cluster
from k3push.core.commands import LIMITS, Key, Verb
from k3push.core.model import Row, Run, State
from k3push.reporting import page
from k3push.reporting.ending import exit_of
from k3push.reporting.evidence import moment
from k3push.reporting.phrases import cause_words
from k3push.reporting.results import MOST_READ, clusters_of, read_causes
from k3push.reporting.timeline import Say
from k3push.web import standing as show
from k3push.web.desk import Visit
from k3push.web.live import Standing
from k3push.web.pages import link, number_url, shortened, table, whole

ROWS_A_PAGE = 100


async def verdict(standing: Standing, say: Say) -> str:
    """Say how a run has ended, why, and what to do."""
    run = standing.run
    if run.exit is None:
        return page.verdict("exit-6", [say("killed")])
    causes = await to_thread.run_sync(read_causes, run)
    code = int(exit_of(standing.counts, causes))
    lines = [say("summary.exit", code=code, what=say(f"exit.{code}"))]
    lines += [cause_words(cause, why, None, say) for cause, why in causes.items()]
    return page.verdict(f"exit-{code}", lines)


def controls(visit: Visit, standing: Standing, url: str) -> str:
    """Show what can be said to a run that goes on, and what was said."""
    say, hidden = visit.frame.say, visit.frame.hidden
    verbs = "".join(
        f'<button name="words" value="{verb}">{escape(say(f"web.{verb}"))}</button>'
        for verb in (Verb.PAUSE, Verb.CONTINUE, Verb.STOP)
    )
    return (
        f'<section id="control" aria-labelledby="control-name">'
        f'<h2 id="control-name">{escape(say("web.control"))}</h2>'
        f'<form method="post" action="{escape(url)}/control" class="tools">{hidden()}{verbs}</form>'
        f'<p class="soft">{escape(say("web.stop"))}: {page.with_code(say("web.stop_sure"))}</p>'
        f'<div class="tools">{"".join(_dial(visit, key, url) for key in Key)}</div>'
        f'<ul id="orders" aria-live="polite">{show.orders(standing, say)}</ul></section>'
    )


def _dial(visit: Visit, key: Key, url: str) -> str:
    say = visit.frame.say
    limits = LIMITS[key]
    hint = say("web.auto" if limits[0] else "web.no_limit", most=limits[-1])
    return (
        f'<form method="post" action="{escape(url)}/control" class="dial">'
        f"{visit.frame.hidden(key=key)}"
        f'<label for="{key}">{escape(say(f"web.{key}"))}</label>'
        f'<input id="{key}" name="value" required size="8" maxlength="6" autocomplete="off" '
        f'placeholder="auto" title="{escape(hint)}" aria-describedby="{key}-hint">'
        f"<button>{escape(say('web.set'))}</button>"
        f'<span class="soft" id="{key}-hint">{escape(hint)}</span></form>'
    )


def facts(run: Run, say: Say) -> str:
    """Say of what a run is, and when it was."""
    route = run.route
    known = {
        "report.route": f"{route.name}: {route.source} → {route.target}",
        "report.jobs": ", ".join(Path(job).name or job for job in run.jobs),
        "report.began": moment(run.started_at),
        "report.ended": moment(run.ended_at) if run.ended_at else "",
        "report.account": run.account,
        "report.again": run.again_because,
        "web.results": run.folder,
    }
    return page.facts(known, say)


async def reasons(visit: Visit, standing: Standing) -> str:
    """Show why numbers came to nothing certain; read no more rows than answer at once."""
    say = visit.frame.say
    told = sum(standing.counts.get(state, 0) for state in TOLD)
    if not told:
        return ""
    found = await clusters_of(visit.ledger, standing.run)

    def examples(cluster: Cluster) -> str:
        links = ", ".join(link(number_url(visit.base, each), each) for each in cluster.examples)
        return f'<span class="soft">{escape(say("web.examples"))}</span> {links}'

    shown = page.clusters(found.largest(), say, examples)
    if told > MOST_READ:
        shown += f'<p class="soft">{escape(say("status.unread", rows=told - MOST_READ))}</p>'
    return shown


async def rows(request: Request, visit: Visit, standing: Standing, url: str) -> str:
    """Show a page of rows, which begins after a place of the job file."""
    say = visit.frame.say
    wanted = request.query_params.get("state", "")
    if wanted and wanted not in set(State):
        raise HTTPException(400)
    after = whole(request.query_params.get("after", "0"))
    states = [State(wanted)] if wanted else []
    found = await visit.ledger.rows(
        standing.run.id, states=states, after=after, limit=ROWS_A_PAGE + 1
    )
    shown = found[:ROWS_A_PAGE]
    names = ("line", "number", "state", "targets", "code", "reason")
    main = f'<h2 id="rows">{escape(say("web.rows"))}</h2>{_states(standing, wanted, url, say)}'
    if not shown:
        return f'{main}<p class="soft">{escape(say("web.no_rows"))}</p>'
    cells = [_row(row, visit.base, say) for row in shown]
    main += table([say(f"report.{name}") for name in names], cells, "rows-list")
    pages = []
    state = {"state": wanted} if wanted else {}
    if after:
        pages.append(link(f"{url}?{urlencode(state)}#rows", say("web.first")))
    if len(found) > ROWS_A_PAGE:
        query = urlencode({**state, "after": shown[-1].place})
        pages.append(link(f"{url}?{query}#rows", say("web.next")))
    return f'{main}<p class="pages">{" · ".join(pages)}</p>'


def _states(standing: Standing, wanted: str, url: str, say: Say) -> str:
    """Show the states that there are, each a link to its rows."""
    there = [state for state in State if standing.counts.get(state)]
    links = [("", say("report.every"), standing.total)]
    links += [(state.value, state.value, standing.counts[state]) for state in there]
    choices = []
    for state, name, count in links:
        query = f"?{urlencode({'state': state})}" if state else ""
        current = ' aria-current="true"' if state == wanted else ""
        choices.append(
            f'<a class="choice" href="{escape(url + query)}#rows"{current}>'
            f"{escape(name)} {count:,}</a>"
        )
    label = escape(say("report.state"))
    return f'<nav class="tools" aria-label="{label}">{"".join(choices)}</nav>'


def _row(row: Row, base: str, say: Say) -> list[str]:
    targets = ", ".join(t.number or say("explain.draft", id=t.id) for t in row.targets)
    return [
        str(row.line),
        link(number_url(base, row.number), row.number),
        f'<span class="state s-{row.state}">{row.state}</span>',
        escape(targets),
        escape(row.code),
        escape(shortened(row.reason)),
    ]
