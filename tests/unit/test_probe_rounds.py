"""A round probes every distinct (address, probe) once, spread, bounded in number and in time (virtual time)."""

import asyncio

import pytest

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing.rounds import Pace, probe_all, share_of_spread
from simulator.timing.virtual_time import in_virtual_time
from tests.support.probe_servers import FOREVER, FakeConnection

TCP, SSH = Probe("tcp", 8000), Probe("ssh", 22)
PROBING = Probing(timeout=5.0, connect_timeout=3.0)


class TimedDialer:
    """Every connection takes some seconds. Notes when each began, and how many were open at once."""

    def __init__(self, seconds):
        self.seconds, self.began, self.most, self._open = seconds, [], 0, 0

    async def connect(self, ip, probe, connect_seconds):
        self.began.append((asyncio.get_running_loop().time(), ip, probe.port))
        self._open += 1
        self.most = max(self.most, self._open)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self._open -= 1
        return FakeConnection()

    @property
    def open(self):
        return self._open


def addresses(count):
    return [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(count)]


def played(dialer, dials, pace=None):
    """What a round gives, its seconds, and when it began. Nothing is open at its end."""

    async def story():
        clock = asyncio.get_running_loop().time
        begun = clock()
        results = await probe_all(dialer, dials, PROBING, pace or Pace())
        assert dialer.open == 0, "a connection attempt outlived its round"
        return results, clock() - begun, begun

    return in_virtual_time(story)


def test_every_distinct_address_and_probe_is_dialed_once():
    again = Probe("another kind", 8000)  # The same question.
    dials = [("10.0.0.1", TCP), ("10.0.0.1", TCP), ("10.0.0.1", again), ("10.0.0.1", SSH), ("10.0.0.2", TCP)]
    dialer = TimedDialer(0.1)
    results, *_ = played(dialer, dials)
    assert sorted((ip, port) for _, ip, port in dialer.began) == [
        ("10.0.0.1", 22),
        ("10.0.0.1", 8000),
        ("10.0.0.2", 8000),
    ]
    assert {key: result.word for key, result in results.items()} == {
        ("10.0.0.1", TCP.digest): ProbeWord.OK,
        ("10.0.0.1", SSH.digest): ProbeWord.OK,
        ("10.0.0.2", TCP.digest): ProbeWord.OK,
    }


def test_probes_begin_spread_over_three_seconds_and_at_the_same_time_in_every_round():
    dials = [(ip, TCP) for ip in addresses(300)]
    offsets = []
    for _ in range(2):
        dialer = TimedDialer(0.0)
        _, seconds, begun = played(dialer, dials)
        offsets.append([(round(at - begun, 3), ip) for at, ip, _ in dialer.began])
        assert seconds <= 3.0
    assert offsets[0] == offsets[1]
    for second in range(3):
        assert 70 < sum(second <= at < second + 1 for at, _ in offsets[0]) < 130


def test_the_place_in_the_spread_is_the_same_in_every_process():
    assert share_of_spread(("10.0.0.4", "0123456789ab")) == pytest.approx(0.21409, abs=1e-4)


def test_at_most_64_connections_are_open_at_once():
    dialer = TimedDialer(2.0)
    results, *_ = played(dialer, [(ip, TCP) for ip in addresses(300)])
    assert (dialer.most, len(results)) == (64, 300)


def test_the_round_ends_at_its_deadline_and_what_is_not_done_is_no_evidence():
    dialer = TimedDialer(4.0)
    results, seconds, _ = played(dialer, [(ip, TCP) for ip in addresses(300)])
    assert seconds == pytest.approx(12.0)
    assert 0 < len(results) < 300
    assert all(result.ok for result in results.values())


def test_a_dead_address_costs_the_others_nothing():
    class Mixed(TimedDialer):
        async def connect(self, ip, probe, connect_seconds):
            self.seconds = FOREVER if ip.endswith(".7") else 0.01
            return await super().connect(ip, probe, connect_seconds)

    results, seconds, _ = played(Mixed(0), [(ip, TCP) for ip in addresses(20)])
    assert [ip for (ip, _), result in results.items() if not result.ok] == ["10.0.0.7"]
    assert seconds <= 1.0 + PROBING.timeout


@pytest.mark.parametrize(("count", "most"), [(1, 0.05), (4, 0.2), (20, 1.0), (60, 3.0), (300, 3.0)])
def test_the_spread_grows_with_the_number_of_probes_up_to_three_seconds(count, most):
    dialer = TimedDialer(0.0)
    _, seconds, _ = played(dialer, [(ip, TCP) for ip in addresses(count)])
    assert seconds <= most
    assert seconds > most / 2 or count == 1


def test_nothing_to_probe_takes_no_time():
    assert played(TimedDialer(0), [])[:2] == ({}, 0.0)


def test_a_cancelled_round_closes_what_it_has_opened():
    dialer = TimedDialer(FOREVER)

    async def story():
        running = asyncio.create_task(probe_all(dialer, [(ip, TCP) for ip in addresses(20)], PROBING))
        await asyncio.sleep(1.0)
        assert dialer.open
        running.cancel()
        await asyncio.wait([running])
        return dialer.open

    assert in_virtual_time(story) == 0


def test_a_defect_is_raised_after_all_probes_have_ended():
    class Broken(TimedDialer):
        async def connect(self, ip, probe, connect_seconds):
            if ip == "10.0.0.3":
                raise ZeroDivisionError
            return await super().connect(ip, probe, connect_seconds)

    dialer = Broken(1.0)
    with pytest.raises(ZeroDivisionError):
        played(dialer, [(ip, TCP) for ip in addresses(10)])
    assert (len(dialer.began), dialer.open) == (9, 0)
