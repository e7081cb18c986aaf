"""What probes have to find, from the true state of the simulated world: what must be out of answers, and what in.

Written from the design alone, as `answers.py` is. No code of the app may enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Literal, NamedTuple

Asks = Literal["tcp", "tls", "http", "https"]
"""What a probe asks: a connection, a TLS handshake with a verified certificate, an HTTP answer, or one over TLS."""

NEVER = frozenset({"dead", "unreachable", "refuses"})
SPEAKS_TCP_ONLY = frozenset({"hangs", "resets", "closes", "not-http"})
BAD_ANSWER = frozenset({"headers-then-hangs", "drips", "unauthorized", "redirects", "endless"})
BAD_CERTIFICATE = frozenset({"certificate-expired", "certificate-name", "certificate-untrusted"})
BAND_MS, BAND = 3.0, 0.05


class Stance(Enum):
    """What a vantage has to say of an address by now."""

    IN = "in"
    OUT = "out"
    EITHER = "either"


class Server(NamedTuple):
    """A server as it behaves. `age`: seconds for which it has; `seconds`: of the behaviour. `runs`: its host does."""

    behaviour: str
    age: float = 0.0
    seconds: float = 0.0
    runs: bool = True


def works(asks: Asks, server: Server, *, cut: bool, terminated: bool) -> bool | None:
    """Whether a probe that begins now succeeds; None: it may go either way.

    `cut`: the path is. `terminated`: something on the path accepts connections in the server's place.
    """
    if cut:
        return False
    if asks == "tcp":
        return terminated or _listens(server)
    return _answers(asks, server) if _listens(server) else False


def _listens(server: Server) -> bool:
    starts = server.behaviour == "slow-start" and server.age < server.seconds / 4
    return server.runs and not starts and server.behaviour not in NEVER


def _answers(asks: Asks, server: Server) -> bool | None:
    """Whether a server that accepts connections answers a probe that asks for more."""
    behaviour = server.behaviour
    if behaviour in SPEAKS_TCP_ONLY or (behaviour in BAD_CERTIFICATE and asks in {"tls", "https"}):
        return False
    if asks == "tls":
        return True
    if behaviour in {"loading", "slow-start"}:
        return server.age >= server.seconds
    if behaviour in {"busy", "wakes", "gzip-bomb"}:
        return None
    return behaviour not in BAD_ANSWER


class Seen(NamedTuple):
    """An address as a vantage could see it. `works`: as of the last `seconds`. `armed`: it has answered once."""

    endpoint: str
    ip: str
    region: str
    works: bool | None
    seconds: float
    armed: bool


class Limits(NamedTuple):
    """After how many seconds what is dead must be out, and what works must be in."""

    out: float
    back: float


def stances(seen: Sequence[Seen], zone_region: str, vantage: str, limits: Limits) -> dict[tuple[str, str], Stance]:
    """What must be out, and what in, for the zones of a region, by endpoint and address.

    Free is what has not been so for long enough, and everything where the vantage may be blind. For zones of another
    region a failure counts only where another address of its region answers the vantage.
    """
    blind = _may_be_blind(seen)
    return {(each.endpoint, each.ip): _stance(each, seen, zone_region == vantage, blind, limits) for each in seen}


def _stance(each: Seen, seen: Sequence[Seen], own: bool, blind: bool, limits: Limits) -> Stance:
    if each.works:
        return Stance.IN if each.seconds > limits.back else Stance.EITHER
    if each.works is None or each.seconds <= limits.out:
        return Stance.EITHER
    if not each.armed:
        return Stance.EITHER
    beside = [other for other in seen if other.region == each.region and other.ip != each.ip]
    if not own and not any(other.works is not False for other in beside):
        return Stance.IN if each.seconds > limits.back else Stance.EITHER
    certain = own or any(other.works and other.armed for other in beside)
    return Stance.OUT if certain and not blind else Stance.EITHER


def _may_be_blind(seen: Iterable[Seen]) -> bool:
    """Whether in every region at least half of the addresses may fail; with one region: all."""
    regions: dict[str, list[Seen]] = {}
    for each in seen:
        if each.armed or each.works is not False:
            regions.setdefault(each.region, []).append(each)
    alive = {at: [each for each in found if each.works and each.armed] for at, found in regions.items()}
    if len(regions) == 1:
        return not any(alive.values())
    return all(2 * (len(found) - len(alive[at])) >= len(found) for at, found in regions.items())


def band(ms: float) -> float:
    """By how much another distance must differ from this one to count as different."""
    return max(BAND_MS, BAND * ms)


def misplaced(order: Sequence[str], ms: Mapping[str, float], slack_ms: float) -> list[tuple[str, str]]:
    """Pairs of an order, nearest first, of which the second is truly nearer by more than the band and the slack."""
    known = [place for place in order if place in ms]
    return [
        (first, second)
        for at, first in enumerate(known)
        for second in known[at + 1 :]
        if ms[first] - ms[second] > band(ms[first]) + slack_ms
    ]
