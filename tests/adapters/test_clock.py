"""What the computer's clocks say of where and when they were read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from k3push.adapters import clock
from k3push.adapters.clock import SystemClock
from k3push.core.model import Uptime
from k3push.core.safety.ages import least_age_s


def booted(
    monkeypatch: pytest.MonkeyPatch, folder: Path, boot: str, *, systemd: bool, machine: str = "m"
) -> Uptime:
    """Return the uptime of a machine of one name, with what its system tells."""
    (folder / "boot").write_text(boot)
    (folder / "machine").write_text(machine)
    monkeypatch.setattr(clock, "BOOT_ID", folder / "boot")
    monkeypatch.setattr(clock, "MACHINE_ID", folder / "machine")
    monkeypatch.setattr(clock, "SYSTEMD", folder if systemd else folder / "none")
    monkeypatch.setattr("socket.gethostname", lambda: "worker-0")
    return replace(SystemClock().uptime(), seconds=1e6)


@pytest.mark.parametrize(
    ("systemd", "machine", "age_s"), [(False, "m", 0), (True, "n", 0), (True, "m", 600)]
)
def test_a_container_that_goes_on_elsewhere_under_its_name_is_another_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, systemd: bool, machine: str, age_s: float
) -> None:
    """Its image holds the id of some machine, or none, and the clocks may be minutes apart."""
    began = booted(monkeypatch, tmp_path, "one", systemd=systemd)
    now = booted(monkeypatch, tmp_path, "two", systemd=systemd, machine=machine)
    at = SystemClock().now()
    assert least_age_s(at, began, at + timedelta(minutes=10), now) == age_s
    again = booted(monkeypatch, tmp_path, "one", systemd=systemd)
    later = replace(again, seconds=again.seconds + 5)
    assert least_age_s(at, again, at, later) == 5
