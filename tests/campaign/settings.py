"""What the settings of a story say of times, and whether k3push takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from k3push.config.setting_errors import SettingsError
from k3push.config.settings_file import read_settings
from k3push.runs.proof.doubt_ages import SettleTimes
from tests.runs.office import ANSWER_TIMEOUT_S, SETTLE

SHIPPED = Path(__file__).parents[2] / "config.toml"


@dataclass(frozen=True, slots=True)
class Times:
    """How long things are waited for.

    Attributes:
        answer_timeout_s: For an answer.
    """

    settle: SettleTimes = SETTLE
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    @property
    def longest_call_s(self) -> float:
        """How long the ERP may take for a call, by the administrator's promise.

        An attempt may have waited before it left. What the client itself waits for is no breach.
        """
        return max(self.settle.window_s - self.settle.held_up_s, self.answer_timeout_s)


@dataclass(frozen=True, slots=True)
class Sets:
    """The settings have times of their own; where they are refused, the usual ones are left."""

    answer_timeout_s: int
    poll_s: int
    window_s: int

    @property
    def times(self) -> Times:
        """What k3push makes of them."""
        named = {
            "K3PUSH_ERP__ANSWER_TIMEOUT_S": self.answer_timeout_s,
            "K3PUSH_SETTLE__POLL_S": self.poll_s,
            "K3PUSH_SETTLE__WINDOW_S": self.window_s,
        }
        try:
            settings = read_settings(SHIPPED, {name: str(value) for name, value in named.items()})
        except SettingsError:
            return Times()
        settle = settings.settle
        times = SettleTimes(settle.first_wait_s, settle.poll_s, settle.window_s)
        return Times(times, settings.erp.answer_timeout_s)

    def __str__(self) -> str:
        """Say so."""
        return (
            f"the settings wait {self.answer_timeout_s} s for an answer, "
            f"and {self.window_s} s before absence counts"
        )
