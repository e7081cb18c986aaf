"""Azure Resource Graph: `POST /providers/Microsoft.ResourceGraph/resources`, for the two queries that the app sends.

No KQL is interpreted: any other query is refused with 400. Shapes: the OpenAPI document and examples of 2022-10-01.
Limits, headers and what a caller may see: Microsoft Learn, governance/resource-graph (guidance-for-throttled-requests,
paging-results, overview), and the 429 of Azure/azure-cli-extensions#3325. Assumed: the code of the 403, that a 429 has
the quota headers and no `Retry-After`, and that a subscription is shown to a caller with
`Microsoft.Resources/subscriptions/read` on it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from simulator.arm.front_door import TENANT, ArmError, ArmFrontDoor, Completed, Request, Response
from simulator.arm.limits import principal
from simulator.arm.permissions import Permissions

Json: TypeAlias = Any
Row: TypeAlias = Mapping[str, Any]

PATH = "/providers/Microsoft.ResourceGraph/resources"
QUERIES, WINDOW = 15, 5.0
"""Queries of one caller in a window of seconds."""
ROWS = 1000
"""Most rows of a page."""

_OPTED_IN = re.compile(
    r"resources \| where type in~ \((?P<types>'[\w./]+'(?:, '[\w./]+')*)\)"
    r" \| where tostring\(tags\) contains 'nearzone'"
    r" \| where tostring\(properties\.orchestrationMode\) !~ 'Flexible'"
    r" \| project id, type, tags, power = tostring\(properties\.extended\.instanceView\.powerState\.code\)"
    r" \| order by id asc"
)
_READABLE = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions'"
    " | join kind=leftouter (resources | where type =~ 'microsoft.compute/virtualmachines'"
    " | summarize vms = count() by subscriptionId) on subscriptionId"
    " | project subscriptionId, vms | order by subscriptionId asc"
)
_VM = "microsoft.compute/virtualmachines"


class ResourceGraph:
    """Answers queries. `resources` returns the current rows: `id`, `type`, `tags`, `power`, `mode` (orchestration).

    `lag` draws by how many seconds a change shows later; without it every answer is current. `fault`: an answer in
    place of the next one, or None. `throttled` counts the refused queries by caller.
    """

    def __init__(self, azure: ArmFrontDoor, permissions: Permissions, resources: Callable[[], Iterable[Row]]) -> None:
        self.lag: Callable[[], float] | None = None
        self.fault: Callable[[], Response | None] = lambda: None
        self.enforce = False
        self.throttled: Counter[tuple[str, str]] = Counter()
        self._azure = azure
        self._permissions = permissions
        self._resources = resources
        self._asked: dict[str, deque[float]] = {}
        self._shown: dict[str, Row] | None = None
        self._due: dict[str, float] = {}

    def handle(self, request: Request) -> Response:
        """Answer a query. Raises ArmError."""
        if request.method != "POST":
            raise ArmError(405, "MethodNotAllowed", f"{request.method} on {PATH} is not simulated.")
        quota = self._charge(request)
        if fault := self.fault():
            return fault
        try:
            body = json.loads(request.body)
            query, options = str(body["query"]), body.get("options", {})
            subscriptions = [str(each).lower() for each in body.get("subscriptions", [])]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _bad(f"The request content was invalid: {error!r}") from error
        readable = self._readable(subscriptions)
        if not readable:
            raise ArmError(403, "AccessDenied", "Access is denied to the requested resource.")
        rows = self._rows(query, readable)
        return Response(200, _page(rows, query, options), quota)

    def note(self, _: Completed) -> None:
        """Take notice of a completed operation."""
        if self.lag is not None:
            self.observe()

    def observe(self) -> None:
        """Take notice of what has changed: the lag of each change counts from now on."""
        now, live = self._azure.clock(), {str(each["id"]).lower(): each for each in self._resources()}
        shown = self._shown
        if self.lag is None or shown is None:
            self._shown, self._due = live, {}
            return
        for key in live.keys() | shown.keys():
            if live.get(key) == shown.get(key):
                self._due.pop(key, None)
            elif self._due.setdefault(key, now + self.lag()) <= now:
                del self._due[key]
                if key in live:
                    shown[key] = live[key]
                else:
                    del shown[key]

    def _charge(self, request: Request) -> dict[str, str]:
        who, now = principal(request.headers.get("authorization", "")), self._azure.clock()
        asked = self._asked.setdefault(who, deque())
        while asked and asked[0] <= now - WINDOW:
            asked.popleft()
        if len(asked) >= QUERIES and self.enforce:
            self.throttled[TENANT, who] += 1
            raise throttled(_quota(0, asked[0] + WINDOW - now))
        asked.append(now)
        return _quota(max(0, QUERIES - len(asked)), asked[0] + WINDOW - now)

    def _readable(self, subscriptions: Sequence[str]) -> list[str]:
        """The subscriptions that the caller may read anything in."""
        known = {subscription for subscription, _ in self._azure.groups}
        return [
            each
            for each in subscriptions
            if each in known
            and self._permissions.allow("Microsoft.Resources/subscriptions/read", f"/subscriptions/{each}")
        ]

    def _rows(self, query: str, subscriptions: Sequence[str]) -> list[Json]:
        self.observe()
        seen = [
            each
            for key, each in sorted((self._shown or {}).items())
            if key.split("/")[2] in subscriptions and self._permissions.allow(f"{each['type']}/read", key)
        ]
        if query == _READABLE:
            vms = Counter(each["id"].split("/")[2].lower() for each in seen if each["type"].lower() == _VM)
            return [{"subscriptionId": each, "vms": vms.get(each)} for each in sorted(subscriptions)]
        wanted = _OPTED_IN.fullmatch(query)
        if wanted is None:
            raise _bad(f"The simulator answers only the queries that nearzone sends, and not {query!r}.")
        types = set(re.findall(r"'([^']+)'", wanted["types"]))
        return [
            {"id": each["id"], "type": each["type"].lower(), "tags": each["tags"], "power": each["power"]}
            for each in seen
            if each["type"].lower() in types
            and "nearzone" in json.dumps(each["tags"]).lower()
            and each["mode"].lower() != "flexible"
        ]


def throttled(headers: Mapping[str, str]) -> ArmError:
    """The 429 for a caller without quota."""
    details = (
        "Client application has been throttled and should not attempt to repeat the request until an amount of time"
    )
    error = ArmError(429, "RateLimiting", f"{details} has elapsed.")
    error.response = Response(429, error.response.content, headers)
    return error


def _quota(left: int, seconds: float) -> dict[str, str]:
    whole = max(0, math.ceil(seconds))
    resets = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    return {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": resets}


def _page(rows: Sequence[Json], query: str, options: Mapping[str, Any]) -> Json:
    """One page; the token holds the query and the last row, so that rows that come or go shift nothing."""
    size, key = (
        min(int(options.get("$top", ROWS)), ROWS),
        "id" if "id" in (rows[0] if rows else {}) else "subscriptionId",
    )
    after = ""
    if token := options.get("$skipToken"):
        try:
            asked, after = json.loads(base64.b64decode(token))
        except ValueError as error:
            raise _bad("The $skipToken is invalid.") from error
        if asked != query:
            raise _bad("The $skipToken belongs to another query.")
    left = [each for each in rows if str(each[key]).lower() > after]
    found = left[:size]
    content = {"totalRecords": len(rows), "count": len(found), "resultTruncated": "false", "facets": [], "data": found}
    if len(left) > size:
        last = json.dumps([query, str(found[-1][key]).lower()])
        content["$skipToken"] = base64.b64encode(last.encode()).decode()
    return content


def _bad(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)
