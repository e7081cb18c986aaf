"""The query of a status request, parsed strictly: a misspelt parameter is refused instead of ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from shared.config.settings import Settings
from shared.domain.errors import BadRequest
from shared.domain.zones import Zone
from shared.edge.commands import find_zone, label
from shared.edge.pages import KEYS

LIMIT, MAX_LIMIT = 100, 1000
"""Items of a page: without the parameter `limit`, and at most."""
MAX_CURSOR = 2048
"""Characters of the parameter `after`."""


class SummaryQuery(msgspec.Struct, frozen=True):
    """Everything in short; `full`: with names and endpoints."""

    full: bool = False


class PageQuery(msgspec.Struct, frozen=True):
    """One page of a list. `list`: one of `pages.KEYS`; `after`: `next` of the page before, or ""."""

    list: str
    after: str = ""
    limit: int = LIMIT


class NameQuery(msgspec.Struct, frozen=True):
    """Why a zone answers a name as it does."""

    zone: Zone
    name: str


class LogQuery(msgspec.Struct, frozen=True):
    """The log of all zones from `since` on and before `until`, in ISO 8601; "": until now."""

    since: str
    until: str = ""


StatusQuery = SummaryQuery | PageQuery | NameQuery | LogQuery


def parse_status_query(params: Mapping[str, str], settings: Settings) -> StatusQuery:
    """Read a status request's parameters. Raises BadRequest, which names the parameter."""
    _check_params(params)
    if "since" in params or "until" in params:
        return _log(params)
    if {"list", "after", "limit"} & set(params):
        return _page(params)
    full = params.get("full", "false").lower()
    if full not in ("true", "false"):
        raise BadRequest(f"full: {full[:80]!r} is neither true nor false")
    if "zone" not in params and "name" not in params:
        return SummaryQuery(full == "true")
    for field in ("zone", "name"):
        if field not in params:
            raise BadRequest(f"{field}: missing; zone and name come together")
    if "full" in params:
        raise BadRequest("full: not together with zone and name")
    return NameQuery(find_zone(params["zone"], settings), label("name", params["name"], settings))


def _check_params(params: Mapping[str, str]) -> None:
    """Raise BadRequest for a parameter that is unknown or empty."""
    unknown = sorted(set(params) - {"zone", "name", "full", "list", "after", "limit", "since", "until", "code"})
    if unknown:
        known = "zone with name, full, list with after and limit, and since with until"
        raise BadRequest(f"{unknown[0][:80]}: unknown parameter; known parameters: {known}")
    for field in ("since", "until", "list", "limit", "zone", "name", "full"):  # An empty `after` is the first page.
        if field in params and not params[field].strip():
            raise BadRequest(f"{field}: empty; omit the parameter, or give its value")


def _page(params: Mapping[str, str]) -> PageQuery:
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
    return PageQuery(wanted, after, int(limit))


def _log(params: Mapping[str, str]) -> LogQuery:
    others = sorted(set(params) - {"since", "until", "code"})
    if others:
        raise BadRequest(f"{others[0]}: not together with since and until")
    if "since" not in params:
        raise BadRequest("since: missing; until comes together with it")
    return LogQuery(params["since"], params.get("until", ""))
