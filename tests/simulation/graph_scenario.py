"""What a seed draws about Azure Resource Graph, from its own source of chance: the other seeds keep their stories."""

from dataclasses import dataclass
from random import Random

from simulator.arm.front_door import Response
from simulator.arm.resource_graph import PATH, throttled

CYCLE, WITH_GRAPH = 9, (3, 8)
"""Of so many seeds in a row, these find endpoints by Resource Graph. No seed that failed once is among them."""
LONGEST_LAG = 240.0
"""Seconds by which it shows a change late, at the most. The app expects up to `SETTLED_SECONDS`."""


@dataclass(frozen=True)
class GraphScenario:
    """How late Resource Graph shows changes, in seconds at the most, and the chance that it cannot be read.

    `sweep_every`: replaces the scenario's, so that sweeps meet rows that are late.
    """

    lag: float
    refused: float
    sweep_every: float


def draw_graph(seed, world, subscriptions):
    """How a seed uses Resource Graph, None: not at all. The settings of `world` gain what that needs.

    Its VMs are spread over the subscriptions, but for those of a scale set, which are in its own: where most VMs of a
    subscription have opted in, a sweep would list it. Many VMs opt in later, which Resource Graph then shows late.
    """
    if seed % CYCLE not in WITH_GRAPH:
        return None
    rng = Random(f"graph {seed}")
    world["settings"] |= {
        "NEARZONE_RESOURCE_GRAPH": "always",
        "NEARZONE_SUBSCRIPTIONS": list(subscriptions),
        "NEARZONE_CLAIMS": {"*": list(subscriptions)},
    }
    for number, vm in enumerate(world["vms"]):
        vm["tags"] = vm["tags"] if rng.random() < 0.5 else {}
        scale_set, spread = vm.get("scale_set"), subscriptions[number % len(subscriptions)]
        for each in (vm, *vm["nics"]):
            parts = each["id"].split("/")
            each["id"] = "/".join([*parts[:2], scale_set.split("/")[2] if scale_set else spread, *parts[3:]])
    lag, refused = rng.choice((0.0, 60.0, LONGEST_LAG, LONGEST_LAG)), rng.choice((0.0, 0.0, 0.1, 0.5))
    return GraphScenario(lag, refused, rng.uniform(40.0, 150.0))


class GraphFaults:
    """Late rows and refused queries, until `stop`."""

    def __init__(self, cloud, drawn, rng):
        self.rng, self.refused, self.lag = rng, drawn.refused, drawn.lag
        cloud.graph.fault = self.fault
        cloud.graph.lag = lambda: rng.uniform(0.0, self.lag)
        cloud.graph.observe()

    def fault(self):
        """What a query gets instead of its answer, or None."""
        if self.rng.random() >= self.refused:
            return None
        error = {"error": {"code": "AccessDenied", "message": "Access is denied to the requested resource."}}
        quota = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:05"}
        return self.rng.choice((Response(403, error), Response(500), throttled(quota).response))

    def stop(self):
        """Every query gets its answer from now on; rows may still be late."""
        self.refused = 0.0


def asks(request):
    """Whether a request is a query of Resource Graph."""
    return request.method == "POST" and request.path.lower() == PATH.lower()
