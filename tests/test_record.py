"""What makes a changed endpoint's names urgent."""

import pytest

from shared.model import State, Urgency
from shared.record import urgency
from tests.pure_values import vm

SERVING = vm("a", "10.0.0.1")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, SERVING, Urgency.FIRST),
        (None, vm("a", state=State.STOPPED), Urgency.OTHER),
        (SERVING, SERVING, Urgency.OTHER),
        (SERVING, vm("a", "10.0.0.1", state=State.STOPPED), Urgency.WITHDRAW),
        (SERVING, vm("a", "10.0.0.1", state=State.GONE), Urgency.WITHDRAW),
        (SERVING, vm("a", "10.0.0.2"), Urgency.WITHDRAW),
        (SERVING, vm("a", "10.0.0.1", "10.0.0.2"), Urgency.FIRST),
        (vm("a", "10.0.0.1", state=State.WARMING), SERVING, Urgency.FIRST),
        (vm("a", "10.0.0.1", state=State.STOPPED), vm("a", "10.0.0.1", state=State.WARMING), Urgency.OTHER),
    ],
)
def test_a_dead_address_is_withdrawn_before_a_new_one_is_added(old, new, expected):
    assert urgency(old, new) == expected
