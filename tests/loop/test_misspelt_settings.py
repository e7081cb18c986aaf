"""A word that can match nothing is refused, and the nearest spelling named: settings at start, orders at once."""

import json

import pytest

from shared.bootstrap import build
from shared.config import parser as settings_parser
from shared.config.region_names import added_regions
from shared.domain.errors import BadRequest, BadSettings
from tests.support.deployment import Token, a_vm, a_world, run_scenario
from tests.support.values import EAST, OTHER_SUB, REGIONS, SUB, WEST, parsed, values, zone_id

BOX = {"name": "box", "region": WEST, "addresses": ["10.9.0.1"]}
NEW = "(a region that is not in the table of round-trip times needs a distance in NEARZONE_LATENCY)"
SIMILAR = "(a new region of so similar a name needs a distance to itself: "
SCOPE = "a subscription id, /subscriptions/ID/resourceGroups/NAME or managementGroups/NAME, without wildcards"
WATCHED = "a subscription of NEARZONE_SUBSCRIPTIONS, or a resource group in one"
PATTERN = "a DNS label or a glob of one ('*', '?')"
GROUPS = f"/subscriptions/{SUB}/resourceGroups"
NEAR_SUB = f"{SUB[:-1]}2"


def faults(**changed):
    with pytest.raises(BadSettings) as refused:
        parsed(**changed)
    return list(refused.value.faults)


def zones(*regions):
    return [{"id": zone_id(f"dns-{i}"), "region": region} for i, region in enumerate(regions)]


MISSPELT = [
    # setting, value, where the fault is, what was found, what is expected
    (
        "POLICIES",
        {"a": {"regions": ["eastu"]}},
        '["a"].regions[0]',
        "eastu",
        f"an Azure region; did you mean eastus? {NEW}",
    ),
    (
        "POLICIES",
        {"*": {"regions": [WEST, "East Uss"]}},
        '["*"].regions[1]',
        "East Uss",
        f"an Azure region; did you mean eastus? {NEW}",
    ),
    (
        "ZONES",
        zones(EAST, "westerneurope"),
        "[1].region",
        "westerneurope",
        f"an Azure region; did you mean westeurope? {NEW}",
    ),
    ("STATIC", [BOX, BOX | {"name": "other", "region": "Mars"}], "[1].region", "Mars", f"an Azure region {NEW}"),
    (
        "LATENCY",
        {"eastu": {WEST: 80}},
        '["eastu"]',
        "eastu",
        f'an Azure region; did you mean eastus? {SIMILAR}{{"eastu": {{"eastu": 0}}}})',
    ),
    (
        "LATENCY",
        {"East US": {"Eats US": 8}},
        '["East US"]["Eats US"]',
        "Eats US",
        f'an Azure region; did you mean eastus? {SIMILAR}{{"eatsus": {{"eatsus": 0}}}})',
    ),
    (
        "LATENCY",
        {"East US": {WEST: 80}, EAST: {WEST: 90}},
        f'["{EAST}"]["{WEST}"]',
        WEST,
        "each pair of regions once, in any spelling",
    ),
    ("LATENCY", {"atlantis": {}}, '["atlantis"]', "atlantis", f"an Azure region {NEW}"),
    ("CLAIMS", {"*": [f"{GROUPS}/ai-*"]}, '["*"][0]', f"{GROUPS}/ai-*", SCOPE),
    ("CLAIMS", {"*": [f"{GROUPS}/ai-?"]}, '["*"][0]', f"{GROUPS}/ai-?", SCOPE),
    ("CLAIMS", {"a": [SUB, NEAR_SUB]}, '["a"][1]', NEAR_SUB, f"{WATCHED}; did you mean {SUB}?"),
    ("CLAIMS", {"a-": [SUB]}, '["a-"]', "a-", PATTERN),
    ("POLICIES", {"-*": {}}, '["-*"]', "-*", PATTERN),
    (
        "POLICIES",
        {"lama": {}, "*-v?": {}},
        '["lama"]',
        "lama",
        "a name that NEARZONE_CLAIMS permits, or one of NEARZONE_STATIC; did you mean llama?",
    ),
    ("SUBSCRIPTIONS", [SUB, OTHER_SUB, SUB], "[2]", SUB, "no duplicates"),
    ("POLICES", {}, "", "{}", "no setting of this name; did you mean NEARZONE_POLICIES?"),
]


