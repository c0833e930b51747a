"""The verbs of the SQL ledgers: which step each runs, and whether in a transaction that writes.

A step is a function over a connection with the port's own parameters (mypy compares the two). What
it does stands in its module: `writes` before anything is sent, `sending`, `followed_documents` for
what follows a push, `reads`, `memos`, `archiving`. A verb that is not here each ledger does in its
own way: it locks what others may write meanwhile, or finds its rows by other indexes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from k3push.adapters.ledger.sql_steps import archiving, reads, sending, writes
from k3push.adapters.ledger.sql_steps import followed_documents as steps
from k3push.adapters.ledger.sql_steps import memos as memo_steps
from k3push.adapters.ledger.sql_steps.step_connection import StepConnection
from k3push.ports import Ledger

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=StepConnection)
C_co = TypeVar("C_co", bound=StepConnection, covariant=True)

Step = Callable[Concatenate[C, P], Coroutine[Any, Any, T]]
Work = Callable[[C], Coroutine[Any, Any, T]]
"""A step whose parameters are given already."""


def read_by(
    step: Step[C, P, T], *, brief: bool = False
) -> Callable[Concatenate[SqlLedger[C], P], Coroutine[Any, Any, T]]:
    """Make a verb of a step that only reads; for *brief* see `SqlLedger.write`."""

    async def verb(ledger: SqlLedger[C], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await ledger.read(lambda connection: step(connection, *args, **kwargs), brief=brief)

    return update_wrapper(verb, step)


def written_by(
    step: Step[C, P, T], *, brief: bool = False
) -> Callable[Concatenate[SqlLedger[C], P], Coroutine[Any, Any, T]]:
    """Make a verb of a step that writes; for *brief* see `SqlLedger.write`."""

    async def verb(ledger: SqlLedger[C], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await ledger.write(lambda connection: step(connection, *args, **kwargs), brief=brief)

    return update_wrapper(verb, step)


class SqlLedger(Ledger, Generic[C_co]):
    """A ledger whose verbs are steps over connections."""

    @abstractmethod
    async def write(self, step: Work[C_co, T], *, brief: bool = False) -> T:
        """Do a step of this account in a transaction that writes.

        Args:
            step: Is done again where a transaction is known to have been undone.
            brief: It is about one chunk, so that SQLite may do it on the event loop
                (`group_commit`). PostgreSQL makes no difference.
        """

    @abstractmethod
    async def read(self, step: Work[C_co, T], *, brief: bool = False) -> T:
        """Do a step of this account that reads; for *brief* see `write`."""

    # -- runs ---------------------------------------------------------------------------------

    open_run = written_by(writes.open_run)
    end_run = written_by(writes.end_run)
    run = read_by(reads.run)
    runs = read_by(reads.runs)
    runs_named = read_by(reads.runs_named)
    runs_called = read_by(reads.runs_called)
    runs_begun_with = read_by(reads.runs_begun_with)
    take = written_by(writes.take)
    taker_of = read_by(reads.taker_of)
    keep_pace = written_by(writes.keep_pace)
    pace = read_by(reads.pace)

    # -- archives -----------------------------------------------------------------------------

    due_for_archive = read_by(archiving.due_for_archive)
    archive = written_by(archiving.archive)
    prune = written_by(archiving.prune)

    # -- commands -----------------------------------------------------------------------------

    command = written_by(writes.command)
    commands = read_by(reads.commands)
    obeyed = written_by(writes.obeyed)

    # -- memos --------------------------------------------------------------------------------

    remember = written_by(memo_steps.remember)
    revise = written_by(memo_steps.revise)
    memo = read_by(memo_steps.memo)
    memos = read_by(memo_steps.memos)

    # -- numbers ------------------------------------------------------------------------------

    add = written_by(writes.add)
    close_list = written_by(writes.close_list)
    identify = written_by(writes.identify, brief=True)
    repeats = read_by(reads.repeats)
    counts = read_by(reads.counts)
    target_count = read_by(reads.target_count)
    rows_of = read_by(reads.rows_of)
    find_rows = read_by(reads.find_rows)
    runs_holding = read_by(reads.runs_holding)
    in_hand = read_by(reads.in_hand, brief=True)
    made_of = read_by(reads.made_of, brief=True)
    made_in = read_by(reads.made_in)
    made_of_namesakes = read_by(reads.made_of_namesakes)
    made_by = read_by(reads.made_by)
    fruitful = read_by(reads.fruitful)
    lately_sent = read_by(reads.lately_sent, brief=True)
    lost_calls = read_by(reads.lost_calls)
    last_successes = read_by(reads.last_successes)
    last_answered = read_by(reads.last_answered)
    twins = read_by(reads.twins)
    partly = read_by(reads.partly)

    # -- sending ------------------------------------------------------------------------------

    put_off = written_by(sending.put_off)
    doubts = read_by(reads.doubts)
    next_chunk = read_by(reads.next_chunk)

    # -- what follows a push ------------------------------------------------------------------

    enrol = written_by(steps.enrol)
    documents = read_by(steps.documents)
    documents_of = read_by(steps.documents_of)
    document_counts = read_by(steps.document_counts)
    follow = written_by(steps.follow)
    record_step = written_by(steps.record_step)
    step = read_by(steps.step)
    steps_of = read_by(steps.steps_of)
    long_steps = read_by(steps.long_steps)

    # -- looking back -------------------------------------------------------------------------

    attempts_of = read_by(reads.attempts_of)
    notes_of = read_by(reads.notes_of)
    attempts_in = read_by(reads.attempts_in)
    notes_in = read_by(reads.notes_in)
    attempt_count = read_by(reads.attempt_count)
    spans = read_by(reads.spans)
