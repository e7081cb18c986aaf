"""Fuzz what comes in from outside: `python -m tests.fuzz --inputs 1000000 --seed 1 --jobs 2`.

Prints progress and a summary; ends with 1 where a promise was broken. The same seed and number give the same inputs,
whatever the number of jobs.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.rounds import play
from tests.fuzz.targets import plain

ROUND = 50_000
"""Inputs that are played in one process: enough for what stays in memory to show."""
SHOWN = 2000
"""Characters of an input that broke a promise."""


def main():
    """Play all rounds and tell what became of them."""
    asked = _arguments()
    sizes = [min(ROUND, asked.inputs - start) for start in range(0, asked.inputs, ROUND)]
    begun, tallies = time.monotonic(), []
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.jobs, mp_context=fresh, max_tasks_per_child=1) as pool:
        rounds = [pool.submit(play, size, f"{asked.seed} {number}") for number, size in enumerate(sizes)]
        for done in as_completed(rounds):
            tallies.append(done.result())
            played, failed = sum(map(_played, tallies)), sum(len(tally.failures) for tally in tallies)
            _say(f"{played:>10,} inputs, {failed} failures, {time.monotonic() - begun:.0f} s")
    return _tell(tallies, time.monotonic() - begun)


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def _say(line):
    sys.stdout.write(line.encode(errors="backslashreplace").decode() + "\n")
    sys.stdout.flush()


def _played(tally):
    return sum(count for (kind, _), count in tally.outcomes.items() if kind != "batch")


def _tell(tallies, seconds):
    outcomes = sum((tally.outcomes for tally in tallies), Counter())
    for (kind, outcome), count in sorted(outcomes.items(), key=lambda each: (each[0][0], -each[1])):
        _say(f"{kind:>10} {count:>9,}  {outcome}")
    played, cpu = sum(map(_played, tallies)), sum(tally.cpu for tally in tallies)
    _say(f"{played:,} inputs in {seconds:.0f} s: {played / seconds:,.0f}/s; {played / cpu:,.0f} in a processor second")
    slowest, kind = max(tally.slowest for tally in tallies)
    _say(f"slowest input: {slowest:.2f} s of processor time ({kind})")
    before, after = max((tally.resident for tally in tallies), key=lambda size: size[1] - size[0])
    kept, of = max(tally.kept for tally in tallies)
    _say(f"memory: at most {kept} blocks stay, of {of:,} inputs; the process that grew most had {before:.0f} MB")
    _say(f"  after a third of its inputs and {after:.0f} MB after all")
    failures = [failure for tally in tallies for failure in tally.failures]
    _say(f"promises broken: {len(failures)}")
    # One input of each sort of failure is enough to read.
    distinct = {(kind, plain(error)): (error, given) for kind, error, given in failures}
    for (kind, _), (error, given) in sorted(distinct.items()):
        _say(f"\n{kind}: {error}\n  {ascii(given)[:SHOWN]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
