"""Probing is configured in one place: the app gets its settings, and `probe` runs only with something to probe."""

import json
from dataclasses import replace

import pytest

from infra import names
from infra.decode import KEY, BadConfig, decode
from infra.settings import own_settings, switches
from infra.tests.stage import EAST, REGIONS, WEST, Cloud, configured, deployed, vnet
from shared.config import parser as settings_parser

PROBES = {"llama-70b": {"kind": "vllm", "port": 8000}}
SUBNETS = [
    {"name": EAST, "subnet": {"vnet": vnet("hub-east"), "prefix": "10.9.0.0/26"}},
    {"name": WEST, "subnet": {"vnet": vnet("hub-west"), "prefix": "10.10.0.0/26"}},
]
DISABLED = "AzureWebJobs.probe.Disabled"
NOTHING = [{}, {"NEARZONE_PROBES": {}}, {"NEARZONE_PROBES": "{}"}, {"NEARZONE_PROBES": ""}]


def deployment(settings, **changed):
    """A deployment with these settings, which the app's own parser has not seen."""
    return replace(decode(configured(**changed)), settings=settings)


def of_app(settings, region=0, **changed):
    found = deployment(settings, **changed)
    values = own_settings(found, found.apps[region])
    return {name: values[name] for name in values if "PROB" in name}


def faults(**changed):
    with pytest.raises(BadConfig) as caught:
        decode(configured(**changed))
    return [each.removeprefix(f"{KEY}.") for each in caught.value.faults]


def test_a_deployment_that_probes_is_what_the_apps_parser_reads():
    """Each app has its subnet, its probes, its own region as vantage, three alerts more, and no disabled function."""
    cloud = Cloud(vnets={"hub-east": (EAST, []), "hub-west": (WEST, [])})
    optional = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": {"mode": "enforce"}}
    program = deployed(cloud, settings=optional, regions=SUBNETS)
    for region in (EAST, WEST):
        site = program.one("WebApp", f"nearzone-{region}-app").inputs
        values = {each["name"]: each["value"] for each in site["siteConfig"]["appSettings"]}
        read = settings_parser.parse(values, REGIONS)
        assert (read.probing.vantage, read.probing.enforce, read.probe("llama-70b").port) == (region, True, 8000)
        assert site["virtualNetworkSubnetId"] == program.one("Subnet", f"nearzone-{region}-probes").id
        assert DISABLED not in values
    queries = {
        each.inputs["criteria"]["allOf"][0]["metricMeasureColumn"]
        for each in program.all("ScheduledQueryRule").values()
    }
    assert "Blind" in queries
    assert len(program.all("ScheduledQueryRule")) == 2 * 10
    (workbook,) = program.all("Workbook").values()
    assert "nearzone.probes.blind" in workbook.inputs["serializedData"]


def test_the_roots_that_probes_trust_are_a_setting_of_each_app():
    found = decode(configured(settings={"SSL_CERT_FILE": "/roots.pem"}))
    assert own_settings(found, found.apps[0])["SSL_CERT_FILE"] == "/roots.pem"
    assert faults(settings={"SSL_CERT": "/roots.pem"}) == [
        'settings.SSL_CERT: found "/roots.pem", expected a NEARZONE_ setting that no other key sets, or SSL_CERT_FILE'
    ]


@pytest.mark.parametrize("settings", NOTHING)
def test_without_probes_the_function_is_disabled_and_nothing_else_is_new(settings):
    assert switches(deployment(settings)) == {DISABLED: "true"}
    assert "NEARZONE_PROBING" not in of_app(settings)
    assert of_app({}) == {}


@pytest.mark.parametrize("probes", [PROBES, json.dumps(PROBES)])
def test_with_probes_the_function_runs(probes):
    assert switches(deployment({"NEARZONE_PROBES": probes})) == {}


def test_the_disabled_function_is_named_in_the_form_that_the_host_reads():
    """With dots, which the platform turns into single underscores; "__" would be a section of the configuration."""
    assert f"AzureWebJobs.{names.PROBE_FUNCTION}.Disabled" == DISABLED
    assert "-" not in names.PROBE_FUNCTION, (
        "such a name cannot be disabled on Linux (azure-functions-python-worker#1308)"
    )


def test_each_app_gets_the_probes_and_its_own_region_as_the_vantage():
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBE_SCHEDULE": "*/30 * * * * *"}
    for i, region in enumerate((EAST, WEST)):
        assert of_app(settings, i) == {
            "NEARZONE_PROBES": json.dumps(PROBES),
            "NEARZONE_PROBE_SCHEDULE": "*/30 * * * * *",
            "NEARZONE_PROBING": json.dumps({"vantage": region}),
        }


@pytest.mark.parametrize(
    ("given", "never"),
    [
        ({}, ["10.9.0.0/26"]),
        ({"never": ["10.0.0.0/8"]}, ["10.0.0.0/8", "10.9.0.0/26"]),
        ({"never": ["10.9.0.0/26"]}, ["10.9.0.0/26"]),
        ({"never": "10.0.0.0/8"}, "10.0.0.0/8"),
    ],
)
def test_the_apps_subnet_is_added_to_what_it_never_probes(given, never):
    found = deployment({"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": given})
    values = own_settings(found, found.apps[0], ["10.9.0.0/26"])
    assert json.loads(values["NEARZONE_PROBING"])["never"] == never


