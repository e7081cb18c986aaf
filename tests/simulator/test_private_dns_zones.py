"""Zones, links, their operations and all lists: what is promised, and by which recording or document."""

from base64 import b64decode
from itertools import chain
from urllib.parse import parse_qsl, urlsplit

import pytest

from simulator.arm.front_door import ArmError
from tests.support.dns_cloud import GROUP, GUID, LINK, VNET, ZONE, A, Cloud, link


@pytest.fixture
def cloud():
    return Cloud()


# Lists


def pages(cloud, path):
    found, following = [], path
    while following:
        assert len(found) < 100, "the list has no end"
        content = cloud.send("GET", following).content
        found.append([item["name"] for item in content["value"]])
        following = content.get("nextLink")
    return found


def test_a_list_comes_in_pages_of_at_most_100(cloud):
    """OpenAPI 2020-06-01: up to 100 unless $top says less. Nothing is lost or doubled at the seams."""
    names = [f"n{n:03}" for n in range(250)]
    cloud.dns.load_zone(ZONE, records=[{"name": name, "ttl": 30, "addresses": []} for name in names])
    assert [len(page) for page in pages(cloud, A)] == [100, 100, 50]
    assert [len(page) for page in pages(cloud, f"{A}?$top=500")] == [100, 100, 50]
    assert list(chain(*pages(cloud, f"{A}?$top=40"))) == names
    assert list(chain(*pages(cloud, f"{ZONE}/ALL?$top=7"))) == ["@", *names]


@pytest.mark.parametrize("listed", [A, f"{ZONE}/ALL"])
def test_a_full_page_of_record_sets_has_a_next_link_even_when_nothing_follows(cloud, listed):
    """azure-sdk-for-net ListRecordSetsByType_ListNextPageWithoutSuffix: the list takes one call more, for nothing."""
    cloud.put("web", "10.0.0.2")
    count = 2 if listed == A else 3
    assert [len(page) for page in pages(cloud, f"{listed}?$top=1")] == [1] * count + [0]
    assert [len(page) for page in pages(cloud, f"{listed}?$top={count}")] == [count, 0]
    assert [len(page) for page in pages(cloud, f"{listed}?$top={count + 1}")] == [count]


def test_a_full_page_has_a_next_link_where_the_client_states_no_size(cloud):
    """Inferred from the recorded pages with `$top`; the size is the OpenAPI document's."""
    names = [{"name": f"n{n:03}", "ttl": 30, "addresses": []} for n in range(100)]
    cloud.dns.load_zone(ZONE, records=names)
    assert [len(page) for page in pages(cloud, A)] == [100, 0]
    assert [len(page) for page in pages(cloud, f"{A}?$top=100")] == [100, 0]


def next_of(cloud, path):
    """What follows the path in a next link, and the token decoded."""
    found = cloud.send("GET", path).content["nextLink"]
    assert found.startswith("https://management.azure.com/")
    query = dict(parse_qsl(urlsplit(found).query))
    token = query.pop("$skipToken")
    return list(query), found.partition("?")[0], token


def test_the_token_of_record_sets_is_the_last_name_and_the_number_of_its_type(cloud):
    """azure-sdk-for-net ListRecordSetsAcrossType_ListNextPageWithSuffix: `hydratestrecord1840/28`, without suffix."""
    for path in ("A/x.sub", "AAAA/y.sub", "A/z.sub"):
        cloud.send("PUT", f"{ZONE}/{path}", {"properties": {"ttl": 30}})
    names, path, token = next_of(cloud, f"{ZONE}/ALL?$recordsetnamesuffix=sub&$top=2")
    assert names == ["api-version", "$top", "$recordsetnamesuffix"]
    assert (path.removeprefix("https://management.azure.com"), b64decode(token)) == (f"{ZONE}/ALL", b"y/28")
    assert pages(cloud, f"{ZONE}/ALL?$recordsetnamesuffix=sub&$top=2") == [["x.sub", "y.sub"], ["z.sub"]]
    assert b64decode(next_of(cloud, f"{ZONE}/ALL?$top=1")[2]) == b"@/6"


def test_the_last_page_of_zones_has_no_next_link(cloud):
    """azure-sdk-for-net ListZonesInResourceGroup_ListNextPage; token of a subscription: ListZonesInSubscription_..."""
    cloud.dns.load_zone(ZONE.replace("ai.", "b."))
    listing = "providers/Microsoft.Network/privateDnsZones"
    assert pages(cloud, f"{GROUP}/{listing}?$top=1") == [["ai.internal"], ["b.internal"]]
    assert pages(cloud, f"/subscriptions/s1/{listing}?$top=1") == [["ai.internal"], ["b.internal"]]
    assert b64decode(next_of(cloud, f"{GROUP}/{listing}?$top=1")[2]) == b"zones/ai.internal"
    _, path, token = next_of(cloud, f"/subscriptions/s1/{listing}?$top=1")
    assert path.endswith("/providers/Microsoft.Network/privatednszones")
    assert b64decode(token) == b"dns-eastus/zones/ai.internal"


