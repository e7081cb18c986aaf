"""What may stop a private DNS call before it does anything: conditions, zone budgets, locks; and Azure's unknowns.

No state of zones and records enters here. Each rule names the recording or the document that it follows; where there is
none, it is an unknown with a switch, so that a client can be tried under either answer.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simulator.core import ArmError, Call

Failure = Literal["exists", "modified"]
Lock = Literal["CanNotDelete", "ReadOnly"]
Budget = Literal["create", "update", "delete", "get", "list"]

ZONE_BUDGETS: Mapping[Budget, int] = {"create": 60, "update": 60, "delete": 60, "get": 200, "list": 100}
"""Record set calls per zone and minute. Source: dns-limits.md, 2024-10-08."""
RETRY_AFTER = 10
"""Seconds in the Retry-After header of the resource provider's 429. Source: kubernetes-sigs/external-dns#4839."""


@dataclass(frozen=True, slots=True)
class Unknowns:
    """What no recording or document tells about Azure; the defaults are guesses, and each can be turned round."""

    delete_missing: Literal[204, 404] = 204
    """Status for DELETE of a record set that does not exist, in a zone that does (204 by the OpenAPI text only)."""
    if_match_missing: Literal[412, 404] = 412
    """Status for a PUT with If-Match where there is no record set."""
    check_body_etag: bool = False
    """Whether a stale `etag` in the body of a record set's PUT or PATCH fails like a stale If-Match."""
    put_keeps_metadata: bool = False
    """Whether a PUT without `metadata` leaves the metadata that the record set had."""
    refuse_auto_registered_delete: bool = False
    """Whether DELETE of an auto-registered set is a 400; otherwise it is a 200, and the set is registered again."""
    overlap_at_once: bool = False
    """Whether a link to a second zone of the same name is a 400 at once; otherwise the operation fails."""
    operation_seconds: float = 10.0
    """How long a zone or link operation runs: recorded ones were running after 4 s and over after 30 s."""
    registration_seconds: float = 30.0
    """How long a link whose registration was switched on stays InProgress after its operation has succeeded."""


def failed_condition(call: Call, etag: str | None, *, strip_quotes: bool = False) -> Failure | None:
    """Which of the request's conditions fails against the present etag (None: no such resource), or None.

    Etags are compared as text: Azure answered 412 to the bare word `gibberish` (azure-powershell
    TestRecordSetEtagMismatch, 2019-05-13), so it does not parse them.
    """
    if call.header("if-none-match") == "*" and etag is not None:
        return "exists"
    wanted = call.header("if-match")
    if strip_quotes and wanted is not None:
        wanted = wanted.strip('"')
    if wanted is None or (wanted == "*" and etag is not None):
        return None
    return None if wanted == etag else "modified"


class ZoneBudgets:
    """Calls per zone and kind in the last 60 seconds (sliding), and ARM's countdown header, which is always there."""

    def __init__(self, *, enforced: bool) -> None:
        self.enforced = enforced
        self._spent: defaultdict[tuple[str, Budget], deque[float]] = defaultdict(deque)
        self._counted: dict[tuple[str, str, str], tuple[int, int]] = {}

    def spend(self, zone_id: str, kind: Budget, now: float) -> None:
        """Take one call at `now` (seconds) from the zone's budget. Raises ArmError 429 when it is used up."""
        if not self.enforced:
            return
        spent = self._spent[zone_id.lower(), kind]
        while spent and spent[0] <= now - 60:
            spent.popleft()
        if len(spent) >= ZONE_BUDGETS[kind]:
            raise ArmError(
                429,
                "TooManyRequests",  # the body is not public: code and words are ours, header and status are reported
                f"The zone has had {ZONE_BUDGETS[kind]} {kind} requests within a minute.",
                wrapped=False,
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        spent.append(now)

    def countdown(self, call: Call, now: float) -> dict[str, str]:
        """The header that counts requests down per subscription, type and action, in windows of 5 minutes.

        Recorded: reads from 499 down, writes and deletes each from 11999 down. It is shown, and never enforced here.
        """
        action = {"GET": "read", "DELETE": "delete"}.get(call.method, "write")
        key, window = (call.subscription.lower(), call.kind, action), int(now // 300)
        since, used = self._counted.get(key, (window, 0))
        used = used + 1 if since == window else 1
        self._counted[key] = (window, used)
        left = max(0, (500 if action == "read" else 12_000) - used)
        return {"x-ms-ratelimit-remaining-subscription-resource-requests": str(left)}


class Locks:
    """Management locks: what ARM refuses before the resource provider hears of it."""

    def __init__(self) -> None:
        self._levels: dict[str, tuple[str, Lock]] = {}

    def lock(self, scope: str, level: Lock) -> None:
        """Lock a subscription, resource group or resource, and all below it."""
        self._levels[scope.rstrip("/").lower()] = (scope.rstrip("/"), level)

    def unlock(self, scope: str) -> None:
        """Take the lock off, if there is one."""
        self._levels.pop(scope.rstrip("/").lower(), None)

    def check(self, call: Call) -> None:
        """Raise ArmError 409 ScopeLocked where a lock forbids the call.

        Words as seen in openshift/installer#2300 (a record set below a locked zone) and azure-sdk-for-java#2560.
        """
        if call.method == "GET":
            return
        operation = "delete" if call.method == "DELETE" else "write"
        below = f"{call.id.lower()}/"
        for locked, (scope, level) in self._levels.items():
            if below.startswith(f"{locked}/") and (level == "ReadOnly" or operation == "delete"):
                raise ArmError(
                    409,
                    "ScopeLocked",
                    f"The scope '{call.id}' cannot perform {operation} operation because following scope(s) are "
                    f"locked: '{scope}'. Please remove the lock and try again.",
                )
