"""Broken on purpose: each variant takes away one thing that the app must not lack, and the simulation has to notice.

    python -m tests.simulation.mutants [--only WORDS] [--seeds 300] [--jobs 2]

A variant is a small replacement in a copy of the tree, in which the same command then runs until the first seed that
fails. A replacement whose old text is gone is an error: the text has changed, and the variant has to follow. So that
nothing counts as caught which fails without being broken, the tree as it is plays the same seeds first.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.mutations import VARIANTS
from tests.simulation.probe_scenario import chosen

ROOT = Path(__file__).parents[2]
TREE = ("benchmarks", "shared", "simulator", "tests")
FAILED = re.compile(r"seed (\d+) failed:\n +[\d.]+ +([^:\n]+)")


@dataclass(frozen=True)
class Result:
    """The first seed that failed and the promise that it broke; None: none did."""

    seed: int | None
    promise: str


def simulate(tree, seeds, jobs, *, probes=False):
    """Play seeds in a tree until the first one that fails."""
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(seeds), "--jobs", str(jobs), "--most", "1"]
    command += ["--probes"] * probes
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    found = FAILED.search(done.stdout)
    if done.returncode and not found:
        raise SystemExit(f"the simulation itself broke:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Result(int(found[1]), found[2]) if found else Result(None, "")


def broken(variant):
    """The files with their replacement made. Raises SystemExit where an old text is not there exactly once."""
    found = {}
    for file, old, new in filter(None, [(variant.file, variant.old, variant.new), variant.also]):
        text = (ROOT / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{variant.name}: its old text is in {file} {text.count(old)} times, not once")
        found[file] = text.replace(old, new)
    return found


def copied(folder):
    """A copy of what the simulation needs."""
    for name in TREE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def main():
    """Break, simulate, tell; exit code 1 where a variant was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORDS", help="only variants whose name holds this")
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="how many seeds each gets")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    wanted = parser.parse_args()
    texts = {variant: broken(variant) for variant in VARIANTS if wanted.only in variant.name}
    escaped, longest = [], {False: 0, True: 0}
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary)
        copied(tree)
        for variant, files in texts.items():
            for file, text in files.items():
                (tree / file).write_text(text, encoding="utf-8")
            found = simulate(tree, wanted.seeds, wanted.jobs, probes=variant.probes)
            for file in files:
                shutil.copyfile(ROOT / file, tree / file)
            if found.seed is None:
                escaped.append(variant.name)
            took = 0 if found.seed is None else len(chosen(0, found.seed + 1, probes=variant.probes, last=found.seed))
            longest[variant.probes] = max(longest[variant.probes], took)
            print(f"{took or 'not':>5}  {variant.name:60} {found.promise}", flush=True)
        whole_tree = [simulate(tree, count, wanted.jobs, probes=probes) for probes, count in longest.items() if count]
        for found in whole_tree:
            print(f"{'':5}  as it is{'' if found.seed is None else f': seed {found.seed} fails, {found.promise}'}")
    if escaped:
        print(f"not caught within {wanted.seeds} seeds: {', '.join(escaped)}")
    return 1 if escaped or any(found.seed is not None for found in whole_tree) else 0


if __name__ == "__main__":
    sys.exit(main())
