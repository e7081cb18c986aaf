"""A virtual machine as data, and its bodies as the compute provider writes them.

No requests here: `provider.py` decides what happens to a VM. Shapes as recorded by azure-cli,
test_vm_create_state_modifications.yaml (2023); `vmHealth` as in the OpenAPI document 2024-03-01. Size, operating system
and agent versions are placeholders unless a client set them: nothing reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.arm.operations import stamp
from simulator.network import changes

VM_TYPE = "Microsoft.Compute/virtualMachines"
INSTANCE_TYPE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"

Power = Literal["starting", "running", "stopping", "stopped", "deallocating", "deallocated"]
Health = Literal["healthy", "unhealthy", "silent"]
"""`silent`: the Application Health extension is installed and never reports anything."""
SETTLED: Mapping[Power, Power] = {"starting": "running", "stopping": "stopped", "deallocating": "deallocated"}
"""The power state to which a transition leads."""


@dataclass(frozen=True, slots=True)
class NicLink:
    """A VM's link to a NIC. `properties` as the client wrote them (`primary`, `deleteOption`), or None."""

    id: str
    properties: dict[str, Any] | None = None

    @property
    def primary(self) -> bool:
        """Whether this is the VM's primary NIC (default: yes). A VM with several was not recorded."""
        return bool((self.properties or {}).get("primary", True))

    @property
    def goes_with_vm(self) -> bool:
        """Whether the NIC is deleted together with the VM; it stays unless requested (inferred)."""
        return (self.properties or {}).get("deleteOption") == "Delete"

    def body(self) -> dict[str, Any]:
        """The link as served."""
        return {"id": self.id} | ({"properties": dict(self.properties)} if self.properties else {})


