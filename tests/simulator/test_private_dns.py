"""Record sets behave as Azure is known to; each row says from where. Holds without the recordings at hand."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.arm.limits import ArmLimits
from tests.support.dns_cloud import GROUP, GUID, LINK, MISSING, ZONE, A, Cloud, a_set


@pytest.fixture
def cloud():
    return Cloud()


@dataclass(frozen=True)
class Row:
    """One expected answer. `code` is None where the body is no error; `wrapped` says whether ARM made the error."""

    promise: str
    source: str
    method: str
    path: str
    status: int
    code: str | None = None
    wrapped: bool = False
    body: dict | None = None
    headers: dict = field(default_factory=dict)


CLI = "azure-cli privatedns recordings of 2021 and 2023, "
ASO = "azure-service-operator recordings of 2023 and 2024, "
NET = "azure-sdk-for-net recordings of January 2019, "
PS = "azure-powershell recordings of 2019-05-13, "
ROWS = [
    Row("a new set is created", CLI + "test_CrudRecordSet_ARecord", "PUT", f"{A}/new", 201, body=a_set("10.0.0.2")),
    Row("a set without addresses exists", CLI + "test_CrudRecordSet_ARecord", "PUT", f"{A}/e", 201, body=a_set()),
    Row("TTL 0 is taken", CLI + "test_Private_Dns_Zone4_Import", "PUT", f"{A}/zero", 201, body=a_set(ttl=0)),
    Row("an existing set is replaced", CLI + "test_CrudRecordSet_ARecord", "PUT", f"{A}/old", 200, body=a_set()),
    Row("the type is read in any case", CLI + "test_CrudRecordSet_ARecord", "GET", f"{ZONE}/a/old", 200),
    Row("wildcards are names", CLI + "test_Private_Dns_Zone_Local_Import", "PUT", f"{A}/*", 201, body=a_set()),
    Row("dotted names are names", CLI + "test_Private_Dns_Zone3_Import", "PUT", f"{A}/www.sub", 201, body=a_set()),
    Row(
        "create-only is refused where there is a set",
        CLI + "test_PutRecordSet_IfNoneMatchFailure",
        *("PUT", f"{A}/old", 412, "PreconditionFailed"),
        body=a_set(),
        headers={"if_none_match": "*"},
    ),
    Row(
        "create-only creates where there is none",
        CLI + "test_PutRecordSet_IfNoneMatchFailure",
        *("PUT", f"{A}/new", 201),
        body=a_set(),
        headers={"if_none_match": "*"},
    ),
    Row(
        "a wrong etag is refused, even one that is no GUID",
        PS + "TestRecordSetEtagMismatch",
        *("PUT", f"{A}/old", 412, "PreconditionFailed"),
        body=a_set(),
        headers={"if_match": "gibberish"},
    ),
    Row(
        "a wrong etag is refused by PATCH",
        CLI + "test_PatchRecordSet_IfMatchFailure",
        *("PATCH", f"{A}/old", 412, "PreconditionFailed"),
        body=a_set(),
        headers={"if_match": GUID},
    ),
    Row(
        "a wrong etag is refused by DELETE",
        PS + "TestRecordSetEtagMismatch",
        *("DELETE", f"{A}/old", 412, "PreconditionFailed"),
        headers={"if_match": GUID},
    ),
    Row(
        "any etag will do for a star",
        PS + "TestRecordSetEtagMismatch",
        *("PUT", f"{A}/old", 200),
        body=a_set(),
        headers={"if_match": "*"},
    ),
    Row(
        "a star needs something to match",
        "articles/dns/dns-private-records.md; the status is inferred",
        *("PUT", f"{A}/new", 412, "PreconditionFailed"),
        body=a_set(),
        headers={"if_match": "*"},
    ),
    Row("a set is deleted", CLI + "test_CrudRecordSet_ARecord", "DELETE", f"{A}/old", 200),
    Row("deleting nothing succeeds", "OpenAPI 2020-06-01; not recorded", "DELETE", f"{A}/new", 204),
    Row("a missing set is the provider's 404", PS + "TestRecordSetCrud", "GET", f"{A}/new", 404, "NotFound"),
    Row(
        "writing into a missing zone is ARM's 404",
        CLI + "test_PutRecordSet_ZoneNotExists",
        *("PUT", f"{MISSING}/A/new", 404, "ParentResourceNotFound", True),
        body=a_set(),
    ),
    Row(
        "deleting in a missing zone is ARM's 404",
        ASO + "Test_Network_v1api20200601_CreationAndDeletion",
        *("DELETE", f"{MISSING}/A/new", 404, "ParentResourceNotFound", True),
    ),
    Row(
        "a missing zone is ARM's 404",
        CLI + "test_GetZone_ZoneNotExists",
        *("GET", MISSING, 404, "ResourceNotFound", True),
    ),
    Row(
        "a missing group is ARM's 404",
        ASO + "Test_Network_v1api20180901_CreationAndDeletion",
        *("DELETE", MISSING.replace("dns-eastus", "none"), 404, "ResourceGroupNotFound", True),
    ),
    Row("deleting a missing zone succeeds", CLI + "test_DeleteZone_ZoneNotExists", "DELETE", MISSING, 204),
    Row("deleting a missing link succeeds", CLI + "test_DeleteLink_LinkNotExists", "DELETE", LINK, 204),
    Row(
        "deleting a link of a missing zone succeeds",
        CLI + "test_DeleteLink_ZoneNotExists",
        *("DELETE", f"{MISSING}/virtualNetworkLinks/x", 204),
    ),
    Row(
        "patching a missing zone is ARM's 404",
        NET + "PatchZone_ZoneNotExists",
        *("PATCH", MISSING, 404, "ResourceNotFound", True),
        body={"tags": {}},
    ),
    Row(
        "patching a missing link is ARM's 404",
        NET + "PatchLink_LinkNotExists",
        *("PATCH", LINK, 404, "ResourceNotFound", True),
        body={"tags": {}},
    ),
    Row("a missing link is ARM's 404", CLI + "test_GetLink_LinkNotExists", "GET", LINK, 404, "ResourceNotFound", True),
    Row(
        "a link of a missing zone is ARM's 404",
        CLI + "test_GetLink_ZoneNotExists",
        *("GET", f"{MISSING}/virtualNetworkLinks/x", 404, "ResourceNotFound", True),
    ),
    Row(
        "a failed condition on a zone is still a 202",
        CLI + "test_PutZone_ZoneExistsIfNoneMatchFailure",
        *("PUT", ZONE, 202),
        body={"location": "global"},
        headers={"if_none_match": "*"},
    ),
    Row(
        "more than 20 addresses are a conflict",
        "hashicorp/terraform-provider-azurerm#12406, 2021-06-29; the body is not public",
        *("PUT", f"{A}/big", 409, "Conflict"),
        body=a_set(*(f"10.0.0.{n}" for n in range(21))),
    ),
    Row(
        "a single-label zone is refused",
        "private-dns-privatednszone.md; status and code are inferred",
        *("PUT", f"{GROUP}/providers/Microsoft.Network/privateDnsZones/internal", 400, "BadRequest"),
        body={"location": "global"},
    ),
    Row("no address, no set", "inferred", "PUT", f"{A}/new", 400, "BadRequest", body=a_set("10.0.0.256")),
    Row("no TTL, no set", "inferred", "PUT", f"{A}/new", 400, "BadRequest", body={"properties": {}}),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.promise.replace(" ", "-"))
def test_azure_answers(row, cloud):
    answer = cloud.send(row.method, row.path, row.body, **row.headers)
    assert answer.status == row.status
    assert (answer.headers.get("x-ms-failure-cause") == "gateway") == row.wrapped
    if row.code is not None:
        error = answer.content["error"] if row.wrapped else answer.content
        assert error["code"] == row.code
        assert cloud.addresses("old") == ("10.0.0.1",)
        assert cloud.events == []


def test_a_record_set_looks_as_recorded(cloud):
    """azure-cli test_PatchRecordSet_RemoveMetadata: metadata only when ever set, then even when empty."""
    answer = cloud.put("web", "10.0.0.2", "10.0.0.3")
    assert answer.headers["ETag"] == answer.content["etag"]
    assert answer.content == {
        "id": f"{A}/web",
        "name": "web",
        "type": "Microsoft.Network/privateDnsZones/A",
        "etag": cloud.etag("web"),
        "properties": {
            "fqdn": "web.ai.internal.",
            "ttl": 30,
            "aRecords": [{"ipv4Address": "10.0.0.2"}, {"ipv4Address": "10.0.0.3"}],
            "isAutoRegistered": False,
        },
    }
    assert '"' not in answer.headers["ETag"]
    patched = cloud.send("PATCH", f"{A}/web", {"properties": {"metadata": {"k": "v"}}}).content["properties"]
    assert patched == {**answer.content["properties"], "metadata": {"k": "v"}}
    cleared = cloud.send("PATCH", f"{A}/web", {"properties": {"metadata": {}}}).content["properties"]
    assert cleared["metadata"] == {}


def test_writing_the_same_again_changes_the_etag(cloud):
    """azure-cli test_CrudRecordSet_CNAMERecord, calls 12 and 14: identical content, another etag."""
    first = cloud.put("web", "10.0.0.2").content
    second = cloud.put("web", "10.0.0.2").content
    assert first.pop("etag") != second.pop("etag")
    assert first == second


def test_a_name_is_shown_in_lower_case_whatever_the_client_wrote(cloud):
    """azure-sdk-for-net PutRecordSet_IfMatchSuccess, PatchRecordSet_ChangeMetadata: `recordName` in their paths."""
    made = cloud.put("recordName", "10.0.0.2")
    patched = cloud.send("PATCH", f"{A}/RecordName", {"properties": {"metadata": {"k": "v"}}})
    for answer in (made, patched, cloud.send("GET", f"{A}/recordName")):
        assert (answer.content["id"], answer.content["name"]) == (f"{A}/recordname", "recordname")
        assert answer.content["properties"]["fqdn"] == "recordname.ai.internal."
    assert [each["name"] for each in cloud.send("GET", A).content["value"]] == ["old", "recordname"]
    assert cloud.put("OLD", "10.0.0.9").status == 200
    assert cloud.addresses("old") == ("10.0.0.9",)


def test_an_error_names_the_record_set_in_lower_case(cloud):
    """azure-sdk-for-net PutRecordSet_IfMatchFailure; of the 404, inferred."""
    cloud.put("recordName", "10.0.0.2")
    stale = cloud.put("recordName", "10.0.0.2", if_match=GUID)
    assert stale.content["message"] == "The Record set recordname has been modified (etag mismatch)."
    assert "'nosuchname' does not exist" in cloud.send("GET", f"{A}/noSuchName").content["message"]


def test_a_world_with_capital_letters_has_names_in_lower_case(cloud):
    records = [{"name": "Db", "ttl": 300, "addresses": ["10.9.9.9"]}]
    zone = cloud.dns.load_zone(ZONE, links=[{"name": "East", "vnet": LINK}], records=records)
    assert [each.name for each in zone.record_sets] == ["@", "db"]
    assert [each.name for each in zone.links] == ["east"]


def test_every_zone_begins_with_azures_soa(cloud):
    """azure-cli test_GetRecordSet_SoaRecord: negative answers live 10 s; the serial number never changes."""
    soa = cloud.dns.zone(ZONE).soa
    assert (soa.host, soa.email) == ("azureprivatedns.net", "azureprivatedns-host.microsoft.com")
    assert (soa.minimum_ttl, soa.ttl, soa.serial) == (10, 3600, 1)
    assert cloud.send("GET", f"{ZONE}/soa/@").content["properties"]["fqdn"] == "ai.internal."
    sent = {"properties": {"ttl": 60, "soaRecord": {"minimumTtl": 5, "serialNumber": 9}}}
    assert cloud.send("PUT", f"{ZONE}/SOA/@", sent).status == 200
    soa = cloud.dns.zone(ZONE).soa
    assert (soa.minimum_ttl, soa.ttl, soa.serial, soa.refresh) == (5, 60, 1, 3600)


def test_a_zones_soa_cannot_be_deleted(cloud):
    """azure-sdk-for-net DeleteRecordSet_SoaRecord_ExpectError: with ARM's ordinary countdown of deletes."""
    cloud.azure.gate = ArmLimits(cloud.azure.clock)
    answer = cloud.send("DELETE", f"{ZONE}/SOA/@")
    assert (answer.status, answer.content) == (
        400,
        {"code": "BadRequest", "message": "Record sets of type 'SOA' with name '@' cannot be deleted."},
    )
    left = {name for name in answer.headers if name.startswith("x-ms-ratelimit-remaining-subscription-")}
    assert "x-ms-ratelimit-remaining-subscription-deletes" in left
    assert "x-ms-ratelimit-remaining-subscription-resource-requests" not in left
    assert cloud.dns.zone(ZONE).soa.serial == 1


