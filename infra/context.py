"""The context of the command line: where each app is and how to authenticate. It contains no key.

A key is fetched by a command of the Azure CLI, with the rights of the account that runs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import pulumi

from infra.app import App
from infra.config import Deployment


def cli_context(deployment: Deployment, apps: Sequence[App], name: str) -> pulumi.Output[str]:
    """Return a context file (TOML) with the app of each region. `name`: of the context."""
    regions = [app.home.region.name for app in apps]
    places = [(app.site.default_host_name, app.home.group.name, app.site.name) for app in apps]
    return pulumi.Output.all(*(pulumi.Output.all(*place) for place in places)).apply(
        lambda found: context_text(
            name, {region: _app(deployment, *place) for region, place in zip(regions, found, strict=True)}
        )
    )


def context_text(name: str, apps: Mapping[str, Mapping[str, object]]) -> str:
    """Return the file as text. Texts and lists of texts are the same in JSON and in TOML."""
    lines = [f"current = {json.dumps(name)}"]
    for region, values in apps.items():
        lines += ["", f"[contexts.{_key(name)}.apps.{_key(region)}]"]
        lines += [f"{field} = {json.dumps(value)}" for field, value in values.items()]
    return "\n".join(lines) + "\n"


def _app(deployment: Deployment, host: str, group: str, site: str) -> dict[str, object]:
    """Return the fields of one app. With Entra ID a call needs a token and the key (`auth.py`), so there are both."""
    place = ["--subscription", deployment.subscription, "--resource-group", group, "--name", site]
    command = ["az", "functionapp", "keys", "list", *place, "--query", "functionKeys.default", "--output", "tsv"]
    found: dict[str, object] = {"url": f"https://{host}", "key_command": command}
    if deployment.entra:
        found["entra_scope"] = f"api://{deployment.entra.client_id}/.default"
    return found


def _key(text: str) -> str:
    """A key of TOML, in quotes where it needs them: the name of a stack may have dots."""
    return text if re.fullmatch("[A-Za-z0-9_-]+", text) else json.dumps(text)
