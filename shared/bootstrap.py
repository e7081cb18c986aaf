"""Wiring: environment, clock, credential and transport become a ready reconciler. Nothing is decided here.

`_wire` makes the adapters, `_compose` the loop. Clients are made once, when the first function runs, and live as long
as the process. Building sends no request.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from shared.decide import own_writes, region_latency
from shared.decide.region_latency import Latency
from shared.domain.alarms import Alarm
from shared.domain.clock import Clock
from shared.domain.counters import Counters
from shared.domain.errors import BadSettings
from shared.domain.metrics import COUNTER, HISTOGRAM, METRICS
from shared.loop.event_handler import EventHandler
from shared.loop.instance import Instance
from shared.loop.metrics import MetricsWriter
from shared.loop.observer import Observer
from shared.loop.operator_log import OperatorLog
from shared.loop.override_commands import OverrideCommands
from shared.loop.override_targets import OverrideTargets
from shared.loop.overrides import Overrides
from shared.loop.preflight_check import PreflightCheck
from shared.loop.probing.interface import NoProbing, Probing
from shared.loop.reconciler import Reconciler
from shared.loop.record_edits import RecordEdits
from shared.loop.recorder import Recorder
from shared.loop.region_check import RegionCheck
from shared.loop.resync import Resyncs
from shared.loop.startup import Startup
from shared.loop.status_sources import StatusSources
from shared.loop.sweep import Sweeper
from shared.loop.sweep_runner import SweepRunner
from shared.loop.unknown_resources import UnknownResources
from shared.loop.zone.apply import ZoneApplier
from shared.loop.zone.services import LoopServices
from shared.ports import Catalog, Dialer, Inventory, Metrics, Prober, RecordSets, ZoneEnvironmentReader, no_metrics

if TYPE_CHECKING:
    from shared.loop.group_reconciler import GroupReconciler
    from shared.loop.status_queries import StatusQueries

IN_AZURE = ("WEBSITE_INSTANCE_ID", "WEBSITE_SKU", "WEBSITE_POD_NAME")
"""One of these is set on every hosting plan, Flex Consumption included. Source: how azure-functions-host tells its plan
(`IsAppService`, `IsFlexConsumptionSku`, `IsLinuxConsumptionOnLegion`), read 2026-11-23."""
NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
"""For the SDK client whose pipeline the app uses: it wants one, and the app's requests have their own."""
LATENCY = Path(__file__).parent / "data" / "region_latency.csv"


def build(  # noqa: PLR0913 - each of them is a part of the outside world
    environment: Mapping[str, str],
    *,
    credential: AsyncTokenCredential | None = None,
    transport: Any = None,  # noqa: ANN401 - any azure-core transport
    catalog: Catalog | None = None,
    dialer: Dialer | None = None,
    clock: Callable[[], float] = time.time,
    holder: str | None = None,
    measure: Metrics = no_metrics,
) -> Reconciler:
    """A reconciler ready to run. What is not given is the real thing. Raises BadSettings with every fault.

    `clock`: this process's own, in seconds since the epoch; the catalog's answers correct what the loop sees of it.
    Management groups in the settings have no effect: see `build_app`.
    """
    outside = _Outside(credential, transport, catalog, dialer, clock, holder, measure)
    return _wire(environment, outside).compose()


def build_app(environment: Mapping[str, str], **outside: Any) -> Reconciler | GroupReconciler:  # noqa: ANN401 - as `build`
    """An app ready to run, also if its settings name management groups. `outside`: as for `build`."""
    wired = _wire(environment, _Outside(**outside))
    if not wired.settings.groups:
        return wired.compose()
    from shared.loop.group_reconciler import GroupReconciler  # noqa: PLC0415 - few apps have one

    catalog, clock = wired.adapters.catalog, wired.clock
    return GroupReconciler(wired.settings, catalog, wired.adapters.inventory, Startup(catalog, clock), wired.compose)


