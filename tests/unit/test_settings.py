"""Settings: everything valid is understood, everything else is refused with its name, and all at once."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.config import parser as settings_parser
from shared.config import settings
from shared.domain.errors import BadSettings
from shared.domain.zones import Policy
from tests.support.values import EAST, OTHER_SUB, REGIONS, SUB, WEST, parsed, values, vm_id, zone_id

ZONE = {"id": zone_id(), "region": WEST}
BOX = {"name": "Box", "region": "West Europe", "addresses": ["10.9.0.2", "10.9.0.1"], "claims": ["Llama", "chat"]}
NAMES = ["ZONES", "SUBSCRIPTIONS", "CLAIMS", "OWNER", "MODE", "HOST_NAMES", "TTL", "HOST_TTL", "POLICIES", "LATENCY"]
NAMES += ["STATIC", "SWEEP_SCHEDULE", "DRAIN_SCHEDULE", "CLOUD", "NEVER_BY_WILDCARD"]


def faults(**changed):
    with pytest.raises(BadSettings) as refused:
        parsed(**changed)
    return refused.value.faults


def test_the_three_required_settings_are_enough_and_the_rest_has_the_documented_defaults():
    read = parsed()
    assert (read.owner, read.apply, read.host_names, read.ttl, read.host_ttl) == ("nearzone", True, True, 30, 300)
    assert read.policy("anything") == Policy(1, 0, frozenset(), (), "remove", None)
    assert read.cloud == settings.CLOUDS["public"]
    assert [str(n) for n in read.zones[0].reach] == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]


VALID = [
    # setting, value, what to look at, what it then is
    ("ZONES", [{"id": zone_id(), "region": "West Europe"}], lambda s: s.zones[0].region, "westeurope"),
    ("ZONES", [{**ZONE, "reach": ["10.1.0.0/16"]}], lambda s: str(s.zones[0].reach[0]), "10.1.0.0/16"),
    ("ZONES", [{**ZONE, "id": zone_id().upper()}], lambda s: s.zones[0].key, zone_id().lower()),
    ("ZONES", [{**ZONE, "public": True}], lambda s: s.zones[0].public, True),
    ("ZONES", [{**ZONE, "public": True, "reach": ["20.0.0.0/8"]}], lambda s: s.zones[0].public, True),
    ("ZONES", [{**ZONE, "reach": ["0.0.0.0/0"]}], lambda s: s.zones[0].public, False),
    ("ZONES", [{**ZONE, "reach": ["192.0.2.0/24"]}], lambda s: s.zones[0].ranges, ()),
    ("NEVER_BY_WILDCARD", None, lambda s: s.exact_only, {"wpad", "isatap"}),
    ("NEVER_BY_WILDCARD", "", lambda s: s.exact_only, {"wpad", "isatap"}),
    ("NEVER_BY_WILDCARD", [], lambda s: s.exact_only, set()),
    ("NEVER_BY_WILDCARD", ["WPAD", "gateway"], lambda s: s.exact_only, {"wpad", "gateway"}),
    ("SUBSCRIPTIONS", ["A" * 8 + SUB[8:], SUB], lambda s: sorted(s.subscriptions), [SUB, "a" * 8 + SUB[8:]]),
    ("OWNER", "team-a.prod_1", lambda s: s.owner, "team-a.prod_1"),
    ("MODE", "shadow", lambda s: s.apply, False),
    (
        "STATIC",
        [BOX],
        lambda s: [(e.id, e.own, e.tagged) for e in s.static],
        [("static/box", "box", ("chat", "llama"))],
    ),
    ("STATIC", [BOX], lambda s: [a.ip for a in s.static[0].addresses], ["10.9.0.1", "10.9.0.2"]),
    ("STATIC", [BOX], lambda s: s.static[0].region, "westeurope"),
    ("STATIC", [BOX | {"claims": []}], lambda s: s.static[0].names, frozenset({"box"})),
    ("STATIC", [BOX, BOX | {"name": "other"}], lambda s: len(s.static), 2),
    ("SWEEP_SCHEDULE", "0 0 3 * * MON-FRI", lambda s: s.sweep_schedule, "0 0 3 * * MON-FRI"),
    ("DRAIN_SCHEDULE", "*/15 * * * * *", lambda s: s.drain_schedule, "*/15 * * * * *"),
    (
        "CLOUD",
        "USGovernment",
        lambda s: (s.cloud.arm, s.cloud.audience),
        ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"),
    ),
    ("CLOUD", "china", lambda s: (s.cloud.arm, s.cloud.audience), ("https://management.chinacloudapi.cn",) * 2),
    ("MODE", " Apply ", lambda s: s.apply, True),
    ("HOST_NAMES", "False", lambda s: s.host_names, False),
    ("TTL", "1", lambda s: s.ttl, 1),
    ("TTL", "2147483647", lambda s: s.ttl, 2147483647),
    ("HOST_TTL", " 60 ", lambda s: s.host_ttl, 60),
    ("POLICIES", {"a": {"min_endpoints": 20}}, lambda s: s.policy("a").min_endpoints, 20),
    ("POLICIES", {"a": {"tolerance_ms": 2.5}}, lambda s: s.policy("a").tolerance_ms, 2.5),
    ("POLICIES", {"A": {"regions": ["East US"]}}, lambda s: s.policy("a").regions, frozenset({"eastus"})),
    (
        "POLICIES",
        {"a": {"fallback": ["10.0.0.2", "10.0.0.1"]}},
        lambda s: s.policy("a").fallback,
        ("10.0.0.1", "10.0.0.2"),
    ),
    ("POLICIES", {"a": {"when_empty": "keep"}}, lambda s: s.policy("a").when_empty, "keep"),
    ("POLICIES", {"a": {"ttl": 5}}, lambda s: s.policy("a").ttl, 5),
    ("LATENCY", {"East US": {"westeurope": 7}}, lambda s: dict(s.latency), {(EAST, WEST): 7}),
    ("CLOUD", {"arm": "http://127.0.0.1:80/", "audience": "https://x"}, lambda s: s.cloud.arm, "http://127.0.0.1:80"),
    ("CLOUD", {"arm": "https://arm.x", "audience": "https://x"}, lambda s: s.cloud.audience, "https://x"),
]


@pytest.mark.parametrize(("name", "value", "look", "expected"), VALID, ids=[f"{row[0]}-{row[1]}"[:60] for row in VALID])
def test_a_valid_setting_means_what_it_says(name, value, look, expected):
    assert look(parsed(**{name: value})) == expected


INVALID = [
    # setting, value, the element that the fault names
    ("STATIC", {}, ""),
    ("STATIC", ["x"], "[0]"),
    ("STATIC", [BOX | {"port": 80}], "[0].port"),
    ("STATIC", [{key: value for key, value in BOX.items() if key != "name"}], "[0].name[0]"),
    ("STATIC", [BOX | {"name": "a.b"}], "[0].name[0]"),
    ("STATIC", [BOX, BOX | {"name": "bOX"}], "[1].name"),
    ("STATIC", [BOX | {"region": 5}], "[0].region"),
    ("STATIC", [BOX | {"addresses": []}], "[0].addresses"),
    ("STATIC", [BOX | {"addresses": ["10.0.0.256"]}], "[0].addresses[0]"),
    ("STATIC", [BOX | {"addresses": [f"10.0.0.{n}" for n in range(21)]}], "[0].addresses"),
    ("STATIC", [BOX | {"claims": ["ok", "*"]}], "[0].claims[1]"),
    ("SWEEP_SCHEDULE", "0 99 * * * *", ""),
    ("ZONES", None, ""),
    ("ZONES", "[", ""),
    ("ZONES", [], ""),
    ("ZONES", {}, ""),
    ("ZONES", "[" * 100_000, ""),
    ("ZONES", ["x"], "[0]"),
    ("ZONES", [ZONE, {**ZONE, "regoin": "x"}], "[1].regoin"),
    ("ZONES", [{"region": WEST}], "[0].id"),
    ("ZONES", [{**ZONE, "id": "/subscriptions/x/y"}], "[0].id"),
    ("ZONES", [{**ZONE, "id": zone_id().replace(SUB, "no-guid")}], "[0].id"),
    ("ZONES", [{**ZONE, "id": zone_id() + "/A/x"}], "[0].id"),
    ("ZONES", [{"id": zone_id()}], "[0].region"),
    ("ZONES", [{**ZONE, "region": "west-europe!"}], "[0].region"),
    ("ZONES", [{**ZONE, "region": 5}], "[0].region"),
    ("ZONES", [{**ZONE, "reach": []}], "[0].reach"),
    ("ZONES", [{**ZONE, "reach": None}], "[0].reach"),
    ("ZONES", [{**ZONE, "reach": ["10.0.0.0/8", "10.0.0.1/8"]}], "[0].reach[1]"),
    ("ZONES", [{**ZONE, "reach": ["fd00::/8"]}], "[0].reach[0]"),
    ("ZONES", [ZONE, {**ZONE, "id": zone_id().lower()}], "[1].id"),
    ("ZONES", [{**ZONE, "public": "yes"}], "[0].public"),
    ("ZONES", [{**ZONE, "reach": ["10.0.0.0/8", "20.0.0.0/8"]}], "[0].reach[1]"),
    ("ZONES", [{**ZONE, "public": True, "reach": ["127.0.0.0/8"]}], "[0].reach[0]"),
    ("NEVER_BY_WILDCARD", {}, ""),
    ("NEVER_BY_WILDCARD", "[", ""),
    ("NEVER_BY_WILDCARD", ["wpad", "*"], "[1]"),
    ("SUBSCRIPTIONS", None, ""),
    ("SUBSCRIPTIONS", SUB, ""),
    ("SUBSCRIPTIONS", [SUB, "x"], "[1]"),
    ("SUBSCRIPTIONS", [5], "[0]"),
    ("SUBSCRIPTIONS", [SUB, SUB.upper()], "[1]"),
    ("STATIC", [BOX | {"addresses": ["10.9.0.1", "10.9.0.1"]}], "[0].addresses[1]"),
    ("CLAIMS", {"a": []}, '["a"]'),
    ("POLICIES", {"a": {"regions": []}}, '["a"].regions'),
    ("POLICIES", {"a": {"fallback": ["10.0.0.1", "10.0.0.1"]}}, '["a"].fallback[1]'),
    ("CLAIMS", None, ""),
    ("CLAIMS", {}, ""),
    ("CLAIMS", [SUB], ""),
    ("CLAIMS", {"a.b": [SUB]}, '["a.b"]'),
    ("CLAIMS", {"": [SUB]}, '[""]'),
    ("CLAIMS", {"[a]": [SUB]}, '["[a]"]'),
    ("CLAIMS", {"a": SUB}, '["a"]'),
    ("CLAIMS", {"a": [SUB, "rg"]}, '["a"][1]'),
    ("CLAIMS", {"a": [f"/subscriptions/{SUB}/resourceGroups/x/providers/y"]}, '["a"][0]'),
    ("OWNER", "two words", ""),
    ("OWNER", "x" * 65, ""),
    ("MODE", "on", ""),
    ("HOST_NAMES", "yes", ""),
    ("TTL", "0", ""),
    ("TTL", "2147483648", ""),
    ("TTL", "-1", ""),
    ("TTL", "1.5", ""),
    ("TTL", "٣", ""),
    ("TTL", "9" * 5000, ""),
    ("HOST_TTL", "x", ""),
    ("POLICIES", [], ""),
    ("POLICIES", {"a": 5}, '["a"]'),
    ("POLICIES", {"a b": {}}, '["a b"]'),
    ("POLICIES", {"a": {"tll": 5}}, '["a"].tll'),
    ("POLICIES", {"a": {"ttl": 0}}, '["a"].ttl'),
    ("POLICIES", {"a": {"ttl": True}}, '["a"].ttl'),
    ("POLICIES", {"a": {"min_endpoints": 0}}, '["a"].min_endpoints'),
    ("POLICIES", {"a": {"min_endpoints": 21}}, '["a"].min_endpoints'),
    ("POLICIES", {"a": {"min_endpoints": "2"}}, '["a"].min_endpoints'),
    ("POLICIES", {"a": {"tolerance_ms": -1}}, '["a"].tolerance_ms'),
    ("POLICIES", '{"a": {"tolerance_ms": NaN}}', '["a"].tolerance_ms'),
    ("POLICIES", {"a": {"regions": "eastus"}}, '["a"].regions'),
    ("POLICIES", {"a": {"regions": ["eastus", ""]}}, '["a"].regions[1]'),
    ("POLICIES", {"a": {"fallback": ["10.0.0.1", "10.0.0.256"]}}, '["a"].fallback[1]'),
    ("POLICIES", {"a": {"fallback": ["::1"]}}, '["a"].fallback[0]'),
    ("POLICIES", {"a": {"fallback": [f"10.0.0.{i}" for i in range(21)]}}, '["a"].fallback'),
    ("POLICIES", {"a": {"when_empty": "explode"}}, '["a"].when_empty'),
    ("LATENCY", [], ""),
    ("LATENCY", {"eastus": 5}, '["eastus"]'),
    ("LATENCY", {"east!": {"westus": 5}}, '["east!"]'),
    ("LATENCY", {"eastus": {"w!": 5}}, '["eastus"]["w!"]'),
    ("LATENCY", {"eastus": {"westus": "5"}}, '["eastus"]["westus"]'),
    ("LATENCY", {"eastus": {"westus": -1}}, '["eastus"]["westus"]'),
    ("SWEEP_SCHEDULE", "*/10 * * * *", ""),
    ("DRAIN_SCHEDULE", "0 0 0 * * $", ""),
    ("CLOUD", "moon", ""),
    ("CLOUD", {"arm": "https://x"}, ""),
    ("CLOUD", {"arm": "http://arm.example", "audience": "https://x"}, ""),
    ("CLOUD", {"arm": "ftp://127.0.0.1", "audience": "https://x"}, ""),
    ("CLOUD", {"arm": "http://[", "audience": "https://x"}, ""),
    ("CLOUD", {"arm": "https:", "audience": "https://x"}, ""),
    ("CLOUD", {"arm": "https://x", "audience": 5}, ""),
    ("CLAMS", {"*": [SUB]}, ""),
]


@pytest.mark.parametrize(("name", "value", "element"), INVALID, ids=lambda v: str(v)[:40])
def test_an_invalid_setting_is_refused_with_its_name_and_element(name, value, element):
    found = faults(**{name: value})
    assert [f for f in found if f.startswith(f"NEARZONE_{name}{element}: ")], found
    assert all(f.startswith(f"NEARZONE_{name}") and "expected" in f for f in found), "a fault is about something else"


def test_every_fault_of_every_setting_is_reported_at_once():
    broken = dict.fromkeys(NAMES, '"wrong wrong"') | {"MISSPELT": "x", "OWNER": "!", "CLAIMS": {"a.b": 1, "c": ["d"]}}
    named = {fault.split(":")[0] for fault in faults(**broken)}
    expected = {f"NEARZONE_{name}" for name in [*NAMES, "MISSPELT"]} - {"NEARZONE_CLAIMS"}
    assert named == expected | {'NEARZONE_CLAIMS["a.b"]', 'NEARZONE_CLAIMS["c"][0]'}


def test_a_fault_says_what_was_found_and_stays_readable_when_that_is_long():
    (fault,) = faults(MODE="x" * 5000)
    assert '"xxx' in fault
    assert len(fault) < 200


def test_settings_of_others_are_none_of_our_business():
    assert settings_parser.parse({**values(), "AzureWebJobsStorage": "x", "WEBSITE_NEARZONE": "y"}, REGIONS) == parsed()


def test_the_digest_does_not_depend_on_the_order_in_which_things_are_written():
    zones = [{**ZONE, "reach": ["10.1.0.0/16", "10.2.0.0/16"]}, {"id": zone_id("b"), "region": EAST}]
    turned = [zones[1], {**ZONE, "reach": ["10.2.0.0/16", "10.1.0.0/16"]}]
    rules = {"a": [SUB, OTHER_SUB], "b*": [SUB]}
    policies = {"a": {"regions": [EAST, WEST], "fallback": ["10.0.0.1", "10.0.0.2"]}, "b": {"ttl": 5}}
    other = {"b": {"ttl": 5}, "a": {"fallback": ["10.0.0.2", "10.0.0.1"], "regions": [WEST, EAST]}}
    one = parsed(ZONES=zones, SUBSCRIPTIONS=[SUB, OTHER_SUB], CLAIMS=rules, POLICIES=policies)
    rules = {"b*": [SUB], "a": [OTHER_SUB, SUB]}
    assert one.digest == parsed(ZONES=turned, SUBSCRIPTIONS=[OTHER_SUB, SUB], CLAIMS=rules, POLICIES=other).digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZONES", [{**ZONE, "region": EAST}]),
        ("ZONES", [{**ZONE, "reach": ["10.1.0.0/16"]}]),
        ("ZONES", [{**ZONE, "public": True}]),
        ("NEVER_BY_WILDCARD", ["wpad"]),
        ("SUBSCRIPTIONS", [SUB, OTHER_SUB]),
        ("STATIC", [BOX]),
        ("CLAIMS", {"*": [f"/subscriptions/{SUB}/resourceGroups/gpu"]}),
        ("OWNER", "other"),
        ("HOST_NAMES", "false"),
        ("TTL", "31"),
        ("HOST_TTL", "301"),
        ("POLICIES", {"a": {"regions": [EAST]}}),
        ("POLICIES", {"a": {"when_empty": "keep"}}),
        ("LATENCY", {EAST: {WEST: 1}}),
    ],
)
def test_the_digest_changes_with_every_setting_that_could_change_an_answer(name, value):
    assert parsed(**{name: value}).digest != parsed().digest


def test_the_digest_is_the_same_in_every_process():
    subscriptions = [SUB, *(f"{i:08x}{SUB[8:]}" for i in range(9))]
    given_to_all = {
        **values(
            SUBSCRIPTIONS=subscriptions, POLICIES={"a": {"regions": [EAST, WEST, "uksouth", "ukwest", "eastasia"]}}
        )
    }
    print_it = "import os; from tests.support.values import *; print(settings_parser.parse(os.environ, REGIONS).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", print_it],
            env={**given_to_all, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {settings_parser.parse(given_to_all, REGIONS).digest + "\n"}


def test_the_digest_does_not_change_when_only_the_mode_does():
    assert parsed(MODE="shadow").digest == parsed().digest


MAY_CLAIM = [
    # rules, name, endpoint, may it
    ({"*": [SUB]}, "llama", vm_id("a"), True),
    ({"*": [SUB]}, "llama", vm_id("a", subscription=OTHER_SUB), False),
    ({"*": [OTHER_SUB], "llama": [SUB]}, "llama", vm_id("a"), True),
    ({"*": [SUB], "llama": [OTHER_SUB]}, "llama", vm_id("a"), False),
    ({"*": [SUB], "ll*": [OTHER_SUB]}, "llama", vm_id("a"), False),
    ({"ll*": [OTHER_SUB], "*lama": [SUB]}, "llama", vm_id("a"), True),
    ({"l*": [SUB], "?l*": [OTHER_SUB]}, "llama", vm_id("a"), False),
    ({"gpt": [SUB]}, "llama", vm_id("a"), False),
    ({"lla": [SUB]}, "llama", vm_id("a"), False),
    ({"LLama": [SUB.upper()]}, "llama", vm_id("a").upper(), True),
    ({"*": [f"/subscriptions/{SUB}"]}, "llama", vm_id("a"), True),
    ({"*": [f"/subscriptions/{SUB}/resourceGroups/GPU/"]}, "llama", vm_id("a", "gpu"), True),
    ({"*": [f"/subscriptions/{SUB}/resourceGroups/gpu"]}, "llama", vm_id("a", "gpu-rogue"), False),
    ({"*": [OTHER_SUB, f"/subscriptions/{SUB}/resourceGroups/gpu"]}, "llama", vm_id("a", "gpu"), True),
    ({"*": [SUB], "wpa?": [SUB]}, "wpad", vm_id("a"), False),
    ({"*": [SUB], "wpad": [SUB]}, "wpad", vm_id("a"), True),
    ({"*": [SUB], "WPAD": [OTHER_SUB]}, "wpad", vm_id("a"), False),
]


@pytest.mark.parametrize(("rules", "name", "endpoint", "may"), MAY_CLAIM, ids=lambda v: str(v)[:60])
def test_the_most_specific_entry_alone_says_who_may_claim_a_name(rules, name, endpoint, may):
    assert parsed(CLAIMS=rules, SUBSCRIPTIONS=[SUB, OTHER_SUB]).may_claim(name, endpoint) is may


def test_of_equally_specific_globs_the_first_by_alphabet_wins_in_any_order():
    for patterns in (["l*a", "ll*"], ["ll*", "l*a"]):
        read = parsed(POLICIES={p: {"ttl": 100 + ord(p[1])} for p in patterns})
        assert read.policy("llama").ttl == 100 + ord("*")


def test_a_policy_is_not_merged_with_a_less_specific_one():
    read = parsed(POLICIES={"*": {"ttl": 5, "min_endpoints": 3}, "llama": {"ttl": 7}})
    assert (read.policy("llama").ttl, read.policy("llama").min_endpoints) == (7, 1)
    assert (read.policy("gpt").ttl, read.policy("gpt").min_endpoints) == (5, 3)


NEVER = ["0.0.0.0", "127.0.0.1", "169.254.169.254", "168.63.129.16", "224.0.0.251", "240.0.0.1", "255.255.255.255"]
ANYWHERE = [{**ZONE, "reach": ["0.0.0.0/0"]}]


def stated(ip):
    """The settings in which a person can write an address, and where it stands in each."""
    yield "STATIC", [BOX | {"addresses": ["10.9.0.1", ip]}], "[0].addresses[1]"
    yield "POLICIES", {"llama": {"fallback": ["10.9.0.1", ip]}}, '["llama"].fallback[1]'


@pytest.mark.parametrize("ip", NEVER)
def test_an_address_that_no_endpoint_can_have_is_a_fault_whatever_the_zones_say(ip):
    for name, value, place in stated(ip):
        for zones in (ANYWHERE, [ANYWHERE[0] | {"public": True}]):
            (fault,) = faults(ZONES=zones, **{name: value})
            assert fault.startswith(f'NEARZONE_{name}{place}: found "{ip}", expected an address that can be published;')


@pytest.mark.parametrize("ip", ["8.8.8.8", "192.0.2.1", "100.128.0.1", "172.32.0.1"])
def test_a_public_address_is_a_fault_unless_a_zone_says_public(ip):
    for name, value, place in stated(ip):
        (fault,) = faults(ZONES=ANYWHERE, **{name: value})
        assert fault == (
            f'NEARZONE_{name}{place}: found "{ip}", '
            'expected a private address, or "public": true in the zone\'s entry of NEARZONE_ZONES'
        )
        assert parsed(ZONES=[ZONE | {"id": zone_id("b")}, ANYWHERE[0] | {"public": True}], **{name: value})


TEXTS = st.one_of(
    st.text(max_size=30),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([SUB, WEST]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.text(max_size=5)
                | st.sampled_from(["id", "region", "reach", "a", "ttl", "fallback", "arm", "audience"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    ).map(json.dumps),
)


@given(st.dictionaries(st.sampled_from([f"NEARZONE_{n}" for n in NAMES]) | st.text(max_size=12), TEXTS, max_size=6))
@example({"NEARZONE_TTL": "9" * 5000})
@example({"NEARZONE_POLICIES": "[" * 100_000})
@example({"NEARZONE_CLOUD": '{"arm": "http://[", "audience": ""}'})
def test_no_mapping_of_text_makes_it_raise_anything_but_bad_settings(mapping):
    with suppress(BadSettings):
        assert settings_parser.parse({**values(), **mapping}, REGIONS).zones


def test_how_long_a_machine_without_a_health_report_is_held_back_is_a_number_of_minutes():
    assert parsed().health_wait_minutes == 15
    assert parsed(HEALTH_WAIT_MINUTES="5").health_wait_minutes == 5
    for wrong in ("0", "1441", "5m", "-1"):
        with pytest.raises(BadSettings) as error:
            parsed(HEALTH_WAIT_MINUTES=wrong)
        assert error.value.faults == (f'NEARZONE_HEALTH_WAIT_MINUTES: found "{wrong}", expected minutes, 1 to 1440',)


def test_a_management_group_may_stand_for_its_subscriptions_in_every_spelling():
    spelt = ("managementGroups/AI-Platform", "/providers/Microsoft.Management/managementGroups/ai-platform/")
    for each in spelt:
        found = parsed(SUBSCRIPTIONS=[each], CLAIMS={"llama": [each], "*": [SUB]})
        assert (found.groups, found.subscriptions) == ({"ai-platform"}, frozenset())
        other = found.with_members({"ai-platform": frozenset({OTHER_SUB, SUB})})
        assert other.subscriptions == {SUB, OTHER_SUB}
        assert other.may_claim("llama", vm_id("a", subscription=OTHER_SUB))
        assert not other.may_claim("phi", vm_id("a", subscription=OTHER_SUB))
        assert other.digest != found.with_members({"ai-platform": frozenset({SUB})}).digest


def test_a_claim_by_a_management_group_that_is_not_watched_is_a_fault():
    near = ["managementGroups/ai-platform"]
    (found,) = faults(SUBSCRIPTIONS=near, CLAIMS={"*": ["managementGroups/ai-platfrom"]})
    assert found.endswith("a management group of NEARZONE_SUBSCRIPTIONS; did you mean ai-platform?")
    (found,) = faults(CLAIMS={"*": ["managementGroups/other"]})
    assert found.startswith('NEARZONE_CLAIMS["*"][0]: found "managementGroups/other", expected a management group of ')
