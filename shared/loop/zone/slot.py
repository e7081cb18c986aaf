"""Who works on a zone in this process."""

from __future__ import annotations

import asyncio
from collections import deque


class ZoneSlot:
    """One at a time in this process, and one more who waits where it can stay longer; the others leave it to these.

    `news`: names were marked. `next_list`: when the zone's record sets may be listed again, in seconds; `worth`: for
    how many names that is worth while, as far as is known.
    """

    def __init__(self) -> None:
        self.new_work = asyncio.Event()
        self.next_list = 0.0
        self.worth = 0
        self._until: float | None = None
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._last: tuple[float, asyncio.Future[bool]] | None = None

    async def acquire(self, now: float, deadline: float, *, stays: bool) -> bool:
        """Whether it is the caller's turn before its deadline (in seconds). Who `stays` is not sent away by another."""
        if self._until is None:
            self._until = deadline
            return True
        if not stays and self._until >= deadline:
            return False
        mine: tuple[float, asyncio.Future[bool]] = (deadline, asyncio.get_running_loop().create_future())
        if not stays:
            if self._last and not self._last[1].done():
                if self._last[0] >= deadline:
                    return False
                self._last[1].set_result(False)
            self._last = mine
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(max(0.0, deadline - now)):
                return await mine[1]
        except BaseException as error:
            if mine[1].done() and not mine[1].cancelled() and mine[1].result():  # Given in the moment of giving up.
                self.release()
            if isinstance(error, TimeoutError):
                return False
            raise

    def release(self) -> None:
        """The next one's turn."""
        self._until = None
        while self._waiting and self._until is None:
            deadline, future = self._waiting.popleft()
            if not future.done():
                self._until = deadline
                future.set_result(True)
