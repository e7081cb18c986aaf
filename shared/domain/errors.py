"""The exception types of the app. Adapters translate SDK exceptions into them, at the boundary and only there.

NearzoneError
├── Transient    may succeed when tried again later (throttled, server error, timeout, pending operation)
├── Conflict     the condition of a write failed: read again, then decide again
├── Terminal     fails until an operator changes something in Azure (lock, quota, CNAME of the same name)
│   └── Forbidden    Azure denies access: a role is missing
├── DialError    a probe could not connect, or its connection ended
├── BadSettings  all faults of the app settings
└── BadRequest   an HTTP request with an invalid field
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from shared.domain.probes import ProbeWord


class NearzoneError(Exception):
    """The base class, so that a caller can distinguish expected errors from bugs."""


class Transient(NearzoneError):
    """A retry may succeed. `retry_after`: seconds that the service asked for, or None."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(NearzoneError):
    """The condition of a write failed: the data behind the decision has changed."""


class ZoneCause(StrEnum):
    """Why a zone refuses every write, in contrast to a refusal that concerns one name."""

    LOCK = "lock"
    ROLE = "role"
    FULL = "full"
    GONE = "gone"


class Terminal(NearzoneError):
    """A retry fails until an operator changes something. `zone_cause`: None if the cause may be the name alone."""

    def __init__(self, message: str, zone_cause: ZoneCause | None = None) -> None:
        super().__init__(message)
        self.zone_cause = zone_cause


class Forbidden(Terminal):
    """HTTP 403: the identity lacks a role."""


class DialError(NearzoneError):
    """A connection to a probed address failed. `word`: how."""

    def __init__(self, word: ProbeWord) -> None:
        super().__init__(word.value)
        self.word = word


class BadSettings(NearzoneError):
    """All faults of the settings at once, each with the setting's name, the value found and what is expected."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(("nearzone cannot start, its settings have errors:", *faults)))
        self.faults = tuple(faults)


class BadRequest(NearzoneError):
    """The whole request is refused; the message names the field."""