@dataclass(frozen=True)
class _Outside:
    """The parts of the outside world that replace the real ones; see `build`."""

    credential: AsyncTokenCredential | None = None
    transport: Any = None
    catalog: Catalog | None = None
    dialer: Dialer | None = None
    clock: Callable[[], float] = time.time
    holder: str | None = None
    measure: Metrics = no_metrics


def _wire(environment: Mapping[str, str], outside: _Outside) -> _Wired:
    """Make the adapters. Raises BadSettings with every fault."""
    published = region_latency.parse(LATENCY.read_text(encoding="utf-8"))
    wanted = _settings(environment, published.regions)
    credential = outside.credential or _credential(wanted.cloud)
    figures = Counters(_of(COUNTER), _of(HISTOGRAM))
    measure = _both(figures.record, outside.measure)
    throttle = Throttle(_passed, measure)
    options = client_options(wanted.cloud, throttle, outside.transport, proxied=account.proxied(environment))
    reader = ComputeManagementClient(credential, min(wanted.subscriptions, default=NO_SUBSCRIPTION), **options)
    arm = Arm(wanted.cloud, reader.send_request)
    subscriptions = {zone.key.split("/")[2] for zone in wanted.zones}
    writers: dict[str, Any] = {
        each: PrivateDnsManagementClient(credential, each, **options).record_sets for each in subscriptions
    }
    adapters = _Adapters(
        catalog=outside.catalog or _catalog(environment, wanted, credential),
        inventory=ArmInventory(arm, wanted.static, wanted.zones, published.with_pairs(wanted.latency).regions),
        record_sets=PrivateDnsRecordSets(arm, writers, _request_ids(wanted)),
        zone_environments=ArmZoneEnvironmentReader(arm),
        prober=_prober(wanted, outside.dialer) if wanted.probes else None,
        metrics=measure,
    )
    notes = () if outside.catalog else tuple(account.overridden(environment))
    instance = Instance(
        outside.holder or uuid.uuid4().hex, Clock(outside.clock), notes, environment.get("WEBSITE_PRIVATE_IP", "")
    )
    return _Wired(wanted, published.with_pairs(wanted.latency), adapters, instance, figures)


@dataclass(frozen=True)
class _Adapters:
    """The outside world. `prober`: None without NEARZONE_PROBES."""

    catalog: Catalog
    inventory: Inventory
    record_sets: RecordSets
    zone_environments: ZoneEnvironmentReader
    prober: Prober | None
    metrics: Metrics


@dataclass
class _Wired:
    """What one process or several reconcilers in it share."""

    settings: Settings
    latency: Latency
    adapters: _Adapters
    instance: Instance
    figures: Counters
    _composed: int = 0

    @property
    def clock(self) -> Clock:
        """The clock of this process, as the catalog corrects it."""
        return self.instance.clock

    def compose(self, settings: Settings | None = None, alarms: Sequence[Alarm] = ()) -> Reconciler:
        """A reconciler, for other settings than the given ones if there are any, with alarms of its own.

        Each but the first has another name in leases: the one that it replaces may still be at work.
        """
        own, self._composed = self.instance, self._composed + 1
        holder = own.holder if self._composed == 1 else f"{own.holder}-{self._composed}"
        instance = Instance(holder, own.clock, (*own.notes, *alarms), own.private_ip)
        return _compose(settings or self.settings, self.latency, self.adapters, instance, self.figures)


