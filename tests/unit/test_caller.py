"""The caller that is kept: a principal only where App Service vouches for it, and never more than a short line."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.edge.caller import FUNCTION_KEY, MAX_CHARACTERS, caller

ON = {"WEBSITE_AUTH_ENABLED": "True"}
OID = "6b0e1f0c-2d54-4a47-9a53-0d5a2c1c7a11"
NAME, ID, PRINCIPAL = (f"X-MS-CLIENT-PRINCIPAL{end}" for end in ("-NAME", "-ID", ""))


def principal(**claims):
    content = {"auth_typ": "aad", "claims": [{"typ": typ, "val": val} for typ, val in claims.items()]}
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize("environment", [{}, {"WEBSITE_AUTH_ENABLED": "False"}, {"WEBSITE_AUTH_ENABLED": ""}])
def test_headers_that_anybody_can_send_are_not_believed(environment):
    headers = {NAME: "ceo@example.com", ID: OID, PRINCIPAL: principal(name="ceo@example.com")}
    assert caller(headers, environment) == FUNCTION_KEY


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({NAME: "a@example.com", ID: OID}, f"a@example.com ({OID})"),
        ({NAME.lower(): "a@example.com"}, "a@example.com"),
        ({ID: OID}, OID),
        ({NAME: OID, ID: OID}, OID),
        ({PRINCIPAL: principal(name="A", oid=OID)}, f"A ({OID})"),
        ({PRINCIPAL: principal(appid="app-1")}, "app-1"),
        ({PRINCIPAL: "no base64!"}, FUNCTION_KEY),
        ({PRINCIPAL: base64.b64encode(b"[1]").decode()}, FUNCTION_KEY),
        ({PRINCIPAL: base64.b64encode(b'{"claims": [1, {"typ": 5, "val": []}]}').decode()}, FUNCTION_KEY),
        ({}, FUNCTION_KEY),
        ({NAME: "a\r\n\x1b[31mb\u202ec"}, "a[31mbc"),
        ({NAME: "\n"}, FUNCTION_KEY),
    ],
)
def test_where_authentication_is_on_the_principal_is_the_caller(headers, said):
    assert caller(headers, ON) == said


@given(st.dictionaries(st.sampled_from([NAME, ID, PRINCIPAL]), st.text(max_size=500)))
def test_whatever_the_headers_hold_the_caller_is_one_short_line_of_text(headers):
    said = caller(headers, ON)
    assert 0 < len(said) <= MAX_CHARACTERS
    assert said.isprintable()
