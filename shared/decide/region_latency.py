"""Round-trip times between Azure regions.

The matrix is Microsoft's published P50 (30 days to 2026-07-30), kept as data in `data/region_latency.csv`; whoever
wires the app reads the file, this room only understands its text.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds between regions, as seen from the first one."""

    pairs: Mapping[Pair, float]

    def ms(self, client: str, endpoint: str) -> float | None:
        """Round-trip time in milliseconds: 0 within a region, None for a pair that nobody has published."""
        return 0.0 if client == endpoint else self.pairs.get((client, endpoint))

    @property
    def regions(self) -> frozenset[str]:
        """Every region that the matrix knows."""
        return frozenset(region for pair in self.pairs for region in pair)

    def override(self, overrides: Mapping[Pair, float]) -> Latency:
        """The same matrix with some pairs replaced."""
        return Latency({**self.pairs, **overrides})


def parse(text: str) -> Latency:
    """Read `source_region,destination_region,rtt_ms` lines. Raises ValueError or KeyError for anything else."""
    rows = csv.DictReader(text.splitlines())
    return Latency({(row["source_region"], row["destination_region"]): float(row["rtt_ms"]) for row in rows})
