"""What a round adds to the evidence of each target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.config.settings import Probing
from shared.domain.probes import Evidence, ProbeResult, Target, TargetKey


def fold(
    evidence: Mapping[TargetKey, Evidence],
    targets: Iterable[Target],
    results: Mapping[TargetKey, ProbeResult],
    now: float,
    probing: Probing,
) -> dict[TargetKey, Evidence]:
    """Return the evidence after a round. `now`: the time of the round, as `judge` gets it; seconds since the epoch.

    A target without a result, or with LOCAL_FAULT, keeps its evidence as it is. Evidence of targets that were not to be
    probed is marked `absent` and kept for a week, so that an endpoint that stops and starts stays armed.
    """
    raise NotImplementedError
