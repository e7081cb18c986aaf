"""The simulated Table service answers as Azurite does, and where the two are known to differ, as Azure was recorded."""

import re

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import EdmType, EntityProperty, UpdateMode
from azure.data.tables.aio import TableClient

from simulator.arm.front_door import Request
from simulator.front_ends.transport import SimulatorTransport
from simulator.tables import Tables
from tests.support.azurite import connection

ETAG = re.compile(r"W/\"datetime'\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d(\.\d{1,7})?Z'\"")
STALE = "W/\"datetime'2020-01-01T00%3A00%3A00.1234567Z'\""
ROW = {
    "PartitionKey": "p",
    "RowKey": "r",
    "text": "ä 'quoted' \N{ROCKET}",
    "time": 1795475091.1234567,
    "whole": 60.0,
    "yes": True,
    "no": False,
    "count": 5,
    "large": EntityProperty(2**40, EdmType.INT64),
}


class Service:
    """A client of one table, which keeps statuses, codes and headers of the answers."""

    def __init__(self, client):
        self.client = client
        self.answers = []

    async def ask(self, call, *arguments, **options):
        """Status and error code of the answer to one call; its result is kept."""
        seen = []
        self.result = None
        try:
            self.result = await call(*arguments, raw_response_hook=lambda r: seen.append(r.http_response), **options)
        except HttpResponseError as error:
            seen.append(error.response)
        self.headers = seen[-1].headers
        code = re.search(rb'"code":\s*"(\w+)"', seen[-1].content)
        return seen[-1].status_code, code and code[1].decode()

    async def query(self, where, **options):
        """The pages of a query."""
        pages = self.client.query_entities(where, **options).by_page()
        return [[row async for row in page] async for page in pages]


def simulated(tables):
    return SimulatorTransport(tables)


@pytest.fixture(params=["simulated", "azurite"])
async def empty(request):
    """A service without the table."""
    name = "t" + re.sub(r"\W", "", request.node.name).replace("_", "")[:60]
    if request.param == "azurite":
        client = TableClient.from_connection_string(request.getfixturevalue("azurite"), name)
    else:
        transport = simulated(Tables(lambda: 1_800_000_000.0))
        client = TableClient.from_connection_string(connection(1), name, transport=transport)
    async with client:
        yield Service(client)


@pytest.fixture
async def service(empty):
    await empty.client.create_table()
    return empty


def condition(etag):
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


async def test_a_missing_table_is_told_from_a_missing_row(empty):
    client, missing = empty.client, (404, "TableNotFound")
    assert await empty.ask(client.get_entity, "p", "r") == missing
    assert await empty.ask(client.create_entity, ROW) == missing
    assert await empty.ask(client.upsert_entity, ROW) == missing
    assert await empty.ask(client.upsert_entity, ROW, UpdateMode.REPLACE) == missing
    assert await empty.ask(client.update_entity, ROW, UpdateMode.REPLACE, **condition(STALE)) == missing
    assert await empty.ask(client.delete_entity, "p", "r", **condition(STALE)) == missing
    with pytest.raises(ResourceNotFoundError):
        await empty.query("PartitionKey eq 'p'")
    assert await empty.ask(client.create_table) == (201, None)
    assert await empty.ask(client.create_table) == (409, "TableAlreadyExists")
    assert await empty.ask(client.get_entity, "p", "r") == (404, "ResourceNotFound")
    await client.delete_table()
    assert await empty.ask(client.get_entity, "p", "r") == missing


async def test_a_row_comes_back_with_the_types_and_the_exact_values_that_were_written(service):
    assert await service.ask(service.client.create_entity, ROW) == (201, None)
    assert ETAG.fullmatch(service.headers["etag"])
    written = service.result["etag"]
    assert await service.ask(service.client.get_entity, "p", "r") == (200, None)
    row = service.result
    assert dict(row) == ROW
    assert {name: type(value) for name, value in row.items()} == {name: type(value) for name, value in ROW.items()}
    assert (row.metadata["etag"], service.headers["etag"]) == (written, written)
    assert [dict(found) for found in (await service.query("PartitionKey eq 'p'"))[0]] == [ROW]
    await service.client.create_entity({"PartitionKey": "p", "RowKey": "five", "five": (5, EdmType.DOUBLE)})
    assert isinstance((await service.client.get_entity("p", "five"))["five"], float)


