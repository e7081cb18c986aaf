"""What makes a changed endpoint's names urgent, and what is left to be marked for one that is not read yet."""

import asyncio
from dataclasses import replace

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.domain.dirty import Urgency
from shared.domain.endpoints import Address, State
from shared.loop.recorder import Recorder, urgency
from tests.support.values import vm

SERVING = vm("a", "10.0.0.1")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, SERVING, Urgency.FIRST_ADDRESS),
        (None, vm("a", state=State.STOPPED), Urgency.OTHER),
        (SERVING, SERVING, Urgency.OTHER),
        (SERVING, vm("a", "10.0.0.1", state=State.STOPPED), Urgency.WITHDRAW),
        (SERVING, vm("a", "10.0.0.1", state=State.GONE), Urgency.WITHDRAW),
        (SERVING, vm("a", "10.0.0.2"), Urgency.WITHDRAW),
        (SERVING, vm("a", "10.0.0.1", "10.0.0.2"), Urgency.FIRST_ADDRESS),
        (vm("a", "10.0.0.1", state=State.WARMING), SERVING, Urgency.FIRST_ADDRESS),
        (vm("a", "10.0.0.1", state=State.STOPPED), vm("a", "10.0.0.1", state=State.WARMING), Urgency.OTHER),
    ],
)
def test_a_dead_address_is_withdrawn_before_a_new_one_is_added(old, new, expected):
    assert urgency(old, new, "llama") == expected


def test_host_names_come_after_service_names():
    assert urgency(None, SERVING, "a") == Urgency.OTHER, "it does not claim that name"
    assert urgency(None, vm("a", "10.0.0.1", own="a"), "a") == Urgency.HOST_FIRST_ADDRESS
    stopped = vm("a", "10.0.0.1", own="a", state=State.STOPPED)
    assert urgency(vm("a", "10.0.0.1", own="a"), stopped, "a") == Urgency.HOST_WITHDRAW


def test_a_name_that_an_endpoint_no_longer_claims_is_withdrawn():
    assert urgency(SERVING, vm("a", "10.0.0.1", tagged=("mistral",)), "llama") == Urgency.WITHDRAW
    assert urgency(SERVING, vm("a", "10.0.0.1", tagged=("mistral",)), "mistral") == Urgency.FIRST_ADDRESS


def test_an_address_that_a_name_loses_or_gets_by_its_part_counts_for_this_name_alone():
    first, second = (
        vm("a", "10.0.0.1", "10.0.0.2", tagged=("llama", "chat"), selected=(("llama", (Address(ip, "vnet"),)),))
        for ip in ("10.0.0.1", "10.0.0.2")
    )
    assert urgency(first, second, "llama") == Urgency.WITHDRAW
    assert urgency(first, second, "chat") == Urgency.OTHER
    whole = vm("a", "10.0.0.1", "10.0.0.2", tagged=("llama", "chat"))
    assert urgency(first, whole, "llama") == Urgency.FIRST_ADDRESS


def test_a_name_that_an_unread_endpoint_no_longer_claims_is_marked_when_the_endpoint_is_read():
    """Until then the name was held back for this endpoint, and may have been decided without what held it back."""

    async def story():
        catalog = MemoryCatalog()
        recorder = Recorder(catalog, None, None, (), lambda: 1000.0, lambda names: None, 900.0)
        unread = vm("a", state=State.UNKNOWN, tagged=("llama", "phi"))
        first = await recorder.enlist(None, unread)
        assert first.value.todo == frozenset()
        second = await recorder.enlist(first, replace(unread, tagged=("phi",)))
        assert second.value.todo == {"llama"}
        third = await recorder.enlist(second, replace(unread, tagged=()))
        assert (await catalog.endpoint(unread.key)).value.todo == third.value.todo == {"llama", "phi"}

    asyncio.run(story())
