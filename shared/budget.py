"""How fast a zone may be written: at most 57 of each kind of write in any sliding minute.

Azure's published limits per private zone and minute are 60 creates, 60 updates and 60 deletes (Azure DNS limits,
2024-10-08). Three are left for requests that Azure counts later than we do. The clock is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.model import Write

WINDOW = 60.0
WRITES = 57
KINDS = ("create", "update", "delete")


class Budget:
    """The writes of one zone in the last minute."""

    def __init__(self) -> None:
        self._writes: set[Write] = set()
        self._unknown_until = 0.0

    def wait(self, kind: str, now: float) -> float:
        """Seconds until the next write of this kind may go; 0 when it may go now."""
        spent = sorted(write.at for write in self._writes if write.kind == kind)
        freed = spent[-WRITES] + WINDOW if len(spent) >= WRITES else 0.0
        return max(0.0, freed - now, self._unknown_until - now)

    def spend(self, kind: str, name: str, now: float) -> None:
        """Note a write that goes now."""
        self._writes = {*self.writes(now), Write(kind, name, now)}

    def writes(self, now: float) -> tuple[Write, ...]:
        """What was written in the last minute, oldest first."""
        return tuple(sorted((w for w in self._writes if w.at > now - WINDOW), key=lambda w: (w.at, w.kind, w.name)))

    def learn(self, spent: Iterable[Write] | None, now: float) -> None:
        """Take in what a holder before has written; None: nobody knows, so assume the worst for a minute."""
        if spent is None:
            self._unknown_until = now + WINDOW
        else:
            self._writes |= set(spent)


BACK_OFF = 2.0
MAX_BACK_OFF = 300.0


def back_off(attempts: int, retry_after: float | None) -> float:
    """Seconds before a name that failed `attempts` times is tried again; what the other side asked for comes first."""
    return max(retry_after or 0.0, min(MAX_BACK_OFF, BACK_OFF * 2.0 ** min(attempts - 1, 10)))
