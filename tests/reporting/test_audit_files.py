from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import pytest

from k3push.adapters.job_files import read_job
from k3push.core.model import BillNumber
from k3push.core.protocol.audit_queries import Inspected
from k3push.core.safety.doubles import Basis
from k3push.reporting import audit_files
from k3push.reporting.audit_files import Audit, audit_lines, json_parts, write_audit
from k3push.reporting.audit_findings import Findings, new_findings
from k3push.reporting.xlsx_table import workbook
from k3push.runs.audit.audit_doubles import Audited, Double, Held, Missing
from k3push.words.language import Say, speaker
from k3push.words.width import columns
from tests.cli.terminal import read_csv
from tests.reporting.evil import EVIL, HARMLESS, Page

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RUN = "20260101-200000-abc"


def double(number: str, text: str = "") -> Double:
    """Return a bill with a draft of ours and an approved document of somebody."""
    ours = Inspected("100001", "", "Z", creator=f"webapi{text}", created="2026-01-02T12:00:00")
    other = Inspected("100002", f"CGRK0000002{text}", "C", creator="张三丰（采购部经理）")
    held = (Held(ours, RUN), Held(other))
    return Double("po-instock", BillNumber(number), "100", 1, Basis.QUANTITIES, held)


def missing(number: str) -> Missing:
    """Return a document that is gone."""
    return Missing("po-instock", BillNumber(number), RUN, "100009")


@pytest.fixture
def findings() -> Iterator[Findings]:
    """Return what an audit of one route has found: nothing yet."""
    with new_findings() as made:
        made.begin("po-instock")
        yield made


def found(findings: Findings, count: int = 2, text: str = "") -> Audit:
    """Find so many doubles, and a document that is gone."""
    doubles = [double(f"CGDD{nth:07d}{text}", text) for nth in range(count)]
    findings.add("po-instock", Audited(9, doubles, [missing(f"CGDD0000009{text}")]))
    return Audit(findings, 3, "sandbox", "all", NOON)


def write(audit: Audit, path: Path, say: Say | None = None) -> Path:
    """Write a file."""
    anyio.run(write_audit, audit, path, say or speaker("en"))
    return path


def test_the_object_is_what_scripts_rely_on(findings: Findings, tmp_path: Path) -> None:
    """Its keys stay, and others come behind them."""
    audit = found(findings, 1)
    told = json.loads(b"".join(json_parts(audit)))
    assert list(told)[:3] == ["sources", "doubles", "missing"]
    assert (told["sources"], told["whole"], told["exit"]) == (9, True, 3)
    (one,), (gone,) = told["doubles"], told["missing"]
    assert list(one)[:4] == ["number", "id", "expected", "targets"]
    keys = ["id", "number", "status", "creator", "created", "ours"]
    assert [list(target)[:6] for target in one["targets"]] == [keys, keys]
    assert [target["ours"] for target in one["targets"]] == [True, False]
    assert (gone["number"], gone["target_id"]) == ("CGDD0000009", "100009")
    assert json.loads(write(audit, tmp_path / "a.json").read_bytes()) == told


def test_a_table_has_a_row_for_each_document(findings: Findings, tmp_path: Path) -> None:
    """Those of a bill stand together, and what is gone behind them."""
    rows = read_csv(write(found(findings), tmp_path / "a.csv"))
    assert [row["finding"] for row in rows] == ["double"] * 4 + ["missing"]
    assert [row["ours"] for row in rows] == ["yes", "no", "yes", "no", "yes"]
    assert (rows[0]["expected"], rows[0]["found"], rows[0]["by"]) == ("1", "2", "quantities")


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_table_is_a_job_file(findings: Findings, tmp_path: Path, name: str) -> None:
    """What was found can be looked at again."""
    with write(found(findings), tmp_path / name).open("rb") as file:
        numbers = [listed.number for listed in read_job(file)]
    assert list(dict.fromkeys(numbers)) == ["CGDD0000000", "CGDD0000001", "CGDD0000009"]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize("number", ["=1+1", "-5"])
