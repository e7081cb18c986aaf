"""Events: a system topic for each watched subscription, and each app's own subscriptions to it.

Azure allows one system topic per source and type, so an existing one may be configured. The event subscriptions come
last: Event Grid requires the function to exist, so they are created only after the code is deployed (`subscribed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import eventgrid, resources

from infra import filters, names, rights
from infra.app import App
from infra.clouds import Clouds
from infra.config import Deployment, WatchedSubscription
from infra.roles import Identity, built_in, grant
from infra.zones import ZonePlacement

DELIVERY_MINUTES = 60
"""How long Event Grid tries to deliver an event. Several sweeps have run by then."""
ATTEMPTS = 30


@dataclass(frozen=True, slots=True)
class Topic:
    """A system topic. `label`: its name in this program; `principal`: the identity that writes its dead letters."""

    label: str
    kind: str
    subscription: str
    group: pulumi.Input[str]
    name: pulumi.Input[str]
    id: pulumi.Input[str]
    principal: pulumi.Output[str]


def topics(deployment: Deployment, clouds: Clouds) -> list[tuple[Topic, resources.ResourceGroup]]:
    """Return the topics of every watched subscription, each with the resource group of its alert."""
    found = []
    for each in deployment.subscriptions:
        group = resources.ResourceGroup(
            f"{deployment.name}-events-{each.id}",
            resource_group_name=f"{deployment.name}-events",
            location=deployment.regions[0].name,
            opts=clouds.at(each.id),
        )
        found.append((_topic(deployment, each, filters.RESOURCES, group, clouds), group))
        if deployment.health:
            found.append((_topic(deployment, each, filters.HEALTH, group, clouds), group))
    return found


def _topic(
    deployment: Deployment, watched: WatchedSubscription, kind: str, group: resources.ResourceGroup, clouds: Clouds
) -> Topic:
    short = "resources" if kind == filters.RESOURCES else "health"
    label, given = (
        f"{deployment.name}-{short}-{watched.id}",
        watched.topic if short == "resources" else watched.health_topic,
    )
    if given:
        return _existing(label, kind, given, clouds)
    made = eventgrid.SystemTopic(
        label,
        resource_group_name=group.name,
        system_topic_name=f"{deployment.name}-{short}",
        location="global",
        source=f"/subscriptions/{watched.id}",
        topic_type=kind,
        identity=eventgrid.IdentityInfoArgs(type="SystemAssigned"),
        opts=clouds.at(watched.id),
    )
    return Topic(
        label, kind, watched.id, group.name, made.name, made.id, made.identity.apply(lambda i: _principal(label, i))
    )


def zone_topics(
    deployment: Deployment, places: Sequence[ZonePlacement], clouds: Clouds
) -> list[tuple[Topic, resources.ResourceGroup]]:
    """Return the topics of our zones' groups in subscriptions that are not watched: they report edits of the zones.

    Zones that existed before are left out: it is unknown whether we may listen to their groups, and the sweep finds
    edits.
    """
    watched = {each.id for each in deployment.subscriptions}
    if deployment.subscription in watched:
        return []
    return [(_group_topic(deployment, place, clouds), place.group) for place in places if place.zone]


def _group_topic(deployment: Deployment, place: ZonePlacement, clouds: Clouds) -> Topic:
    label = f"{names.group(deployment, place.region)}-edits"
    made = eventgrid.SystemTopic(
        label,
        resource_group_name=place.group.name,
        system_topic_name=label,
        location="global",
        source=place.group.id,
        topic_type=filters.GROUPS,
        identity=eventgrid.IdentityInfoArgs(type="SystemAssigned"),
        opts=clouds.at(deployment.subscription),
    )
    principal = made.identity.apply(lambda i: _principal(label, i))
    return Topic(label, filters.GROUPS, deployment.subscription, place.group.name, made.name, made.id, principal)


def _existing(label: str, kind: str, given: str, clouds: Clouds) -> Topic:
    subscription = names.subscription_of(given)
    group, name = (given.split("/")[i] for i in (4, -1))
    found = eventgrid.get_system_topic_output(
        resource_group_name=group, system_topic_name=name, opts=clouds.invoke_options(subscription)
    )
    return Topic(label, kind, subscription, group, name, given, found.identity.apply(lambda i: _principal(given, i)))


def _principal(topic: str, identity: object) -> str:
    """Return the identity with which a topic writes dead letters. Raises ValueError if it has none."""
    principal = getattr(identity, "principal_id", None)
    if not principal:
        raise ValueError(f"{topic} has no system-assigned identity: enable it, because it writes the dead letters")
    return str(principal)


def subscribe(deployment: Deployment, topic: Topic, app: App, clouds: Clouds) -> None:
    """Permit a topic to write an app's dead letters and, once the code is deployed, deliver to its function."""
    writer = grant(
        Identity(f"{app.name}-{topic.label}", topic.principal),
        built_in(deployment.subscription, rights.STORAGE_BLOB_DATA_CONTRIBUTOR),
        app.storage.dead_letters.id,
        "dead-letters",
        clouds.at(deployment.subscription),
    )
    if deployment.subscribed:
        _event_subscription(topic, app, clouds, [writer, app.settled])


def _event_subscription(topic: Topic, app: App, clouds: Clouds, after: Sequence[pulumi.Resource]) -> None:
    """Create an event subscription. Event Grid calls the site at once, so all changes of the site come before."""
    eventgrid.SystemTopicEventSubscription(
        f"{app.name}-{topic.label}",
        resource_group_name=topic.group,
        system_topic_name=topic.name,
        event_subscription_name=app.name,
        event_delivery_schema="EventGridSchema",
        destination=eventgrid.AzureFunctionEventSubscriptionDestinationArgs(
            endpoint_type="AzureFunction",
            resource_id=pulumi.Output.format("{0}/functions/{1}", app.site.id, names.FUNCTION),
            max_events_per_batch=1,  # The host responds for a whole batch: one failure would redeliver all of it.
        ),
        filter=_filter(topic.kind),
        retry_policy=eventgrid.RetryPolicyArgs(
            max_delivery_attempts=ATTEMPTS, event_time_to_live_in_minutes=DELIVERY_MINUTES
        ),
        dead_letter_with_resource_identity=eventgrid.DeadLetterWithResourceIdentityArgs(
            identity=eventgrid.EventSubscriptionIdentityArgs(type="SystemAssigned"),
            dead_letter_destination=eventgrid.StorageBlobDeadLetterDestinationArgs(
                endpoint_type="StorageBlob",
                resource_id=app.storage.account.id,
                blob_container_name=names.DEAD_LETTERS,
            ),
        ),
        opts=clouds.at(topic.subscription, after=after),
    )


def _filter(kind: str) -> eventgrid.EventSubscriptionFilterArgs:
    operations = filters.EDITS if kind == filters.GROUPS else filters.OPERATIONS
    beginnings = eventgrid.StringBeginsWithAdvancedFilterArgs(
        operator_type="StringBeginsWith", key=filters.OPERATION, values=list(operations)
    )
    return eventgrid.EventSubscriptionFilterArgs(
        included_event_types=list(filters.EVENT_TYPES[kind]),
        advanced_filters=[] if kind == filters.HEALTH else [beginnings],
    )
