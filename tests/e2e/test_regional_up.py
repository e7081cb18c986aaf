"""Three apps in three regions on one simulated Azure: each is on its own, and a stopped one comes back as it was."""

import stat

import pytest

from tests.support.regional import REGIONS, SERVING, regional

pytestmark = pytest.mark.timeout(150)

WEST, EAST, ASIA = REGIONS


@pytest.fixture(scope="module")
def apps():
    with regional() as started:
        yield started


def drains(apps):
    return {region: [each["target"] for each in apps.status(region)["drains"]] for region in REGIONS}


def test_three_apps_answer_each_with_its_own_zone_catalog_vantage_and_key(apps):
    assert set(apps.context) == set(apps.resolvers) == set(REGIONS)
    assert len({each["key"] for each in apps.context.values()}) == 3
    assert f"curl -s -X POST {apps.control}/apps/{ASIA}/stop\n" in apps.printed
    assert stat.S_IMODE(apps.config.stat().st_mode) == 0o600
    for region in REGIONS:
        status = apps.status(region)
        assert [zone["region"] for zone in status["zones"]] == [region]
        assert (status["catalog"]["kind"], status["catalog"]["account"]) == ("table", f"nz{region}")
        assert (status["probing"]["mode"], status["probing"]["vantage"]) == ("enforce", region)
    apps.until(["10.1.0.4", "10.1.0.5"], lambda: apps.ask(WEST, "llama-70b"))
    apps.until(["10.2.0.4", "10.2.0.5"], lambda: apps.ask(EAST, "llama-70b"))
    apps.until(["10.3.0.4"], lambda: apps.ask(ASIA, "llama-70b"))


def test_a_drain_sent_to_two_of_three_apps_leaves_the_third_as_it_is_and_survives_a_restart(apps):
    for region in (WEST, EAST):
        apps.resync(region, drain={"region": EAST, "minutes": 30}, reason="maintenance")
    apps.until([], lambda: [each for each in apps.ask(WEST, "mistral-7b") if each.startswith("10.2.")])
    apps.until(["10.1.0.4", "10.1.0.5"], lambda: apps.ask(EAST, "llama-70b"))
    assert drains(apps) == {WEST: [EAST], EAST: [EAST], ASIA: []}
    apps.until(["10.2.3.4"], lambda: apps.ask(ASIA, "rerank"))  # Its zone still answers with the drained region.
    given, address = apps.status(EAST)["drains"], apps.context[EAST]

    apps.settle(EAST)
    apps.stop(EAST)
    apps.stop(EAST)  # The second call changes nothing.
    assert apps.running() == [WEST, ASIA]
    with pytest.raises(OSError, match="refused"):
        apps.status(EAST)
    assert apps.status(WEST)["drains"], "the others still answer"
    apps.arm(f"{SERVING}/llama-weu-2", "deallocate")
    apps.until(["10.1.0.4"], lambda: apps.ask(WEST, "llama-70b"))
    assert apps.ask(EAST, "llama-70b") == ["10.1.0.4", "10.1.0.5"], "without its app the zone stays"

    apps.start(EAST)
    assert apps.status(EAST)["drains"] == given
    assert apps.context[EAST] == address
    apps.resync(EAST)
    apps.until(["10.1.0.4"], lambda: apps.ask(EAST, "llama-70b"))
    apps.resync(EAST, undrain={"region": EAST})
    apps.until(["10.2.0.4", "10.2.0.5"], lambda: apps.ask(EAST, "llama-70b"))


def test_an_event_reaches_every_app(apps):
    apps.arm(f"{SERVING}/embed-sea-1", "deallocate")
    for region in REGIONS:
        apps.until(["10.1.0.7"], lambda region=region: apps.ask(region, "embed"))
        assert apps.status(region)["events"]["accepted"] >= 1
