"""ARM beyond resources: the cloud's endpoints, tenants, subscriptions, providers, and lists of resources of any type.

A subscription exists once it contains something. Shapes: the OpenAPI document of subscriptions 2022-12-01, recorded
providers and lists of azure-cli (2023, api-version 2022-09-01), and management.azure.com/metadata/endpoints as the
Azure CLI and the SDKs read it (azure-cli 2.91, cloud.py). Resource groups: `resource_groups.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.arm import resource_graph
from simulator.arm.front_door import TENANT, ArmError, ArmFrontDoor, Request, Response
from simulator.arm.management_groups import PATH as MANAGEMENT_GROUPS
from simulator.arm.permissions import Permissions
from simulator.arm.regions import locations

METADATA = "/metadata/endpoints"
AUDIENCE = "https://management.azure.com"

_VERSIONS = ["2024-07-01", "2024-05-01", "2024-03-01", "2024-01-01", "2020-06-01", "2018-09-01"]
"""The api-versions that a namespace lists; the providers here ignore the version."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource as in lists of all types."""

    id: str
    location: str = "global"
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def subscription(self) -> str:
        """The subscription's id as the resource's id has it."""
        return self.id.split("/")[2]

    @property
    def group(self) -> str:
        """The resource group's name as the resource's id has it."""
        return self.id.split("/")[4]

    @property
    def type(self) -> str:
        """Namespace and type path."""
        _, _, below = self.id.partition("/providers/")
        namespace, *rest = below.split("/")
        return "/".join([namespace, *rest[::2]])

    def body(self) -> dict[str, Any]:
        """The resource as served, without its properties."""
        name = "/".join(self.id.partition("/providers/")[2].split("/")[2::2])
        return {"id": self.id, "name": name, "type": self.type, "location": self.location, "tags": dict(self.tags)}


