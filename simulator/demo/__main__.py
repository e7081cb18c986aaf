"""`python -m simulator.demo [--world FILE]`: the main job, end to end, each answer checked by real DNS queries.

Starts the simulator and the function app, makes one change after the other through ARM, and compares each zone's
answers with those of a brute-force oracle on the demo's own copy of the world. Exit code 0 only if every answer was
right; the last line of the output is one JSON object. The steps are in `steps.py` and `steps_*.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator.demo.app_settings import load, told
from simulator.demo.client import Client, OutsideError, Set, SettingsError
from simulator.demo.filling import Patience, pending, reason
from simulator.demo.filling import told as told_seconds
from simulator.demo.probed import pace
from simulator.demo.processes import DEMO, DRAIN_SECONDS, LaunchError, Processes, Scale, run, started
from simulator.demo.screen import Row, Screen
from simulator.demo.step import Skip, Step, StepContext
from simulator.demo.steps import steps
from simulator.demo.world_model import Oracle, Question, WorldModel
from simulator.oracle.answers import Answers, expected
from simulator.world.world import WorldError

LIMIT = 20.0
"""Seconds after an operation within which every answer must be right, unless a zone's write budget is used up."""
PROGRESS = 10.0
"""Seconds after which a running step reports its progress."""


class WrongError(Exception):
    """Answers that did not become right in time."""

    def __init__(self, faults: Sequence[tuple[Question, Set, Set]]) -> None:
        super().__init__(f"{len(faults)} wrong answers")
        self.faults = faults


@dataclass
class Count:
    """The content of the last line of the output."""

    steps: int = 0
    checks: int = 0
    events: int = 0
    delays: list[float] = field(default_factory=list)
    """Milliseconds from an event's delivery to right answers everywhere, one for each step that events caused."""

    def line(self, *, converged: bool) -> str:
        """The JSON line."""
        delays = {
            "p50": round(statistics.median(self.delays)) if self.delays else None,
            "max": round(max(self.delays)) if self.delays else None,
        }
        counts = {"steps": self.steps, "checks": self.checks, "events": self.events}
        return json.dumps({"converged": converged, **counts, "delivery_to_dns_ms": delays})


class Demo:
    """One run: a world, the two processes, a screen."""

    def __init__(self, replica: WorldModel, outside: Client, screen: Screen, limit: float, scale: Scale) -> None:
        self.replica = replica
        self.outside = outside
        self.screen = screen
        self.limit = limit
        slower = "" if scale.latency == 1 else f" times {scale.latency:g}"
        self._label = f"simulated, with recorded latencies{slower}"
        self.count = Count()
        self._before: Answers = {}

    async def perform(self, choose: Sequence[Callable[[StepContext], Step]]) -> None:
        """Run all steps. Raises WrongError for wrong answers and OutsideError for failed calls."""
        play = StepContext(self.replica, self.outside, self._meanwhile, self.screen.say)
        for each in choose:
            try:
                step = each(play)
            except Skip as reason:
                self.screen.skipped((each.__doc__ or "").rstrip("."), str(reason))
                continue
            self.count.steps += 1
            self.screen.step(self.count.steps, step.title, step.story)
            self.replica.shown.update(step.names)
            await self._play(step)

    async def _play(self, step: Step) -> None:
        self._before = dict(self.replica.answers)
        self.replica.do(step.change)
        changed = [q for q in self.replica.questions() if self._before.get((q.zone, q.name)) != self._wanted(q)]
        mark = len(await self.outside.deliveries())
        right: dict[Question, float] = {}
        watching = asyncio.create_task(self._watch(changed, right))
        telling = asyncio.create_task(self._tell(step, changed, right))
        try:
            since = await step.act()
            sent = await self.outside.delivered(mark, step.expected_events, self.limit)
            patience = Patience(self.outside, self.screen, self.limit + step.seconds)
            while not watching.done() and not await patience.over():
                await asyncio.wait((watching,), timeout=0.5)
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            telling.cancel()
        waited = patience.waits
        await self._check(Patience(self.outside, self.screen, self.limit) if len(right) == len(changed) else patience)
        self.count.events = len({each["event_id"] for each in await self.outside.deliveries()})
        self.screen.answers(self.replica, await self._rows(step))
        self._conclude(step, right, sent, since, " (as long as the zones' budgets need)" if waited else "")

    async def _tell(self, step: Step, changed: Sequence[Question], right: Mapping[Question, float]) -> None:
        """Report the progress of a long step at intervals."""
        while True:
            await asyncio.sleep(PROGRESS)
            try:
                names = pending(await self.outside.status())
            except OutsideError:  # The waiting step meets the same error.
                continue
            why = f"; {reason(names)}" if names else ""
            if step.seconds and not names:
                why = f"; probes may need {told_seconds(step.seconds)} for it"
            self.screen.say(f"... {len(right):,} of {len(changed):,} answers are right{why}", "dim")

    def _wanted(self, question: Question) -> Set:
        return self.replica.answers.get((question.zone, question.name))

    async def _watch(self, questions: Iterable[Question], right: dict[Question, float]) -> None:
        """Query until each answer is right, and note when it was first seen."""
        waiting = list(questions)
        while waiting:
            answers = await asyncio.gather(*(self.outside.ask(each.vnet, each.fqdn) for each in waiting))
            now = time.time()
            right.update({q: now for q, got in zip(waiting, answers, strict=True) if got == self._wanted(q)})
            waiting = [each for each in waiting if each not in right]
            await asyncio.sleep(0.02 + 0.002 * len(waiting))  # the app needs the processor too

    async def _check(self, patience: Patience) -> None:
        """Check every name in every zone, from every linked network. Raises WrongError."""
        questions = list(self.replica.questions())
        while True:
            answers = await asyncio.gather(*(self.outside.ask(each.vnet, each.fqdn) for each in questions))
            faults = [
                (q, self._wanted(q), got) for q, got in zip(questions, answers, strict=True) if got != self._wanted(q)
            ]
            if not faults:
                break
            if await patience.over():
                raise WrongError(faults)
            await asyncio.sleep(0.2)
        self.count.checks += len(questions)

    async def _rows(self, step: Step) -> list[Row]:
        rows = [row for name in step.names for row in await self._rows_of(name)]
        if not step.rejected:
            return rows
        explained = await self.outside.explain(rows[0].question.zone, step.names[0])
        for claim in explained["claims"]:
            if claim["endpoint"].lower() == step.rejected.lower():
                self.screen.say(f"nearzone's verdict on this claim: {claim['state']}, {claim['reason']}")
        return rows

    async def _rows_of(self, name: str) -> list[Row]:
        rows = []
        for each in (q for q in self.replica.questions() if q.name == name):
            explained = await self.outside.explain(each.zone, name)
            got = await self.outside.ask(each.vnet, each.fqdn)
            rows.append(Row(each, got, self._before.get((each.zone, name)), explained["answer"]["reason"]))
        return rows

    async def _meanwhile(self, heading: str, names: Iterable[str]) -> None:
        self.screen.say(heading)
        questions = [q for name in names for q in self.replica.questions() if q.name == name]
        rows = [
            Row(q, await self.outside.ask(q.vnet, q.fqdn), self._before.get((q.zone, q.name)), "") for q in questions
        ]
        self.screen.answers(self.replica, rows)

    def _conclude(
        self, step: Step, right: Mapping[Question, float], sent: Mapping[str, float], since: float | None, waited: str
    ) -> None:
        zones = len({q.zone for q in self.replica.questions()})
        timing = "nothing had to change"
        if right and since is not None:
            timing = f"{_ms(max(right.values()) - since)} after {step.since}"
        elif right and (delays := _delays(step, right, sent)):
            self.count.delays.append(max(delays) * 1000)
            timing = f"{_ms(max(delays))} from the event's delivery ({self._label})"
        elif right:
            timing = "before the operation had ended, after the event about the VM's health"
        asked = sum(1 for _ in self.replica.questions())
        self.screen.verdict(asked, zones, timing + waited)


