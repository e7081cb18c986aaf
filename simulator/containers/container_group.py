"""A container group as data, and its body as the container instance provider writes it. Calls: `provider.py`.

Shapes as recorded by azure-cli (test_container_create.yaml, test_container_create_with_vnet.yaml, 2023, api-version
2023-05-01; containers that end: test_container_exec.yaml, 2023, and test_container_create_msi.yaml, 2018; registry
credentials: test_container_create_with_acr.yaml, 2023). Left out: events of image pulls, which only
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


ENDED: frozenset[State] = frozenset({"Stopped", "Succeeded", "Failed"})
"""The states of a group whose containers do not run and are not restarted."""


@dataclass(frozen=True, slots=True)
class Current:
    """State of one container. `detail`: e.g. `CrashLoopBackOff: Back-off 10s restarting failed`.

    `exit_code`, `at`: of a container that has ended, and when it ended, in epoch seconds. `previous`: how it ended
    before it was restarted; `restarts` counts how often.
    """

    state: ContainerState
    detail: str = ""
    exit_code: int | None = None
    at: float | None = None
    previous: Current | None = None
    restarts: int = 0

    def body(self, started: float) -> dict[str, Any]:
        """The state as served; `started`: when the container last began to run, in epoch seconds."""
        if self.state == "Waiting" and self.detail:
            return {"state": self.state, "detailStatus": self.detail}
        found: dict[str, Any] = {"state": self.state, "startTime": _milliseconds(started)}
        if self.exit_code is not None and self.at is not None:
            found |= {"exitCode": self.exit_code, "finishTime": _milliseconds(self.at)}
        return found | {"detailStatus": self.detail}


def ended(exit_code: int, at: float) -> Current:
    """The state of a container that has ended, in the recorded words."""
    return Current("Terminated", "Error" if exit_code else "Completed", exit_code, at)


@dataclass(slots=True)
class ContainerGroup:
    """A container group. `written`: its properties as written. `since`: when its state began, in epoch seconds.

    `started`: when its containers last began to run. It has an address in a VNet (`address`), a public one
    (`public_ip`), or none; `released`: it has ended and shows it no more. `others`: the containers, by name, whose
    state differs from that of their group.
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
    started: float = 0.0
    released: bool = False
    identity: dict[str, Any] | None = None

    @property
    def containers(self) -> dict[str, Current]:
        """The state of each container."""
        general = Current(_CONTAINER_STATES.get(self.state, "Terminated"))
        if self.state in {"Succeeded", "Failed"}:
            general = ended(int(self.state == "Failed"), self.since)
        found = {str(each["name"]): general for each in self.written.get("containers", [])}
        return found | {name: each for name, each in self.others.items() if name in found and self._shows(each)}

    def _shows(self, other: Current) -> bool:
        """Whether a container's own state is shown in the present state of the group."""
        if self.state in ENDED:
            return self.state != "Stopped" and other.state == "Terminated"
        return self.state != "Pending"

    @property
    def restarts(self) -> str:
        """Its restart policy."""
        return str(self.written.get("restartPolicy", "Always"))

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
            **{name: value for name, value in written.items() if name != "ipAddress"},
            "containers": [self._container(each, listed=listed) for each in written.get("containers", [])],
            **self._ip_address(),
            **view,
        }
        if "volumes" in written:
            properties["volumes"] = [_without_secret(each) for each in written["volumes"]]
        if "imageRegistryCredentials" in written:
            properties["imageRegistryCredentials"] = [
                {name: value for name, value in each.items() if name != "password"}
                for each in written["imageRegistryCredentials"]
            ]
        own = {"id": self.id, "name": name_of(self), "type": CG_TYPE, "location": self.location}
        identity = {"identity": self.identity} if self.identity else {}
        return {"properties": properties, **identity, **own, **stated(self.tags)}

    def _ip_address(self) -> dict[str, Any]:
        wanted = self.written.get("ipAddress")
        ready = self.provisioning == "Succeeded" and self.state not in {"Repairing", "Unknown"}
        # A private group has no address until it is ready; a public one, and one that has ended, lacks only its IP.
        if wanted is None or (self.address is not None and not ready and not self.released):
            return {}
        shown = ready and not self.released
        if self.address is not None:
            ip = {"ip": self.address.address} if shown else {}
            return {"ipAddress": {"ports": wanted.get("ports", []), **ip, "type": "Private"}}
        label = wanted.get("dnsNameLabel")
        name = {"fqdn": f"{label}.{self.location}.azurecontainer.io"} if label else {}
        # Recorded: the scope of a label is served with a label only.
        kept = {key: each for key, each in wanted.items() if label or key != "autoGeneratedDomainNameLabelScope"}
        return {"ipAddress": {**kept, **name, **({"ip": self.public_ip} if shown else {})}}

    def _container(self, container: Mapping[str, Any], *, listed: bool) -> dict[str, Any]:
        properties = {"ports": [], **container["properties"]}
        variables = properties.get("environmentVariables", [])
        properties["environmentVariables"] = [
            {name: value for name, value in each.items() if name != "secureValue"} for each in variables
        ]
        if not listed and self.provisioning == "Succeeded":
            now = self.containers[container["name"]]
            restarts = now.restarts or int(now.state == "Waiting" and bool(now.detail))
            view = {"restartCount": restarts, "currentState": now.body(self.started)}
            before = {"previousState": now.previous.body(self.started)} if now.previous else {}
            properties["instanceView"] = {**view, **before}
        return {"name": container["name"], "properties": properties}


def _without_secret(volume: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {} if name == "secret" else value for name, value in volume.items()}


def _milliseconds(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
