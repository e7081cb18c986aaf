"""The whole program, in both topologies: every resource, every scope, every setting, without keys."""

import json
from collections import Counter

import pytest

import function_app
from infra import names
from infra.decode import BadConfig, decode
from infra.tests.stage import CLAIMS, EAST, HOME, HUB, LAB, REGIONS, WEST, Cloud, configured, deployed, vnet
from shared.catalog import storage_account as account
from shared.config import parser as settings_parser
from shared.config.settings import CLOUDS
from simulator.functions_host.functions import index

ZONE = f"/subscriptions/{HOME}/resourceGroups/nearzone-%s/providers/Microsoft.Network/privateDnsZones/ai.internal"
ZONES = {region: ZONE % region for region in (EAST, WEST)}


@pytest.fixture(scope="module")
def regional():
    return deployed()


@pytest.fixture(scope="module")
def small():
    return deployed(one_app=True)


def settings(program, app):
    pairs = program.one("WebApp", f"{app}-app").inputs["siteConfig"]["appSettings"]
    values = {each["name"]: each["value"] for each in pairs}
    assert len(values) == len(pairs), "no setting twice"
    return values


def counted(program):
    return Counter(each.type.rsplit(":", 1)[-1] for each in program.cloud.made)


PER_APP = {
    "UserAssignedIdentity": 1,
    "StorageAccount": 1,
    "BlobContainer": 2,
    "ManagementPolicy": 1,
    "Workspace": 1,
    "Component": 1,
    "AppServicePlan": 1,
    "WebApp": 1,
    "WebAppFtpAllowed": 1,
    "WebAppScmAllowed": 1,
    "ScheduledQueryRule": 7,
}


@pytest.mark.parametrize(("one_app", "apps", "assignments"), [(False, 2, 22), (True, 1, 14)])
def test_nothing_is_made_but_what_is_meant(one_app, apps, assignments):
    """Two regions, two watched subscriptions. Assignments of an app: endpoints 2, locks 1, storage 2, telemetry 1,
    dead letters 2; and of each of its regions: records, surroundings of the zone, surroundings of a VNet."""
    expected = Counter({kind: number * apps for kind, number in PER_APP.items()})
    expected += Counter(RoleAssignment=apps * 8 + 2 * 3, SystemTopicEventSubscription=2 * apps)
    expected += Counter(ResourceGroup=4, PrivateZone=2, VirtualNetworkLink=2, SystemTopic=2, MetricAlert=2)
    expected += Counter({"RoleDefinition": 4, "Workbook": 1, "azure-native": 2, "pulumi:pulumi:Stack": 0})
    found = counted(deployed(one_app=one_app))
    found.pop("Stack", None)
    assert found == expected
    assert found["RoleAssignment"] == assignments


def test_each_region_has_a_zone_of_the_one_name_in_a_group_of_its_own(regional, small):
    for program in (regional, small):
        for region in (EAST, WEST):
            zone = program.one("PrivateZone", f"nearzone-{region}-zone")
            assert zone.inputs == {
                "resourceGroupName": f"nearzone-{region}",
                "privateZoneName": "ai.internal",
                "location": "global",
            }
            group = program.one("ResourceGroup", f"nearzone-{region}").inputs
            assert group == {"resourceGroupName": f"nearzone-{region}", "location": region}
        assert program.outputs["zones"] == ZONES


def test_zones_and_nothing_else_are_protected_from_being_deleted(regional):
    assert regional.protected == {"nearzone-eastus-zone", "nearzone-westeurope-zone"}


def test_each_vnet_is_linked_to_its_own_regions_zone_without_registration(regional):
    links = regional.all("VirtualNetworkLink").values()
    assert {(each.inputs["resourceGroupName"], each.inputs["virtualNetwork"]["id"]) for each in links} == {
        ("nearzone-eastus", vnet("hub-east")),
        ("nearzone-westeurope", vnet("hub-west")),
    }
    assert all(each.inputs["registrationEnabled"] is False for each in links)
    assert {each.inputs["location"] for each in links} == {"global"}
    assert {each.inputs["privateZoneName"] for each in links} == {"ai.internal"}


def test_vnets_of_one_name_are_linked_beside_each_other():
    two = [vnet("hub"), vnet("hub", LAB)]
    links = deployed(regions=[{"name": EAST, "vnets": two}]).all("VirtualNetworkLink").values()
    assert sorted(each.inputs["virtualNetwork"]["id"] for each in links) == sorted(two)
    assert len({each.inputs["virtualNetworkLinkName"] for each in links}) == 2


def test_an_existing_zone_is_linked_and_written_but_not_made():
    there = f"/subscriptions/{LAB}/resourceGroups/old/providers/Microsoft.Network/privateDnsZones/ai.internal"
    program = deployed(regions=[{"name": EAST, "vnets": [vnet("hub-east")], "zone": there}, {"name": WEST}])
    assert set(program.all("PrivateZone")) == {"nearzone-westeurope-zone"}
    (link,) = program.all("VirtualNetworkLink").values()
    assert (link.inputs["resourceGroupName"], link.subscription) == ("old", LAB)
    assert program.one("RoleAssignment", "nearzone-eastus-records-eastus").inputs["scope"] == there
    assert json.loads(settings(program, "nearzone-eastus")["NEARZONE_ZONES"]) == [{"id": there, "region": EAST}]
    assert LAB in {each.subscription for each in program.all("VirtualNetworkLink").values()}