@pytest.mark.parametrize(("name", "value", "place", "found", "expected"), MISSPELT, ids=lambda v: str(v)[:40])
def test_a_word_that_can_match_nothing_is_a_fault_that_names_the_nearest_spelling(name, value, place, found, expected):
    claims = {"CLAIMS": {"llama": [SUB], "gpt*": [SUB]}} if '"lama"' in place else {}
    assert faults(**{name: value} | claims) == [f'NEARZONE_{name}{place}: found "{found}", expected {expected}']


@pytest.mark.parametrize(
    ("claims", "policy"),
    [
        ({"*": [SUB], "llama": [SUB]}, "lama"),  # A glob permits it.
        ({"l?ma": [SUB], "llama": [SUB]}, "lama"),
        ({"llama": [SUB]}, "l*ma"),
        ({"llama": [SUB]}, "mistral"),  # It may be claimed one day.
        ({"llama": [SUB]}, "boxx"),
        ({"llama": [SUB], "bx": [SUB]}, "box"),  # A static endpoint's name needs no claim.
    ],
    ids=str,
)
def test_a_policy_that_can_match_a_name_or_is_like_no_other_is_accepted(claims, policy):
    static = [BOX] if policy == "box" else []
    assert policy in parsed(CLAIMS=claims, POLICIES={policy: {"ttl": 5}}, STATIC=static).policies


def test_a_key_that_comes_twice_is_told_with_line_and_column():
    text = '{"a": {"ttl": 5},\n "b": {"ttl": 6,\n    "ttl": 7}}'
    twice = 'line 3, column 5: key "ttl" is a duplicate, expected each key of an object once'
    assert faults(POLICIES=text) == [f"NEARZONE_POLICIES: {twice}"]


NAMES = [
    ("nearzone_mode", "NEARZONE_MODE"),
    ("NearZone_Mode", "NEARZONE_MODE"),
    ("NEARZONE_mode", "NEARZONE_MODE"),
    ("NEARZON_MODE", "NEARZONE_MODE"),
    ("nearzone_sweep_schedul", "NEARZONE_SWEEP_SCHEDULE"),
]


@pytest.mark.parametrize(("written", "meant"), NAMES)
@pytest.mark.parametrize("beside", [{}, {"MODE": "apply"}])
def test_a_setting_of_nearly_our_name_or_of_ours_in_another_case_is_a_fault_that_names_both(written, meant, beside):
    with pytest.raises(BadSettings) as refused:
        settings_parser.parse({**values(**beside), written: "shadow"}, REGIONS)
    expected = f"no setting of this name; did you mean {meant}?"
    assert list(refused.value.faults) == [f'{written}: found "shadow", expected {expected}']


@pytest.mark.parametrize("name", ["nearzone_home", "NEAREST_MODE", "WEBSITE_NEARZONE_MODE", "mode"])
def test_what_is_not_nearly_a_setting_of_ours_is_left_alone(name):
    assert settings_parser.parse({**values(), name: "shadow"}, REGIONS) == parsed()


def test_misspelt_words_are_told_all_at_once():
    found = faults(
        ZONES=zones("eastu"),
        POLICIES={"llama": {"regions": ["eastu"]}},
        STATIC=[BOX | {"region": "westeurop"}],
        LATENCY={"estus": {WEST: 80}},
        CLAIMS={"*": [f"/subscriptions/{SUB}/resourceGroups/*"]},
    )
    assert {fault.split(":")[0] for fault in found} == {
        "NEARZONE_ZONES[0].region",
        'NEARZONE_POLICIES["llama"].regions[0]',
        "NEARZONE_STATIC[0].region",
        'NEARZONE_LATENCY["estus"]',
        'NEARZONE_CLAIMS["*"][0]',
    }


def test_a_word_that_is_misspelt_in_the_same_way_everywhere_is_not_taken_for_a_new_region():
    found = faults(ZONES=zones("eastu"), LATENCY={"eastu": {WEST: 80}})
    assert [fault.split(":")[0] for fault in found] == ['NEARZONE_LATENCY["eastu"]', "NEARZONE_ZONES[0].region"]


