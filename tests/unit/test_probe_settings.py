"""What is probed: what each field of an entry means, and what is refused and under which name."""

import json

import pytest

from shared.config.probe_kinds import FIELDS, KINDS
from shared.domain.errors import BadSettings
from shared.domain.probes import Probe
from tests.support.values import SUB, parsed

VLLM = {"kind": "vllm"}
HTTP = {"kind": "http", "port": 8080}
TLS = {"name": "a.example"}


def faults(**changed):
    with pytest.raises(BadSettings) as refused:
        parsed(**changed)
    return list(refused.value.faults)


def probe(item):
    return parsed(PROBES={"a": item}).probe("a")


PROBES = [
    # an entry, the probe that it means
    ({"kind": "tcp", "port": 22}, Probe("tcp", 22)),
    ({"kind": "tls", "tls": TLS}, Probe("tls", 443, tls=True, tls_name="a.example")),
    ({"kind": "tls", "port": 8443, "tls": {"verify": False}}, Probe("tls", 8443, tls=True, verify=False)),
    (
        {"kind": "tls", "tls": {"name": "A.Example", "verify": False}},
        Probe("tls", 443, tls=True, tls_name="a.example", verify=False),
    ),
    (HTTP, Probe("http", 8080, "/")),
    (VLLM, Probe("vllm", 8000, "/health")),
    ({"kind": "VLLM"}, Probe("vllm", 8000, "/health")),
    ({"kind": "vllm", "port": 65535, "path": "/x?y=%20"}, Probe("vllm", 65535, "/x?y=%20")),
    ({"kind": "vllm", "tls": TLS}, Probe("vllm", 8000, "/health", tls=True, tls_name="a.example")),
    ({"kind": "vllm", "host": "B.example"}, Probe("vllm", 8000, "/health", host="b.example")),
    ({"kind": "vllm", "expect": [204]}, Probe("vllm", 8000, "/health", ((204, 204),))),
    (
        {"kind": "vllm", "expect": ["300-399", 200, "100-599"]},
        Probe("vllm", 8000, "/health", ((100, 599), (200, 200), (300, 399))),
    ),
    (
        {"kind": "azure-openai", "tls": {"name": "contoso.openai.azure.com"}},
        Probe(
            "azure-openai",
            443,
            "/status-0123456789abcdef",
            ((200, 299), (401, 401)),
            tls=True,
            tls_name="contoso.openai.azure.com",
        ),
    ),
    (
        {"kind": "azure-ml", "tls": TLS},
        Probe("azure-ml", 443, "", ((200, 299), (401, 401)), tls=True, tls_name="a.example"),
    ),
    (
        {"kind": "azure-ml", "tls": TLS, "path": "/score", "expect": [405]},
        Probe("azure-ml", 443, "/score", ((405, 405),), tls=True, tls_name="a.example"),
    ),
]


@pytest.mark.parametrize(("item", "expected"), PROBES, ids=[json.dumps(item)[:60] for item, _ in PROBES])
def test_an_entry_means_this_probe(item, expected):
    assert probe(item) == expected


