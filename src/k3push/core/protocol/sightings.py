"""What a look at a target form shows of bills: which documents are theirs, or may be others'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from k3push.core.model import BillNumber, Sighting, id_in
from k3push.core.protocol.bill_rows import LinkedTarget
from k3push.core.protocol.pairs import Ground

# The sources of a document whose lines tell none.
UNTOLD = frozenset({""})


def sighting(
    found: Mapping[BillNumber, Sequence[LinkedTarget]],
    user: str,
    *,
    by_link: bool = False,
) -> Sighting:
    """Sort what a look has found; documents of another source form are none of ours.

    Nor are those that a link shows to be of another bill than the one which was asked for by its
    id. Where nothing but links was asked, all are of their bills.
    """
    targets, cancelled, shared, denied = {}, {}, {}, {}
    thin: set[str] = set()
    sources: dict[tuple[BillNumber, str], frozenset[str]] = {}
    for bill, linked in found.items():
        id_ = "" if by_link else id_in(bill)
        alike = [each for each in linked if each.ground > Ground.ODD]
        ours = [each for each in alike if not id_ or each.may_be_of(id_)]
        there = [each for each in ours if not each.cancelled]
        if mine := tuple(each.target for each in there if not id_ or each.is_of(id_)):
            targets[bill] = mine
        if unclear := tuple(each.target for each in there if id_ and not each.is_of(id_)):
            shared[bill] = unclear
        rest = [each for each in linked if Ground.FOREIGN < each.ground <= Ground.ODD]
        if rest := [each for each in rest if not each.cancelled]:
            denied[bill] = tuple(each.target for each in rest)
        for each in ours:
            if each.sources != UNTOLD:
                of = bill, each.target.id
                sources[of] = sources.get(of, frozenset()) | each.sources
        if gone := tuple(each.target for each in ours if each.cancelled):
            cancelled[bill] = gone
        thin |= {each.target.id for each in ours if each.ground is Ground.NUMBER}
        thin |= {each.target.id for each in rest if each.ground is Ground.ODD}
    return Sighting(
        targets,
        frozenset({user}),
        cancelled,
        thin=frozenset(thin),
        shared=shared,
        denied=denied,
        sources=sources,
    )
