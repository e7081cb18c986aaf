"""Zone groups of private endpoints: `privateEndpoints/{name}/privateDnsZoneGroups`, and the records that Azure writes.

Shapes as recorded by azure-cli (test_network_private_endpoint_private_dns_zone_group.yaml, 2023) and Azure Service
Operator (Test_Networking_PrivateEndpoint_20240301_CRUD.yaml, 2024): a record only in a zone named as the service's
names with `privatelink.` before them, TTL 10 s. Inferred: the records raise no event of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode
from simulator.arm.front_door import ArmError, Call, Response
from simulator.network.changes import Change, begin, not_found
from simulator.network.private_endpoint import PE_TYPE, PrivateEndpoint, ZoneGroup
from simulator.network.provider import Network
from simulator.private_dns.provider import PrivateDns
from simulator.private_dns.record_sets import Zone, written
from simulator.timing.latency import Spread

GROUP_TYPE = f"{PE_TYPE}/privateDnsZoneGroups"
WRITE_SECONDS = Spread(0.3, 0.6, 1.0)
"""Duration of writes and deletions in seconds: all 5 first polls in azure-cli, 0 or 1 s later, found them done."""
TTL = 10


class _ConfigProperties(msgspec.Struct, rename="camel"):
    private_dns_zone_id: str


class _Config(msgspec.Struct):
    name: str
    properties: _ConfigProperties


class _Properties(msgspec.Struct, rename="camel"):
    private_dns_zone_configs: list[_Config] = []


class _Body(msgspec.Struct):
    properties: _Properties


class ZoneGroups:
    """Answers for the zone groups of the private endpoints of a collection."""

    def __init__(self, network: Network, dns: PrivateDns, endpoints: Collection[PrivateEndpoint]) -> None:
        self._network = network
        self._dns = dns
        self._endpoints = endpoints

    def handle(self, call: Call) -> Response:
        """Answer a call on the zone groups of a private endpoint."""
        endpoint = self._endpoints.get_or_404(call)
        if call.types[1].lower() != "privatednszonegroups" or len(call.types) > 2:
            raise not_found(call)
        if call.method == "GET" and len(call.names) == 1:
            return Response(200, {"value": [_group_body(endpoint, each) for each in endpoint.groups.values()]})
        found = endpoint.groups.get(call.names[1].lower())
        if call.method == "PUT":
            return self._put(call, endpoint, found)
        if call.method == "DELETE":
            return self._delete(call, endpoint, found)
        if call.method != "GET":
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on a zone group is not simulated.")
        if found is None:
            raise not_found(call)
        return Response(200, _group_body(endpoint, found), {"etag": found.etag})

    def _put(self, call: Call, endpoint: PrivateEndpoint, old: ZoneGroup | None) -> Response:
        configs = decode(call, _Body).properties.private_dns_zone_configs
        zones = {each.name: each.properties.private_dns_zone_id for each in configs}
        if old:
            self.remove_records(endpoint, old)
        name = old.name if old else call.names[1]
        group = ZoneGroup(name, zones, self._network.new_etag(), "Updating")
        endpoint.groups[name.lower()] = group

        def end() -> None:
            group.provisioning, group.etag = "Succeeded", self._network.new_etag()
            if endpoint.groups.get(name.lower()) is group:
                self._write_records(endpoint, group)

        headers = self._begin(call, endpoint, group, end)
        return Response(200 if old else 201, _group_body(endpoint, group), headers)

    def _delete(self, call: Call, endpoint: PrivateEndpoint, group: ZoneGroup | None) -> Response:
        if group is None:
            return Response(204)

        def end() -> None:
            if endpoint.groups.get(group.name.lower()) is group:
                self.remove_records(endpoint, group)
                del endpoint.groups[group.name.lower()]

        return Response(202, None, self._begin(call, endpoint, group, end))

    def _begin(
        self, call: Call, endpoint: PrivateEndpoint, group: ZoneGroup, end: Callable[[], None]
    ) -> dict[str, str]:
        def failed() -> None:
            group.provisioning = "Failed"

        operation = f"{GROUP_TYPE}/{'delete' if call.method == 'DELETE' else 'write'}"
        change = Change(f"{endpoint.id}/privateDnsZoneGroups/{group.name}", operation, end, failed)
        seconds = WRITE_SECONDS.draw(self._network.azure.rng)
        return begin(self._network, call, endpoint.location, seconds, change)

    def _write_records(self, endpoint: PrivateEndpoint, group: ZoneGroup) -> None:
        for zone, name, address in self._targets(endpoint, group):
            properties = {"ttl": TTL, "aRecords": [{"ipv4Address": address}]}
            zone.put(replace(written(None, "A", name, properties), etag=self._network.azure.new_guid()))

    def remove_records(self, endpoint: PrivateEndpoint, group: ZoneGroup) -> None:
        """Remove the records of a zone group from their zones, without an event."""
        for zone, name, address in self._targets(endpoint, group):
            found = zone.get("A", name)
            if found is not None and found.addresses == (address,):
                zone.remove(found)

    def _targets(self, endpoint: PrivateEndpoint, group: ZoneGroup) -> Iterator[tuple[Zone, str, str]]:
        for zone_id in group.zones.values():
            zone = self._dns.zone(zone_id)
            if zone is not None:
                yield from ((zone, name, address) for name, address in _records(endpoint, zone_id))


def _records(endpoint: PrivateEndpoint, zone_id: str) -> Iterator[tuple[str, str]]:
    """The names and addresses that Azure writes into a zone for a private endpoint."""
    for fqdn, address in endpoint.names():
        name, _, rest = fqdn.partition(".")
        if zone_id.rsplit("/", 1)[1].lower() == f"privatelink.{rest}":
            yield name, address


def _group_body(endpoint: PrivateEndpoint, group: ZoneGroup) -> dict[str, Any]:
    own = f"{endpoint.id}/privateDnsZoneGroups/{group.name}"
    return {
        "name": group.name,
        "id": own,
        "etag": group.etag,
        "type": GROUP_TYPE,
        "properties": {
            "provisioningState": group.provisioning,
            "privateDnsZoneConfigs": [
                {
                    "name": name,
                    "id": f"{own}/privateDnsZoneConfigs/{name}",
                    "etag": group.etag,
                    "type": f"{GROUP_TYPE}/privateDnsZoneConfigs",
                    "properties": {
                        "provisioningState": group.provisioning,
                        "privateDnsZoneId": zone_id,
                        "recordSets": [_record_set(group, zone_id, *each) for each in _records(endpoint, zone_id)],
                    },
                }
                for name, zone_id in group.zones.items()
            ],
        },
    }


def _record_set(group: ZoneGroup, zone_id: str, name: str, address: str) -> dict[str, Any]:
    return {
        "recordType": "A",
        "recordSetName": name,
        "fqdn": f"{name}.{zone_id.rsplit('/', 1)[1]}",
        "ttl": TTL,
        "provisioningState": group.provisioning,
        "ipAddresses": [address],
    }
