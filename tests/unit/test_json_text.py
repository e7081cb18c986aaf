"""Faults in JSON: the line and the column, and the key that an object has twice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import json_text
from shared.config import parser as settings_parser
from shared.domain.errors import BadRequest, BadSettings
from shared.edge import commands as resync
from tests.support.values import REGIONS, parsed, values

TYPES = frozenset({"microsoft.compute/virtualmachines"})

TWICE = [
    ('{"a": 1, "a": 2}', "a", "line 1, column 10"),
    ('{"a": 1,\n "b": {"c": [{}], "d": 1,\n   "d": 2}}', "d", "line 3, column 4"),
    ('[{"a": 1}, {"a": {"a": 1}, "a": 2}]', "a", "line 1, column 28"),
    (r'{"\u0061": 1, "a": 2}', "a", "line 1, column 15"),
    (r'{"x\"{": 1, "x\"{": 2}', 'x"{', "line 1, column 13"),
]


@pytest.mark.parametrize(("text", "key", "where"), TWICE)
def test_a_key_that_comes_twice_is_named_with_its_place(text, key, where):
    with pytest.raises(json_text.JsonError) as refused:
        json_text.load(text)
    assert (refused.value.key, refused.value.where) == (key, where)


@pytest.mark.parametrize(
    ("text", "where"), [("[1,", "line 1, column 4"), ('{"a": 1,\n\n  b}', "line 3, column 3"), ("", "line 1, column 1")]
)
def test_text_that_is_no_json_is_refused_with_its_place(text, where):
    with pytest.raises(json_text.JsonError, match=where):
        json_text.load(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_every_value_is_read_as_it_was_written(value, plain, indent):
    assert json_text.load(json.dumps(value, ensure_ascii=plain, indent=indent)) == value


def test_a_setting_that_is_no_json_says_where():
    text = values()["NEARZONE_CLAIMS"][:-1] + ',\n "llama": [}'
    with pytest.raises(BadSettings, match=r"NEARZONE_CLAIMS: found .*line 2, column 12"):
        settings_parser.parse({**values(), "NEARZONE_CLAIMS": text}, REGIONS)


BODIES = [
    (b'{"zone": "westeurope", "zone": "eastus"}', 'the key "zone" comes twice, line 1, column 24'),
    (b'{"dry_run": true,\n "force": false, "dry_run": false}', 'the key "dry_run" comes twice, line 2, column 18'),
    (b'{"drain": {"region": "a", "minutes": 1, "minutes": 2}}', 'the key "minutes" comes twice, line 1, column 41'),
    (b'{"dry_run": true,\n "name": "\xc3\xa4", x}', "line 2, column 15"),
    (b'\n\n{"dry_run": true', "line 3, column 17"),
]


@pytest.mark.parametrize(("body", "told"), BODIES)
def test_a_request_with_a_key_twice_or_that_is_no_json_does_nothing_and_says_where(body, told):
    with pytest.raises(BadRequest) as refused:
        resync.parse(body, parsed(), TYPES)
    assert told in str(refused.value)
