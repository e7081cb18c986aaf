"""The network and the model servers of a story: what happens to them, and every connection of a prober."""

import asyncio
from dataclasses import dataclass
from random import Random

from simulator.dialing.connections import ProbedNetwork
from simulator.dialing.hosts import host_at
from simulator.model_servers.entry import SECONDS, ServerEntry
from simulator.oracle.answers import MATRIX
from simulator.oracle.probes import Server, works
from simulator.paths.entry import NetworkEntry, PathEntry
from tests.simulation.probe_spells import Spells
from tests.simulation.process import ERRAND
from tests.support.virtual_dialer import virtual_dialer

BROKEN = ("dead", "dead", "refuses", "hangs", "loading", "resets", "closes", "unauthorized", "certificate-expired")
ODD = ("slow-start", "busy", "redirects", "unreachable", "stalled")
TIMEOUT = 5.0
"""Seconds that a probe may take: the default, which no scenario changes."""
LIGHT = 0.25
"""How many ordinary steps a connection counts for: a round opens many."""


@dataclass(eq=False)
class Contact:
    """A connection that a prober tried to open. `result`: whether the probe succeeded, None: not certain.

    `usable`: whether it has a result at all. `true_ms`: the path's true round-trip time.
    """

    at: float
    ip: str
    probe: str
    region: str
    true_ms: float
    result: bool | None = None
    usable: bool = False


class ProbedWorld:
    """Changes the network and the servers by one source of chance, and watches the prober's connections."""

    def __init__(self, story, rng):
        self.story, self.rng, self.drawn = story, rng, story.drawn.probing
        self.cloud, self.clock, self.trace = story.cloud, story.clock, story.trace
        self.network = ProbedNetwork(self.cloud)
        self.cloud.paths.load(NetworkEntry(**self.drawn.network))
        self.vantage = self.drawn.vantage
        self.terminated = set()
        self.spells = Spells(self, Random(f"spells of {story.drawn.seed}"), self.drawn.spells)

    # --- what is true

    def state(self, ip):
        """What a probe of an address depends on besides chance, to be compared with what it is later."""
        host = host_at(self.cloud, ip, self.vantage)
        if host is None:
            return None
        path = self.cloud.paths._states.get((self.vantage, host.region))
        return host, path, self.cloud.servers.of(host.key)

    def works(self, ip):
        """Whether a probe of an address that begins now succeeds, None: perhaps."""
        host = host_at(self.cloud, ip, self.vantage)
        if host is None:
            return False
        server, now = self.cloud.servers.of(host.key), self.clock()
        begun = max(server.since, host.started if server.entry.behaviour == "slow-start" else 0.0)
        return works(
            self.drawn.asks,
            Server(server.entry.behaviour, now - begun, server.seconds, host.runs),
            cut=self.cloud.paths.partition(self.vantage, host.region) is not None,
            terminated=self.cloud.paths.terminated_ms(self.vantage, host.region) is not None,
        )

    def contact(self, ip, probe):
        """A connection that begins now."""
        region = self.story.drawn.regions[int(ip.split(".")[1]) - 1]
        true_ms = self.cloud.paths.true_ms(self.vantage, region)
        return Contact(self.clock(), ip, probe.digest, region, true_ms)

    def dialer(self, life):
        """One instance's way to the network."""
        return WatchedDialer(self, virtual_dialer(self.network, self.vantage), life, TIMEOUT)

    def dead(self, vm):
        """What lets a VM's server die."""
        return vm, ServerEntry(behaviour="dead"), self.clock()

    # --- what happens

    async def changes(self):
        """Something changes from time to time."""
        actions = (self.break_server, self.break_server, self.mend_server, self.mend_server, self.odd_server)
        actions += (self.cut, self.mend_path, self.step, self.step, self.terminate, self.start, self.start)
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / self.drawn.every))
            action = self.rng.choice(actions)
            self.trace("network", action.__name__, action())

    def settle(self):
        """Chance has no part in what probes find any more; what is broken may stay so, or be mended."""
        self.spells.end()
        noise = self.cloud.paths.noise
        self.cloud.paths.noise = NetworkEntry(0.0, noise.jitter_ms, 0.0, 0.0)
        for vm in self._vms():
            server = self.cloud.servers.of(vm.id)
            if server.entry.behaviour in ODD or self.rng.random() < 0.6:
                self._serve(vm.id, "healthy")
        if self.rng.random() < 0.6:
            for region in self.story.drawn.regions:
                self.cloud.paths.mend(PathEntry(self.vantage, region))
        for _ in range(2):
            self.step()
        self.trace("network", "settles", self.cloud.paths.entry().paths)

    def _vms(self):
        return sorted(self.cloud.compute.vms, key=lambda vm: vm.id)

    def _serve(self, vm, behaviour):
        seconds = {"loading": self.rng.choice((60.0, 1e9)), "slow-start": 60.0, "busy": 60.0}.get(behaviour)
        self.cloud.servers.set(vm, ServerEntry(behaviour=behaviour, seconds=seconds), self.clock())
        return f"{vm.rsplit('/', 1)[-1]} {behaviour} {seconds or SECONDS.get(behaviour, '')}"

    def break_server(self):
        return self._serve(self.rng.choice(self._vms()).id, self.rng.choice(BROKEN))

    def odd_server(self):
        return self._serve(self.rng.choice(self._vms()).id, self.rng.choice(ODD))

    def mend_server(self):
        broken = [vm for vm in self._vms() if self.cloud.servers.entry(vm.id)]
        return self._serve(self.rng.choice(broken).id, "healthy") if broken else ""

    def cut(self):
        """A partition: of one way or both, between two regions, or of the prober, or of the prober from everything."""
        regions = self.story.drawn.regions
        if self.rng.random() < 0.15:
            found = [PathEntry(self.vantage, region, both=False, partition="prober") for region in regions]
        else:
            one, other = self.rng.choice(regions), self.rng.choice(regions)
            part = self.rng.choice(("all", "all", "prober"))
            found = [PathEntry(one, other, both=self.rng.random() < 0.5, partition=part)]
        return self._change(found)

    def step(self):
        """A detour through a hub: a region becomes farther than one that is published as farther."""
        near, far = sorted(self._published(each) for each in self.rng.sample(self.story.drawn.regions, 2))
        more = self.rng.choice((4.0, 20.0, 20.0, 40.0, 40.0))
        return self._change([PathEntry(self.vantage, near[1], rtt_ms=far[0] + more)])

    def _published(self, region):
        return MATRIX.get((self.vantage, region), 1.0), region

    def start(self):
        """A VM that is stopped starts, so that there is something to probe."""
        stopped = [vm.id for vm in self._vms() if vm.power == "deallocated"]
        if stopped:
            self.story.people.start(self.rng.choice(stopped))
            self.story.history.look()
        return stopped[:1]

    def terminate(self):
        """Something on the path answers in the servers' place."""
        other = self.rng.choice(self.story.drawn.regions)
        self.terminated.add(other)
        return self._change([PathEntry(self.vantage, other, terminated_ms=0.4)])

    def mend_path(self):
        other = self.rng.choice(self.story.drawn.regions)
        self.cloud.paths.mend(PathEntry(self.vantage, other))
        return other

    def _change(self, entries):
        for each in entries:
            self.cloud.paths.change(each)
        return entries


