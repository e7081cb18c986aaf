"""The commands that `up --apps regional` prints, and the file with the context of the command line."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.demo.world_model import WorldModel
from simulator.up.commands import PRETTY, questions, real_clients, world_changes
from simulator.up.regional_apps import RegionalApp, RegionalApps


def commands(apps: RegionalApps, control: str, replica: WorldModel) -> list[tuple[str, list[str]]]:
    """The commands to try, under headings. `control`: the base address of the control of the apps."""
    each, (*_, last) = list(apps.apps.values()), apps.apps
    first = each[0].pair
    drain = json.dumps({"drain": {"region": last, "minutes": 10}})
    stops = [f"curl -s -X POST {control}/apps/{last}/{change}" for change in ("stop", "start")]
    pages = [f"{app.ready['url']}/api/dashboard   # its key: {app.ready['function_key']}" for app in each]
    export = f"export NEARZONE_CONFIG={write_context(apps)}"
    return [
        ("The context of the command line: address and key of each app", [export]),
        *questions(first, replica),
        ("The status of each app", [f"{_curl(app)} {app.ready['url']}/api/status {PRETTY}" for app in each]),
        (
            f"Drain {last} in every zone: one call to each app",
            [f"{_curl(app)} -d '{drain}' {app.ready['url']}/api/resync {PRETTY}" for app in each],
        ),
        (
            f"Stop the app of {last} and start it again; address, keys and catalog stay",
            [*stops, f"curl -s {control}/apps   # the state of all apps"],
        ),
        *world_changes(first, replica),
        ("The status pages, in a browser", pages),
        real_clients(first),
    ]


def _curl(app: RegionalApp) -> str:
    return f"curl -s -H 'x-functions-key: {app.ready['function_key']}'"


def write_context(apps: RegionalApps) -> Path:
    """Write the context into the folder of the run, readable by its owner alone; return its path."""
    path = apps.folder / "context.toml"
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(context(apps), encoding="utf-8")
    return path


def context(apps: RegionalApps) -> str:
    """The context as TOML: address and key of each app. A key may stand in a context for loopback addresses only."""
    lines = ['current = "local"']
    for region, app in apps.apps.items():  # A JSON string is a TOML string.
        values = {"url": app.ready["url"], "key": app.ready["function_key"]}
        lines += [
            "",
            f"[contexts.local.apps.{region}]",
            *(f"{key} = {json.dumps(text)}" for key, text in values.items()),
        ]
    return "\n".join(lines) + "\n"
