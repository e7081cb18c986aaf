"""Which of two far regions a zone answers, by measured round-trip times: how often that changes, and what it costs.

Both regions have the same true base, or one is 2, 5 or 10 ms farther; both wander and change routes (noise.py). The
rules of others get the same samples in the same run: the published table, the last sample, and a moving average
(EWMA, factor 0.2) as load balancers use it. One region is measured at one address, each 15 s. The app's pure rules run
alone: the order that they give is in the zone a round and a write later.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Mapping

from benchmarks.harness import Figure, Say, Scenario
from benchmarks.noise import HOUR, ROUND, sampled_rtt, true_rtt
from shared.config.settings import Probing
from shared.decide.probes.distances import measured
from shared.decide.probes.evidence import fold
from shared.domain.probes import Distances, Evidence, Probe, ProbeResult, ProbeWord, Target, TargetKey

BASE_MS = 80.0
GAPS_MS = (0.0, 2.0, 5.0, 10.0)
HOURS = {0.0: 480.0, 2.0: 360.0, 5.0: 120.0, 10.0: 120.0}
"""Virtual time for each seed, by gap: the smaller the gap, the more chance is in the figures."""
SEEDS = 4
STEPS, STEP_MS, STEP_GAP_MS = 400, 20.0, 5.0
PLACES = ("eastus", "eastus2")
LATE_SECONDS = 1200.0
_STEP_HOURS, _STEP_SEEDS = 4.0, 1000

FIGURES = {
    "flaps_per_hour": Figure("1/h", "changes of the nearest region an hour, at equal true distance", "<= 0.03"),
    "flaps_last_sample": Figure("1/h", "the same if the last sample decides"),
    "flaps_ewma": Figure("1/h", "the same if a moving average (EWMA, 0.2) decides"),
    "extra_ms": Figure(
        "ms", "mean round-trip time above that of the truly nearer region, worst of gaps of 0, 2, 5 and 10 ms", "<= 0.4"
    ),
    "extra_gap_ms": Figure("ms", "the gap at which that is"),
    "extra_published_ms": Figure(
        "ms", "the same by a published table that ranks the regions rightly, at its worst gap"
    ),
    "extra_last_sample_ms": Figure("ms", "the same if the last sample decides"),
    "extra_ewma_ms": Figure("ms", "the same if a moving average decides"),
    "step_s": Figure(
        "s",
        "path to the nearest region becomes 20 ms longer: until the other, 5 ms farther, is the nearest, p95",
        "<= 1200",
    ),
    "step_median_s": Figure("s", "the same, median"),
    "step_late": Figure("", "the same: share of steps that take longer than 1,200 s, as the other path is longer too"),
}

Chooser = Callable[[float, tuple[float, float]], int]
"""Takes a time and a sample of each region, gives the region that is answered."""


class Ours:
    """The app's own rooms: samples become evidence, evidence becomes an order."""

    def __init__(self) -> None:
        probe = Probe("tcp", 443)
        self._targets = [Target(f"vm-{place}", "10.0.0.4", place, place, probe) for place in PLACES]
        self._evidence: dict[TargetKey, Evidence] = {}
        self._distances = Distances()
        self._probing = Probing()

    def __call__(self, at: float, samples: tuple[float, float]) -> int:
        """Return the first region of the order in force."""
        results = {
            target.key: ProbeResult(ProbeWord.OK, rtt_ms=sample)
            for target, sample in zip(self._targets, samples, strict=True)
            if sample < 1000  # The kernel tells that the SYN was sent again; such a sample is not used.
        }
        self._evidence = fold(self._evidence, self._targets, results, at, self._probing)
        known, evidence = self._distances, self._evidence.values()
        self._distances = measured(known, evidence, at, lambda _: BASE_MS, continuous=True)
        order = self._distances.order
        return PLACES.index(order[0]) if order else 0


def published(_at: float, _samples: tuple[float, float]) -> int:
    """Return the region that the table ranks first, always."""
    return 0


def last_sample(_at: float, samples: tuple[float, float]) -> int:
    """Return the region of the smaller sample."""
    return int(samples[1] < samples[0])


