"""The names of regions as API Management and Container Apps write them: `West US 2` for `westus2`.

Recorded for one region (test_apim_core_service.yaml, azure-cli, 2023) and shown by the examples of both specifications;
those of other regions follow from the words of their names.
"""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"southeast|north|south|east|west|central|jio|india|new|africa|uk|us|uae|\d+"
    r"|[a-z]+?(?=southeast|north|south|east|west|central|\d|$)"
)
_CAPITALS = {"uk", "us", "uae"}


def display_name(location: str) -> str:
    """The name of a region in words; a name with a space stays as it is."""
    if " " in location:
        return location
    words = _WORDS.findall(location.lower())
    return " ".join(word.upper() if word in _CAPITALS else word.capitalize() for word in words)
