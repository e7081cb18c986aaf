"""The kinds of probes: for each inference server its port, the path of the request, and what a success says.

Ports and paths as of November 2026, from `source`.
"""

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
    """Defaults of a kind, and what a success says.

    `port`: 0 if the settings have to give it. `says`, `does_not_say`: what a success means and what it leaves open.
    `source`: where port and path are documented. `path`: "" sends no HTTP request. `expect`: accepted status codes, as
    ranges with both ends. `tls`: the server speaks TLS only. `fields`: those that an entry may have. `min_timeout`:
    seconds; with a shorter timeout a healthy server may fail. `notes`: what else the operator has to know.
    """

    port: int
    says: str
    does_not_say: str
    source: str
    path: str = ""
    expect: StatusRanges = _SUCCESS
    tls: bool = False
    fields: frozenset[str] = FIELDS
    min_timeout: float = 0.0
    notes: str = ""


KINDS = {
    "tcp": ProbeKind(
        0,
        "a process listens on the port",
        "whether it answers",
        "RFC 9293, 3.5",
        fields=_TCP,
    ),
    "tls": ProbeKind(
        443,
        "a server presents a valid certificate for the name",
        "whether it answers requests",
        "RFC 8446, 4.4",
        tls=True,
        fields=_TLS,
    ),
    "http": ProbeKind(
        0,
        "the path answers with an accepted status",
        "what the path does not check itself",
        "RFC 9110, 15",
        path="/",
        notes="for any other server",
    ),
    "vllm": ProbeKind(
        8000,
        "the server runs and does not know its engine to be dead",
        "whether the engine generates: one that hangs answers 200",
        "vllm-project/vllm: serve/instrumentator/health.py",
        path="/health",
        notes="needs no key, also with `--api-key`",
    ),
    "sglang": ProbeKind(
        30000,
        "the engine generated a token, or was busy with other requests",
        "how fast it is: the answer takes at least 1 s",
        "sgl-project/sglang: srt/server_args.py, srt/entrypoints/http_server.py, srt/environ.py",
        path="/health",
        min_timeout=5.0,
        notes="503 while it starts. In old releases, and with `SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION=false`, "
        "`/health` generates nothing: set `path` to `/health_generate`. Listens on 127.0.0.1 without `--host`",
    ),
    "tgi": ProbeKind(
        3000,
        "it has generated once, and the GPU allocates memory",
        "whether requests wait",
        "huggingface/text-generation-inference db931fc: docs/source/reference/launcher.md, backends/v3/src/backend.rs, "
        "server/text_generation_server/server.py, Dockerfile",
        path="/health",
        notes="its container image listens on 80",
    ),
    "triton": ProbeKind(
        8000,
        "all models are loaded",
        "whether a model answers in time",
        "triton-inference-server/server: src/command_line_parser.cc, src/http_server.cc",
        path="/v2/health/ready",
        notes="not with `--strict-readiness=false`",
    ),
    "nim": ProbeKind(
        8000,
        "the model is loaded",
        "whether the engine generates",
        "docs.nvidia.com/nim/large-language-models 2.1, health-ready",
        path="/v1/health/ready",
        notes="`/v1/health/live` is nginx alone",
    ),
    "llama.cpp": ProbeKind(
        8080,
        "the model is loaded",
        "whether a slot is free",
        "ggml-org/llama.cpp: common/common.h, tools/server/README.md, pull request 26508",
        path="/health",
        notes="503 while it loads; needs no key. Listens on 127.0.0.1 without `--host`; newer releases on port 9931",
    ),
    "ollama": ProbeKind(
        11434,
        "the server runs",
        "whether a model is loaded",
        "ollama/ollama: server/routes.go, envconfig/config.go",
        path="/",
        notes="listens on 127.0.0.1 without `OLLAMA_HOST`",
    ),
    "tei": ProbeKind(
        3000,
        "the backend passed its own check",
        "whether requests wait",
        "huggingface/text-embeddings-inference 0d124dc: router/src/main.rs, backends/src/lib.rs, Dockerfile",
        path="/health",
        notes="its container images listen on 80",
    ),
    "lmdeploy": ProbeKind(
        23333,
        "its monitor finds the engine healthy, or asleep",
        "whether it is awake",
        "InternLM/lmdeploy: serve/openai/endpoints/management.py",
        path="/health",
    ),
    "ray-serve": ProbeKind(
        8000,
        "the node's HTTP proxy runs",
        "whether a replica works",
        "ray-project/ray: serve/_private/constants.py, proxy.py",
        path="/-/healthz",
        notes="listens on 127.0.0.1 without `http_options`",
    ),
    "azure-openai": ProbeKind(
        443,
        "the gateway in front of the resource answers",
        "whether a deployment answers or has quota",
        "medium.com/microsoftazure, 4dba93c6467d (2023); Azure documents no path",
        path="/status-0123456789abcdef",
        expect=((200, 299), (401, 401)),
        tls=True,
        notes="without a key, so 401 is alive",
    ),
    "azure-ml": ProbeKind(
        443,
        "the frontend presents its certificate",
        "whether a deployment answers",
        "Azure documents no path that needs no key",
        expect=((200, 299), (401, 401)),
        tls=True,
        notes="set `path` to send a request too",
    ),
}
