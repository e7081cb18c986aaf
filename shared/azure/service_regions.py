"""The regions of the services behind private endpoints: distances count from there.

A resource of any type is found by its name in the list of its resource group, so no API version of its type is needed
(rest/api/resources/resources/list-by-resource-group, which documents a filter by name alone, and none by name and
type). Whether the list leaves out resources that the caller may not read is not known. The region of a resource never
changes, so it is read once, and rows of the catalog keep it.
"""

from __future__ import annotations

import re

import msgspec

from shared.azure.client import Arm
from shared.config.region_names import is_name
from shared.config.settings import region_name
from shared.domain.endpoints import Endpoint, State
from shared.domain.errors import Terminal
from shared.domain.resource_ids import resource_id

API = "2021-04-01"
_ALIAS = re.compile(r"[^/]+\.([a-z0-9]+)\.azure\.privatelinkservice", re.IGNORECASE)
"""The alias of a private link service, which has its region: PREFIX.GUID.REGION.azure.privatelinkservice (docs,
private-link/private-link-service-overview; recorded by azure-cli, test_network_private_endpoints.yaml, 2023)."""
NO_REGION = "global"
"""The location of resources that are in no region."""


class _Resource(msgspec.Struct):
    id: str = ""
    location: str | None = None


class _Resources(msgspec.Struct):
    value: list[_Resource]


_resources = msgspec.json.Decoder(_Resources)


class ServiceRegions:
    """Reads the regions of services that the catalog does not know yet."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._regions: dict[str, str] = {}
        self._failures: dict[str, str] = {}

    def keep(self, previous: Endpoint | None) -> None:
        """Take over what the catalog knows. After a deletion nothing is known: the service may have been replaced."""
        if previous and previous.state == State.GONE:
            self.forget(previous.service)
        elif previous and previous.service and not previous.region_assumed:
            self._regions[previous.service] = previous.region

    def forget(self, service: str) -> None:
        """Read the region of a service anew when it is asked for: a service that was replaced refuses its endpoints."""
        self._regions.pop(service.lower(), None)

    async def region(self, service: str) -> str:
        """Return the region of a service, given by its id or alias; "" if it cannot be read, see `failure`.

        Raises Transient.
        """
        if alias := _ALIAS.fullmatch(service):
            return region_name(alias[1])
        if known := self._regions.get(service.lower()):
            return known
        try:
            region, failure = await self._read(service)
        except Terminal as error:  # Forbidden, or an answer that is not as specified.
            region, failure = "", str(error)
        self._failures[service.lower()] = failure
        return region

    def failure(self, service: str) -> str:
        """Return why the last read of a service's region found none, as text."""
        return self._failures.get(service.lower(), "")

    async def _read(self, service: str) -> tuple[str, str]:
        """Return the region of a service, or "" and why there is none."""
        top = resource_id(service)
        if top is None:
            return "", "it is not a resource id, and not the alias of a private link service"
        group, name = "/".join(top.id.split("/")[:5]), top.id.rsplit("/", 1)[1]
        query = {"api-version": API, "$filter": f"name eq '{name}'"}
        listed = await self._arm.get(f"{group}/resources", _resources, **query)
        if listed is None:
            return "", "Azure does not find its subscription or resource group (HTTP 404)"
        same = [each for each in listed.value if each.id.lower() == top.id.lower()]
        if not same:
            return "", "the list of its resource group does not show it: it is deleted, or the app may not read it"
        region = region_name(same[0].location or "")
        if not is_name(region) or region == NO_REGION:
            return "", f"Azure reports the location {same[0].location or ''!r}, which is no region"
        return region, ""
