"""The body of a manual resync: strict, so that a typing error in an outage does nothing instead of something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from shared.config import json_text
from shared.config.region_names import is_name
from shared.config.settings import LABEL, Settings, region_name
from shared.domain.errors import BadRequest
from shared.domain.resource_ids import resource_id
from shared.domain.zones import Zone
from shared.edge.caller import FUNCTION_KEY
from shared.edge.pages import KEYS

MAX_BYTES = 64 * 1024
MAX_MINUTES = 7 * 24 * 60
LIMIT, MAX_LIMIT = 100, 1000
"""Items of a page of the status: where nothing is said, and at most."""
MAX_CURSOR = 2048

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
    reason: str = ""
    zone: str | None = None
    name: str | None = None
    endpoint: str | None = None
    dry_run: bool = False
    force: str | list[str] | bool = ""
    force_beyond: bool = False
    adopt: list[str] | str = []
    drain: _Drain | None = None
    undrain: _Target | None = None
    freeze: _Freeze | None = None
    unfreeze: _Zone | None = None
    check: bool = False


_DIGEST = re.compile("[0-9a-f]{12}")

_ALONE = ("drain", "undrain", "freeze", "unfreeze", "check")
"""What is asked for by itself."""
_BESIDE = dict.fromkeys(_ALONE, ("dry_run", "reason")) | {"check": ()}
"""But for these."""
MAX_REASON = 200
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Resync:
    """What was asked for. Empty scope: everything. `drain`, `undrain`: an endpoint id in lower case or a region.

    `force`: digests of refused plans that are to be carried out; `beyond`: also above the guard's hard bound. `adopt`:
    names to take over; `regain`: all that have lost our mark (`"adopt": "lost"`). `freeze`: nothing is written
    to this zone, for so many minutes, or 0: until it is unfrozen. `check`: look at what could stand in the way, and do
    nothing. `by`: the caller; `reason`: the one that they give, or "".
    """

    zones: tuple[Zone, ...]
    name: str | None = None
    endpoint: str | None = None
    dry_run: bool = False
    force: frozenset[str] = frozenset()
    force_beyond: bool = False
    adopt: frozenset[str] = frozenset()
    adopt_lost: bool = False
    drain: str | None = None
    drain_minutes: int = 0
    undrain: str | None = None
    freeze: Zone | None = None
    freeze_minutes: int = 0
    unfreeze: Zone | None = None
    check: bool = False
    by: str = FUNCTION_KEY
    reason: str = ""

    @property
    def override(self) -> str:
        """Which order is given, in a word; "" for none."""
        given = (("drain", self.drain), ("undrain", self.undrain), ("freeze", self.freeze), ("unfreeze", self.unfreeze))
        return next((word for word, target in given if target), "")

    @property
    def shared_key(self) -> Resync:
        """What is equal in requests that share a run. Who asks matters where record sets are taken over or forced."""
        return self if self.force or self.adopt or self.adopt_lost else replace(self, by=FUNCTION_KEY, reason="")


def parse(body: bytes, settings: Settings, types: frozenset[str], by: str = FUNCTION_KEY) -> Resync:
    """Read the request body; an empty body asks for everything. Raises BadRequest, which names the field.

    `types`: the ARM types of endpoints that are known, in lower case. `by`: the caller, as `caller` says.
    """
    if len(body) > MAX_BYTES:
        raise BadRequest(f"body: {len(body)} bytes, at most {MAX_BYTES} are read")
    wanted = _decoded(body if body.strip() else b"{}")
    for order in _ALONE:
        allowed = (order, *_BESIDE[order])
        others = [f for f in _Body.__struct_fields__ if f not in allowed and getattr(wanted, f) != getattr(_Body(), f)]
        if getattr(wanted, order) and others:
            raise BadRequest(f"{others[0]}: not together with {order}")
    if wanted.force_beyond and not wanted.force:
        raise BadRequest("force_beyond: only together with force, which names the plan by its digest")
    if isinstance(wanted.adopt, str) and wanted.adopt != "lost":
        raise BadRequest(f'adopt: {wanted.adopt[:80]!r} is neither a list of names, nor "lost"')
    named: list[str] = [] if isinstance(wanted.adopt, str) else wanted.adopt
    return Resync(
        zones=_zones(wanted.zone, settings),
        name=None if wanted.name is None else label("name", wanted.name),
        endpoint=None if wanted.endpoint is None else _endpoint("endpoint", wanted.endpoint, settings, types),
        dry_run=wanted.dry_run,
        force=_digests(wanted.force),
        force_beyond=wanted.force_beyond,
        adopt=frozenset(label(f"adopt[{i}]", name) for i, name in enumerate(named)),
        adopt_lost=isinstance(wanted.adopt, str),
        drain=_target("drain", wanted.drain, settings, types) if wanted.drain else None,
        drain_minutes=wanted.drain.minutes if wanted.drain else 0,
        undrain=_target("undrain", wanted.undrain, settings, types) if wanted.undrain else None,
        freeze=find_zone(wanted.freeze.zone, settings, "freeze.zone") if wanted.freeze else None,
        freeze_minutes=(wanted.freeze.minutes or 0) if wanted.freeze else 0,
        unfreeze=find_zone(wanted.unfreeze.zone, settings, "unfreeze.zone") if wanted.unfreeze else None,
        check=wanted.check,
        by=by,
        reason=_reason(wanted.reason),
    )


def _decoded(body: bytes) -> _Body:
    try:
        wanted = msgspec.json.decode(body, type=_Body)
        json_text.check_keys(body.decode())
        _check_values(msgspec.json.decode(body), "")
    except (msgspec.DecodeError, UnicodeError, RecursionError, json_text.JsonError) as error:
        raise BadRequest(f"body: {json_text.located(str(error), body)}"[:500]) from error  # It quotes names of fields.
    return wanted


def _check_values(content: Mapping[str, Any], at: str) -> None:
    """Raise BadRequest for null and for an empty list of names or digests: neither says what is meant.

    Read as "not given" they ask for everything, where a script has failed to fill in one thing.
    """
    for field, value in content.items():
        if value is None:
            raise BadRequest(f"{at}{field}: null is no value; leave the field out")
        if value == [] or (field == "force" and isinstance(value, str) and not value.strip()):
            raise BadRequest(f"{at}{field}: empty; leave the field out, or name what is meant")
        if isinstance(value, dict):
            _check_values(value, f"{at}{field}.")


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """What a status request asks about: one name of one zone, a page of a list, or the summary of everything.

    `full`: with names and endpoints. `list`: one of `pages.KEYS`, or ""; `after`: where the page before has ended.
    `since`: what was changed and ordered in all zones from then on, and before `until` ("": until now).
    """

    zone: Zone | None = None
    name: str = ""
    full: bool = False
    list: str = ""
    after: str = ""
    limit: int = LIMIT
    since: str = ""
    until: str = ""


def parse_status_query(params: Mapping[str, str], settings: Settings) -> StatusQuery:
    """Read a status request's parameters. Raises BadRequest."""
    _check_params(params)
    if "since" in params or "until" in params:
        return _span(params)
    if {"list", "after", "limit"} & set(params):
        return _page(params)
    full = params.get("full", "false").lower()
    if full not in ("true", "false"):
        raise BadRequest(f"full: {full[:80]!r} is neither true nor false")
    if "zone" not in params and "name" not in params:
        return StatusQuery(full=full == "true")
    for field in ("zone", "name"):
        if field not in params:
            raise BadRequest(f"{field}: missing; zone and name come together")
    if "full" in params:
        raise BadRequest("full: not together with zone and name")
    return StatusQuery(find_zone(params["zone"], settings), label("name", params["name"]))


