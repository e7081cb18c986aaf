"""Events are hints: which of them lead to a resource, which are ignored and as what, and that none can do harm."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.edge import event_hints as events
from shared.edge.event_hints import Hint, Ignored
from tests.support.event_samples import (
    INSTANCE,
    INSTANCE_HINT,
    KINDS,
    LEADS,
    NIC,
    SET,
    SET_HINT,
    TAGS,
    TYPES,
    VM,
    VM_HINT,
    cloud,
    hint,
    native,
)
from tests.support.values import OTHER_SUB, SUB, vm_id


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_on_an_endpoint_is_a_hint_however_it_ended(schema, kind):
    found = hint(schema(kind, VM, operationName="Microsoft.Compute/virtualMachines/write", status="Failed"))
    assert replace(found, deleted=False) == VM_HINT


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize(
    ("kind", "subject", "deleted"),
    [
        ("Microsoft.Resources.ResourceDeleteSuccess", VM, True),
        ("microsoft.resources.resourcedeletesuccess", VM, True),
        ("Microsoft.Resources.ResourceDeleteSuccess", f"{VM}/extensions/health", False),
        ("Microsoft.Resources.ResourceDeleteSuccess", VM + TAGS, False),
        ("Microsoft.Resources.ResourceDeleteFailure", VM, False),
        ("Microsoft.Resources.ResourceActionSuccess", VM, False),
    ],
)
def test_only_the_success_of_deleting_exactly_this_resource_says_that_it_is_gone(schema, kind, subject, deleted):
    found = hint(schema(kind, subject))
    assert (found.resource_id, found.deleted) == (VM, deleted)


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize(("subject", "operation", "expected"), LEADS)
def test_a_subject_leads_to_the_resource_that_it_is_about_or_belongs_to(schema, subject, operation, expected):
    assert hint(schema(KINDS[0], subject, operationName=operation)) == expected


def test_the_resource_uri_is_looked_at_where_there_is_no_subject():
    event = native(KINDS[0], VM, resourceUri=VM)
    del event["subject"]
    assert hint(event) == VM_HINT


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize(("target", "expected"), [(VM, VM_HINT), (INSTANCE, INSTANCE_HINT), (SET, SET_HINT)])
@pytest.mark.parametrize("what", ["AvailabilityStatusChanged", "ResourceAnnotated"])
def test_what_happens_to_a_vm_by_itself_is_a_hint_as_well(schema, what, target, expected):
    kind = f"Microsoft.ResourceNotifications.HealthResources.{what}"
    health = {"id": f"{target}/providers/Microsoft.ResourceHealth/x/1", "properties": {"targetResourceId": target}}
    assert hint(schema(kind, target, resourceInfo=health, apiVersion="2023-12-01")) == expected
    assert hint(schema(kind, health["id"], resourceInfo=health)) == expected
    assert hint(schema(kind, "", resourceInfo=health)) == expected


@pytest.mark.parametrize(
    "what", ["Resources.CreatedOrUpdated", "HealthResources", "HealthResources.ResourceAnnotatedX"]
)
def test_other_notifications_are_none(what):
    ignored = hint(native(f"Microsoft.ResourceNotifications.{what}", VM))
    assert isinstance(ignored, Ignored)
    assert ignored.outcome == "irrelevant"


def test_what_else_the_payload_says_changes_nothing():
    told = native(KINDS[0], VM, operationName="x", status="Deleted", resourceUri=NIC, claims={"name": "root"})
    assert hint(told) == VM_HINT


IGNORED = [
    # event, outcome
    (native("Microsoft.Storage.BlobCreated", VM), "irrelevant"),
    (native("Microsoft.EventGrid.SubscriptionValidationEvent", "", validationCode="x"), "irrelevant"),
    (native("Microsoft.Resources.ResourceReadSuccess", VM), "irrelevant"),
    (native("", VM), "irrelevant"),
    (native(KINDS[0], ""), "irrelevant"),
    (native(KINDS[0], "/subscriptions/" + SUB), "irrelevant"),
    (native(KINDS[0], f"/subscriptions/{SUB}/resourceGroups/gpu"), "irrelevant"),
    (native(KINDS[0], f"/subscriptions/{SUB}/resourceGroups/gpu{TAGS}"), "irrelevant"),
    (native(KINDS[0], VM.replace("virtualMachines", "disks")), "irrelevant"),
    (native(KINDS[0], VM.replace("Microsoft.Compute", "Evil.Compute")), "irrelevant"),
    (native(KINDS[0], VM.replace("/resourceGroups/gpu", "")), "irrelevant"),
    (native(KINDS[0], "https://evil.example" + VM), "irrelevant"),
    (native(KINDS[0], vm_id("a", subscription=OTHER_SUB)), "foreign"),
    (native(KINDS[0], vm_id("a", subscription="")), "irrelevant"),
    (native(KINDS[0], VM + "x" * events.MAX_BYTES), "oversized"),
    (cloud("com.example.thing", VM), "irrelevant"),
    ({}, "irrelevant"),
    ([], "malformed"),
    ([native(KINDS[0], VM)], "malformed"),
    ("", "malformed"),
    ("null", "malformed"),
    ("{", "malformed"),
    ("[" * 100_000, "malformed"),
    ('{"claims": ' + "[" * 100_000, "malformed"),
    (b"\xff\xfe", "malformed"),
    ("\ud800", "malformed"),
    ({**native(KINDS[0], VM), "subject": 5}, "malformed"),
    ({**native(KINDS[0], VM), "subject": None}, "malformed"),
    ({**native(KINDS[0], VM), "eventType": ["x"]}, "malformed"),
    ({**native(KINDS[0], VM), "data": "text"}, "malformed"),
    (native(KINDS[0], VM, resourceUri=7), "malformed"),
]


@pytest.mark.parametrize(("event", "outcome"), IGNORED, ids=lambda v: str(v)[:50].encode("ascii", "replace").decode())
def test_what_cannot_lead_to_an_endpoint_is_ignored_with_its_outcome_and_a_short_reason(event, outcome):
    ignored = hint(event)
    assert isinstance(ignored, Ignored), ignored
    assert ignored.outcome == outcome
    assert 0 < len(ignored.reason) < 400


@pytest.mark.parametrize("part", ["..", ".", "x?y", "x#y", "x%2fy", "x y", "x\ny", "x\\y"])
@pytest.mark.parametrize("place", ["group", "name"])
def test_an_id_that_would_name_another_resource_in_a_url_is_no_resource(part, place):
    subject = vm_id(part) if place == "name" else vm_id("gpu-1", part)
    assert isinstance(hint(native(KINDS[0], subject)), Ignored)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([VM, NIC, *KINDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["eventType", "type", "subject", "data", "id", "specversion"]) | st.text(max_size=5)


@given(st.text() | st.binary() | st.dictionaries(FIELDS, JSON, max_size=6).map(json.dumps))
@example("\udcff")
def test_nothing_that_is_delivered_makes_it_raise(text):
    seen = events.hint(text, {SUB}, TYPES)
    assert isinstance(seen, Hint | Ignored)
    if isinstance(seen, Hint):
        assert seen.type in TYPES
        assert f"/subscriptions/{SUB}/" in seen.resource_id
