"""Schedules of the timers: NCRONTAB, six fields, seconds first, in UTC.

The Functions host parses them with NCRONTAB, and this app with cronsim, which accepts more: a schedule that only one of
them understands is refused. Source of the operators and ranges:
https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, pairwise

from cronsim import CronSim, CronSimError

FIELDS = ("second", "minute", "hour", "day of the month", "month", "day of the week")
SIZES = (60, 60, 24, 31, 12, 7)
"""The number of values of each field: a greater step never has a second match."""
RUNS_CHECKED = 500
"""The number of consecutive runs that are checked for the shortest and the longest interval."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_FIELD = re.compile(r"[0-9*,/-]+")
_NAMES = {
    "month": "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC",
    "day of the week": "SUN|MON|TUE|WED|THU|FRI|SAT",
}
_NEVER = "days that are in one of its months: it never runs"


def fault(text: str) -> str:
    """Return what is expected instead of an invalid schedule; "" for a valid one."""
    parts = text.upper().split()
    if len(parts) != len(FIELDS):
        return f"six fields, seconds first, found {len(parts)}"
    for name, size, part in zip(FIELDS, SIZES, parts, strict=True):
        if found := _field_fault(name, size, part):
            return found
    try:
        CronSim(text, _ANY_DAY)
        # NCRONTAB runs if the day of the month and the day of the week both match, cronsim if one of them does.
        next(CronSim(" ".join((*parts[:5], "*")), _ANY_DAY))
    except CronSimError as error:
        name = str(error).removeprefix("Bad ").replace("-", " ").replace("day of month", FIELDS[3])
        return (
            _NEVER if name == FIELDS[3] and _is_valid_field(parts, 3) else f"{_with_article(name)} that NCRONTAB knows"
        )
    except StopIteration:
        return _NEVER
    return ""


@lru_cache(maxsize=16)
def intervals(text: str) -> tuple[float, float]:
    """Return the shortest and the longest interval between two of the next runs, in seconds; for a valid schedule."""
    due = [each.timestamp() for each in islice(CronSim(text, _ANY_DAY), RUNS_CHECKED)]
    between = [later - earlier for earlier, later in pairwise(due)]
    return min(between), max(between)


def _field_fault(name: str, size: int, part: str) -> str:
    plain = re.sub(rf"\b({_NAMES[name]})\b", "1", part) if name in _NAMES else part
    if not _FIELD.fullmatch(plain):
        values = "numbers, names" if name in _NAMES else "numbers"
        return f"{_with_article(name)} of {values} and the operators * , - / alone"
    steps = [term.partition("/")[2] for term in part.split(",")]
    if any(each.isdigit() and int(each[:9]) > size for each in steps):
        return f"a step of 1 to {size} for the {name}: a greater one never makes a second step"
    if name == FIELDS[-1] and re.search(r"(?<![0-9/])7", part):
        return f"a {name} from 0 (Sunday) to 6, or SUN to SAT"
    return ""


def _with_article(name: str) -> str:
    return f"an {name}" if name == "hour" else f"a {name}"


def _is_valid_field(parts: list[str], index: int) -> bool:
    """Return whether a field is valid together with every month."""
    try:
        CronSim(" ".join("*" if i != index else part for i, part in enumerate(parts)), _ANY_DAY)
    except CronSimError:
        return False
    return True
