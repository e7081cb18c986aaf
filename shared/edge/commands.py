"""The body of a resync request as a command, parsed strictly: a typing error in an outage does nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from shared.config import json_text
from shared.config.region_names import is_name, suggestion
from shared.config.settings import LABEL, Settings, lower_ascii, region_name
from shared.domain.errors import BadRequest
from shared.domain.resource_ids import resource_id
from shared.domain.zones import Zone
from shared.edge.caller import FUNCTION_KEY

MAX_BYTES = 64 * 1024
MAX_MINUTES = 7 * 24 * 60

Minutes = Annotated[int, msgspec.Meta(ge=1, le=MAX_MINUTES)]


class _TargetBody(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: str | None = None
    region: str | None = None


class _DrainBody(msgspec.Struct, forbid_unknown_fields=True):
    minutes: Minutes
    endpoint: str | None = None
    region: str | None = None


class _ZoneBody(msgspec.Struct, forbid_unknown_fields=True):
    zone: str


class _FreezeBody(msgspec.Struct, forbid_unknown_fields=True):
    zone: str
    minutes: Minutes | None = None


class _ProbeBody(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    zone: str | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    reason: str = ""
    zone: str | None = None
    name: str | None = None
    endpoint: str | None = None
    dry_run: bool = False
    force: str | list[str] | bool = ""
    force_beyond: bool = False
    adopt: list[str] | str = []
    drain: _DrainBody | None = None
    undrain: _TargetBody | None = None
    freeze: _FreezeBody | None = None
    unfreeze: _ZoneBody | None = None
    check: bool = False
    probe: _ProbeBody | None = None


_DIGEST = re.compile("[0-9a-f]{12}")

_ALONE = ("drain", "undrain", "freeze", "unfreeze", "check", "probe")
"""Fields that stand alone in a request."""
_BESIDE = dict.fromkeys(_ALONE, ("dry_run", "reason")) | {"check": (), "probe": ()}
"""The fields that are allowed beside each of them."""
MAX_REASON = 200
"""Characters of a reason."""


class Sweep(msgspec.Struct, frozen=True):
    """Compare these zones with the truth now. `name`, `endpoint`: only that name, or the names of that endpoint.

    `force`: digests of refused plans to carry out; `force_beyond`: also above the guard's hard bound. `adopt`: names to
    take over; `adopt_lost`: all record sets that have lost our owner tag. `by`: the caller; `reason`: as they gave it.
    """

    zones: tuple[Zone, ...]
    name: str | None = None
    endpoint: str | None = None
    dry_run: bool = False
    force: frozenset[str] = frozenset()
    force_beyond: bool = False
    adopt: frozenset[str] = frozenset()
    adopt_lost: bool = False
    by: str = FUNCTION_KEY
    reason: str = ""

    @property
    def shared_key(self) -> Sweep:
        """Equal for commands that may share a run. The caller counts where record sets are taken over or forced."""
        return self if self.force or self.adopt or self.adopt_lost else replace(self, by=FUNCTION_KEY, reason="")


class Drain(msgspec.Struct, frozen=True):
    """Withdraw the target from all answers for so many minutes: an endpoint or a scale set by its id, or a region.

    `target`: the id in lower case, or the region.
    """

    target: str
    minutes: int
    dry_run: bool = False
    by: str = FUNCTION_KEY
    reason: str = ""


class Undrain(msgspec.Struct, frozen=True):
    """Take a drain override back. `target`: as in `Drain`."""

    target: str
    dry_run: bool = False
    by: str = FUNCTION_KEY
    reason: str = ""


class Freeze(msgspec.Struct, frozen=True):
    """Write nothing to a zone for so many minutes; 0: until it is unfrozen."""

    zone: Zone
    minutes: int = 0
    dry_run: bool = False
    by: str = FUNCTION_KEY
    reason: str = ""


class Unfreeze(msgspec.Struct, frozen=True):
    """Take a freeze override back, and sweep the zone."""

    zone: Zone
    dry_run: bool = False
    by: str = FUNCTION_KEY
    reason: str = ""


class Preflight(msgspec.Struct, frozen=True):
    """Look at what could stand in the way of right answers, and do nothing else."""


class ProbeName(msgspec.Struct, frozen=True):
    """Probe now all addresses with which these zones may answer a name, and do nothing else."""

    name: str
    zones: tuple[Zone, ...]


OverrideCommand = Drain | Undrain | Freeze | Unfreeze
Command = Sweep | OverrideCommand | Preflight | ProbeName


def parse(
    body: bytes,
    settings: Settings,
    types: frozenset[str],
    by: str = FUNCTION_KEY,
    parents: frozenset[str] = frozenset(),
) -> Command:
    """Read the request body; an empty body is a sweep of everything. Raises BadRequest, which names the field.

    `types`: the ARM types of endpoints that are known, in lower case. `by`: the caller, as `caller` says. `parents`:
    the ARM types of what contains endpoints, and is drained as a whole.
    """
    if len(body) > MAX_BYTES:
        raise BadRequest(f"body: {len(body)} bytes, at most {MAX_BYTES} are read")
    wanted = _decoded(body if body.strip() else b"{}")
    _check_together(wanted)
    if wanted.check:
        return Preflight()
    if wanted.probe:
        return _probe(wanted.probe, settings)
    return _override(wanted, settings, types | parents, by) or _sweep(wanted, settings, types, by)


def _check_together(wanted: _Body) -> None:
    """Raise BadRequest for fields that contradict each other."""
    for field in _ALONE:
        allowed = (field, *_BESIDE[field])
        others = [f for f in _Body.__struct_fields__ if f not in allowed and getattr(wanted, f) != getattr(_Body(), f)]
        if getattr(wanted, field) and others:
            raise BadRequest(f"{others[0]}: not together with {field}")
    if wanted.force_beyond and not wanted.force:
        raise BadRequest("force_beyond: only together with force, which names the plan by its digest")
    if isinstance(wanted.adopt, str) and wanted.adopt != "lost":
        raise BadRequest(f'adopt: {wanted.adopt[:80]!r} is neither a list of names, nor "lost"')


def _override(wanted: _Body, settings: Settings, types: frozenset[str], by: str) -> OverrideCommand | None:
    """The override to give or to end, None where there is none. Raises BadRequest."""
    if wanted.drain:
        target = _target("drain", wanted.drain, settings, types)
        return Drain(target, wanted.drain.minutes, wanted.dry_run, by, _reason(wanted.reason))
    if wanted.undrain:
        target = _target("undrain", wanted.undrain, settings, types)
        return Undrain(target, wanted.dry_run, by, _reason(wanted.reason))
    if wanted.freeze:
        zone = find_zone(wanted.freeze.zone, settings, "freeze.zone")
        return Freeze(zone, wanted.freeze.minutes or 0, wanted.dry_run, by, _reason(wanted.reason))
    if wanted.unfreeze:
        zone = find_zone(wanted.unfreeze.zone, settings, "unfreeze.zone")
        return Unfreeze(zone, wanted.dry_run, by, _reason(wanted.reason))
    return None


def _probe(wanted: _ProbeBody, settings: Settings) -> ProbeName:
    """Whether an endpoint claims the name is checked by `loop/probing/command.py`."""
    name = label("probe.name", wanted.name, settings)
    zones = settings.zones if wanted.zone is None else (find_zone(wanted.zone, settings, "probe.zone"),)
    if settings.probe(name) is None:
        meant = suggestion(name, (each for each in settings.probes if LABEL.fullmatch(each)))
        raise BadRequest(f"probe.name: no entry of NEARZONE_PROBES says how {name!r} is probed: add one for it{meant}")
    return ProbeName(name, zones)


def _sweep(wanted: _Body, settings: Settings, types: frozenset[str], by: str) -> Sweep:
    adopt: list[str] = [] if isinstance(wanted.adopt, str) else wanted.adopt
    return Sweep(
        zones=_zones(wanted.zone, settings),
        name=None if wanted.name is None else label("name", wanted.name, settings),
        endpoint=None if wanted.endpoint is None else _endpoint("endpoint", wanted.endpoint, settings, types),
        dry_run=wanted.dry_run,
        force=_digests(wanted.force),
        force_beyond=wanted.force_beyond,
        adopt=frozenset(label(f"adopt[{i}]", name, settings) for i, name in enumerate(adopt)),
        adopt_lost=isinstance(wanted.adopt, str),
        by=by,
        reason=_reason(wanted.reason),
    )


def _decoded(body: bytes) -> _Body:
    try:
        wanted = msgspec.json.decode(body, type=_Body)
        json_text.check_keys(body.decode())
        _check_values(msgspec.json.decode(body), "")
    except (msgspec.DecodeError, UnicodeError, RecursionError, json_text.JsonError) as error:
        said = str(error).replace(" | null", "")  # A field may be left out, and null is refused.
        raise BadRequest(f"body: {json_text.located(said, body)}"[:500]) from error  # It quotes names of fields.
    return wanted


def _check_values(content: Mapping[str, Any], at: str) -> None:
    """Raise BadRequest for null and for an empty list of names or digests.

    Read as "not given" they would ask for everything, where a script has failed to fill in a value.
    """
    for field, value in content.items():
        if value is None:
            raise BadRequest(f"{at}{field}: null is not a value; omit the field")
        if value == [] or (field == "force" and isinstance(value, str) and not value.strip()):
            raise BadRequest(f"{at}{field}: empty; omit the field, or give a value")
        if isinstance(value, dict):
            _check_values(value, f"{at}{field}.")


def _reason(text: str) -> str:
    """The reason that the caller gives. Raises BadRequest where it is too long, or not one line of text."""
    if len(text) > MAX_REASON:
        raise BadRequest(f"reason: {len(text)} characters, at most {MAX_REASON} are kept")
    if not text.isprintable():
        raise BadRequest("reason: control characters, line breaks among them, are not allowed")
    return text.strip()


def _digests(force: str | list[str] | bool) -> frozenset[str]:
    """Digests, comma-separated or as a list; `false` is none. Raises BadRequest, also for `true`: it names no plan."""
    if force is True:
        raise BadRequest(
            'force: true does not name a plan. Send "dry_run": true, and give the digest from the refusal: '
            '"force": "DIGEST"'
        )
    named = (force.split(",") if force.strip() else []) if isinstance(force, str) else force or []
    digests = frozenset(each.strip().lower() for each in named)
    for each in digests:
        if not _DIGEST.fullmatch(each):
            raise BadRequest(f"force: {each[:80]!r} is not the digest of a refused plan (12 hexadecimal digits)")
    return digests


def _zones(text: str | None, settings: Settings) -> tuple[Zone, ...]:
    return settings.zones if text is None else (find_zone(text, settings),)


def find_zone(text: str, settings: Settings, field: str = "zone") -> Zone:
    """A zone by its resource id, or by its clients' region where only one zone has that. Raises BadRequest."""
    zones = [z for z in settings.zones if z.key == text.lower()]
    zones = zones or [z for z in settings.zones if z.region == region_name(text)]
    if len(zones) != 1:
        regions = sorted({z.region for z in settings.zones})
        raise BadRequest(
            f"{field}: {text[:200]!r} is not the id or region of one zone of NEARZONE_ZONES "
            f"(regions: {', '.join(regions)}){'' if zones else suggestion(region_name(text), regions)}"
        )
    return zones[0]


