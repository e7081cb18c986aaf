"""Which apps did not answer, and why; and the small pieces that several screens use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nearzone_cli.fleet import Result

KINDS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"), "adopt": ("!", "magenta")}
"""The sign and the style of each kind of change."""
_ENDPOINT = re.compile(r"/subscriptions/[^\s,;]+/[^\s,;]+", re.IGNORECASE)
STYLES = {"ok": "green", "refused": "bold red", "failed": "bold red", "not reached": "bold yellow"}


def cell(content: object, style: str = "") -> Text:
    """A cell with text of an app: no markup, no control characters."""
    text = "" if content is None else str(content)
    return Text("".join(each if each.isprintable() or each == "\n" else "?" for each in text), style=style)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the style of all tables."""
    found = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for name in columns:
        found.add_column(name, overflow="fold")
    return found


def problems(results: Sequence[Result[Any]], hide: Callable[[str], str]) -> list[RenderableType]:
    """The apps that refused, failed or were not reached; nothing if all answered."""
    failed = [each for each in results if each.error]
    if not failed:
        return []
    found = table("app", "result", "why")
    for each in failed:
        found.add_row(each.app.region, cell(each.outcome, STYLES[each.outcome]), cell(hide(str(each.error))))
    return [found]


def addresses(found: Iterable[str] | None) -> str:
    """Addresses in one cell."""
    return "(as it is)" if found is None else ", ".join(found) or "-"


def short(endpoint: str) -> str:
    """The last part of an endpoint's id; `set/0` for an instance of a scale set, `apim/eastus` for a location."""
    parts = endpoint.strip("/").split("/")
    has_parent = len(parts) > 3 and (parts[-4].lower() == "virtualmachinescalesets" or parts[-2].lower() == "locations")
    return f"{parts[-3]}/{parts[-1]}" if has_parent else parts[-1]


def brief(text: str) -> str:
    """A text of an app with the short names of endpoints in place of their ids."""
    return _ENDPOINT.sub(lambda found: short(found[0]), text)


def short_zone(zone: str) -> str:
    """The zone's DNS name and its resource group, which tell zones apart."""
    parts = zone.strip("/").split("/")
    return f"{parts[-1]} ({parts[3]})" if len(parts) > 4 else zone


def mark(count: int, style: str) -> Text:
    """A number that is styled unless it is zero."""
    return cell(count, style if count else "")
