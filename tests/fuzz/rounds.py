"""A round: so many inputs of all kinds from one seed, in one process, with a tally of what became of them."""

import asyncio
import gc
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random

import shared.loop.probing.prober_app
import shared.probing.gateway_dialer
import shared.probing.rounds
import shared.probing.socket_dialer  # noqa: F401 - an app imports these when it first has probes: that memory stays
from tests.fuzz import inputs, probes
from tests.fuzz import targets as kinds
from tests.fuzz.functions import served
from tests.fuzz.orders import Ordered
from tests.fuzz.world import SWEEP_REQUESTS, SteadyState
from tests.support.small_world import in_virtual_time

SHARES = {"event": 620, "body": 200, "question": 85, "settings": 80, "function": 12, "order": 3}
"""Of a thousand inputs. Those that cost much are few."""
BATCH = 1000
"""Inputs between two looks at everything, with ten minutes of virtual time after them."""
CPU_SECONDS = 20
"""An input that needs more is taken for a hang. Processor time, so that a busy machine does not matter."""
ENOUGH = 10
"""Failures after which a round gives up."""
KEPT = 1000, 0.05
"""Memory blocks that may stay, once and for each input: an event that is remembered leaves two and more."""


class Hang(BaseException):
    """An input took too long. No Exception: nothing in the app may take it for one of its own errors."""


def _hang(*_):
    raise Hang(f"more than {CPU_SECONDS} s of processor time")


@dataclass
class Tally:
    """What became of inputs. `slowest`: processor seconds and kind. `kept`: memory blocks that stay, of so many inputs.

    `resident`: the process's largest size in MB after a third of the inputs, and after all. `cpu`: processor seconds.
    """

    outcomes: Counter = field(default_factory=Counter)
    failures: list = field(default_factory=list)
    slowest: tuple = (0.0, "")
    kept: tuple = (0, 0)
    resident: tuple = (0.0, 0.0)
    cpu: float = 0.0

    def __post_init__(self):
        signal.signal(signal.SIGPROF, _hang)

    async def play(self, kind, given, throw):
        """Throw an input in and note its outcome; whether all promises were kept."""
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            outcome = await throw(given)
        except (Exception, Hang) as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.failures.append((kind, _told(error), given))
            outcome = "FAILED"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.outcomes[kind, outcome] += 1
        self.slowest = max(self.slowest, (time.process_time() - begun, kind))
        return outcome != "FAILED"

    @property
    def enough(self):
        """Whether there is no sense in going on."""
        return len(self.failures) >= ENOUGH


def _told(error):
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:400]} ({at.filename}:{at.lineno})"


def play(count, seed):
    """One round of `count` inputs; gives its tally."""
    rng, tally = Random(seed), Tally()
    drawn = rng.choices(list(SHARES), SHARES.values(), k=count)
    with kinds.journal() as journal:
        in_memory = [kind for kind in drawn if kind not in ("function", "order")]
        in_virtual_time(lambda _: _in_memory(tally, rng, in_memory, journal))
        in_virtual_time(lambda _: _orders(tally, rng, drawn.count("order")))
        asyncio.run(_over_http(tally, rng, drawn.count("function")))
    in_virtual_time(lambda _: probes.play(tally, seed, count))
    tally.cpu = time.process_time()
    return tally


async def _in_memory(tally, rng, drawn, journal):
    """Everything that is thrown at one settled stage, which lives as long as nothing breaks."""
    stage, begun, blocks = await SteadyState.made(), 0, 0
    for start in range(0, len(drawn), BATCH):
        unbroken = True
        for kind in drawn[start : start + BATCH]:
            unbroken &= await tally.play(kind, *_input(kind, rng, stage, journal))
        unbroken &= await tally.play("batch", f"after input {start}", partial(_look_round, stage))
        if tally.enough:
            return
        if not unbroken:
            stage, blocks = await SteadyState.made(), 0
        elif not begun and start * 3 >= len(drawn):  # What is made once has been made by now.
            begun, blocks, tally.resident = start, await _held(tally, stage), (_megabytes(), 0.0)
    if blocks:  # One stage all the time.
        tally.kept = await _held(tally, stage) - blocks, len(drawn) - begun
        tally.resident = (tally.resident[0], _megabytes())
        if tally.kept[0] > KEPT[0] + KEPT[1] * tally.kept[1]:
            tally.failures.append(("memory", f"{tally.kept[0]} blocks stay of {tally.kept[1]} inputs", ""))


def _input(kind, rng, stage, journal):
    """An input, and what it is thrown into."""
    match kind:
        case "event":
            return inputs.event(rng), partial(kinds.event, stage, journal)
        case "body":
            return inputs.body(rng), partial(kinds.body, stage, run=rng.random() < 0.1)
        case "question":
            return inputs.question(rng), partial(kinds.question, stage)
        case _:
            return inputs.settings(rng), partial(kinds.settings, wire=rng.random() < 0.005)


async def _look_round(stage, _):
    await stage.pass_time()
    await stage.verify()
    await stage.check(SWEEP_REQUESTS)
    return "nothing has changed"


async def _held(tally, stage):
    """Memory blocks in use once everything that may be forgotten is forgotten."""
    await tally.play("batch", "two quiet hours", stage.forget)
    gc.collect()
    return sys.getallocatedblocks()


def _megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _orders(tally, rng, count):
    ordered = await Ordered.made()
    for _ in range(count):
        if not await tally.play("order", inputs.order(rng), ordered.give):
            ordered = await Ordered.made()
        if tally.enough:
            return
    await tally.play("batch", "all orders", ordered.end)


async def _over_http(tally, rng, count):
    async with served() as app:
        for _ in range(count):
            draw, throw = rng.choice(
                ((inputs.unordered, app.resync), (inputs.question, app.status), (inputs.event, app.event))
            )
            await tally.play("function", draw(rng), throw)
            if tally.enough:
                return
