"""The calls on private DNS zones and their virtual network links: GET, lists, and the start of PUT, PATCH, DELETE.

The effect of a write, and whether its condition holds, is decided when its operation ends, so that concurrent writes
conflict in the order of their operations. Record sets are in `record_set_calls.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.private_dns.budgets import ZoneBudgets
from simulator.private_dns.operations import DnsOperations, OperationFailed, Work
from simulator.private_dns.pages import after_zone, before_link, first_link, last_zone, next_link
from simulator.private_dns.record_sets import Link, Zone, link_json, new_soa, refused, valid_name, zone_json
from simulator.private_dns.rules import AssumedBehaviour, failed_condition

ZONE_TYPE = "Microsoft.Network/privateDnsZones"
LINK_TYPE = f"{ZONE_TYPE}/virtualNetworkLinks"
PAGE = 100
"""Zones or links on a page; `$top` may be smaller (recorded: 1). No page of this length is recorded."""


@dataclass(slots=True)
class ZoneStore:
    """The zones by lower-case id, with callbacks for VNets and registrations."""

    azure: ArmFrontDoor
    zones: dict[str, Zone]
    vnet_exists: Callable[[str], bool] | None
    unregister_all: Callable[[Zone], None]
    """Called when the last registration link of a zone is removed, or the zone itself."""
    links_made: int = 0

    def new_zone(self, zone_id: str, tags: Mapping[str, str] | None) -> Zone:
        """Create a zone with its SOA, replacing an existing one."""
        internal = base64.b64encode(f"ImmutableZoneIdentity;{self.azure.new_guid()};0".encode()).decode()
        zone = Zone(zone_id, zone_id.rsplit("/", 1)[1], self.azure.new_guid(), internal, tags)
        zone.put(new_soa(self.azure.new_guid()))
        self.zones[zone_id.lower()] = zone
        return zone

    def link_etag(self) -> str:
        """A link's etag: a counter and the time in hexadecimal, in quotes, as recorded (`63e28504` is 2023-02-07)."""
        self.links_made += 1
        return f'"{0x18060000 + self.links_made:08x}-0000-0100-0000-{int(self.azure.clock()):08x}0000"'


