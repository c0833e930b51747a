"""How documents stand around a call for a step, and which wait in a flow; reads may lag behind.

A query may be answered by a copy of the database that lags behind, and the next one by another.
So what a look shows where it was before, or does not show at all, is believed only when looks have
said so for a while; and what a call has done is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio

from k3push.core.model import FlowTask, Standing, Step, StepIntent
from k3push.core.pacing.growing_pauses import FIRST_LAG_S, lag_pauses
from k3push.core.safety.document_steps import has_moved, is_behind
from k3push.core.safety.verdict import Said
from k3push.runs.context import Context
from k3push.runs.lookup.document_lookup import look_at_flow_tasks, look_at_standings
from k3push.runs.submit_and_audit.under_way import FollowedDocument


@dataclass(slots=True)
class StepReads:
    """Reads how documents stand, for one execution.

    Attributes:
        _flows_are_read: The site lets open tasks of flows be read, as far as is known.
    """

    context: Context
    _flows_are_read: bool = True

    async def standings(self, entries: Sequence[FollowedDocument]) -> Mapping[str, Standing]:
        """Read how documents stand now, by id; one that is gone, or lags behind, is absent."""
        ids = [entry.document.id for entry in entries]
        return self._up_to_date(entries, await look_at_standings(self.context, ids))

    async def standings_after(
        self, entries: Sequence[FollowedDocument], intent: StepIntent, said: Said
    ) -> Mapping[str, Standing]:
        """Read how documents stand after a call, until what it has done is shown.

        It reads again while a document is shown as it was before the call, though the answer says
        that it has moved, or an earlier call may have moved it. A document that was refused is
        read again too, or the same call would leave once more at once.
        """
        context = self.context
        named = {target.id for target in said.named}
        may_have = [e for e in entries if e.document.id in named or self._has_gone_lately(e)]
        awaited = entries if said.success else may_have
        ids = [entry.document.id for entry in entries]
        standings = await look_at_standings(context, ids)
        shown = self._up_to_date(entries, standings)
        for pause_s in lag_pauses(context.settle.first_wait_s):
            have_moved = all(has_moved(intent, standings.get(e.document.id)) for e in awaited)
            if have_moved and standings.keys() == shown.keys():
                break
            await anyio.sleep(pause_s)
            standings = await look_at_standings(context, ids)
            shown = self._up_to_date(entries, standings)
        return shown

    def _has_gone_lately(self, entry: FollowedDocument) -> bool:
        """Say whether looks before a call may not have shown what the call before it has done."""
        is_late = entry.due_s >= entry.ended_s + self.context.settle.first_wait_s
        return bool(entry.tries or entry.sessions) and not is_late

    def is_missed(self, entry: FollowedDocument, standings: Mapping[str, Standing]) -> bool:
        """Say whether a document that a look does not show is looked for once more."""
        now_s = anyio.current_time()
        if entry.document.id in standings:
            entry.missed_s = None
            return False
        if entry.missed_s is None:
            entry.missed_s = now_s
        patience_s = self.context.settle.first_wait_s
        if now_s - entry.missed_s >= patience_s:
            return False
        entry.due_s = now_s + min(FIRST_LAG_S + now_s - entry.missed_s, patience_s)
        return True

    async def flow_tasks(
        self, entries: Sequence[FollowedDocument], standings: Mapping[str, Standing]
    ) -> Mapping[str, FlowTask]:
        """Read the open tasks of flows for documents that would be approved, by their number."""
        context = self.context
        if Step.AUDIT not in context.route.follow or not context.route.verify_flow:
            return {}
        seen = [standings.get(entry.document.id) for entry in entries]
        numbers = [each.number for each in seen if each and each.status == "B" and each.number]
        if not numbers or not self._flows_are_read:
            return {}
        tasks = await look_at_flow_tasks(context, numbers)
        self._flows_are_read = tasks is not None
        return tasks or {}

    def _up_to_date(
        self, entries: Sequence[FollowedDocument], standings: Mapping[str, Standing]
    ) -> Mapping[str, Standing]:
        """Leave out documents that a look shows where they were before, for a while.

        One that looks show so for longer than a copy of the database lags was taken back by
        somebody.
        """
        now_s, behind = anyio.current_time(), set()
        for entry in entries:
            standing = standings.get(entry.document.id)
            last = entry.lost.intent if entry.lost else entry.last
            if standing is None or not is_behind(entry.document, standing, last):
                entry.behind_s = None
                continue
            entry.behind_s = now_s if entry.behind_s is None else entry.behind_s
            if now_s - entry.behind_s < self.context.settle.first_wait_s:
                behind.add(entry.document.id)
        return {id_: standing for id_, standing in standings.items() if id_ not in behind}
