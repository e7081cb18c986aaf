"""What a vantage's evidence says of an address at a moment, in one word. Pure."""

from __future__ import annotations

from enum import StrEnum
from statistics import median

from shared.config.settings import Probing
from shared.domain.probes import Evidence, VantageRow, Verdict, VerdictKind


class ProbeState(StrEnum):
    """How an address stands. `TROUBLED` are the states that an operator should look at, the worst first."""

    DOWN = "down"
    FAILING = "failing"
    """Its last probes fail; no verdict follows from them, or not yet."""
    NOT_ARMED = "not armed"
    """It has never answered, so its failures count for nothing."""
    WAITING = "waiting"
    RETURNING = "returning"
    STALE = "stale"
    """The last result is too old to say anything."""
    UP = "up"
    NOT_PROBED = "not probed"


TROUBLED = (ProbeState.DOWN, ProbeState.FAILING, ProbeState.NOT_ARMED, ProbeState.WAITING, ProbeState.RETURNING)
_OF_VERDICTS = {
    VerdictKind.DOWN: ProbeState.DOWN,
    VerdictKind.WAITING: ProbeState.WAITING,
    VerdictKind.RETURNING: ProbeState.RETURNING,
}


def state(found: Evidence | None, verdict: Verdict | None, probing: Probing, now: float) -> ProbeState:
    """Return how an address stands. `verdict`: the one that is in force."""
    if verdict:
        return _OF_VERDICTS[verdict.kind]
    if found is None or found.absent or not found.at:
        return ProbeState.NOT_PROBED
    if now - found.at >= probing.stale_after:
        return ProbeState.STALE
    if not found.armed:
        return ProbeState.NOT_ARMED
    return ProbeState.FAILING if found.fails else ProbeState.UP


def is_stale(row: VantageRow | None, probing: Probing, now: float) -> bool:
    """Return whether a vantage has had no round for so long that what it says is not used."""
    return row is None or now - row.at >= probing.stale_after


def rtt_ms(found: Evidence) -> float | None:
    """Return the median of an address's round-trip times in milliseconds; None without a sample."""
    return round(median(found.samples), 2) if found.samples else None
