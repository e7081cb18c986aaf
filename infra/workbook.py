"""One workbook over the telemetry of all apps: the operator's overview."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_azure_native import applicationinsights

from infra import names, queries
from infra.app import App
from infra.clouds import Clouds
from infra.config import Deployment
from infra.settings import probes

SHOWN = {
    "delivery_latency": "timechart",
    "sweep_age": "table",
    "refused_plans": "barchart",
    "blocked": "timechart",
    "dirty": "timechart",
    "dirty_oldest": "timechart",
    "writes": "barchart",
    "events": "barchart",
    "trouble": "barchart",
    "drift": "barchart",
    "sweep_duration": "timechart",
    "frozen": "table",
    "failing": "table",
    "frozen_for": "table",
}
"""Queries in the order of display, with their visualization."""

SHOWN_WITH_PROBES = {
    "probes_all_down": "timechart",
    "probes_blind": "timechart",
    "probes_round_age": "table",
    "probes": "timechart",
    "probes_rtt": "timechart",
}
"""These follow where something is probed."""

WORKSPACES = "microsoft.operationalinsights/workspaces"
RANGE = "TimeRange"
DAY_MS = 86_400_000


def workbook(deployment: Deployment, apps: Sequence[App], clouds: Clouds) -> None:
    """Create the workbook, next to the first app."""
    name = f"{deployment.name}-workbook"
    shown = SHOWN | (SHOWN_WITH_PROBES if probes(deployment) else {})
    ids = pulumi.Output.all(*(app.telemetry.workspace.id for app in apps))
    applicationinsights.Workbook(
        name,
        resource_group_name=apps[0].home.group.name,
        resource_name_=str(uuid.uuid5(uuid.UUID(deployment.subscription), name)),
        location=apps[0].home.region.name,
        kind="shared",
        category="workbook",
        display_name=f"{deployment.name}: {deployment.zone}",
        source_id=names.group_id(deployment, apps[0].home.region),
        serialized_data=ids.apply(lambda workspaces: json.dumps(content(workspaces, shown))),
        opts=clouds.at(deployment.subscription, after=[apps[0].home.group]),
    )


def content(workspaces: Sequence[str], shown: Mapping[str, str]) -> dict[str, object]:
    """Return a workbook (Notebook/1.0) that queries these workspaces. `shown`: as `SHOWN`."""
    time = {
        "id": "6f1b6d5e-6a3f-4a4f-9a57-8d3a7c0c0a01",
        "name": RANGE,
        "label": "Time",
        "type": 4,
        "value": {"durationMs": DAY_MS},
        "typeSettings": {"selectableValues": [{"durationMs": hours * 3_600_000} for hours in (1, 4, 24, 72, 168)]},
    }
    parameters = {"type": 9, "name": "time", "content": {"version": "KqlParameterItem/1.0", "parameters": [time]}}
    return {
        "version": "Notebook/1.0",
        "items": [parameters, *(_item(each, shape, workspaces) for each, shape in shown.items())],
        "fallbackResourceIds": list(workspaces),
    }


def _item(name: str, shape: str, workspaces: Sequence[str]) -> dict[str, object]:
    query = queries.read(name)
    return {
        "type": 3,
        "name": name,
        "customWidth": "50",
        "content": {
            "version": "KqlItem/1.0",
            "query": query.text,
            "size": 0,
            "title": query.title,
            "timeContextFromParameter": RANGE,
            "queryType": 0,
            "resourceType": WORKSPACES,
            "crossComponentResources": list(workspaces),
            "visualization": shape,
        },
    }
