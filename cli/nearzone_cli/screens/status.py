"""All regions at a glance: what answers where, what waits, alarms, overrides, freshness."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from nearzone_cli.client import Json
from nearzone_cli.durations import age
from nearzone_cli.fleet import Result
from nearzone_cli.screens.attention import attention
from nearzone_cli.screens.names import names_screen
from nearzone_cli.screens.said import STYLES, cell, mark, short, table

SERVICES = 20
"""Names that are shown."""


def status_screen(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """The apps, overrides, what needs an operator, and the first names."""
    parts: list[RenderableType] = [_apps(results)]
    overrides = _overrides(results)
    parts += [*([overrides] if overrides.row_count else []), *attention(results)]
    pages = [_services(each) for each in results if each.value is not None and each.value["names"]]
    if any(page.value for page in pages):
        parts += names_screen(pages)
    if pages:
        total = max(each.value["names"]["count"] for each in results if each.value and each.value["names"])
        rest = total - len({item["name"] for page in pages for item in page.value or ()})
        parts += [cell(f"{rest} more names, of single hosts too: nearzone names", "dim")] if rest > 0 else []
    return parts


def _services(result: Result[Json]) -> Result[list[Json]]:
    """The first names of an app that are not the name of one host."""
    items = result.value["names"]["items"] if result.value else []
    return Result(result.app, [item for item in items if not item["host"]][:SERVICES])


def _apps(results: Sequence[Result[Json]]) -> Table:
    found = table("app", "mode", "endpoints", "dirty", "blocked", "alarms", "overrides", "last sweep", "probes")
    for each in results:
        if each.value is None:
            found.add_row(each.app.region, cell(each.outcome, STYLES[each.outcome]))
            continue
        told = each.value["status"]
        frozen = sum(1 for zone in told["zones"] if zone["frozen"])
        found.add_row(
            cell(each.app.region, "bold"),
            cell(told["mode"], "" if told["mode"] == "apply" else "yellow"),
            cell(", ".join(f"{count} {state}" for state, count in told["endpoints"].items()) or "none"),
            mark(told["dirty_count"], "yellow"),
            mark(told["blocked_count"], "red"),
            mark(told["alarms_count"], "bold red"),
            cell(_overridden(told["drains_count"], frozen), "yellow" if told["drains_count"] or frozen else ""),
            cell(*_sweep(told)),
            cell(*_probing(told.get("probing"))),
        )
    return found


def _overridden(drains: int, frozen: int) -> str:
    words = [f"{drains} drained" if drains else "", f"{frozen} frozen" if frozen else ""]
    return ", ".join(filter(None, words)) or "-"


def _sweep(told: Json) -> tuple[str, str]:
    if stale := told.get("stale"):
        return f"STALE since {stale['as_of']}: {stale['error']}", "bold red"
    last = told["last_sweep"]
    if not last["completed_at"]:
        return "no complete sweep yet", "yellow"
    old = "" if last["current"] else ", with other settings"
    return f"{age(last['completed_at'], told['now'])} ago{old}", "yellow" if old else ""


def _probing(probing: Json | None) -> tuple[str, str]:
    if probing is None:
        return "off", "dim"
    if probing["stale"]:
        return f"{probing['mode']}, stale", "bold red"
    if probing["blind_since"]:
        return f"{probing['mode']}, blind", "bold red"
    count = probing["verdicts"]["count"]
    return f"{probing['mode']}, {count} verdicts", "yellow" if count else ""


def _overrides(results: Sequence[Result[Json]]) -> Table:
    """Each override once: at which apps it is, and at which a drain is missing or, without an answer, unknown."""
    found = table("override", "at", "missing at", "until", "by", "reason given")
    silent = [each.app.region for each in results if each.value is None]
    answered = [each.app.region for each in results if each.value is not None]
    for (what, reason), entries in _grouped(results).items():
        ends = sorted({entry["until"] or "it is unfrozen" for _, entry in entries})
        having = [region for region, _ in entries]
        drained = what.startswith("drain ")  # A freeze is about the zone of one app.
        missing = [region for region in answered if region not in having] if drained else []
        unknown = f"unknown at: {', '.join(silent)}" if drained and silent else ""
        found.add_row(
            cell(what, "yellow"),
            cell(", ".join(having)),
            cell(
                "; ".join(filter(None, [", ".join(missing), unknown])) or "-",
                "bold red" if missing else "bold yellow" if unknown else "",
            ),
            cell(ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"),
            cell(entries[0][1]["by"]),
            cell(reason or "-"),
        )
    return found


def _grouped(results: Sequence[Result[Json]]) -> dict[tuple[str, str], list[tuple[str, Json]]]:
    """The apps and overrides by what they are about and their reason."""
    groups: dict[tuple[str, str], list[tuple[str, Json]]] = {}
    for each in results:
        if each.value is None:
            continue
        told = each.value["status"]
        drains = [(f"drain {short(drain['target'])}", drain) for drain in told["drains"]]
        freezes = [(f"freeze {zone['region']}", zone["frozen"]) for zone in told["zones"] if zone["frozen"]]
        for what, entry in drains + freezes:
            groups.setdefault((what, entry["reason_given"] or ""), []).append((each.app.region, entry))
    return groups
