"""How many private DNS calls Azure allows: the provider's budgets per zone and minute, and ARM's per 5 minutes.

Both are published, and they contradict each other for reads (200 GETs per zone and minute, 500 per subscription and 5
minutes); both are counted, so the lower one wins. How a budget is counted is unknown (`AssumedBehaviour.throttle`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

from simulator.arm.front_door import ArmError, Call
from simulator.arm.limits import counted_apart
from simulator.arm.throttles import Algorithm, FixedWindow, Throttle, throttle

Budget = Literal[
    "create", "update", "delete", "get", "list",
    "zone create", "zone update", "zone delete", "zone get", "zone list", "zone list by group",
    "link create", "link update", "link delete", "link get",
]  # fmt: skip

ZONE_BUDGETS: Mapping[Budget, int] = {"create": 60, "update": 60, "delete": 60, "get": 200, "list": 100}
"""Record set calls per zone and minute. Source: dns-limits.md, 2024-10-08."""
OTHER_BUDGETS: Mapping[Budget, int] = {
    "zone create": 40, "zone update": 40, "zone delete": 40, "zone get": 200,
    "zone list": 60, "zone list by group": 100,
    "link create": 60, "link update": 60, "link delete": 60, "link get": 100,
}  # fmt: skip
"""Calls per minute on zones (per subscription; gets per zone, lists by group per group) and on links (per zone).

Same source. The budget of lists of links (by VNet) is left out: such a list is not simulated.
"""
BUDGETS = {**ZONE_BUDGETS, **OTHER_BUDGETS}
MINUTE = 60.0
RETRY_AFTER = 10
"""Seconds in the Retry-After header of the resource provider's 429. Source: kubernetes-sigs/external-dns#4839."""
FIVE_MINUTES = 300.0
REQUESTS: Mapping[str, int] = {"read": 500, "write": 12_000, "delete": 12_000}
"""Requests per subscription, type, action and 5 minutes: recorded counters; reads: request-limits-and-throttling.md."""


class ZoneBudgets:
    """All budgets of the private DNS provider. `clock`: seconds.

    `enforced`: the budgets per minute; `requests_enforced`: ARM's per 5 minutes, whose countdown header is always sent.
    `retry_after`: seconds in the header of the provider's 429; None: no header. `throttled` counts the refused calls by
    scope (zone, subscription or group, in lower case) and kind.
    """

    def __init__(self, clock: Callable[[], float], algorithm: Algorithm, *, enforced: bool) -> None:
        self.enforced = enforced
        self.requests_enforced = False
        self.retry_after: int | None = RETRY_AFTER
        self.throttled: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._algorithm = algorithm
        self._spent: dict[tuple[str, Budget], Throttle] = {}
        self._requests: dict[tuple[str, str, str], FixedWindow] = {}

    def _throttle(self, scope: str, kind: Budget) -> Throttle:
        key = (scope.lower(), kind)
        found = self._spent.get(key)
        if found is None:
            found = self._spent[key] = throttle(self._algorithm, BUDGETS[kind], MINUTE)
        return found

    def spend(self, scope: str, kind: Budget) -> None:
        """Take one call from a budget. Raises ArmError 429 when it is used up and enforced."""
        if not self.enforced:
            return
        budget, now = self._throttle(scope, kind), self._clock()
        if budget.wait(now):
            self.throttled[scope.lower(), kind] += 1
            raise too_many(f"There have been {BUDGETS[kind]} {kind} requests within a minute.", self.retry_after)
        budget.take(now)

    def spend_foreign(self, scope: str, kind: Budget, count: int) -> int:
        """Another client makes this many calls now; returns how many were allowed and counted."""
        budget, now = self._throttle(scope, kind), self._clock()
        let_through = min(count, budget.left(now))
        for _ in range(let_through):
            budget.take(now)
        return let_through

    def _window(self, call: Call) -> tuple[FixedWindow, str]:
        action = {"GET": "read", "DELETE": "delete"}.get(call.method, "write")
        key = (call.subscription.lower(), call.kind, action)
        found = self._requests.get(key)
        if found is None:
            found = self._requests[key] = FixedWindow(REQUESTS[action], FIVE_MINUTES)
        return found, action

    def admit(self, call: Call) -> None:
        """Raise ARM's own ArmError 429 when its requests of these 5 minutes are used up and enforced.

        Body as seen on public DNS (terraform-provider-azurerm#14213): the wait may be longer than the rest of the
        window.
        """
        if not self.requests_enforced or not counted_apart(call):
            return
        window, action = self._window(call)
        wait = math.ceil(window.wait(self._clock()))
        if wait:
            self.throttled[call.subscription.lower(), f"{call.kind} {action} requests"] += 1
            raise ArmError(
                429,
                "ResourceRequestsThrottled",
                f"Number of requests for action '{call.namespace}/{'/'.join(call.types)}/{action}' exceeded the limit "
                f"of '{REQUESTS[action]}' for time interval '00:05:00'. Please try again after '{wait}' seconds.",
                headers={"Retry-After": str(wait)},
            )

    def countdown(self, call: Call) -> dict[str, str]:
        """Count a request that ARM passed on; returns the header with the remaining requests, if it is counted here.

        Recorded: reads from 499 down, writes and deletes each from 11999 down, in place of ARM's ordinary headers.
        """
        if not counted_apart(call):
            return {}
        window, _ = self._window(call)
        now = self._clock()
        window.take(now)
        return {"x-ms-ratelimit-remaining-subscription-resource-requests": str(window.left(now))}


def too_many(message: str, retry_after: int | None) -> ArmError:
    """A 429 of the provider itself. Status and header are reported; code and words are the simulator's own."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return ArmError(429, "TooManyRequests", message, wrapped=False, headers=headers)


def budget_of(call: Call, *, exists: bool) -> tuple[str, Budget] | None:
    """Scope and kind of the budget of a call on a zone or a link; None: lists of links, which have none.

    `exists`: whether the zone or link exists. A PATCH of a missing resource counts as an update.
    """
    scope = f"/subscriptions/{call.subscription}"
    kinds: Mapping[str, Budget]
    if len(call.types) == 1:
        kinds = {"GET": "zone get", "DELETE": "zone delete", "PUT": "zone update" if exists else "zone create"}
        if not call.names:
            return (scope, "zone list") if call.group is None else (f"{scope}/{call.group}", "zone list by group")
        return call.id if call.method == "GET" else scope, kinds.get(call.method, "zone update")
    kinds = {"GET": "link get", "DELETE": "link delete", "PUT": "link update" if exists else "link create"}
    zone = call.id.rsplit("/", 2)[0]
    return (zone, kinds.get(call.method, "link update")) if len(call.names) == 2 else None
