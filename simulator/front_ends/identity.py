"""Managed identity as on App Service: the token endpoint that the real azure-identity credential calls.

Tokens are well-formed and worthless. The protocol is that of azure-identity (api-version 2019-08-01). The real
endpoint's answer to a wrong secret was not found; it is 401 here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.arm.front_door import TENANT, Response

LIFETIME = 86400
"""Seconds for which a token is valid (assumed)."""

_OBJECT = "00000000-0000-0000-0000-00000000cccc"
_CLIENT = "00000000-0000-0000-0000-00000000dddd"
_RESOURCE = "/subscriptions/S/resourcegroups/nearzone/providers/Microsoft.Web/sites/nearzone"


@dataclass(frozen=True, slots=True)
class Identity:
    """The endpoint. `secret`: what callers must send in the header X-IDENTITY-HEADER."""

    secret: str

    def token(self, query: Mapping[str, str], headers: Mapping[str, str], now: float) -> Response:
        """Answer GET /msi/token; header names in lower case, `now` in seconds since the epoch."""
        if headers.get("x-identity-header") != self.secret:
            return _error(401, "Unauthorized", "The header X-IDENTITY-HEADER is missing or wrong.")
        if query.get("api-version") != "2019-08-01":
            return _error(400, "UnsupportedApiVersion", "The api-version must be 2019-08-01.")
        resource = query.get("resource")
        if not resource:
            return _error(400, "BadRequest", "The query parameter 'resource' is missing.")
        expires = int(now) + LIFETIME
        content = {
            "access_token": _jwt(resource, int(now), expires),
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": _CLIENT,
        }
        return Response(200, content)


def _error(status: int, code: str, message: str) -> Response:
    return Response(status, {"statusCode": status, "code": code, "message": message})


def _jwt(resource: str, issued: int, expires: int) -> str:
    claims = {
        "aud": resource,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": issued,
        "nbf": issued,
        "exp": expires,
        "appid": _CLIENT,
        "oid": _OBJECT,
        "tid": TENANT,
        "xms_mirid": _RESOURCE,
    }
    parts: list[Mapping[str, object]] = [{"typ": "JWT", "alg": "RS256"}, claims, {"signature": "none"}]
    return ".".join(map(_segment, parts))


def _segment(content: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
