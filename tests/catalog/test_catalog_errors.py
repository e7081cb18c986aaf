"""What becomes of a storage account's trouble: a word of ours, in time, or nothing that anybody feels."""

from dataclasses import replace

import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.catalog.storage_account import Account, connect
from shared.catalog.table import TableCatalog
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Conflict, Terminal, Transient
from simulator.arm.front_door import Response
from simulator.front_ends.transport import Lost, SimulatorTransport, Slow
from tests.support.catalogs import error, on_catalog
from tests.support.deployment import Token
from tests.support.values import vm

ROW = EndpointRow(vm("a", "10.0.0.1"), frozenset({"llama"}), 1.0)
KEY = ROW.endpoint.key
CALLS = {
    "read": lambda catalog: catalog.endpoint(KEY),
    "list": lambda catalog: catalog.endpoints(),
    "insert": lambda catalog: catalog.put_endpoint(ROW, None),
    "replace": lambda catalog: catalog.put_endpoint(ROW, "W/\"datetime'2026-11-23T00%3A00%3A00Z'\""),
    "upsert": lambda catalog: catalog.index("llama", KEY, 1.0),
    "mark": lambda catalog: catalog.mark_dirty(DirtyName("z", "llama")),
    "delete": lambda catalog: catalog.remove_dirty("z", "llama", "W/\"datetime'2026-11-23T00%3A00%3A00Z'\""),
    "acquire": lambda catalog: catalog.acquire("z", "me", 0.0, 60.0),
}
TROUBLE = {
    "server busy": (error(503, "ServerBusy"), Transient, "HTTP 503 ServerBusy"),
    "server error": (error(500, "InternalError"), Transient, "HTTP 500 InternalError"),
    "timed out there": (error(500, "OperationTimedOut"), Transient, "OperationTimedOut"),
    "throttled": (error(429, "TooManyRequests"), Transient, "HTTP 429"),
    "a proxy's page": (Response(502, "<html>"), Transient, "HTTP 502"),
    "table being deleted": (error(409, "TableBeingDeleted"), Transient, "TableBeingDeleted"),
    "not sent": (Lost(after=False), Transient, "cannot be reached"),
    "no answer": (Lost(after=True), Transient, "cannot be reached"),
    "very slow": (Slow(60.0), Transient, "has not responded within 10 s"),
    "no role": (error(403, "AuthorizationPermissionMismatch"), Transient, "Storage Table Data Contributor"),
    "wrong key": (error(403, "AuthenticationFailed"), Transient, "HTTP 403 AuthenticationFailed"),
    "no token taken": (error(401, "InvalidAuthenticationInfo"), Transient, "Storage Table Data Contributor"),
    "nonsense": (error(400, "InvalidInput"), Terminal, "HTTP 400 InvalidInput"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_with_the_account_becomes_a_word_of_ours_within_ten_seconds(call, trouble):
    fault, word, words = TROUBLE[trouble]

    async def story(bench):
        bench.faults = lambda request: fault
        begun = bench.loop.time()
        with pytest.raises(word, match=words) as caught:
            await CALLS[call](bench.catalog)
        assert type(caught.value) is word
        assert bench.loop.time() - begun <= 10.001

    on_catalog(story)


def once(fault, method):
    """A fault of the next request with a method."""
    faults = [fault]
    return lambda request: faults.pop() if faults and request.method == method else None


@pytest.mark.parametrize("fault", [error(503, "ServerBusy"), error(500, "Oops"), Lost(after=False), Lost(after=True)])
def test_one_hiccup_is_not_felt(fault):
    async def story(bench):
        await bench.catalog.index("llama", KEY, 1.0)
        faults = [fault]
        bench.faults = lambda request: faults.pop() if faults else None
        assert [row.value.key for row in await bench.catalog.indexed()] == [KEY]
        faults.append(fault)
        await bench.catalog.index("llama", "other", 1.0)
        assert len(await bench.catalog.indexed()) == 2
        for urgency, method in ((Urgency.MORE_ADDRESSES, "POST"), (Urgency.FIRST_ADDRESS, "PATCH")):
            bench.faults = once(fault, method)
            await bench.catalog.mark_dirty(DirtyName("z", "llama", urgency))
        assert [row.value.urgency for row in await bench.catalog.dirty("z")] == [Urgency.FIRST_ADDRESS]

    on_catalog(story)


def test_how_long_the_account_asks_to_wait_is_passed_on():
    async def story(bench):
        bench.faults = lambda request: error(503, "ServerBusy", **{"retry-after": "2"})
        with pytest.raises(Transient) as caught:
            await bench.catalog.endpoint(KEY)
        assert caught.value.retry_after == 2.0

    on_catalog(story)


def test_a_write_that_took_effect_though_its_answer_was_lost_is_a_conflict():
    async def story(bench):
        etag = await bench.catalog.put_endpoint(ROW, None)
        bench.faults = once(Lost(after=True), "PUT")
        with pytest.raises(Conflict):
            await bench.catalog.put_endpoint(replace(ROW, seen_at=2.0), etag)
        assert (await bench.catalog.endpoint(KEY)).value.seen_at == 2.0

    on_catalog(story)


def test_a_lease_that_was_taken_though_the_answer_was_lost_is_ones_own():
    async def story(bench):
        await bench.catalog.index("llama", KEY, 1.0)
        bench.faults = once(Lost(after=True), "POST")
        assert (await bench.catalog.acquire("z", "me", 1.0, 60.0)).recent_writes == ()
        bench.faults = once(Lost(after=True), "PUT")
        assert (await bench.catalog.acquire("z", "me", 2.0, 60.0)).expires == 62.0
        bench.faults = once(Lost(after=True), "PUT")
        await bench.catalog.release("z", "me", ())
        assert (await bench.open().acquire("z", "you", 3.0, 60.0)).recent_writes == ()

    on_catalog(story)


def test_without_a_token_nothing_is_sent_and_it_may_work_later():
    class NoToken(Token):
        async def get_token(self, *scopes, **_):
            raise ClientAuthenticationError(f"no identity for {scopes}")

    async def story(bench):
        account = Account(endpoint="https://account.table.core.windows.net", audience="https://storage.azure.us")
        catalog = TableCatalog(connect(account, NoToken(), SimulatorTransport(bench)))
        with pytest.raises(Transient, match=r"no token .*https://storage\.azure\.us/\.default"):
            await catalog.endpoint(KEY)
        assert bench.requests == []

    on_catalog(story)