async def test_a_row_is_inserted_once_and_without_an_echo_where_none_is_wanted(service):
    answer = await service.ask(service.client.create_entity, ROW, response_preference="return-no-content")
    assert answer == (204, None)
    assert service.headers["preference-applied"] == "return-no-content"
    assert ETAG.fullmatch(service.result["etag"])
    assert await service.ask(service.client.create_entity, ROW) == (409, "EntityAlreadyExists")
    with pytest.raises(ResourceExistsError):
        await service.client.create_table()


async def test_every_write_makes_a_new_etag_even_of_the_same_values(service):
    client = service.client
    calls = (client.create_entity, client.upsert_entity, client.upsert_entity, client.update_entity)
    etags = [(await call(ROW))["etag"] for call in calls]
    etags += [(await client.upsert_entity(ROW, UpdateMode.REPLACE))["etag"] for _ in range(20)]
    assert len(set(etags)) == len(etags)
    assert (await client.get_entity("p", "r")).metadata["etag"] == etags[-1]


async def test_a_merge_keeps_what_it_does_not_name_and_a_replacement_does_not(service):
    client = service.client
    await client.create_entity(ROW)
    assert await service.ask(client.upsert_entity, {"PartitionKey": "p", "RowKey": "r", "large": 7}) == (204, None)
    assert dict(await client.get_entity("p", "r")) == {**ROW, "large": 7}
    small = {"PartitionKey": "p", "RowKey": "r", "text": "x"}
    assert await service.ask(client.upsert_entity, small, UpdateMode.REPLACE) == (204, None)
    assert dict(await client.get_entity("p", "r")) == small
    assert await service.ask(client.upsert_entity, {**small, "RowKey": "new"}) == (204, None)
    assert dict(await client.get_entity("p", "new")) == {**small, "RowKey": "new"}


async def test_a_write_on_condition_needs_the_row_and_its_present_etag(service):
    client = service.client
    first = (await client.create_entity(ROW))["etag"]
    refused, missing = (412, "UpdateConditionNotSatisfied"), (404, "ResourceNotFound")
    for mode in UpdateMode:
        assert await service.ask(client.update_entity, ROW, mode, **condition(STALE)) == refused
        assert await service.ask(client.update_entity, {**ROW, "RowKey": "no"}, mode, **condition(STALE)) == missing
        assert await service.ask(client.update_entity, {**ROW, "RowKey": "no"}, mode) == missing
        assert await service.ask(client.update_entity, ROW, mode, **condition(first)) == (204, None)
        first = service.result["etag"]
    assert await service.ask(client.delete_entity, "p", "r", **condition(STALE)) == refused
    assert await service.ask(client.delete_entity, "p", "no", **condition(first)) == missing
    assert await service.ask(client.delete_entity, "p", "no") == missing
    assert await service.ask(client.delete_entity, "p", "r", **condition(first)) == (204, None)
    assert await service.ask(client.get_entity, "p", "r") == missing
    await client.create_entity(ROW)
    assert await service.ask(client.delete_entity, "p", "r") == (204, None)


async def test_what_is_no_etag_no_key_or_too_long_is_refused(service):
    client = service.client
    await client.create_entity(ROW)
    assert (await service.ask(client.update_entity, ROW, **condition("rubbish")))[0] == 400
    for key in ("a/b", "a\\b", "a#b", "a?b", "a\x01b"):
        assert (await service.ask(client.create_entity, {**ROW, "RowKey": key}))[0] == 400, key
    assert await service.ask(client.upsert_entity, {**ROW, "text": "x" * 32_768}) == (204, None)
    assert await service.ask(client.upsert_entity, {**ROW, "text": "x" * 32_769}) == (400, "PropertyValueTooLarge")


