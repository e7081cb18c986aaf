"""Rows of the catalog as values for JSON, as the status shows them."""

from __future__ import annotations

from typing import Any

from shared.decide import wait_reasons as waiting
from shared.domain.catalog_state import ReadingProgress, SweepSummary
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.overrides import Override
from shared.domain.zones import Answer, Zone
from shared.loop.times import format_time


def answer_json(answer: Answer) -> dict[str, Any]:
    """What a zone should hold for a name; `addresses` None: what is there."""
    return {
        "addresses": None if answer.addresses is None else list(answer.addresses),
        "ttl": answer.ttl,
        "reason": answer.reason,
    }


def dirty_json(dirty: DirtyName, holds: waiting.WaitReasons) -> dict[str, Any]:
    """A dirty name, and what it waits for."""
    return {
        "zone": dirty.zone,
        "name": dirty.name,
        "urgency": dirty.urgency.key,
        "since": format_time(dirty.since),
        "attempts": dirty.attempts,
        "not_before": format_time(dirty.not_before),
        "last_error": dirty.last_error,
        "cause": dirty.cause,
        **caller_json(dirty),
        "waits_for": holds.reason(dirty),
    }


def caller_json(said: DirtyName | Override | RecordChange | SweepSummary) -> dict[str, str | None]:
    """The caller, and the reason that they gave; None where there is none."""
    return {"by": said.by or None, "reason_given": said.reason_given or None}


def change_json(past: RecordChange, zone: Zone) -> dict[str, Any]:
    """One entry of a history as JSON."""
    return {
        "at": format_time(past.at),
        "zone": zone.key,
        "name": past.name,
        "kind": past.kind,
        "before": list(past.before),
        "after": list(past.after),
        "reason": past.reason,
        "cause": past.cause,
        **caller_json(past),
    }


def sweep_json(sweep: SweepSummary) -> dict[str, Any]:
    """One of the last sweeps."""
    return {
        "at": format_time(sweep.at),
        "seconds": round(sweep.seconds, 3),
        "cause": sweep.cause,
        "endpoints": sweep.endpoints,
        "drift": sweep.drift,
        "changes": sweep.changes,
        "failures": sweep.failures,
        "refused": sweep.refused,
        "complete": sweep.complete,
        "failing": sweep.failing,
        "examples": list(sweep.examples),
        "error": sweep.error,
        "inventory": sweep.inventory,
        **caller_json(sweep),
    }


def progress_json(progress: ReadingProgress | None) -> dict[str, int | None] | None:
    """How far a sweep has read what lists leave open, and about how many seconds it needs for the rest."""
    if progress is None:
        return None
    took, left = progress.at - progress.begun, progress.of - progress.read
    seconds = None if not progress.read or progress.ended else round(left * took / progress.read)
    return {"read": progress.read, "of": progress.of, "seconds_left": seconds}


def until_json(override: Override | None) -> dict[str, str | None] | None:
    """The end of an override, null if it has none, and its caller; None without an override."""
    if override is None:
        return None
    return {"until": None if override.has_no_end else format_time(override.until), **caller_json(override)}
