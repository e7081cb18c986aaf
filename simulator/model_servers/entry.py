"""A model server of a world file as data: its kind and how it behaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Kind = Literal[
    "any",
    "vllm",
    "sglang",
    "tgi",
    "triton",
    "nim",
    "llama.cpp",
    "ollama",
    "tei",
    "lmdeploy",
    "ray-serve",
    "azure-openai",
    "azure-ml",
]
Behaviour = Literal[
    "healthy",
    "dead",
    "unreachable",
    "refuses",
    "hangs",
    "headers-then-hangs",
    "drips",
    "resets",
    "closes",
    "not-http",
    "loading",
    "slow-start",
    "unauthorized",
    "certificate-expired",
    "certificate-name",
    "certificate-untrusted",
    "redirects",
    "endless",
    "gzip-bomb",
    "stalled",
    "busy",
    "wakes",
]

SECONDS: Mapping[str, float] = {"loading": float("inf"), "slow-start": 120.0, "busy": 1800.0, "wakes": 30.0}
"""Default of `seconds`, for the behaviours that have one."""


class ServerEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A model server. `port`: the only one on which it listens, null: on every port.

    `tls`: true: TLS alone, false: no TLS, null: what the client begins with. `seconds`: of the behaviour.
    """

    kind: Kind = "any"
    behaviour: Behaviour = "healthy"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    tls: bool | None = None
    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
