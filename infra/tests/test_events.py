"""Event Grid: a topic per subscription, each app's own subscription to it, and a filter that lets all hints through."""

import json

import pytest

from infra import filters, names
from infra.tests.stage import EAST, HOME, LAB, WEST, Cloud, deployed
from infra.tests.story import accepted, grants, lived, program, settings_of
from shared.azure.inventory import DEPENDENCIES, KINDS, PARENTS, ArmInventory
from shared.edge import event_hints as events
from tests.support.event_samples import KINDS as EVENT_TYPES
from tests.support.event_samples import LEADS, cloud, hint, native
from tests.support.values import SUB

WRITTEN, DELETED = "Microsoft.Resources.ResourceWriteSuccess", "Microsoft.Resources.ResourceDeleteSuccess"
TOPIC = "/subscriptions/{}/resourceGroups/shared/providers/Microsoft.EventGrid/systemTopics/all-events"


VERBS = {
    "microsoft.apimanagement/service": ("write", "delete", "restore/action", "applynetworkconfigurationupdates/action"),
    "microsoft.apimanagement/service/locations": (),
}
"""Of a service only what may change its locations; a location is no resource in Azure."""


@pytest.fixture(scope="module")
def regional():
    return deployed(health=True)


def subscriptions(program):
    return program.all("SystemTopicEventSubscription")


def passes(event, wanted):
    """Whether Event Grid would deliver an event through this filter (Microsoft Learn, event-filtering)."""
    kind = event.get("eventType") or event.get("type")
    if kind not in wanted["includedEventTypes"]:
        return False
    return all(_holds(event, each) for each in wanted.get("advancedFilters", []))


def _holds(event, advanced):
    assert advanced["operatorType"] == "StringBeginsWith"
    value = event
    for part in advanced["key"].split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return isinstance(value, str) and any(value.lower().startswith(each.lower()) for each in advanced["values"])


def the_filter(program, kind=filters.RESOURCES):
    topic = "resources" if kind == filters.RESOURCES else "health"
    found = [each.inputs["filter"] for name, each in subscriptions(program).items() if f"-{topic}-" in name]
    assert all(each == found[0] for each in found)
    return found[0]


def test_the_filter_keeps_azures_limits(regional):
    for each in subscriptions(regional).values():
        advanced = each.inputs["filter"].get("advancedFilters", [])
        values = [value for one in advanced for value in one["values"]]
        assert len(advanced) <= 25
        assert len(values) <= 25
        assert all(0 < len(value) <= 512 for value in values)


def test_every_kind_of_endpoint_and_dependency_passes_with_every_operation(regional):
    types = {
        make.path if hasattr(make, "path") else getattr(make, "kind", None) or make.type
        for make in (*KINDS, *DEPENDENCIES, *PARENTS)
    }
    assert {each.lower() for each in types} == ArmInventory(None).types, "all that the app knows"
    for each in types:
        for verb in VERBS.get(each.lower(), ("write", "delete", "start/action", "extensions/write")):
            for kind in EVENT_TYPES:
                event = native(kind, "whatever", operationName=f"{each}/{verb}")
                assert passes(event, the_filter(regional)), (each, verb)


@pytest.mark.parametrize("below", ["apis/write", "apis/operations/policies/write", "products/delete", "users/write"])
def test_edits_of_apis_are_not_delivered(regional, below):
    event = native(WRITTEN, "whatever", operationName=f"Microsoft.ApiManagement/service/{below}")
    assert not passes(event, the_filter(regional))


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize(("subject", "operation"), [(s, o) for s, o, _ in LEADS if o.startswith("Microsoft.")])
def test_every_subject_that_the_app_takes_for_a_hint_passes(regional, schema, subject, operation):
    for kind in EVENT_TYPES:
        assert passes(schema(kind, subject, operationName=operation), the_filter(regional))


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize("verb", ["Write", "Delete"])
def test_edits_of_our_zones_pass(regional, schema, verb):
    zone = f"/subscriptions/{SUB}/resourceGroups/g/providers/Microsoft.Network/privateDnsZones/ai.internal"
    operation = f"Microsoft.Network/privateDnsZones/A/{verb.lower()}"
    event = schema(f"Microsoft.Resources.Resource{verb}Success", f"{zone}/A/llama", operationName=operation)
    assert passes(event, the_filter(regional))
    assert events.hint(json.dumps(event), {SUB}, {"x"}, {zone.lower()}) == events.RecordEdit(zone.lower(), "llama")


