from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.adapters.ledger.rules import KILLED_BECAUSE
from k3push.core.advice.clusters import Clusters
from k3push.core.model import State
from k3push.core.remark import remark
from k3push.reporting.summary import CLUSTERS_SHOWN, cause_lines, next_step, reason_lines
from k3push.runs.outcome import Exit
from k3push.runs.stop import Cause
from k3push.words.language import Lang, speaker
from k3push.words.width import columns
from tests.said import chinese, english

LANGUAGES: tuple[Lang, ...] = ("en", "zh")


@pytest.mark.parametrize("lang", LANGUAGES)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["11", "13", "timeout", "draft", "99", "precheck"]),
            st.text(max_size=120) | st.sampled_from(["第1行分录，仓库是必填项", "未审核", ""]),
            st.text(min_size=1, max_size=80),
        )
    )
)
def test_reasons_fit_a_terminal_and_account_for_every_number(
    lang: Lang, rows: list[tuple[str, str, str]]
) -> None:
    """A line that a terminal breaks is not read at night, and a sum that is off is not believed."""
    clusters = Clusters()
    for code, reason, number in rows:
        clusters.add(code, " ".join(reason.split()), " ".join(number.split()))
    lines = reason_lines(clusters, speaker(lang))
    assert [line for line in lines if columns(line) > 80] == []
    counts = [
        int(line.split()[0].replace(",", ""))
        for line in lines
        if " × " in line and line[4].isdigit()
    ]
    assert len(counts) == min(CLUSTERS_SHOWN, len(clusters.largest()))
    assert (sum(counts) < len(rows)) == (len(clusters.largest()) > CLUSTERS_SHOWN)


def test_a_long_reason_is_cut_and_no_number_beside_it() -> None:
    """By the number all else is found, by half a reason nothing."""
    clusters = Clusters()
    clusters.add("11", "应付单号重复，" * 9, "CGDD0000017")
    clusters.add("12", "数量超出，" * 9, "9" * 80)
    first, second = (line for line in reason_lines(clusters, speaker("zh")) if " × " in line)
    assert first.endswith("… (CGDD0000017)")
    assert second.endswith(f"… ({'9' * 29}…)")


def test_the_largest_cluster_comes_first_with_an_example_and_its_cure() -> None:
    """Who mends one thing at night mends the one that holds up most numbers."""
    clusters = Clusters()
    clusters.add("11", "第1行分录，仓库是必填项", "A-1")
    for index in range(3):
        clusters.add("11", f"单据B-{index}未审核", f"B-{index}")
    assert reason_lines(clusters, speaker("zh")) == [
        "  原因与处理：",
        "    3 × 单据…未审核 (B-0, …)",
        "      源单未审核",
        "      → 请在 ERP 中审核，然后 `k3push retry`",
        "    1 × 第…行分录，仓库是必填项 (A-1)",
        "      下游单据必须录入仓库",
        "      → 请在源单填写，或由转换规则带出，然后 `k3push retry`",
    ]


def test_what_is_not_shown_is_counted() -> None:
    """Five reasons are shown, and nobody may think that there are no more."""
    clusters = Clusters()
    for place, word in enumerate("甲乙丙丁戊己庚"):
        for index in range(9 - place):
            clusters.add("99", word, f"{word}{index}")
    lines = reason_lines(clusters, speaker("en"))
    assert lines[-1] == "    and 2 more reasons, 7 numbers"
    assert reason_lines(Clusters(), speaker("en")) == []


def test_a_reason_that_says_the_cause_is_not_said_twice() -> None:
    """Our own check says the cause, in the words of this version or of an older one."""
    for reason in (
        remark("note.blocked.unapproved"),
        "源单未审核 (the source bill is not approved)",
    ):
        clusters = Clusters()
        clusters.add("precheck", reason, "A-1")
        for lang in LANGUAGES:
            assert len(reason_lines(clusters, speaker(lang))) == 3


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_of_a_stop_has_words(cause: Cause, lang: Lang) -> None:
    """A run that stopped and does not say why is the worst to come back to."""
    (line, *_) = cause_lines({cause: "THE FACT"}, speaker(lang))
    assert line
    assert ("THE FACT" in line) != (cause in {Cause.INTERRUPTED, Cause.CONTROL, Cause.LIMIT})


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("why", ["fleet.away", "fleet.forgotten"])
def test_a_run_that_its_worker_gives_up_was_told_to_stop_by_nobody(lang: Lang, why: str) -> None:
    """Whoever looks for who has stopped it finds that the database was away."""
    say = speaker(lang)
    (line,) = cause_lines({Cause.INTERRUPTED: remark(why)}, say)
    assert say(why) in line
    assert say("cause.interrupted") not in line


