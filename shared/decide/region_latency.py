"""Round-trip times between Azure regions.

The matrix is Microsoft's published P50 (30 days to 2026-07-30), stored in `shared/data/region_latency.csv`. The caller
reads the file; this module parses its text.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Latency:
    """Round-trip times in milliseconds, by client region and endpoint region."""

    pairs: Mapping[Pair, float]

    def ms(self, client: str, endpoint: str) -> float | None:
        """Return the round-trip time in milliseconds: 0 within a region, None for a pair that is not published."""
        return 0.0 if client == endpoint else self.pairs.get((client, endpoint))

    @property
    def regions(self) -> frozenset[str]:
        """Every region in the matrix."""
        return frozenset(region for pair in self.pairs for region in pair)

    def with_pairs(self, overrides: Mapping[Pair, float]) -> Latency:
        """Return the matrix with some pairs replaced."""
        return Latency({**self.pairs, **overrides})


def parse(text: str) -> Latency:
    """Parse `source_region,destination_region,rtt_ms` lines. Raises ValueError or KeyError for any other text."""
    rows = csv.DictReader(text.splitlines())
    return Latency({(row["source_region"], row["destination_region"]): float(row["rtt_ms"]) for row in rows})
