"""The model of the protocol: small scenarios hold, and each broken rule is caught. `make model` explores all."""

import pytest

from tests.protocol.broken import VARIANTS
from tests.protocol.explore import explore
from tests.protocol.scenarios import SCENARIOS

SMALL = (
    "a new address",
    "there and back",
    "two requests",
    "names join and leave",
    "two endpoints",
    "a record set read ahead",
    "a foreign record set",
    "shared: there and back",
    "shared: names join and leave",
    "thrifty: there and back",
    "404: a new endpoint",
    "404: delete and create",
    "lost: one sweep",
    "lost: a name is left",
    "lost: again",
    "deferred: there and back",
    "deferred: a claim and a stop",
    "bad row: a stop",
    "probes: one may be down",
    "probes: all may be down",
    "probes: two probers",
    "probes: only watched",
    "probes: a new address",
    "probes: a claim",
    "probes: a sweep",
    "waiting: two rounds",
    "distances: name by name",
)
"""Each takes less than a second of processor time."""


@pytest.mark.parametrize("name", SMALL)
def test_the_protocol_holds_in_every_reachable_state(name):
    scenario = next(each for each in SCENARIOS if each.name == name)
    found = explore(scenario)
    assert found.whole
    assert found.rests > 0
    assert not found.broken, "\n".join((found.broken, *found.trace))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_protocol_with_one_rule_broken_is_caught(variant):
    found = explore(variant.scenario)
    assert found.broken
    assert found.trace
