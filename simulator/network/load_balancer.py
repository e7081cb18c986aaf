"""A load balancer as data, and its body as the network provider writes it. Calls: `load_balancer_provider.py`.

Shapes as recorded by azure-cli (test_network_lb.yaml, test_network_load_balancer_ip_config.yaml, test_network_nic.yaml,
test_network_lb_nat_rules_v3.yaml, test_network_lb_frontend_ip_zone.yaml, 2023) and Azure Service Operator
(Test_Networking_LoadBalancer_20240301_CRUD.yaml, 2024). No recording has a write of a load balancing rule, an outbound
rule or a probe: the defaults of rules follow the OpenAPI examples LoadBalancerCreate.json and
LoadBalancerCreateWithOutboundRules.json, 2024-01-01, those of probes are the values of the one recorded probe
(test_network_lb.yaml, call 33).
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
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "inboundNatRules": {**_NAT, "frontendPort": 0},
    "inboundNatPools": _NAT,
    "loadBalancingRules": {
        "enableFloatingIP": False,
        "idleTimeoutInMinutes": 4,
        "enableTcpReset": False,
        "loadDistribution": "Default",
        "disableOutboundSnat": False,
    },
    "probes": {"intervalInSeconds": 15, "numberOfProbes": 2, "probeThreshold": 1},
    "outboundRules": {"allocatedOutboundPorts": 1024, "enableTcpReset": False, "idleTimeoutInMinutes": 4},
}
"""What a member has that was written without it."""
_POINTING = ("loadBalancingRules", "inboundNatRules", "inboundNatPools", "outboundRules")
"""The sections whose members name frontends, pools and probes, each of which lists them in turn."""
_POINTED = ("frontendIPConfigurations", "backendAddressPools", "probes")


@dataclass(slots=True)
class Frontend:
    """A frontend of a load balancer: a private address, or a public one by its id. `zones`: as written."""

    name: str
    address: IpConfiguration | None = None
    public_ip: str | None = None
    zones: list[str] | None = None


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
    def takes_time(self) -> bool:
        """Whether a write goes on after its answer: in a private network, except in Basic, and across regions.

        All 7 such writes did (azure-cli, test_network_lb_frontend_ip_zone, test_network_lb_zone,
        test_network_nic_front_ip and test_network_cross_region_load_balancer_ip_config), and none of the 25 others:
        public ones of one region, and Basic ones with private addresses.
        """
        return self.sku.get("tier") == "Global" or (bool(self.addresses) and not self.basic)

    @property
    def basic(self) -> bool:
        """Whether its SKU is Basic, which is the default."""
        return self.sku.get("name", "Basic") == "Basic"

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
        served = (each for each in self.sections if not self.basic or each != "outboundRules")
        return ["frontendIPConfigurations", *served]

    def parts(self, section: str) -> Iterator[dict[str, Any]]:
        """The members of one section as served."""
        if section == "frontendIPConfigurations":
            for each in self.frontends:
                zones = {"zones": list(each.zones)} if each.zones else {}
                yield self._part(section, each.name, self._frontend(each)) | zones
        defaults = self._defaults(section)
        for name, part in self.sections.get(section, {}).items():
            written = self._pool(name, part) if section == "backendAddressPools" else part
            yield self._part(section, name, {**defaults, **written, **self._pointing(section, name)})

    def _defaults(self, section: str) -> Mapping[str, Any]:
        return _DEFAULTS.get(section, {})

    def missing(self) -> Iterator[tuple[str, str]]:
        """The members that are named and do not exist, each with the member that names it, by their ids."""
        own = {f"{self.id}/frontendIPConfigurations/{each.name}".lower() for each in self.frontends}
        own |= {f"{self.id}/{section}/{name}".lower() for section, names in self.sections.items() for name in names}
        for section in _POINTING:
            for name, written in self.sections.get(section, {}).items():
                for target in _targets(written):
                    if target.lower().startswith(f"{self.id}/".lower()) and target.lower() not in own:
                        yield target, f"{self.id}/{section}/{name}"

    def _pool(self, name: str, written: Mapping[str, Any]) -> dict[str, Any]:
        pool = f"{self.id}/backendAddressPools/{name}"
        joined = self.backends.get(pool.lower(), {})
        return with_members(pool, self.etag, written, joined, basic=self.basic)

    def _part(self, section: str, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        state = self.provisioning if self.provisioning == "Updating" else "Succeeded"
        return {
            "name": name,
            "id": f"{self.id}/{section}/{name}",
            "etag": self.etag,
            "type": f"{LB_TYPE}/{section}",
            "properties": {**properties, "provisioningState": state},
        }

    def _frontend(self, frontend: Frontend) -> dict[str, Any]:
        pointing = self._pointing("frontendIPConfigurations", frontend.name)
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

    def _pointing(self, section: str, name: str) -> dict[str, list[dict[str, str]]]:
        """The rules that name a member, by their section; none for the rules themselves."""
        if section not in _POINTED:
            return {}
        own = f"{self.id}/{section}/{name}".lower()
        found = {
            rules: [{"id": f"{self.id}/{rules}/{rule}"} for rule, written in names.items() if own in _lower(written)]
            for rules in _POINTING
            if (names := self.sections.get(rules))
        }
        return {rules: ids for rules, ids in found.items() if ids}


def _lower(rule: Mapping[str, Any]) -> set[str]:
    return {each.lower() for each in _targets(rule)}


def _targets(rule: Mapping[str, Any]) -> Iterator[str]:
    """The ids that a rule names: frontends, pools and a probe, each under one name or in a list."""
    names = (
        "frontendIPConfiguration",
        "frontendIPConfigurations",
        "backendAddressPool",
        "backendAddressPools",
        "probe",
    )
    for name in names:
        named = rule.get(name) or ()
        for each in [named] if isinstance(named, dict) else named:
            if isinstance(each, dict) and "id" in each:
                yield each["id"]
