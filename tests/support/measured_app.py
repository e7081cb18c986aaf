"""The metrics of an app in a simulated deployment, as OpenTelemetry collects them."""

from collections import defaultdict

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from shared.telemetry import otel_metrics
from simulator.arm.front_door import Response
from tests.support.deployment import REGIONS, a_vm, a_world, orphans, run_scenario, vm_id, zone_id
from tests.support.probed import measured_distances, probed_settings, store_round, verdict_of

EAST, WEST, ASIA = REGIONS


class Figures:
    """The metrics as a backend would have them: {name: {dimensions: last or total value}}."""

    def __init__(self):
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.measure = otel_metrics(self.provider.get_meter("nearzone"))
        self.instruments, self.values = {}, defaultdict(dict)

    def collect(self):
        data = self.reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
            self.instruments[metric.name] = (metric.unit, metric.description)
            for point in metric.data.data_points:
                value = (point.count, point.sum) if hasattr(point, "sum") else point.value
                self.values[metric.name][tuple(sorted(point.attributes.items()))] = value
        return self.values

    def of(self, name, **dimensions):
        return self.values[name].get(tuple(sorted(dimensions.items())))


def measured_story(story, world, **options):
    figures = Figures()
    run_scenario(lambda stage: story(stage, figures), world, measure=figures.measure, **options)
    figures.collect()
    return figures


def fleet(**more):
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), **more)


def answering(*statuses):
    """The first writes to Asia's zone are answered so, and not carried out."""
    left = iter(statuses)

    def faults(request):
        if request.method != "PUT" or zone_id(ASIA).lower() not in request.path.lower():
            return None
        status = next(left, None)
        return status and Response(status, {"code": "No", "message": "no"}, {"Retry-After": "1"})

    return faults


def eventful_fleet():
    """A world for `eventful`."""
    return fleet(records=orphans(10), **probed_settings())


async def eventful(stage, _):
    """Everything that is measured happens."""
    await stage.app.correct_drift()  # Each zone has ten record sets too many, and that plan is refused.
    await stage.app.on_event("{")
    stage.arm("DELETE", zone_id(EAST) + "/A/llama")  # Somebody does.
    await stage.app.correct_drift()
    await stage.resync(freeze={"zone": WEST})
    stage.faults = answering(429, 412)
    stage.arm("POST", vm_id("w-1") + "/deallocate")
    await stage.deliver_pending_events(60)
    down = [verdict_of(stage.app, "e-1", "10.1.0.4", EAST)]
    await store_round(stage.app, verdicts=down)
    for _ in range(2):
        await stage.app.probe()  # It answers twice in a row, so the verdict ends.
    await store_round(stage.app, verdicts=down, distances=measured_distances(stage.app))
    await stage.app.drain()
