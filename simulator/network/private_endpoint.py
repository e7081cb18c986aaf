"""A private endpoint as data, and its body as the network provider writes it. Calls: `private_endpoint_provider.py`.

Shapes as recorded by azure-cli (test_network_private_endpoints.yaml, test_network_private_endpoint_ip_config.yaml,
test_network_private_endpoint_private_dns_zone_group.yaml, test_network_private_endpoint_asg.yaml,
test_private_endpoint_connection_search.yaml, test_private_endpoint_connection_sql_server.yaml, 2023) and Azure Service
Operator (Test_Networking_PrivateEndpoint_20240301_CRUD.yaml, 2024).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.network.changes import name_of, stated
from simulator.network.nic import Nic

PE_TYPE = "Microsoft.Network/privateEndpoints"
IPV6_FIELD_SINCE = "2024-03-01"
"""The earliest recorded api-version with `isIPv6EnabledPrivateEndpoint`; 2022-01-01 lacks it, in between is unknown."""

Status = Literal["Approved", "Pending", "Rejected", "Disconnected"]

FIRST_WORDS: Mapping[Status, str] = {"Approved": "Auto Approved", "Pending": "Awaiting Approval"}
"""How a new connection is described until the endpoint's creation ends."""
_WORDS: Mapping[str, Mapping[Status, str]] = {
    "microsoft.search/searchservices": {"Pending": ""},
    "microsoft.sql/servers": {"Approved": "Auto-approved"},
}
"""How a service of Azure describes it from then on; unless it is here, as recorded for storage accounts."""


@dataclass(slots=True)
class Connection:
    """A connection to a service. `manual`: the service's owner decides on it."""

    name: str
    service: str
    groups: list[str]
    manual: bool
    status: Status
    description: str
    actions: str = "None"
    message: str | None = None

    @property
    def first_party(self) -> bool:
        """Whether the service is Azure's own, and not a customer's private link service."""
        return "/microsoft.network/privatelinkservices/" not in self.service.lower()

    @property
    def kind(self) -> str:
        """The service's type, in lower case."""
        return "/".join(self.service.lower().rpartition("/providers/")[2].split("/")[:2])

    def fqdn(self, group: str, member: str) -> str | None:
        """The public name of a member of the service, as recorded for storage accounts and SQL; None: not known."""
        name = self.service.rpartition("/")[2]
        if self.kind == "microsoft.storage/storageaccounts" and group == member:
            return f"{name}.{group}.core.windows.net"
        if self.kind == "microsoft.sql/servers" and group.lower() == "sqlserver":
            return f"{name}.database.windows.net"
        return None

    def answer(self) -> None:
        """Take the service's own words, if it is one of Azure's and has not decided otherwise."""
        if self.first_party and self.description == FIRST_WORDS.get(self.status):
            usual: Mapping[Status, str] = {**FIRST_WORDS, "Approved": "Auto-Approved"}
            self.description = {**usual, **_WORDS.get(self.kind, {})}[self.status]


@dataclass(slots=True)
class StaticAddress:
    """A wanted address, for a member of a group of the service or for none."""

    name: str
    address: str
    group: str | None = None
    member: str | None = None


@dataclass(slots=True)
class ZoneGroup:
    """The zones in which Azure itself keeps a private endpoint's records. `zones`: ids by configuration name."""

    name: str
    zones: dict[str, str]
    etag: str
    provisioning: str = "Succeeded"


@dataclass(slots=True)
class PrivateEndpoint:
    """A private endpoint with the NIC that holds its addresses.

    `named`: whether the service's names are already known, which is so after the first write. `security_groups`: ids of
    application security groups.
    """

    id: str
    location: str
    tags: dict[str, str] | None
    subnet: str
    connections: list[Connection]
    nic: Nic
    etag: str
    guid: str
    custom_nic: str = ""
    security_groups: list[str] = field(default_factory=list)
    static: list[StaticAddress] = field(default_factory=list)
    groups: dict[str, ZoneGroup] = field(default_factory=dict)
    named: bool = False
    provisioning: str = "Succeeded"

    def names(self) -> Iterator[tuple[str, str]]:
        """The service's public names, each with its address."""
        for each in self.nic.configurations:
            for fqdn in (each.private_link or {}).get("fqdns", ()):
                yield fqdn, each.address

    def body(self, version: str) -> dict[str, Any]:
        """The private endpoint as served under an api-version."""
        # Inferred, no recording has both: if a zone group publishes the names, the client has nothing to do.
        names = self.names() if self.named and not self.groups else ()
        groups = self.security_groups
        return {
            "name": name_of(self),
            "id": self.id,
            "etag": self.etag,
            "type": PE_TYPE,
            "location": self.location,
            **stated(self.tags),
            "properties": {
                "provisioningState": self.provisioning,
                "resourceGuid": self.guid,
                "privateLinkServiceConnections": [self._connection(c) for c in self.connections if not c.manual],
                "manualPrivateLinkServiceConnections": [self._connection(c) for c in self.connections if c.manual],
                "customNetworkInterfaceName": self.custom_nic,
                "subnet": {"id": self.subnet},
                "ipConfigurations": [self._static(each) for each in self.static],
                "networkInterfaces": [{"id": self.nic.id}],
                **({"applicationSecurityGroups": [{"id": each} for each in groups]} if groups else {}),
                "customDnsConfigs": [{"fqdn": fqdn, "ipAddresses": [address]} for fqdn, address in names],
                **({"isIPv6EnabledPrivateEndpoint": False} if version >= IPV6_FIELD_SINCE else {}),
            },
        }

    def _connection(self, each: Connection) -> dict[str, Any]:
        kind = "manualPrivateLinkServiceConnections" if each.manual else "privateLinkServiceConnections"
        state = {"status": each.status, "description": each.description, "actionsRequired": each.actions}
        return self._part(kind, each.name) | {
            "properties": {
                "provisioningState": "Succeeded",
                "privateLinkServiceId": each.service,
                **({"groupIds": list(each.groups)} if each.groups else {}),
                **({"requestMessage": each.message} if each.message else {}),
                "privateLinkServiceConnectionState": state,
            }
        }

    def _static(self, each: StaticAddress) -> dict[str, Any]:
        member = {"memberName": each.member, "groupId": each.group}
        return self._part("ipConfigurations", each.name) | {
            "properties": {
                "provisioningState": "Succeeded",
                **{name: value for name, value in member.items() if value is not None},
                "privateIPAddress": each.address,
            }
        }

    def _part(self, kind: str, name: str) -> dict[str, Any]:
        return {"name": name, "id": f"{self.id}/{kind}/{name}", "etag": self.etag, "type": f"{PE_TYPE}/{kind}"}
