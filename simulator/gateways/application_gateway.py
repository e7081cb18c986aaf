"""An Application Gateway as data, and its body as the network provider writes it. Calls: `application_gateways.py`.

Shapes as recorded by azure-cli (test_network_app_gateway_with_private_ip.yaml, first generation, and
test_network_appgw_creation_with_public_and_private_ip.yaml, Standard_v2, 2023, api-version 2022-05-01).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.network.changes import name_of, stated
from simulator.network.nic import IpConfiguration

AG_TYPE = "Microsoft.Network/applicationGateways"

OperationalState = Literal["Running", "Starting", "Stopping", "Stopped"]

_COMMON = (
    "gatewayIPConfigurations",
    "sslCertificates",
    "frontendIPConfigurations",
    "frontendPorts",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "httpListeners",
    "urlPathMaps",
    "requestRoutingRules",
    "probes",
    "rewriteRuleSets",
    "redirectConfigurations",
)
_FIRST_GENERATION = ("authenticationCertificates",)
_V2 = (
    "trustedRootCertificates",
    "trustedClientCertificates",
    "sslProfiles",
    "loadDistributionPolicies",
    "backendSettingsCollection",
    "listeners",
    "routingRules",
    "privateLinkConfigurations",
    "privateEndpointConnections",
)
SECTIONS = (*_COMMON, *_FIRST_GENERATION, *_V2)
"""The lists of named parts of a gateway."""
FRONTENDS = "frontendIPConfigurations"
POOLS = "backendAddressPools"
_POINTING = ("httpListeners", "requestRoutingRules")
"""The sections whose parts are named in turn by the parts that they refer to."""
_SECRETS = {"data", "password"}

Part = Mapping[str, Any]


@dataclass(slots=True)
class Frontend:
    """A frontend: a private address, or a public one by its id."""

    name: str
    address: IpConfiguration | None = None
    public_ip: str | None = None


@dataclass(slots=True)
class ApplicationGateway:
    """A gateway. `sections`: its other parts by field, as written; `settings`: its other properties, as written."""

    id: str
    location: str
    tags: dict[str, str] | None
    etag: str
    guid: str
    frontends: list[Frontend]
    sections: dict[str, list[Part]]
    settings: dict[str, Any] = field(default_factory=dict)
    operational: OperationalState = "Running"
    provisioning: str = "Succeeded"
    joined: Mapping[str, Mapping[str, None]] = field(default_factory=dict)
    """`Network.backends`: the NICs' configurations that are in its pools."""

    @property
    def addresses(self) -> list[IpConfiguration]:
        """Its private addresses."""
        return [each.address for each in self.frontends if each.address]

    def answers(self, address: str) -> bool:
        """Whether it accepts connections at one of its addresses: it runs, and a listener uses the frontend."""
        used = {_referred(each, "frontendIPConfiguration") for each in self._listeners()}
        names = {each.name.lower() for each in self.frontends if each.address and each.address.address == address}
        return self.operational == "Running" and not used.isdisjoint(names)

    def listens(self, frontend: str) -> bool:
        """Whether a listener uses a frontend."""
        return frontend.lower() in {_referred(each, "frontendIPConfiguration") for each in self._listeners()}

    @property
    def backends(self) -> int:
        """How many members its pools have, as far as Azure Resource Manager shows it.

        A pool that does not show its members counts as one member, and so do a redirect and a gateway without pools.
        """
        sizes = [self._size(each) for each in self.sections[POOLS]]
        return sum(sizes) + len(self.sections["redirectConfigurations"]) if sizes else 1

    def _size(self, pool: Part) -> int:
        joined = len(self.joined.get(f"{self.id}/{POOLS}/{pool['name']}".lower(), ()))
        written = pool.get("properties", {}).get("backendAddresses")
        return joined + len(written) if written is not None else joined or 1

    def _listeners(self) -> list[Part]:
        return [*self.sections.get("httpListeners", []), *self.sections.get("listeners", [])]

    def body(self) -> dict[str, Any]:
        """The gateway as served."""
        return {
            "name": name_of(self),
            "id": self.id,
            "etag": self.etag,
            "type": AG_TYPE,
            "location": self.location,
            **stated(self.tags),
            "properties": {
                "provisioningState": self.provisioning,
                "resourceGuid": self.guid,
                "operationalState": self.operational,
                **self.settings,
                **{section: [self._part(section, each) for each in self._parts(section)] for section in self._fields()},
            },
        }

    def _fields(self) -> tuple[str, ...]:
        tier = str(self.settings.get("sku", {}).get("tier", ""))
        return (*_COMMON, *(_V2 if tier.lower().endswith("_v2") else _FIRST_GENERATION))

    def _parts(self, section: str) -> Iterator[Part]:
        if section != FRONTENDS:
            yield from self.sections.get(section, [])
            return
        for each in self.frontends:
            yield {"name": each.name, "properties": _frontend(each)}

    def _part(self, section: str, part: Part) -> dict[str, Any]:
        part_id = f"{self.id}/{section}/{part['name']}"
        written = {key: value for key, value in part.get("properties", {}).items() if key not in _SECRETS}
        written |= self._members(part_id) if section == POOLS else {}
        return self._named(part_id, f"{AG_TYPE}/{section}", part["name"], {**written, **self._pointing(part_id)})

    def _members(self, pool_id: str) -> dict[str, list[dict[str, str]]]:
        """The NICs' configurations in a pool, beside the addresses that were written into it."""
        found = [{"id": each} for each in self.joined.get(pool_id.lower(), ())]
        return {"backendIPConfigurations": found} if found else {}

    def _named(self, part_id: str, kind: str, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        below = {
            key: [self._below(part_id, kind, key, each) for each in value]
            for key, value in properties.items()
            if key == "ipConfigurations"
        }
        served = {**properties, **below, "provisioningState": self.provisioning}
        return {"name": name, "id": part_id, "etag": self.etag, "type": kind, "properties": served}

    def _below(self, part_id: str, kind: str, key: str, part: Part) -> dict[str, Any]:
        return self._named(f"{part_id}/{key}/{part['name']}", f"{kind}/{key}", part["name"], part["properties"])

    def _pointing(self, part_id: str) -> dict[str, list[dict[str, str]]]:
        """The listeners and rules that refer to a part, by section."""
        found = {
            section: [
                {"id": f"{self.id}/{section}/{each['name']}"}
                for each in self.sections.get(section, [])
                if part_id.lower() in _references(each)
            ]
            for section in _POINTING
        }
        return {section: links for section, links in found.items() if links}


def _frontend(frontend: Frontend) -> dict[str, Any]:
    each = frontend.address
    if each is None:
        return {"privateIPAllocationMethod": "Dynamic", "publicIPAddress": {"id": frontend.public_ip}}
    return {
        "privateIPAddress": each.address,
        "privateIPAllocationMethod": each.allocation,
        "subnet": {"id": f"{each.vnet}/subnets/{each.subnet}"},
    }


def _references(part: Part) -> set[str]:
    """The ids in lower case to which a part refers."""
    values = part.get("properties", {}).values()
    return {str(each["id"]).lower() for each in values if isinstance(each, dict) and "id" in each}


def _referred(part: Part, key: str) -> str:
    """The name in lower case of the part to which a field refers, or ""."""
    link = part.get("properties", {}).get(key) or {}
    return str(link.get("id", "")).rpartition("/")[2].lower()
