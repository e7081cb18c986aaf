"""HTTP answers of the kinds of model servers, as bytes.

Which paths exist follows the servers' own documents; a path that a kind does not have is 404. `any` has every path.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache

from simulator.model_servers.entry import Kind

PATHS: Mapping[Kind, frozenset[str]] = {
    "any": frozenset(),
    "vllm": frozenset({"/health", "/ping", "/version", "/metrics", "/v1/models"}),
    "sglang": frozenset({"/health", "/health_generate", "/metrics", "/v1/models"}),
    "tgi": frozenset({"/health", "/ping", "/info", "/metrics"}),
    "triton": frozenset({"/v2/health/ready", "/v2/health/live"}),
    "nim": frozenset({"/v1/health/ready", "/v1/health/live", "/v1/metrics", "/v1/models"}),
    "llama.cpp": frozenset({"/health", "/v1/health", "/v1/models", "/metrics"}),
    "ollama": frozenset({"/", "/api/version", "/api/tags"}),
    "tei": frozenset({"/health", "/ping", "/info", "/metrics"}),
    "lmdeploy": frozenset({"/health", "/metrics", "/v1/models"}),
    "ray-serve": frozenset({"/-/healthz", "/-/routes"}),
    "azure-openai": frozenset({"/status-0123456789abcdef"}),
    "azure-ml": frozenset(),
}
REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
REASONS |= {503: "Service Unavailable"}
BODY = b'{"status": "ok"}'
METADATA_SERVICE = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"
"""The platform's metadata service, which no client may be led to."""
ENDLESS = 100 * 1024 * 1024
"""Bytes of an endless body."""
_INFLATED = 10 * 1024 * 1024


def head(status: int, length: int, **more: str) -> bytes:
    """The head of an answer; `more`: header fields."""
    fields = {"content-type": "application/json", "content-length": str(length), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def answer(status: int, body: bytes = BODY, **more: str) -> bytes:
    """A whole answer."""
    return head(status, len(body), **more) + body


def to(kind: Kind, request: bytes) -> bytes:
    """The answer of a healthy server of a kind to a request head."""
    line = request.partition(b"\r\n")[0].split(b" ")
    if len(line) != 3 or line[0] != b"GET" or not line[2].startswith(b"HTTP/1."):
        return answer(400)
    path = line[1].partition(b"?")[0].decode("latin-1")
    if kind == "any" or path in PATHS[kind]:
        return answer(200)
    return unauthorized() if kind in {"azure-openai", "azure-ml"} else answer(404)


def unauthorized() -> bytes:
    """The answer of a server that wants a key."""
    return answer(401, www_authenticate="Bearer")


@cache
def bomb() -> bytes:
    """10 MiB of zeros as a gzip body of 10 KiB."""
    return answer(200, gzip.compress(bytes(_INFLATED)), content_encoding="gzip")
