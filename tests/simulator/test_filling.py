"""The demo waits for names that a zone's budget holds back, as long as the budget allows and no longer, and says so."""

import asyncio

import pytest

from simulator.demo.app_settings import load
from simulator.demo.filling import BREATH, Patience, bound, pending
from simulator.timing.virtual_time import in_virtual_time
from tests.support import large_world

LIMIT = 20.0


class App:
    """Tells how many names wait in its one zone, as a function of the seconds since it began."""

    def __init__(self, dirty):
        self.begun = asyncio.get_running_loop().time()
        self.dirty = dirty

    async def status(self):
        passed = asyncio.get_running_loop().time() - self.begun
        return {"zones": [{"dirty": self.dirty(passed)}, {"dirty": 0}]}


class Screen:
    def __init__(self):
        self.said = []

    def say(self, text, style=""):
        self.said.append(text)


def gives_up_after(dirty):
    """Seconds until wrong answers are called wrong, and what is said until then."""

    async def story():
        loop, screen = asyncio.get_running_loop(), Screen()
        patience, begun = Patience(App(dirty), screen, LIMIT), loop.time()
        for _ in range(2000):
            if await patience.over():
                break
            await asyncio.sleep(0.5)
        return loop.time() - begun, screen.said

    return in_virtual_time(story)


def test_where_no_name_waits_a_wrong_answer_is_wrong_at_the_limit():
    seconds, said = gives_up_after(lambda passed: 0)
    assert (seconds, said) == (LIMIT, [])


@pytest.mark.parametrize(("names", "windows"), [(1, 1), (57, 1), (58, 2), (200, 4)])
def test_names_that_wait_have_as_many_minutes_as_their_number_takes_and_it_is_said_why(names, windows):
    assert bound(names) == windows * 61.0
    seconds, said = gives_up_after(lambda passed: names)
    assert seconds == pytest.approx(LIMIT + windows * 61.0 + LIMIT, abs=1)
    assert len(said) == 1
    assert f"{names} name" in said[0]
    assert "57 creates a minute" in said[0]


def test_a_name_that_is_written_and_wrong_all_the_same_is_wrong_a_moment_later():
    seconds, _ = gives_up_after(lambda passed: 3 if passed < 40 else 0)
    assert seconds == pytest.approx(40 + BREATH, abs=1)


def test_names_that_never_get_written_do_not_prolong_the_wait():
    seconds, said = gives_up_after(lambda passed: 10 + int(passed))
    assert seconds == pytest.approx(LIMIT + 61.0 + LIMIT, abs=1)
    assert len(said) == 1


def test_the_zone_with_most_names_counts():
    assert pending({"zones": [{"dirty": 3}, {"dirty": 7}]}) == 7
    assert pending({"zones": []}) == 0


@pytest.mark.parametrize("vms", [1, 20, 40, 200, 1000])
def test_the_generator_of_large_worlds_makes_worlds_without_faults(vms, tmp_path):
    path = tmp_path / "world.json"
    path.write_text(large_world.text(vms), encoding="utf-8")
    assert len(load(path)["vms"]) == vms
