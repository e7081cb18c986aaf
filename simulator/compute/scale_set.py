"""Scale sets and the instances of uniform ones as data, and their bodies as the compute provider writes them.

No requests here: `scale_set_provider.py` and `scale_set_instances.py` decide what happens to them. Shapes as recorded
by azure-cli (test_vmss_create_and_modify.yaml, test_vmss_nics.yaml, test_vmss_simple_orchestration_mode.yaml, 2023) and
Azure Service Operator (Test_Compute_VMSS_20220301_CRUD.yaml, 2026). No instance view of an instance was recorded: it is
that of a VM, as in the OpenAPI document 2024-03-01.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from simulator.arm.operations import stamp
from simulator.compute.vm import INSTANCE_TYPE, Vm
from simulator.network import changes
from simulator.network.nic import POOL_FIELDS, IpConfiguration, Nic

SCALE_SET_TYPE = "Microsoft.Compute/virtualMachineScaleSets"


@dataclass(slots=True)
class Instance:
    """An instance of a uniform scale set: a machine that exists only below its scale set, and its NICs."""

    number: int
    vm: Vm
    nics: list[Nic]

    @property
    def key(self) -> str:
        """The sort key of instances in lists."""
        return f"{self.number:010d}"


@dataclass(slots=True)
class AllInstances:
    """All instances of a scale set, as the subject of one operation: their id ends in `*`."""

    id: str
    location: str
    type: str = INSTANCE_TYPE


@dataclass(slots=True)
class ScaleSet:
    """A scale set. `properties` as clients wrote them, with Azure's additions at creation."""

    id: str
    location: str
    tags: dict[str, str] | None
    """None: never written."""
    sku: dict[str, Any]
    properties: dict[str, Any]
    guid: str
    created: float
    changed: float
    """When the provisioning state last changed, seconds since the epoch."""
    provisioning: str = "Succeeded"
    instances: dict[int, Instance] = field(default_factory=dict)
    next_number: int = 0
    extensions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name in lower case -> the extension as served."""

    @property
    def name(self) -> str:
        """The resource name."""
        return self.id.rsplit("/", 1)[1]

    @property
    def flexible(self) -> bool:
        """Whether its instances are ordinary VMs."""
        return str(self.properties.get("orchestrationMode", "Uniform")).lower() == "flexible"

    @property
    def profile(self) -> dict[str, Any]:
        """The profile from which its machines are created."""
        found: dict[str, Any] = self.properties.get("virtualMachineProfile", {})
        return found

    @property
    def nic_configurations(self) -> list[dict[str, Any]]:
        """The NICs of each of its machines."""
        found: list[dict[str, Any]] = self.profile.get("networkProfile", {}).get("networkInterfaceConfigurations", [])
        return found

    @property
    def subnet_id(self) -> str | None:
        """The subnet of the machines' first address, or None."""
        for nic in self.nic_configurations:
            for ip in nic["properties"].get("ipConfigurations", []):
                return str(ip["properties"]["subnet"]["id"])
        return None

    @property
    def living(self) -> list[Instance]:
        """The instances that are not being deleted, in order."""
        found = [each for each in self.instances.values() if each.vm.provisioning != "Deleting"]
        return sorted(found, key=lambda each: each.number)

    @property
    def model_extensions(self) -> list[dict[str, Any]]:
        """The extensions of its profile."""
        found: list[dict[str, Any]] = self.profile.get("extensionProfile", {}).get("extensions", [])
        return found

    @property
    def reports_health(self) -> bool:
        """Whether its machines have the Application Health extension."""
        kinds = (str(each["properties"].get("type", "")) for each in self.model_extensions)
        named = any(each.startswith("ApplicationHealth") for each in kinds)
        return named or any(each.vm.health is not None for each in self.instances.values())

    def shrink(self, count: int) -> None:
        """Reduce the capacity by this many machines that were removed one by one, as recorded."""
        if "capacity" in self.sku:
            self.sku = self.sku | {"capacity": max(self.sku["capacity"] - count, 0)}

    def body(self) -> dict[str, Any]:
        """The scale set as served."""
        return {
            "name": self.name,
            "id": self.id,
            "type": SCALE_SET_TYPE,
            "location": self.location,
            **changes.stated(self.tags),
            **({"sku": dict(self.sku)} if self.sku else {}),
            "properties": {
                **self.properties,
                "provisioningState": self.provisioning,
                "uniqueId": self.guid,
                # Recorded: a flexible scale set without a profile has no time.
                **({"timeCreated": stamp(self.created)} if self.profile or not self.flexible else {}),
            },
        }

    def instance_view(self) -> dict[str, Any]:
        """How many machines are in which provisioning state, and the state of the scale set itself."""
        states = Counter(f"ProvisioningState/{each.vm.provisioning.lower()}" for each in self.instances.values())
        status = {
            "code": f"ProvisioningState/{self.provisioning.lower()}",
            "level": "Info",
            "displayStatus": f"Provisioning {self.provisioning.lower()}"
            if self.provisioning == "Succeeded"
            else self.provisioning,
            "time": stamp(self.changed),
        }
        summary = [{"code": code, "count": count} for code, count in states.items()]
        return {"virtualMachine": {"statusesSummary": summary}, "statuses": [status]}


