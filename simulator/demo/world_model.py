"""The demo's own copy of the world: what has been done so far, and which answers follow now or after a change.

Pure. It changes together with the operations that the demo sends to ARM, and never reads the simulator.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, TypeAlias

from simulator.demo.probed import Faults, Finder
from simulator.oracle.answers import Answers, Findings, expected
from simulator.oracle.claims import claims, endpoints, permitted, serving

Vm: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[["WorldModel"], None]
"""A change of the world, applied to the demo's copy or tried out on a copy of it."""
Oracle: TypeAlias = Callable[[dict[str, Any], set[str], Answers, Callable[[Any, str], Findings]], Answers]

_TRIED = 24
"""How many candidates are tried out at most, so that a large world does not slow the demo down."""


@dataclass(frozen=True, slots=True)
class Question:
    """One query that clients of one region's network send to their resolver."""

    vnet: str
    zone: str
    region: str
    name: str

    @property
    def fqdn(self) -> str:
        """The full name."""
        return f"{self.name}.{self.zone.rsplit('/', 1)[1]}"


class WorldModel:
    """The copy. `answers`: the right answers now. `shown`: how often a name was on the screen."""

    def __init__(self, world: dict[str, Any], oracle: Oracle = expected) -> None:
        self.world = copy.deepcopy(world)
        self.drains: set[str] = set()
        self.faults = Faults()
        self.answers: Answers = {}
        self.shown: Counter[str] = Counter()
        self._oracle = oracle

    @property
    def settings(self) -> dict[str, Any]:
        """The app's settings."""
        settings: dict[str, Any] = self.world["settings"]
        return settings

    @property
    def vms(self) -> list[Vm]:
        """All VMs."""
        vms: list[Vm] = self.world["vms"]
        return vms

    @property
    def endpoints(self) -> list[Any]:
        """Everything that may claim a name."""
        return endpoints(self.world, self.settings)

    @property
    def finder(self) -> Finder:
        """What probes find now."""
        return Finder(self.world, self.faults)

    def vm(self, vm_id: str) -> Vm:
        """The VM with this id."""
        return next(vm for vm in self.vms if vm["id"] == vm_id)

    def do(self, change: Change) -> None:
        """Apply a change and compute the right answers again."""
        change(self)
        self.answers = self._oracle(self.world, self.drains, self.answers, self.finder.findings)

    def after(self, change: Change) -> Answers:
        """The right answers after a change."""
        trial = WorldModel(self.world)
        trial.drains, trial.answers, trial.faults = set(self.drains), self.answers, copy.deepcopy(self.faults)
        trial.do(change)
        return trial.answers

    def names(self, vm: Vm) -> list[str]:
        """The names that a VM claims, those by tag first."""
        claimed = claims(vm, self.settings)
        return sorted(claimed, key=lambda name: (not claimed[name], name))

    def serving(self) -> list[Vm]:
        """VMs that serve and may answer for at least one name."""
        return [vm for vm in self.vms if serving(vm, self.drains) and self._may_claim(vm)]

    def idle(self) -> list[Vm]:
        """VMs that do not run and would answer for a name if they did."""
        return [vm for vm in self.vms if vm["power"] in {"stopped", "deallocated"} and self._may_claim(vm)]

    def _may_claim(self, vm: Vm) -> bool:
        return any(permitted(vm, name, self.settings) for name in self.names(vm))

    def services(self) -> list[str]:
        """Names that an endpoint claims by tag and may claim, the most claimed first."""
        found = [
            name
            for vm in self.endpoints
            for name, by_tag in claims(vm, self.settings).items()
            if by_tag and permitted(vm, name, self.settings)
        ]
        return sorted(set(found), key=lambda name: (-found.count(name), name))

    def questions(self) -> Iterator[Question]:
        """Every question with a known answer, from each network that is linked to the zone."""
        links = {zone["id"].lower(): [link["vnet"] for link in zone["links"]] for zone in self.world["zones"]}
        regions = {zone["id"].lower(): zone["region"] for zone in self.settings["NEARZONE_ZONES"]}
        vnets = {vnet["id"].lower(): vnet["id"] for vnet in self.world["vnets"]}
        for zone, name in sorted(self.answers):
            if name not in {"@", "*"}:
                for vnet in links.get(zone, []):
                    yield Question(vnets[vnet.lower()], zone, regions[zone], name)

    def holders(self, address: str) -> str:
        """The holders of an address, as text."""
        vms = [
            vm
            for vm in self.vms
            for nic in vm["nics"]
            if address in (each["address"] for each in nic["ip_configurations"])
        ]
        found = [label(each) for each in (*vms, *(one for one in self.endpoints if address in serving(one)))]
        return " or ".join(dict.fromkeys(found)) or "no endpoint of this world"

    def free_address(self, nic: dict[str, Any]) -> str | None:
        """An IPv4 address of a NIC's subnet that is free."""
        vnet = next(each for each in self.world["vnets"] if each["id"].lower() == nic["vnet"].lower())
        declared = [each["prefix"] for each in vnet.get("subnets", []) if each["name"].lower() == nic["subnet"].lower()]
        networks = [ip_network(each) for each in declared or vnet["prefixes"]]
        taken = {each["address"] for vm in self.vms for one in vm["nics"] for each in one["ip_configurations"]}
        for network in (each for each in networks if each.version == 4):
            for offset in range(min(network.num_addresses - 2, 250), 3, -1):
                if str(network[offset]) not in taken:
                    return str(network[offset])
        return None


