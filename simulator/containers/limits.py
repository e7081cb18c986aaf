"""The container instance provider's limits on created and on deleted groups, per 5 minutes and per hour.

Figures of a subscription without a raised quota: the countdowns of a first creation in Azure Service Operator's
recording of 2026 are 99 and 299 (Test_Containerinstance_v20211001_CreationAndDeletion.yaml). Creations and deletions
count separately, as azure-cli's recordings show (test_container_create.yaml, 2023). How the provider counts and what a
refusal looks like is not public: fixed windows and a body in the shape of other providers' errors are assumed. Calls
are refused only while `enforce` is set; it is off by default.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from simulator.arm.collection import rejected
from simulator.arm.front_door import Call
from simulator.arm.throttles import FixedWindow

WINDOWS: Mapping[str, tuple[int, float]] = {"pt5m": (100, 300.0), "pt1h": (300, 3600.0)}


@dataclass(slots=True)
class ContainerLimits:
    """The budgets of each subscription. `clock`: seconds. `throttled`: refused calls by subscription and method."""

    clock: Callable[[], float]
    enforce: bool = False
    throttled: Counter[tuple[str, str]] = field(default_factory=Counter)
    _windows: dict[tuple[str, str], dict[str, FixedWindow]] = field(default_factory=dict)

    def charge(self, call: Call) -> dict[str, str]:
        """Count a creation or a deletion; returns the countdowns for its answer.

        Raises ArmError 429 when a budget is used up and enforced.
        """
        key, now = (call.subscription.lower(), call.method), self.clock()
        made = {name: FixedWindow(*window) for name, window in WINDOWS.items()}
        windows = self._windows.setdefault(key, made)
        wait = max(each.wait(now) for each in windows.values()) if self.enforce else 0.0
        if wait:
            self.throttled[key] += 1
            error = rejected(429, "TooManyRequests", "Too many container groups were created or deleted.")
            error.response = replace(error.response, headers={"Retry-After": str(math.ceil(wait))})
            raise error
        for each in windows.values():
            each.take(now)
        header = "x-ms-ratelimit-remaining-subscription-resource-requests"
        return {f"{header}-{name}": str(each.left(now)) for name, each in windows.items()}
