"""What an override command is about. A misspelt target is refused before anything is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from shared.config.region_names import suggestion
from shared.domain.endpoints import Endpoint, State
from shared.domain.errors import BadRequest, NearzoneError
from shared.domain.overrides import Override, parent_word
from shared.domain.resource_ids import resource_id
from shared.edge.commands import Drain, Freeze, OverrideCommand, Undrain, Unfreeze
from shared.edge.report import Report
from shared.ports import Catalog, Inventory


@dataclass(frozen=True)
class OverrideTargets:
    """Checks targets against the catalog and Azure. `regions`: of the round-trip table and of NEARZONE_LATENCY."""

    catalog: Catalog
    inventory: Inventory
    regions: frozenset[str]

    async def check(self, command: OverrideCommand, report: Report) -> Sequence[Endpoint]:
        """Return the endpoints that a command is about; the report says how many, also if there is none.

        Endpoints without a name do not count, except one that is itself the target: a drain changes nothing for them.

        A region or endpoint that is known, and has nothing to drain today, may be drained in advance.
        Raises BadRequest where the target is not known, or the override to end is not in force; Transient.
        """
        if isinstance(command, Freeze):
            return ()
        overrides = [stored.value for stored in await self.catalog.overrides()]
        if isinstance(command, Unfreeze):
            if not any(override.about(command.zone.key) for override in overrides):
                raise BadRequest(_not_frozen(command))
            return ()
        return await self._check_drain(command, overrides, report)

    async def _check_drain(
        self, command: Drain | Undrain, overrides: Sequence[Override], report: Report
    ) -> Sequence[Endpoint]:
        target, targets = command.target, {override.target for override in overrides}
        known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        known = [each for each in known if each.state != State.GONE]
        field = "drain" if isinstance(command, Drain) else "undrain"
        self._check_region(f"{field}.region", target, targets | _regions(known))
        if isinstance(command, Undrain) and not any(override.about(target) for override in overrides):
            raise BadRequest(_not_drained(command, overrides))
        covered = [
            each for each in known if Override(target, 0.0).applies_to(each) and (each.names or each.key == target)
        ]
        if isinstance(command, Drain) and _is_endpoint(target) and not covered:
            covered += await self.find_in_azure("drain.endpoint", target, report)
        names = {name for each in covered for name in each.names}
        report.covered_counts = (len(covered), len(names))
        report.notes.append(_coverage(command, len(covered), len(names), known))
        return covered

    def _check_region(self, field: str, target: str, also: Collection[str]) -> None:
        """Raise BadRequest for an unknown region. Azure may have endpoints in one that no table knows: `also`."""
        if _is_endpoint(target) or target in self.regions or target in also:
            return
        seen = {each for each in also if each and not _is_endpoint(each)}
        meant = suggestion(target, self.regions | seen)
        known = "the table of round-trip times, of NEARZONE_LATENCY or of an endpoint that is known"
        raise BadRequest(f"{field}: {target[:200]!r} is not a region of {known}{_listed(seen)}{meant}")

    async def find_in_azure(self, field: str, target: str, report: Report) -> Sequence[Endpoint]:
        """Ask Azure about an endpoint, or what contains some, that the catalog does not know; gives the endpoints.

        Raises BadRequest where Azure has none either. Where Azure does not answer, the report says so: that is no
        reason to refuse a command.
        """
        named = resource_id(target, self.inventory.types)
        is_parent = named is not None and named.type in self.inventory.parent_types
        try:
            found = await (self._members(target) if is_parent else self._endpoint(target))
        except NearzoneError as error:
            report.notes.append(f"{field}: the catalog does not know it, and Azure could not be asked: {error}"[:500])
            return ()
        if found is None:
            what = parent_word(target) if is_parent else "endpoint"
            raise BadRequest(
                f"{field}: no such {what} known: neither the catalog nor Azure has {target[:300]!r}"
                f"{await self._locations_beside(target)}"
            )
        return found

    async def _locations_beside(self, target: str) -> str:
        """The known locations of the API Management service that a target names a location of, as text; "" if none."""
        places, _, _ = target.lower().rpartition("/")
        known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        found = sorted(each.region for each in known if each.key.rpartition("/")[0] == places)
        return f"; the service has locations in: {', '.join(found)}" if found and places.endswith("/locations") else ""

    async def _endpoint(self, endpoint_id: str) -> Sequence[Endpoint] | None:
        found = await self.inventory.observe(endpoint_id, None)
        return None if found.state == State.GONE else (found,)

    async def _members(self, parent_id: str) -> Sequence[Endpoint] | None:
        """The endpoints of a parent whose names its lists show: the VMs of a flexible set have their own tags."""
        listed = await self.inventory.members(parent_id, ())
        return None if listed is None else [each for part in listed for each in part if each.names]


def _is_endpoint(target: str) -> bool:
    """Whether a target is an endpoint or a scale set: no region has a slash, every id does."""
    return "/" in target


def _regions(endpoints: Iterable[Endpoint]) -> set[str]:
    """The regions that a drain can name: of endpoints, and where private endpoints themselves are."""
    return {region for each in endpoints for region in (each.region, each.network_region) if region}


def _listed(regions: Iterable[str]) -> str:
    return f" (endpoints are known in: {', '.join(sorted(regions)) or 'none'})"


def _coverage(command: Drain | Undrain, endpoints: int, names: int, known: Iterable[Endpoint]) -> str:
    """Return how many endpoints and names a command is about; if none, which regions there are."""
    target = command.target
    if endpoints:
        return f"the override covers {endpoints} endpoint(s) and {names} name(s)"
    seen = "" if _is_endpoint(target) else _listed(_regions(each for each in known if each.names))
    nothing = f"the override of {target} covers no endpoint that is known{seen}"
    if isinstance(command, Drain):
        return f"{nothing}: it applies to those that appear later"
    return f"{nothing}: ending it changes no answer"


def _not_frozen(command: Unfreeze) -> str:
    zone = command.zone
    return f'unfreeze.zone: zone {zone.fqdn} ({zone.region}) is not frozen; to sweep it, send only {{"zone": ...}}'


def _not_drained(command: Undrain, overrides: Iterable[Override]) -> str:
    drained = sorted({override.target for override in overrides if not override.is_freeze})
    found = ", ".join(drained[:10]) or "none"
    return f"undrain: {command.target} is not drained by an override; drain overrides: {found}"[:1000]