def label(endpoint: Any) -> str:  # noqa: ANN401 - an entry of a world file
    """The short name of an endpoint."""
    parts = endpoint["id"].split("/")
    return f"{'/'.join(parts[8::2]) if len(parts) > 8 else parts[-1]} ({endpoint['location']})"


def differing(before: Answers, after: Answers) -> set[tuple[str, str]]:
    """The (zone, name) pairs whose answers differ."""
    return {pair for pair in before.keys() | after.keys() if before.get(pair) != after.get(pair)}


def most_visible(replica: WorldModel, choices: Iterable[tuple[Any, Change]]) -> tuple[Any, Change] | None:
    """The choice whose change moves answers of services elsewhere, the least shown first; None if none does."""
    services = set(replica.services())

    def telling(choice: tuple[Any, Change]) -> tuple[bool, int, int, int]:
        after = replica.after(choice[1])
        changed = differing(replica.answers, after)
        moved = sum(after.get(pair) is not None and pair[1] in services for pair in changed)
        shown = sum(replica.shown[name] for name in affected_names(replica, after, 1))
        return moved > 0, -shown, moved, len(changed)

    ranked = [(telling(choice), -number, choice) for number, choice in enumerate(list(choices)[:_TRIED])]
    best = max((each for each in ranked if each[0][-1]), key=lambda each: each[:2], default=None)
    return best[2] if best else None


def affected_names(replica: WorldModel, after: Answers, most: int) -> list[str]:
    """The names that a change affects most: services that still have an answer first, then the largest changes."""
    services = replica.services()
    changed = differing(replica.answers, after)
    moved = {name for zone, name in changed if after.get((zone, name))}
    count = Counter(name for _, name in changed)
    order = sorted(count, key=lambda name: (name not in services, name not in moved, -count[name], name))
    return order[:most]


def power(vm_ids: Iterable[str], state: str) -> Change:
    """VMs enter a power state; one that starts and reports its health is unhealthy until its model has loaded."""
    ids = list(vm_ids)

    def change(replica: WorldModel) -> None:
        for vm_id in ids:
            vm = replica.vm(vm_id)
            vm["power"] = state
            if state == "running" and vm["health"] is not None:
                vm["health"] = "unhealthy"

    return change


def healthy(vm_ids: Iterable[str]) -> Change:
    """VMs that report their health become healthy."""
    ids = list(vm_ids)

    def change(replica: WorldModel) -> None:
        for vm_id in ids:
            vm = replica.vm(vm_id)
            vm["health"] = vm["health"] and "healthy"

    return change


def readdressed(vm_id: str, address: str) -> Change:
    """The primary address of a VM's first NIC becomes another one."""

    def change(replica: WorldModel) -> None:
        found = next(each for each in replica.vm(vm_id)["nics"][0]["ip_configurations"] if each["primary"])
        found["address"], found["allocation"] = address, "Static"

    return change


def deleted(vm_id: str) -> Change:
    """A VM is deleted."""
    return lambda replica: replica.vms.remove(replica.vm(vm_id))


def without_instance(set_id: str, instance: str) -> Change:
    """An instance of a uniform scale set is deleted."""

    def change(replica: WorldModel) -> None:
        (found,) = (each for each in replica.world["scale_sets"] if each["id"] == set_id)
        found["instances"] = [each for each in found["instances"] if each["id"] != instance]

    return change


def tagged(vm_id: str, value: str) -> Change:
    """A VM's tag `nearzone` gets this value."""
    return lambda replica: replica.vm(vm_id)["tags"].update(nearzone=value)


def drained(target: str, *, back: bool = False) -> Change:
    """A drain override of an endpoint or region is set, or removed (`back`)."""
    return lambda replica: (replica.drains.discard if back else replica.drains.add)(target)


def hanging(vm_id: str, *, back: bool = False) -> Change:
    """A model server hangs, or works again (`back`)."""
    key = vm_id.lower()
    return lambda replica: (replica.faults.hanging.discard if back else replica.faults.hanging.add)(key)


def cut(at: str, *, back: bool = False) -> Change:
    """The path from the vantage to a region is dead, or works again (`back`)."""
    return lambda replica: (replica.faults.cut.discard if back else replica.faults.cut.add)(at)


def farther(at: str, rtt_ms: float) -> Change:
    """The path from the vantage to a region takes so long."""
    return lambda replica: replica.faults.rtt_ms.update({at: rtt_ms})


def nothing(_: WorldModel) -> None:
    """A change that must not affect any answer."""
