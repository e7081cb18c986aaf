"""How long each trigger may run, and the time limit that ends what runs longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.domain.errors import Transient

EVENT_SECONDS = 20.0
"""Event Grid gives a delivery 30 s; what is not written by then is left to the drain timer."""
DRAIN_SECONDS = 25.0
SWEEP_SECONDS = 240.0
"""host.json ends a function after 5 minutes."""
RESYNC_SECONDS = 200.0
"""Azure's load balancer ends an HTTP request after 230 s."""
PROBE_SECONDS = 12.0
"""A round of probes ends before the next one is due."""
PROBE_APPLY_SECONDS = 20.0
"""What a round has marked is applied until then, since it began; the next round may begin late for that."""
SHUTDOWN_GRACE_SECONDS = 4.0
"""Seconds for what was begun before a deadline; then it is cancelled, and its names stay dirty."""


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """Cancel what runs longer than so many seconds. Raises Transient then."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Transient(f"not done within {seconds:g} s") from error