@pytest.mark.parametrize("what", filters.EVENT_TYPES[filters.HEALTH])
def test_every_health_signal_that_the_app_takes_passes(regional, what):
    target = f"/subscriptions/{SUB}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
    event = native(what, target, resourceInfo={"id": "x", "properties": {"targetResourceId": target}})
    assert passes(event, the_filter(regional, filters.HEALTH))
    assert type(hint(event)).__name__ == "Hint"


def test_of_all_that_a_simulated_azure_tells_every_hint_passes():
    """Every event of the story, which has every kind of endpoint: what the app would take, the filter delivers."""
    made = program()
    _, heard, _, _, stage = lived(grants(made, "nearzone-eastus"), settings_of(made, "nearzone-eastus"), ())
    taken = [each for each in heard if accepted(each, stage.app)]
    assert len(taken) >= 15
    assert {each["subject"].split("/providers/")[1].split("/")[0] for each in taken} >= {
        "Microsoft.Compute",
        "Microsoft.Network",
        "Microsoft.ContainerInstance",
        "Microsoft.ApiManagement",
        "Microsoft.App",
    }
    for each in taken:
        kind = filters.HEALTH if "Notifications" in each["eventType"] else filters.RESOURCES
        assert passes(each, the_filter(made, kind)), each["data"].get("operationName")


@pytest.mark.parametrize(
    "operation",
    [
        "Microsoft.Storage/storageAccounts/listKeys/action",
        "Microsoft.Resources/deployments/write",
        "Microsoft.Compute/virtualMachinesOfSomebody/write",
        "Microsoft.Network/privateDnsZones/AAAA/write",
        "Microsoft.Network/privateDnsZones/SOA/write",
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks/write",
        "Microsoft.Network/privateDnsZones/write",
        "",
    ],
)
def test_what_no_endpoint_depends_on_is_not_delivered(regional, operation):
    assert not passes(native(EVENT_TYPES[0], "x", operationName=operation), the_filter(regional))


def test_each_watched_subscription_has_a_topic_of_each_type(regional):
    found = {
        (each.subscription, each.inputs["topicType"]): each.inputs for each in regional.all("SystemTopic").values()
    }
    assert set(found) == {(sub, kind) for sub in (HOME, LAB) for kind in (filters.RESOURCES, filters.HEALTH)}
    for (subscription, _), topic in found.items():
        assert topic["source"] == f"/subscriptions/{subscription}"
        assert topic["location"] == "global"
        assert topic["identity"] == {"type": "SystemAssigned"}
        assert topic["resourceGroupName"] == "nearzone-events"


def test_edits_of_our_own_zones_are_told_where_their_subscription_is_not_watched():
    given = f"/subscriptions/{HOME}/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/ai.internal"
    regions = [{"name": EAST, "vnets": []}, {"name": WEST, "vnets": [], "zone": given}]
    made = deployed(subscriptions=[{"id": LAB}], regions=regions)
    (topic,) = [each for each in made.all("SystemTopic").values() if each.inputs["topicType"] == filters.GROUPS]
    assert topic.subscription == HOME
    assert topic.inputs["source"] == made.one("ResourceGroup", f"nearzone-{EAST}").id
    own = [each for each in subscriptions(made).values() if each.inputs["systemTopicName"] == f"nearzone-{EAST}-edits"]
    assert {each.inputs["eventSubscriptionName"] for each in own} == {f"nearzone-{EAST}", f"nearzone-{WEST}"}
    for each in own:
        wanted = each.inputs["filter"]
        for verb, kind in (("write", WRITTEN), ("delete", DELETED)):
            event = native(kind, "x", operationName=f"Microsoft.Network/privateDnsZones/A/{verb}")
            assert passes(event, wanted)
        other = native(WRITTEN, "x", operationName="Microsoft.Compute/virtualMachines/write")
        assert not passes(other, wanted)


