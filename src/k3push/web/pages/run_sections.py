"""What the sections of a run's page show: verdict, reasons and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from k3push.core.advice.clusters import TOLD, Cluster, Clusters
from k3push.core.model import Run, State
from k3push.ports import Ledger
from k3push.reporting.phrases import cause_words, unended_words
from k3push.reporting.results_folder import MOST_READ, clusters_of, read_causes
from k3push.reporting.summary import next_step, no_look_settles
from k3push.runs.kept_in_ledger.request_stages import Act, acts_about, find_request
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, with_follow
from k3push.runs.outcome import exit_of, followed_of
from k3push.runs.stop import Cause
from k3push.web.execution.request_work import Workshop
from k3push.web.pages.live import RunView
from k3push.web.pages.page_frame import whole
from k3push.words.language import Say

ROWS_A_PAGE = 100


async def verdict(
    ledger: Ledger, view: RunView, say: Say, workshop: Workshop | None = None
) -> list[str]:
    """Say how a run has ended, why, and what to do; nothing of one that goes on or is archived.

    What *workshop* has been asked for may be a fleet's to do, which may have no worker now.
    """
    run = view.run
    if view.alive or run.archive is not None:
        return []  # of an archived run, most rows that came to nothing are in the archive alone
    if view.waits:
        return [say("status.waits")]
    if view.asked:
        queued = workshop is not None and workshop.hands_over(view.asked)
        return [say("desk.in_queue" if queued else "desk.begins_soon")]
    if run.exit is None:
        return [unended_words(await acts_about(ledger, run.id), say)]
    causes = await _causes(run, view.counts)
    followed = await followed_of(ledger, run)
    code = exit_of(view.counts, causes, followed=followed)
    what = next_step(view.counts, code, say, followed)
    lines = [say("summary.exit", code=int(code), what=what)]
    return lines + [cause_words(cause, why, say) for cause, why in causes.items()]


async def _causes(run: Run, counts: Mapping[State, int]) -> dict[Cause, str]:
    """Return why a run has ended, as far as that is known."""
    return await to_thread.run_sync(read_causes, run, counts)


async def is_left_to_person(ledger: Ledger, run: Run) -> bool:
    """Say whether a run has ended with doubts that no look can settle."""
    if run.exit is None:
        return False
    causes = await _causes(run, await ledger.counts(run.id))
    return no_look_settles(causes)


class Lines(TypedDict):
    """How many lines of its lists are no numbers of a run, so that nobody misses them.

    Attributes:
        repeats: They repeat a number.
        left_out: They could not be used; as the plan has them, for all runs of its lists.
    """

    repeats: int
    left_out: int


async def lines(ledger: Ledger, run: Run, acts: Sequence[Act]) -> Lines:
    """Count them; *acts* name the request by which a run was planned in a browser."""
    planned = next((act.detail for act in acts if act.what == "planned"), "")
    asked = await find_request(ledger, planned) if planned else None
    seen = asked.seen if asked else {}
    return {
        "repeats": len(await ledger.repeats(run.id)),
        "left_out": len(seen.get("skipped", ())) + seen.get("skipped_more", 0),
    }


class Reasons(TypedDict):
    """Why numbers came to nothing certain.

    Attributes:
        largest: By what was said of them, the largest cluster first.
        unread: How many more there are than answer at once.
    """

    largest: Sequence[Cluster]
    unread: int


async def reasons(ledger: Ledger, view: RunView) -> Reasons:
    """Read why, of no more rows than answer at once."""
    told = sum(view.counts.get(state, 0) for state in TOLD)
    told += view.followed.for_person + view.followed.unknown
    may_tell = told or view.counts.get(State.ALREADY)
    has_ended = not view.alive and view.run.exit is not None
    hopeless = bool(view.counts.get(State.UNKNOWN)) and has_ended
    hopeless = hopeless and no_look_settles(await _causes(view.run, view.counts))
    clusters = await clusters_of(ledger, view.run) if may_tell else Clusters()
    largest = clusters.largest(hopeless=hopeless)
    return {"largest": largest, "unread": max(told - MOST_READ, 0)}


class RowsPage(TypedDict):
    """A page of rows, which begins after a place of the job file.

    Attributes:
        state_shown: The state that was asked for; "" for all.
        more: Whether rows follow.
    """

    rows: Sequence[FollowedRow]
    state_shown: str
    after: int
    more: bool


async def rows(request: Request, ledger: Ledger, view: RunView) -> RowsPage:
    """Read the rows that the address asks for; raises `HTTPException` for an unknown state."""
    wanted = request.query_params.get("state", "")
    if wanted and wanted not in set(State):
        raise HTTPException(400)
    after = whole(request.query_params.get("after", "0"))
    states = [State(wanted)] if wanted else []
    found = await ledger.rows(view.run.id, states=states, after=after, limit=ROWS_A_PAGE + 1)
    return {
        "rows": await with_follow(ledger, view.run.id, found[:ROWS_A_PAGE]),
        "state_shown": wanted,
        "after": after,
        "more": len(found) > ROWS_A_PAGE,
    }