class WatchedDialer:
    """Opens connections for one instance. Each is a step, at which it may die, and waits while it is frozen."""

    def __init__(self, world, inner, life, timeout):
        self.world, self.inner, self.life, self.timeout = world, inner, life, timeout

    async def connect(self, ip, probe, connect_seconds):
        world, life = self.world, self.life
        life.step(LIGHT, f"dial {ip}")
        contact, state, could = world.contact(ip, probe), world.state(ip), world.works(ip)
        world.story.probes.dialed(ERRAND.get(), contact, probe)
        try:
            connection = await life.through(lambda: self.inner.connect(ip, probe, connect_seconds))
        except asyncio.CancelledError:
            contact.usable, contact.result = self._is_late(contact), False
            raise
        except Exception:
            contact.usable, contact.result = True, False
            raise
        return WatchedConnection(self, connection, contact, state, could)

    def _is_late(self, contact):
        return self.world.clock() - contact.at >= self.timeout - 0.001


class WatchedConnection:
    """An open connection. At its end it is known what the probe must have found."""

    def __init__(self, dialer, inner, contact, state, could):
        self.dialer, self.inner, self.contact, self.state, self.could = dialer, inner, contact, state, could
        self.rtt_ms = inner.rtt_ms
        self.read, self.write = inner.read, inner.write

    def close(self):
        self.inner.close()
        world, contact = self.dialer.world, self.contact
        contact.usable = True
        if self.dialer._is_late(contact):
            contact.result = False
        else:
            same = world.state(contact.ip) == self.state and world.works(contact.ip) == self.could
            contact.result = self.could if same else None
