"""How the app probes: times, mode and vantage, policies that speak of probes, and the digest."""

import json
from ipaddress import IPv4Network

import pytest

from shared.config import parser as settings_parser
from shared.config.settings import Probing
from shared.domain.errors import BadSettings
from shared.domain.zones import Policy
from tests.support.values import EAST, REGIONS, WEST, parsed, values, zone_id

TWO_REGIONS = [{"id": zone_id("one"), "region": WEST}, {"id": zone_id("two"), "region": EAST}]
VLLM = {"kind": "vllm"}
HTTP = {"kind": "http", "port": 8080}
CUSTOM_CLOUD = {"arm": "http://127.0.0.1:1", "audience": "https://x"}


def faults(environment=None, **changed):
    with pytest.raises(BadSettings) as refused:
        settings_parser.parse(values(**changed) | (environment or {}), REGIONS)
    return list(refused.value.faults)


PROBING = [
    # the setting, what it means
    (None, Probing(vantage=WEST)),
    ("", Probing(vantage=WEST)),
    ({"mode": "observe"}, Probing(vantage=WEST)),
    ({"mode": "enforce"}, Probing(enforce=True, vantage=WEST)),
    ({"vantage": "East US"}, Probing(vantage=EAST)),
    ({"timeout": 9, "connect_timeout": 8.5}, Probing(vantage=WEST, timeout=9, connect_timeout=8.5)),
    ({"timeout": 0.2, "connect_timeout": 0.1}, Probing(vantage=WEST, timeout=0.2, connect_timeout=0.1)),
    ({"down_after": 1, "up_after": 20}, Probing(vantage=WEST, down_after=1, up_after=20)),
    ({"stale_after": 30}, Probing(vantage=WEST, stale_after=30)),
    ({"stale_after": 3600}, Probing(vantage=WEST, stale_after=3600)),
    ({"hold": [0, 0]}, Probing(vantage=WEST, hold=(0, 0))),
    ({"never": []}, Probing(vantage=WEST)),
    (
        {"never": ["10.9.1.0/24", "10.9.0.0/26"]},
        Probing(vantage=WEST, never=(IPv4Network("10.9.0.0/26"), IPv4Network("10.9.1.0/24"))),
    ),
    ({"hold": [60, 3600]}, Probing(vantage=WEST, hold=(60, 3600))),
    ({"slow_start": 0}, Probing(vantage=WEST, slow_start=0)),
    ({"slow_start": 3600}, Probing(vantage=WEST, slow_start=3600)),
    ({"dwell": [0, 86400]}, Probing(vantage=WEST, dwell=(0, 86400))),
]


@pytest.mark.parametrize(("value", "expected"), PROBING, ids=[str(value) for value, _ in PROBING])
def test_how_the_app_probes(value, expected):
    assert parsed(PROBES={"a": VLLM}, PROBING=value).probing == expected


BAD_PROBING = [
    # the setting, the field that the fault names, a part of what is expected
    ([], "", "a JSON object"),
    ({"modes": "observe"}, ".modes", "one of the fields connect_timeout, down_after, dwell, hold, mode, "),
    ({"never": "10.9.0.0/26"}, ".never", "a list, each an IPv4 network such as 10.9.0.0/26"),
    ({"never": ["10.9.0.1/26"]}, ".never[0]", "an IPv4 network such as 10.9.0.0/26"),
    ({"never": ["fd00::/64"]}, ".never[0]", "an IPv4 network such as 10.9.0.0/26"),
    ({"never": ["10.9.0.0/26", "10.9.0.0/26"]}, ".never[1]", "no duplicates"),
    ({"enforce": True}, ".enforce", "one of the fields"),
    *(({"mode": mode}, ".mode", "observe or enforce") for mode in ("on", True, None, ["enforce"])),
    ({"vantage": "westeurop"}, ".vantage", "did you mean westeurope?"),
    ({"vantage": 5}, ".vantage", "an Azure region"),
    *(({"timeout": t}, ".timeout", "seconds, 0.1 to 9") for t in (0, 9.5, "5", True, None)),
    *(({"connect_timeout": t}, ".connect_timeout", "seconds, 0.1 to 9") for t in (0, 10, "3", False)),
    ({"timeout": 3}, ".connect_timeout", "less than the timeout of 3 s"),
    ({"connect_timeout": 5}, ".connect_timeout", "less than the timeout of 5 s"),
    *(({"down_after": n}, ".down_after", "1 to 20") for n in (0, 21, 1.0, True, "3")),
    *(({"up_after": n}, ".up_after", "1 to 20") for n in (0, 21, None)),
    *(({"stale_after": s}, ".stale_after", "seconds, 30 to 3600") for s in (29, 3601, "60")),
    *(
        ({"hold": hold}, ".hold", "ascending, 0 to 3600")
        for hold in ([], [30], [300, 30], [-1, 5], [1, 3601], [1, 2, 3], ["1", 2], [True, 2], 30, None)
    ),
    *(({"slow_start": s}, ".slow_start", "seconds, 0 to 3600") for s in (-1, 3601, "60")),
    *(({"dwell": s}, ".dwell", "ascending, 0 to 86400") for s in (600, [600, 120], [0, 86401], None)),
]


