"""Wiring: environment, clock, credential and transport become a ready loop. Nothing is decided here.

No call leaves this process before the first request does: clients are made when the first function runs, once, and live
as long as the process.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.privatedns.aio import PrivateDnsManagementClient

from shared.azure.client import Arm, client_options
from shared.azure.inventory import ArmInventory
from shared.azure.private_dns import PrivateDnsRecordSets
from shared.azure.throttle import Throttle
from shared.azure.zone_environment import ArmZoneEnvironmentReader
from shared.catalog import storage_account as account
from shared.catalog.memory import MemoryCatalog
from shared.catalog.other_deployments import OtherDeployments
from shared.catalog.table import TableCatalog
from shared.config import parser as settings_parser
from shared.config.settings import CLOUDS, Cloud, Settings
from shared.decide import own_writes
from shared.decide import region_latency as latency
from shared.domain.clock import Clock
from shared.domain.counters import Counters
from shared.domain.errors import BadSettings
from shared.domain.metrics import COUNTER, HISTOGRAM, METRICS
from shared.loop.reconciler import Reconciler
from shared.ports import Catalog, Metrics, no_metrics

IN_AZURE = ("WEBSITE_INSTANCE_ID", "WEBSITE_SKU", "WEBSITE_POD_NAME")
"""One of these is set on every hosting plan, Flex Consumption included. Source: how azure-functions-host tells its plan
(`IsAppService`, `IsFlexConsumptionSku`, `IsLinuxConsumptionOnLegion`), read 2026-11-23."""
LATENCY = Path(__file__).parent / "data" / "region_latency.csv"


def build(
    environment: Mapping[str, str],
    *,
    credential: AsyncTokenCredential | None = None,
    transport: Any = None,  # noqa: ANN401 - any azure-core transport
    catalog: Catalog | None = None,
    clock: Callable[[], float] = time.time,
    holder: str | None = None,
    measure: Metrics = no_metrics,
) -> Reconciler:
    """A loop ready to run. What is not given is the real thing. Raises BadSettings with every fault.

    `clock`: this process's own, in seconds since the epoch; the catalog's answers correct what the loop sees of it.
    """
    published = latency.parse(LATENCY.read_text(encoding="utf-8"))
    wanted = _settings(environment, published.regions)
    credential = credential or _credential(wanted.cloud)
    figures = Counters(_of(COUNTER), _of(HISTOGRAM))
    measure = _both(figures.record, measure)
    throttle = Throttle(_passed, measure)
    options = client_options(wanted.cloud, throttle, transport, proxied=account.proxied(environment))
    reader = ComputeManagementClient(credential, min(wanted.subscriptions), **options)
    arm = Arm(wanted.cloud, reader.send_request)
    subscriptions = {zone.key.split("/")[2] for zone in wanted.zones}
    writers: dict[str, Any] = {
        each: PrivateDnsManagementClient(credential, each, **options).record_sets for each in subscriptions
    }
    return Reconciler(
        settings=wanted,
        latency=published.with_pairs(wanted.latency),
        catalog=catalog or _catalog(environment, wanted, credential),
        inventory=ArmInventory(arm, wanted.static, wanted.zones),
        record_sets=PrivateDnsRecordSets(arm, writers, _request_ids(wanted)),
        zone_environments=ArmZoneEnvironmentReader(arm),
        clock=Clock(clock),
        holder=holder or uuid.uuid4().hex,
        metrics=measure,
        counters=figures,
        notes=() if catalog else tuple(account.overridden(environment)),
    )


def _request_ids(wanted: Settings) -> Callable[[], str]:
    own = own_writes.request_id_prefix(wanted)
    return lambda: own_writes.request_id(own, str(uuid.uuid4()))


def _of(kind: str) -> dict[str, tuple[str, ...]]:
    """The dimensions of the metrics of one kind."""
    return {name: metric.dimensions for name, metric in METRICS.items() if metric.kind == kind}


def _both(first: Metrics, second: Metrics) -> Metrics:
    def measure(name: str, value: float, /, **dimensions: str) -> None:
        first(name, value, **dimensions)
        second(name, value, **dimensions)

    return measure


def _passed() -> float:
    """Seconds that have passed, by a clock that is never set."""
    return asyncio.get_running_loop().time()


def _credential(cloud: Cloud) -> AsyncTokenCredential:
    named = {"authority": cloud.authority} if cloud.authority else {}
    return DefaultAzureCredential(exclude_interactive_browser_credential=True, **named)


def _settings(environment: Mapping[str, str], regions: Collection[str]) -> Settings:
    """The app settings. Raises BadSettings with their faults and those of the storage account's settings."""
    try:
        return settings_parser.parse(environment, regions)
    except BadSettings as error:
        faults = list(error.faults)
        try:
            account.parse(environment, CLOUDS["public"])
        except BadSettings as others:
            faults += others.faults
        raise BadSettings(faults) from error


def _catalog(environment: Mapping[str, str], wanted: Settings, credential: AsyncTokenCredential) -> Catalog:
    """The durable catalog where a storage account is named, else the one in memory. Raises BadSettings."""
    where = account.parse(environment, wanted.cloud)
    if where:
        others = OtherDeployments(account.service(where, credential), wanted)
        return TableCatalog(account.connect(where, credential, table=account.table_of(wanted)), others)
    if any(environment.get(name) for name in IN_AZURE):
        found = "catalog: found the one in memory, expected a durable one, because in Azure every function has its own"
        raise BadSettings([f"{found} memory: set {account.CONNECTION}, {account.ACCOUNT} or {account.SERVICE}"])
    return MemoryCatalog()