def test_a_cname_suffers_no_neighbour_and_is_none(cloud):
    """dns-private-records.md; status and code as on public DNS (rcl-letsencrypt-auto-ssl#26, external-dns#5358)."""
    cname = {"properties": {"ttl": 30, "cnameRecord": {"cname": "x.example."}}}
    beside_a = cloud.send("PUT", f"{ZONE}/CNAME/old", cname)
    assert (beside_a.status, beside_a.content["code"]) == (409, "Conflict")
    assert cloud.send("PUT", f"{ZONE}/CNAME/alias", cname).status == 201
    assert cloud.put("alias", "10.0.0.2").status == 409
    assert cloud.send("PUT", f"{ZONE}/CNAME/alias", cname).status == 200
    txt = {"properties": {"ttl": 30, "txtRecords": [{"value": ["v"]}]}}
    assert cloud.send("PUT", f"{ZONE}/TXT/old", txt).status == 201


def test_a_zone_holds_25000_record_sets_and_no_more(cloud):
    """dns-limits.md, 2024-10-08; code and words as on public DNS (console-operator#927)."""
    many = [{"name": f"n{n}", "ttl": 30, "addresses": ["10.0.0.1"]} for n in range(24_999)]
    zone = cloud.dns.load_zone(ZONE, records=many)
    assert len(zone.record_sets) == 25_000
    assert cloud.put("more", "10.0.0.2").status == 409
    assert cloud.put("n7", "10.0.0.2").status == 200
    cloud.send("DELETE", f"{A}/n8")
    assert cloud.put("more", "10.0.0.2").status == 201


