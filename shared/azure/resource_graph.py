"""Azure Resource Graph: finds the resources that have opted in, in all subscriptions, with a few queries.

What it shows are hints. Sources (Microsoft Learn, governance/resource-graph, read 2026-11-29, where nothing else is
named):

- Eventually consistent: new or changed resources may be missing for up to 60 seconds (virtual-machine-scale-sets-
  orchestration-modes). A full scan finds what no notification reported (overview).
- A result has only what the identity may read; 403 only if it may read none of the subscriptions (overview).
- 1,000 rows a page; `$skipToken` leads to the next page with the same query. No token, and a result that is truncated,
  if every column is dynamic or null, or the query has `limit` (paging-results; OpenAPI 2022-10-01).
- About 15 queries in 5 seconds for an identity; the answer's `x-ms-user-quota-remaining` and
  `x-ms-user-quota-resets-after` (hh:mm:ss) say what is left. Beyond it: 429 with the code RateLimiting
  (guidance-for-throttled-requests; Azure/azure-cli-extensions#3325). These queries do not count against Resource
  Manager's reads.
- Groups of fewer than 300 subscriptions a query are recommended (the same page).
- `properties.extended.instanceView.powerState.code` of a VM (virtual-machine-scale-sets-orchestration-modes).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from shared.azure.client import Arm
from shared.azure.tags import claims, drained, names, names_and_parts
from shared.domain.errors import Terminal, Transient
from shared.domain.resource_graph import VM, GraphFindings, GraphResource

PATH = "/providers/Microsoft.ResourceGraph/resources"
API = "2022-10-01"
ROWS = 1000
"""Rows of a page, the maximum."""
SUBSCRIPTIONS = 299
"""Subscriptions of one query."""
MAX_PAGES = 500
MAX_WAIT_SECONDS = 15.0
"""Seconds for which a throttled query waits for its quota, which is restored every 5 seconds."""
ATTEMPTS = 3

OPTED_IN = (
    "resources | where type in~ ({types}) | where tostring(tags) contains 'nearzone'"
    " | where tostring(properties.orchestrationMode) !~ 'Flexible'"
    " | project id, type, tags, power = tostring(properties.extended.instanceView.powerState.code) | order by id asc"
)
"""Tag names are not case-sensitive in Azure, and keys of `tags` are in a query: the app reads the tags of each row. The
VMs of flexible scale sets have their own tags. `tostring` makes an absent orchestration mode an empty text: a
comparison with null would drop the row."""
READABLE = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions'"
    " | join kind=leftouter (resources | where type =~ 'microsoft.compute/virtualmachines'"
    " | summarize vms = count() by subscriptionId) on subscriptionId"
    " | project subscriptionId, vms | order by subscriptionId asc"
)
"""The subscriptions that the identity may read: any other one has no rows, and these do not say why."""

R = TypeVar("R")


class _Resource(msgspec.Struct, gc=False):
    id: str
    type: str
    tags: dict[str, Any] | None = None
    power: str | None = ""


class _Subscription(msgspec.Struct, rename="camel", gc=False):
    subscription_id: str
    vms: int | None = None


class _Answer(msgspec.Struct, Generic[R], rename="camel"):
    data: list[R]
    total_records: int = 0
    result_truncated: str = "false"
    skip_token: str | None = msgspec.field(name="$skipToken", default=None)


_resources = msgspec.json.Decoder(_Answer[_Resource])
_subscriptions = msgspec.json.Decoder(_Answer[_Subscription])


class ResourceGraph:
    """Queries of Resource Graph. `kinds`: ARM type of a resource -> the kind of its endpoints, both in lower case."""

    def __init__(self, arm: Arm, kinds: Mapping[str, str]) -> None:
        self._arm = arm
        self._kinds = kinds
        self._opted_in = OPTED_IN.format(types=", ".join(f"'{each}'" for each in sorted(kinds)))

    async def find(self, subscriptions: Collection[str]) -> GraphFindings:
        """Find the resources of these subscriptions that have opted in.

        Raises Transient, Forbidden, Terminal: also if a result is incomplete.
        """
        ordered = sorted(subscriptions)
        scopes = [ordered[at : at + SUBSCRIPTIONS] for at in range(0, len(ordered), SUBSCRIPTIONS)]
        readable = [row for scope in scopes for row in await self._rows(READABLE, scope, _subscriptions)]
        found = [row for scope in scopes for row in await self._rows(self._opted_in, scope, _resources)]
        vms = {each.subscription_id.lower(): each.vms or 0 for each in readable}
        return GraphFindings(tuple(self._opted(found)), vms)

    def _opted(self, rows: Iterable[_Resource]) -> Iterator[GraphResource]:
        for row in rows:
            kind = self._kinds.get(row.type.lower())
            if kind and claims(row.tags):
                # A VM has no parts, so a claim of one counts for nothing; most other kinds have some.
                name = row.id.rsplit("/", 1)[-1]
                tagged, own, _ = names(row.tags, name) if kind == VM else names_and_parts(row.tags, name)[0]
                power = (row.power or "").lower().removeprefix("powerstate/") if kind == VM else ""
                yield GraphResource(row.id, kind, tagged, own, drained(row.tags), power)

    async def _rows(self, query: str, scope: Sequence[str], decoder: msgspec.json.Decoder[_Answer[R]]) -> list[R]:
        """Return all rows of a query. Raises Transient, Forbidden, Terminal."""
        options: dict[str, Any] = {"$top": ROWS, "resultFormat": "objectArray"}
        rows: list[R] = []
        for _ in range(MAX_PAGES):
            page = await self._page({"subscriptions": scope, "query": query, "options": options}, decoder)
            rows += page.data
            if page.skip_token is None:
                break
            options = {**options, "$skipToken": page.skip_token}
        if page.result_truncated == "true" or page.skip_token is not None:
            raise Terminal(
                f"Resource Graph has returned a part of its result: {len(rows)} of {page.total_records} rows"
            )
        return rows

    async def _page(self, body: Mapping[str, Any], decoder: msgspec.json.Decoder[_Answer[R]]) -> _Answer[R]:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._arm.post(PATH, body, decoder, **{"api-version": API})
            except Transient as error:
                if error.retry_after is None or error.retry_after > MAX_WAIT_SECONDS:
                    raise
                await asyncio.sleep(error.retry_after)
        return await self._arm.post(PATH, body, decoder, **{"api-version": API})
