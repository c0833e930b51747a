"""Which pushes push what a schedule of the settings would (`push_requests.schedule_pushes`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from k3push.config.settings import Settings
from k3push.core.model import Route, RunId
from k3push.runs.create import scope_of
from k3push.runs.push_requests.schedule_pushes import SameBills


def same_bills(
    settings: Settings,
    schedule: str,
    route: Route,
    now: datetime,
    *,
    waiting: Collection[RunId] = (),
    has_queue: bool = False,
    since: datetime | None = None,
) -> SameBills:
    """Say which pushes those are."""
    given = settings.schedules[schedule]
    return SameBills(
        tenant=settings.file.stem,
        schedule=schedule,
        scope=scope_of(settings.erp.acct_id, route),
        routes=_names_of(route, settings),
        selects=given.selects,
        jobs=settings.lists_of(given),
        now=now,
        waiting=waiting,
        has_queue=has_queue,
        since=since,
    )


def _names_of(route: Route, settings: Settings) -> set[str | None]:
    """Return how requests name the routes to the same forms."""
    scope = scope_of(settings.erp.acct_id, route)
    names = {
        name
        for name in settings.routes
        if scope_of(settings.erp.acct_id, settings.route(name)) == scope
    }
    return {*names, None} if len(settings.routes) == 1 else {*names}
