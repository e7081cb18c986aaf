"""The compute provider's token buckets: what its header `x-ms-ratelimit-remaining-resource` counts.

Docs, virtual-machines/compute-throttling-limits (2024-05-27); header names as recorded by Azure Service Operator in
2026. Refusing is off by default: `enforce` turns it on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.core import ArmError, Call, Response


@dataclass(frozen=True, slots=True)
class _Policy:
    """Tokens per minute and bucket size, per VM (None: not counted per VM) and per subscription and region."""

    name: str
    resource: tuple[int, int] | None
    subscription: tuple[int, int]


PUT = _Policy("PutVM", (4, 12), (500, 1500))
UPDATE = _Policy("UpdateVM", (4, 12), (500, 1500))
DELETE = _Policy("DeleteVM", (4, 12), (500, 1500))
LOW_COST_GET = _Policy("LowCostGet", (12, 36), (8000, 24000))
HIGH_COST_GET = _Policy("HighCostGet", None, (300, 900))
GET_OPERATION = _Policy("GetOperation", (15, 45), (5000, 15000))


@dataclass(slots=True)
class _Bucket:
    size: int
    per_second: float
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.size, self.level + (now - self.at) * self.per_second)
        self.at = now


@dataclass(slots=True)
class Limits:
    """All buckets of the compute provider. `clock` gives seconds."""

    clock: Callable[[], float]
    enforce: bool = False
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def charge(self, call: Call) -> dict[str, str]:
        """Take a token for a call and give the header that says what is left. Raises ArmError 429 when enforced."""
        policy = policy_of(call)
        counted = [(f"{policy.name}SubscriptionMaximum", call.subscription.lower(), policy.subscription)]
        if policy.resource:
            counted.append((f"{policy.name}Resource", _target(call), policy.resource))
        buckets = [(name, self._bucket(name, key, limit)) for name, key, limit in counted]
        if self.enforce:
            _refuse_when_empty(buckets)
        for _, bucket in buckets:
            bucket.level = max(0.0, bucket.level - 1)
        return {"x-ms-ratelimit-remaining-resource": _remaining(buckets)}

    def _bucket(self, name: str, key: str, limit: tuple[int, int]) -> _Bucket:
        per_minute, size = limit
        bucket = self._buckets.setdefault((name, key), _Bucket(size, per_minute / 60, size, self.clock()))
        bucket.fill(self.clock())
        return bucket


def _target(call: Call) -> str:
    """The path of the VM (or of the operation) that is counted: an action counts on its VM."""
    whole = call.id.lower()
    return whole if len(call.types) == len(call.names) else whole.rsplit("/", 1)[0]


def _remaining(buckets: list[tuple[str, _Bucket]]) -> str:
    return ",".join(f"Microsoft.Compute/{name};{int(bucket.level)}" for name, bucket in buckets)


def _refuse_when_empty(buckets: list[tuple[str, _Bucket]]) -> None:
    for name, bucket in buckets:
        if bucket.level < 1:
            wait = math.ceil((1 - bucket.level) / bucket.per_second)
            error = ArmError(429, "OperationNotAllowed", "")
            message = "The server rejected the request because too many requests have been received."
            detail = {"code": "TooManyRequests", "target": name, "message": message}
            content = {"error": {"code": "OperationNotAllowed", "message": message, "details": [detail]}}
            headers = {"retry-after": str(wait), "x-ms-ratelimit-remaining-resource": _remaining(buckets)}
            error.response = Response(429, content, headers)
            raise error


def policy_of(call: Call) -> _Policy:
    """Which bucket a call is counted in."""
    if call.types[0].lower() == "locations":
        return GET_OPERATION
    if call.method == "GET":
        return HIGH_COST_GET if not call.names else LOW_COST_GET
    if call.method == "DELETE" or call.kind == "virtualmachines/deallocate":
        return DELETE
    return PUT if call.method == "PUT" else UPDATE
