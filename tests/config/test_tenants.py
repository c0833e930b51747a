from __future__ import annotations

from pathlib import Path

from k3push.config.tenants import LONGEST_NAME, Tenants, read_tenants
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
    return read_tenants(folder, {})


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


def test_a_faulty_file_does_not_stop_the_others(tmp_path: Path) -> None:
    """One tenant's typing error is not a hundred tenants' night."""
    write(tmp_path, "acme.toml")
    write(tmp_path, "basf.toml", more="[rnu]\n")
    write(tmp_path, f"{'x' * (LONGEST_NAME + 1)}.toml")
    found = read(tmp_path)
    assert list(found.by_name) == ["acme"]
    spelled, long = found.faulty.values()
    assert "did you mean 'run'" in english(spelled)
    assert "too long" in english(long)


def test_two_files_of_one_account_are_told(tmp_path: Path) -> None:
    """They would push the same bills side by side, and wait for each other's."""
    write(tmp_path, "acme.toml", "1")
    write(tmp_path, "acme-copy.toml", "1")
    write(tmp_path, "other.toml", "2")
    assert read(tmp_path).doubles == (("acme", "acme-copy"),)


def test_a_copy_of_an_erp_that_shares_a_ledger_is_told(tmp_path: Path) -> None:
    """A restored copy has its original's id, and doubts would be settled in the other one."""
    write(tmp_path, "acme.toml", "1")
    text = TENANT.format(acct="1").replace("erp.example", "test.example")
    (tmp_path / "acme-test.toml").write_text(text, "utf-8")
    write(tmp_path, "other.toml", "2")
    found = read(tmp_path)
    assert found.doubles == ()
    assert found.clashes == {"acme": ("acme-test",), "acme-test": ("acme",)}


def test_a_change_of_any_file_is_seen(tmp_path: Path) -> None:
    """A worker reads the folder again when, and only when, something has changed."""
    write(tmp_path, "acme.toml")
    first = read(tmp_path).digest
    assert read(tmp_path).digest == first
    write(tmp_path, "acme.toml", "other")
    second = read(tmp_path).digest
    write(tmp_path, "new.toml")
    assert len({first, second, read(tmp_path).digest}) == 3