@pytest.mark.parametrize(("value", "field", "expected"), BAD_PROBING, ids=[str(row[:2])[:70] for row in BAD_PROBING])
def test_bad_probing_is_one_fault_with_the_name_of_its_field(value, field, expected):
    (fault,) = faults(PROBES={"a": VLLM}, PROBING=value)
    assert fault.startswith(f"NEARZONE_PROBING{field}: found ")
    assert expected in fault


def test_numbers_that_json_allows_and_no_clock_has_are_faults():
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400):
        (fault,) = faults(PROBING=f'{{"timeout": {number}, "connect_timeout": 0.1}}')
        assert fault.startswith("NEARZONE_PROBING.timeout: ")
        (fault,) = faults(PROBING=f'{{"hold": [0, {number}]}}')
        assert fault.startswith("NEARZONE_PROBING.hold: ")


STALE = [
    # schedule, stale_after, whether a round can renew the verdicts
    ("*/15 * * * * *", 30, True),
    ("*/30 * * * * *", 60, True),
    ("*/30 * * * * *", 59, False),
    ("0 * * * * *", 120, True),
    ("0 * * * * *", 119.9, False),
    ("0,50 * * * * *", 99, False),
    ("0,50 * * * * *", 100, True),
]


@pytest.mark.parametrize(("schedule", "stale_after", "fine"), STALE)
def test_verdicts_outlive_two_intervals_of_the_schedule(schedule, stale_after, fine):
    changed = {"PROBE_SCHEDULE": schedule, "PROBING": {"stale_after": stale_after}}
    if fine:
        read = parsed(**changed)
        assert (read.probe_schedule, read.probing.stale_after) == (schedule, stale_after)
        return
    (fault,) = faults(**changed)
    assert fault.startswith(f"NEARZONE_PROBING.stale_after: found {stale_after:.1f}, expected at least ")


def test_a_schedule_that_no_stale_after_fits_is_one_fault_of_the_schedule():
    expected = "expected an interval of at most 30 minutes between two rounds"
    for stale_after in (60, 3600):
        assert faults(PROBE_SCHEDULE="0 0 * * * *", PROBING={"stale_after": stale_after}) == [
            f'NEARZONE_PROBE_SCHEDULE: found "0 0 * * * *", {expected}'
        ]
    assert parsed(PROBE_SCHEDULE="0 */30 * * * *", PROBING={"stale_after": 3600}).probe_schedule == "0 */30 * * * *"


def test_a_kind_whose_answer_takes_long_needs_a_timeout_that_is_long_enough():
    slow = {"a": {"kind": "sglang"}}
    assert faults(PROBES=slow, PROBING={"timeout": 4.9}) == [
        "NEARZONE_PROBING.timeout: found 4.9, expected at least 5 s for the kind sglang"
    ]
    assert parsed(PROBES=slow, PROBING={"timeout": 5}).probing.timeout == 5
    assert parsed(PROBES={"a": VLLM}, PROBING={"timeout": 4.9}).probing.timeout == 4.9


VANTAGES = [
    # NEARZONE_PROBING.vantage, REGION_NAME, zones, the vantage
    ("East US", "West Europe", TWO_REGIONS, EAST),
    (None, "West Europe", TWO_REGIONS, WEST),
    (None, "westeurope", TWO_REGIONS, WEST),
    (None, "East US", TWO_REGIONS[:1], EAST),
    (None, None, TWO_REGIONS[:1], WEST),
    (None, "", TWO_REGIONS[1:], EAST),
    (None, "A region that is new", TWO_REGIONS[1:], EAST),
]


