"""`settle --as`: a person's word about numbers that are unknown."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.cli.actions.push_runs import Runner
from k3push.core.model import BillNumber, RunId, State, label_of
from k3push.core.remark import remark
from k3push.ports import Ledger, RunIsAliveError
from k3push.runs.control import left_to_another
from k3push.runs.doubts.word_of_person import doubts_meant, settle_by_word
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.measuring import measured
from k3push.wiring.open_ledger import ledger_of


async def settle_as(runner: Runner, state: State, numbers: Sequence[str]) -> Exit:
    """Record a person's word about unknown numbers; the id of their run may stand before.

    Raises:
        Problem: A number is in no doubt, or in several that are not alike, or its run is under way.
    """
    async with (
        ledger_of(runner.settings) as ledger,
        measured(runner.settings, ledger, runner.warn),
    ):
        doubtful: list[tuple[RunId, BillNumber]] = []
        named = await ledger.run(RunId(numbers[0]))
        if named and not numbers[1:]:
            raise Problem(remark("error.as_needs"))
        typed = (BillNumber(each.strip()) for each in (numbers[1:] if named else numbers))
        for number in dict.fromkeys(typed):
            found = await doubts_meant(ledger, number, named.id if named else None)
            if not found:
                raise Problem(await _why_not_in_doubt(ledger, number))
            doubtful += found
        for run in dict.fromkeys(run for run, _ in doubtful):
            if await ledger.is_alive(run):  # before anything is written down
                raise Problem(await left_to_another(ledger, run))
        for run, bill in dict.fromkeys(doubtful):  # the list and the ERP may spell it apart
            try:
                await settle_by_word(
                    ledger,
                    runner.clock,
                    run,
                    bill,
                    state,
                    because=runner.options.because,
                    user=runner.options.by,
                )
            except RunIsAliveError as error:
                raise Problem(await left_to_another(ledger, run)) from error
            word = runner.say(f"state.{state}")
            runner.warn("notice.settled_by_person", number=label_of(bill), state=word)
        meant = dict.fromkeys(run for run, _ in doubtful)
        stand = [await runner.executor.write_results_again(ledger, run) for run in meant]
        runner.put_object([each for each in stand if each], Exit.DONE)
    return Exit.DONE


async def _why_not_in_doubt(ledger: Ledger, number: BillNumber) -> str:
    """Say why a word about a number is of no use, as a remark."""
    for run, row in await ledger.rows_of(number):
        if row.state is State.SENT:
            if await ledger.is_alive(run):
                return await left_to_another(ledger, run)
            return remark("error.sent_and_killed", number=number, run=run)
    return remark("error.not_unknown", number=number)
