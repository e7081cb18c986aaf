"""Times and causes as text, for operators and programs."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.domain.dirty import Cause


def format_time(seconds: float) -> str | None:
    """A time (seconds since the epoch) as ISO 8601 in UTC; None for 0, which means never."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else None


def cause_now(what: str, now: float, by: str = "", reason_given: str = "") -> Cause:
    """The cause of what begins now (seconds since the epoch), with the caller and the reason that they gave."""
    return Cause(f"{what} {format_time(now)}", now, by, reason_given)
