"""The words for everything that can go wrong; foreign errors are translated into them once, at the boundary.

NearzoneError
├── Transient    may succeed when tried again later (throttled, server error, timeout, pending operation)
├── Conflict     a condition failed: start again from the read
├── Terminal     will fail again until somebody changes something in Azure (lock, quota, CNAME of that name)
│   └── Forbidden    Azure refuses to tell or to do it: a role is missing
├── BadSettings  every fault of the app settings
└── BadRequest   an HTTP request that names something wrong
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class NearzoneError(Exception):
    """The root, so that a caller can tell our errors from bugs."""


class Transient(NearzoneError):
    """May succeed later. `retry_after`: seconds that the other side asked for, or None."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(NearzoneError):
    """A conditional write was refused: what it was decided on is no longer true."""


class ZoneCause(StrEnum):
    """Why a zone refuses a write, where that is not because of the record set's name."""

    LOCK = "lock"
    ROLE = "role"
    FULL = "full"
    GONE = "gone"


class Terminal(NearzoneError):
    """Trying again does not help until a person changes something. `zone_cause`: None where the name may be why."""

    def __init__(self, message: str, zone_cause: ZoneCause | None = None) -> None:
        super().__init__(message)
        self.zone_cause = zone_cause


class Forbidden(Terminal):
    """HTTP 403: the identity lacks a role for this."""


class BadSettings(NearzoneError):
    """All faults of the settings at once, each with name, what was found and what is expected."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(("nearzone cannot start, its settings have faults:", *faults)))
        self.faults = tuple(faults)


class BadRequest(NearzoneError):
    """The request is refused as a whole; the message names the field."""
