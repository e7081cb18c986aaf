"""The compute provider's token buckets, which its header `x-ms-ratelimit-remaining-resource` shows.

Docs, virtual-machines/compute-throttling-limits (2024-05-27); header names as recorded by Azure Service Operator in
2026. Calls are refused only while `enforce` is set; it is off by default.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.arm.front_door import ArmError, Call, Response
from simulator.arm.throttles import TokenBucket


@dataclass(frozen=True, slots=True)
class _Policy:
    """Tokens per minute and bucket size, per resource (None: not counted) and per subscription and region."""

    name: str
    resource: tuple[int, int] | None
    subscription: tuple[int, int]


PUT = _Policy("PutVM", (4, 12), (500, 1500))
UPDATE = _Policy("UpdateVM", (4, 12), (500, 1500))
DELETE = _Policy("DeleteVM", (4, 12), (500, 1500))
SET_PUT = _Policy("CreateVMScaleSet", (4, 12), (125, 375))
SET_ACTION = _Policy("VMScaleSetActions", (4, 12), (500, 1500))
SET_DELETE = _Policy("DeleteVMScaleSet", (4, 12), (175, 525))
SET_GET = _Policy("GetVMScaleSet", (12, 36), (800, 2400))
SET_HIGH_COST_GET = _Policy("HighCostGetVMScaleSet", (10, 30), (360, 1080))
INSTANCE_UPDATE = _Policy("VMScaleSetVMActions", (4, 12), (500, 1500))
INSTANCE_DELETE = _Policy("DeleteVMScaleSetVM", (4, 12), (500, 1500))
INSTANCE_GET = _Policy("GetVMScaleSetVM", (12, 36), (2000, 6000))
"""The names of the last three are assumed; the others were recorded by azure-cli and Azure Service Operator."""
LOW_COST_GET = _Policy("LowCostGet", (12, 36), (8000, 24000))
HIGH_COST_GET = _Policy("HighCostGet", None, (300, 900))
GET_OPERATION = _Policy("GetOperation", (15, 45), (5000, 15000))


@dataclass(slots=True)
class Limits:
    """All buckets of the compute provider. `clock`: seconds.

    `throttled` counts the refused calls by the owner of the empty bucket (subscription or VM) and its name.
    """

    clock: Callable[[], float]
    enforce: bool = False
    throttled: Counter[tuple[str, str]] = field(default_factory=Counter)
    _buckets: dict[tuple[str, str], TokenBucket] = field(default_factory=dict)

    def charge(self, call: Call) -> dict[str, str]:
        """Take a token for a call; returns the header with the remaining tokens. Raises ArmError 429 when enforced."""
        policy, now = policy_of(call), self.clock()
        buckets = {}
        buckets[call.subscription.lower(), f"{policy.name}SubscriptionMaximum"] = policy.subscription
        if policy.resource:
            buckets[_target(call), f"{policy.name}Resource"] = policy.resource
        found = {key: self._bucket(key, limit) for key, limit in buckets.items()}
        for key, bucket in found.items():
            if self.enforce and bucket.wait(now):
                self.throttled[key] += 1
                raise _refusal(key[1], math.ceil(bucket.wait(now)), _remaining(found, now))
        for bucket in found.values():
            bucket.take(now)
        return {"x-ms-ratelimit-remaining-resource": _remaining(found, now)}

    def _bucket(self, key: tuple[str, str], limit: tuple[int, int]) -> TokenBucket:
        found = self._buckets.get(key)
        if found is None:
            per_minute, size = limit
            found = self._buckets[key] = TokenBucket(size, per_minute / 60)
        return found


def _target(call: Call) -> str:
    """The path of the VM (or of the operation) that is counted: an action counts for its VM."""
    whole = call.id.lower()
    return whole if len(call.types) == len(call.names) else whole.rsplit("/", 1)[0]


def _remaining(buckets: Mapping[tuple[str, str], TokenBucket], now: float) -> str:
    return ",".join(f"Microsoft.Compute/{name};{bucket.left(now)}" for (_, name), bucket in buckets.items())


def _refusal(bucket: str, wait: int, remaining: str) -> ArmError:
    error = ArmError(429, "OperationNotAllowed", "")
    message = "The server rejected the request because too many requests have been received."
    detail = {"code": "TooManyRequests", "target": bucket, "message": message}
    content = {"error": {"code": "OperationNotAllowed", "message": message, "details": [detail]}}
    headers = {"retry-after": str(wait), "x-ms-ratelimit-remaining-resource": remaining}
    error.response = Response(429, content, headers)
    return error


def policy_of(call: Call) -> _Policy:
    """The bucket that counts a call."""
    kind = call.types[0].lower()
    if kind == "locations":
        return GET_OPERATION
    if kind == "virtualmachinescalesets":
        return _of_scale_set(call)
    if call.method == "GET":
        return HIGH_COST_GET if not call.names else LOW_COST_GET
    if call.method == "DELETE" and len(call.types) == 1:
        return DELETE
    if call.kind in {"virtualmachines/deallocate", "virtualmachines/simulateeviction"}:  # as recorded
        return DELETE
    return PUT if call.method == "PUT" and len(call.types) == 1 else UPDATE


def _of_scale_set(call: Call) -> _Policy:
    """As recorded: a list or an instance view is a high-cost call, and power off counts as a deletion."""
    last = call.types[-1].lower()
    one = len(call.types) > 1 and call.types[1].lower() == "virtualmachines" and len(call.names) > 1
    if call.method == "GET":
        dear = len(call.types) > len(call.names) and last in {
            "virtualmachinescalesets",
            "virtualmachines",
            "instanceview",
        }
        return INSTANCE_GET if one else SET_HIGH_COST_GET if dear else SET_GET
    if one:
        return INSTANCE_DELETE if call.method == "DELETE" else INSTANCE_UPDATE
    if len(call.types) == 1:
        return {"PUT": SET_PUT, "DELETE": SET_DELETE}.get(call.method, SET_ACTION)
    return SET_DELETE if last in {"deallocate", "poweroff"} else SET_ACTION
