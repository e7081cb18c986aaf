"""Durations such as 60m, 2h or 1h30m, and times. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import ceil

from nearzone_cli.errors import UsageError

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_CLOCK_TIME = re.compile(r"\d\d:\d\d(:\d\d)?")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
DAY_SECONDS = 86400
MAX_MINUTES = 7 * 24 * 60
"""The longest override that the API accepts."""


def seconds(option: str, text: str) -> int:
    """A duration in seconds. Raises UsageError, which names the option."""
    match = _DURATION.fullmatch(text.strip().lower())
    found = match and sum(int(n or 0) * unit for n, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if not found:
        raise UsageError(f"{option}: {text!r} is not a duration such as 60m, 2h, 90s or 1h30m")
    return found


def minutes(left: float) -> int:
    """Whole minutes, as the API takes them: rounded up, at least one."""
    return max(1, ceil(left / 60))


def spoken(length: float) -> str:
    """A duration in the form in which it is written."""
    left, parts = round(length), []
    for unit, size in _UNITS.items():
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts[:2]) or "0s"


def is_clock_time(text: str) -> bool:
    """A time without a date, such as 10:03."""
    return bool(_CLOCK_TIME.fullmatch(text.strip()))


def end_today(option: str, text: str, now: float) -> float:
    """As `moment`, but a clock time is today's, in UTC. Raises UsageError, also for a time that is over."""
    at = moment(option, text, now)
    if is_clock_time(text) and iso(at)[:10] != iso(now)[:10]:
        at += DAY_SECONDS  # It was yesterday's, because today's is still ahead.
    if at <= now:
        tomorrow = f"; for tomorrow: {option} {iso(at + DAY_SECONDS)}" if is_clock_time(text) else ""
        raise UsageError(f"{option}: {text} is over; it is {iso(now)}{tomorrow}")
    return at


def moment(option: str, text: str, now: float) -> float:
    """A time in seconds since 1970: ISO 8601, by default UTC; 10:03 is the last one; 2h is so long ago.

    Raises UsageError, which names the option.
    """
    wanted = text.strip()
    if _DURATION.fullmatch(wanted.lower()) and wanted:
        return now - seconds(option, wanted)
    try:
        if is_clock_time(wanted):
            today = datetime.fromtimestamp(now, UTC).date().isoformat()
            at = datetime.fromisoformat(f"{today}T{wanted}+00:00").timestamp()
            return at if at <= now else at - DAY_SECONDS
        found = datetime.fromisoformat(wanted)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        known = "a time such as 2026-11-29T10:00:00Z or 10:03 (UTC), or a duration such as 2h"
        raise UsageError(f"{option}: {text!r} is not {known}") from error


def iso(at: float) -> str:
    """A time as the API writes it, in whole seconds of UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_time(text: str | None, now: float) -> str:
    """A time of the API for a table: without the date if it is today's, in UTC."""
    if not text:
        return "-"
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    same_day = at.date() == datetime.fromtimestamp(now, UTC).date()
    return at.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")


def age(text: str | None, now: str | None) -> str:
    """How long ago a time of the API was at another one, such as `3m`; `never` without a time."""
    if not text:
        return "never"
    try:
        at = datetime.fromisoformat(text)
        return spoken(max(0.0, ((datetime.fromisoformat(now) if now else at) - at).total_seconds()))
    except (ValueError, TypeError):
        return text
