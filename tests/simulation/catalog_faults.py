"""The wrappers through which an instance reaches catalog and Azure: each call is a step, takes time, and may fail."""

import asyncio

from shared.domain.clock import Clock
from shared.domain.errors import Transient
from simulator.arm.front_door import Response
from simulator.front_ends.transport import Lost, SimulatorTransport, understand
from tests.simulation.graph_scenario import asks

HEAVY = {"put_endpoint", "remove_dirty", "acquire", "release", "put_dirty", "put_state", "put_override"}
"""Calls at which a crash is more likely to matter."""


class FaultSchedule:
    """How often something fails: in a storm much more often. `storms`: pairs of times."""

    def __init__(self, rng, clock, calm, stormy, storms):
        self.rng, self.clock, self.calm, self.stormy, self.storms = rng, clock, calm, stormy, storms
        self.count = 0

    def stop(self):
        """Nothing fails any more."""
        self.calm, self.storms = 0.0, ()

    def strikes(self):
        """Whether something fails now."""
        if not self.calm and not self.storms:
            return False
        now = self.clock()
        struck = self.rng.random() < (self.stormy if any(a <= now < b for a, b in self.storms) else self.calm)
        self.count += struck
        return struck


class FaultyCatalog:
    """One instance's way to a catalog in memory. `seconds`: the longest latency of a call.

    Its answers tell the time as those of a storage account do.
    """

    def __init__(self, inner, life, weather, seconds, trace):
        self.inner, self.life, self.weather, self.seconds, self.trace = inner, life, weather, seconds, trace
        self.clock = Clock(life.clock)

    async def open(self, clock):
        self.clock = clock
        await self.state()

    def __getattr__(self, name):
        inner, life, weight = getattr(self.inner, name), self.life, 4 if name in HEAVY else 1
        what, rng = f"catalog {name}", self.weather.rng

        async def perform(args, kwargs):
            asked, delay = self.clock.local(), (rng.random() * 2 - 1) * self.seconds
            if delay > 0:  # On its way there; else on the way back.
                await asyncio.sleep(delay)
            lost = self.weather.strikes() and rng.random()
            if lost and lost < 0.5:
                self.trace(life.name, what, "fails")
                raise Transient(f"{what} failed")
            life.check()
            date = int(life.clock())
            result = await inner(*args, **kwargs)
            if self.trace.on:
                self.trace(life.name, what, f"{brief(args)} -> {brief([result])}")
            await life.back(weight, what)
            if lost:
                self.trace(life.name, what, "has worked, and seems to fail")
                raise Transient(f"{what} timed out")
            if delay < 0:
                await asyncio.sleep(-delay)
            self.clock.learn(date, asked)
            return result

        async def call(*args, **kwargs):
            life.step(weight, what)
            if life.going.is_set():
                return await perform(args, kwargs)
            return await life.through(lambda: perform(args, kwargs))

        setattr(self, name, call)
        return call


class FrailTransport(SimulatorTransport):
    """One instance's way to Azure, or to a catalog in Azure Table Storage."""

    def __init__(self, witness, life, latency, faults):
        super().__init__(View(witness, life), latency, faults)
        self.witness, self.life = witness, life

    async def send(self, request, **kwargs):
        what, weight = f"{request.method} {request.url.split('?')[0][-40:]}", 1
        self.life.check()
        if request.method != "GET" and not asks(understand(request)):
            weight = self.witness.WEIGHT
            self.witness.sending(self.life, understand(request))
        self.life.step(weight, what)
        if self.life.going.is_set():
            response = await super().send(request, **kwargs)
        else:
            response = await self.life.through(lambda: SimulatorTransport.send(self, request, **kwargs))
        await self.life.back(weight, what)
        if response.status_code == 403:
            self.life.refused_at = self.life.clock()
        return response


class View:
    """What a witness sees of one instance."""

    def __init__(self, witness, life):
        self.witness, self.life = witness, life

    def handle(self, request):
        return self.witness.handle(self.life, request)


class Uniform:
    """A latency between nothing and so many seconds."""

    def __init__(self, rng, seconds):
        self.rng, self.seconds = rng, seconds

    def of(self, _request):
        return self.rng.random() * self.seconds


def table_faults(weather):
    """What goes wrong on the way to Azure Table Storage; the SDK tries some of it again by itself."""

    def fault(_request):
        if not weather.strikes():
            return None
        return weather.rng.choice((Lost(after=False), Lost(after=True), Response(500), Response(503)))

    return fault


def brief(values):
    """Values for people: as short as may be."""
    text = ", ".join(str(value) for value in values)
    return text if len(text) < 200 else f"{text[:200]}..."
