"""A load balancer as data, and its body as the network provider writes it. Calls: `load_balancer_provider.py`.

Shapes as recorded by azure-cli (test_network_lb.yaml, test_network_load_balancer_ip_config.yaml, test_network_nic.yaml,
2023) and Azure Service Operator (Test_Networking_LoadBalancer_20240301_CRUD.yaml, 2024).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.network.backend_pools import with_members
from simulator.network.changes import name_of, stated
from simulator.network.nic import IpConfiguration

LB_TYPE = "Microsoft.Network/loadBalancers"
_NAT = {
    "idleTimeoutInMinutes": 4,
    "enableFloatingIP": False,
    "enableDestinationServiceEndpoint": False,
    "enableTcpReset": False,
    "allowBackendPortConflict": False,
    "protocol": "Tcp",
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"inboundNatRules": _NAT, "inboundNatPools": _NAT}
_POINTING = ("loadBalancingRules", "inboundNatRules", "inboundNatPools")
"""The sections whose members name a frontend; the frontend lists them in turn."""


@dataclass(slots=True)
class Frontend:
    """A frontend of a load balancer: a private address, or a public one by its id."""

    name: str
    address: IpConfiguration | None = None
    public_ip: str | None = None


@dataclass(slots=True)
class LoadBalancer:
    """A load balancer. `sections`: its other parts by field and name, with the properties as written."""

    id: str
    location: str
    tags: dict[str, str] | None
    etag: str
    guid: str
    frontends: list[Frontend]
    sections: dict[str, dict[str, dict[str, Any]]]
    sku: dict[str, str]
    provisioning: str = "Succeeded"
    backends: Mapping[str, Mapping[str, None]] = field(default_factory=dict)
    """`Network.backends`: what has joined the pools, beside the members that were written with them."""

    @property
    def addresses(self) -> list[IpConfiguration]:
        """Its private addresses."""
        return [each.address for each in self.frontends if each.address]

    def body(self) -> dict[str, Any]:
        """The load balancer as served."""
        return {
            "name": name_of(self),
            "id": self.id,
            "etag": self.etag,
            "type": LB_TYPE,
            "location": self.location,
            **stated(self.tags),
            "properties": {
                "provisioningState": self.provisioning,
                "resourceGuid": self.guid,
                **{section: list(self.parts(section)) for section in self.fields()},
            },
            "sku": {"name": "Basic", "tier": "Regional", **self.sku},
        }

    def fields(self) -> list[str]:
        """The names of its list fields; a Basic load balancer has no outbound rules."""
        basic = self.sku.get("name", "Basic") == "Basic"
        return ["frontendIPConfigurations", *(each for each in self.sections if not basic or each != "outboundRules")]

    def parts(self, section: str) -> Iterator[dict[str, Any]]:
        """The members of one section as served."""
        if section == "frontendIPConfigurations":
            for each in self.frontends:
                yield self._part(section, each.name, self._frontend(each))
        for name, part in self.sections.get(section, {}).items():
            written = self._pool(name, part) if section == "backendAddressPools" else part
            yield self._part(section, name, {**_DEFAULTS.get(section, {}), **written})

    def _pool(self, name: str, written: Mapping[str, Any]) -> dict[str, Any]:
        pool = f"{self.id}/backendAddressPools/{name}"
        joined = self.backends.get(pool.lower(), {})
        return with_members(pool, self.etag, written, joined, basic=self.sku.get("name", "Basic") == "Basic")

    def _part(self, section: str, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "id": f"{self.id}/{section}/{name}",
            "etag": self.etag,
            "type": f"{LB_TYPE}/{section}",
            "properties": {**properties, "provisioningState": "Succeeded"},
        }

    def _frontend(self, frontend: Frontend) -> dict[str, Any]:
        own = f"{self.id}/frontendIPConfigurations/{frontend.name}".lower()
        pointing = {
            section: [{"id": f"{self.id}/{section}/{name}"} for name in names]
            for section in _POINTING
            if (names := [name for name, part in self.sections.get(section, {}).items() if _frontend_of(part) == own])
        }
        each = frontend.address
        if each is None:
            public = {"publicIPAddress": {"id": frontend.public_ip}}
            return {"privateIPAllocationMethod": "Dynamic", **public, **pointing}
        return {
            "privateIPAddress": each.address,
            "privateIPAllocationMethod": each.allocation,
            "subnet": {"id": f"{each.vnet}/subnets/{each.subnet}"},
            **pointing,
            "privateIPAddressVersion": each.version,
        }


def _frontend_of(part: Mapping[str, Any]) -> str:
    return str((part.get("frontendIPConfiguration") or {}).get("id", "")).lower()