def _check_params(params: Mapping[str, str]) -> None:
    """Raise BadRequest for a parameter that there is not, or that is empty."""
    unknown = sorted(set(params) - {"zone", "name", "full", "list", "after", "limit", "since", "until", "code"})
    if unknown:
        known = "zone with name, full, list with after and limit, and since with until"
        raise BadRequest(f"{unknown[0][:80]}: no such parameter; known are {known}")
    for field in ("since", "until", "list", "limit", "zone", "name", "full"):  # An empty `after` is the first page.
        if field in params and not params[field].strip():
            raise BadRequest(f"{field}: empty; leave the parameter out, or give its value")


def _page(params: Mapping[str, str]) -> StatusQuery:
    """Read which page of a list is asked for. Raises BadRequest."""
    if "list" not in params:
        raise BadRequest(f"{'limit' if 'limit' in params else 'after'}: only together with list")
    wanted, after, limit = params["list"], params.get("after", ""), params.get("limit", str(LIMIT))
    if wanted not in KEYS:
        raise BadRequest(f"list: {wanted[:80]!r} is not one of {', '.join(sorted(KEYS))}")
    for other in ("zone", "name", "full"):
        if other in params:
            raise BadRequest(f"{other}: not together with list")
    if len(after) > MAX_CURSOR:
        raise BadRequest(f"after: {len(after)} characters; `next` of a page has at most {MAX_CURSOR}")
    if not re.fullmatch("[1-9][0-9]{0,3}", limit) or int(limit) > MAX_LIMIT:
        raise BadRequest(f"limit: {limit[:80]!r} is not a whole number from 1 to {MAX_LIMIT}")
    return StatusQuery(list=wanted, after=after, limit=int(limit))


def _reason(text: str) -> str:
    """The reason that a person gives, for people. Raises BadRequest where it is too long, or not one line of text."""
    if len(text) > MAX_REASON:
        raise BadRequest(f"reason: {len(text)} characters, at most {MAX_REASON} are kept")
    if not text.isprintable():
        raise BadRequest("reason: control characters, line breaks among them, are not allowed")
    return text.strip()


def _digests(force: str | list[str] | bool) -> frozenset[str]:
    """Digests, comma-separated or as a list; `false` is none. Raises BadRequest, also for `true`: it names no plan."""
    if force is True:
        raise BadRequest(
            'force: true names no plan. Ask with "dry_run": true, and give the digest that the refusal says: '
            '"force": "DIGEST"'
        )
    named = (force.split(",") if force.strip() else []) if isinstance(force, str) else force or []
    digests = frozenset(each.strip().lower() for each in named)
    for each in digests:
        if not _DIGEST.fullmatch(each):
            raise BadRequest(f"force: {each[:80]!r} is not the digest of a refused plan (12 hexadecimal digits)")
    return digests


def _span(params: Mapping[str, str]) -> StatusQuery:
    others = sorted(set(params) - {"since", "until", "code"})
    if others:
        raise BadRequest(f"{others[0]}: not together with since and until")
    if "since" not in params:
        raise BadRequest("since: missing; until comes together with it")
    return StatusQuery(since=params["since"], until=params.get("until", ""))


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
