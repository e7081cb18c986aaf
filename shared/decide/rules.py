"""What every decision of a moment depends on."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config.settings import Settings
from shared.decide.region_latency import Latency
from shared.domain.overrides import Override
from shared.domain.probes import NOTHING_MEASURED, Measured


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings, published distances, the overrides that are in force, and what probes have measured."""

    settings: Settings
    latency: Latency
    overrides: tuple[Override, ...] = ()
    measured: Measured = NOTHING_MEASURED
