"""ARM's own token buckets, counted before any provider: `x-ms-ratelimit-remaining-subscription-*`.

Source: request-limits-and-throttling (Microsoft Learn, since 2024). An answer has both headers, 249 and 3749 after the
first read (public captures of 2024-10 and 2025-05). In this simulator all requests reach one region of ARM. Calls are
refused only while `enforce` is set; it is off by default.
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
"""The bucket of all principals together is this many times as large (and refilled this many times as fast: inferred).
"""


class ArmLimits:
    """All buckets. `clock`: seconds. `throttled` counts the refused calls by subscription and operation class."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.enforce = False
        self.throttled: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}

    def charge(self, call: Call) -> Mapping[str, str]:
        """Take a token for a call; returns the headers with the remaining tokens. Raises ArmError 429 when enforced."""
        if counted_apart(call):
            return {}
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(call.method, "writes")
        subscription, now = call.subscription.lower(), self._clock()
        who = principal(call.header("authorization") or "")
        own, common = self._bucket(subscription, who, kind, 1), self._bucket(subscription, "", kind, GLOBAL)
        wait = max(own.wait(now), common.wait(now)) if self.enforce else 0.0
        if wait:
            self.throttled[subscription, kind] += 1
            raise throttled(subscription, who, kind, math.ceil(wait))
        own.take(now)
        common.take(now)
        return {
            f"x-ms-ratelimit-remaining-subscription-{kind}": str(own.left(now)),
            f"x-ms-ratelimit-remaining-subscription-global-{kind}": str(common.left(now)),
        }

    def _bucket(self, subscription: str, who: str, kind: str, times: int) -> TokenBucket:
        found = self._buckets.get((subscription, who, kind))
        if found is None:
            size, per_second = BUCKETS[kind]
            found = self._buckets[subscription, who, kind] = TokenBucket(size * times, per_second * times)
        return found


def counted_apart(call: Call) -> bool:
    """Whether ARM counts a call elsewhere: recorded private DNS answers have another countdown in place of these.

    That such a call takes no token from these buckets is inferred. `private_dns/budgets.py` counts the other one. The
    DELETE of an SOA has ARM's countdown (azure-sdk-for-net, DeleteRecordSet_SoaRecord_ExpectError).
    """
    soa_delete = call.method == "DELETE" and call.kind == "privatednszones/soa"
    return call.types[0].lower().startswith("privatedns") and not soa_delete


def throttled(subscription: str, who: str, kind: str, wait: int | None) -> ArmError:
    """A 429 of ARM's gateway, in the words of a public capture of 2026-09. `wait`: seconds; None: without a wait."""
    words = f"Number of '{kind.removesuffix('s')}' requests for subscription '{subscription}' actor '{who}' exceeded."
    if wait is None:
        return ArmError(429, "SubscriptionRequestsThrottled", words)
    words += f" Please try again after '{wait}' seconds."
    return ArmError(429, "SubscriptionRequestsThrottled", words, headers={"Retry-After": str(wait)})


@lru_cache(maxsize=256)
def principal(authorization: str) -> str:
    """The caller: the object id in a bearer token, or the whole header if it is not a token of Azure."""
    parts = authorization.split(".")
    if len(parts) == 3:
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return str(claims["oid"])
        except (ValueError, KeyError, TypeError):
            pass
    return authorization or "anonymous"
