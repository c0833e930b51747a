"""What people do beside the processes: at the ERP, at its door, and on the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio

from k3push.core.control_words import Command
from k3push.core.model import BillNumber, Row, RunId, State, number_in
from k3push.core.remark import read_remark
from k3push.core.safety.legal_moves import FINAL, IllegalMoveError
from k3push.ports import Doubt, Ledger, RunIsAliveError
from k3push.runs.control import command
from k3push.runs.doubts.word_of_person import in_doubt, settle_by_word
from k3push.runs.retry import plan_rejected, saying
from k3push.runs.stop import Cause
from k3push.simulator import Channel, PushOrder
from k3push.simulator.books.bills import APPROVED, REOPENED
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.history import Maker
from k3push.simulator.fault_plans.faults import Ending
from k3push.simulator.fault_plans.script import Does
from tests.campaign.conditions import USERS, IsGuarded, LacksLinks, Lags, ReadsFail
from tests.campaign.events import (
    Alters,
    AsksField,
    Bears,
    Exchanges,
    IsAllowed,
    IsAltered,
    IsBarred,
    IsClosed,
    IsDown,
    IsLockedOut,
    IsPushed,
    IsRenumbered,
    MadeAnew,
    Meets,
    Reloads,
    Says,
    Stands,
    WasMade,
)
from tests.campaign.result import Result
from tests.campaign.scene import Scene
from tests.campaign.steps_after import HasHand
from tests.runs.office import ROUTE, VirtualClock

# How long a command waits to be obeyed, and a person until the next one.
PATIENCE_S = 10.0
# For how long a bill is unapproved, while somebody mends it.
UNAPPROVED_S = 60.0
PAUSE_S = 90.0

# A person's word is refused while some run settles the doubt, for as long as its looks take.
TRIES_OF_A_PERSON = 400
BETWEEN_TRIES_S = 7.0

ByHand = IsPushed | IsClosed | IsRenumbered | Exchanges | IsAltered
"""What somebody does with bills at the ERP."""


def _among(bills: Collection[BillNumber]) -> Callable[[Row], bool]:
    return lambda row: row.bill in bills


@dataclass(slots=True)
class People:
    """Those of a scene."""

    scene: Scene
    result: Result

    async def say(self, event: Says) -> None:
        """Give the first run commands, if it is alive."""
        await anyio.sleep(event.at_s)
        run, ledger = self.scene.first, self.scene.ledger.another_process()
        for text in event.text.split(", "):
            if await ledger.is_alive(run):
                what = Command.parse(text.split(" "))
                done = await command(ledger, VirtualClock(), run, what, patience_s=PATIENCE_S)
                self.result.counts["commands obeyed"] += done is not None
                await anyio.sleep(PAUSE_S)

    async def touch(self, event: ByHand) -> None:
        """Do something with a bill by hand."""
        await anyio.sleep(event.at_s)
        world = self.scene.world
        if isinstance(event, IsPushed):
            order = PushOrder(PURCHASE_ORDER.id, (event.number,), rule_id=ROUTE.rule)
            world.push(order, event.user, Maker.PERSON)
        elif isinstance(event, IsRenumbered):
            world.renumber(PURCHASE_ORDER, event.number, event.to)
        elif isinstance(event, Exchanges):
            world.exchange(PURCHASE_ORDER, event.one, event.other)
        elif isinstance(event, IsAltered):
            await self._alter(event)
        else:
            for bill in world.store.by_number(PURCHASE_ORDER, event.number):
                bill.closed = True

    async def _alter(self, event: IsAltered) -> None:
        """Do with a source bill what people do who do not know of the push."""
        world = self.scene.world
        bills = list(world.store.by_number(PURCHASE_ORDER, event.number))
        if event.what is Alters.SHARES:
            world.add_source(PURCHASE_ORDER, event.number, org="200")
        elif event.what is Alters.DELETES:
            for bill in bills:
                world.store.remove(bill)
        else:
            for bill in bills:
                bill.status = REOPENED
            await anyio.sleep(UNAPPROVED_S)
            for bill in bills:
                bill.status = APPROVED

    async def bar(self, event: IsBarred) -> None:
        """Take the right to read a form from everybody, and give it back."""
        await anyio.sleep(event.at_s)
        desk = self.scene.site.desk
        before = desk.rights
        forms = {user: {*before.unreadable.get(user, ()), event.form} for user in USERS}
        unreadable = {user: frozenset(each) for user, each in forms.items()}
        desk.rights = replace(before, unreadable=unreadable)
        await anyio.sleep(event.for_s)
        desk.rights = before

    async def lock_out(self, event: IsLockedOut) -> None:
        """Change a user's password, and take that back."""
        await anyio.sleep(event.at_s)
        self._set_password(event.user, "changed")
        self.scene.site.logins.lose_all()
        await anyio.sleep(event.for_s)
        self._set_password(event.user, "sandbox")

    def _set_password(self, user: str, secret: str) -> None:
        logins = self.scene.site.logins
        users = {**logins.accounts.users, user: secret}
        logins.accounts = replace(logins.accounts, users=users)

    async def allow(self, event: IsAllowed) -> None:
        """Put right what the ERP has against a bill."""
        await anyio.sleep(event.at_s)
        self.scene.world.allow(event.number)

    async def make_anew(self, event: MadeAnew) -> None:
        """Make the users anew: what they have made so far bears other makers."""
        await anyio.sleep(event.at_s)
        for document in self.scene.world.store.of_form(IN_STOCK):
            if document.creator in self.scene.story.users:
                document.creator += " (old)"

    async def reload(self, event: Reloads) -> None:
        """Let the site load its metadata anew."""
        await anyio.sleep(event.at_s)
        desk = self.scene.site.desk
        lacking = desk.unloaded
        desk.unloaded = lacking | frozenset(map(str.lower, event.fields))
        await anyio.sleep(event.for_s)
        desk.unloaded = lacking

    async def take_down(self, event: IsDown) -> None:
        """Switch the server off for a while."""
        await anyio.sleep(event.at_s)
        self.scene.site.accepting = False
        await anyio.sleep(event.for_s)
        self.scene.site.accepting = True

    async def retry(self, run: RunId) -> None:
        """Plan the rejected numbers of a run again, as the command does."""
        ledger = self.scene.ledger.another_process()
        opened = await ledger.run(run)
        assert opened is not None
        with suppress(RunIsAliveError):
            async with ledger.own(run, executes=False):
                takes = self._noted(saying(""))
                planned = await plan_rejected(ledger, VirtualClock(), opened, takes)
                self.result.counts["retries"] += len(planned)

    async def retry_elsewhere(self, run: RunId) -> list[RunId]:
        """Plan again what a run leaves to others, whose refused calls may have made it.

        Returns:
            The other runs.
        """
        scene, ledger = self.scene, self.scene.ledger.another_process()
        others: dict[RunId, set[BillNumber]] = {}
        for row in (await scene.rows_left(run, FINAL)).values():
            told = read_remark(row.reason)
            if told and told[0] == "note.stray_of":
                others.setdefault(RunId(str(told[1]["run"])), set()).add(row.bill)
        for other, bills in others.items():
            opened = await ledger.run(other)
            assert opened is not None
            with suppress(RunIsAliveError):
                async with ledger.own(other, executes=False):
                    takes = self._noted(_among(bills))
                    await plan_rejected(ledger, VirtualClock(), opened, takes)
        return list(others)

    def _noted(self, takes: Callable[[Row], bool]) -> Callable[[Row], bool]:
        """Return the same, which notes the bills that it takes: each gets its tries anew."""

        def take(row: Row) -> bool:
            taken = takes(row)
            if taken:
                self.scene.witness.note_retry(row.bill)
            return taken

        return take

    async def speak(self, run: RunId) -> None:
        """Look into the ERP's books, long afterwards, and say what became of doubts."""
        scene, ledger = self.scene, self.scene.ledger.another_process()
        seen = {doubt.attempt for doubt in await self._doubts(ledger)}
        await anyio.sleep(scene.times.settle.window_s)
        scene.site.finish()
        doubts = await self._doubts(ledger)
        # What was sent meanwhile is not what the person has looked for.
        new = {doubt.number for doubt in doubts if doubt.attempt not in seen}
        old = [doubt for doubt in doubts if doubt.run == run and doubt.number not in new]
        self._check_doubts(run, old)
        for number in [doubt.number for doubt in old if scene.is_worth_a_word(doubt.number)]:
            state = State.PUSHED if scene.made_from(number) else State.PLANNED
            for of, bill in await in_doubt(ledger, number):
                if await self._say(ledger, of, bill, state):
                    scene.spoken_of[number] += 1
                    self.result.counts["words of a person"] += 1

    async def _say(self, ledger: Ledger, run: RunId, bill: BillNumber, state: State) -> bool:
        """Say what became of a bill; try again while another run looks after its run."""
        for _ in range(TRIES_OF_A_PERSON):
            try:
                await settle_by_word(
                    ledger, VirtualClock(), run, bill, state, because="seen in the ERP"
                )
            except RunIsAliveError:
                await anyio.sleep(BETWEEN_TRIES_S)
            except IllegalMoveError:
                return False
            else:
                return True
        return False

    async def _doubts(self, ledger: Ledger) -> list[Doubt]:
        runs = [run for run in self.scene.lists if await self.scene.is_written(run)]
        return [doubt for run in runs for doubt in await ledger.doubts(run)]

    def _check_doubts(self, run: RunId, doubts: Sequence[Doubt]) -> None:
        """Find numbers that wait for a person though a look could tell what became of them."""
        scene = self.scene
        # Who is denied a read sees less than was thought, so that absence waits for that.
        denied = any(
            event.user or any(fault.ending is Ending.NO_PERMISSION for fault in event.faults)
            for event in scene.story.all_of(ReadsFail)
        ) or any(
            event.channel is Channel.QUERY and event.fault.ending is Ending.NO_PERMISSION
            for event in scene.story.all_of(Meets)
        )
        # What contradicts itself, or is halted, ends an execution before its other doubts are
        # settled.
        ended = any(Cause.CONTRADICTION in each.causes for each in scene.executions)
        of_run = [each for each in scene.executions if each.run == run]
        ended |= any(Cause.HALTED in each.causes for each in of_run[-1:])
        # What names a bill that is not there by now may be of any bill.
        moved = bool(scene.story.renumbered | scene.story.exchanged)
        # Of one that was made in the very minute before, no id tells that it was there.
        unlinked = moved and scene.story.has(LacksLinks, WasMade)
        untied = unlinked or bool(scene.story.deleted)
        # Copies of the database that answer one look differently leave links unproved, and so does
        # who deletes what has shown them, where the field shows nothing.
        differ = any(event.in_turn for event in scene.story.all_of(Lags))
        deletes = any(event.hand.does is Does.DELETE for event in scene.story.all_of(HasHand))
        unproved = differ or (deletes and scene.story.has(AsksField))
        # What came after its window may be anybody's.
        longest_s = scene.times.longest_call_s
        late = any(scene.witness.takes_s(doubt.number) >= longest_s for doubt in doubts)
        if scene.story.is_dim or denied or ended or untied or unproved or late:
            return
        as_one = scene.world.collation
        events = self.scene.story.happenings
        guarded = {as_one(e.number) for e in events if isinstance(e, IsGuarded)}
        self.result.findings += [
            f"{doubt.number}: `unknown` for a person, without cause"
            for doubt in doubts
            if not scene.witness.answers(doubt.number)
            and as_one(doubt.number) not in guarded
            and not self._is_beside_exchanged(doubt.number)
            and scene.routes[doubt.run].source_number_field
            and not self._may_be_merged(doubt.number)
            and not self._may_be_cut({each.number for each in doubts})
            and not self._may_be_typed(doubt.number)
        ]

    def _is_beside_exchanged(self, number: str) -> bool:
        """Say whether a call with a number carried one that is another bill's by now.

        What a look does not tell of that one, it does not tell of its neighbours.
        """
        sent = {number_in(BillNumber(each)) for each in self._together_with(number)}
        return not self.scene.story.exchanged.isdisjoint(sent)

    def _may_be_typed(self, number: str) -> bool:
        """Say whether a document that nothing ties to a bill may be of this lost call.

        A person has typed a number into it: a part of one of the call, or one that its bill has no
        longer, or the field that is asked holds no numbers.
        """
        story, as_one = self.scene.story, self.scene.world.collation
        typed = [as_one(e.number) for e in story.all_of(Bears) if e.what is Stands.TYPED]
        sent = list(map(as_one, self._together_with(number)))
        cut = any(each in one and each != one for each in typed for one in sent)
        moved = set(map(as_one, story.renumbered | story.exchanged)).intersection(typed)
        return cut or bool(moved) or (bool(typed) and story.has(AsksField))

    def _may_be_merged(self, number: str) -> bool:
        """Say whether a neighbour's document may hold a number, and no link can tell."""
        made = any(map(self.scene.world.documents_of, self._together_with(number) - {number}))
        return made and self.scene.story.has(LacksLinks)

    def _together_with(self, number: str) -> set[str]:
        """Return the numbers that have travelled with one, itself included."""
        # Nobody knows of an attempt that was written down whether it has left.
        written = [set(kept.attempt.intent.numbers) for kept in self.scene.attempts]
        return {number}.union(*(numbers for numbers in written if number in numbers))

    def _may_be_cut(self, in_doubt: Collection[str]) -> bool:
        """Say whether a document names a part of a number, and no link can tell of which bill.

        The document may as well be of a neighbour in its call, or in its look.
        """
        world, as_one = self.scene.world, self.scene.world.collation
        made = set(map(as_one, world.numbers_with_documents()))
        sent = {as_one(one) for number in in_doubt for one in self._together_with(number)}
        cut = any(each in one and each != one for each in made for one in sent)
        # Nobody can say whether a number is a bill whose query is refused.
        guarded = {as_one(e.number) for e in self.scene.story.all_of(IsGuarded)}
        return (cut or bool(made & guarded)) and self.scene.story.has(LacksLinks)
