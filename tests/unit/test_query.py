"""The parameters of a request: empty ones stay visible, and a trigger that takes none refuses them."""

import pytest

from shared.domain.errors import BadRequest
from shared.edge.query import given, none_expected


def test_empty_parameters_that_the_host_leaves_out_are_found_in_the_url():
    assert given("http://app/api/status?since=&code=k", {"code": "k"}) == {"since": "", "code": "k"}
    assert given("http://app/api/status?full", {}) == {"full": ""}


@pytest.mark.parametrize("url", ["", "/api/status", "http://[", "http://app/api/status?%ff=&&="])
def test_no_url_hides_what_the_host_has_read(url):
    assert given(url, {"zone": "eastus"}).items() >= {("zone", "eastus")}


def test_a_trigger_without_parameters_takes_the_key_alone():
    none_expected({})
    none_expected({"code": "key"})
    with pytest.raises(BadRequest, match=r"^dry_run: .*; the body$"):
        none_expected({"code": "key", "dry_run": "true"}, "the body")
