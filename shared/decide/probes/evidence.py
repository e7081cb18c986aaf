"""What a round adds to the evidence of each target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite

from msgspec.structs import replace

from shared.config.settings import Probing
from shared.domain.probes import SAMPLES, STRIP, Evidence, ProbeResult, ProbeWord, Target, TargetKey

KEPT_SECONDS = 7 * 86_400.0
"""For so long the evidence of an absent target is kept: longer than machines stop over a weekend."""
SAMPLES_SECONDS = 600.0
"""After so long without a round-trip time the samples begin anew."""


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
    folded: dict[TargetKey, Evidence] = {}
    for target in targets:
        known, result = _present(evidence.get(target.key), target, now), results.get(target.key)
        usable = result is not None and result.word != ProbeWord.LOCAL_FAULT
        folded[target.key] = _with_result(known, result, now, probing) if result and usable else known
    absent = (each for key, each in evidence.items() if key not in folded)
    kept = (each for each in absent if now - max(each.at, each.since) <= KEPT_SECONDS)
    return folded | {each.key: each if each.absent else replace(each, absent=True) for each in kept}


def _present(known: Evidence | None, target: Target, now: float) -> Evidence:
    """The evidence of a target that is to be probed; one that was absent begins anew, and stays armed."""
    if known is None:
        return Evidence(*target.key, place=target.place, region=target.region, since=now)
    if known.absent:
        known = replace(known, since=now, fails=0, successes=0, absent=False)
    if (known.place, known.region) != (target.place, target.region):
        known = replace(known, place=target.place, region=target.region, samples=())
    return known


def _with_result(known: Evidence, result: ProbeResult, now: float, probing: Probing) -> Evidence:
    """Add a result. After a gap of `stale_after`, or after the clock was set back, results count anew."""
    fresh = is_fresh(known, now, probing)
    fails, successes = (known.fails, known.successes) if fresh else (0, 0)
    return replace(
        _with_sample(known, result.rtt_ms, now),
        armed=known.armed or result.ok,
        at=now,
        ok_at=now if result.ok else known.ok_at,
        word=result.word,
        status=result.status,
        fails=0 if result.ok else fails + 1,
        successes=successes + 1 if result.ok else 0,
        recent=(known.recent + (".x"[not result.ok]))[-STRIP:],
    )


def _with_sample(known: Evidence, rtt_ms: float | None, now: float) -> Evidence:
    if rtt_ms is None or not isfinite(rtt_ms) or rtt_ms < 0:
        return known
    earlier = known.samples if 0 <= now - known.sampled_at <= SAMPLES_SECONDS else ()
    return replace(known, samples=(*earlier, rtt_ms)[-SAMPLES:], sampled_at=now)


def is_fresh(evidence: Evidence, now: float, probing: Probing) -> bool:
    """Return whether the last result is recent enough to count."""
    return 0 <= now - evidence.at <= probing.stale_after