def test_health_signals_are_subscribed_to_on_demand_only():
    kinds = {each.inputs["topicType"] for each in deployed().all("SystemTopic").values()}
    assert kinds == {filters.RESOURCES}


def test_each_app_has_its_own_event_subscription_on_every_topic(regional):
    found = {
        (each.subscription, each.inputs["systemTopicName"], each.inputs["eventSubscriptionName"])
        for each in subscriptions(regional).values()
    }
    assert found == {
        (sub, f"nearzone-{topic}", f"nearzone-{region}")
        for sub in (HOME, LAB)
        for topic in ("resources", "health")
        for region in (EAST, WEST)
    }


@pytest.mark.parametrize("region", [EAST, WEST])
def test_events_go_to_the_function_by_its_resource_id_one_at_a_time(regional, region):
    site = regional.one("WebApp", f"nearzone-{region}-app").id
    own = [each.inputs for name, each in subscriptions(regional).items() if name.startswith(f"nearzone-{region}")]
    for each in own:
        assert each["destination"] == {
            "endpointType": "AzureFunction",
            "resourceId": f"{site}/functions/{names.FUNCTION}",
            "maxEventsPerBatch": 1,
            "preferredBatchSizeInKilobytes": 64,
        }
        assert each["eventDeliverySchema"] == "EventGridSchema"
        assert each["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 60}


@pytest.mark.parametrize("region", [EAST, WEST])
def test_what_cannot_be_delivered_is_kept_in_the_apps_own_account_written_by_the_topics_identity(regional, region):
    storage = regional.one("StorageAccount", f"nearzone-{region}-storage").id
    container = regional.one("BlobContainer", f"nearzone-{region}-dead-letters").id
    own = {name: each for name, each in subscriptions(regional).items() if name.startswith(f"nearzone-{region}")}
    for each in own.values():
        assert each.inputs["deadLetterWithResourceIdentity"] == {
            "identity": {"type": "SystemAssigned"},
            "deadLetterDestination": {
                "endpointType": "StorageBlob",
                "resourceId": storage,
                "blobContainerName": "dead-letters",
            },
        }
    writers = {
        each.inputs["principalId"]
        for each in regional.all("RoleAssignment").values()
        if each.inputs["scope"] == container
    }
    assert writers == {f"principal of {name}" for name in regional.all("SystemTopic")}


def test_event_subscriptions_wait_until_somebody_says_that_the_code_is_there():
    """Event Grid wants the function to be there. By default there are none, and everything else is."""
    program = deployed(subscribed=None)
    assert subscriptions(program) == {}
    assert len(program.all("SystemTopic")) == 2
    assert len(program.all("WebApp")) == 2


def test_an_existing_topic_is_used_and_not_made_anew():
    cloud = Cloud()
    program = deployed(cloud, subscriptions=[{"id": HOME}, {"id": LAB, "topic": TOPIC.format(LAB)}])
    assert {each.subscription for each in program.all("SystemTopic").values()} == {HOME}
    ours = [each for each in subscriptions(program).values() if each.inputs["systemTopicName"] == "all-events"]
    assert {(each.subscription, each.inputs["resourceGroupName"]) for each in ours} == {(LAB, "shared")}
    assert len(ours) == 2
    assert cloud.asked == [
        ("azure-native:eventgrid:getSystemTopic", {"resourceGroupName": "shared", "systemTopicName": "all-events"})
    ]
    writers = {each.inputs["principalId"] for each in program.all("RoleAssignment").values()}
    assert "existing-topic-principal" in writers


def test_an_existing_topic_without_an_identity_is_refused_with_the_way_out():
    watched = [{"id": LAB, "topic": TOPIC.format(LAB)}]
    with pytest.raises(Exception, match="all-events has no system-assigned identity: enable it"):
        deployed(Cloud(identity=None), subscriptions=watched)


def test_the_filter_is_data_that_holds_no_secret(regional):
    assert "code=" not in json.dumps([each.inputs for each in subscriptions(regional).values()])