def test_a_refused_login_gets_the_cure_of_its_words() -> None:
    """A locked account and a wrong password are mended by different people."""
    refused = {Cause.LOGIN_REFUSED: "登录次数超限 (LoginResultType -1)"}
    assert "half an hour" in cause_lines(refused, speaker("en"))[-1]
    unreachable = {Cause.UNREACHABLE: "http://erp/: ConnectError: refused"}
    assert len(cause_lines(unreachable, speaker("en"))) == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_missing_right_has_stopped_goes_on_by_resume(lang: Lang) -> None:
    """Its numbers are planned, and `retry` takes the rejected ones."""
    *_, cure = cause_lines({Cause.LOOK_REFUSED: "STK_InStock: 您没有查看权限"}, speaker(lang))
    assert ("k3push resume" in cure, "k3push retry" in cure) == (True, False)


def test_a_number_on_its_way_comes_before_the_exit_code() -> None:
    """After a second Ctrl-C only `resume` is right, whatever else the code stands for."""
    assert "k3push resume" in next_step({State.SENT: 1}, Exit.SOME_UNKNOWN, speaker("en"))
    assert "k3push settle" in next_step({State.UNKNOWN: 1}, Exit.SOME_UNKNOWN, speaker("en"))
    # What `settle` cannot prove alone, the next bill that is pushed may.
    both = {State.UNKNOWN: 1, State.PLANNED: 1}
    assert "k3push resume" in next_step(both, Exit.SOME_UNKNOWN, speaker("en"))


def test_what_needs_a_person_is_named_for_what_it_is() -> None:
    """A run whose bills somebody else pushed as well has neither rejected nor draft rows."""
    twins_alone = next_step({State.PUSHED: 3}, Exit.SOME_REJECTED, speaker("en"))
    assert "a document too many, perhaps" in twins_alone
    counts = {State.PUSHED: 3, State.REJECTED: 1}
    assert "rejected or draft" in next_step(counts, Exit.SOME_REJECTED, speaker("en"))


def test_what_the_row_of_a_doubt_says_comes_before_what_holds_for_all() -> None:
    """That no look can tell is no cure; that its document is cancelled has one."""
    clusters = Clusters()
    why = remark("note.cancelled_since", documents="CGRK0000002")
    clusters.add("cancelled_since", why, "CGDD0000001", State.UNKNOWN)
    clusters.add("timeout", "ReadTimeout", "CGDD0000002", State.UNKNOWN)
    told = "\n".join(reason_lines(clusters, speaker("en"), causes=[Cause.PERSON]))
    assert "settle --as absent`, `resume`, `retry`" in told, told
    assert "look it up in the ERP" in told, told


@pytest.mark.parametrize(
    ("text", "in_english", "in_chinese"),
    [
        (
            remark("note.wait", why="ConnectError: x"),
            "nothing was done (ConnectError: x); wait, then send again",
            "ERP 未处理（ConnectError: x）；等待后重新发送",
        ),
        (
            remark("note.doubt", code="http_502", why=remark("note.page", start="<html>")),
            "in doubt (http_502: a page instead of JSON: <html>)",
            "结果未知（http_502：应答是网页而不是 JSON：<html>）",
        ),
        (
            remark("note.refused", code="MsgCode 11"),
            "finished (refused, MsgCode 11); read back",
            "已处理（被拒绝，MsgCode 11）；已回查",
        ),
        (
            KILLED_BECAUSE,
            "the process that sent it ended before an answer was written down",
            "发送它的进程在记下应答之前结束",
        ),
        (
            remark("note.by_hand", state=remark("state.pushed"), why="seen {by} Wang", attempts=1),
            "settled by hand as pushed: seen {by} Wang (after 1 call)",
            "人工核实为已下推：seen {by} Wang（此前调用 1 次）",
        ),
        # What an older version has written, and what a later one may write.
        ("finished (success); read back", *["finished (success); read back"] * 2),
        ('note.of_a_later_version{"x":1}', *['note.of_a_later_version{"x":1}'] * 2),
        ("note.wait{}", *["note.wait{}"] * 2),
        ("note.wait{not JSON}", *["note.wait{not JSON}"] * 2),
    ],
)
def test_what_the_ledger_keeps_is_said_in_the_readers_language(
    text: str, in_english: str, in_chinese: str
) -> None:
    """A ledger is written once and read by people of two languages."""
    assert english(text) == in_english
    assert chinese(text) == in_chinese