def _compose(
    settings: Settings, latency: Latency, adapters: _Adapters, instance: Instance, counters: Counters
) -> Reconciler:
    """Which part of the loop needs which, from the ports up to the triggers."""
    catalog, inventory, clock, metrics = adapters.catalog, adapters.inventory, instance.clock, adapters.metrics
    startup, record_sets = Startup(catalog, clock), adapters.record_sets
    applier = ZoneApplier(LoopServices(catalog, record_sets, settings, latency, clock, instance.holder, metrics))
    record_cache, findings = applier.record_cache, applier.zone_findings

    observer, health_wait = Observer(inventory, clock), 60.0 * settings.health_wait_minutes
    probing = _probing(settings, latency, adapters, clock)
    recorder = Recorder(catalog, inventory, observer, settings.zones, clock, applier.prefetch, health_wait, probing)
    unknown_resources = UnknownResources(catalog, settings, clock)
    record_edits = RecordEdits(catalog, settings, record_cache, findings, clock)
    event_handler = EventHandler(
        settings, inventory, catalog, clock, startup, recorder, unknown_resources, record_edits, applier, metrics
    )

    region_check = RegionCheck(settings, catalog, adapters.zone_environments, findings, metrics)
    sweeps = SweepRunner(settings, catalog, Sweeper(recorder, applier), region_check, instance, metrics)
    budgets, private_ip = record_cache.budgets, instance.private_ip
    sources = StatusSources(catalog, record_sets, settings, latency, clock, budgets, private_ip)
    preflight = PreflightCheck(sources, inventory, adapters.zone_environments, instance, startup)

    targets = OverrideTargets(catalog, inventory, latency.regions)
    overrides = Overrides(catalog, recorder, OperatorLog(catalog), settings.zones, clock)
    resyncs = Resyncs(catalog, inventory, recorder, overrides, targets, sweeps, preflight)
    override_commands = OverrideCommands(startup, targets, overrides, resyncs, sweeps, applier)

    return Reconciler(
        settings=settings,
        catalog=catalog,
        inventory=inventory,
        instance=instance,
        metrics=metrics,
        metrics_writer=MetricsWriter(catalog, counters, instance),
        startup=startup,
        recorder=recorder,
        applier=applier,
        event_handler=event_handler,
        sweeps=sweeps,
        preflight=preflight,
        probing=probing,
        resyncs=resyncs,
        overrides=overrides,
        override_commands=override_commands,
        status_sources=sources,
        status_queries=cache(partial(_status_queries, sources, startup, instance, event_handler.counts)),
    )


def _prober(settings: Settings, dialer: Dialer | None) -> Prober:
    """Probes through `dialer`; None: through the simulator's gateway where one is set, else real connections.

    Imported here, because an app without probes does not need it.
    """
    from shared.probing.rounds import probe_all  # noqa: PLC0415

    probing, gateway = settings.probing, settings.cloud.probe_gateway
    if dialer is None and gateway:
        from shared.probing.gateway_dialer import GatewayDialer  # noqa: PLC0415

        dialer = GatewayDialer(gateway, probing.vantage, probing.never)
    elif dialer is None:
        from shared.probing.socket_dialer import SocketDialer  # noqa: PLC0415

        dialer = SocketDialer(probing.never)
    return partial(probe_all, dialer, probing=probing)


def _probing(settings: Settings, latency: Latency, adapters: _Adapters, clock: Clock) -> Probing:
    """The probing of the loop, which an app without probes does not import."""
    if adapters.prober is None:
        return NoProbing()
    from shared.loop.probing.prober_app import ProberApp  # noqa: PLC0415
    from shared.loop.probing.vantage import Vantage  # noqa: PLC0415

    return ProberApp(Vantage(adapters.catalog, settings, latency, clock), adapters.prober, adapters.metrics)


def _status_queries(
    sources: StatusSources, startup: Startup, instance: Instance, event_counts: Counter[str]
) -> StatusQueries:
    """The status, which the first request imports: a process that handles events does not need it."""
    from shared.loop.status_queries import StatusQueries  # noqa: PLC0415

    return StatusQueries(sources, startup, instance, event_counts)


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
        found = "catalog: found an in-memory catalog, expected a durable one: in Azure functions share no memory"
        raise BadSettings([f"{found} memory: set {account.CONNECTION}, {account.ACCOUNT} or {account.SERVICE}"])
    return MemoryCatalog()
