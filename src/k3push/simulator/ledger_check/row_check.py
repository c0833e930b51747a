"""Does a ledger tell the truth? Its rows are held against the simulator's own books."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from k3push.simulator.books.bills import Bill
from k3push.simulator.books.history import Maker, Making
from k3push.simulator.books.world import World
from k3push.simulator.ledger_check.step_check import check_documents, check_follow

# What the contract promises of these states: the ERP made nothing from the number.
_NOTHING_MADE = frozenset({"rejected", "planned"})


def check_ledger(
    ledger: Iterable[Mapping[str, Any]],
    world: World,
    expected: Iterable[str] = (),
    *,
    since: int = 0,
    but: Collection[int] = (),
    follows_already: bool = False,
) -> list[str]:
    """List what is wrong, in plain text; an empty list is a clean bill of health.

    Found are: numbers with documents of more than one push of the client, for one target form;
    rows that name other targets than the world made, or none, or that deny them; rows left
    `sent`; documents and expected numbers that no row tells of. `unknown` contradicts nothing.

    Where rows have the key follow, it is held against what was done with the documents; and in
    any case each document may have been submitted and approved once at most, none that the
    client has not made, none past its flow, and none was named in a call again without a look
    at its status in between.

    A cancelled or deleted target is no document: a row may name it only where the client made
    it. What another program or a person made may be named beside the client's own, since nobody
    can say when a look should have met it; alone it must not be denied, unless it bears nothing
    but a number that was typed in.

    Args:
        ledger: Rows with the keys number, state, targets and target_ids. The last two are
            lists, or text with ";" between. With the key target_form a row tells of targets
            of that form alone, and with the key id of documents of that source alone: two
            organisations may have one number. A row without it whose key code is `ambiguous`
            tells of none. The key follow is empty, `submitted`, `approved`, `waiting`, `refused`
            or `unknown`.
        world: What really happened. Late work must be done first (`Site.finish`).
        expected: Numbers that must have a row.
        since: Pushes to pass over, the oldest: what was there before, where a ledger is meant to
            push it again.
        but: Targets to pass over, by id.
        follows_already: Whether documents that the client has not made may be submitted and
            approved as well.
    """

    def makings_of(number: str, form: str = "", source: str = "") -> tuple[Making, ...]:
        return tuple(
            making
            for making in world.makings_of(number)
            if (making.push > since or not making.push)
            and making.target.id not in but
            and form.lower() in {"", making.target.form.id.lower()}
            and source in {"", str(making.source.id)}
        )

    findings: list[str] = []
    told = _Told(world)
    for row in ledger:
        number, source = told.by(row)
        makings = () if _tells_of_none(row) else makings_of(number, _form_of(row), source)
        findings += _check(row, number, makings)
        named = items_of(row.get("target_ids"))
        bills = [making.target for making in makings if str(making.target.id) in named]
        findings += check_follow(str(row.get("follow") or ""), number, bills, world.documents)
    own: dict[int, Bill] = {}
    for number in world.numbers_with_documents():
        makings = makings_of(number)
        clients = [making for making in makings if making.maker is Maker.CLIENT]
        for repeated in _repeated(clients):
            pushes = len({making.push for making in repeated})
            findings.append(f"{number}: made by {pushes} pushes: {_listed(_ids(repeated))}")
        if not all(map(told.tells_of, clients)):
            findings.append(f"{number}: documents were made and no row tells of them")
        followable = world.makings_of(number) if follows_already else clients
        own |= {making.target.id: making.target for making in followable}
    findings += check_documents(world.documents, own, told.followed)
    missing = (number for number in expected if world.collation(number) not in told.numbers)
    findings += [f"{number}: there is no row" for number in missing]
    return findings


class _Told:
    """Which sources and documents rows tell of.

    Attributes:
        numbers: Collated numbers that have a row.
        followed: Ids of documents that rows say were followed; None where no row says anything.
    """

    def __init__(self, world: World) -> None:
        self.numbers: set[str] = set()
        self.followed: set[str] | None = None
        self._world = world
        self._all_of: set[str] = set()
        self._ids: set[str] = set()

    def by(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Note a row; give the number of its source, and the id if it tells of that alone."""
        source = str(row.get("id") or "")
        number = str(row["number"] or "") or self._world.number_of(source)
        self.numbers.add(self._world.collation(number))
        if source:
            self._ids.add(source)
        elif not _tells_of_none(row):
            self._all_of.add(self._world.collation(number))
        if "follow" in row:
            self.followed = self.followed or set()
            self.followed.update(items_of(row.get("target_ids")) if row["follow"] else ())
        return number, source

    def tells_of(self, making: Making) -> bool:
        """Tell whether a row stands for the source of *making*."""
        number = self._world.collation(making.source.number)
        return number in self._all_of or str(making.source.id) in self._ids


