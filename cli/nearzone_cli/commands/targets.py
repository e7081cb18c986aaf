"""What an order is about: a region, an endpoint by its id or its unique name, or zones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nearzone_cli.client import AppClient, Json
from nearzone_cli.errors import UsageError
from nearzone_cli.fleet import Result
from nearzone_cli.session import Session

GRACE_SECONDS = 3.0
"""Once an app knows a name, for how long the others are waited for: they may know another endpoint of that name."""
_REGION = re.compile("[a-z][a-z0-9]+")
_PARENT = re.compile(
    "/.*(/virtualMachineScaleSets/[^/]+(?=/virtualMachines/)|/service/[^/]+(?=/locations/))", re.IGNORECASE
)


@dataclass(frozen=True)
class Target:
    """The target of a drain. `kind`: region or endpoint."""

    kind: str
    value: str

    @property
    def body(self) -> Json:
        """The field of the request."""
        return {self.kind: self.value}


def drain_target(session: Session, text: str) -> Target:
    """A region or an endpoint id as it is; else the apps are asked for the endpoint, or its parent, whose id ends so.

    Raises UsageError for a name of no endpoint or of several.
    """
    if "/" in text and (text.startswith(("/", "static/"))):
        return Target("endpoint", text)
    region = text.lower().replace(" ", "")
    if region in {app.region.lower() for app in session.context.apps}:
        return Target("region", region)
    results = session.fleet.ask_until(_endpoints, lambda lists: _is_known(text, lists), GRACE_SECONDS)
    known = [each for result in results for each in result.value or ()]
    ids = _ending(text, _targets(known))
    in_region = region in {str(each["region"]).lower() for each in known}
    if in_region and ids:
        raise UsageError(f"{text!r} is a region and an endpoint; name the endpoint by its id: {ids[0]}")
    if len(ids) > 1:
        raise UsageError(f"{text!r} is the name of {len(ids)} endpoints; give the id of one:\n" + "\n".join(ids[:10]))
    if ids:
        return Target("endpoint", ids[0])
    if in_region or _REGION.fullmatch(region):
        return Target("region", region)  # A region without endpoints may be drained in advance; the app knows regions.
    raise UsageError(f"{text!r} is neither a region nor the name of an endpoint{_heard(results)}")


def _is_known(text: str, lists: Iterable[Iterable[Json]]) -> bool:
    """Whether an app knows an endpoint of this name, or a region."""
    known = [each for items in lists for each in items]
    region = text.lower().replace(" ", "")
    return bool(_ending(text, _targets(known))) or region in {str(e["region"]).lower() for e in known}


def _endpoints(client: AppClient) -> list[Json]:
    return list(client.items("endpoints"))


def _targets(known: Iterable[Json]) -> Iterator[str]:
    """The ids of endpoints, and of the uniform scale sets and API Management services that have them."""
    for each in known:
        yield each["id"]
        if found := _PARENT.match(each["id"]):
            yield found[0]


def _ending(text: str, ids: Iterable[str]) -> list[str]:
    """The ids whose last parts are this text, each once.

    The last part of an API Management location's id is its region, so it names the region and not the endpoint.
    """
    end = f"/{text.lower()}"
    found = {each.lower(): each for each in sorted(ids) if each.lower().endswith(end)}
    return [each for key, each in found.items() if not key.endswith(f"/locations{end}")]


def _heard(results: Sequence[Result[Any]]) -> str:
    silent = [each.app.region for each in results if each.error]
    return f" that the apps know; {', '.join(silent)} could not be asked: give the endpoint's id" if silent else ""


def zones_of(client: AppClient, wanted: Iterable[str]) -> list[Json]:
    """The zones of an app that are wanted, by id or region; all where nothing is. Raises AppError."""
    texts = {each.lower() if "/" in each else each.lower().replace(" ", "") for each in wanted}
    zones: list[Json] = client.summary()["zones"]
    return [each for each in zones if not texts or each["id"].lower() in texts or each["region"].lower() in texts]
