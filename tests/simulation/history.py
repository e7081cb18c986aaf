"""What every VM was, when; and whether a record set is the oracle's answer for what may have been seen of them.

The app reads a VM's power, tags and addresses with several requests, and of several VMs at several times. So what it
may know is, for each VM, any combination of what each of the three was since some time; for each VM that time differs.
"""

import bisect
import itertools

import msgspec

from simulator.oracle import answers as oracle
from simulator.oracle.claims import claims, decoded, meant, serving
from simulator.world.world import _vm_entry
from tests.simulation import balancers, gateways

MOST = 3000
"""Combinations that are tried before the question is given up as undecided."""
START = float("-inf")


class Variant:
    """A VM as it may have been seen. `vm` None: there was none."""

    def __init__(self, vm, settings):
        self.vm = vm
        self.claims = claims(vm, settings) if vm else {}
        self.names = frozenset(claims(vm, {**settings, "NEARZONE_HOST_NAMES": True}) if vm else ())
        self.serving = tuple(sorted(serving(vm).items())) if vm else ()

    def stance(self, name):
        """What counts of it for a name; None: nothing."""
        return (self.claims[name], self.served(name)) if name in self.claims else None

    def served(self, name):
        """The addresses, each with its VNet, at which it serves for a name."""
        chosen = meant(self.vm, name)
        return self.serving if chosen is None else tuple(at for at in self.serving if at[0] in chosen)


class History:
    """Follows every VM of a cloud."""

    def __init__(self, cloud, clock):
        self.cloud, self.clock = cloud, clock
        self.settings = decoded(cloud.settings)
        self.zones = {zone["id"].lower(): zone for zone in self.settings["NEARZONE_ZONES"]}
        self.undecided = 0
        self._past, self._variants, self._answers, self._options = {}, {}, {}, {}
        self._gone = Variant(None, self.settings)
        cloud.azure.completed.append(self._completed)
        for vm in cloud.compute.vms:
            self._past[vm.id.lower()] = [(START, self._entry(vm))]
        self._gateways = gateways.entries(cloud) | balancers.entries(cloud)
        self._past |= {key: [(START, entry)] for key, entry in self._gateways.items()}

    def _completed(self, note):
        if "/virtualmachinescalesets/" in note.resource_id.lower():
            self.look()
        elif "/virtualmachines/" in note.resource_id.lower():
            self._look_at("/".join(note.resource_id.lower().split("/")[:9]))
        elif self._gateways:
            self.look()

    def look(self):
        """Something may have been changed."""
        if self._gateways:
            self._gateways |= gateways.entries(self.cloud) | balancers.entries(self.cloud)
        for key in {vm.id.lower() for vm in self.cloud.compute.vms} | self._past.keys():
            self._look_at(key)

    def _look_at(self, key):
        vm = self.cloud.compute.vms.find(key)
        now = self._entry(vm) if vm else self._gateways.get(key)
        past = self._past.setdefault(key, [(START, None)])
        if past[-1][1] != now:
            past.append((self.clock(), now))

    def _entry(self, vm):
        """The VM as a world has it; `set_tags`: those of its flexible scale set."""
        found = self.cloud.compute.scale_sets.sets.find(vm.scale_set) if vm.scale_set else None
        return msgspec.to_builtins(_vm_entry(self.cloud, vm)) | {"set_tags": dict(found.tags or {}) if found else {}}

    def vms(self):
        """The ids of all VMs that there ever were, in lower case."""
        return self._past.keys()

    def seen(self, key, since):
        """What may have been seen of a VM by requests begun after `since`, as variants, the present one first."""
        past = self._past.get(key, [(START, None)])
        first = max(0, bisect.bisect_left(past, since, key=lambda entry: entry[0]) - 1)
        found = self._variants.get((key, first, len(past)))
        if found is None:
            states = [vm for _, vm in past[first:]]
            found = self._variants[key, first, len(past)] = self._mix(states, self._hidden(past))
        return found

    def _hidden(self, past):
        """Whether a VM has come to report health, and lists do not show it: only a GET does, which is due in a day.

        One request shows all of a gateway.

        No list shows it while the VM is started, either: the extension reports again only some time after that.
        """
        alive = [vm for _, vm in past if vm and "power" in vm]
        come = [n for n, vm in enumerate(alive) if vm["health"] and any(not each["health"] for each in alive[:n])]
        started = come and any(vm["power"] == "starting" for vm in alive[come[0] :])
        return bool(come) and (bool(started) or not self.cloud.compute.status_only_health)

    def late(self):
        """Whether a VM may be misjudged until its next GET."""
        return any(self._hidden(past) and past[-1][1] and past[-1][1].get("health") for past in self._past.values())

    def _mix(self, states, hidden):
        gone = [self._gone] if None in states else []
        states = [vm for vm in reversed(states) if vm]
        if states and "power" not in states[0]:
            return [Variant(each, self.settings) for each in _distinct(states)] + gone
        alive = [(vm["power"], vm["health"]) for vm in states]
        parts = [_distinct([*alive, *((power, None) for power, _ in alive if hidden)])]
        parts += [_distinct(vm[part] for vm in states) for part in _PARTS]
        mixed = [
            Variant(
                {**states[0], "power": power, "health": health, **dict(zip(_PARTS, rest, strict=True))}, self.settings
            )
            for (power, health), *rest in itertools.product(*parts)
        ]
        return gone + mixed if states and states[0] is None else mixed + gone

    def explains(self, zone, name, got, since, orders, probed=(oracle.NOTHING,), *, written=False):
        """Whether `got` (TTL and addresses, or None) is the answer for something that may have been seen.

        `since`: for each VM (id in lower case) from when on. `orders`: sets of drain orders that may have been in
        force. `probed`: what probes may have said.
        `written`: it was written, which it is not where the policy keeps what is there.
        """
        combinations = [self._stances(key, name, since(key)) for key in sorted(self._past)]
        combinations = [each for each in combinations if each != [self._gone]]
        tried = 0
        for drains, found in itertools.product(orders, probed):
            for combination in itertools.product(*combinations):
                tried += 1
                if tried > MOST:
                    self.undecided += 1
                    return True
                answer = self._answer(zone, name, combination, drains, found)
                unasked = got is None and all(each.vm is None for each in combination)  # Not even a fallback is due.
                if answer == got or ((answer is _KEPT or unasked) and not written):
                    return True
        return False

    def _stances(self, key, name, since):
        seen = self.seen(key, since)
        option = (key, name, id(seen))
        if option not in self._options:
            found = {}
            for each in seen:
                found.setdefault(each.stance(name), self._gone if each.stance(name) is None else each)
            self._options[option] = list(found.values())
        return self._options[option]

    def _answer(self, zone, name, combination, drains, found):
        key = (zone, name, tuple(map(id, combination)), drains, found)
        if key not in self._answers:
            claiming = [(each.vm, each.claims) for each in combination if each.vm]
            rest = claiming, self.settings, drains, self.zones[zone], name, _KEPT, found
            self._answers[key] = oracle._route(*rest)
        return self._answers[key]


_KEPT = object()
_PARTS = ("tags", "nics", "set_tags")
"""What of a VM the app reads with requests of their own, or as one part of an answer."""


def _distinct(values):
    found = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
