"""`python -m benchmarks [--only NAME] [--quick]`: run the scenarios, check their goals, store the results."""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import results
from benchmarks.harness import NAMES, Scenario, judge, progress_logger


def main() -> int:
    """Return 1 if a goal was missed at full size, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="run this scenario alone; the others' results stay")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a try: nothing is written")
    arguments = parser.parse_args()
    found = {}
    for name in [arguments.only] if arguments.only else NAMES:
        scenario: Scenario = importlib.import_module(f"benchmarks.{name}").SCENARIO
        say = progress_logger(name)
        say(scenario.about)
        found[name] = judge(scenario, scenario.run(arguments.quick, say))
        if not arguments.quick:
            results.keep(name, found[name])
        say("done")
    results.show(found)
    if not arguments.quick:
        results.document()
    held = all(figure["holds"] for figures in found.values() for figure in figures.values())
    return 0 if held or arguments.quick else 1


if __name__ == "__main__":
    sys.exit(main())
