"""ARM's own token buckets, which its headers `x-ms-ratelimit-remaining-subscription-*` count: before any provider's.

Source: request-limits-and-throttling (Microsoft Learn, since 2024). Both headers stand in one answer, 249 beside 3749
after the first read (public captures of 2024-10 and 2025-05). In this simulator all requests reach one region of ARM.
Refusing is off by default: `enforce` turns it on.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache

from simulator.arm.front_door import ArmError, Call
from simulator.arm.throttles import TokenBucket

BUCKETS: Mapping[str, tuple[int, float]] = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}
"""Size and tokens per second, per region, subscription and principal."""
GLOBAL = 15
"""The bucket of all principals together is so many times as large (and is filled so many times as fast: inferred)."""


class ArmLimits:
    """All buckets. `clock`: seconds. `throttled` counts the refused calls by subscription and operation class."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.enforce = False
        self.throttled: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}

    def charge(self, call: Call) -> Mapping[str, str]:
        """Take a token for a call and give the headers that say what is left. Raises ArmError 429 when enforced."""
        if _counted_apart(call):
            return {}
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(call.method, "writes")
        subscription, now = call.subscription.lower(), self._clock()
        who = principal(call.header("authorization") or "")
        own, everybody = self._bucket(subscription, who, kind, 1), self._bucket(subscription, "", kind, GLOBAL)
        wait = max(own.wait(now), everybody.wait(now)) if self.enforce else 0.0
        if wait:
            self.throttled[subscription, kind] += 1
            raise throttled(subscription, who, kind, math.ceil(wait))
        own.take(now)
        everybody.take(now)
        return {
            f"x-ms-ratelimit-remaining-subscription-{kind}": str(own.left(now)),
            f"x-ms-ratelimit-remaining-subscription-global-{kind}": str(everybody.left(now)),
        }

    def _bucket(self, subscription: str, who: str, kind: str, times: int) -> TokenBucket:
        found = self._buckets.get((subscription, who, kind))
        if found is None:
            size, per_second = BUCKETS[kind]
            found = self._buckets[subscription, who, kind] = TokenBucket(size * times, per_second * times)
        return found


def _counted_apart(call: Call) -> bool:
    """Whether ARM counts a call elsewhere: no recorded answer about private DNS has these headers, all have another's.

    That such a call takes no token from these buckets either is inferred. See `dns_budgets.py` for the other one.
    """
    return call.types[0].lower().startswith("privatedns")


def throttled(subscription: str, who: str, kind: str, wait: int | None) -> ArmError:
    """A 429 of ARM's gateway, in the words of a public capture of 2026-09. `wait`: seconds, None: it does not tell."""
    words = f"Number of '{kind.removesuffix('s')}' requests for subscription '{subscription}' actor '{who}' exceeded."
    if wait is None:
        return ArmError(429, "SubscriptionRequestsThrottled", words)
    words += f" Please try again after '{wait}' seconds."
    return ArmError(429, "SubscriptionRequestsThrottled", words, headers={"Retry-After": str(wait)})


@lru_cache(maxsize=256)
def principal(authorization: str) -> str:
    """Who calls: the object id in a bearer token, or the header as it is where that is no token of Azure's."""
    parts = authorization.split(".")
    if len(parts) == 3:
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return str(claims["oid"])
        except (ValueError, KeyError, TypeError):
            pass
    return authorization or "anonymous"