@pytest.mark.parametrize("region", [EAST, WEST])
def test_an_app_of_a_region_writes_its_own_zone_and_watches_every_subscription(regional, region):
    read = settings_parser.parse(settings(regional, f"nearzone-{region}"), REGIONS)
    assert [(zone.id, zone.region) for zone in read.zones] == [(ZONES[region], region)]
    assert read.subscriptions == {HOME, LAB}
    assert set(read.claims) == set(CLAIMS)
    assert read.apply


def test_the_one_app_writes_all_zones_from_the_first_region(small):
    read = settings_parser.parse(settings(small, "nearzone-eastus"), REGIONS)
    assert {zone.region: zone.id for zone in read.zones} == ZONES
    assert set(small.all("WebApp")) == {"nearzone-eastus-app"}
    assert small.one("WebApp", "nearzone-eastus-app").inputs["location"] == EAST


def test_the_catalog_is_found_with_the_apps_own_identity(regional):
    values = settings(regional, "nearzone-westeurope")
    found = account.parse(values, CLOUDS["public"])
    stored = regional.one("StorageAccount", "nearzone-westeurope-storage").inputs["accountName"]
    assert found.endpoint == f"https://{stored}.table.core.windows.net"
    assert found.client_id == values["AZURE_CLIENT_ID"] == "client-of-nearzone-westeurope-identity"
    assert found.connection == ""


def test_an_app_has_these_settings_and_no_other(regional):
    blob, queue, table = (
        f"https://{names.account(decode(configured()), decode(configured()).apps[0])}.{each}.core.windows.net/"
        for each in ("blob", "queue", "table")
    )
    assert settings(regional, "nearzone-eastus") == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=client-of-nearzone-eastus-identity;Authorization=AAD",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=of-nearzone-eastus-insights",
        "AZURE_CLIENT_ID": "client-of-nearzone-eastus-identity",
        "AzureWebJobs.probe.Disabled": "true",
        "AzureWebJobsStorage__blobServiceUri": blob,
        "AzureWebJobsStorage__clientId": "client-of-nearzone-eastus-identity",
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__queueServiceUri": queue,
        "AzureWebJobsStorage__tableServiceUri": table,
        "NEARZONE_CLAIMS": json.dumps(CLAIMS),
        "NEARZONE_SUBSCRIPTIONS": json.dumps([HOME, LAB]),
        "NEARZONE_ZONES": json.dumps([{"id": ZONES[EAST], "region": EAST}]),
    }


def test_optional_settings_and_reach_reach_the_app_and_are_what_its_parser_reads():
    optional = {
        "NEARZONE_MODE": "shadow",
        "NEARZONE_HOST_NAMES": False,
        "NEARZONE_TTL": 20,
        "NEARZONE_POLICIES": {"llama-*": {"min_endpoints": 2}},
        "NEARZONE_SWEEP_SCHEDULE": "0 */5 * * * *",
        "NEARZONE_NEVER_BY_WILDCARD": ["wpad", "gateway"],
    }
    regions = [{"name": "East US", "reach": ["10.0.0.0/8"], "public": True}]
    program = deployed(settings=optional, regions=regions)
    read = settings_parser.parse(settings(program, "nearzone-eastus"), REGIONS)
    assert (read.apply, read.host_names, read.ttl) == (False, False, 20)
    assert read.policy("llama-70b").min_endpoints == 2
    assert [str(each) for each in read.zones[0].reach] == ["10.0.0.0/8"]
    assert (read.zones[0].public, read.exact_only) == (True, {"wpad", "gateway"})
    assert (
        program.one("ScheduledQueryRule", "nearzone-eastus-sweep-age").inputs["criteria"]["allOf"][0]["threshold"]
        == 900
    )