def test_the_last_page_of_links_has_no_next_link_and_the_token_needs_escaping(cloud):
    """azure-sdk-for-net ListLinks_ListNextPage: a token of Cosmos DB, `+RID:...#RT:1#TRC:1#RTD:...#FPC:...`."""
    links = [{"name": name, "vnet": f"{VNET}-{name}"} for name in ("a", "b", "c")]
    cloud.dns.load_zone(ZONE, links=links)
    assert pages(cloud, f"{ZONE}/virtualNetworkLinks?$top=2") == [["a", "b"], ["c"]]
    assert pages(cloud, f"{ZONE}/virtualNetworkLinks?$top=3") == [["a", "b", "c"]]
    following = cloud.send("GET", f"{ZONE}/virtualNetworkLinks?$top=2").content["nextLink"]
    assert "$skipToken=%2BRID%3A" in following
    assert "%23RT%3A1%23TRC%3A2%23RTD%3A" in following


def test_a_page_boundary_survives_the_deletion_of_its_last_set(cloud):
    cloud.dns.load_zone(ZONE, records=[{"name": name, "ttl": 30, "addresses": []} for name in "abcd"])
    first = cloud.send("GET", f"{A}?$top=2").content
    assert "$skipToken=" in first["nextLink"]
    cloud.send("DELETE", f"{A}/b")
    assert [item["name"] for item in cloud.send("GET", first["nextLink"]).content["value"]] == ["c", "d"]
    assert pages(cloud, A) == [["a", "c", "d"]]


def test_a_list_is_ordered_by_labels_from_the_right_and_then_by_type(cloud):
    """azure-cli test_Private_Dns_Zone2_Import, call 40, and test_Private_Dns_Zone3_Import, call 22."""
    for path in ("TXT/d1", "A/d1", "PTR/160.3", "A/200", "PTR/160.1", "SRV/_sip.test", "MX/test-mx", "A/_x"):
        assert cloud.send("PUT", f"{ZONE}/{path}", {"properties": {"ttl": 30}}).status == 201
    listed = cloud.send("GET", f"{ZONE}/ALL").content["value"]
    order = [f"{item['type'].rsplit('/', 1)[1]}/{item['name']}" for item in listed]
    assert order == (
        "PTR/160.1 A/200 PTR/160.3 SOA/@ A/_x A/d1 TXT/d1 A/old SRV/_sip.test MX/test-mx".split()  # noqa: SIM905
    )


def test_a_suffix_selects_whole_labels(cloud):
    for name in ("x.sub", "sub", "y.x.sub", "xsub"):
        cloud.put(name, "10.0.0.2")
    assert pages(cloud, f"{A}?$recordsetnamesuffix=sub") == [["x.sub", "y.x.sub"]]


@pytest.mark.parametrize("query", ["$top=0", "$top=many", "$skipToken=%25", "$top=-1", "$skipToken=bm9uZQ%3D%3D"])
@pytest.mark.parametrize("listed", [A, f"{ZONE}/virtualNetworkLinks", ZONE.rpartition("/")[0]])
def test_a_list_refuses_what_it_cannot_read(cloud, listed, query):
    answer = cloud.send("GET", f"{listed}?{query}")
    assert (answer.status, answer.content["code"]) == (400, "BadRequest")


def test_zones_are_listed_by_subscription_and_by_group(cloud):
    other = ZONE.replace("dns-eastus", "dns-westus")
    cloud.dns.load_zone(other)
    cloud.dns.load_zone(other.replace("/s1/", "/s2/"))
    listing = "providers/Microsoft.Network/privateDnsZones"
    ids = [item["id"] for item in cloud.send("GET", f"/subscriptions/s1/{listing}").content["value"]]
    assert ids == [ZONE, other]
    assert pages(cloud, f"{GROUP}/{listing}") == [["ai.internal"]]
    assert pages(cloud, f"/subscriptions/s1/{listing}?$top=1") == [["ai.internal"], ["ai.internal"]]


# Zones, links and their operations