@pytest.mark.parametrize("key", ["it's", "''", "a b+c", "%41%2f", "é:;", "index:llama-70b", "(x)='y',RowKey='z'"])
async def test_keys_of_any_allowed_characters_lead_to_their_row(service, key):
    row = {"PartitionKey": key, "RowKey": key, "text": key}
    await service.client.create_entity(row)
    assert dict(await service.client.get_entity(key, key)) == row
    assert await service.query("PartitionKey eq '{}'".format(key.replace("'", "''"))) == [[row]]
    await service.client.upsert_entity({**row, "text": "x"})
    await service.client.delete_entity(key, key)
    assert await service.query("PartitionKey ge ''") == [[]]


async def test_a_query_gives_the_rows_in_order_and_page_by_page(service):
    keys = [(p, r) for p in ("a", "b", "c") for r in ("1", "10", "2")]
    for partition, key in sorted(keys, reverse=True):
        await service.client.create_entity({"PartitionKey": partition, "RowKey": key})

    async def found(where, **options):
        return [
            [(row["PartitionKey"], row["RowKey"]) for row in page] for page in await service.query(where, **options)
        ]

    assert await found("PartitionKey ge 'a'") == [keys]
    assert await found("PartitionKey ge 'a'", results_per_page=4) == [keys[:4], keys[4:8], keys[8:]]
    assert await found("PartitionKey eq 'b'", results_per_page=3) == [keys[3:6]]
    assert await found("PartitionKey gt 'a' and PartitionKey lt 'c'") == [keys[3:6]]
    assert await found("PartitionKey le 'b' and RowKey gt '1'") == [[keys[1], keys[2], keys[4], keys[5]]]
    assert await found("PartitionKey eq 'z'") == [[]]


async def test_selected_columns_come_with_the_etag_and_without_the_rest(service):
    etag = (await service.client.create_entity(ROW))["etag"]
    ((row,),) = await service.query("PartitionKey eq 'p'", select=["time", "large"])
    assert (dict(row), row.metadata["etag"]) == ({"time": ROW["time"], "large": ROW["large"]}, etag)
    row = await service.client.get_entity("p", "r", select=["text"])
    assert (dict(row), row.metadata["etag"]) == ({"text": ROW["text"]}, etag)


async def test_as_in_azure_a_selected_column_that_a_row_lacks_is_null():
    """Azurite leaves it out: Azure/Azurite#2535."""
    transport = simulated(Tables(lambda: 0.0))
    async with TableClient.from_connection_string(connection(1), "table", transport=transport) as client:
        await client.create_table()
        await client.create_entity(ROW)
        assert await client.get_entity("p", "r", select=["text", "none"]) == {"text": ROW["text"], "none": None}


async def test_as_documented_a_page_may_end_with_its_partition_and_holds_a_thousand_rows():
    tables = Tables(lambda: 0.0)
    async with TableClient.from_connection_string(connection(1), "table", transport=simulated(tables)) as client:
        await client.create_table()
        for partition, count in (("a", 1001), ("b", 2)):
            for number in range(count):
                body = f'{{"PartitionKey": "{partition}", "RowKey": "{number:04}"}}'.encode()
                assert tables.handle(Request("POST", "/table", body=body)).status == 201
        service = Service(client)
        assert [len(page) for page in await service.query("PartitionKey ge 'a'")] == [1000, 3]
        tables.split = True
        assert [len(page) for page in await service.query("PartitionKey ge 'a'")] == [1000, 1, 2]
        tables.wipe()
        assert await service.query("PartitionKey ge 'a'") == [[]]


def test_etags_look_as_recorded_and_follow_the_clock():
    """Recorded in 2020: `W/"datetime'2020-07-24T14%3A34%3A48.4767Z'"`, without the zeros at the end."""
    tables = Tables(lambda: 1595601288.4767)
    tables.handle(Request("POST", "/Tables", body=b'{"TableName": "table"}'))
    body = b'{"PartitionKey": "p", "RowKey": "r"}'
    etag = tables.handle(Request("POST", "/table", body=body)).headers["etag"]
    assert etag == "W/\"datetime'2020-07-24T14%3A34%3A48.4767Z'\""
