"""How fast a zone may be written: at most 57 of each kind of write in any sliding minute.

Azure's published limits per private zone and minute are 60 creates, 60 updates and 60 deletes (Azure DNS limits,
2024-10-08). Three are left for requests that Azure counts later than we do. The clock is an argument.
"""

from __future__ import annotations

from collections import deque

WINDOW = 60.0
WRITES = 57


class Budget:
    """The writes of one zone in the last minute, by kind."""

    def __init__(self) -> None:
        self._spent: dict[str, deque[float]] = {}

    def wait(self, kind: str, now: float) -> float:
        """Seconds until the next write of this kind may go; 0 when it may go now."""
        spent = self._spent.get(kind)
        if spent is None or len(spent) < WRITES:
            return 0.0
        return max(0.0, spent[-WRITES] + WINDOW - now)

    def spend(self, kind: str, now: float) -> None:
        """Note a write that goes now."""
        self._spent.setdefault(kind, deque(maxlen=WRITES)).append(now)

    def exhaust(self, now: float) -> None:
        """Know nothing of what somebody else wrote in the last minute: assume the worst."""
        for kind in ("create", "update", "delete"):
            self._spent[kind] = deque([now] * WRITES, maxlen=WRITES)


BACK_OFF = 2.0
MAX_BACK_OFF = 300.0


def back_off(attempts: int, retry_after: float | None) -> float:
    """Seconds before a name that failed `attempts` times is tried again; what the other side asked for comes first."""
    return max(retry_after or 0.0, min(MAX_BACK_OFF, BACK_OFF * 2.0 ** min(attempts - 1, 10)))
