"""Tells receivers of programs' pushes what happened, until they have taken it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from datetime import datetime
from functools import partial

import anyio
import orjson

from k3push.adapters.webhook_post import Refused, headers_of, post
from k3push.ports import Clock, Ledger, LedgerLostError
from k3push.runs.push_requests.program_events import (
    KEPT_FOR,
    Delivery,
    drop_for_others,
    not_taken,
    pause_s,
    taken,
    waiting,
)
from k3push.web.admission.access import Log
from k3push.wiring.webhook_receivers import Receivers

LEDGER_WAIT_S = 30.0
# An event that another server of the ledger has written is not announced here.
LONGEST_REST_S = 60.0

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Refused | None]]


class Messenger:
    """Sends what waits in the ledger, each receiver in a task of its own.

    Attributes:
        tenant: Who tells. Others of the account share the ledger, with receivers of their own.
    """

    def __init__(
        self,
        receivers: Receivers,
        clock: Clock,
        log: Log,
        send: Post = post,
        *,
        tenant: str = "",
        beside: Callable[[], Container[str]] = tuple,
    ) -> None:
        """Make it ready; `serve` lets it begin.

        Args:
            beside: The tenants that the server has, who tell for themselves.
        """
        self.tenant = tenant
        self._beside = beside
        self._receivers = receivers
        self._clock = clock
        self._log = log
        self._send = send
        self._bells = {name: anyio.Event() for name in receivers.addresses}
        # By receiver: the events at which it was down since it last answered. One alone may be
        # the reason; the more there are, the longer it is left in peace.
        self._down_at: dict[str, set[str]] = {}
        self._serving: anyio.CancelScope | None = None

    def take(self, receivers: Receivers) -> None:
        """Tell these from now on; what waits for others is dropped."""
        if receivers != self._receivers:
            self._receivers = receivers
            self._bells = {name: anyio.Event() for name in receivers.addresses}
            if self._serving is not None:
                self._serving.cancel()

    @property
    def names(self) -> list[str]:
        """Names of the receivers, as the ledger knows them."""
        return list(self._receivers.addresses)

    def ring(self) -> None:
        """Something waits that did not before."""
        for name, bell in self._bells.items():
            self._bells[name] = anyio.Event()
            bell.set()

    async def serve(self, ledger: Callable[[], Awaitable[Ledger]]) -> None:
        """Send until cancelled."""
        while True:
            # Once other receivers are set, a webhook that was on its way may be sent again, with
            # the same id.
            with anyio.CancelScope() as self._serving:
                left = await self._drop(ledger)
                async with anyio.create_task_group() as tasks:
                    for name in self.names:
                        tasks.start_soon(partial(self._serve, name, ledger))
                    while left:
                        await anyio.sleep(KEPT_FOR.total_seconds())
                        left = await self._drop(ledger)
                    await anyio.sleep_forever()

    async def _drop(self, ledger: Callable[[], Awaitable[Ledger]]) -> int:
        """Drop what waits for receivers that the tenant names no longer; return how much is left.

        Where it names none, another server of the ledger may, and is left time to tell it.
        """
        while True:
            try:
                dropped, left = await drop_for_others(
                    await ledger(), self.names, self.tenant, self._clock.now()
                )
            except LedgerLostError as error:
                self._log("webhooks.wait", why=str(error))
                await anyio.sleep(LEDGER_WAIT_S)
            else:
                if dropped:
                    self._log("webhooks.dropped", count=dropped)
                return left

    async def _serve(self, receiver: str, ledger: Callable[[], Awaitable[Ledger]]) -> None:
        while True:
            bell = self._bells[receiver]  # before the look, so that what comes after it is seen
            try:
                rest_s = await self._send_due(await ledger(), receiver)
            except LedgerLostError as error:
                self._log("webhooks.wait", why=str(error))
                rest_s = LEDGER_WAIT_S
            if rest_s > 0:
                with anyio.move_on_after(rest_s):
                    await bell.wait()

    async def _send_due(self, ledger: Ledger, receiver: str) -> float:
        """Send what is due, and return for how many seconds nothing is."""
        soonest = LONGEST_REST_S
        # Those tried least go first: one at which the receiver breaks each time holds up no other.
        for delivery in sorted(await waiting(ledger, receiver), key=lambda each: each.tries):
            if delivery.tenant != self.tenant and delivery.tenant in self._beside():
                continue  # it is signed by a secret of that tenant
            now = self._clock.now()
            left_s = (delivery.due_at - now).total_seconds()
            # A longer one was written down by a clock that was ahead, and is over.
            if 0 < left_s <= pause_s(delivery.tries):
                soonest = min(soonest, left_s)
                continue
            refused = await self._deliver(receiver, delivery, now)
            if refused is None:
                await taken(ledger, delivery)
                self._down_at.pop(receiver, None)
                continue
            self._log(
                "webhook.refused", id=delivery.event, tries=delivery.tries + 1, why=refused.why
            )
            await not_taken(ledger, delivery, self._clock.now())
            if refused.down:
                # Whoever does not answer is not asked for each event that waits.
                down_at = self._down_at.setdefault(receiver, set())
                down_at.add(delivery.event)
                if len(down_at) > 1:
                    await anyio.sleep(pause_s(len(down_at) - 1))
                    return 0.0
            else:
                self._down_at.pop(receiver, None)
            soonest = min(soonest, pause_s(delivery.tries + 1))
        return soonest

    async def _deliver(self, receiver: str, delivery: Delivery, now: datetime) -> Refused | None:
        told = {
            "id": delivery.event,
            "type": delivery.type,
            "timestamp": delivery.at.isoformat(),
            "data": delivery.data,
        }
        body = orjson.dumps(told)
        # Of the sending, not of the event: a receiver refuses what is old.
        seconds = int(now.timestamp())
        headers = headers_of(self._receivers.secret, delivery.event, seconds, body)
        return await self._send(self._receivers.addresses[receiver], headers, body)
