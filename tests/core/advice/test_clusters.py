from __future__ import annotations

import tracemalloc
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from k3push.core.advice.clusters import MOST_CLUSTERS, MOST_EXAMPLES, Clusters, asks_for_person
from k3push.core.advice.diagnosis import advise, code_of
from k3push.core.model import BillNumber, State, Target
from k3push.core.model import Row as LedgerRow
from k3push.core.remark import remark
from k3push.words import sentence

MESSAGES = ("单据{n}未审核", "第1行分录，数量大于{n}上限！", "no answer in time", "")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["11", "timeout", ""]),
        st.sampled_from(MESSAGES),
        st.integers(0, 99).map(lambda index: f"CGDD{index:07d}"),
    ),
    max_size=60,
)
Row = tuple[str, str, str]


def clusters_of(rows: list[Row]) -> Clusters:
    """Add rows of code, message with {n}, and number."""
    clusters = Clusters()
    for code, message, number in rows:
        clusters.add(code, message.replace("{n}", number), number)
    return clusters


@given(ROWS)
def test_no_row_is_lost_and_none_counts_twice(rows: list[Row]) -> None:
    """The counts of the summary must add up to the rows of the ledger."""
    clusters = clusters_of(rows)
    counts = {(each.code, each.shape): each.count for each in clusters.largest()}
    assert clusters.total == len(rows) == sum(counts.values()) + clusters.other
    assert len(counts) == len({(code, message) for code, message, _ in rows})


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[Row], random: Random) -> None:
    """Chunks come back in any order, and the summary of one ledger is one."""
    shuffled = list(rows)
    random.shuffle(shuffled)

    def counted(clusters: Clusters) -> list[tuple[str, str, int]]:
        return [(each.code, each.shape, each.count) for each in clusters.largest()]

    assert counted(clusters_of(rows)) == counted(clusters_of(shuffled))


def test_examples_are_numbers_of_the_cluster() -> None:
    """A person looks an example up, so it must be one, and three are enough."""
    rows: list[Row] = [("11", "单据{n}未审核", f"A{index}") for index in range(9)]
    (cluster,) = clusters_of(rows).largest()
    assert cluster.examples == ["A0", "A1", "A2"][:MOST_EXAMPLES]
    assert cluster.advice is not None
    assert cluster.advice.key == "not-approved"


def test_messages_without_end_take_no_memory_without_end() -> None:
    """A million rows of a site that writes free text must not fill the memory."""
    clusters = Clusters()
    tracemalloc.start()
    try:
        for index in range(3000):
            word = "".join(chr(0x4E00 + int(digit)) for digit in str(index))
            clusters.add("11", f"物料{word}不允许" + "很长的话" * 50, f"A{index}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(clusters.largest()) == MOST_CLUSTERS
    assert clusters.other == 3000 - MOST_CLUSTERS
    assert peak < 2_000_000


def test_a_draft_that_makes_a_bill_already_asks_for_a_person() -> None:
    """It takes nothing of its source, and nothing comes of it until somebody completes it."""
    draft, made = Target("1", "", draft=True), Target("2", "RK2")
    row = LedgerRow(1, 2, BillNumber("A"), BillNumber("A"), State.ALREADY)
    told = row._replace(targets=(draft,), reason=remark("note.draft_before"))
    assert asks_for_person(told)
    assert not asks_for_person(row._replace(targets=(made,)))
    advice = advise(code_of(told), told.reason)
    assert advice is not None
    assert advice.key == "earlier-draft"


def test_who_deletes_a_draft_is_told_that_only_again_sends_its_bill_anew() -> None:
    """This ledger has pushed it, so that any other push of the list leaves it `already`."""
    for code, reason in (("draft", ""), ("", remark("note.draft_before"))):
        advice = advise(code, reason)
        assert advice is not None
        english, chinese = sentence(advice.cure) or ("", "")
        assert "if deleted, list it alone for `--again`" in english
        assert "已删除则单独列表，用 `--again`" in chinese
