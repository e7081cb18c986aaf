"""How a round of probes is spread, by the interval of the schedule."""

import pytest

from shared.probing.rounds import PACE, pace_of


@pytest.mark.parametrize(("interval", "spread"), [(60.0, 3.0), (15.0, 3.0), (5.0, 1.0), (2.0, 0.4)])
def test_short_intervals_have_a_short_spread(interval, spread):
    assert pace_of(interval).spread == spread


def test_the_rest_of_the_pace_does_not_depend_on_the_interval():
    assert (pace_of(2.0).deadline, pace_of(2.0).at_once) == (PACE.deadline, PACE.at_once)