@pytest.mark.parametrize(
    "distances",
    [
        {"westus4": {EAST: 60}},  # Azure numbers new regions.
        {EAST: {"West US 4": 60}},
        {"usgovvirginia": {"usgovvirginia": 0}},  # A cloud of which nothing is published.
        {"denmarkwest": {EAST: 90}},  # Another compass point is more than one letter away.
        {"eastas": {EAST: 90, "eastas": 0}},  # One letter away from eastus, and said to be a region.
    ],
    ids=str,
)
def test_a_new_region_can_be_named_everywhere_once_it_has_a_distance(distances):
    (new,) = {r for a, row in distances.items() for r in (a, *row)} - {EAST}
    named = {"ZONES": zones(new), "POLICIES": {"a": {"regions": [new]}}, "STATIC": [BOX | {"region": new}]}
    read = parsed(**named, LATENCY=distances)
    region = new.replace(" ", "").lower()
    assert (read.zones[0].region, read.static[0].region) == (region, region)
    assert read.policy("a").regions == {region}
    assert len(faults(**named)) == 3, "a region without a distance was taken"


def test_no_two_regions_of_the_table_are_taken_for_a_misspelling_of_each_other():
    for region in REGIONS:
        assert added_regions([(region, EAST)], REGIONS - {region}) == {region}, region


def test_a_scope_in_a_subscription_that_is_not_watched_is_accepted_unless_its_id_is_nearly_that_of_a_watched_one():
    """It may be meant: a subscription that is to be watched later, or is no longer."""
    assert parsed(CLAIMS={"*": [SUB, OTHER_SUB]}).claims["*"][1] == f"/subscriptions/{OTHER_SUB}"


def test_faults_of_subscriptions_are_not_repeated_for_the_claims_in_them():
    assert len(faults(SUBSCRIPTIONS=["x"])) == 1


def test_a_scope_may_have_every_character_that_a_resource_group_may_have():
    group = "Prod_(ai).gpu-1é"
    read = parsed(CLAIMS={"*": [f"/subscriptions/{SUB}/resourceGroups/{group}"]})
    assert read.may_claim("llama", f"/subscriptions/{SUB}/resourceGroups/{group}/providers/x/y/z")


def test_the_app_does_not_start_with_a_region_that_neither_its_table_nor_its_settings_know():
    with pytest.raises(BadSettings, match="did you mean westeurope"):
        build(values(ZONES=zones("westeurop")), credential=Token())

    new = {"mars": {"mars": 0, EAST: 9000}}
    app = build(values(ZONES=zones("mars"), LATENCY=json.dumps(new)), credential=Token())
    assert app.applier.latency.regions == REGIONS | {"mars"}


def test_a_drain_order_for_a_region_that_is_not_known_is_refused_and_nothing_is_done():
    async def story(stage):
        await stage.app.correct_drift()
        for field, minutes in ("drain", {"minutes": 9}), ("undrain", {}):
            with pytest.raises(BadRequest) as refused:
                await stage.resync(**{field: {"region": "eastu"} | minutes})
            known = "the table of round-trip times, of NEARZONE_LATENCY or of an endpoint that is known"
            known += " (endpoints are known in: eastus, westeurope)"
            assert str(refused.value) == f"{field}.region: 'eastu' is not a region of {known}; did you mean eastus?"
        assert (await stage.app.status())["drains"] == []
        assert stage.wrong_answers() == {}

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4)))


def test_a_region_in_which_azure_has_an_endpoint_can_be_drained_though_no_table_knows_it():
    world = a_world(a_vm("m-1", EAST, 4) | {"location": "marsnorth"})
    world["vnets"][0]["location"] = "marsnorth"

    async def story(stage):
        with pytest.raises(BadRequest, match=r"drain\.region: 'marsnorth' is not a region"):
            await stage.resync(drain={"region": "Mars North", "minutes": 9})
        await stage.app.correct_drift()
        assert stage.record(WEST, "llama") == ["10.1.0.4"], "an unknown distance is better than no answer"
        with pytest.raises(BadRequest, match="did you mean marsnorth"):
            await stage.resync(drain={"region": "marsnort", "minutes": 9})
        await stage.resync(drain={"region": "Mars North", "minutes": 9})
        assert stage.record(WEST, "llama") is None
        await stage.resync(undrain={"region": "marsnorth"})
        assert stage.wrong_answers() == {}

    run_scenario(story, world)


def test_an_order_that_is_in_force_can_be_taken_back_whatever_its_region():
    """The settings in which its region stood may have changed since."""

    async def story(stage):
        await stage.app.correct_drift()
        await stage.resync(drain={"region": "marsnorth", "minutes": 9})
        stage.restart(stage.app.catalog, NEARZONE_LATENCY="{}")
        await stage.resync(undrain={"region": "marsnorth"})
        assert (await stage.app.status())["drains"] == []

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), LATENCY={"marsnorth": {EAST: 9000}}))
