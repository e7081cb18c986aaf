"""Many instances, crashes, freezes and faults, by seeds: what `make simulate` does thousands of times, a few times.

In a process of its own: there, equal seeds give equal stories whatever the order of sets is in this one.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.mutants import broken
from tests.simulation.mutations import VARIANTS

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
FIRST = (0, 4)
WITH_A_TABLE = (15,)
REGRESSIONS = (24, 36, 56, 78, 121, 157, 196, 205, 262, 290, 513, 640)
"""Seeds that have failed once, on the app or on one of its broken variants."""
WITH_BALANCERS = (11, 18)
"""Whose claims name parts, and whose pools run empty."""
WITH_RESOURCE_GRAPH = (26, 89, 138)
"""All but the first one have failed once."""
WITH_PROBES = (6, 33, 61, 90, 104, 146, 159)
"""The second one has troubles that last for minutes; those after it have failed once."""


def simulated(*arguments):
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "seeds",
    [FIRST, WITH_A_TABLE, WITH_BALANCERS, REGRESSIONS[:6], REGRESSIONS[6:], WITH_PROBES, WITH_RESOURCE_GRAPH],
    ids=[
        "first",
        "with a table",
        "with load balancers",
        "regressions",
        "more regressions",
        "with probes",
        "with Resource Graph",
    ],
)
def test_no_promise_is_broken(seeds):
    done = simulated("--only", *seeds)
    assert done.returncode == 0, done.stdout
    assert f"{len(seeds)} seeds" in done.stdout, done.stdout


def test_equal_seeds_give_equal_stories():
    one, other = (simulated("--only", 0, "--trace").stdout for _ in range(2))
    stories = [re.sub(r"[\d.]+ s of processor time", "", text) for text in (one, other)]
    assert len(one.splitlines()) > 500
    assert stories[0] == stories[1]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_broken_variant_still_fits_its_files(variant):
    for file, text in broken(variant).items():
        compile(text, file, "exec")


def test_the_reliability_page_has_every_mutant_and_no_other():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    mutants = page.split("\n## Mutants\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ")[0] for line in mutants.splitlines() if line.startswith("| ")]
    stated = [re.sub(r" \(\d{4}-\d\d-\d\d\)$", "", row) for row in rows if row != "mutant" and row.strip("-")]
    assert sorted(stated) == sorted(variant.name for variant in VARIANTS)
