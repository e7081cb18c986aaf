"""Round-trip times: Microsoft's matrix as it is shipped, and what operators override."""

from pathlib import Path

import pytest

from shared.decide import region_latency as latency

SHIPPED = Path(__file__).parents[2] / "shared" / "data" / "region_latency.csv"
SMALL = "source_region,destination_region,rtt_ms\neastus,westeurope,84\nwesteurope,eastus,85.5\n"


def test_a_region_is_no_time_away_from_itself_even_if_nobody_published_it():
    assert latency.parse(SMALL).ms("nowhere", "nowhere") == 0


def test_each_direction_has_its_own_time():
    read = latency.parse(SMALL)
    assert (read.ms("eastus", "westeurope"), read.ms("westeurope", "eastus")) == (84, 85.5)


def test_an_unpublished_pair_is_not_known_instead_of_zero():
    assert latency.parse(SMALL).ms("eastus", "mars") is None


def test_an_override_replaces_one_direction_and_adds_new_pairs():
    read = latency.parse(SMALL).with_pairs({("eastus", "westeurope"): 1.0, ("eastus", "mars"): 9.0})
    assert read.ms("eastus", "westeurope") == 1
    assert read.ms("westeurope", "eastus") == 85.5
    assert read.ms("eastus", "mars") == 9
    assert read.regions == {"eastus", "westeurope", "mars"}


@pytest.mark.parametrize("text", ["a,b\n1,2", SMALL + "x,y,fast\n", SMALL + "x,y\n"])
def test_text_that_is_no_matrix_is_refused(text):
    with pytest.raises((ValueError, KeyError, TypeError)):
        latency.parse(text)


def test_the_shipped_matrix_knows_the_large_regions_and_holds_only_plausible_times():
    read = latency.parse(SHIPPED.read_text())
    assert {"eastus", "westus", "westeurope", "francecentral", "southeastasia"} <= read.regions
    assert all(0 < ms < 1000 for ms in read.pairs.values())
    assert all(a.isalnum() and a.islower() and b.isalnum() and b.islower() for a, b in read.pairs)
    assert read.ms("westeurope", "francecentral") < read.ms("westeurope", "eastus") < read.ms("westeurope", "eastasia")