def test_the_function_app_is_on_flex_consumption_with_one_event_instance_always_ready(regional):
    site = regional.one("WebApp", "nearzone-eastus-app").inputs
    plan = regional.one("AppServicePlan", "nearzone-eastus-plan")
    assert plan.inputs["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert (plan.inputs["reserved"], plan.inputs["zoneRedundant"]) == (True, False)
    assert (site["kind"], site["serverFarmId"], site["httpsOnly"]) == ("functionapp,linux", plan.id, True)
    assert site["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": [regional.one("UserAssignedIdentity", "nearzone-eastus-identity").id],
    }
    flex = site["functionAppConfig"]
    assert flex["runtime"] == {"name": "python", "version": "3.13"}
    assert flex["scaleAndConcurrency"] == {
        "alwaysReady": [{"name": "function:on_resource_event", "instanceCount": 1}],
        "instanceMemoryMB": 2048,
        "maximumInstanceCount": 40,
    }


def test_the_code_is_deployed_into_a_container_with_the_apps_identity(regional):
    storage = regional.one("WebApp", "nearzone-eastus-app").inputs["functionAppConfig"]["deployment"]["storage"]
    stored = regional.one("StorageAccount", "nearzone-eastus-storage").inputs["accountName"]
    assert storage == {
        "type": "blobContainer",
        "value": f"https://{stored}.blob.core.windows.net/packages",
        "authentication": {
            "type": "UserAssignedIdentity",
            "userAssignedIdentityResourceId": regional.one("UserAssignedIdentity", "nearzone-eastus-identity").id,
        },
    }
    containers = {each.inputs["containerName"]: each for each in regional.all("BlobContainer").values()}
    assert set(containers) == {"packages", "dead-letters"}
    assert {each.inputs["publicAccess"] for each in regional.all("BlobContainer").values()} == {"None"}


def test_the_always_ready_function_is_one_of_the_apps():
    assert names.FUNCTION in {each.name for each in index(function_app.app)}


def test_every_storage_account_is_zone_redundant_and_has_no_keys(regional, small):
    for program in (regional, small):
        for each in program.all("StorageAccount").values():
            assert each.inputs["sku"] == {"name": "Standard_ZRS"}
            assert each.inputs["allowSharedKeyAccess"] is False
            assert each.inputs["allowBlobPublicAccess"] is False
            assert each.inputs["minimumTlsVersion"] == "TLS1_2"
            assert each.inputs["enableHttpsTrafficOnly"] is True


def test_nobody_gets_in_with_a_key_or_a_password(regional):
    for kind in ("Workspace", "Component"):
        flags = [
            each.inputs.get("disableLocalAuth", each.inputs.get("features", {}).get("disableLocalAuth"))
            for each in regional.all(kind).values()
        ]
        assert flags == [True, True], kind
    for kind in ("WebAppFtpAllowed", "WebAppScmAllowed"):
        assert [each.inputs["allow"] for each in regional.all(kind).values()] == [False, False]
    for each in regional.all("WebApp").values():
        assert each.inputs["siteConfig"]["minTlsVersion"] == "1.2"
    everything = json.dumps([each.inputs for each in regional.cloud.made]).lower()
    for secret in ("accountkey", "sharedaccesskey", "code=", "sig=", "listkeys"):
        assert secret not in everything
    assert regional.cloud.asked == [], "nothing is read out of Azure, so no key is"


def test_dead_letters_go_after_thirty_days(regional):
    rule = regional.one("ManagementPolicy", "nearzone-eastus-expiry").inputs["policy"]["rules"][0]
    assert rule["definition"]["filters"]["prefixMatch"] == ["dead-letters/"]
    assert rule["definition"]["actions"]["baseBlob"]["delete"] == {"daysAfterModificationGreaterThan": 30}


def test_a_region_stands_alone(regional):
    """What one region's app needs is in that region: its group, identity, storage, plan, telemetry, alerts."""
    for kind in (*PER_APP, "ScheduledQueryRule"):
        for name, each in regional.all(kind).items():
            region = EAST if EAST in name else WEST
            assert each.inputs["resourceGroupName"] == f"nearzone-{region}"
            assert each.inputs.get("location", region) == region


def test_the_urls_of_the_http_functions_are_told(regional):
    assert set(regional.outputs["functions"]) == {"nearzone-eastus", "nearzone-westeurope"}
    host = regional.one("WebApp", "nearzone-eastus-app").inputs["name"] + ".azurewebsites.net"
    assert regional.outputs["functions"]["nearzone-eastus"] == {
        each: f"https://{host}/api/{each}" for each in ("status", "resync", "metrics", "dashboard")
    }
    assert regional.outputs["sites"]["nearzone-eastus"] in host


def test_names_fit_azures_rules_for_the_longest_ones(regional):
    region = "southcentralusstage"
    known = {"NEARZONE_LATENCY": {region: {region: 0}}}
    longest = decode(configured(name="a" * 20, regions=[{"name": region}], settings=known))
    (regions,) = longest.apps
    assert len(names.site(longest, regions)) <= 60
    assert 3 <= len(names.account(longest, regions)) <= 24
    assert names.account(longest, regions).isalnum()
    assert len(names.app(longest, regions)) <= 64, "also an event subscription's"


def test_every_resource_is_made_in_a_subscription_that_is_named(regional):
    made = [each for each in regional.cloud.made if not each.type.startswith("pulumi:")]
    assert {each.subscription for each in made} == {HOME, LAB}
    assert HUB not in {each.subscription for each in made}, "VNets are linked, and nothing is made beside them"


def test_a_plan_is_zone_redundant_on_demand():
    plan = deployed(zone_redundant_plan=True).one("AppServicePlan", "nearzone-eastus-plan")
    assert plan.inputs["zoneRedundant"] is True


def test_a_program_with_a_wrong_configuration_makes_nothing():
    cloud = Cloud()
    with pytest.raises(BadConfig, match=r"nearzone:deployment\.zone"):
        deployed(cloud, zone="internal")
    assert [each for each in cloud.made if not each.type.startswith("pulumi:pulumi")] == []
