"""Keeps the requests of the whole process within the rate limits of Resource Manager."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from shared.azure.arm_errors import error_code, retry_seconds
from shared.domain.errors import Transient
from shared.ports import Metrics, no_metrics

BUCKETS = {"reads": (250.0, 25.0), "writes": (200.0, 10.0), "deletes": (200.0, 10.0)}
"""The sizes of ARM's token buckets and their refill per second; see `Throttle`."""
RESERVED_TOKENS = 10.0
"""Tokens that are left to other processes of the same identity."""
MAX_TOKEN_WAIT_SECONDS = 3.0
"""Seconds for which a request waits for a token; if it would have to wait longer, it fails instead."""

QUOTA_RESET = "x-ms-user-quota-resets-after"
"""When Resource Graph restores the quota of an identity, as hh:mm:ss; see `azure/resource_graph.py`. Its queries have a
bucket of their own, for their path has no subscription."""


class Throttle(AsyncHTTPPolicy[Any, Any]):
    """Keeps the requests of the process within ARM's limits. `clock`: seconds.

    After a 429 with a wait, no request goes to its scope until the wait has ended, reads and writes apart. The scope is
    everything if ARM's buckets are empty, the provider if ARM's limit for the provider is reached
    (ResourceRequestsThrottled), otherwise the zone or the resource of the request. In addition, ARM's token buckets
    are not emptied: response headers have the remaining tokens, and the refill rates are published (250 reads, refilled
    with 25 per second; 200 writes and 200 deletes, 10 per second; request-limits-and-throttling, 2026).
    """

    def __init__(self, clock: Callable[[], float], measure: Metrics = no_metrics) -> None:
        super().__init__()
        self._clock = clock
        self._measure = measure
        self._blocked_until: dict[str, float] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        self._in_flight: Counter[tuple[str, str]] = Counter()

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Pass a request on as soon as the limits permit it. Raises Transient if it would have to wait too long."""
        method, url = request.http_request.method, request.http_request.url
        wait = max(self._blocked_until.get(each, 0.0) for each in _throttle_scopes(method, url)) - self._clock()
        if wait > 0:
            raise Transient(f"throttled: Azure asks to wait another {wait:.0f} s", wait)
        bucket = _bucket(method, url)
        self._in_flight[bucket] += 1
        try:
            await self._take_token(bucket)
            response = await self.next.send(request)
        finally:
            self._in_flight[bucket] -= 1
        headers = response.http_response.headers
        self._record_remaining(bucket, headers.get(f"x-ms-ratelimit-remaining-subscription-{bucket[1]}"))
        if response.http_response.status_code == 429:
            self._measure("throttled", 1, type=_resource_type(url))
            asked = retry_seconds(headers.get("Retry-After")) or quota_seconds(headers.get(QUOTA_RESET))
            await response.http_response.read()  # Only then is the connection free.
            if asked:
                scope = _throttled_scope(method, url, response.http_response)
                now = self._clock()
                self._blocked_until = {
                    each: until for each, until in self._blocked_until.items() if until > now
                }  # Bounds its size.
                self._blocked_until[scope] = max(self._blocked_until.get(scope, 0.0), now + asked)
            raise Transient("throttled (HTTP 429)", asked)
        return response

    async def _take_token(self, bucket: tuple[str, str]) -> None:
        """Wait for a token if the bucket is nearly empty."""
        if bucket not in self._buckets:
            return
        level, at = self._buckets[bucket]
        size, refill = BUCKETS[bucket[1]]
        level = min(size, level + (self._clock() - at) * refill) - 1
        self._buckets[bucket] = (level, self._clock())
        if level < RESERVED_TOKENS:
            wait = (RESERVED_TOKENS - level) / refill
            if wait > MAX_TOKEN_WAIT_SECONDS:
                self._buckets[bucket] = (level + 1, self._clock())
                raise Transient(f"ARM has hardly any {bucket[1]} left for this process", wait)
            await asyncio.sleep(wait)

    def _record_remaining(self, bucket: tuple[str, str], remaining: str | None) -> None:
        if remaining and remaining.isdigit():
            size, _ = BUCKETS[bucket[1]]
            if int(remaining) <= size:  # Larger numbers come from subscriptions with raised limits, or older models.
                # This response may not count the requests that wait for a token or a response.
                self._buckets[bucket] = (float(remaining) - self._in_flight[bucket], self._clock())
            else:
                self._buckets.pop(bucket, None)


def quota_seconds(text: str | None) -> float | None:
    """Return the seconds of a time as hh:mm:ss, None if it is not one."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d)(\.\d+)?", text or "")
    return int(found[1]) * 3600.0 + int(found[2]) * 60 + int(found[3]) + float(found[4] or 0) if found else None


def _bucket(method: str, url: str) -> tuple[str, str]:
    """Return subscription and operation class, as ARM counts requests."""
    parts = url.split("/subscriptions/", 1)[-1].lower()
    return re.split(r"[/?]", parts, maxsplit=1)[0], {"GET": "reads", "DELETE": "deletes"}.get(method, "writes")


def _throttle_scopes(method: str, url: str) -> tuple[str, str, str]:
    """Return what a 429 may concern: all requests of its kind, its provider in its subscription, or its resource.

    For a record set, the resource is its zone.
    """
    path = urlsplit(url).path.lower()
    action = "read" if method == "GET" else "write"
    zone = re.match(r".*/privatednszones/[^/]+", path)
    within = f"{action} {_bucket(method, url)[0]} {_resource_type(url)}"
    return action, within, f"{action} {zone[0] if zone else path}"


def _resource_type(url: str) -> str:
    """Return the resource provider and the first type below it, in lower case; "" if the path has none."""
    found = re.match(r".*/providers/([^/]+/[^/]+)", urlsplit(url).path.lower())
    return found[1] if found else ""


def _throttled_scope(method: str, url: str, response: Any) -> str:  # noqa: ANN401 - the SDK's two kinds of responses
    """Return the scope of an HTTP 429."""
    everything, provider, resource = _throttle_scopes(method, url)
    if response.headers.get("x-ms-failure-cause") != "gateway":
        return resource
    code, _ = error_code(response.content)
    return provider if code.startswith("Resource") else everything
