"""A container group as data, and its body as the container instance provider writes it. Calls: `provider.py`.

Shapes as recorded by azure-cli (test_container_create.yaml, test_container_create_with_vnet.yaml, 2023, api-version
2023-05-01; a container that crashes: test_container_create_msi.yaml, 2018). Left out: events of image pulls, which only
some recordings have, and the fields `isCreatedFromStandbyPool` and `configMap` of a recording of 2026 under an older
api-version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from simulator.network.changes import name_of, stated
from simulator.network.nic import IpConfiguration

CG_TYPE = "Microsoft.ContainerInstance/containerGroups"

State = Literal["Running", "Pending", "Stopped", "Succeeded", "Failed", "Repairing", "Unknown"]
"""`Repairing` and `Unknown` are assumed; a group in one of these states shows no address."""
ContainerState = Literal["Running", "Waiting", "Terminated"]
_CONTAINER_STATES: Mapping[State, ContainerState] = {"Running": "Running", "Pending": "Waiting"}


@dataclass(frozen=True, slots=True)
class Current:
    """State of one container while its group runs. `detail`: e.g. `CrashLoopBackOff: Back-off restarting failed`."""

    state: ContainerState
    detail: str = ""


@dataclass(slots=True)
class ContainerGroup:
    """A container group. `written`: its properties as written. `since`: when its state began, in epoch seconds.

    It has an address in a VNet (`address`), a public one (`public_ip`), or none. `others`: the containers, by name,
    whose state differs from that of their running group.
    """

    id: str
    location: str
    tags: dict[str, str] | None
    written: dict[str, Any]
    state: State
    since: float
    address: IpConfiguration | None = None
    public_ip: str | None = None
    provisioning: str = "Succeeded"
    others: dict[str, Current] = field(default_factory=dict)

    @property
    def containers(self) -> dict[str, Current]:
        """The state of each container."""
        general = Current(_CONTAINER_STATES.get(self.state, "Terminated"))
        found = {str(each["name"]): general for each in self.written.get("containers", [])}
        return found | {name: each for name, each in self.others.items() if self.state == "Running" and name in found}

    def body(self, *, listed: bool = False) -> dict[str, Any]:
        """The group as served. `listed`: without any instance view, as recorded for lists."""
        view: dict[str, Any] = {} if listed else {"instanceView": {"events": [], "state": self.state}}
        written = self.written
        properties = {
            "sku": "Standard",
            "provisioningState": self.provisioning,
            "provisioningTimeoutInSeconds": 1800,
            "isCustomProvisioningTimeout": False,
            "initContainers": [],
            "restartPolicy": "Always",
            **{name: value for name, value in written.items() if name not in {"ipAddress", "imageRegistryCredentials"}},
            "containers": [self._container(each, listed=listed) for each in written.get("containers", [])],
            **self._ip_address(),
            **view,
        }
        if "volumes" in written:
            properties["volumes"] = [_without_secret(each) for each in written["volumes"]]
        identity = {"id": self.id, "name": name_of(self), "type": CG_TYPE, "location": self.location}
        return {"properties": properties, **identity, **stated(self.tags)}

    def _ip_address(self) -> dict[str, Any]:
        wanted = self.written.get("ipAddress")
        ready = self.provisioning == "Succeeded" and self.state not in {"Repairing", "Unknown"}
        # A private group has no address until it is ready; a public one lacks only its IP.
        if wanted is None or (self.address is not None and not ready):
            return {}
        if self.address is not None:
            return {"ipAddress": {"ports": wanted.get("ports", []), "ip": self.address.address, "type": "Private"}}
        label = wanted.get("dnsNameLabel")
        name = {"fqdn": f"{label}.{self.location}.azurecontainer.io"} if label else {}
        return {"ipAddress": {**wanted, **name, **({"ip": self.public_ip} if ready else {})}}

    def _container(self, container: Mapping[str, Any], *, listed: bool) -> dict[str, Any]:
        properties = {"ports": [], **container["properties"]}
        variables = properties.get("environmentVariables", [])
        properties["environmentVariables"] = [
            {name: value for name, value in each.items() if name != "secureValue"} for each in variables
        ]
        if not listed and self.provisioning == "Succeeded":
            now = self.containers[container["name"]]
            started = {} if now.state == "Waiting" and now.detail else {"startTime": _milliseconds(self.since)}
            current = {"state": now.state, **started, "detailStatus": now.detail}
            properties["instanceView"] = {"restartCount": int("startTime" not in current), "currentState": current}
        return {"name": container["name"], "properties": properties}


def _without_secret(volume: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {} if name == "secret" else value for name, value in volume.items()}


def _milliseconds(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
