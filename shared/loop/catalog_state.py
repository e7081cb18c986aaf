"""The one way in which the loop changes the catalog's state row: read, change, write on condition, retry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from shared.domain.catalog_state import CatalogState
from shared.domain.errors import Conflict
from shared.ports import Catalog

Changed = TypeVar("Changed", CatalogState, CatalogState | None)


async def update_state(catalog: Catalog, change: Callable[[CatalogState | None], Changed]) -> Changed:
    """Apply a change to the state row; gives the new state, None where `change` declined.

    `change` is a pure function of the row that is there (None: there is none). It is called again where another
    instance has written the row meanwhile. Raises Transient, Terminal.
    """
    while True:
        stored = await catalog.state()
        changed = change(stored.value if stored else None)
        if changed is None:
            return changed
        with suppress(Conflict):
            await catalog.put_state(changed, stored.etag if stored else None)
            return changed
