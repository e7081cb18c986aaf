"""An app whose settings name management groups: it runs as one whose settings name the groups' subscriptions.

A subscription that joins or leaves a group is a change of settings, as after a restart: the catalog counts as complete
only after the next sweep, and the guard looks at what would be removed. Sweeps read the groups and keep their
subscriptions in the state row, from which all processes take them. If a group cannot be read, the last known
subscriptions stay, with an alarm; if none are known, every function fails and the zones stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.config.settings import Settings
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import CatalogState, WatchedGroup
from shared.domain.errors import Forbidden, NearzoneError, Terminal, Transient
from shared.loop.catalog_state import update_state
from shared.loop.reconciler import Reconciler
from shared.loop.startup import Startup
from shared.ports import Catalog, Inventory

REREAD_SECONDS = 30.0
"""Seconds for which a process uses the subscriptions that it has read from the catalog."""
_EMPTY = "it has no subscription"


@dataclass
class GroupReconciler:
    """Gives the reconciler of the moment. `given`: the settings as the operator wrote them.

    `compose`: makes a reconciler for settings without groups, with its own alarms.
    """

    given: Settings
    catalog: Catalog
    inventory: Inventory
    startup: Startup
    compose: Callable[[Settings, Sequence[Alarm]], Reconciler]
    _groups: tuple[WatchedGroup, ...] = ()
    _app: Reconciler | None = None
    _read_at: float = field(default=-REREAD_SECONDS)

    async def current(self, *, sweeps: bool = False) -> Reconciler:
        """The reconciler for the groups as they are now. Raises Transient, Terminal if a group was never read."""
        await self.startup.begin(fills=False)
        now = self.startup.clock()
        if self._app and not sweeps and abs(now - self._read_at) < REREAD_SECONDS:
            return self._app
        stored = await self.catalog.state()
        kept = {each.name: each for each in (stored.value.groups if stored else ())}
        known = {each.name: each for each in self._groups} | kept
        if sweeps or not self.given.groups <= kept.keys():
            known = await self._read(known)
        self._read_at = now
        groups = tuple(known[name] for name in sorted(self.given.groups))
        if self._app is None or groups != self._groups:
            members = {each.name: frozenset(each.subscriptions) for each in groups}
            self._app = self.compose(self.given.with_members(members), _alarms(groups))
            self._groups = groups
        return self._app

    async def _read(self, known: Mapping[str, WatchedGroup]) -> dict[str, WatchedGroup]:
        """Read every group, and keep what was read. Raises Transient, Terminal if one was never read."""
        found: dict[str, WatchedGroup] = {}
        for name in sorted(self.given.groups):
            try:
                members = await self.inventory.group_subscriptions(name)
                if not members:
                    raise Terminal(_EMPTY)
                found[name] = WatchedGroup(name, tuple(sorted(members)))
            except NearzoneError as error:
                if name not in known:
                    raise _never_read(name, error) from error
                found[name] = replace(known[name], error=str(error)[:300])

        def keep(state: CatalogState | None) -> CatalogState | None:
            return state and replace(state, groups=tuple(found.values()))

        await update_state(self.catalog, keep)
        return found


def _never_read(group: str, error: NearzoneError) -> NearzoneError:
    """The error about a group of which no subscription is known, of the kind of its cause."""
    text = f"NEARZONE_SUBSCRIPTIONS: management group {group} was never read: {error}; {_advice(str(error))}"
    if isinstance(error, Transient):
        return Transient(text, error.retry_after)
    return Forbidden(text) if isinstance(error, Forbidden) else Terminal(text)


def _advice(error: str) -> str:
    if error == _EMPTY:
        return "move a subscription into the management group, or correct NEARZONE_SUBSCRIPTIONS"
    return "assign Reader to the app's identity at the management group, or correct NEARZONE_SUBSCRIPTIONS"


def _alarms(groups: Sequence[WatchedGroup]) -> list[Alarm]:
    return [
        Alarm(
            f"management group {each.name} of NEARZONE_SUBSCRIPTIONS cannot be read: {each.error}",
            f"its {len(each.subscriptions)} subscriptions as last read are watched; a new one is not",
            _advice(each.error),
        )
        for each in groups
        if each.error
    ]
