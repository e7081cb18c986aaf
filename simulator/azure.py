"""The wiring: one simulated Azure out of a clock, a seed and a world, for the skins and for tests.

Nothing is decided in here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

from simulator import compute, network, private_dns, tags, world
from simulator.core import Azure, Request, Response


class Cloud:
    """A whole simulated Azure. Raises WorldError for a world that cannot be.

    `clock` gives seconds since the epoch; equal seeds, clocks and requests give equal histories. `operation_scale`
    multiplies the durations of long-running operations.
    """

    def __init__(
        self,
        initial: world.World | None = None,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        operation_scale: float = 1.0,
    ) -> None:
        self.azure = Azure(clock, Random(seed), operation_scale=operation_scale)
        self.network = network.register(self.azure)
        self.compute = compute.register(self.azure, self.network)
        self.private_dns = private_dns.register(self.azure)
        self.private_dns.vnet_exists = lambda vnet_id: self.network.vnets.find(vnet_id) is not None
        self.tags = tags.register(self.azure, self.compute, self.network)
        self.settings: dict[str, Any] = {}
        world.load(self, initial or world.World())

    def handle(self, request: Request) -> Response:
        """Answer an ARM request."""
        return self.azure.handle(request)

    def world(self) -> dict[str, Any]:
        """The world as it is now, in the format of a world file."""
        return world.dump(self)