def test_a_number_with_a_sign_is_read_from_a_table_as_it_was(
    findings: Findings, tmp_path: Path, name: str, number: str
) -> None:
    """The mark against formulas is k3push's own there, and is no part of a number."""
    findings.add("po-instock", Audited(1, [double(number)], [missing(number)]))
    with write(Audit(findings, 3, "sandbox", "all", NOON), tmp_path / name).open("rb") as file:
        assert {listed.number for listed in read_job(file)} == {number}


def test_a_workbook_goes_on_on_another_sheet(
    findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sheet of Excel has an end."""
    monkeypatch.setattr(audit_files, "workbook", partial(workbook, sheet_rows=3))
    path = write(found(findings), tmp_path / "a.xlsx")
    with path.open("rb") as file:
        assert len(list(read_job(file))) == 3
    with path.open("rb") as file:
        assert len(list(read_job(file, sheet="audit 2"))) == 2


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_the_terminal_shows_fits_into_80_columns(findings: Findings, lang: str) -> None:
    """Chinese names take two columns a letter."""
    say = speaker("zh" if lang == "zh" else "en")
    lines = list(audit_lines(found(findings), say))
    assert max(map(columns, lines)) <= 80
    told = "\n".join(lines)
    assert RUN in told
    assert "张三丰" in told
    assert "100009" in told


def test_the_terminal_shows_a_few_and_says_how_many_more(findings: Findings) -> None:
    """A thousand doubles scroll everything away."""
    lines = list(audit_lines(found(findings, 30), speaker("en")))
    assert sum("2 documents" in line for line in lines) == audit_files.MOST_SHOWN
    assert "… and 10 more; --output F writes all of them" in lines


def test_an_audit_that_is_not_whole_never_says_that_nothing_was_found(findings: Findings) -> None:
    """Neither where the ERP was away, nor where it refused to be asked for a number."""
    findings.add("po-instock", Audited(unread={BillNumber(f"X{n}"): "no" for n in range(12)}))
    findings.why.append("stopped: the ERP was away")
    audit = Audit(findings, 6, "sandbox", "all", NOON)
    lines = list(audit_lines(audit, speaker("en")))
    assert "The audit is not whole" in lines[-13]
    assert lines[-12:][0] == "  stopped: the ERP was away"
    assert lines[-1] == "  … and 2 more that it refuses"
    assert json.loads(b"".join(json_parts(audit)))["whole"] is False
    assert not any("none has more" in line for line in lines)


def test_a_page_shows_a_bound_of_findings(
    findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser bears so many rows, and the page says what it lacks."""
    monkeypatch.setattr(audit_files, "MOST_ON_PAGE", 5)
    text = write(found(findings, 8), tmp_path / "a.html").read_text("utf-8")
    assert text.count("<tbody>") == 5 + 1
    assert "3 findings are not on this page" in text


@pytest.mark.parametrize("text", EVIL)
def test_texts_of_others_are_never_markup(tmp_path: Path, text: str) -> None:
    """Anybody who may name a bill, or a user, could write a script into the page."""
    pages = []
    for words in (HARMLESS, text):
        with new_findings() as made:
            made.begin("po-instock")
            audit = replace(found(made, 1, words), account=f"account{words}")
            pages.append(Page(write(audit, tmp_path / "a.html").read_text("utf-8")))
    harmless, evil = pages
    assert evil.elements == harmless.elements
    assert evil.obeyed == []
    assert evil.lacks(["CGDD0000000", "CGRK0000002", "webapi", "account"], text) == []


def test_a_page_loads_nothing(findings: Findings, tmp_path: Path) -> None:
    """It is read offline, and its policy lets nothing else in."""
    text = write(found(findings), tmp_path / "a.html").read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|\bsrc=|<link", text)
