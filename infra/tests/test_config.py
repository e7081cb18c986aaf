"""The configuration: what is read, and every fault of it at once, each with the key that it is under."""

import pytest
import yaml

from infra.config import Alerts, Deployment, Entra, Region, WatchedSubscription
from infra.decode import KEY, BadConfig, decode
from infra.settings import three_sweeps
from infra.tests.stage import CLAIMS, EAST, HOME, INFRA, LAB, REGIONS, WEST, Cloud, Program, configured, vnet
from shared.config import parser as settings_parser

ZONE = f"/subscriptions/{LAB}/resourceGroups/old/providers/Microsoft.Network/privateDnsZones/ai.internal"
TOPIC = f"/subscriptions/{LAB}/resourceGroups/ops/providers/Microsoft.EventGrid/systemTopics/events"
GROUP = f"/subscriptions/{HOME}/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/on-call"


def faults(values):
    with pytest.raises(BadConfig) as caught:
        decode(values)
    return list(caught.value.faults)


def test_what_is_not_given_has_the_careful_default():
    found = decode(configured(subscribed=None))
    assert (found.name, found.one_app, found.subscribed, found.health) == ("nearzone", False, False, False)
    assert (found.zone_redundant_plan, found.max_instances, found.settings) == (False, 40, {})
    assert found.alerts == Alerts(action_groups=(), latency_seconds=10)
    assert found.entra is None
    assert found.regions[0] == Region(EAST, (vnet("hub-east"),))
    assert found.claims == CLAIMS


def test_everything_can_be_given():
    found = decode(
        configured(
            name="nz-prod",
            one_app=True,
            health=True,
            zone_redundant_plan=True,
            max_instances=60,
            regions=[{"name": "West Europe", "vnets": [], "reach": ["10.0.0.0/8"], "zone": ZONE}],
            subscriptions=[{"id": LAB.upper(), "topic": TOPIC, "health_topic": TOPIC}],
            settings={"NEARZONE_TTL": "20"},
            alerts={"action_groups": [GROUP], "latency_seconds": 30},
            entra={"tenant": HOME, "client_id": LAB.upper(), "identities": [HOME]},
        )
    )
    assert found.regions == (Region(WEST, (), ("10.0.0.0/8",), ZONE),)
    assert found.subscriptions == (WatchedSubscription(LAB, TOPIC, TOPIC),)
    assert found.alerts == Alerts((GROUP,), 30)
    assert found.entra == Entra(HOME, LAB, (), (HOME,))
    assert (found.name, found.max_instances, found.settings) == ("nz-prod", 60, {"NEARZONE_TTL": "20"})
    assert found.apps == (found.regions,)


def test_all_faults_are_told_at_once():
    found = faults(
        {
            "subscription": "mine",
            "zone": "internal",
            "regions": [
                {"name": "west/europe", "vnets": ["vnet-1"], "reach": ["10.0.0.0/33", "10.0.0.0/8"], "zones": []}
            ],
            "subscriptions": [{"id": "other"}],
            "claims": {"*": ["everybody"]},
            "subscribed": "yes",
            "max_instances": 1,
            "settings": {"NEARZONE_TTL": 0, "NEARZONE_ZONES": [], "NEARZONE_TLL": 1},
            "alerts": {"action_groups": ["me"], "latency_seconds": 0},
            "regoins": [],
        }
    )
    keys = [each.removeprefix(f"{KEY}.").split(": found")[0] for each in found]
    assert sorted(keys) == sorted(
        [
            "subscription",
            "zone",
            "regoins",
            "regions[0].name",
            "regions[0].vnets[0]",
            "regions[0].zones",
            "regions: NEARZONE_ZONES[0].reach[0]",
            "subscriptions[0].id",
            'claims: NEARZONE_CLAIMS["*"][0]',
            "subscribed",
            "max_instances",
            "settings.NEARZONE_ZONES",
            "settings: NEARZONE_TTL",
            "settings: NEARZONE_TLL",
            "alerts.action_groups[0]",
            "alerts.latency_seconds",
        ]
    )
    assert all(each.startswith(KEY) and ", expected " in each for each in found)


