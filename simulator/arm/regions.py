"""Azure's regions as `GET /subscriptions/{id}/locations` lists them.

`regions.csv`: names, groups, cities and pairs as azure-cli recorded them (2022-11-17); of later regions, names only
(reliability/regions-list.md). Shape: OpenAPI, subscriptions.json, 2022-12-01, example GetLocations. Left out:
coordinates, categories, and the mapping of availability zones.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

with Path(__file__).with_name("regions.csv").open(encoding="utf-8") as _file:
    REGIONS = list(csv.DictReader(_file))


def locations(subscription: str) -> list[dict[str, Any]]:
    """All regions, as served to a subscription."""
    root = f"/subscriptions/{subscription}/locations"
    return [_location(root, each) for each in REGIONS]


def _location(root: str, region: dict[str, str]) -> dict[str, Any]:
    name, pair, shown = region["name"], region["paired_region"], region["display_name"]
    known = {"geographyGroup": region["geography_group"], "physicalLocation": region["physical_location"]}
    metadata: dict[str, Any] = {"regionType": "Physical"} | {key: each for key, each in known.items() if each}
    return {
        "id": f"{root}/{name}",
        "name": name,
        "type": "Region",
        "displayName": shown,
        "regionalDisplayName": f"({region['geography_group']}) {shown}" if region["geography_group"] else shown,
        "metadata": metadata | {"pairedRegion": [{"name": pair, "id": f"{root}/{pair}"}] if pair else []},
    }