def policies(stated: dict[str, Any]) -> dict[str, Any]:
    """The policies that a write replaces as a whole, with Azure's additions.

    As recorded: test_vmss_scale_in_policy.yaml, call 19, and
    test_vmss_update_automatic_repairs_with_health_extension.yaml, call 22. That repairs are replaced is inferred.
    """
    found = {name: stated[name] for name in ("scaleInPolicy", "automaticRepairsPolicy") if stated.get(name)}
    if "automaticRepairsPolicy" in found:
        found["automaticRepairsPolicy"] = {**found["automaticRepairsPolicy"]}
        found["automaticRepairsPolicy"].setdefault("repairAction", "Replace")
    return found


def with_nic_defaults(properties: dict[str, Any]) -> dict[str, Any]:
    """A client's properties of a scale set with Azure's additions to its NICs (recorded for all since 2022-03-01)."""
    profile = properties.get("virtualMachineProfile", {})
    network = profile.get("networkProfile", {})
    if not network.get("networkInterfaceConfigurations"):
        return properties
    nics = [
        {**nic, "properties": _with_addresses({**_NIC_DEFAULTS, **nic["properties"]})}
        for nic in network["networkInterfaceConfigurations"]
    ]
    network = {**network, "networkInterfaceConfigurations": nics}
    return {**properties, "virtualMachineProfile": {**profile, "networkProfile": network}}


_NIC_DEFAULTS = {"disableTcpStateTracking": False, "dnsSettings": {"dnsServers": []}, "enableIPForwarding": False}


def _with_addresses(nic: dict[str, Any]) -> dict[str, Any]:
    addresses = [
        {**ip, "properties": {"privateIPAddressVersion": "IPv4", **ip["properties"]}}
        for ip in nic.get("ipConfigurations", [])
    ]
    return {**nic, "ipConfigurations": addresses}


INSTANCE_SETTINGS = ("storageProfile", "protectionPolicy")
"""What a PUT of an instance changes."""
_FROM_PROFILE = ("diagnosticsProfile", "licenseType", "securityProfile")
_FROM_SET = ("additionalCapabilities",)


def instance_body(scale_set: ScaleSet, instance: Instance, *, expand: bool = False) -> dict[str, Any]:
    """An instance as served; its instance view (power state, health) only on request."""
    vm, profile = instance.vm, scale_set.profile
    storage = profile.get("storageProfile", {}) | vm.settings.get("storageProfile", {})
    system = profile.get("osProfile", {})
    # The extension is part of the model: a machine without it is older.
    is_latest = vm.health is not None or not scale_set.reports_health
    properties: dict[str, Any] = {
        "latestModelApplied": is_latest,
        "modelDefinitionApplied": "VirtualMachineScaleSet",
        "networkProfileConfiguration": {"networkInterfaceConfigurations": scale_set.nic_configurations},
        "vmId": vm.guid,
        "hardwareProfile": {"vmSize": scale_set.sku.get("name", "")},
        **({"storageProfile": {"dataDisks": [], **storage}} if storage else {}),
        **({"osProfile": _system(system, instance)} if system else {}),
        "networkProfile": {"networkInterfaces": [{"id": nic.id} for nic in instance.nics]},
        **{key: profile[key] for key in _FROM_PROFILE if key in profile},
        **{key: scale_set.properties[key] for key in _FROM_SET if key in scale_set.properties},
        **{key: vm.settings[key] for key in ("protectionPolicy",) if key in vm.settings},
        "provisioningState": vm.provisioning,
        "timeCreated": stamp(vm.created),
    }
    if expand:
        properties["instanceView"] = vm.instance_view()
    return {
        "name": f"{scale_set.name}_{instance.number}",
        "id": vm.id,
        "type": INSTANCE_TYPE,
        "location": scale_set.location,
        **changes.stated(scale_set.tags),
        "instanceId": str(instance.number),
        "sku": {key: value for key, value in scale_set.sku.items() if key != "capacity"},
        "properties": properties,
    } | (_resources(scale_set, vm) if is_latest else {})


