"""The body of a manual resync: strict, so that a typing error in an outage does nothing instead of something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from shared.errors import BadRequest
from shared.model import Zone, resource_id
from shared.regions import is_name
from shared.settings import LABEL, Settings, region_name

MAX_BYTES = 64 * 1024
MAX_MINUTES = 7 * 24 * 60

Minutes = Annotated[int, msgspec.Meta(ge=1, le=MAX_MINUTES)]


class _Target(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: str | None = None
    region: str | None = None


class _Drain(msgspec.Struct, forbid_unknown_fields=True):
    minutes: Minutes
    endpoint: str | None = None
    region: str | None = None


class _Zone(msgspec.Struct, forbid_unknown_fields=True):
    zone: str


class _Freeze(msgspec.Struct, forbid_unknown_fields=True):
    zone: str
    minutes: Minutes | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    zone: str | None = None
    name: str | None = None
    endpoint: str | None = None
    dry_run: bool = False
    force: bool = False
    adopt: list[str] | Literal["lost"] = []
    drain: _Drain | None = None
    undrain: _Target | None = None
    freeze: _Freeze | None = None
    unfreeze: _Zone | None = None
    check: bool = False


_ALONE = ("drain", "undrain", "freeze", "unfreeze", "check")
"""What is asked for by itself."""


@dataclass(frozen=True, slots=True)
class Resync:
    """What was asked for. Empty scope: everything. `drain`, `undrain`: an endpoint id in lower case or a region.

    `adopt`: names to take over; `regain`: all that have lost our mark (`"adopt": "lost"`). `freeze`: nothing is written
    to this zone, for so many minutes, or 0: until it is unfrozen. `check`: look at what could stand in the way, and do
    nothing.
    """

    zones: tuple[Zone, ...]
    name: str | None = None
    endpoint: str | None = None
    dry_run: bool = False
    force: bool = False
    adopt: frozenset[str] = frozenset()
    regain: bool = False
    drain: str | None = None
    drain_minutes: int = 0
    undrain: str | None = None
    freeze: Zone | None = None
    freeze_minutes: int = 0
    unfreeze: Zone | None = None
    check: bool = False

    @property
    def orders(self) -> bool:
        """Whether it gives or takes back an order."""
        return bool(self.drain or self.undrain or self.freeze or self.unfreeze)


def parse(body: bytes, settings: Settings, types: frozenset[str]) -> Resync:
    """Read the request body; an empty body asks for everything. Raises BadRequest, which names the field.

    `types`: the ARM types of endpoints that are known, in lower case.
    """
    if len(body) > MAX_BYTES:
        raise BadRequest(f"body: {len(body)} bytes, at most {MAX_BYTES} are read")
    try:
        wanted = msgspec.json.decode(body.strip() or b"{}", type=_Body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(f"body: {error}"[:500]) from error  # It quotes names of fields.
    for order in _ALONE:
        others = [f for f in _Body.__struct_fields__ if f != order and getattr(wanted, f) != getattr(_Body(), f)]
        if getattr(wanted, order) and others:
            raise BadRequest(f"{others[0]}: not together with {order}")
    named: list[str] = [] if isinstance(wanted.adopt, str) else wanted.adopt
    return Resync(
        zones=_zones(wanted.zone, settings),
        name=None if wanted.name is None else label("name", wanted.name),
        endpoint=None if wanted.endpoint is None else _endpoint("endpoint", wanted.endpoint, settings, types),
        dry_run=wanted.dry_run,
        force=wanted.force,
        adopt=frozenset(label(f"adopt[{i}]", name) for i, name in enumerate(named)),
        regain=isinstance(wanted.adopt, str),
        drain=_target("drain", wanted.drain, settings, types) if wanted.drain else None,
        drain_minutes=wanted.drain.minutes if wanted.drain else 0,
        undrain=_target("undrain", wanted.undrain, settings, types) if wanted.undrain else None,
        freeze=find_zone(wanted.freeze.zone, settings, "freeze.zone") if wanted.freeze else None,
        freeze_minutes=(wanted.freeze.minutes or 0) if wanted.freeze else 0,
        unfreeze=find_zone(wanted.unfreeze.zone, settings, "unfreeze.zone") if wanted.unfreeze else None,
        check=wanted.check,
    )


@dataclass(frozen=True, slots=True)
class Question:
    """What a status request asks about: one name of one zone, or everything; `full`: every name and every endpoint."""

    zone: Zone | None = None
    name: str = ""
    full: bool = False


def question(params: Mapping[str, str], settings: Settings) -> Question:
    """Read a status request's parameters. Raises BadRequest."""
    unknown = sorted(set(params) - {"zone", "name", "full", "code"})
    if unknown:
        raise BadRequest(f"{unknown[0][:80]}: no such parameter; known are zone with name, and full")
    full = params.get("full", "false").lower()
    if full not in ("true", "false"):
        raise BadRequest(f"full: {full[:80]!r} is neither true nor false")
    if "zone" not in params and "name" not in params:
        return Question(full=full == "true")
    for field in ("zone", "name"):
        if field not in params:
            raise BadRequest(f"{field}: missing; zone and name come together")
    if "full" in params:
        raise BadRequest("full: not together with zone and name")
    return Question(find_zone(params["zone"], settings), label("name", params["name"]))


def _zones(text: str | None, settings: Settings) -> tuple[Zone, ...]:
    return settings.zones if text is None else (find_zone(text, settings),)


def find_zone(text: str, settings: Settings, field: str = "zone") -> Zone:
    """A zone by its resource id, or by its clients' region where only one zone has that. Raises BadRequest."""
    zones = [z for z in settings.zones if z.key == text.lower()]
    zones = zones or [z for z in settings.zones if z.region == region_name(text)]
    if len(zones) != 1:
        known = ", ".join(sorted({z.region for z in settings.zones}))
        raise BadRequest(
            f"{field}: {text[:200]!r} is not the id or region of one zone of NEARZONE_ZONES (regions: {known})"
        )
    return zones[0]


def label(field: str, text: str) -> str:
    """A name in lower case. Raises BadRequest where it is no DNS label."""
    if not LABEL.fullmatch(text.lower()):
        raise BadRequest(f"{field}: {text[:200]!r} is not a DNS label")
    return text.lower()


def _endpoint(field: str, text: str, settings: Settings, types: frozenset[str]) -> str:
    if text.lower() in {endpoint.key for endpoint in settings.static}:
        return text
    found = resource_id(text, types)
    if not found or not found.whole or found.type not in types:
        raise BadRequest(f"{field}: {text[:200]!r} is not the resource id of an endpoint ({', '.join(sorted(types))})")
    if found.subscription not in settings.subscriptions:
        raise BadRequest(f"{field}: subscription {found.subscription!r} is not in NEARZONE_SUBSCRIPTIONS")
    return text


def _target(field: str, target: _Target | _Drain, settings: Settings, types: frozenset[str]) -> str:
    if (target.endpoint is None) == (target.region is None):
        raise BadRequest(f"{field}: exactly one of endpoint and region is expected")
    if target.endpoint is not None:
        return _endpoint(f"{field}.endpoint", target.endpoint, settings, types).lower()
    region = region_name(target.region or "")
    if not is_name(region):  # Whether it is known is for `orders` to say, which sees the endpoints.
        raise BadRequest(f"{field}.region: {str(target.region)[:200]!r} is not an Azure region such as westeurope")
    return region
