"""Storage accounts on the simulator's port, so that an app keeps its catalog while its process is stopped.

Only the Table service exists. Signatures and tokens are not verified, and the accounts end with the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulator.arm.front_door import Request, Response
from simulator.tables import Tables

STORAGE = "/_storage"
"""The path below which each account has its own path, as in Azurite: `/_storage/ACCOUNT/Tables`."""


class StorageAccounts:
    """The Table service of each account. An account exists from its first request on.

    `clock`: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tables: dict[str, Tables] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request to a path below `STORAGE`."""
        account = request.path.removeprefix(f"{STORAGE}/").partition("/")[0]
        tables = self._tables.setdefault(account, Tables(self._clock))
        return tables.handle(replace(request, path=request.path.removeprefix(STORAGE)))
