"""What needs an operator: names that wait, names that may not be written, refused plans, alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from nearzone_cli.client import Json
from nearzone_cli.fleet import Result
from nearzone_cli.screens.said import addresses, brief, cell, short_zone, table

SHOWN = 10
"""Items of each list of one app that are shown."""


def attention(results: Sequence[Result[Json]]) -> list[Table]:
    """The tables that have rows. `value["status"]`: the summary of an app."""
    found = [_waiting(results), _blocked(results), _refused(results), _alarms(results)]
    return [each for each in found if each.row_count]


def _items(results: Sequence[Result[Json]], name: str, found: Table) -> Iterator[tuple[str, Json]]:
    """The first items of a list of each app; adds a row that says how many more there are."""
    for each in results:
        told = each.value["status"] if each.value is not None else {}
        items = told.get(name, [])[:SHOWN]
        for item in items:
            yield each.app.region, item
        more = told.get(f"{name}_count", len(told.get(name, ()))) - len(items)
        if items and more > 0:
            found.add_row(each.app.region, cell(f"{more} more: nearzone status -o json", "dim"))


def _waiting(results: Sequence[Result[Json]]) -> Table:
    found = table("app", "waits", "since", "attempts", "for")
    for region, dirty in _items(results, "dirty", found):
        error = f": {dirty['last_error']}" if dirty["last_error"] else ""
        waits = cell(f"{dirty['waits_for']}{error}", "red" if error else "")
        found.add_row(region, cell(dirty["name"], "yellow"), cell(dirty["since"]), cell(dirty["attempts"]), waits)
    return found


def _blocked(results: Sequence[Result[Json]]) -> Table:
    found = table("app", "not ours", "zone", "why", "it holds")
    for region, each in _items(results, "blocked", found):
        why = each["why"] + (f" ({each['owner']})" if each["owner"] else "")
        zone, held = short_zone(each["zone"]), addresses(each["addresses"])
        found.add_row(region, cell(each["name"], "red"), cell(zone), cell(why), cell(held))
    return found


def _refused(results: Sequence[Result[Json]]) -> Table:
    found = table("app", "refused plan", "zone", "removes", "above the hard bound")
    for region, plan in _items(results, "refused", found):
        beyond = cell("yes", "bold red") if plan["beyond"] else cell("no")
        removes = cell(f"{plan['removals']} of {plan['owned']}")
        found.add_row(region, cell(plan["digest"], "red"), cell(short_zone(plan["zone"])), removes, beyond)
    return found


def _alarms(results: Sequence[Result[Json]]) -> Table:
    found = table("app", "alarm", "means", "do")
    for region, alarm in _items(results, "alarms", found):
        found.add_row(region, cell(brief(alarm["what"]), "red"), cell(alarm["means"]), cell(alarm["do"]))
    return found
