"""Names: what each zone answers, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from nearzone_cli.client import Json
from nearzone_cli.durations import clock_time
from nearzone_cli.fleet import Result
from nearzone_cli.screens.said import KINDS, addresses, brief, cell, short, short_zone, table

_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)")
SMALL = 2
"""Up to so many addresses of an answer are shown in the overview."""


def names_screen(results: Sequence[Result[list[Json]]]) -> list[RenderableType]:
    """Each name with the answer of each app's zone. An answer that the zone is not known to hold is marked."""
    regions = [each.app.region for each in results if each.value is not None]
    rows: dict[str, dict[str, Text]] = {}
    for each in results:
        for item in each.value or ():
            rows.setdefault(item["name"], {})[each.app.region] = Text("\n").join(_answers(item))
    found = table("name", *(f"{region} answers" for region in regions))
    for name, answers in sorted(rows.items()):
        found.add_row(cell(name, "bold"), *(answers.get(region, Text("-")) for region in regions))
    marked = any("!" in text.plain for row in rows.values() for text in row.values())
    legend = [cell("! the zone is not known to hold this answer: nearzone explain NAME", "yellow")] if marked else []
    return [found, *legend] if rows else [cell("No names.")]


def _answers(item: Json) -> Iterator[Text]:
    """The answers of an app; with the zone if the app has several."""
    for answer in item["answers"]:
        zone = f"{short_zone(answer['zone'])}: " if len(item["answers"]) > 1 else ""
        yield Text.assemble(cell(zone, "dim"), _answer(answer))


def _answer(answer: Json) -> Text:
    ips = answer["addresses"]
    text = addresses(ips) if ips is None or len(ips) <= SMALL else f"{addresses(ips[:SMALL])}, +{len(ips) - SMALL}"
    return cell(f"! {text} ({answer['held']['why']})", "yellow") if answer["held"] else cell(text, "" if ips else "red")


def one_name_screen(results: Sequence[Result[list[Json]]]) -> list[RenderableType]:
    """Names in full: one line for each zone."""
    found = table("name", "app", "answer", "ttl", "why", "the zone holds")
    for each in results:
        for item in each.value or ():
            for answer in item["answers"]:
                held = answer["held"]
                known = (
                    "the answer"
                    if held is None
                    else f"{addresses(held['addresses'])}: {held['why']} {held['error'] or ''}"
                )
                found.add_row(
                    cell(item["name"], "bold"),
                    each.app.region,
                    cell(addresses(answer["addresses"])),
                    cell(answer["ttl"]),
                    cell(answer["reason"]),
                    cell(known, "yellow" if held else ""),
                )
    return [found] if found.row_count else [cell("No endpoint claims this name.", "yellow")]


def explain_screen(results: Sequence[Result[Json]]) -> list[RenderableType]:
    """Every claim of a name, in or out, and why, as a tree for each zone."""
    return [
        _zone_tree(each.app.region, zone)
        for each in results
        for zone in (each.value or {"zones": {}})["zones"].values()
    ]


def _zone_tree(region: str, found: Json) -> Tree:
    answer, record = found["answer"], found["record"]
    same = (
        record is not None
        and answer["addresses"] is not None
        and sorted(record["addresses"]) == sorted(answer["addresses"])
    )
    right = same or (record is None and not answer["addresses"])
    tree = Tree(cell(f"{found['name']} in {short_zone(found['zone'])}, app {region}", "bold"))
    tree.add(cell(f"answer: {addresses(answer['addresses'])}: {answer['reason']}"))
    holds = (
        "no record set"
        if record is None
        else f"{addresses(record['addresses'])}{'' if record['owned'] else ' (not ours)'}"
    )
    tree.add(cell(f"the zone holds: {holds}", "green" if right else "bold yellow"))
    for text in _obstacles(found):
        tree.add(cell(text, "bold yellow"))
    claims = tree.add(cell(f"{len(found['claims'])} claims" if found["claims"] else "no endpoint claims it"))
    for claim in sorted(found["claims"], key=lambda each: not each["included"]):
        _claim(claims, claim)
    _probing(tree, found.get("probing"))
    return tree


def _obstacles(found: Json) -> Iterable[str]:
    if blocked := found["blocked"]:
        yield f"blocked: {blocked['why']}" + (f" ({blocked['owner']})" if blocked["owner"] else "")
    if frozen := found["frozen"]:
        yield f"the zone is frozen {_until(frozen)}"
    if dirty := found["dirty"]:
        yield f"waits since {dirty['since']} for: {dirty['waits_for']}"


def _until(frozen: Json) -> str:
    until = f"until {frozen['until']}" if frozen["until"] else "until it is unfrozen"
    return f"{until} by {frozen['by']}" + (f": {frozen['reason_given']}" if frozen["reason_given"] else "")


def _claim(claims: Tree, claim: Json) -> None:
    inside = claim["included"]
    text = f"{'in ' if inside else 'out'} {short(claim['endpoint'])} ({claim['region']}, {claim['state']})"
    ips = f" {addresses(claim['addresses'])}" if claim["addresses"] else ""
    branch = claims.add(cell(f"{text}{ips}: {claim['reason']}", "green" if inside else "dim"))
    for seen in claim.get("probes", ()):
        branch.add(cell(_seen(seen), "" if seen["state"] in ("up", "not probed") else "red"))


def _seen(seen: Json) -> str:
    rtt = "" if seen["rtt_ms"] is None else f", {seen['rtt_ms']:g} ms"
    word = "" if seen["word"] is None else f", last: {seen['word']}" + (f" {seen['status']}" if seen["status"] else "")
    verdict = f"; {seen['verdict']['why']}" if seen["verdict"] else ""
    recent = f" {seen['recent']}" if seen["recent"] else ""
    return f"probe {seen['ip']}:{seen['port']} {seen['kind']}: {seen['state']}{rtt}{word}{recent}{verdict}"


def _probing(tree: Tree, probing: Json | None) -> None:
    if probing is None:
        return
    stale = ", stale: not used" if probing["stale"] else ""
    branch = tree.add(cell(f"probes from {probing['vantage']} ({probing['mode']}{stale})"))
    if probing["differs"]:
        for word in ("with", "without"):
            branch.add(
                cell(f"{word} probes: {addresses(probing[word]['addresses'])}: {probing[word]['reason']}", "yellow")
            )
    for place in probing["distances"]:
        branch.add(cell(place))


def history_screen(entries: Sequence[Json], now: float) -> list[RenderableType]:
    """Changes and overrides, oldest first: what changed, why, and who caused it. `entries` have a key `app`."""
    found = table("at (UTC)", "app", "name", "what", "why, and by whom")
    for entry in entries:
        before, after = addresses(entry["before"]), addresses(entry["after"])
        arrow = "" if before == after == "-" else f" {before} → {after}"
        given = f": {entry['reason_given']}" if entry["reason_given"] else ""
        found.add_row(
            cell(clock_time(entry["at"], now)),
            cell(entry["app"]),
            cell(entry["name"], "bold"),
            Text.assemble(cell(entry["kind"], KINDS.get(entry["kind"], ("", ""))[1]), cell(arrow)),
            cell(
                f"{_brief(entry['reason'], now)}\n{_brief(entry['cause'], now)}, by {entry['by'] or 'the app'}{given}"
            ),
        )
    return [found] if entries else [cell("No change is recorded.")]


def _brief(text: str, now: float) -> str:
    """A text with short times and endpoints."""
    text = _TIME.sub(lambda found: clock_time(found[0], now), text)
    return brief(text)
