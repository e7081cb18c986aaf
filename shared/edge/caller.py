"""The caller of an HTTP function: from App Service authentication, or a function key. Pure.

With authentication on, App Service sets `WEBSITE_AUTH_ENABLED`, removes these headers from requests and adds its own.
With it off, any client can send them, so they are ignored. The Python worker does not learn which key was used. Source:
Microsoft Learn, configure-authentication-user-identities.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

FUNCTION_KEY = "function key"
"""The caller if there is no principal."""
MAX_CHARACTERS = 120
"""Characters of a caller that are kept."""

_NAME, _ID, _PRINCIPAL = "x-ms-client-principal-name", "x-ms-client-principal-id", "x-ms-client-principal"
_NAMES = ("preferred_username", "upn", "name", "appid", "azp")
_IDS = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid", "sub")


def caller(headers: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return the Entra principal as `NAME (ID)` if App Service authentication is on; else `function key`."""
    if environment.get("WEBSITE_AUTH_ENABLED", "").strip().lower() not in ("true", "1"):
        return FUNCTION_KEY
    sent = {name.lower(): value for name, value in headers.items()}
    claims = _claims(sent.get(_PRINCIPAL, ""))
    name = _clean(sent.get(_NAME, "")) or _first_claim(claims, _NAMES)
    own_id = _clean(sent.get(_ID, "")) or _first_claim(claims, _IDS)
    if not name or not own_id or name == own_id:
        return name or own_id or FUNCTION_KEY
    return f"{name[: MAX_CHARACTERS - len(own_id) - 3]} ({own_id})" if len(own_id) < MAX_CHARACTERS // 2 else own_id


def _clean(text: str) -> str:
    """Remove unprintable characters, and truncate to `MAX_CHARACTERS`."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:MAX_CHARACTERS]


def _claims(principal: str) -> dict[str, str]:
    """Return the claims in a header of base64-encoded JSON; none if it cannot be decoded."""
    try:
        found = json.loads(base64.b64decode(principal, validate=True))
        claims = found.get("claims") if isinstance(found, dict) else None
        pairs = [(each.get("typ"), each.get("val")) for each in claims or () if isinstance(each, dict)]
    except (binascii.Error, ValueError, RecursionError, TypeError):
        return {}
    return {typ: _clean(val) for typ, val in pairs if isinstance(typ, str) and isinstance(val, str)}


def _first_claim(claims: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((claims[name] for name in names if claims.get(name)), "")
