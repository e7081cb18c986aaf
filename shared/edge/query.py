"""The query parameters of a request: empty ones are kept, and a trigger that takes none refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from shared.domain.errors import BadRequest

KEY = "code"
"""The function key as a parameter; the host checks it."""


def given(url: str, params: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a request, with those that are empty: the host leaves them out of `params`.

    Source: GrpcMessageConversionExtensions of Azure/azure-functions-host.
    """
    try:
        query = urlsplit(url).query
        empty = {name: "" for name, value in parse_qsl(query, keep_blank_values=True) if not value}
    except ValueError:  # The host has accepted the request: its own parse of the URL counts.
        empty = {}
    return empty | dict(params)


def none_expected(found: Mapping[str, str], place: str = "") -> None:
    """Raise BadRequest for the first parameter but the key. `place`: where its value belongs instead, or ""."""
    for name in sorted(set(found) - {KEY}):
        more = f"; {place}" if place else ""
        raise BadRequest(f"{name[:80]}: query parameters are not read here{more}")
