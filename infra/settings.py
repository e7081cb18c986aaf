"""The app settings: those of the app's parser, and those that the Functions host and the telemetry need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise

from cronsim import CronSim

from infra import names
from infra.config import Deployment, Region
from shared.config.settings import SWEEP_SCHEDULE

WRITTEN = frozenset({"NEARZONE_ZONES", "NEARZONE_SUBSCRIPTIONS", "NEARZONE_CLAIMS"})
PROBES, PROBING = "NEARZONE_PROBES", "NEARZONE_PROBING"
ROOTS = "SSL_CERT_FILE"
"""Names the PEM file with the roots that OpenSSL trusts: probes may meet certificates of a private authority."""
_SCHEDULE = "NEARZONE_SWEEP_SCHEDULE"
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def own_settings(deployment: Deployment, regions: Sequence[Region], subnet: Sequence[str] = ()) -> dict[str, str]:
    """Return the NEARZONE_ settings of the app that writes the zones of these regions.

    `subnet`: the IPv4 networks of its integration subnet, as far as they are known. The app does not probe them.
    """
    written = {
        "NEARZONE_ZONES": [_zone(deployment, region) for region in regions],
        "NEARZONE_SUBSCRIPTIONS": [
            *(each.id for each in deployment.subscriptions),
            *(f"managementGroups/{each}" for each in deployment.management_groups),
        ],
        "NEARZONE_CLAIMS": dict(deployment.claims),
    }
    values = {**deployment.settings, **_probing(deployment, regions, subnet), **written}
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in sorted(values.items())}


def probes(deployment: Deployment) -> bool:
    """Return whether the apps probe: NEARZONE_PROBES names at least one probe."""
    return bool(value_of(deployment, PROBES))


def value_of(deployment: Deployment, name: str) -> object:
    """Return the value of an optional setting, which may be JSON text; None if it is not set or is no JSON."""
    value = deployment.settings.get(name)
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _probing(deployment: Deployment, regions: Sequence[Region], subnet: Sequence[str]) -> dict[str, object]:
    """Return NEARZONE_PROBING of an app: the common fields, and those of its region instead of them.

    If the app probes, its vantage is its region, unless the configuration names another one. The networks of its subnet
    are added to those that it never probes.
    """
    given = value_of(deployment, PROBING) if deployment.settings.get(PROBING) else {}
    if not regions or not isinstance(given, dict):
        return {}
    vantage = {"vantage": regions[0].name} if probes(deployment) else {}
    merged = {**vantage, **given, **regions[0].probing}
    never = merged.get("never", [])
    if probes(deployment) and subnet and isinstance(never, list):
        merged["never"] = [*never, *(each for each in subnet if each not in never)]
    return {PROBING: merged} if merged else {}


def switches(deployment: Deployment) -> dict[str, str]:
    """Return the settings that keep functions from running: `probe`, if there is nothing to probe.

    The host starts no listener for a function with AzureWebJobs.NAME.Disabled; the platform turns the dots into "_" for
    the environment of a Linux process, and the host reads both (azure-webjobs-sdk, HostListenerFactory). A name with
    "__" would be read as a section of the configuration (Microsoft Learn, functions-app-settings).
    """
    return {} if probes(deployment) else {f"AzureWebJobs.{names.PROBE_FUNCTION}.Disabled": "true"}


def host_settings(client_id: str, blob: str, queue: str, table: str, connection: str) -> dict[str, str]:
    """Return the settings that name the identity and its uses, without any key.

    `blob`, `queue`, `table`: the endpoints of the app's storage account. Sources: azure-identity 1.27
    (DefaultAzureCredential uses the user-assigned identity in AZURE_CLIENT_ID), the identity-based connections of Azure
    Functions, azure-monitor-opentelemetry-exporter 1.0.0b57 (the authentication string).
    """
    return {
        "AZURE_CLIENT_ID": client_id,
        "AzureWebJobsStorage__blobServiceUri": blob,
        "AzureWebJobsStorage__queueServiceUri": queue,
        "AzureWebJobsStorage__tableServiceUri": table,
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": client_id,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": connection,
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"ClientId={client_id};Authorization=AAD",
    }


def three_sweeps(deployment: Deployment) -> int:
    """Return three intervals of the sweep in seconds; the longest ones if they differ."""
    schedule = str(deployment.settings.get(_SCHEDULE) or SWEEP_SCHEDULE)
    due = [each.timestamp() for each in islice(CronSim(schedule, _ANY_DAY), 500)]
    return round(3 * max(later - earlier for earlier, later in pairwise(due)))


def _zone(deployment: Deployment, region: Region) -> dict[str, object]:
    reach = {"reach": list(region.reach)} if region.reach else {}
    public = {"public": True} if region.public else {}
    return {"id": names.zone_id(deployment, region), "region": region.name, **reach, **public}
