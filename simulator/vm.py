"""A virtual machine as data, and its bodies as the compute provider writes them.

No requests in here: `compute.py` decides what happens to a VM. Shapes as recorded by azure-cli,
test_vm_create_state_modifications.yaml (2023); `vmHealth` as in the OpenAPI document 2024-03-01. Size and operating
system are filler: nothing reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.operations import stamp

VM_TYPE = "Microsoft.Compute/virtualMachines"

Power = Literal["starting", "running", "stopping", "stopped", "deallocating", "deallocated"]
Health = Literal["healthy", "unhealthy"]


@dataclass(frozen=True, slots=True)
class NicLink:
    """A VM's link to a NIC. `properties` as the client wrote them (`primary`, `deleteOption`), or None."""

    id: str
    properties: dict[str, Any] | None = None

    @property
    def primary(self) -> bool:
        """Whether this is the VM's primary NIC; one that does not say so is. A VM with several was not recorded."""
        return bool((self.properties or {}).get("primary", True))

    @property
    def goes_with_vm(self) -> bool:
        """Whether the NIC is deleted together with the VM; it stays unless this is asked for (inferred)."""
        return (self.properties or {}).get("deleteOption") == "Delete"

    def body(self) -> dict[str, Any]:
        """The link as served."""
        return {"id": self.id} | ({"properties": dict(self.properties)} if self.properties else {})


@dataclass(slots=True)
class Vm:
    """A virtual machine. `health`: what its Application Health extension last said; None without the extension."""

    id: str
    location: str
    tags: dict[str, str]
    power: Power
    health: Health | None
    nics: list[NicLink]
    guid: str
    created: float
    changed: float
    """When the provisioning state last changed, seconds since the epoch."""
    health_since: float = 0.0
    provisioning: str = "Succeeded"
    settings: dict[str, Any] = field(default_factory=dict)
    """Top-level properties that a client wrote and nothing here looks at (hardwareProfile, ...)."""
    operation: int = 0
    """Counts the operations: only the latest one decides the power state."""

    @property
    def name(self) -> str:
        """The resource name."""
        return self.id.rsplit("/", 1)[1]

    def body(self, *, expand: bool = False) -> dict[str, Any]:
        """The VM as served; the instance view (power state, health) only when asked for, as recorded."""
        properties: dict[str, Any] = {
            "vmId": self.guid,
            "hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"},
            **self.settings,
            "networkProfile": {"networkInterfaces": [nic.body() for nic in self.nics]},
            "provisioningState": self.provisioning,
            "timeCreated": stamp(self.created),
        }
        if expand:
            properties["instanceView"] = self.instance_view()
        body = {
            "name": self.name,
            "id": self.id,
            "type": VM_TYPE,
            "location": self.location,
            "tags": dict(self.tags),
            "properties": properties,
        }
        # As recorded, a GET holds the VM's extensions, whatever its power state; no list of VMs that have some is.
        return body | {"resources": [self._health_extension()]} if expand and self.health else body

    def _health_extension(self) -> dict[str, Any]:
        kind = "ApplicationHealthLinux"
        return {
            "name": kind,
            "id": f"{self.id}/extensions/{kind}",
            "type": f"{VM_TYPE}/extensions",
            "location": self.location,
            "properties": {"provisioningState": "Succeeded", "publisher": "Microsoft.ManagedServices", "type": kind},
        }

    def instance_view(self) -> dict[str, Any]:
        """What the VM is doing right now."""
        view: dict[str, Any] = {}
        if self.power == "running":
            view = {"computerName": self.name, "osName": "ubuntu", "osVersion": "24.04", "vmAgent": self._agent()}
        view |= {"disks": [], "hyperVGeneration": "V2"}
        return view | self._health() | {"statuses": self._statuses()}

    def status_only(self, *, with_health: bool) -> dict[str, Any]:
        """The VM in a listing with `statusOnly=true`. What that leaves out is not known: a careful guess."""
        view = (self._health() if with_health else {}) | {"statuses": self._statuses()}
        return {
            "name": self.name,
            "id": self.id,
            "type": VM_TYPE,
            "location": self.location,
            "properties": {"provisioningState": self.provisioning, "instanceView": view},
        }

    def _statuses(self) -> list[dict[str, Any]]:
        provisioning = {
            "code": f"ProvisioningState/{self.provisioning.lower()}",
            "level": "Info",
            "displayStatus": f"Provisioning {self.provisioning.lower()}"
            if self.provisioning == "Succeeded"
            else self.provisioning,
            "time": stamp(self.changed),
        }
        return [
            provisioning,
            {"code": f"PowerState/{self.power}", "level": "Info", "displayStatus": f"VM {self.power}"},
        ]

    def _health(self) -> dict[str, Any]:
        # Inferred: an extension in a VM that does not run says nothing. Level and display text are ours.
        if self.health is None or self.power != "running":
            return {}
        status = {
            "code": f"HealthState/{self.health}",
            "level": "Info" if self.health == "healthy" else "Error",
            "displayStatus": f"The VM is reporting itself as {self.health}",
            "time": stamp(self.health_since),
        }
        return {"vmHealth": {"status": status}}

    def _agent(self) -> dict[str, Any]:
        ready = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Ready",
            "message": "Guest Agent is running",
            "time": stamp(self.changed),
        }
        return {"vmAgentVersion": "2.9.0.4", "statuses": [ready], "extensionHandlers": []}