@dataclass(slots=True)
class Vm:
    """A virtual machine or an instance of a scale set; the id says which.

    `health`: the last report of its Application Health extension; None without the extension.
    """

    id: str
    location: str
    tags: dict[str, str] | None
    """None: never written. An instance of a scale set has those of its set."""
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
    """Top-level properties that a client wrote (hardwareProfile, ...); only those of Spot VMs are read."""
    identity: dict[str, Any] | None = None
    """The managed identity as served."""
    operation: int = 0
    """Counts the operations: only the latest one sets the power state."""
    extensions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name in lower case -> the extension as served."""
    deleted_extensions: set[str] = field(default_factory=set)
    """Names in lower case of the extensions that were deleted through ARM."""
    gone: bool = False
    """Whether it has been deleted while operations on it continue."""
    waits: bool = False
    """Whether it has just booted and its Application Health extension has not reported yet."""
    boots: int = 0
    """Counts the boots: only a report after the latest one is awaited."""
    running_since: float = 0.0
    """When it last began to run, seconds since the epoch; 0: it has run since before the world was loaded."""

    @property
    def name(self) -> str:
        """The resource name."""
        return self.id.rsplit("/", 1)[1]

    @property
    def type(self) -> str:
        """The resource type."""
        return INSTANCE_TYPE if "/virtualmachinescalesets/" in self.id.lower() else VM_TYPE

    @property
    def spot(self) -> str | None:
        """The eviction policy of a Spot VM: `Deallocate` or `Delete`; None: not a Spot VM."""
        is_spot = self.settings.get("priority") in {"Spot", "Low"}
        return str(self.settings.get("evictionPolicy", "Deallocate")) if is_spot else None

    @property
    def scale_set(self) -> str | None:
        """The id of the flexible scale set that the VM belongs to."""
        link = self.settings.get("virtualMachineScaleSet")
        return str(link["id"]) if link else None

    def body(self, *, expand: bool = False, listed: bool = False) -> dict[str, Any]:
        """The VM as served; the instance view (power state, health) only on request, as recorded.

        A GET contains the VM's extensions, whatever its power state (recorded). No list of VMs with extensions is
        recorded; lists are assumed to leave them out.
        """
        properties: dict[str, Any] = {
            "vmId": self.guid,
            "hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"},
            **self.written(),
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
            **changes.stated(self.tags),
            **({"identity": self.identity} if self.identity else {}),
            "properties": properties,
        }
        resources = [] if listed else self._resources()
        return body | {"resources": resources} if resources else body

    def written(self) -> dict[str, Any]:
        """The properties that clients wrote; as recorded, a managed disk of a deallocated VM has no size or kind."""
        storage = self.settings.get("storageProfile", {})
        disk = storage.get("osDisk", {})
        if self.power != "deallocated" or "managedDisk" not in disk:
            return self.settings
        rest = {key: value for key, value in disk.items() if key != "diskSizeGB"}
        bare = {key: value for key, value in disk["managedDisk"].items() if key == "id"}
        return self.settings | {"storageProfile": storage | {"osDisk": rest | {"managedDisk": bare}}}

    def _resources(self) -> list[dict[str, Any]]:
        """The extensions, including the one that only the world's health implies and no client wrote through ARM."""
        found = list(self.extensions.values())
        written = any(is_health(each["properties"]) for each in found)
        return found if self.health is None or written else [*found, self._health_extension()]

    def _health_extension(self) -> dict[str, Any]:
        found = health_extension()
        return {
            "name": found["name"],
            "id": f"{self.id}/extensions/{found['name']}",
            "type": f"{VM_TYPE}/extensions",
            "location": self.location,
            "properties": {"provisioningState": "Succeeded", **found["properties"]},
        }

    def instance_view(self) -> dict[str, Any]:
        """The current state of the VM."""
        view: dict[str, Any] = {}
        if self.power in {"running", "stopped"}:  # as recorded: a stopped VM still shows its agent's last report
            computer = self.settings.get("osProfile", {}).get("computerName", self.name)
            view = {"computerName": computer, "osName": "ubuntu", "osVersion": "24.04", "vmAgent": self._agent()}
            view |= self._extension_views()
        view |= {"disks": self._disks(), "hyperVGeneration": "V2"}
        return view | self._health() | {"statuses": self._statuses()}

    def status_only(self, *, with_health: bool) -> dict[str, Any]:
        """The VM in a listing with `statusOnly=true`. What such a listing leaves out is unknown: a careful guess."""
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
        # Inferred: an extension in a VM that does not run reports nothing. Level and display text are the simulator's.
        if self.health in {None, "silent"} or self.waits or self.power != "running":
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
        handlers = [
            {"type": kind, "typeHandlerVersion": version, "status": _ready("Ready", "Plugin enabled")}
            for _, kind, version in self._handlers()
        ]
        return {"vmAgentVersion": "2.9.0.4", "statuses": [ready], "extensionHandlers": handlers}

    def _handlers(self) -> list[tuple[str, str, str]]:
        """Name, type and version of each extension that was written through ARM."""
        found = []
        for each in self.extensions.values():
            stated = each["properties"]
            kind = f"{stated.get('publisher')}.{stated.get('type')}"
            found.append((each["name"], kind, f"{stated.get('typeHandlerVersion')}.0"))
        return found

    def _extension_views(self) -> dict[str, Any]:
        views = [
            {
                "name": name,
                "type": kind,
                "typeHandlerVersion": version,
                "statuses": [_ready("Provisioning succeeded", "Enable succeeded.")],
            }
            for name, kind, version in self._handlers()
        ]
        return {"extensions": views} if views else {}

    def _disks(self) -> list[dict[str, Any]]:
        storage = self.settings.get("storageProfile", {})
        disks = [storage.get("osDisk", {}), *storage.get("dataDisks", [])]
        done = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
            "time": stamp(self.changed),
        }
        return [{"name": disk["name"], "statuses": [done]} for disk in disks if "name" in disk]


def _ready(display: str, message: str) -> dict[str, str]:
    return {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": display, "message": message}


def is_health(properties: Mapping[str, Any]) -> bool:
    """Whether an extension with these properties is the Application Health extension."""
    return properties.get("type") in {"ApplicationHealthLinux", "ApplicationHealthWindows"}


def health_extension() -> dict[str, Any]:
    """The Application Health extension as in the model of a scale set."""
    kind = "ApplicationHealthLinux"
    return {"name": kind, "properties": {"publisher": "Microsoft.ManagedServices", "type": kind}}