BAD_PROBES = [
    # an entry, the field that the fault names, a part of what is expected
    ([], "", "an object with"),
    ({}, ".kind", "one of tcp, tls, http"),
    ({"kind": 1}, ".kind", "one of tcp, tls, http"),
    ({"kind": "sgland"}, ".kind", "did you mean sglang?"),
    ({"kind": "llamacpp"}, ".kind", "did you mean llama.cpp?"),
    ({"kind": "vllm", "Path": "/x"}, ".Path", "one of the fields"),
    ({"kind": "tcp"}, ".port", "1 to 65535"),
    ({"kind": "http"}, ".port", "1 to 65535"),
    *(({"kind": "vllm", "port": port}, ".port", "1 to 65535") for port in (0, 65536, -1, 80.0, "80", True, None)),
    *(
        ({"kind": "vllm", "path": path}, ".path", "begins with /")
        for path in ("", "health", "/a b", "/a\r\nX: y", "/a\n", "/\x7f", "/\u00e9", "/" + "a" * 512, 5, None)
    ),
    ({"kind": "vllm", "expect": []}, ".expect", "at least one"),
    ({"kind": "vllm", "expect": 200}, ".expect", "a list"),
    ({"kind": "vllm", "expect": [200, 200]}, ".expect[1]", "no duplicates"),
    *(
        ({"kind": "vllm", "expect": [200, code]}, ".expect[1]", "200 to 599")
        for code in (
            99,
            600,
            True,
            200.0,
            "200",
            "300-200",
            "99-200",
            "200-600",
            "200 -300",
            "2e2-300",
            "200-299x",
            "200-299\n",
            None,
        )
    ),
    *(({"kind": "vllm", "expect": [code]}, ".expect[0]", "200 to 599") for code in (100, 199, "100-199")),
    *(
        ({"kind": "vllm", "host": host}, ".host", "a DNS name")
        for host in ("", "a:80", "a/b", "a b", "a\r\nX: y", "-a", "a..b", "a.", "*.a", "10.0.0.1", "a_b", "a" * 64, 5)
    ),
    ({"kind": "vllm", "host": ".".join(["a" * 49] * 6)}, ".host", "a DNS name"),
    *(({"kind": "vllm", "tls": tls}, ".tls", '{"name": ') for tls in (True, False, None, "a.example")),
    ({"kind": "vllm", "tls": {}}, ".tls.name", "a DNS name"),
    ({"kind": "vllm", "tls": {"verify": True}}, ".tls.name", "a DNS name"),
    ({"kind": "vllm", "tls": {"name": "a:443"}}, ".tls.name", "a DNS name"),
    ({"kind": "vllm", "tls": {"name": "", "verify": False}}, ".tls.name", "a DNS name"),
    ({"kind": "vllm", "tls": {"name": "a.example", "verify": 0}}, ".tls.verify", "true or false"),
    ({"kind": "vllm", "tls": TLS | {"sni": "b"}}, ".tls.sni", "one of the fields name, verify"),
    *(({"kind": kind}, ".tls", '{"name": ') for kind in ("tls", "azure-openai", "azure-ml")),
    ({"kind": "tcp", "port": 1, "path": "/"}, ".path", "one of the fields of the kind tcp: kind, port"),
    ({"kind": "tcp", "port": 1, "tls": TLS}, ".tls", "one of the fields of the kind tcp: kind, port"),
    ({"kind": "tls", "tls": TLS, "expect": [200]}, ".expect", "one of the fields of the kind tls: kind, port, tls"),
    ({"kind": "azure-ml", "tls": TLS, "expect": [200]}, ".expect", "a path beside it"),
    ({"kind": "azure-ml", "tls": TLS, "host": "a.example"}, ".host", "a path beside it"),
]


@pytest.mark.parametrize(("item", "field", "expected"), BAD_PROBES, ids=[str(row[:2])[:70] for row in BAD_PROBES])
def test_a_bad_entry_is_one_fault_with_the_name_of_its_field(item, field, expected):
    (fault,) = faults(PROBES={"a": item})
    assert fault.startswith(f'NEARZONE_PROBES["a"]{field}: found ')
    assert expected in fault


def test_all_faults_of_all_entries_are_reported_at_once():
    found = faults(PROBES={"a": {"kind": "vllm", "port": 0, "path": "x"}, "b": {"kind": "?"}}, PROBING={"timeout": 0})
    assert [fault.split(":")[0] for fault in found] == [
        'NEARZONE_PROBES["a"].port',
        'NEARZONE_PROBES["a"].path',
        'NEARZONE_PROBES["b"].kind',
        "NEARZONE_PROBING.timeout",
    ]


def test_the_most_specific_entry_of_a_name_counts_alone():
    read = parsed(PROBES={"*": VLLM, "LLAMA-*": HTTP, "llama-70b": {"kind": "tcp", "port": 1}})
    assert [read.probe(name).kind for name in ("llama-70b", "llama-8b", "chat")] == ["tcp", "http", "vllm"]
    assert parsed(PROBES={"llama-*": VLLM}).probe("chat") is None
    assert parsed().probe("chat") is None


def test_a_pattern_is_a_name_or_a_glob_and_comes_once_in_any_case():
    assert faults(PROBES={"a_b": VLLM}) == [
        "NEARZONE_PROBES[\"a_b\"]: found \"a_b\", expected a DNS label or a glob of one ('*', '?')"
    ]
    assert faults(PROBES={"a": VLLM, "A": VLLM}) == [
        'NEARZONE_PROBES["A"]: found "A", expected each pattern once, whatever its case'
    ]
    assert faults(PROBES=[VLLM])[0].startswith("NEARZONE_PROBES: found ")


def test_a_name_that_nothing_may_claim_is_a_fault_only_if_a_similar_one_may():
    claims = {"llama-70b": [SUB]}
    expected = "a name that NEARZONE_CLAIMS permits, or one of NEARZONE_STATIC; did you mean llama-70b?"
    assert faults(PROBES={"lama-70b": VLLM}, CLAIMS=claims) == [
        f'NEARZONE_PROBES["lama-70b"]: found "lama-70b", expected {expected}'
    ]
    assert parsed(PROBES={"whisper": VLLM, "lama-*": VLLM}, CLAIMS=claims).probe("whisper")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_a_probe_from_its_required_fields_alone(name):
    kind = KINDS[name]
    item = {"kind": name} | ({} if kind.port else {"port": 80}) | ({"tls": TLS} if kind.tls else {})
    found = probe(item)
    assert (found.port, found.path, found.expect) == (kind.port or 80, kind.path, kind.expect)
    assert found.tls == kind.tls
    assert set(item) <= kind.fields <= FIELDS
    assert kind.says
    assert kind.does_not_say
    assert kind.source
