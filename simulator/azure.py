"""The wiring: one simulated Azure out of a clock, a seed and a world, for the skins and for tests.

Nothing is decided in here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from simulator import compute, network, private_dns, tags, world
from simulator.arm_limits import ArmLimits
from simulator.core import Azure, Request, Response
from simulator.dns_rules import Unknowns


class Cloud:
    """A whole simulated Azure. Raises WorldError for a world that cannot be.

    `clock` gives seconds since the epoch; equal seeds, clocks and requests give equal histories. `operation_scale`
    multiplies the durations of long-running operations. `unknowns`: how this Azure answers what nobody knows.
    """

    def __init__(
        self,
        initial: world.World | None = None,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        operation_scale: float = 1.0,
        unknowns: Unknowns | None = None,
    ) -> None:
        unknowns = unknowns or Unknowns()
        self.azure = Azure(clock, Random(seed), operation_scale=operation_scale)
        self.azure.action_in_subject = unknowns.action_in_subject
        self.azure.gate = self.arm_limits = ArmLimits(clock)
        self.network = network.register(self.azure)
        self.compute = compute.register(self.azure, self.network)
        self.compute.status_only_health = unknowns.status_only_health
        self.compute.inline_nic_event = unknowns.inline_nic_event
        self.private_dns = private_dns.register(self.azure, unknowns=unknowns)
        self.private_dns.vnet_exists = lambda vnet_id: self.network.vnets.find(vnet_id) is not None
        self.tags = tags.register(self.azure, self.compute, self.network)
        self.settings: dict[str, Any] = {}
        world.load(self, initial or world.World())

    def handle(self, request: Request) -> Response:
        """Answer an ARM request."""
        return self.azure.handle(request)

    def enforce_limits(self, *, enforced: bool = True) -> None:
        """Refuse what is beyond any published limit: of ARM, of compute, of network, and of private DNS."""
        self.arm_limits.enforce = self.compute.limits.enforce = self.network.limits.enforce = enforced
        self.private_dns.limits = self.private_dns.budgets.requests_enforced = enforced

    @property
    def throttled(self) -> Counter[tuple[str, str, str]]:
        """How many calls were refused for a limit (429), by whose limit, scope and kind of call."""
        counts = {
            "arm": self.arm_limits.throttled,
            "compute": self.compute.limits.throttled,
            "network": self.network.limits.throttled,
            "dns": self.private_dns.throttled,
        }
        return Counter({(whose, *key): n for whose, count in counts.items() for key, n in count.items()})

    def world(self) -> dict[str, Any]:
        """The world as it is now, in the format of a world file."""
        return world.dump(self)
