"""Reports of the API: what an order did at each app, what a dry run would do, what a plan changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nearzone_cli.client import Json
from nearzone_cli.fleet import Result
from nearzone_cli.screens.said import KINDS, STYLES, addresses, brief, cell, mark, short, short_zone, table

MOST = 12
"""Changes of one app that an order shows; `plan` shows all."""


def order_screen(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """What each app said to an order, and what it changed."""
    found = table("app", "result", "changes", "failures", "left", "said")
    for each in results:
        if each.value is None:
            continue
        reports = list(_reports(each.value))
        failures = sum(len(report["failures"]) + len(report["refusals"]) for report in reports)
        word = "incomplete" if failures else "ok"
        found.add_row(
            each.app.region,
            cell(word, STYLES["failed" if failures else "ok"]),
            cell(sum(len(report["changes"]) for report in reports)),
            mark(failures, "bold red"),
            mark(sum(report["left"] for report in reports), "yellow"),
            cell(brief("\n".join(_said(reports))) or "-"),
        )
    parts: list[RenderableType] = [found] if found.row_count else []
    for each in results:
        changes = [change for report in _reports(each.value) for change in report["changes"]]
        if changes:
            parts.append(diff(each.app.region, changes, MOST))
    return parts


def _reports(answer: Json | None) -> Iterator[Json]:
    if answer is not None:
        yield from answer["zones"].values() if "zones" in answer else [answer]


def _said(reports: Iterable[Json]) -> Iterator[str]:
    for report in reports:
        yield from report["notes"]
        yield from (f"{skip['name']}: {skip['reason']}" for skip in report.get("skips", ())[:5])
        yield from report["refusals"]
        yield from (f"{failure['what']}: {failure['error']}" for failure in report["failures"][:5])


def impact(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """What a dry run would change at each app, in numbers."""
    found = table(
        "app", "endpoints", "names", "record sets changed", "addresses taken away", "names left without an address"
    )
    for each in results:
        if each.value is None:
            found.add_row(each.app.region, *[""] * 4, cell(f"{each.outcome}: {each.error}", STYLES[each.outcome]))
            continue
        reports = list(_reports(each.value))
        covers: Json = next((report["covers"] for report in reports if report["covers"]), {})
        changes = [change for report in reports for change in report["changes"]]
        gone = sum(len(set(change["before"]) - set(change["after"])) for change in changes)
        empty = sum(1 for change in changes if change["before"] and not change["after"])
        found.add_row(
            each.app.region,
            cell(covers.get("endpoints", "-")),
            cell(covers.get("names", "-")),
            cell(len(changes)),
            mark(gone, "yellow"),
            mark(empty, "bold red"),
        )
    return [found]


def plan_screen(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """What a sweep would change, as a diff, with a summary line."""
    parts: list[RenderableType] = []
    kinds: Counter[str] = Counter()
    refused = failures = 0
    for each in results:
        if each.value is None:
            continue
        changes = each.value["changes"]
        kinds.update(change["kind"] for change in changes)
        if changes:
            parts.append(diff(each.app.region, changes))
        failed = [f"{failure['what']}: {failure['error']}" for failure in each.value["failures"]]
        wrong = [*(f"refused: {text}" for text in each.value["refusals"]), *failed]
        parts += [cell(f"{each.app.region}: {text}", "bold red") for text in wrong]
        parts += [cell(f"{each.app.region}: {note}", "yellow") for note in each.value["notes"]]
        refused += len(each.value["refusals"])
        failures += len(each.value["failures"])
    answered = sum(1 for each in results if each.value is not None)
    counts = ", ".join(f"{kinds[kind]} to {kind}" for kind in KINDS if kinds[kind]) or "no changes"
    extra = "".join(f", {count} {word}" for count, word in ((refused, "refused"), (failures, "failed")) if count)
    return [*parts, cell(f"Plan: {counts}{extra}; {answered} of {len(results)} apps answered.", "bold")]


def diff(region: str, changes: Sequence[Json], most: int | None = None) -> Table:
    """Changes of one app: a line for each record set."""
    shown = changes[:most]
    more = f" (the first {len(shown)} of {len(changes)})" if len(shown) < len(changes) else ""
    found = table("", "name", "before", "after", "why", title=f"{region}: {', '.join(_zones(changes))}{more}")
    for change in shown:
        sign, style = KINDS.get(change["kind"], ("?", ""))
        found.add_row(
            Text(sign, style=style),
            cell(change["name"], style),
            cell(addresses(change["before"]), "red" if change["before"] else ""),
            cell(addresses(change["after"]), "green" if change["after"] else ""),
            cell(change["reason"]),
        )
    return found


def _zones(changes: Iterable[Json]) -> list[str]:
    return sorted({short_zone(change["zone"]) for change in changes})


def check_screen(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """What the preflight found: what is wrong, what it means, what to do."""
    found = table("app", "what", "means", "do")
    for each in results:
        if each.value is None:
            continue
        for alarm in each.value["alarms"]:
            found.add_row(each.app.region, cell(alarm["what"], "red"), cell(alarm["means"]), cell(alarm["do"]))
        for failure in each.value["failures"]:
            found.add_row(each.app.region, cell(failure["what"], "red"), cell(failure["error"]), "")
    fine = [
        each.app.region
        for each in results
        if each.value is not None and not each.value["alarms"] + each.value["failures"]
    ]
    parts: list[RenderableType] = [found] if found.row_count else []
    return [*parts, cell(f"Nothing wrong: {', '.join(fine)}", "green")] if fine else parts


def probe_screen(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """What each address says, seen from each app."""
    found = table("seen from", "address", "in", "endpoint", "answer", "ms", "what to do")
    for each in results:
        for seen in (each.value or {}).get("probed") or ():
            good = seen["word"] == "ok"
            word = seen["word"] if seen["status"] is None else f"{seen['word']} {seen['status']}"
            found.add_row(
                each.app.region,
                cell(f"{seen['ip']}:{seen['port']}"),
                cell(seen["region"]),
                cell(short(seen["endpoint"])),
                cell(word, "green" if good else "red"),
                cell("-" if seen["rtt_ms"] is None else f"{seen['rtt_ms']:g}"),
                cell(seen["advice"]),
            )
    return [found] if found.row_count else []
