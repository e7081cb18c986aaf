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

from shared import latency, own_writes, settings_parser
from shared.arm.client import Arm, Throttle, client_options
from shared.arm.endpoints import Endpoints
from shared.arm.private_dns import PrivateDns
from shared.arm.surroundings import Surveys
from shared.catalog import account
from shared.catalog.memory import MemoryCatalog
from shared.catalog.others import Others
from shared.catalog.table import TableCatalog
from shared.clock import Clock
from shared.errors import BadSettings
from shared.figures import Figures
from shared.ports import Catalog, Measure, unmeasured
from shared.reconcile import Reconciler
from shared.settings import CLOUDS, Cloud, Settings
from shared.telemetry import COUNTER, HISTOGRAM, METRICS

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
    measure: Measure = unmeasured,
) -> Reconciler:
    """A loop ready to run. What is not given is the real thing. Raises BadSettings with every fault.

    `clock`: this process's own, in seconds since the epoch; the catalog's answers correct what the loop sees of it.
    """
    published = latency.parse(LATENCY.read_text(encoding="utf-8"))
    wanted = _settings(environment, published.regions)
    credential = credential or _credential(wanted.cloud)
    figures = Figures(_of(COUNTER), _of(HISTOGRAM))
    measure = _both(figures.measure, measure)
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
        latency=published.override(wanted.latency),
        catalog=catalog or _catalog(environment, wanted, credential),
        inventory=Endpoints(arm, wanted.static, wanted.zones),
        record_sets=PrivateDns(arm, writers, _request_ids(wanted)),
        surveyor=Surveys(arm),
        clock=Clock(clock),
        holder=holder or uuid.uuid4().hex,
        measure=measure,
        figures=figures,
        notes=() if catalog else tuple(account.overridden(environment)),
    )


def _request_ids(wanted: Settings) -> Callable[[], str]:
    own = own_writes.mark(wanted)
    return lambda: own_writes.request_id(own, str(uuid.uuid4()))


def _of(kind: str) -> dict[str, tuple[str, ...]]:
    """The dimensions of the metrics of one kind."""
    return {name: metric.dimensions for name, metric in METRICS.items() if metric.kind == kind}


def _both(first: Measure, second: Measure) -> Measure:
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
        others = Others(account.service(where, credential), wanted)
        return TableCatalog(account.connect(where, credential, table=account.table_of(wanted)), others)
    if any(environment.get(name) for name in IN_AZURE):
        found = "catalog: found the one in memory, expected a durable one, because in Azure every function has its own"
        raise BadSettings([f"{found} memory: set {account.CONNECTION}, {account.ACCOUNT} or {account.SERVICE}"])
    return MemoryCatalog()
