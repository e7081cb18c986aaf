"""Who works on a zone in this process."""

from __future__ import annotations

import asyncio
from collections import deque


class Turn:
    """One at a time in this process, and one more who waits: the one with the latest deadline, for it can stay longest.

    `news`: names were marked. `next_list`: when the zone's record sets may be listed again, in seconds.
    """

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.next_list = 0.0
        self._taken = False
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._last: tuple[float, asyncio.Future[bool]] | None = None

    async def take(self, now: float, deadline: float, *, stays: bool) -> bool:
        """Whether it is the caller's turn before its deadline (in seconds). Who `stays` is not sent away by another."""
        if not self._taken:
            self._taken = True
            return True
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not stays:
            if self._last and not self._last[1].done():
                if self._last[0] >= deadline:
                    return False
                self._last[1].set_result(False)
            self._last = (deadline, mine)
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(max(0.0, deadline - now)):
                return await mine
        except BaseException as error:
            if mine.done() and not mine.cancelled() and mine.result():  # Given in the very moment of giving up.
                self.give()
            if isinstance(error, TimeoutError):
                return False
            raise

    def give(self) -> None:
        """The next one's turn."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(True)
                return
        self._taken = False
