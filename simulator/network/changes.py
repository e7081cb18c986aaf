"""Common parts of load balancers, private endpoints and container groups: addresses in a VNet, and changes.

A change of the network provider is a long-running operation with the headers as recorded: `location` with deletions
only, `retry-after` only if the answer comes before the end (Test_Networking_LoadBalancer_20240301_CRUD.yaml and
Test_Networking_PrivateEndpoint_20240301_CRUD.yaml, Azure Service Operator, 2024). Event Grid is notified at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.arm.collection import Resource, rejected
from simulator.arm.front_door import ArmError, Call, Family
from simulator.arm.operations import Work
from simulator.network.addresses import Wanted, configure
from simulator.network.nic import IpConfiguration
from simulator.network.provider import Network

RETRY_SECONDS = 10


def reserve(
    network: Network, holder: str, old: Sequence[IpConfiguration], wanted: list[Wanted]
) -> list[IpConfiguration]:
    """Assign addresses to the resource `holder` in place of its `old` ones. Raises ArmError 400 where Azure refuses."""
    chosen = configure(network.vnets, holder, old, wanted)
    kept = {(each.vnet.lower(), each.address) for each in chosen}
    release(network, holder, [each for each in old if (each.vnet.lower(), each.address) not in kept])
    assign(network, holder, chosen)
    return chosen


def assign(network: Network, holder: str, addresses: Sequence[IpConfiguration]) -> None:
    """Record the holder of these addresses."""
    for each in addresses:
        vnet = network.vnets.find(each.vnet)
        if vnet is not None and vnet.taken.get(each.address) != holder:
            vnet.taken[each.address] = holder
            vnet.touch()


def release(network: Network, holder: str, addresses: Sequence[IpConfiguration]) -> None:
    """Release those of these addresses that `holder` has."""
    for each in addresses:
        vnet = network.vnets.find(each.vnet)
        if vnet is not None and vnet.taken.get(each.address, "").lower() == holder.lower():
            del vnet.taken[each.address]
            vnet.touch()


@dataclass(frozen=True, slots=True)
class Change:
    """A write or deletion: its event, and what happens at its end.

    `undone` is called instead of `done` if the operation is forced to fail. `retry_after`: seconds between polls.
    """

    resource_id: str
    operation: str
    done: Callable[[], object]
    undone: Callable[[], object]
    retry_after: int = RETRY_SECONDS


@dataclass(slots=True)
class _Named:
    id: str


def begin(network: Network, call: Call, location: str, seconds: float, change: Change) -> dict[str, str]:
    """Start a change that takes `seconds` (0: it is complete with the answer); returns the answer's headers."""
    deletes = call.method == "DELETE"

    def done() -> None:
        change.done()

    family: Family = "Delete" if deletes else "Write"
    result = 204 if deletes else 200
    work = Work(_Named(change.resource_id), change.operation, family, done, change.undone, result)
    headers = dict(network.operations.run(call, location, seconds, work, patient=True))
    if not deletes:
        headers.pop("location", None)
    headers.pop("retry-after", None)
    wait = {"retry-after": str(math.ceil(change.retry_after * network.azure.operation_scale))} if seconds else {}
    return {**headers, **wait}


def not_found(call: Call) -> ArmError:
    """A 404 for a part of an existing resource; inferred, the network provider's public wording."""
    return rejected(404, "NotFound", f"Resource {call.id} not found.")


def region(location: str) -> str:
    """`East US` as `eastus`: recorded for a private endpoint."""
    return location.lower().replace(" ", "")


def name_of(resource: Resource) -> str:
    """The last part of a resource's id."""
    return resource.id.rsplit("/", 1)[1]


def stated(tags: dict[str, str] | None) -> dict[str, dict[str, str]]:
    """The field `tags`, which exists once it has been written, as recorded."""
    return {} if tags is None else {"tags": dict(tags)}