def _delays(step: Step, right: Mapping[Question, float], sent: Mapping[str, float]) -> list[float]:
    """Seconds from the last event about a name, if it came before the answer, to each right answer for that name."""
    delays = []
    for question, when in right.items():
        times = [sent[subject] for subject, names in step.expected_events.items() if question.name in names]
        earlier = [each for each in times if each <= when]
        if earlier:
            delays.append(when - max(earlier))
    return delays


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _introduce(screen: Screen, pair: Processes, replica: WorldModel, scale: Scale) -> None:
    zones = replica.settings["NEARZONE_ZONES"]
    screen.say("nearzone on a simulated Azure", "bold")
    screen.say(
        f"{len(replica.endpoints)} endpoints, {len(zones)} zones ({', '.join(zone['region'] for zone in zones)}). "
        f"ARM at {pair.simulator['arm']}, the function app at {pair.app['url']}, both on this machine alone."
    )
    answers = "as long as recorded" if scale.latency == 1 else f"{scale.latency:g} times as long as recorded"
    screen.say(
        f"Simulated, with recorded latencies: ARM's answers take {answers}, VM and NIC operations {scale.operations:g} "
        f"times as long. The app's drain timer runs every {DRAIN_SECONDS} s here instead of every 30 s."
    )
    if paced := pace(replica.settings):
        screen.say(paced)


async def _demo(world: dict[str, object], oracle: Oracle, limit: float, scale: Scale) -> tuple[bool, Count]:
    screen = Screen()
    async with started(world, scale=scale) as pair, Client(pair) as outside:
        demo = Demo(WorldModel(world, oracle), outside, screen, limit, scale)
        await outside.check_settings()
        _introduce(screen, pair, demo.replica, scale)
        try:
            await outside.subscribe()
            await demo.perform(steps(demo.replica))
        except WrongError as wrong:
            screen.wrong(demo.replica, wrong.faults, pair.stderr_tail)
        except OutsideError as error:
            screen.say(f"✗ {error}", "bold red")
            screen.complain(pair.stderr_tail)
        else:
            return True, demo.count
        return False, demo.count


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description="nearzone at work, checked by DNS.")
    parser.add_argument("--world", type=Path, default=DEMO, help="world file (default: the demo's)")
    parser.add_argument(
        "--operations", type=float, default=Scale().operations, help="factor of the durations of operations"
    )
    parser.add_argument("--latency", type=float, default=Scale().latency, help="multiplies ARM's recorded latencies")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, *, oracle: Oracle = expected, limit: float = LIMIT) -> int:
    """Run the demo; returns the exit code: 0 only if every answer was right, 2 for an impossible world.

    `oracle` gives the right answers; `limit` is the time (seconds) within which the app must reach them.
    """
    arguments = _arguments(argv)
    scale = Scale(arguments.operations, arguments.latency)
    began = time.monotonic()
    try:
        converged, count = run(_demo(load(arguments.world), oracle, limit, scale))
    except (WorldError, SettingsError, LaunchError) as error:
        for line in told(arguments.world, error):
            print(f"simulator.demo: {line}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"simulator.demo: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    print(f"\n{time.monotonic() - began:.0f} s in all.")
    print(count.line(converged=converged), flush=True)
    return 0 if converged else 1


if __name__ == "__main__":
    sys.exit(main())