@pytest.mark.parametrize("as_text", [False, True])
def test_what_is_said_about_probing_stays(as_text):
    given = {"mode": "enforce", "timeout": 4}
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": json.dumps(given) if as_text else given}
    assert json.loads(of_app(settings)["NEARZONE_PROBING"]) == {"vantage": EAST} | given


def test_the_one_app_may_be_given_another_vantage():
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": {"vantage": WEST}}
    assert json.loads(of_app(settings, one_app=True)["NEARZONE_PROBING"]) == {"vantage": WEST}


def test_a_value_that_is_no_object_reaches_the_parser_as_it_is():
    assert of_app({"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": "observe"})["NEARZONE_PROBING"] == "observe"


def test_probes_without_a_subnet_are_a_fault_that_names_the_field_of_each_app():
    found = faults(settings={"NEARZONE_PROBES": PROBES}, regions=[{"name": EAST}, SUBNETS[1]])
    told = "regions[0].subnet: found nothing, expected a subnet, since settings.NEARZONE_PROBES is set"
    assert [each for each in found if each.startswith("regions")] == [f"{told}: the app probes from there"]
    both = faults(settings={"NEARZONE_PROBES": PROBES})
    assert [each.split(":")[0] for each in both if each.startswith("regions")] == [
        "regions[0].subnet",
        "regions[1].subnet",
    ]
    one = faults(settings={"NEARZONE_PROBES": PROBES}, one_app=True)
    assert [each.split(":")[0] for each in one if each.startswith("regions")] == ["regions[0].subnet"]


def test_a_subnet_without_probes_is_allowed():
    assert decode(configured(regions=SUBNETS)).regions[0].subnet.prefix == "10.9.0.0/26"


def test_several_apps_do_not_share_a_vantage():
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": {"vantage": EAST}}
    told = f'settings.NEARZONE_PROBING.vantage: found "{EAST}", expected no vantage: each app has its own region'
    assert told in faults(settings=settings, regions=SUBNETS)


def with_probing(east=None, west=None):
    """Both regions with their subnets and these values of `probing`."""
    own = [{} if each is None else {"probing": each} for each in (east, west)]
    return [region | more for region, more in zip(SUBNETS, own, strict=True)]


@pytest.mark.parametrize("as_text", [False, True])
def test_one_region_can_enforce_while_the_others_observe(as_text):
    common = {"mode": "observe", "timeout": 4}
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": json.dumps(common) if as_text else common}
    program = deployed(
        Cloud(vnets={"hub-east": (EAST, []), "hub-west": (WEST, [])}),
        settings=settings,
        regions=with_probing(east={"mode": "enforce"}),
    )
    for region, enforces in ((EAST, True), (WEST, False)):
        pairs = program.one("WebApp", f"nearzone-{region}-app").inputs["siteConfig"]["appSettings"]
        read = settings_parser.parse({each["name"]: each["value"] for each in pairs}, REGIONS)
        assert (read.probing.enforce, read.probing.timeout, read.probing.vantage) == (enforces, 4.0, region)


@pytest.mark.parametrize(
    ("east", "told"),
    [
        (
            {"mode": "enfroce"},
            'regions[0].probing: NEARZONE_PROBING.mode: found "enfroce", expected observe or enforce',
        ),
        ("enforce", 'regions[0].probing: found "enforce", expected an object'),
        (
            {"vantage": WEST},
            f'regions[0].probing.vantage: found "{WEST}", expected no vantage: each app has its own region',
        ),
    ],
)
def test_a_fault_in_the_probing_of_a_region_names_the_region(east, told):
    assert faults(settings={"NEARZONE_PROBES": PROBES}, regions=with_probing(east=east)) == [told]


def test_a_fault_that_only_one_regions_value_makes_is_told_of_this_region():
    """The common connect_timeout of 4 s is fine until one region shortens the timeout."""
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": {"timeout": 5, "connect_timeout": 4}}
    (told,) = faults(settings=settings, regions=with_probing(west={"timeout": 3}))
    assert told.startswith("regions[1].probing: NEARZONE_PROBING.connect_timeout: found 4")


def test_a_fault_of_all_regions_is_told_once_beside_those_of_one():
    settings = {"NEARZONE_PROBES": PROBES, "NEARZONE_PROBING": {"down_after": 0}}
    found = faults(settings=settings, regions=with_probing(west={"mode": "x"}))
    assert [each.split(": found")[0] for each in found] == [
        "settings: NEARZONE_PROBING.down_after",
        "regions[1].probing: NEARZONE_PROBING.mode",
    ]


def test_a_region_without_an_app_has_no_probing():
    regions = [SUBNETS[0], {"name": WEST, "probing": {"mode": "enforce"}}]
    (told,) = faults(settings={"NEARZONE_PROBES": PROBES}, regions=regions, one_app=True)
    assert told == (
        'regions[1].probing: found {"mode": "enforce"}, expected no probing: with one_app, no app runs in this region'
    )


def test_the_probing_of_a_region_is_checked_before_there_are_probes():
    (told,) = faults(regions=with_probing(east={"mode": "x"}))
    assert told.startswith("regions[0].probing: NEARZONE_PROBING.mode")
