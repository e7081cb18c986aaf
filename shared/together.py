"""Several things at once, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(work: Iterable[Coroutine[Any, Any, T]], at_once: int = 32) -> list[T]:
    """Do everything, and give the results in order; raises the first error only after everything has ended."""
    todo = list(work)
    gate = asyncio.Semaphore(at_once)

    async def one(step: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await step

    if len(todo) == 1:
        return [await todo[0]]
    results = await asyncio.gather(*map(one, todo), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
