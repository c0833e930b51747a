"""Who is told of programs' pushes, as the settings name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k3push.adapters.webhook_post import SHORTEST_SECRET, is_address
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.remark import remark
from k3push.runs.push_requests.program_events import receiver_id


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where events go.

    Attributes:
        addresses: By the names that the ledger knows them by.
        secret: What signs them.
    """

    addresses: Mapping[str, str]
    secret: str


def receivers_of(settings: Settings) -> Receivers:
    """Return the receivers, their secrets resolved; raises `SettingsError` where one is unfit."""
    api = settings.api
    found = [each.resolve("api.webhooks", settings.file) for each in api.webhooks]
    if not all(map(is_address, found)):
        what = remark("setting.webhook_address")
        raise SettingsError.of(settings.file, "api.webhooks", what)
    secret = ""
    if found and api.webhook_secret is not None:
        secret = api.webhook_secret.resolve("api.webhook_secret", settings.file)
        if len(secret) < SHORTEST_SECRET:
            what = remark("setting.webhook_short", least=SHORTEST_SECRET)
            raise SettingsError.of(settings.file, "api.webhook_secret", what)
    return Receivers({receiver_id(each): each for each in found}, secret)
