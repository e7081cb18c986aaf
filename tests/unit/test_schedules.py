"""Schedules that cannot be meant are refused; what only one of the host and the app understands, too."""

import pytest

from shared.config import schedules
from shared.domain.errors import BadSettings
from tests.support.values import parsed

WRONG = [
    ("0 */99 * * * *", "a step of 1 to 60 for the minute"),
    ("*/61 * * * * *", "a step of 1 to 60 for the second"),
    ("0 0 */25 * * *", "a step of 1 to 24 for the hour"),
    ("0 0 0 * * 1-5/8", "a step of 1 to 7 for the day of the week"),
    ("0 0,*/88 * * * *", "a step of 1 to 60 for the minute"),
    ("*/10 * * * *", "six fields, seconds first, found 5"),
    ("hourly", "six fields, seconds first, found 1"),
    ("0 60 * * * *", "a minute that NCRONTAB knows"),
    ("0 0 24 * * *", "an hour that NCRONTAB knows"),
    ("0 0 A * * *", "an hour of numbers"),
    ("0 0 0 0 * *", "a day of the month that NCRONTAB knows"),
    ("0 0 0 * 13 *", "a month that NCRONTAB knows"),
    ("*/0 * * * * *", "a second that NCRONTAB knows"),
    ("0 0 0 30 2 *", "never runs"),
    ("0 0 0 31 4,6 MON", "never runs"),
    ("0 0 0 L * *", "a day of the month of numbers"),
    ("0 0 0 * * 5L", "a day of the week of numbers, names"),
    ("0 0 0 * * MON#1", "a day of the week of numbers, names"),
    ("0 0 0 * * 7", "a day of the week from 0 (Sunday) to 6"),
]


@pytest.mark.parametrize("name", ["SWEEP_SCHEDULE", "DRAIN_SCHEDULE"])
@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_schedule_that_cannot_be_meant_is_a_fault_that_says_why(name, text, expected):
    with pytest.raises(BadSettings) as refused:
        parsed(**{name: text})
    (fault,) = refused.value.faults
    assert fault.startswith(f'NEARZONE_{name}: found "{text}", expected an NCRONTAB expression: ')
    assert expected in fault


PAUSES = [
    ("0 */10 * * * *", 600, 600),
    ("*/30 * * * * *", 30, 30),
    ("0 */60 * * * *", 3600, 3600),
    ("0 0 3 * * MON-FRI", 86_400, 3 * 86_400),
    ("0 0 8,20 * * sun", 12 * 3600, 6.5 * 86_400),
    ("0 0 0 29 2 *", 4 * 366 * 86_400 - 3 * 86_400, 8 * 365.25 * 86_400 - 86_400),
]


@pytest.mark.parametrize(("text", "shortest", "longest"), PAUSES)
def test_any_other_schedule_is_accepted_and_its_pauses_are_known(text, shortest, longest):
    assert schedules.fault(text) == ""
    assert schedules.intervals(text) == (shortest, longest)
