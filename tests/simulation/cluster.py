"""The instances: one dies, another is born, and a random one gets the next event, timer or call."""

import asyncio
import itertools
import json
import re
import traceback
from random import Random

from shared.bootstrap import build
from shared.domain.errors import NearzoneError
from shared.edge.commands import parse
from tests.simulation.catalog_faults import FrailTransport
from tests.simulation.process import SimulatedProcess
from tests.support.deployment import Token, environment

ENDPOINT = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft"
    r"\.(compute/virtualmachines|network/loadbalancers)/[^/]+"
)
SET = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute/virtualmachinescalesets/[^/]+"
)

POWER = tuple(f"virtualmachines/{what}/action" for what in ("start", "poweroff", "deallocate", "restart"))
"""Endings of operations that change no claim: about what claims nothing they may be acknowledged unseen."""


class Cluster:
    """All instances of one story."""

    def __init__(self, story, count):
        self.story, self.trace, self.rng = story, story.trace, story.rng
        self.lives = []
        self.running = {}
        self._apps = {}
        self._skews = Random(f"skews {story.drawn.seed}")
        self._names = (f"i{number}" for number in itertools.count(1))
        for _ in range(count):
            self._born()

    def _born(self):
        story, skew = self.story, self._skews.uniform(-1, 1) * self.story.drawn.skew
        life = SimulatedProcess(next(self._names), story.fates, story.clock, self.trace, self._died, story.lose_catalog)
        self._apps[life] = build(
            environment(story.drawn.world),
            credential=Token(),
            transport=FrailTransport(story.witness, life, story.latency, story.fault),
            catalog=story.catalog.open(life),
            dialer=story.probed and story.probed.dialer(life),
            clock=lambda: story.clock() + skew,
            holder=life.name,
        )
        self.lives.append(life)

    def _died(self, life):
        self.lives.remove(life)
        del self._apps[life]
        asyncio.get_running_loop().call_later(self.rng.uniform(0.1, 20.0), self._born)

    def run(self, kind, work):
        """Let a random instance run a function; gives its process and the task, or None where none lives."""
        if not self.lives:
            return None
        life = self.rng.choice(self.lives)
        task, errand = life.begin(kind, self._watch(kind, work(self._apps[life])))
        if self.trace.on:
            self.trace(life.name, f"{kind} {errand.number} begins")
            task.add_done_callback(lambda _: self.trace(life.name, f"{kind} {errand.number} ends"))
        self.running[task] = None
        task.add_done_callback(lambda done: self.running.pop(done, None))
        return life, task

    async def _watch(self, kind, work):
        """A function may fail with one of the app's own words only."""
        try:
            return await work
        except NearzoneError as error:
            self.trace("app", f"{kind} fails", error)
            raise
        except Exception as error:
            where = [f"{frame.filename[-40:]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
            self.trace.violation("every failure has one of the app's own words", f"{kind}: {error!r} {where[-4:]}")
            raise

    def by_hand(self, **body):
        """A person calls resync, and does not wait for the answer."""
        return self.run("resync", lambda app: resync(app, body))

    def settings(self):
        """The settings that all instances have."""
        return next(iter(self._apps.values())).settings

    async def finish(self, kind, work):
        """Run a function when nothing goes wrong any more; gives its report, None where it failed."""
        _, task = self.run(kind, work)
        await asyncio.wait({task})
        if task.exception():
            self.trace.violation("without faults nothing fails", f"{kind}: {task.exception()!r}")
            return None
        return task.result()

    async def deliver(self, _url, _headers, body):
        """Event Grid's POST to a random instance: status and body. Raises OSError where it dies, or nobody lives."""
        content, began = json.loads(body), self.story.clock()
        event = content[0] if isinstance(content, list) else content
        begun = self.run("event", lambda app: app.on_event(json.dumps(event)))
        if begun is None:
            raise OSError("nobody listens")
        life, task = begun
        await asyncio.wait({task})
        if task.cancelled() or not life.alive:
            raise OSError("the connection broke")
        if task.exception():
            return 500, b""
        endpoint = ENDPOINT.match(event["subject"].lower())
        if endpoint:
            power = str(event["data"].get("operationName", "")).lower().endswith(POWER)
            self.story.ledger.acknowledged(endpoint[0], life, began, power=power)
        if scale_set := SET.match(event["subject"].lower()):
            for key in self._members(scale_set[0]):
                self.story.ledger.acknowledged(key, life, began, power=False)
        return 202, b""

    def _members(self, set_id):
        """The VMs of a flexible scale set, by what Azure has now."""
        return [vm.id.lower() for vm in self.story.cloud.compute.vms if (vm.scale_set or "").lower() == set_id]


def resync(app, body):
    """Call resync with a request's body."""
    known = app.inventory
    return app.resync(parse(json.dumps(body).encode(), app.settings, known.kinds, parents=known.parent_types))
