"""The bodies of events about completed operations and about a machine's health, in both schemas. Pure.

Sources: docs, event-grid/event-schema-subscriptions.md and event-schema-health-resources.md, and the OpenAPI examples
of Microsoft.Resources and Microsoft.ResourceNotifications 2018-01-01 (read 2026-11-23). Neither contains the resource
itself: a reader has to query ARM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from simulator.arm.front_door import TENANT, Completed, Signal

Schema = Literal["EventGridSchema", "CloudEventSchemaV1_0"]
Topic = Literal["Microsoft.Resources.Subscriptions", "Microsoft.ResourceNotifications.HealthResources"]
"""The types of system topics that a subscription (of Azure) can have here."""

CONTENT_TYPES: Mapping[Schema, str] = {
    "EventGridSchema": "application/json; charset=utf-8",
    "CloudEventSchemaV1_0": "application/cloudevents+json; charset=utf-8",
}

_PRINCIPAL = "00000000-0000-0000-0000-00000000bbbb"
_METHODS = {"Delete": "DELETE", "Action": "POST"}
# Inferred: the OpenAPI examples say "Succeeded" even for failures and cancellations, which looks like a mistake.
_STATUS = {"Success": "Succeeded", "Failure": "Failed", "Cancel": "Canceled"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event, independent of the schema."""

    id: str
    topic: str
    subject: str
    type: str
    time: float
    """Seconds since the epoch."""
    data: Mapping[str, Any]
    version: str = "2"
    """Version of the data, in the Event Grid schema."""

    @property
    def operation(self) -> str:
        """The name of the operation, or of a health event its annotation or type."""
        properties = self.data.get("resourceInfo", {}).get("properties", {})
        return str(self.data.get("operationName") or properties.get("annotationName") or self.type)

    def body(self, schema: Schema) -> bytes:
        """The body of a delivery: an array of one element, or one CloudEvent."""
        time = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        if schema == "CloudEventSchemaV1_0":
            cloud_event = {"id": self.id, "source": self.topic, "subject": self.subject, "type": self.type}
            return json.dumps({**cloud_event, "time": time, "data": self.data, "specversion": "1.0"}).encode()
        event = {
            "id": self.id,
            "topic": self.topic,
            "subject": self.subject,
            "eventType": self.type,
            "eventTime": time,
            "data": self.data,
            "dataVersion": self.version,
            "metadataVersion": "1",
        }
        return json.dumps([event]).encode()


def event_of(note: Completed, event_id: str, *, action_in_subject: bool = False) -> Event:
    """The event about a completed operation on a subscription's system topic.

    `action_in_subject`: an action's subject ends in the action, as in one third-party sample. Unknown; the documented
    sample of an action has the bare resource id.
    """
    subscription = note.resource_id.split("/")[2]
    return Event(
        id=event_id,
        topic=f"/subscriptions/{subscription}",
        subject=note.resource_id + (_action(note) if action_in_subject else ""),
        type=f"Microsoft.Resources.Resource{note.family}{note.outcome}",
        time=note.time,
        data={
            "authorization": _authorization(note, subscription),
            "claims": _claims(note),
            "correlationId": note.correlation_id,
            **_http_request(note),
            "resourceProvider": note.operation.split("/")[0],
            "resourceUri": note.resource_id,
            "operationName": note.operation,
            "status": _STATUS[note.outcome],
            "subscriptionId": subscription,
            "tenantId": TENANT,
        },
    )


def health_event_of(signal: Signal, event_id: str, health_id: str) -> Event:
    """The event about a change of a resource's health on the HealthResources topic.

    `health_id`: the name of the status or annotation itself.
    """
    when = datetime.fromtimestamp(signal.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    status = signal.kind == "AvailabilityStatusChanged"
    kind = f"Microsoft.ResourceHealth/{'availabilityStatuses' if status else 'resourceAnnotations'}"
    provider, _, rest = signal.resource_id.rpartition("/providers/")[2].partition("/")
    target = {
        "targetResourceId": signal.resource_id,
        "targetResourceType": "/".join([provider, *rest.split("/")[::2]]),
        "occurredTime": when,
    }
    info = {"id": f"{signal.resource_id}/providers/{kind}/{health_id}", "name": health_id, "type": kind}
    return Event(
        id=event_id,
        topic=f"/subscriptions/{signal.resource_id.split('/')[2]}",
        subject=signal.resource_id,
        type=f"Microsoft.ResourceNotifications.HealthResources.{signal.kind}",
        time=signal.time,
        data={
            "resourceInfo": {**info, "properties": {**target, **signal.details}},
            "operationalInfo": {"resourceEventTime": when},
            "apiVersion": "2023-12-01" if status else "2022-08-01",
        },
        version="1",
    )


def _authorization(note: Completed, subscription: str) -> dict[str, Any]:
    evidence = {
        "role": "Contributor",
        "roleAssignmentScope": f"/subscriptions/{subscription}",
        "roleAssignmentId": "00000000000000000000000000000001",
        "roleDefinitionId": "b24988ac618042a0ab8820f7382dd24c",
        "principalId": _PRINCIPAL.replace("-", ""),
        "principalType": "ServicePrincipal",
    }
    return {"scope": note.resource_id, "action": note.operation, "evidence": evidence}


def _claims(note: Completed) -> dict[str, str]:
    issued = int(note.time) - 300
    return {
        "aud": "https://management.core.windows.net/",
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": str(issued),
        "nbf": str(issued),
        "exp": str(issued + 3600),
        "appid": _PRINCIPAL,
        "appidacr": "2",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": _PRINCIPAL,
        "http://schemas.microsoft.com/identity/claims/tenantid": TENANT,
        "uti": "simulated",
        "ver": "1.0",
    }


def _action(note: Completed) -> str:
    return f"/{note.operation.split('/')[-2]}" if note.family == "Action" else ""


def _http_request(note: Completed) -> dict[str, Any]:
    # Documented for updates and deletions, shown for actions. Whether most writes were
    # updates is unknown here, so these have none: less than Azure sends.
    method = "PUT" if note.updates else _METHODS.get(note.family)
    if method is None:
        return {}
    return {
        "httpRequest": {
            "clientRequestId": note.request_id or note.correlation_id,
            "clientIpAddress": "203.0.113.1",
            "method": method,
            "url": f"https://management.azure.com{note.resource_id}{_action(note)}?api-version=2024-03-01",
        }
    }


def validation(code: str, event_id: str, time: float, schema: Schema) -> bytes:
    """The validation handshake of an endpoint.

    In the CloudEvents form `data` is a JSON string inside the JSON (webjobs extension, HttpRequestProcessor.cs).
    """
    data = {"validationCode": code, "validationUrl": f"https://rp-eastus.eventgrid.azure.net/validate?id={code}"}
    event = Event(event_id, "/subscriptions", "", "Microsoft.EventGrid.SubscriptionValidationEvent", time, data)
    if schema == "EventGridSchema":
        return event.body(schema)
    return json.dumps({**json.loads(event.body(schema)), "data": json.dumps(data)}).encode()