def test_a_zone_comes_and_goes_by_operations(cloud):
    """azure-cli test_DeleteZone_ZoneExists, azure-service-operator Test_Networking_PrivateDnsZone_20200601_CRUD."""
    path = ZONE.replace("ai.", "new.")
    begun = cloud.send("PUT", path, {"location": "global", "tags": {"k": "v"}})
    assert (begun.status, begun.content) == (202, {})
    running = cloud.send("GET", begun.headers["azure-asyncoperation"])
    assert (running.status, running.content, running.headers["retry-after"]) == (202, {"status": "InProgress"}, "30")
    assert cloud.send("GET", path).status == 404
    assert cloud.finish(begun) == {"status": "Succeeded"}
    answer = cloud.send("GET", path).content
    assert (answer["tags"], answer["properties"]["numberOfRecordSets"]) == ({"k": "v"}, 1)
    assert cloud.finish(cloud.send("PATCH", path, {"tags": {}})) == {"status": "Succeeded"}
    assert cloud.send("GET", path).content["tags"] == {}
    assert cloud.send("GET", path).headers["ETag"] != answer["etag"]
    assert cloud.finish(cloud.send("PATCH", path, {})) == {"status": "Succeeded"}
    assert cloud.send("GET", path).content["tags"] == {}
    gone = cloud.send("DELETE", path)
    assert (gone.status, gone.content) == (202, None)
    assert cloud.finish(gone) == {"status": "Succeeded"}
    assert cloud.send("GET", path).status == 404


def test_an_operation_takes_a_recorded_time_drawn_by_the_seed():
    """azure-cli, 2021 and 2023, and azure-service-operator, 2024: polls every 30 s. The longest reported: 122 s."""

    def times(seed, scale=1.0):
        cloud = Cloud(seed=seed, operation_scale=scale)
        found = []
        for number in range(400):
            cloud.send("PATCH", ZONE, {"tags": {"n": str(number)}})
            found.append(round(cloud.azure.next_due() - cloud.now, 3))
            cloud.now = cloud.azure.next_due()
        return found

    drawn = times(1)
    assert set(drawn) == {31.0, 60.0, 122.0}
    assert sorted(drawn)[:380] == [31.0] * 380
    assert times(1) == drawn != times(2)
    assert times(1, 0.1) == [round(each / 10, 3) for each in drawn]


def test_a_failed_condition_on_a_zone_shows_in_the_status_and_changes_nothing(cloud):
    """azure-cli test_PatchZone_ZoneExistsIfMatchFailure."""
    failed = cloud.finish(cloud.send("PATCH", ZONE, {"tags": {"k": "v"}}, if_match=GUID))
    assert failed == {
        "error": {
            "code": "PreconditionFailed",
            "message": "The Zone ai.internal has been modified (etag mismatch).",
        },
        "status": "Failed",
    }
    assert cloud.dns.zone(ZONE).tags == {}
    assert [(event.operation, event.outcome) for event in cloud.events] == [
        ("Microsoft.Network/privateDnsZones/write", "Failure")
    ]


def test_a_link_has_a_quoted_etag_and_holds_its_zone(cloud):
    """azure-cli test_PatchLink_LinkExistsIfMatchSuccess; azure-service-operator Test_Networking_PrivateDnsZone."""
    assert cloud.finish(cloud.send("PUT", LINK, link())) == {"status": "Succeeded"}
    etag = cloud.send("GET", LINK).headers["ETag"]
    assert etag.startswith('"')
    assert etag.endswith('0000"')
    refused = cloud.send("DELETE", ZONE)
    assert (refused.status, refused.content["error"]["code"]) == (409, "CannotDeleteResource")
    assert cloud.finish(cloud.send("PATCH", LINK, {"tags": {"k": "v"}}, if_match="other"))["status"] == "Failed"
    assert cloud.finish(cloud.send("PATCH", LINK, {"tags": {"k": "v"}}, if_match=etag)) == {"status": "Succeeded"}
    assert cloud.send("GET", LINK).headers["ETag"] != etag
    assert cloud.finish(cloud.send("DELETE", LINK)) == {"status": "Succeeded"}
    assert cloud.dns.zone(ZONE).links == ()
    assert cloud.finish(cloud.send("DELETE", ZONE)) == {"status": "Succeeded"}


def test_a_link_is_shown_in_lower_case_whatever_the_client_wrote(cloud):
    """As record sets (azure-sdk-for-net PutRecordSet_IfMatchSuccess); ARM's own errors spell the request."""
    path = f"{ZONE}/virtualNetworkLinks/EastUs"
    cloud.finish(cloud.send("PUT", path, link()))
    content = cloud.send("GET", path).content
    assert (content["id"], content["name"]) == (LINK, "eastus")
    assert [each.resource_id for each in cloud.events] == [LINK]
    failed = cloud.finish(cloud.send("PATCH", path, {"tags": {}}, if_match=GUID))
    assert failed["error"]["message"] == (
        "The Virtual Network link 'eastus' for the Private DNS zone 'ai.internal' has been modified (etag mismatch)."
    )
    assert "virtualNetworkLinks/NoSuch'" in cloud.send("GET", f"{path[:-6]}NoSuch").content["error"]["message"]


