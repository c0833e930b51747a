from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from k3push.config import tenants
from k3push.config.tenants import LONGEST_NAME, Tenant, TenantFiles, Tenants, files_of, tenant_of
from tests.said import english

TENANT = """\
[erp]
url = "https://erp.example.com"
acct_id = "{acct}"
username = "api"
password = {{ env = "ERP_PASSWORD" }}
[ledger]
url = "sqlite:///ledger.db"
[fleet]
database = "postgresql://queue.example.com/k3push"
[routes.in]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
"""


def write(folder: Path, name: str, acct: str = "", more: str = "") -> None:
    """Write the configuration of a tenant."""
    (folder / name).write_text(TENANT.format(acct=acct or name) + more, "utf-8")


def read(folder: Path) -> Tenants:
    """Read a folder of tenants."""
    return TenantFiles(folder, {}).read()


def test_each_file_is_a_tenant_of_its_name(tmp_path: Path) -> None:
    """A tenant is added by adding a file, and nothing else."""
    for name in ("acme.toml", "华东.toml"):
        write(tmp_path, name)
    found = read(tmp_path).by_name
    assert sorted(found) == ["acme", "华东"]
    assert found["acme"].database == "postgresql://queue.example.com/k3push"


def test_hidden_files_and_copies_of_editors_are_no_tenants(tmp_path: Path) -> None:
    """Half a file that an editor keeps must not push."""
    write(tmp_path, "acme.toml")
    for name in (".acme.toml", "#acme.toml#", "~acme.toml", "acme.toml~", "acme.toml.bak", "a.txt"):
        write(tmp_path, name)
    (tmp_path / "folder.toml").mkdir()
    found = read(tmp_path)
    assert list(found.by_name) == ["acme"]
    assert not found.faulty


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_a_link_that_leads_nowhere_is_no_tenant(tmp_path: Path) -> None:
    """One that leads to itself is an error of the file system, and hides no other file."""
    write(tmp_path, "b.toml")
    write(tmp_path, "a.toml")
    (tmp_path / "linked.toml").symlink_to("a.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "gone.toml").symlink_to("nowhere.toml")
    (tmp_path / "folder.toml").mkdir()
    names = [path.name for path in files_of(tmp_path)]
    assert names == ["a.toml", "b.toml", "linked.toml"]


def test_a_faulty_file_does_not_stop_the_others(tmp_path: Path) -> None:
    """One tenant's typing error is not a hundred tenants' night."""
    write(tmp_path, "acme.toml")
    write(tmp_path, "bexo.toml", more="[rnu]\n")
    write(tmp_path, f"{'x' * (LONGEST_NAME + 1)}.toml")
    found = read(tmp_path)
    assert list(found.by_name) == ["acme"]
    spelled, long = found.faulty.values()
    assert "did you mean 'run'" in english(spelled)
    assert "too long" in english(long)


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")
def test_a_file_whose_name_is_no_text_is_faulty_and_the_others_are_read(tmp_path: Path) -> None:
    """A page, a metric and a worker's queue name the tenant: a dashboard and a worker ended."""
    write(tmp_path, "acme.toml")
    write(tmp_path, os.fsdecode(b"\xc9\xcf.toml"), acct="other")
    found = read(tmp_path)
    assert list(found.by_name) == ["acme"]
    (why,) = found.faulty.values()
    assert "rename the file" in english(str(why))


def test_two_files_of_one_account_are_told(tmp_path: Path) -> None:
    """They would push the same bills side by side, and wait for each other's."""
    write(tmp_path, "acme.toml", "1")
    write(tmp_path, "acme-copy.toml", "1")
    write(tmp_path, "other.toml", "2")
    assert read(tmp_path).doubles == (("acme", "acme-copy"),)


@pytest.mark.parametrize(
    ("erp", "acct"),
    [
        ("https://ERP.example.com", "ab1"),
        ("https://erp.example.com:443/K3Cloud/", "ab1"),
        ("https://erp.example.com./k3cloud", "ab1"),
        ("https://erp.example.com", "AB1"),
    ],
)
def test_one_account_by_another_spelling_is_told_too(tmp_path: Path, erp: str, acct: str) -> None:
    """Where their ledgers are two, nothing else keeps them apart."""
    write(tmp_path, "acme.toml", "ab1")
    text = TENANT.format(acct=acct).replace("https://erp.example.com", erp)
    (tmp_path / "acme-copy.toml").write_text(text, "utf-8")
    found = read(tmp_path)
    assert (found.doubles, found.clashes) == ((("acme", "acme-copy"),), {})


def test_a_copy_of_an_erp_that_shares_a_ledger_is_told(tmp_path: Path) -> None:
    """A restored copy has its original's id, and doubts would be settled in the other one."""
    write(tmp_path, "acme.toml", "1")
    text = TENANT.format(acct="1").replace("erp.example", "test.example")
    (tmp_path / "acme-test.toml").write_text(text, "utf-8")
    write(tmp_path, "other.toml", "2")
    found = read(tmp_path)
    assert found.doubles == ()
    assert found.clashes == {"acme": ("acme-test",), "acme-test": ("acme",)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://k3push_acme@db/k3push", "postgresql://k3push_test@db/k3push"),
        ("postgresql://db/k3push", "postgresql://DB:5432/k3push?sslmode=require"),
        ("postgresql:///k3push?host=/run/pg", "postgresql://k3push_test@/k3push?host=/run/pg"),
    ],
)
def test_one_ledger_by_another_role_or_spelling_is_one(
    tmp_path: Path, one: str, other: str
) -> None:
    """With a role for each tenant, both roles see the rows of the one account."""
    for name, erp, ledger in (("acme", "erp", one), ("acme-test", "test", other)):
        text = TENANT.format(acct="1").replace("erp.example", f"{erp}.example")
        text = text.replace("sqlite:///ledger.db", ledger)
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    assert read(tmp_path).clashes == {"acme": ("acme-test",), "acme-test": ("acme",)}


