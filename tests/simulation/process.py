"""An instance of the app as a process: whatever it does to the world is a step, and at any step it may die or pause.

A dead instance does nothing more: clean-up code that still runs gets no further than its next step. A frozen one goes
on later and does not know it: what it was about to send is sent then, even where its own timeouts have passed.
"""

import asyncio
import itertools
from collections import Counter
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field

ERRAND = ContextVar("errand", default=None)
SLOW_TO_FREEZE = 60.0


@dataclass(eq=False)
class Invocation:
    """One run of a function: an event's delivery, a timer or a call by hand.

    `reads`: when which row was read, None: all of them. `unlisted`: what lists leave out while it runs.
    `graph`: its requests to Resource Graph, each with the last status; a retry of one is the same request.
    """

    kind: str
    number: int
    life: "SimulatedProcess"
    began: float
    reads: list = field(default_factory=list)
    unlisted: set | None = None
    graph: dict = field(default_factory=dict)

    @property
    def hinted(self):
        """Whether it has found endpoints by Resource Graph: where that refuses one request, everything is listed."""
        return bool(self.graph) and all(status == 200 for status in self.graph.values())

    def __str__(self):
        return f"{self.life.name} {self.kind} {self.number}"


class CrashSchedule:
    """At which step of all instances together one dies, or pauses for longer than its lease, or the catalog is lost.

    `every`: the mean number of steps from one crash, pause or loss to the next; 0: never.
    """

    def __init__(self, rng, **every):
        self.rng = rng
        self._rates = {kind: 1 / steps for kind, steps in every.items() if steps}
        self._left = self._next()
        self.count = Counter()

    def _next(self):
        return self.rng.expovariate(sum(self._rates.values())) if self._rates else float("inf")

    def draw(self, weight):
        """What happens at this step, or None. `weight`: how many ordinary steps it counts for."""
        self._left -= weight
        if self._left > 0:
            return None
        self._left = self._next()
        fate = self.rng.choices(list(self._rates), list(self._rates.values()))[0]
        self.count[fate] += 1
        return fate

    def stop(self):
        """Nothing happens any more."""
        self._left = float("inf")


class SimulatedProcess:
    """One instance's process. `died` is called when it is killed, `lost` when it is there as the catalog is lost."""

    def __init__(self, name, fates, clock, trace, died, lost):
        self.name, self.fates, self.clock, self.trace = name, fates, clock, trace
        self.died, self.lost = died, lost
        self.alive, self.refused_at = True, 0.0
        self.going = asyncio.Event()
        self.going.set()
        self.tasks = {}
        self._numbers = itertools.count(1)

    def begin(self, kind, work):
        """Run a function; gives its task."""
        errand, context = Invocation(kind, next(self._numbers), self, self.clock()), copy_context()
        context.run(ERRAND.set, errand)
        return self._keep(asyncio.get_running_loop().create_task(work, context=context)), errand

    def _keep(self, task):
        self.tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task):
        self.tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # Who waited for it may have given up.

    def check(self):
        if not self.alive:
            raise asyncio.CancelledError

    def step(self, weight=1, what=""):
        """Something is about to be done to the world, or was done just now."""
        self.check()
        if not self.going.is_set():
            return
        fate = self.fates.draw(weight)
        if fate == "crash":
            self.trace(self.name, "dies at", what)
            self.die()
            raise asyncio.CancelledError
        if fate == "loss":
            self.trace(self.name, "is there as the catalog is lost, at", what)
            self.lost()
        if fate == "pause":
            self.pause(self.fates.rng.uniform(SLOW_TO_FREEZE, 200.0), what)

    def pause(self, seconds, what):
        self.trace(self.name, f"pauses for {seconds:.0f} s at", what)
        self.going.clear()
        asyncio.get_running_loop().call_later(seconds, self.resume)

    def resume(self):
        if self.alive and not self.going.is_set():
            self.trace(self.name, "goes on", "")
            self.going.set()

    def die(self):
        self.alive = False
        self.going.set()
        for task in list(self.tasks):
            task.cancel()
        self.died(self)

    async def through(self, work):
        """Do something now, or when a frozen instance goes on: then even if whoever asked for it has given up."""
        if self.going.is_set():
            return await work()

        async def late():
            await self.going.wait()
            self.check()
            return await work()

        return await asyncio.shield(self._keep(asyncio.get_running_loop().create_task(late())))

    async def back(self, weight, what):
        """The answer to a step is there: it may come to nobody."""
        self.step(weight, what)
        if not self.going.is_set():
            await self.going.wait()
            self.check()