@pytest.mark.parametrize(("stated", "region", "zones", "expected"), VANTAGES)
def test_the_vantage_is_the_stated_one_else_the_app_s_region_else_the_only_one_of_the_zones(
    stated, region, zones, expected
):
    probing = {"vantage": stated} if stated else {}
    given = values(PROBES={"a": VLLM}, PROBING=probing, ZONES=zones) | ({"REGION_NAME": region} if region else {})
    assert settings_parser.parse(given, REGIONS).probing.vantage == expected


@pytest.mark.parametrize("region", ["", "A region that is new"])
def test_without_any_of_them_the_fault_names_the_field_and_only_probes_need_it(region):
    environment = {"REGION_NAME": region}
    found = f"no region in REGION_NAME ({json.dumps(region)}), and zones of 2 regions"
    assert faults(environment, PROBES={"a": VLLM}, ZONES=TWO_REGIONS) == [
        f"NEARZONE_PROBING.vantage: found {found}, expected the region that this app probes from"
    ]
    assert settings_parser.parse(values(ZONES=TWO_REGIONS) | environment, REGIONS).probing == Probing()


POLICIES = [
    ({}, ("measured", 0)),
    ({"distance": "published"}, ("published", 0)),
    ({"distance": "measured", "wait_minutes": 1440}, ("measured", 1440)),
    ({"wait_minutes": 0}, ("measured", 0)),
]


@pytest.mark.parametrize(("policy", "expected"), POLICIES)
def test_a_policy_may_speak_of_probes_with_and_without_any(policy, expected):
    for probes in ({}, {"a": VLLM}):
        read = parsed(POLICIES={"a": policy}, PROBES=probes).policy("a")
        assert (read.distance, read.wait_minutes) == expected


BAD_POLICIES = [
    *(
        ({"distance": text}, ".distance", "measured or published")
        for text in ("Measured", "", None, True, ["measured"])
    ),
    *(({"wait_minutes": n}, ".wait_minutes", "0 to 1440") for n in (-1, 1441, 1.0, "5", True, None)),
]


@pytest.mark.parametrize(("policy", "field", "expected"), BAD_POLICIES)
def test_a_bad_field_of_a_policy_is_one_fault_with_its_name(policy, field, expected):
    (fault,) = faults(POLICIES={"a": policy})
    assert fault.startswith(f'NEARZONE_POLICIES["a"]{field}: found ')
    assert expected in fault


def test_the_simulated_network_is_on_loopback_only():
    assert parsed(CLOUD=CUSTOM_CLOUD).cloud.probe_gateway == ""
    assert parsed(CLOUD="public").cloud.probe_gateway == ""
    assert parsed(CLOUD=CUSTOM_CLOUD | {"probe_gateway": "127.0.0.1:8702"}).cloud.probe_gateway == "127.0.0.1:8702"


GATEWAYS = ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "10.0.0.1:80", "0.0.0.0:80", "localhost:80", "a:80"]
GATEWAYS += ["127.0.0.1:80\n", "http://127.0.0.1:80", "127.0.0.1:80/", "127.0.0.1.example:80", "", 80, None, True]


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_any_other_gateway_is_a_fault_with_its_name(gateway):
    (fault,) = faults(CLOUD=CUSTOM_CLOUD | {"probe_gateway": gateway})
    assert fault.startswith("NEARZONE_CLOUD.probe_gateway: found ")


def test_settings_of_probes_change_neither_the_digest_nor_a_policy_while_nothing_is_probed():
    plain, set_up = parsed(), parsed(PROBING={"mode": "enforce", "vantage": EAST}, PROBE_SCHEDULE="*/20 * * * * *")
    assert set_up.digest == plain.digest
    assert parsed(PROBES={}).digest == plain.digest
    with_policy = {"POLICIES": {"a": {"ttl": 5}}}
    waiting = {"POLICIES": {"a": {"ttl": 5, "distance": "published", "wait_minutes": 5}}}
    assert parsed(**with_policy).digest == parsed(**waiting).digest
    assert parsed().policy("a") == Policy()


DIGESTED = [
    {"PROBES": {"a": HTTP}},
    {"PROBES": {"b": VLLM}},
    {"PROBES": {"a": VLLM | {"port": 8001}}},
    {"PROBING": {"mode": "enforce"}},
    {"PROBING": {"vantage": EAST}},
    {"POLICIES": {"a": {"distance": "published"}}},
]


@pytest.mark.parametrize("changed", DIGESTED)
def test_with_probes_the_digest_changes_with_what_could_change_an_answer(changed):
    base = {"PROBES": {"a": VLLM}, "POLICIES": {"a": {}}}
    assert parsed(**base | changed).digest != parsed(**base).digest
