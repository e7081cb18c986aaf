"""The command: play many seeds, on several processes, and say which of them broke a promise.

    python -m tests.simulation --seeds 1000 --first 0 --jobs 2
    python -m tests.simulation --seeds 1 --first 4711 --trace

Equal seeds give equal stories in every process: the order of sets, too, is part of a story, so Python's hash seed is
fixed, by starting again where it is not.
"""

import argparse
import logging
import os
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.probe_scenario import chosen
from tests.simulation.story import tell

EVERY = 5.0
"""Seconds between two lines of progress."""

logging.getLogger("nearzone").addHandler(logging.NullHandler())  # Failures are part of the stories.


@dataclass(frozen=True)
class Outcome:
    """What became of one seed. `seconds`: of processor time."""

    seed: int
    violations: tuple
    counts: dict
    seconds: float
    lines: tuple = ()


def play(seed, *, trace=False):
    """Play one seed."""
    warnings.simplefilter("ignore", RuntimeWarning)  # A process that dies leaves coroutines behind that never began.
    began = time.process_time()
    story = tell(seed, trace=trace)
    lines = tuple(story.trace.lines) if trace else ()
    return Outcome(seed, tuple(story.trace.violations), story.counts(), time.process_time() - began, lines)


def report(outcome):
    """Say what a seed has broken."""
    print(f"seed {outcome.seed} failed:", flush=True)
    for violation in outcome.violations[:5]:
        print(f"    {violation[:600]}")
    print(f"    replay: make simulate SEEDS=1 FIRST={outcome.seed} ARGS=--trace", flush=True)


def simulate(seeds, jobs, most):
    """Play seeds until so many have failed; gives the outcomes."""
    outcomes, failed, told = [], 0, time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        for outcome in pool.map(play, seeds, chunksize=4):
            outcomes.append(outcome)
            if outcome.violations:
                failed += 1
                report(outcome)
                if failed >= most:
                    pool.shutdown(cancel_futures=True)
                    break
            if time.monotonic() - told > EVERY:
                told = time.monotonic()
                print(f"{len(outcomes)} of {len(seeds)} seeds, {failed} failed", file=sys.stderr, flush=True)
    return outcomes


def summary(outcomes):
    """What all seeds together have seen."""
    total, seconds = Counter(), sum(outcome.seconds for outcome in outcomes)
    for outcome in outcomes:
        total.update(outcome.counts)
    failed = [outcome.seed for outcome in outcomes if outcome.violations]
    print(", ".join(f"{count:,} {what}" for what, count in total.items()))
    print(f"{len(outcomes):,} seeds, {seconds / len(outcomes):.2f} s of processor time each: {len(failed)} failed")
    return failed


def main():
    """Play, and say how it went: exit code 1 where a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first one")
    parser.add_argument("--only", type=int, nargs="+", metavar="SEED", help="these seeds instead")
    parser.add_argument("--probes", action="store_true", help="only seeds that draw probes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="stop after so many failed seeds")
    parser.add_argument("--trace", action="store_true", help="print everything that happens, of each seed")
    wanted = parser.parse_args()
    seeds = wanted.only or chosen(wanted.first, wanted.seeds, probes=wanted.probes)
    if wanted.trace:
        outcomes = [play(seed, trace=True) for seed in seeds]
        for outcome in outcomes:
            print("\n".join(outcome.lines))
            if outcome.violations:
                report(outcome)
    else:
        outcomes = simulate(seeds, wanted.jobs, wanted.most)
    return 1 if summary(outcomes) else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
