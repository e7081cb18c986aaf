"""The command: explore every scenario, and see every broken variant caught.

python -m tests.protocol [--only WORDS] [--jobs 2] [--trace]
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.protocol.broken import VARIANTS
from tests.protocol.explore import explore
from tests.protocol.scenarios import SCENARIOS


def told(name, result, wrong, trace):
    """One line, and the way to a broken promise where it should not be broken or was asked for."""
    size = f"{result.states:>8,} states {result.steps:>10,} steps {result.seconds:5.1f} s"
    print(f"{size}  {name:62} {verdict(result)}", flush=True)
    if result.broken and (wrong or trace):
        print("".join(f"{'':12}{step}\n" for step in result.trace), end="")


def verdict(result):
    """What the exploration has shown."""
    if result.broken:
        return f"{result.broken} (step {len(result.trace)})"
    return "holds" if result.whole else "NOT ALL STATES WERE SEEN"


def main():
    """Explore; exit code 1 where a promise is broken, or a broken variant is not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocol", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORDS", help="only what has this in its name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--trace", action="store_true", help="show how each variant breaks its promise")
    wanted = parser.parse_args()
    scenarios = [each for each in SCENARIOS if wanted.only in each.name]
    variants = [each for each in VARIANTS if wanted.only in each.name]
    failed, states = [], 0
    with ProcessPoolExecutor(wanted.jobs) as pool:
        for scenario, result in zip(scenarios, pool.map(explore, scenarios), strict=True):
            wrong = bool(result.broken) or not result.whole
            told(scenario.name, result, wrong, trace=False)
            failed += [scenario.name] if wrong else []
            states += result.states
        print("\nbroken on purpose")
        for variant, result in zip(variants, pool.map(explore, [each.scenario for each in variants]), strict=True):
            told(
                f"{variant.name}, caught by: {variant.by}" if result.broken else variant.name,
                result,
                False,
                wanted.trace,
            )
            failed += [] if result.broken else [f"{variant.name} (not caught)"]
    print(f"\n{states:,} states of {len(scenarios)} scenarios, {len(variants)} broken variants")
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