class ResourceManager:
    """Answers requests that name no resource.

    `inventory` returns all resources; `groups` handles groups, `graph` queries of Resource Graph,
    `management_groups` lists of what is below one.
    """

    def __init__(
        self,
        azure: ArmFrontDoor,
        inventory: Callable[[], Iterable[Entry]],
        groups: Callable[[Request], Response],
        permissions: Permissions,
        graph: Callable[[Request], Response],
        management_groups: Callable[[Request, str], Response],
    ) -> None:
        self._azure = azure
        self._permissions = permissions
        self._inventory = inventory
        self._seen: set[str] = set()
        self._routes: list[tuple[re.Pattern[str], Callable[..., Response]]] = [
            (re.compile(pattern + "$", re.IGNORECASE), answer)
            for pattern, answer in (
                ("/metadata/endpoints", self._metadata),
                ("/tenants", self._tenants),
                ("/subscriptions", self._subscriptions),
                ("/subscriptions/([^/]+)", self._subscription),
                ("/subscriptions/([^/]+)/locations", self._locations),
                ("/subscriptions/([^/]+)/providers", self._providers),
                ("/subscriptions/([^/]+)/providers/([^/]+)", self._provider),
                ("/subscriptions/([^/]+)/resources", self._resources),
                ("/subscriptions/([^/]+)/resourcegroups/([^/]+)/resources", self._resources),
                ("/subscriptions/[^/]+/resourcegroups(?:/[^/]+)?", groups),
                (resource_graph.PATH, graph),
                (MANAGEMENT_GROUPS, management_groups),
            )
        ]

    def handle(self, request: Request) -> Response | None:
        """The answer, or None for an unknown path."""
        for pattern, answer in self._routes:
            match = pattern.match(request.path.rstrip("/"))
            if match:
                try:
                    return self._checked(request, answer, match.groups())
                except ArmError as error:
                    return error.response
        return None

    def _checked(self, request: Request, answer: Callable[..., Response], parts: tuple[str, ...]) -> Response:
        if "api-version" not in request.query:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        root, subscription = request.path.split("/")[1:2], request.path.split("/")[2:3]
        if root == ["subscriptions"] and subscription and subscription[0].lower() not in self._known():
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription[0]}' could not be found.")
        return answer(request, *parts)

    def _known(self) -> list[str]:
        self._seen |= {subscription for subscription, _ in self._azure.groups}
        return sorted(self._seen)

    def _metadata(self, request: Request) -> Response:
        if request.query["api-version"] == "2015-01-01":  # what Azure Stack has, and old clients ask
            content: dict[str, Any] = dict.fromkeys(
                ("galleryEndpoint", "graphEndpoint", "portalEndpoint"), request.base
            )
            return Response(200, content | {"authentication": _authentication(request)})
        endpoints = ("resourceManager", "portal", "gallery", "graph", "graphAudience", "microsoftGraphResourceId")
        content = dict.fromkeys(endpoints, request.base)
        content |= {"name": "Simulator", "authentication": _authentication(request), "media": "", "batch": ""}
        content["suffixes"] = {"storage": "core.simulator.invalid", "keyVaultDns": "vault.simulator.invalid"}
        return Response(200, [content] if request.query["api-version"] < "2022" else content)

    def _tenants(self, _: Request) -> Response:
        tenant = {"id": f"/tenants/{TENANT}", "tenantId": TENANT, "tenantCategory": "Home", "displayName": "Simulator"}
        return Response(200, {"value": [tenant]})

    def _subscriptions(self, _: Request) -> Response:
        found = [_subscription_body(each) for each in self._known()]
        return Response(200, {"value": found, "count": {"type": "Total", "value": len(found)}})

    def _subscription(self, _: Request, subscription: str) -> Response:
        return Response(200, _subscription_body(subscription))

    def _locations(self, _: Request, subscription: str) -> Response:
        return Response(200, {"value": locations(subscription)})

    def _providers(self, _: Request, subscription: str) -> Response:
        return Response(200, {"value": [self._provider_body(subscription, each) for each in self._azure.namespaces()]})

    def _provider(self, _: Request, subscription: str, namespace: str) -> Response:
        if not self._azure.types(namespace):
            raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        return Response(200, self._provider_body(subscription, namespace))

    def _provider_body(self, subscription: str, namespace: str) -> dict[str, Any]:
        locations = sorted({each.location for each in self._inventory()})
        return {
            "id": f"/subscriptions/{subscription}/providers/{namespace}",
            "namespace": namespace,
            "resourceTypes": [
                {"resourceType": each, "locations": locations, "apiVersions": _VERSIONS}
                for each in self._azure.types(namespace)
            ],
            "registrationState": "Registered",
        }

    def _resources(self, request: Request, subscription: str, group: str | None = None) -> Response:
        """A list of resources. Assumed: it has only those that the caller may read."""
        where = "subscriptions" if group is None else "subscriptions/resourceGroups"
        self._permissions.demand(f"Microsoft.Resources/{where}/resources/read", request.path.rpartition("/")[0])
        wanted = _filter(request.query.get("$filter", ""))
        if group is not None:
            wanted["resourcegroup"] = group.lower()
        found = [
            each.body()
            for each in self._inventory()
            if each.subscription.lower() == subscription.lower()
            and _is_wanted(each, wanted)
            and self._permissions.allow(f"{each.type}/read", each.id)
        ]
        return Response(200, {"value": found})


def _authentication(request: Request) -> dict[str, Any]:
    """Where tokens come from: the simulator itself. `loginEndpoint` has no tenant; a client adds it."""
    return {"loginEndpoint": request.base, "audiences": [AUDIENCE], "tenant": TENANT, "identityProvider": "AAD"}


def _subscription_body(subscription: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription}",
        "subscriptionId": subscription,
        "tenantId": TENANT,
        "displayName": f"Simulated {subscription[-4:]}",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


_TERM = re.compile(r"\s*(\w+)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_TERMS = ("resourcetype", "resourcegroup", "name", "location", "tagname", "tagvalue")


def _filter(text: str) -> dict[str, str]:
    """The conditions of a `$filter`; only `eq` and `and` are simulated. Raises ArmError 400 for anything else."""
    wanted = {}
    for term in filter(None, re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE)):
        match = _TERM.fullmatch(term)
        if match is None or match[1].lower() not in _TERMS:
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
        wanted[match[1].lower()] = match[2].lower()
    return wanted


def _is_wanted(entry: Entry, wanted: Mapping[str, str]) -> bool:
    body = entry.body()
    has = {"resourcetype": entry.type, "resourcegroup": entry.group, "name": body["name"], "location": entry.location}
    tags = {name.lower(): value.lower() for name, value in entry.tags.items()}
    tag = tags.get(wanted.get("tagname", ""))
    if "tagname" in wanted and (tag is None or tag != wanted.get("tagvalue", tag)):
        return False
    return all(has[name].lower() == value for name, value in wanted.items() if name in has)
