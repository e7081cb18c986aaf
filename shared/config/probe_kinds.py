"""The kinds of probes: for each inference server its port, what it is asked, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass

StatusRanges = tuple[tuple[int, int], ...]

FIELDS = frozenset({"kind", "port", "path", "expect", "tls", "host"})
"""The fields of an entry of NEARZONE_PROBES."""
_TCP = frozenset({"kind", "port"})
_TLS = _TCP | {"tls"}
_SUCCESS: StatusRanges = ((200, 299),)


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """Defaults of a kind, and what a success tells.

    `port`: 0 if the settings have to give it. `path`: "" asks nothing by HTTP. `expect`: status codes, as ranges with
    both ends. `tls`: the server speaks TLS only. `fields`: those that an entry may have. `min_timeout`: seconds that
    the server takes at least. `tells`, `does_not_tell`, `notes`: for the operator. `source`: where it is documented.
    """

    port: int
    tells: str
    does_not_tell: str
    source: str
    path: str = ""
    expect: StatusRanges = _SUCCESS
    tls: bool = False
    fields: frozenset[str] = FIELDS
    min_timeout: float = 0.0
    notes: str = ""


KINDS = {
    "tcp": ProbeKind(0, "a process listens", "whether it answers", "", fields=_TCP),
    "tls": ProbeKind(443, "", "", "", tls=True, fields=_TLS),
    "http": ProbeKind(0, "", "", "", path="/"),
    "vllm": ProbeKind(8000, "", "", "", path="/health"),
    "sglang": ProbeKind(30000, "", "", "", path="/health", min_timeout=5.0),
    "tgi": ProbeKind(3000, "", "", "", path="/health"),
    "triton": ProbeKind(8000, "", "", "", path="/v2/health/ready"),
    "nim": ProbeKind(8000, "", "", "", path="/v1/health/ready"),
    "llama.cpp": ProbeKind(8080, "", "", "", path="/health"),
    "ollama": ProbeKind(11434, "", "", "", path="/"),
    "tei": ProbeKind(3000, "", "", "", path="/health"),
    "lmdeploy": ProbeKind(23333, "", "", "", path="/health"),
    "ray-serve": ProbeKind(8000, "", "", "", path="/-/healthz"),
    "azure-openai": ProbeKind(
        443, "", "", "", path="/status-0123456789abcdef", expect=((200, 299), (401, 401)), tls=True
    ),
    "azure-ml": ProbeKind(443, "", "", "", expect=((200, 299), (401, 401)), tls=True),
}