@pytest.mark.parametrize("other", ["postgresql://db/other", "postgresql://db:5433/k3push"])
def test_another_database_is_another_ledger(tmp_path: Path, other: str) -> None:
    """A copy with a database of its own is served."""
    for name, erp, ledger in (("acme", "erp", "postgresql://db/k3push"), ("test", "test", other)):
        text = TENANT.format(acct="1").replace("erp.example", f"{erp}.example")
        (tmp_path / f"{name}.toml").write_text(text.replace("sqlite:///ledger.db", ledger), "utf-8")
    assert read(tmp_path).clashes == {}


def test_a_change_of_any_file_is_seen(tmp_path: Path) -> None:
    """A worker looks at its tenants anew when, and only when, something has changed."""
    write(tmp_path, "acme.toml")
    write(tmp_path, "bexo.toml")
    files = TenantFiles(tmp_path, {})
    first = files.read()
    assert files.read() is first
    write(tmp_path, "acme.toml", "other")
    second = files.read()
    assert second is not first
    assert second.by_name["acme"].settings.erp.acct_id == "other"
    assert second.by_name["bexo"] is first.by_name["bexo"]
    write(tmp_path, "new.toml")
    third = files.read()
    assert "new" in third.by_name
    (tmp_path / "new.toml").write_text("[erp]\n")
    assert list(files.read().faulty) == [tmp_path / "new.toml"]
    (tmp_path / "new.toml").unlink()
    assert files.read().by_name == second.by_name


def test_a_file_is_parsed_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands are looked at every few seconds, and a worker with nothing to do did only that."""
    for name in ("a", "b", "c"):
        write(tmp_path, f"{name}.toml")
        os.utime(tmp_path / f"{name}.toml", (1e9, 1e9))
    parsed: list[str] = []

    def counted(path: Path, environment: Mapping[str, str]) -> Tenant:
        parsed.append(path.stem)
        return tenant_of(path, environment)

    monkeypatch.setattr(tenants, "tenant_of", counted)
    files = TenantFiles(tmp_path, {})
    files.read()
    files.read()
    assert parsed == ["a", "b", "c"]
    write(tmp_path, "b.toml", "other")
    files.read()
    assert parsed == ["a", "b", "c", "b"]