def _form_of(row: Mapping[str, Any]) -> str:
    return str(row.get("target_form") or "")


def _tells_of_none(row: Mapping[str, Any]) -> bool:
    """Tell whether several sources have the number of a row, and it means none of them."""
    return row.get("code") == "ambiguous" and not row.get("id")


def _repeated(makings: Iterable[Making]) -> Iterator[tuple[Making, ...]]:
    """Give what the client pushed though a document of an earlier push of his was there."""
    groups: dict[tuple[int, str], list[Making]] = {}
    for making in makings:
        groups.setdefault((making.source.id, making.target.form.id), []).append(making)
    for group in groups.values():
        found = {
            making.target.id: making
            for later in group
            for earlier in group
            if earlier.push < later.push and not _was_cancelled_before(later.push, earlier.target)
            for making in (earlier, later)
        }
        if found:
            yield tuple(found.values())


def _was_cancelled_before(push: int, target: Bill) -> bool:
    return not target.living and target.gone_after < push


def _check(row: Mapping[str, Any], number: str, makings: tuple[Making, ...]) -> list[str]:
    """Compare one row with what was made from its number."""
    state = str(row["state"])
    if state == "sent":
        return [f"{number}: left `sent`"]
    if state in _NOTHING_MADE:
        plain = [making for making in makings if _is_living(making) and _is_linked(making)]
        return [f"{number}: `{state}`, yet {_listed(_ids(plain))} was made"] if plain else []
    if state in {"pushed", "draft", "already"}:
        return _check_claim(row, number, makings)
    return []


def _check_claim(row: Mapping[str, Any], number: str, makings: tuple[Making, ...]) -> list[str]:
    """Compare the targets that a row claims with those that there are."""
    state, named = str(row["state"]), set(items_of(row.get("target_ids")))
    living = [making for making in makings if _is_living(making)]
    own = [making for making in living if making.maker is Maker.CLIENT]
    may = [making for making in makings if _is_living(making) or making.maker is Maker.CLIENT]
    if not (living if state == "already" else may):
        return [f"{number}: `{state}`, yet nothing was made"]
    if not named or not _ids(own) <= named <= _ids(may):
        made = _listed(_ids(own or may))
        return [f"{number}: names {_listed(named) or 'no target'}, but {made} was made"]
    if state == "already" and not named & _ids(living):
        return [f"{number}: `already`, yet all that it names is gone"]
    findings: list[str] = []
    seen = [making for making in may if str(making.target.id) in named]
    numbers = {making.target.number for making in seen if making.target.number}
    named_numbers = set(items_of(row.get("targets")))
    if named_numbers != numbers:
        findings.append(
            f"{number}: calls its targets {_listed(named_numbers) or 'nothing'}, "
            f"but they are {_listed(numbers) or 'drafts'}"
        )
    has_draft = any(not making.target.number for making in seen)
    if has_draft and state == "pushed":
        findings.append(f"{number}: `pushed`, yet a draft was made")
    if not has_draft and state == "draft":
        findings.append(f"{number}: `draft`, yet no draft was made")
    return findings


def _is_living(making: Making) -> bool:
    return making.target.living


def _is_linked(making: Making) -> bool:
    return any(entry.links for entry in making.target.entries)


def _ids(makings: Iterable[Making]) -> set[str]:
    return {str(making.target.id) for making in makings}


def _listed(items: Iterable[str]) -> str:
    return ", ".join(sorted(items))


def items_of(value: Any) -> list[str]:
    """Read a list, or text with ";" between."""
    items = value.split(";") if isinstance(value, str) else value or ()
    return [str(item) for item in items if item not in (None, "", " ")]
