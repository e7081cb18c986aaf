"""The inventory as a sweep reads it: lists, or Resource Graph and what it leaves to read.

Resource Graph shows hints. What it lacks is read by GET or a list, and so is everything that it shows differently from
the catalog; see `decide/sweep_reads.py`. If it cannot be read, everything is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.decide.inventory_diff import Rows
from shared.decide.sweep_reads import SETTLED_SECONDS, choose_reads, prefers_graph
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import CatalogState
from shared.domain.endpoints import Endpoint, Listing
from shared.domain.errors import NearzoneError, Transient
from shared.domain.resource_graph import VM, GraphFindings
from shared.ports import Inventory

LISTS, GRAPH = "lists", "resource graph"
"""The ways in which a sweep has found endpoints."""
NOT_SETTLED = (
    f"Resource Graph may be late: events of these subscriptions are recorded for less than {SETTLED_SECONDS:.0f} s"
)
"""Why a sweep is not complete although it could read everything."""


@dataclass(frozen=True, slots=True)
class InventoryLists:
    """What a sweep has listed. `way`: how; `alarms`: why not by Resource Graph.

    `settled`: it shows every claim that the catalog does not get by an event. `late`: by how many seconds Resource
    Graph may be late; it is settled only if events have been recorded for that time. `scope`: the digest of the
    subscriptions that it was asked about, or "".
    """

    listings: Sequence[Listing]
    way: str
    settled: bool = True
    alarms: tuple[Alarm, ...] = ()
    late: float = 0.0
    scope: str = ""


@dataclass(frozen=True)
class GraphInventory:
    """Reads the inventory. `clock`: seconds since the epoch."""

    inventory: Inventory
    settings: Settings
    clock: Callable[[], float]

    async def read(self, rows: Rows, previous: Sequence[Endpoint], begun: CatalogState | None) -> InventoryLists:
        """Read the inventory. `rows`: read before. `begun`: the state row when the sweep began; None: a dry run."""
        asked = self.clock()
        try:
            found = await self._find()
        except NearzoneError as error:
            listings = await self.inventory.list_all(self.settings.subscriptions, previous)
            alarms = () if isinstance(error, Transient) else (_alarm(error, len(self.settings.subscriptions)),)
            return InventoryLists(listings, f"{LISTS}, Resource Graph cannot be read: {error}"[:300], alarms=alarms)
        if found is None:
            return InventoryLists(await self.inventory.list_all(self.settings.subscriptions, previous), LISTS)
        scope, listings = self.settings.subscriptions_digest, await self._read_hints(rows, found, previous)
        settled = begun is None or _is_settled(begun, scope, asked)
        return InventoryLists(listings, GRAPH, settled, late=SETTLED_SECONDS, scope=scope)

    async def _find(self) -> GraphFindings | None:
        """Ask Resource Graph; None where lists are preferred. Raises Transient, Terminal."""
        if not prefers_graph(self.settings):
            return None
        return await self.inventory.find_opted_in(self.settings.subscriptions)

    async def _read_hints(self, rows: Rows, found: GraphFindings, previous: Sequence[Endpoint]) -> Sequence[Listing]:
        reads = choose_reads(rows, found, self.settings.subscriptions, self.inventory.kinds)
        listings = await self.inventory.list_some(reads.lists, previous)
        vms = await self.inventory.list_addresses(reads.vms)
        hinted = [
            Listing(each, VM, needs_get=tuple(vm for vm in vms if vm.subscription == each), hinted=True, known=known)
            for each, known in reads.known.items()
        ]
        return [*listings, *hinted]


def _is_settled(state: CatalogState, scope: str, asked: float) -> bool:
    """Whether what Resource Graph did not show yet at `asked` has been recorded by events.

    Events of these subscriptions are recorded since the first sweep of this catalog that asked about them.
    """
    return state.graph_scope == scope and asked - state.graph_at >= SETTLED_SECONDS


def _alarm(error: NearzoneError, subscriptions: int) -> Alarm:
    return Alarm(
        f"Resource Graph cannot be read: {error}"[:300],
        f"sweeps list every resource of {subscriptions} subscriptions instead, which takes more calls and time",
        "assign Reader, or the role of infra/, at the subscriptions, or set NEARZONE_RESOURCE_GRAPH to never",
    )
