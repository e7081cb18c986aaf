"""The network provider's limits: 1000 writes and deletes, 10000 reads per 5 minutes.

Source: request-limits-and-throttling (Microsoft Learn). How the provider counts, whether writes and deletes share one
budget and what a refusal looks like is not public: fixed windows per subscription, one budget for both, and a body in
the shape of the provider's other errors are assumed. Calls are refused only while `enforce` is set; it is off by
default.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from simulator.arm.collection import rejected
from simulator.arm.front_door import Call
from simulator.arm.throttles import FixedWindow

REQUESTS: Mapping[str, int] = {"reads": 10_000, "writes": 1_000}
FIVE_MINUTES = 300.0


@dataclass(slots=True)
class NetworkLimits:
    """Both budgets of each subscription. `clock`: seconds. `throttled`: refused calls by subscription and kind."""

    clock: Callable[[], float]
    enforce: bool = False
    throttled: Counter[tuple[str, str]] = field(default_factory=Counter)
    _windows: dict[tuple[str, str], FixedWindow] = field(default_factory=dict)

    def charge(self, call: Call) -> None:
        """Count a call. Raises ArmError 429 when its budget is used up and enforced."""
        key = (call.subscription.lower(), "reads" if call.method == "GET" else "writes")
        window = self._windows.setdefault(key, FixedWindow(REQUESTS[key[1]], FIVE_MINUTES))
        now = self.clock()
        wait = window.wait(now) if self.enforce else 0.0
        if wait:
            self.throttled[key] += 1
            error = rejected(429, "TooManyRequests", f"More than {window.limit} {key[1]} were made within 5 minutes.")
            error.response = replace(error.response, headers={"Retry-After": str(math.ceil(wait))})
            raise error
        window.take(now)