def _resources(scale_set: ScaleSet, vm: Vm) -> dict[str, Any]:
    """The extensions of an instance; OpenAPI 2024-03-01, example VirtualMachineScaleSetVM_Get_WithUserData."""
    found = [
        {
            "name": each["name"],
            "id": f"{vm.id}/extensions/{each['name']}",
            "type": "Microsoft.Compute/virtualMachines/extensions",
            "location": scale_set.location,
            "properties": {**each["properties"], "provisioningState": "Succeeded"},
        }
        for each in scale_set.model_extensions
    ]
    return {"resources": found} if found else {}


def _system(system: dict[str, Any], instance: Instance) -> dict[str, Any]:
    kept = {key: value for key, value in system.items() if key != "computerNamePrefix"}
    return {"computerName": f"{system.get('computerNamePrefix', '')}{_base36(instance.number):0>6}", **kept}


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return digits[number] if number < 36 else _base36(number // 36) + digits[number % 36]


def nic_body(scale_set: ScaleSet, instance: Instance, nic: Nic) -> dict[str, Any]:
    """An instance's NIC as served below its scale set; recorded with api-version 2016-03-30, used for any version."""
    stated = {
        each["name"].lower(): {ip["name"].lower(): ip["properties"] for ip in each["properties"]["ipConfigurations"]}
        for each in scale_set.nic_configurations
    }.get(nic.id.rsplit("/", 1)[1].lower(), {})
    return {
        "name": nic.id.rsplit("/", 1)[1],
        "id": nic.id,
        "etag": nic.etag,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": nic.guid,
            "ipConfigurations": [
                _ip_body(nic, each, stated.get(each.name.lower(), {}), instance.number) for each in nic.configurations
            ],
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": f"{scale_set.guid.replace('-', '')[:26]}.dx.internal.cloudapp.net",
            },
            "macAddress": nic.mac,
            "enableIPForwarding": False,
            "primary": nic.primary,
            "virtualMachine": {"id": instance.vm.id},
        },
        "location": scale_set.location,
    }


def balance(scale_set: ScaleSet, nic: Nic) -> None:
    """Put an instance's NIC into the pools of load balancers and gateways that the set's model names."""
    for model in scale_set.nic_configurations:
        for stated in model["properties"]["ipConfigurations"]:
            for each in nic.configurations:
                if each.name.lower() == stated["name"].lower():
                    named = {field: stated["properties"].get(field) for field in POOL_FIELDS}
                    each.settings = {**each.settings, **{field: pools for field, pools in named.items() if pools}}


def _ip_body(nic: Nic, each: IpConfiguration, stated: dict[str, Any], number: int) -> dict[str, Any]:
    balanced = {key: value for key, value in stated.items() if key in POOL_FIELDS and value}
    rules = [
        {"id": f"{pool['id'].replace('/inboundNatPools/', '/inboundNatRules/')}.{number}"}
        for pool in stated.get("loadBalancerInboundNatPools", [])
    ]
    return {
        "name": each.name,
        "id": f"{nic.id}/ipConfigurations/{each.name}",
        "etag": nic.etag,
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": each.address,
            "privateIPAllocationMethod": each.allocation,
            "subnet": {"id": f"{each.vnet}/subnets/{each.subnet}"},
            "primary": each.primary,
            "privateIPAddressVersion": each.version,
            **balanced,
            **({"loadBalancerInboundNatRules": rules} if rules else {}),
        },
    }