class Ewma:
    """A moving average without band or dwell."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def __call__(self, _at: float, samples: tuple[float, float]) -> int:
        """Return the region of the smaller average."""
        known = self._values or list(samples)
        self._values = [old + 0.2 * (new - old) for old, new in zip(known, samples, strict=True)]
        return int(self._values[1] < self._values[0])


RULES: dict[str, Callable[[], Chooser]] = {
    "ours": Ours,
    "published": lambda: published,
    "last_sample": lambda: last_sample,
    "ewma": Ewma,
}


def _rounds(seed: int, gap: float, hours: float) -> Iterator[tuple[float, tuple[float, float], tuple[float, float]]]:
    """The time, the true round-trip times, and a sample of each, round after round."""
    rnd = random.Random(seed)
    near, far = true_rtt(rnd, BASE_MS), true_rtt(rnd, BASE_MS + gap)
    for number in range(int(hours * HOUR / ROUND)):
        true = next(near), next(far)
        yield number * ROUND, true, (sampled_rtt(rnd, true[0]), sampled_rtt(rnd, true[1]))


def _costs(gap: float, hours: float, seeds: int) -> dict[str, tuple[float, float]]:
    """Changes an hour and extra milliseconds by rule, all rules on the same samples."""
    flips, extra, rounds = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0.0), 0
    for seed in range(seeds):
        choosers = {name: make() for name, make in RULES.items()}
        chosen = dict.fromkeys(RULES, 0)
        for at, true, samples in _rounds(seed, gap, hours):
            rounds += 1
            for name, choose in choosers.items():
                before, chosen[name] = chosen[name], choose(at, samples)
                flips[name] += chosen[name] != before
                extra[name] += true[chosen[name]] - min(true)
    return {name: (flips[name] / (hours * seeds), extra[name] / rounds) for name in RULES}


def _step_seconds(seed: int) -> float | None:
    """Seconds from a step on the path to the nearer region until the other, 5 ms farther, is the nearest.

    None: the other was the nearest before, because its path or the nearer one was on another route.
    """
    rnd, ours = random.Random(_STEP_SEEDS + seed), Ours()
    stepped, chosen = HOUR + rnd.uniform(0, ROUND), 0
    for at, _, samples in _rounds(_STEP_SEEDS + seed, STEP_GAP_MS, _STEP_HOURS):
        if at < stepped:
            chosen = ours(at, samples)
        elif chosen == 1:
            return None
        elif ours(at, (samples[0] + STEP_MS, samples[1])) == 1:
            return at - stepped
    return _STEP_HOURS * HOUR - stepped


def measure(hours: Mapping[float, float], seeds: int, steps: int, say: Say) -> dict[str, float]:
    """Compare the rules. `hours`: virtual time by gap, for each seed; `steps`: how often a path becomes longer."""
    costs = {}
    for gap in GAPS_MS:
        say(f"two regions, one {gap:g} ms farther, {seeds} times {hours[gap]:g} h")
        costs[gap] = _costs(gap, hours[gap], seeds)
    say(f"a path becomes {STEP_MS:g} ms longer, {steps} times")
    followed = [seconds for seed in range(steps) if (seconds := _step_seconds(seed)) is not None]
    ours = {gap: found["ours"] for gap, found in costs.items()}
    return {
        "flaps_per_hour": ours[0.0][0],
        "flaps_last_sample": costs[0.0]["last_sample"][0],
        "flaps_ewma": costs[0.0]["ewma"][0],
        "extra_ms": max(extra for _, extra in ours.values()),
        "extra_gap_ms": max(ours, key=lambda gap: ours[gap][1]),
        **{f"extra_{name}_ms": max(each[name][1] for each in costs.values()) for name in RULES if name != "ours"},
        "step_s": statistics.quantiles(followed, n=20)[-1],
        "step_median_s": statistics.median(followed),
        "step_late": sum(seconds > LATE_SECONDS for seconds in followed) / len(followed),
    }


def _run(quick: bool, say: Say) -> dict[str, float]:
    if quick:
        return measure(dict.fromkeys(GAPS_MS, 24.0), 1, 10, say)
    return measure(HOURS, SEEDS, STEPS, say)


SCENARIO = Scenario("The nearest of two regions by measured round-trip times, on noisy paths.", FIGURES, _run)
