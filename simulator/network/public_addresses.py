"""Public IP addresses: what `az network public-ip` needs, and that a reference to a missing one is refused.

Shapes as recorded by azure-cli (test_network_lb.yaml, test_network_lb_zone.yaml, 2023) and Azure Service Operator
(Test_Networking_LoadBalancer_20240301_CRUD.yaml, 2024). No traffic reaches such an address. Deletions are in no
recording: they follow those of the provider's other types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.operations import Operations, Work
from simulator.network.addresses import dangling
from simulator.network.limits import NetworkLimits
from simulator.timing.latency import Spread

PUBLIC_TYPE = "Microsoft.Network/publicIPAddresses"
PAGE_SIZE = 250
WRITE_SECONDS = Spread(0.3, 1.0, 3.0)
"""Duration of writes and deletions in seconds: those of NICs are assumed."""
RETRY_AFTER = 1
"""Seconds between polls of a write: Test_Compute_VMSS_20220301_CRUD, 3."""
DDOS_FIELD_SINCE = "2022-05-01"
"""The earliest recorded api-version whose creations, and not those of 2022-01-01, give an address `ddosSettings`."""
_SETTINGS = (
    "ddosSettings",
    "dnsSettings",
    "idleTimeoutInMinutes",
    "ipTags",
    "publicIPAddressVersion",
    "publicIPPrefix",
)


class _Properties(msgspec.Struct, rename="camel"):
    method: str = msgspec.field(default="Dynamic", name="publicIPAllocationMethod")


class _Body(msgspec.Struct):
    location: str
    properties: _Properties = msgspec.field(default_factory=_Properties)
    sku: dict[str, str] = {}
    zones: list[str] | None = None
    tags: dict[str, str] | None = None


@dataclass(slots=True)
class PublicAddress:
    """A public IP address. `user`: the id of the configuration that has it; `settings`: as written."""

    id: str
    location: str
    tags: dict[str, str] | None
    etag: str
    guid: str
    address: str
    method: str = "Static"
    sku: dict[str, str] = field(default_factory=dict)
    zones: list[str] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    user: str | None = None
    provisioning: str = "Succeeded"

    def body(self) -> dict[str, Any]:
        """The public address as served."""
        # Recorded: a dynamic address exists while a NIC has it (test_vm_create_existing_nic, 34), a static one from the
        # end of its creation on.
        used = self.user is not None and "/networkinterfaces/" in self.user.lower()
        given = self.provisioning == "Succeeded" and (used or self.method == "Static")
        return {
            "name": self.id.rsplit("/", 1)[1],
            "id": self.id,
            "etag": self.etag,
            "location": self.location,
            **({} if self.tags is None else {"tags": dict(self.tags)}),
            **({"zones": list(self.zones)} if self.zones else {}),
            "properties": {
                "provisioningState": self.provisioning,
                "resourceGuid": self.guid,
                **({"ipAddress": self.address} if given else {}),
                "publicIPAddressVersion": "IPv4",
                "publicIPAllocationMethod": self.method,
                "idleTimeoutInMinutes": 4,
                "ipTags": [],
                **self.settings,
                **({"ipConfiguration": {"id": self.user}} if self.user else {}),
            },
            "type": PUBLIC_TYPE,
            "sku": {"name": "Basic", "tier": "Regional", **self.sku},
        }


class PublicAddresses:
    """Answers for `Microsoft.Network/publicIPAddresses`, and records which configuration has which address."""

    def __init__(self, azure: ArmFrontDoor, operations: Operations, limits: NetworkLimits) -> None:
        self._azure = azure
        self._operations = operations
        self._limits = limits
        self.all: Collection[PublicAddress] = Collection(PUBLIC_TYPE)
        self._given = 0

    def handle(self, call: Call) -> Response:
        """Answer a call on public addresses."""
        self._limits.charge(call)
        if len(call.types) == 1 and call.method == "GET" and not call.names:
            return self.all.page(call, PAGE_SIZE, PublicAddress.body)
        if len(call.types) == 1 and call.method == "GET":
            found = self.all.get_or_404(call)
            return Response(200, found.body(), {"etag": found.etag})
        if len(call.types) == 1 and call.method == "PUT":
            return self._put(call)
        if len(call.types) == 1 and call.method == "DELETE":
            return self._delete(call)
        raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")

    def check(self, wanted: Mapping[str, str]) -> None:
        """Raise ArmError 400 for a missing public address. `wanted`: ids of public addresses by configuration."""
        for user, target in wanted.items():
            if self.all.find(target) is None:
                raise dangling(target, user)

    def hold(self, owner: str, wanted: Mapping[str, str]) -> None:
        """Give the configurations of a resource exactly these public addresses."""
        chosen = {target.lower(): user for user, target in wanted.items()}
        for each in self.all:
            own = (each.user or "").lower().startswith(f"{owner}/".lower())
            user = chosen.get(each.id.lower(), None if own else each.user)
            if user != each.user:
                each.user, each.etag = user, self._new_etag()

    def load(self, location: str, wanted: Mapping[str, str]) -> None:
        """Create the public addresses that a world names, without an event; `wanted` as above."""
        for user, target in wanted.items():
            if f"/{PUBLIC_TYPE}/".lower() not in target.lower() or self.all.find(target) is not None:
                continue
            parts = target.split("/")
            self._azure.ensure_group(parts[2], parts[4])
            etag, guid, address = self._new_etag(), self._azure.new_guid(), self._next_address()
            made = PublicAddress(target, location, {}, etag, guid, address, sku={"name": "Standard"}, user=user)
            self.all.add(made)

    def _put(self, call: Call) -> Response:
        body = decode(call, _Body)
        own = self.all.id_of(call)
        old = self.all.find(own)
        settings = _settings(call, body.sku)
        six = settings.get("publicIPAddressVersion") == "IPv6"
        made = PublicAddress(
            id=own,
            location=body.location.lower().replace(" ", ""),
            tags=body.tags,
            etag=self._new_etag(),
            guid=old.guid if old else self._azure.new_guid(),
            address=old.address if old else self._next_address(six=six),
            method=body.properties.method,
            sku=body.sku,
            zones=body.zones,
            settings=settings,
            user=old.user if old else None,
            provisioning="Updating",
        )
        self.all.add(made)

        def end() -> None:
            made.provisioning, made.etag = "Succeeded", self._new_etag()

        headers = self._begin(call, made, Work(made, f"{PUBLIC_TYPE}/write", "Write", end, end))
        headers.pop("location", None)
        headers["retry-after"] = str(math.ceil(RETRY_AFTER * self._azure.operation_scale))
        return Response(200 if old else 201, made.body(), headers)

    def _delete(self, call: Call) -> Response:
        found = self.all.find(self.all.id_of(call))
        if found is None:
            return Response(204)
        if found.user is not None:  # Azure's public wording; no recording
            raise rejected(
                400,
                "PublicIPAddressCannotBeDeleted",
                f"Public IP address {found.id} can not be deleted since it is still allocated to resource "
                f"{found.user}.",
            )
        self.all.remove(found)
        work = Work(found, f"{PUBLIC_TYPE}/delete", "Delete", _nothing, _nothing, 204)
        return Response(202, None, self._begin(call, found, work))

    def _begin(self, call: Call, address: PublicAddress, work: Work) -> dict[str, str]:
        seconds = WRITE_SECONDS.draw(self._azure.rng)
        return self._operations.run(call, address.location, seconds, work)

    def _new_etag(self) -> str:
        return f'W/"{self._azure.new_guid()}"'

    def _next_address(self, *, six: bool = False) -> str:
        """Invented addresses, one after the other."""
        self._given += 1
        return f"2603:1030::{self._given:x}" if six else f"203.1.{self._given >> 8}.{self._given & 255}"


def _settings(call: Call, sku: Mapping[str, str]) -> dict[str, Any]:
    """What a client wrote, and what Azure adds to a new Standard address."""
    stated = call.json().get("properties", {})
    late = call.request.query["api-version"] >= DDOS_FIELD_SINCE and sku.get("name") == "Standard"
    added = {"ddosSettings": {"protectionMode": "VirtualNetworkInherited"}} if late else {}
    return added | {name: stated[name] for name in _SETTINGS if name in stated}


def _nothing() -> None:
    pass