def label(field: str, text: str, settings: Settings) -> str:
    """A name in lower case. Raises BadRequest where it is no DNS label, such as a name with its zone."""
    name = lower_ascii(text)
    if LABEL.fullmatch(name):
        return name
    bare = (name.removesuffix(".").removesuffix(f".{zone.fqdn}") for zone in settings.zones)
    inside = next((f"; leave out the zone: {each!r}" for each in bare if LABEL.fullmatch(each)), "")
    raise BadRequest(f"{field}: {text[:200]!r} is not a DNS label{inside}")


def _endpoint(field: str, text: str, settings: Settings, types: frozenset[str]) -> str:
    if text.lower() in {endpoint.key for endpoint in settings.static}:
        return text
    found = resource_id(text, types)
    if not found or not found.whole or found.type not in types:
        raise BadRequest(f"{field}: {text[:200]!r} is not the resource id of an endpoint ({', '.join(sorted(types))})")
    if found.subscription not in settings.subscriptions:
        raise BadRequest(f"{field}: subscription {found.subscription!r} is not in NEARZONE_SUBSCRIPTIONS")
    return text


def _target(field: str, target: _TargetBody | _DrainBody, settings: Settings, types: frozenset[str]) -> str:
    if (target.endpoint is None) == (target.region is None):
        raise BadRequest(f"{field}: exactly one of endpoint and region is expected")
    if target.endpoint is not None:
        return _endpoint(f"{field}.endpoint", target.endpoint, settings, types).lower()
    region = region_name(target.region or "")
    if not is_name(region):  # `loop/override_targets.py` checks whether it is known.
        raise BadRequest(f"{field}.region: {str(target.region)[:200]!r} is not an Azure region such as westeurope")
    return region