class ZoneCalls:
    """Answers calls on zones and links."""

    def __init__(
        self, store: ZoneStore, operations: DnsOperations, unknowns: AssumedBehaviour, budgets: ZoneBudgets
    ) -> None:
        self._store = store
        self._operations = operations
        self._unknowns = unknowns
        self._budgets = budgets

    def zone_of(self, call: Call) -> Zone | None:
        """The zone that the call is on or below, or None."""
        return self._store.zones.get(self._zone_id(call).lower())

    def _zone_id(self, call: Call) -> str:
        return f"/subscriptions/{call.subscription}/resourceGroups/{call.group}/providers/{ZONE_TYPE}/{call.names[0]}"

    def parent(self, call: Call) -> Zone:
        """The zone that the call is below. Raises ArmError 404, in words that depend on the method, as recorded."""
        zone = self.zone_of(call)
        if zone is not None:
            return zone
        if call.method == "DELETE":  # azure-service-operator, Test_Network_v1api20200601, after the group was deleted
            kind, parent = "/".join(call.types), self._zone_id(call)
            message = (
                f"Failed to perform 'delete' on resource(s) of type '{kind}', because the parent resource '{parent}' "
                "could not be found."
            )
        else:  # azure-cli, test_PutRecordSet_ZoneNotExists
            message = (
                f"Can not perform requested operation on nested resource. Parent resource '{call.names[0]}' not found."
            )
        raise ArmError(404, "ParentResourceNotFound", message)

    def list_zones(self, call: Call) -> Response:
        """The zones of the subscription or group, by id."""
        inside = f"/subscriptions/{call.subscription}/" + (f"resourceGroups/{call.group}/" if call.group else "")
        version = call.request.query["api-version"]
        after = last_zone(call)
        ids = sorted(key for key in self._store.zones if key.startswith(inside.lower()) and key > after)
        zones = [self._store.zones[zone_id] for zone_id in ids[: self._page_size(call)]]
        token = after_zone(call, zones[-1].id) if len(zones) < len(ids) else ""
        return self._page(call, [zone_json(zone, version) for zone in zones], token)

    def list_links(self, call: Call) -> Response:
        """The links of a zone, by name."""
        zone = self.parent(call)
        first = first_link(call)
        links = [link for link in zone.links if link.name >= first]
        size = self._page_size(call)
        token = before_link(links[size].name, size) if len(links) > size else ""
        return self._page(
            call, [link_json(zone, link, call.request.query["api-version"]) for link in links[:size]], token
        )

    def _page_size(self, call: Call) -> int:
        top = call.request.query.get("$top", str(PAGE))
        if call.method != "GET" or not top.isdecimal() or int(top) == 0:
            raise refused("A list is read with GET, and $top is a positive number.")
        return min(int(top), PAGE)

    def _page(self, call: Call, page: Sequence[Mapping[str, Any]], token: str) -> Response:
        content: dict[str, Any] = {"value": page, **({"nextLink": next_link(call, token)} if token else {})}
        left = {"x-ms-ratelimit-remaining-subscription-resource-entities-read": str(60_000 - len(page))}
        return Response(200, content, {**left, **self._countdown(call)})

    def _countdown(self, call: Call) -> Mapping[str, str]:
        return self._budgets.countdown(call)

    def on_zone(self, call: Call) -> Response:
        """Answer a call on one zone."""
        zone = self.zone_of(call)
        if call.method == "DELETE":
            return self._delete_zone(call, zone)
        if call.method == "PUT":
            if not 2 <= len(call.names[0].split(".")) <= 34 or not valid_name(call.names[0]):
                raise refused(f"The zone name '{call.names[0]}' is invalid: 2 to 34 labels are expected.")
        elif zone is None:
            raise _not_found(call)
        elif call.method == "GET":
            content = zone_json(zone, call.request.query["api-version"])
            return Response(200, content, {"ETag": zone.etag, **self._countdown(call)})
        body = call.json()

        def upsert() -> None:
            old = self.zone_of(call)
            self._check_zone(call, old)
            if old is None:
                self._store.new_zone(self._zone_id(call), body.get("tags"))
                return
            old.stated_tags = body.get("tags", old.stated_tags if call.method == "PATCH" else None)
            old.etag = self._store.azure.new_guid()

        work = Work("UpsertPrivateDnsZone", self._zone_id(call), f"{ZONE_TYPE}/write", upsert)
        return self._operations.begin(call, work)

    def _check_zone(self, call: Call, zone: Zone | None) -> None:
        failure = failed_condition(
            call, zone.etag if zone is not None else None, strip_quotes=self._unknowns.accept_quoted_etag
        )
        name = call.names[0]
        if failure == "exists":
            raise OperationFailed(
                "PreconditionFailed", f"The Zone {name} exists already and hence cannot be created again."
            )
        if failure == "modified":
            raise OperationFailed("PreconditionFailed", f"The Zone {name} has been modified (etag mismatch).")

    def _delete_zone(self, call: Call, zone: Zone | None) -> Response:
        if zone is None:  # azure-cli, test_DeleteZone_ZoneNotExists
            return Response(204, None, self._countdown(call))
        if zone.links:  # azure-service-operator, Test_Networking_PrivateDnsZone_20200601_CRUD; several: inferred
            nested = ", ".join(f"'{ZONE_TYPE}/{zone.name}/virtualNetworkLinks/{link.name}'" for link in zone.links)
            raise ArmError(
                409,
                "CannotDeleteResource",
                "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
                f"{nested}. Please delete all nested resources before deleting this resource.",
            )

        def delete() -> None:
            found = self.zone_of(call)
            self._check_zone(call, found)
            if found is not None:
                self._store.unregister_all(found)
                del self._store.zones[found.id.lower()]

        return self._operations.begin(call, Work("DeletePrivateDnsZone", zone.id, f"{ZONE_TYPE}/delete", delete))

    def on_link(self, call: Call) -> Response:
        """Answer a call on one link."""
        zone = self.parent(call) if call.method == "PUT" else self.zone_of(call)
        link = zone.links_by_name.get(call.names[1].lower()) if zone else None
        if call.method == "DELETE" and (zone is None or link is None):
            return Response(204, None, self._countdown(call))  # azure-cli, test_DeleteLink_{Link,Zone}NotExists
        if zone is None or (link is None and call.method != "PUT"):
            raise _not_found(call)  # azure-sdk-for-net, {Get,Patch}Link_{Link,Zone}NotExists_ExpectError
        if call.method == "GET" and link is not None:
            return Response(
                200,
                link_json(zone, link, call.request.query["api-version"]),
                {"ETag": link.etag, **self._countdown(call)},
            )
        resource_id = f"{zone.id}/virtualNetworkLinks/{_link_name(call)}"
        if call.method == "DELETE":
            work = Work(
                "DeleteVirtualNetworkLink", resource_id, f"{LINK_TYPE}/delete", lambda: self._delete_link(call, zone)
            )
            return self._operations.begin(call, work)
        body = call.json()
        vnet = self._vnet(call, zone, link, body)
        work = Work(
            "UpsertVirtualNetworkLink",
            resource_id,
            f"{LINK_TYPE}/write",
            lambda: self._put_link(call, zone, vnet, body),
        )
        return self._operations.begin(call, work)

    def _vnet(self, call: Call, zone: Zone, link: Link | None, body: Mapping[str, Any]) -> str:
        stated = body.get("properties", {}).get("virtualNetwork", {}).get("id", link.vnet if link else None)
        if not isinstance(stated, str):
            raise refused(f"The virtual network of link '{_link_name(call)}' is missing.")
        policy = body.get("properties", {}).get("resolutionPolicy", "Default")
        if policy not in {"Default", "NxDomainRedirect"}:  # the words are the simulator's
            raise refused(f"The resolution policy '{policy}' of link '{_link_name(call)}' is invalid.")
        if self._unknowns.overlap_at_once and (text := self._overlap(zone, _link_name(call), stated)):
            raise refused(text)
        return stated

    def _overlap(self, zone: Zone, link_name: str, vnet: str) -> str | None:
        for other in self._store.zones.values():
            for link in other.links if other.name.lower() == zone.name.lower() else ():
                same = other is zone and link.name == link_name
                if not same and link.vnet.lower() == vnet.lower():  # azure-aks-docs#212, foundry-samples#214
                    return (
                        "A virtual network cannot be linked to multiple zones with overlapping namespaces. You tried "
                        f"to link virtual network with '{zone.name}' and '{other.name}' zones."
                    )
        return None

    def _check_link(self, call: Call, zone: Zone) -> Link | None:
        link = zone.links_by_name.get(_link_name(call))
        failure = failed_condition(call, link.etag if link else None)
        if failure == "exists":
            raise OperationFailed(
                "PreconditionFailed",
                f"The Virtual Network link {_link_name(call)} for the Private DNS zone {zone.name} exists already and "
                "hence cannot be created again.",
            )
        if failure == "modified":
            raise OperationFailed(
                "PreconditionFailed",
                f"The Virtual Network link '{_link_name(call)}' for the Private DNS zone '{zone.name}' has been "
                "modified (etag mismatch).",
            )
        return link

    def _put_link(self, call: Call, zone: Zone, vnet: str, body: Mapping[str, Any]) -> None:
        old = self._check_link(call, zone)
        exists = self._store.vnet_exists
        if exists is not None and not exists(vnet):
            # azure-sdk-for-net, PatchLink_LinkExistsChangeVirtualNetwork_ExpectError; of a PUT: inferred
            raise OperationFailed("BadRequest", f"Virtual network resource not found for '{vnet}'")
        if text := self._overlap(zone, _link_name(call), vnet):
            raise OperationFailed("BadRequest", text)
        kept = old if call.method == "PATCH" else None
        properties = body.get("properties", {})
        asked = properties.get("registrationEnabled", kept.registration if kept else False)
        new = Link(
            _link_name(call),
            vnet,
            registration=bool(asked),
            etag=self._store.link_etag(),
            tags=body.get("tags", kept.tags if kept else None),
            resolution_policy=properties.get("resolutionPolicy", kept.resolution_policy if kept else None),
        )
        zone.links_by_name[new.name] = new
        self._registration_changed(zone, new, was_on=bool(old and old.registration))

    def _registration_changed(self, zone: Zone, link: Link, *, was_on: bool) -> None:
        if link.registration and not was_on:  # azure-cli, test_PatchLink_EnableRegistration: InProgress after Succeeded
            zone.links_by_name[link.name] = replace(link, state="InProgress")
            delay = self._unknowns.registration_seconds * self._store.azure.operation_scale
            self._store.azure.schedule(delay, lambda: _settle(zone, link))
        if was_on and not link.registration and not any(other.registration for other in zone.links):
            self._store.unregister_all(zone)

    def _delete_link(self, call: Call, zone: Zone) -> None:
        link = self._check_link(call, zone)
        if link is not None:
            del zone.links_by_name[link.name]
            self._registration_changed(zone, replace(link, registration=False), was_on=link.registration)


def _settle(zone: Zone, link: Link) -> None:
    present = zone.links_by_name.get(link.name)
    if present is not None and present.etag == link.etag:
        zone.links_by_name[link.name] = link


def _link_name(call: Call) -> str:
    """The link's name as Azure stores and shows it, in its own errors too: in lower case (ARM's errors: as sent)."""
    return call.names[1].lower()


def _not_found(call: Call) -> ArmError:
    pairs = zip(call.types, call.names, strict=True)
    resource = "/".join(["Microsoft.Network", *(part for pair in pairs for part in pair)])
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource}' under resource group '{call.group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
    )
