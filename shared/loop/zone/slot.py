"""Which call of this process works on a zone."""

from __future__ import annotations

import asyncio
from collections import deque


class ZoneSlot:
    """One active call. One more may wait, the one with the latest deadline, and all that `keep_waiting`."""

    def __init__(self) -> None:
        self.new_work = asyncio.Event()  # Set when names were marked.
        self._until: float | None = None
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._successor: tuple[float, asyncio.Future[bool]] | None = None

    async def acquire(self, now: float, deadline: float, *, keep_waiting: bool) -> bool:
        """Wait for the slot; return whether it was free before the deadline. `keep_waiting`: keep the place in line."""
        if self._until is None:
            self._until = deadline
            return True
        mine: tuple[float, asyncio.Future[bool]] = (deadline, asyncio.get_running_loop().create_future())
        if not keep_waiting:
            if self._until >= deadline:
                return False
            if self._successor and not self._successor[1].done():
                if self._successor[0] >= deadline:
                    return False
                self._successor[1].set_result(False)
            self._successor = mine
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(max(0.0, deadline - now)):
                return await mine[1]
        except BaseException as error:
            if mine[1].done() and not mine[1].cancelled() and mine[1].result():  # It got the slot as it gave up.
                self.release()
            if not isinstance(error, TimeoutError):
                raise
            return False

    def release(self) -> None:
        """Give the slot to the next caller that still waits."""
        self._until = None
        while self._waiting and self._until is None:
            deadline, future = self._waiting.popleft()
            if not future.done():
                self._until = deadline
                future.set_result(True)