def test_a_network_is_linked_to_one_zone_of_a_name(cloud):
    """MicrosoftDocs/azure-aks-docs#212, 2025-04-23; a child zone is fine (private-dns-privatednszone.md)."""
    cloud.finish(cloud.send("PUT", LINK, link()))
    twin, child = LINK.replace("dns-eastus", "dns-westus"), LINK.replace("ai.", "east.ai.")
    for path in (twin, child):
        cloud.dns.load_zone(path.split("/virtualNetworkLinks")[0])
    failed = cloud.finish(cloud.send("PUT", twin, link()))
    assert failed["error"]["code"] == "BadRequest"
    assert "'ai.internal' and 'ai.internal' zones" in failed["error"]["message"]
    assert cloud.finish(cloud.send("PUT", child, link())) == {"status": "Succeeded"}
    assert cloud.finish(cloud.send("PUT", twin, link(f"{VNET}-2"))) == {"status": "Succeeded"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_link_to_a_missing_network_is_accepted_and_then_fails(method):
    """azure-sdk-for-net PatchLink_LinkExistsChangeVirtualNetwork_ExpectError; of a PUT, inferred."""
    cloud = Cloud(vnet_exists=lambda vnet: vnet == VNET)
    assert cloud.finish(cloud.send("PUT", LINK, link())) == {"status": "Succeeded"}
    before = cloud.send("GET", LINK).content
    accepted = cloud.send(method, LINK, {"properties": {"virtualNetwork": {"id": f"{VNET}-2"}}})
    error = {"code": "BadRequest", "message": f"Virtual network resource not found for '{VNET}-2'"}
    assert cloud.finish(accepted) == {"error": error, "status": "Failed"}
    assert cloud.send("GET", LINK).content == before


def test_the_result_of_a_deletion_is_true(cloud):
    """azure-sdk-for-net DeleteZone_ZoneExists, DeleteLink_LinkExists: the end of the `location` header's URL."""
    cloud.finish(cloud.send("PUT", LINK, link()))
    for path in (LINK, ZONE):
        gone = cloud.send("DELETE", path)
        assert cloud.send("GET", gone.headers["location"]).status == 202
        cloud.finish(gone)
        answer = cloud.send("GET", gone.headers["location"])
        assert (answer.status, answer.content) == (200, True)


def test_registration_that_is_switched_on_takes_its_time(cloud):
    """azure-cli test_PatchLink_EnableRegistration: the operation has succeeded, the link is still InProgress."""
    cloud.finish(cloud.send("PUT", LINK, link()))
    cloud.finish(cloud.send("PATCH", LINK, {"properties": {"registrationEnabled": True}}))
    assert cloud.send("GET", LINK).content["properties"]["virtualNetworkLinkState"] == "InProgress"
    cloud.now = cloud.azure.next_due()
    assert cloud.send("GET", LINK).content["properties"]["virtualNetworkLinkState"] == "Completed"


# World files


def test_a_zone_is_loaded_whole_at_once_and_silently(cloud):
    records = [
        {"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"], "metadata": {"k": "v"}},
        {"name": "vm", "type": "A", "ttl": 10, "addresses": ["10.0.0.4"], "auto_registered": True},
        {"name": "t", "type": "TXT", "ttl": 60, "records": [{"value": ["x"]}]},
    ]
    links = [{"name": "eastus", "vnet": VNET, "registration": True}]
    other = ZONE.replace("dns-eastus", "elsewhere")
    cloud.dns.load_zone(other, tags={"t": "1"}, links=links, records=records)
    zone = cloud.dns.zone(other.upper())
    assert (zone.id, zone.name, zone.tags) == (other, "ai.internal", {"t": "1"})
    assert [(one.name, one.vnet, one.registration) for one in zone.links] == [("eastus", VNET, True)]
    assert [(one.name, one.type, one.addresses, one.ttl, one.metadata) for one in zone.record_sets] == [
        ("@", "SOA", (), 3600, None),
        ("db", "A", ("10.9.9.9",), 300, {"k": "v"}),
        ("t", "TXT", (), 60, None),
        ("vm", "A", ("10.0.0.4",), 10, None),
    ]
    assert cloud.send("GET", f"{other}/A/vm").content["properties"]["isAutoRegistered"] is True
    assert cloud.events == []
    assert list(cloud.dns.zones()) == [cloud.dns.zone(ZONE), zone]


def test_a_zone_with_an_impossible_record_is_not_loaded(cloud):
    with pytest.raises(ArmError, match=r"invalid IPv4 address.*10\.0\.0\.999"):
        cloud.dns.load_zone(ZONE, records=[{"name": "x", "ttl": 1, "addresses": ["10.0.0.999"]}])