PUBLIC = {"name": "box", "region": EAST, "addresses": ["20.1.0.4"]}
WRONG = [
    ({"subscription": None}, "subscription: found nothing"),
    ({"zone": "AI.internal"}, "zone: found"),
    ({"zone": "ai..internal"}, "zone: found"),
    ({"name": "x"}, "name: found"),
    ({"name": "Nearzone"}, "name: found"),
    ({"regions": []}, "regions: found"),
    ({"regions": "eastus"}, "regions: found"),
    ({"regions": ["eastus"]}, "regions[0]: found"),
    ({"regions": [{"name": EAST}, {"name": "East US"}]}, "regions[1].name: found"),
    ({"regions": [{"name": EAST, "vnets": "all"}]}, "regions[0].vnets: found"),
    ({"regions": [{"name": EAST, "reach": "10.0.0.0/8"}]}, "regions[0].reach: found"),
    ({"regions": [{"name": EAST, "zone": vnet("x")}]}, "regions[0].zone: found"),
    ({"regions": [{"name": EAST, "public": "yes"}]}, "regions[0].public: found"),
    ({"regions": [{"name": EAST, "reach": ["20.0.0.0/8"]}]}, "regions: NEARZONE_ZONES[0].reach[0]: found"),
    (  # The app of West Europe would not start.
        {"regions": [{"name": EAST, "public": True}, {"name": WEST}], "settings": {"NEARZONE_STATIC": [PUBLIC]}},
        "settings: NEARZONE_STATIC[0].addresses[0]: found",
    ),
    ({"settings": {"NEARZONE_NEVER_BY_WILDCARD": ["*"]}}, "settings: NEARZONE_NEVER_BY_WILDCARD[0]: found"),
    ({"regions": [{"name": EAST, "zone": ZONE.replace("ai.", "bi.")}]}, "regions[0].zone: found"),
    ({"regions": [{"name": EAST, "vnets": [vnet("a")]}, {"name": WEST, "vnets": [vnet("A")]}]}, "regions[1].vnets[0]"),
    ({"subscriptions": [{"id": HOME}, {"id": HOME.upper()}]}, "subscriptions[1].id: found"),
    ({"subscriptions": [{"id": HOME, "topic": TOPIC}]}, "subscriptions[0].topic: found"),
    ({"subscriptions": [{"id": LAB, "health_topic": GROUP}]}, "subscriptions[0].health_topic: found"),
    ({"regions": [{"name": EAST}, {"name": "West Europ"}]}, 'regions: NEARZONE_ZONES[1].region: found "westeurop"'),
    ({"settings": {"NEARZONE_POLICIES": {"a": {"regions": ["eastu"]}}}}, 'settings: NEARZONE_POLICIES["a"].regions[0]'),
    ({"settings": {"NEARZONE_LATENCY": {"eastu": {EAST: 1}}}}, 'settings: NEARZONE_LATENCY["eastu"]: found'),
    ({"claims": {"*": [f"/subscriptions/{LAB}/resourceGroups/ai-*"]}}, 'claims: NEARZONE_CLAIMS["*"][0]: found'),
    ({"claims": None}, "claims: found nothing"),
    ({"claims": {}}, "claims: NEARZONE_CLAIMS: found"),
    ({"claims": {"*": "all"}}, 'claims: NEARZONE_CLAIMS["*"]: found'),
    ({"one_app": 1}, "one_app: found 1"),
    ({"entra": "yes"}, "entra: found"),
    ({"entra": {"tenant": "contoso", "client_id": HOME, "groups": [HOME]}}, "entra.tenant: found"),
    ({"entra": {"tenant": HOME, "client_id": HOME, "groups": ["admins"]}}, "entra.groups[0]: found"),
    ({"entra": {"tenant": HOME, "client_id": HOME, "groups": HOME}}, "entra.groups: found"),
    ({"entra": {"tenant": HOME, "client_id": HOME}}, "entra: found"),
    ({"entra": {"tenant": HOME, "client_id": HOME, "groups": [HOME], "secret": "s"}}, "entra.secret: found"),
    ({"max_instances": True}, "max_instances: found true"),
    ({"settings": []}, "settings: found"),
    ({"settings": {"NEARZONE_MODE": "sometimes"}}, "settings: NEARZONE_MODE: found"),
    ({"settings": {"NEARZONE_SWEEP_SCHEDULE": "hourly"}}, "settings: NEARZONE_SWEEP_SCHEDULE: found"),
    ({"settings": {"TTL": 30}}, "settings.TTL: found"),
    ({"alerts": {"email": "a@b"}}, "alerts.email: found"),
]


@pytest.mark.parametrize(("changed", "fault"), WRONG, ids=[fault for _, fault in WRONG])
def test_one_wrong_value_is_one_fault_under_its_key(changed, fault):
    (found,) = faults(configured(**changed))
    assert found.startswith(f"{KEY}.{fault}")


def test_an_unknown_region_is_told_beside_every_other_fault_with_the_nearest_spelling():
    name, unknown = faults(configured(name="x", regions=[{"name": "eastu"}]))
    assert name.startswith(f"{KEY}.name: found")
    assert "did you mean eastus?" in unknown


def test_a_region_that_the_table_does_not_know_is_taken_once_it_has_a_distance():
    settings = {"NEARZONE_LATENCY": {"usgovvirginia": {"usgovarizona": 40}}}
    regions = [{"name": "usgovvirginia"}, {"name": "usgovarizona"}]
    assert decode(configured(regions=regions, settings=settings)).regions[0].name == "usgovvirginia"
    assert len(faults(configured(regions=regions))) == 2


@pytest.mark.parametrize("values", [None, [], "ai.internal"])
def test_a_configuration_that_is_none_says_which_key_is_missing(values):
    assert faults(values)[0].startswith(f"{KEY}: found ")


@pytest.mark.parametrize(
    ("schedule", "seconds"), [(None, 1800), ("0 */5 * * * *", 900), ("0 0 3 * * *", 259200), ("0 0 8,20 * * *", 129600)]
)
def test_three_intervals_of_the_sweep_follow_its_schedule(schedule, seconds):
    settings = {} if schedule is None else {"NEARZONE_SWEEP_SCHEDULE": schedule}
    assert three_sweeps(decode(configured(settings=settings))) == seconds


def test_the_example_is_accepted_as_it_stands_and_careful():
    example = yaml.safe_load((INFRA / "Pulumi.example.yaml").read_text(encoding="utf-8"))
    found = decode(example["config"][KEY])
    assert (found.subscribed, found.settings) == (False, {"NEARZONE_MODE": "shadow"})
    made = Program(INFRA, example["config"], Cloud())
    assert len(made.all("WebApp")) == 2
    assert made.all("SystemTopicEventSubscription") == {}
    pairs = made.one("WebApp", "nearzone-westeurope-app").inputs["siteConfig"]["appSettings"]
    assert not settings_parser.parse({each["name"]: each["value"] for each in pairs}, REGIONS).apply


def test_the_readme_names_every_key():
    text = (INFRA / "README.md").read_text(encoding="utf-8")
    keys = {row.split("`")[1] for row in text.splitlines() if row.startswith("| `")}
    assert keys == {*Deployment.__dataclass_fields__}
    for nested in (Region, WatchedSubscription, Alerts):
        assert all(f"`{name}`" in text for name in nested.__dataclass_fields__)
