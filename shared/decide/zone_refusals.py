"""When a run stops writing to a zone that refuses writes for a cause of the zone, and not of a name. Pure.

A management lock, a missing role, a full zone or a missing one refuses every name in the same way. A refused write
takes from the zone's budget as any other does, so trying every name would take minutes and give no new information.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from shared.domain.errors import Terminal, ZoneCause

MAX_REFUSALS = 3
"""Consecutive refusals of one cause after which the zone is assumed to refuse all names."""

_PUTS = frozenset(("create", "update"))
_KINDS = _PUTS | {"delete"}


@dataclass
class ZoneRefusals:
    """The refusals of one run in one zone, for each kind of write: create, update or delete."""

    _counts: dict[str, tuple[ZoneCause, int]] = field(default_factory=dict)
    _last: dict[str, Terminal] = field(default_factory=dict)

    def refused(self, kind: str, error: Terminal) -> None:
        """Count a refused write. Another cause, or one of the name, shows that the first cause is gone."""
        cause = error.zone_cause
        if self._counts.get(kind, (cause, 0))[0] != cause:
            self.written(kind)
        if cause is None:
            return
        for each in _affected(cause, kind):
            before = self._counts[each][1] if each in self._counts else 0
            self._counts[each] = cause, before + 1
            self._last[each] = error

    def written(self, kind: str) -> None:
        """Reset the count: a write of this kind succeeded."""
        self._counts = {each: at for each, at in self._counts.items() if kind not in _affected(at[0], each)}

    def of(self, kind: str) -> Terminal | None:
        """The error with which the zone refuses all writes of this kind; None: try the write."""
        return self._last[kind] if self._counts.get(kind, ("", 0))[1] >= MAX_REFUSALS else None


def _affected(cause: ZoneCause, kind: str) -> Collection[str]:
    """Which kinds of writes a cause refuses if it has refused this kind.

    A create and an update are both a PUT, so a lock or a role allows both or neither; DELETE is another operation.
    """
    if cause == ZoneCause.GONE:
        return _KINDS
    if cause == ZoneCause.FULL:
        return {"create"}
    return _PUTS if kind in _PUTS else {"delete"}
