"""The network of a world file as data."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

EVERYWHERE = "*"
"""As `to` of a path: all regions, the own one included."""

Milliseconds = Annotated[float, msgspec.Meta(gt=0, le=60_000)]
Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
Partition = Literal["all", "prober"]
"""Whose connections fail: those of all clients, or those of the prober alone (a network rule for its subnet)."""


class PathEntry(msgspec.Struct, forbid_unknown_fields=True, rename={"origin": "from"}):
    """What is special about connections from one region to another; `both`: and in the other direction.

    `rtt_ms`: true round-trip time. `terminated_ms`: something on the way accepts TCP connections after so many
    milliseconds and passes the bytes on. `partition`: connections get no answer.
    """

    origin: str
    to: str
    both: bool = True
    rtt_ms: Milliseconds | None = None
    terminated_ms: Milliseconds | None = None
    partition: Partition | None = None


class NetworkEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The noise of all paths, and the paths that differ from the published round-trip times.

    `loss`: chance that a packet is lost. `jitter_ms`: mean of what each connection takes longer (exponential).
    `spikes`: chance of a longer delay (lognormal, median 40 ms). `wander_ms`: standard deviation of a slow drift of
    the true round-trip time.
    """

    loss: Chance = 0.0
    jitter_ms: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0
    spikes: Chance = 0.0
    wander_ms: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0
    paths: list[PathEntry] = []
