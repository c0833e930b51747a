from __future__ import annotations

from hypothesis import settings

# The same examples every time, and no clock: the machine may be busy.
settings.register_profile("k3push", derandomize=True, deadline=None, database=None)
settings.load_profile("k3push")