steps = st.tuples(
    st.sampled_from(["PUT", "PATCH", "DELETE"]),
    st.sampled_from(["none", "read", "etag", "star", "create"]),
    st.integers(0, 1),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25))
def test_of_two_writers_with_one_etag_at_most_one_wins_and_each_win_changes_the_etag(history):
    """Two writers read and write one name in any order: an etag is never good for two wins, and never comes back."""
    cloud = Cloud()
    read = [None, None]
    seen, spent = {cloud.etag()}, set()
    for method, condition, writer in history:
        present = cloud.dns.zone(ZONE).get("A", "old")
        if condition == "read":
            read[writer] = present and present.etag
            continue
        headers = {
            "none": {},
            "etag": {"if_match": read[writer] or GUID},
            "star": {"if_match": "*"},
            "create": {"if_none_match": "*"},
        }[condition]
        answer = cloud.send(method, f"{A}/old", None if method == "DELETE" else a_set("10.0.0.3"), **headers)
        won = answer.status in {200, 201}
        if won and condition == "etag":
            assert headers["if_match"] not in spent
            assert present.etag == headers["if_match"]
        if won and present is not None:
            assert condition != "create"
            spent.add(present.etag)
        after = cloud.dns.zone(ZONE).get("A", "old")
        if won and method != "DELETE":
            assert answer.headers["ETag"] == after.etag
            assert after.etag not in seen
            seen.add(after.etag)
        if not won:
            assert after == present
