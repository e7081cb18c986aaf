"""The resync request: what a person may ask for, and that anything else does nothing and says where it is wrong."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.errors import BadRequest
from shared.edge import commands
from shared.edge.commands import MAX_BYTES, Drain, Freeze, Preflight, ProbeName, Sweep, Undrain, Unfreeze
from tests.support.values import EAST, OTHER_SUB, WEST, parsed, vm_id, zone_id

TYPES = frozenset({"microsoft.compute/virtualmachines"})
ZONES = [{"id": zone_id(), "region": WEST}, {"id": zone_id("b"), "region": EAST}, {"id": zone_id("c"), "region": EAST}]
SETTINGS = parsed(
    ZONES=ZONES, PROBES={"llama*": {"kind": "vllm"}, "llama-70b": {"kind": "vllm"}}, PROBING={"vantage": WEST}
)
VM = vm_id("gpu-1")
DIGEST = "0123456789ab"


def parse(body):
    return commands.parse(body if isinstance(body, bytes) else json.dumps(body).encode(), SETTINGS, TYPES)


def sweep(**fields):
    return Sweep(**{"zones": SETTINGS.zones, **fields})


VALID = [
    (b"", sweep()),
    (b" \n", sweep()),
    ({}, sweep()),
    ({"zone": zone_id().upper()}, sweep(zones=SETTINGS.zones[:1])),
    ({"zone": "West Europe"}, sweep(zones=SETTINGS.zones[:1])),
    ({"name": "Llama"}, sweep(name="llama")),
    ({"endpoint": VM}, sweep(endpoint=VM)),
    ({"force": "0123456789AB"}, sweep(force=frozenset({DIGEST}))),
    ({"force": f"{DIGEST}, ba9876543210"}, sweep(force=frozenset({DIGEST, "ba9876543210"}))),
    ({"dry_run": True, "force": [DIGEST]}, sweep(dry_run=True, force=frozenset({DIGEST}))),
    ({"force": DIGEST, "force_beyond": True}, sweep(force=frozenset({DIGEST}), force_beyond=True)),
    ({"force": False}, sweep()),
    ({"reason": " INC-7: Kühlung "}, sweep(reason="INC-7: Kühlung")),
    (
        {"drain": {"region": WEST, "minutes": 9}, "dry_run": True, "reason": "r"},
        Drain(WEST, 9, dry_run=True, reason="r"),
    ),
    ({"unfreeze": {"zone": WEST}, "dry_run": True}, Unfreeze(SETTINGS.zones[0], dry_run=True)),
    ({"adopt": ["db", "Web"]}, sweep(adopt=frozenset({"db", "web"}))),
    ({"adopt": "lost"}, sweep(adopt_lost=True)),
    (
        {"adopt": "lost", "zone": zone_id(), "dry_run": True},
        sweep(zones=SETTINGS.zones[:1], adopt_lost=True, dry_run=True),
    ),
    ({"drain": {"region": "West Europe", "minutes": 60}}, Drain(WEST, 60)),
    ({"drain": {"endpoint": VM, "minutes": 1}}, Drain(VM.lower(), 1)),
    ({"drain": {"region": "mars", "minutes": 10080}}, Drain("mars", 10080)),
    ({"undrain": {"region": "eastus"}}, Undrain(EAST)),
    ({"undrain": {"endpoint": VM}}, Undrain(VM.lower())),
    ({"check": False, "dry_run": False, "force": False, "force_beyond": False}, sweep()),
    ({"check": True}, Preflight()),
    ({"probe": {"name": "Llama"}}, ProbeName("llama", SETTINGS.zones)),
    ({"probe": {"name": "llama-70b", "zone": WEST}}, ProbeName("llama-70b", SETTINGS.zones[:1])),
    ({"freeze": {"zone": WEST}}, Freeze(SETTINGS.zones[0])),
    ({"freeze": {"zone": WEST, "minutes": 5}, "reason": "r"}, Freeze(SETTINGS.zones[0], 5, reason="r")),
]


@pytest.mark.parametrize(
    ("body", "expected"), VALID, ids=lambda v: "" if isinstance(v, commands.Command) else str(v)[:60]
)
def test_a_valid_body_asks_for_exactly_what_it_says(body, expected):
    assert parse(body) == expected


INVALID = [
    # body, the field that the fault names
    (b"{", "body"),
    (b"\xff", "body"),
    (b"[" * 60_000, "body"),
    (b'{"drain": ' + b"[" * 60_000, "drain"),
    (b'{"x": ' + b"[" * 60_000, "body"),
    ([], "body"),
    ("text", "body"),
    (b" " * (MAX_BYTES + 1), "body"),
    ({"dryrun": True}, "dryrun"),
    ({"Zone": WEST}, "Zone"),
    ({"dry_run": "true"}, "dry_run"),
    ({"dry_run": 1}, "dry_run"),
    ({"dry_run": None}, "dry_run"),
    ({"force": "no"}, "force: 'no' is not the digest"),
    ({"force": True}, 'force: true does not name a plan. Send "dry_run": true'),
    ({"force": True, "zone": WEST}, "force: true"),
    ({"force": 1}, "force"),
    ({"force": [True]}, "force"),
    ({"force": f"{DIGEST},"}, "force"),
    ({"force": DIGEST[:-1]}, "force"),
    ({"reason": "x" * 201}, "reason: 201 characters"),
    ({"reason": "a\nb"}, "reason: control characters"),
    ({"reason": "a\u202eb"}, "reason: control characters"),
    ({"reason": 5}, "reason"),
    ({"check": True, "reason": "r"}, "reason: not together with check"),
    ({"check": True, "dry_run": True}, "dry_run: not together with check"),
    ({"probe": {"name": "llama"}, "dry_run": True}, "dry_run: not together with probe"),
    ({"probe": {"name": "llama"}, "name": "llama"}, "name: not together with probe"),
    ({"probe": {}}, "name"),
    ({"probe": "llama"}, "probe"),
    ({"probe": {"name": "llama", "port": 80}}, "port"),
    ({"probe": {"name": 5}}, "name"),
    ({"probe": {"name": "a.b"}}, "probe.name: 'a.b' is not a DNS label"),
    (
        {"probe": {"name": "llama.ai.internal"}},
        "probe.name: 'llama.ai.internal' is not a DNS label; leave out the zone: 'llama'",
    ),
    ({"name": "Llama.ai.internal."}, "name: 'Llama.ai.internal.' is not a DNS label; leave out the zone: 'llama'"),
    ({"probe": {"name": "lama-70b"}}, "add one for it; did you mean llama-70b"),
    ({"probe": True}, "Expected `object`, got `bool`"),
    ({"probe": {"name": "llama", "zone": "westeurop"}}, "; did you mean westeurope"),
    ({"probe": {"name": "phi"}}, "probe.name: no entry of NEARZONE_PROBES says how 'phi' is probed"),
    ({"probe": {"name": "llama", "zone": "mars"}}, "probe.zone: 'mars' is not the id or region"),
    ({"probe": {"name": "llama", "zone": None}}, "probe.zone: null is not a value"),
    ({"probe": None}, "probe: null is not a value"),
    ({"force_beyond": True}, "force_beyond: only together with force"),
    ({"force": DIGEST, "force_beyond": 1}, "force_beyond"),
    ({"zone": 5}, "zone"),
    ({"zone": "mars"}, "zone"),
    ({"zone": EAST}, "zone"),
    ({"zone": ""}, "zone"),
    ({"zone": zone_id("unknown")}, "zone"),
    ({"name": ["x"]}, "name"),
    ({"name": ""}, "name"),
    ({"name": "@"}, "name"),
    ({"name": "*"}, "name"),
    ({"name": "a.b"}, "name"),
    ({"name": "-a"}, "name"),
    ({"name": "a" * 64}, "name"),
    ({"name": "a\n"}, "name"),
    ({"endpoint": 5}, "endpoint"),
    ({"endpoint": "gpu-1"}, "endpoint"),
    ({"endpoint": VM + "/extensions/x"}, "endpoint"),
    ({"endpoint": VM.replace("virtualMachines", "disks")}, "endpoint"),
    ({"endpoint": vm_id("x", subscription=OTHER_SUB)}, "endpoint"),
    ({"endpoint": vm_id("x?y")}, "endpoint"),
    ({"endpoint": vm_id("x", "..")}, "endpoint"),
    *(({field: None}, f"{field}: null is not a value") for field in ("zone", "name", "endpoint", "drain", "undrain")),
    ({"freeze": None}, "freeze: null is not a value"),
    ({"unfreeze": None, "dry_run": True}, "unfreeze: null is not a value"),
    ({"freeze": {"zone": WEST, "minutes": None}}, "freeze.minutes: null is not a value"),
    ({"drain": {"region": WEST, "endpoint": None, "minutes": 5}}, "drain.endpoint: null is not a value"),
    ({"force": ""}, "force: empty"),
    ({"force": " "}, "force: empty"),
    ({"force": []}, "force: empty"),
    ({"adopt": []}, "adopt: empty"),
    ({"adopt": ""}, "adopt: '' is neither a list of names, nor \"lost\""),
    ({"adopt": "db"}, "adopt: 'db' is neither a list of names, nor \"lost\""),
    ({"adopt": "Lost"}, "adopt"),
    ({"adopt": 5}, "adopt"),
    ({"adopt": [5]}, "adopt"),
    ({"adopt": "lost", "freeze": {"zone": WEST}}, "adopt"),
    ({"adopt": ["db", "a.b"]}, "adopt[1]"),
    ({"drain": WEST}, "drain"),
    ({"drain": {"region": WEST}}, "minutes"),
    ({"drain": {"minutes": 5}}, "drain"),
    ({"drain": {"region": WEST, "endpoint": VM, "minutes": 5}}, "drain"),
    ({"drain": {"region": WEST, "minutes": 0}}, "minutes"),
    ({"drain": {"region": WEST, "minutes": 10081}}, "minutes"),
    ({"drain": {"region": WEST, "minutes": "5"}}, "minutes"),
    ({"drain": {"region": WEST, "minutes": 5, "hours": 1}}, "hours"),
    ({"drain": {"region": "!", "minutes": 5}}, "drain.region"),
    ({"drain": {"region": "", "minutes": 5}}, "drain.region"),
    ({"drain": {"endpoint": "gpu-1", "minutes": 5}}, "drain.endpoint"),
    ({"undrain": {"region": WEST, "minutes": 5}}, "minutes"),
    ({"undrain": {}}, "undrain"),
    ({"undrain": {"endpoint": WEST}}, "undrain.endpoint"),
    ({"drain": {"region": WEST, "minutes": 5}, "undrain": {"region": WEST}}, "undrain"),
]


@pytest.mark.parametrize(("body", "field"), INVALID, ids=lambda v: str(v)[:60])
def test_anything_else_is_refused_and_the_field_is_named(body, field):
    with pytest.raises(BadRequest) as refused:
        parse(body)
    assert field in str(refused.value)
    assert len(str(refused.value)) < 500


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([VM, WEST, zone_id()]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["region", "endpoint", "minutes"]) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(["zone", "name", "endpoint", "dry_run", "force", "adopt", "drain", "undrain"])


@given(st.binary(max_size=50) | st.dictionaries(FIELDS, JSON, max_size=3).map(lambda body: json.dumps(body).encode()))
@example(b'"\\ud800"')
@example(b'{"name": "\\ud800"}')
@example(b'{"drain": {"region": "x", "minutes": 1e400}}')
def test_no_body_makes_it_raise_anything_but_bad_request(body):
    with suppress(BadRequest):
        assert isinstance(commands.parse(body, SETTINGS, TYPES), commands.Command)
