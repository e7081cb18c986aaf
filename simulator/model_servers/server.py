"""One model server over time: whether it accepts a connection now, and the script that it plays then.

Its state is what a behaviour remembers: since when it is as it is, when it was last asked, when it is busy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Literal

from simulator.model_servers import answers, behaviours
from simulator.model_servers.behaviours import RAW, SCRIPTS
from simulator.model_servers.entry import SECONDS, Behaviour, ServerEntry
from simulator.model_servers.events import Script

Certificate = Literal["valid", "expired", "name", "untrusted"]
"""What the server shows in TLS. A valid one is for whatever name the client asks for."""
_CERTIFICATES: Mapping[Behaviour, Certificate] = {
    "certificate-expired": "expired",
    "certificate-name": "name",
    "certificate-untrusted": "untrusted",
}
BUSY = (2.0, 20.0)
"""Shortest and longest time in seconds for which a busy server does not answer."""
IDLE = 300.0
"""Seconds without a connection after which a server that wakes when asked falls asleep again."""


class Arrival(Enum):
    """What a SYN gets."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Talk:
    """What a server does on one connection. `script` is played inside TLS where `certificate` is given.

    `raw`: the script acts on TCP, whatever the client begins with. A client that begins with TLS where there is none,
    or without TLS where there must be, gets the script `other`.
    """

    script: Script
    raw: bool = False
    tls: bool | None = None
    certificate: Certificate = "valid"
    other: Script | None = None


class ModelServer:
    """A model server. `since`: when it began to behave like this; times are seconds since the epoch."""

    def __init__(self, entry: ServerEntry, rng: Random, since: float) -> None:
        self.entry, self._rng, self.since = entry, rng, since
        self.seconds = SECONDS.get(entry.behaviour, 0.0) if entry.seconds is None else entry.seconds
        self._busy = (since, since)
        self._asked = -IDLE
        self._awake = 0.0

    def arrival(self, port: int, now: float, started: float) -> Arrival:
        """What a SYN to this port gets. `started`: when its machine began to run."""
        behaviour = self.entry.behaviour
        if behaviour == "dead":
            return Arrival.SILENT
        if behaviour == "unreachable":
            return Arrival.UNREACHABLE
        if behaviour == "refuses" or self.entry.port not in {None, port}:
            return Arrival.REFUSED
        if behaviour == "slow-start" and now < self._begun(started) + self.seconds / 4:
            return Arrival.REFUSED  # Its process does not listen yet.
        return Arrival.ACCEPTED

    def talk(self, now: float, started: float) -> Talk:
        """What it does on a connection that it has just accepted."""
        entry = self.entry
        return Talk(
            script=self._script(now, started),
            raw=entry.behaviour in RAW,
            tls=entry.tls,
            certificate=_CERTIFICATES.get(entry.behaviour, "valid"),
            other=None if entry.tls is None else behaviours.alert() if entry.tls else behaviours.no_tls(),
        )

    def _script(self, now: float, started: float) -> Script:
        behaviour = self.entry.behaviour
        if (fixed := SCRIPTS.get(behaviour)) is not None:
            return fixed()
        if behaviour == "busy":
            return behaviours.healthy(self.entry.kind, self._busy_for(now))
        begun = self._begun(started) if behaviour == "slow-start" else self.since
        loads = behaviour in {"loading", "slow-start"} and now < begun + self.seconds
        if loads or (behaviour == "wakes" and not self._is_awake(now)):
            return behaviours.states(answers.answer(503))
        return behaviours.healthy(self.entry.kind)

    def _begun(self, started: float) -> float:
        return max(started, self.since)

    def _busy_for(self, now: float) -> float:
        """For how many seconds more it does not answer. It is busy at random times, on average each `seconds`."""
        while self._busy[1] <= now:
            begin = self._busy[1] + self._rng.expovariate(1 / self.seconds)
            self._busy = begin, begin + self._rng.uniform(*BUSY)
        return max(0.0, self._busy[1] - now) if self._busy[0] <= now else 0.0

    def _is_awake(self, now: float) -> bool:
        """Whether it answers. Being asked wakes it, which takes `seconds`."""
        if now > self._asked + IDLE:
            self._awake = now + self.seconds
        self._asked = now
        return now >= self._awake


class ModelServers:
    """The model servers of all endpoints by key; one that nothing was said of is healthy on every port."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._servers: dict[str, ModelServer] = {}

    def of(self, key: str) -> ModelServer:
        """The server of an endpoint. `key`: its id, or the address of a host outside Azure."""
        found = self._servers.get(key.lower())
        return found or self.set(key, ServerEntry(), 0.0)

    def set(self, key: str, entry: ServerEntry, now: float) -> ModelServer:
        """Let a server behave like this from now on."""
        server = ModelServer(entry, Random(f"{self._seed} server {key.lower()} {now}"), now)
        self._servers[key.lower()] = server
        return server

    def rename(self, old: str, new: str) -> None:
        """Keep the server of an endpoint that has a new id."""
        if (found := self._servers.pop(old.lower(), None)) is not None:
            self._servers[new.lower()] = found

    def entry(self, key: str) -> ServerEntry | None:
        """What was said of a server, None: nothing, so that it is healthy."""
        found = self._servers.get(key.lower())
        return found.entry if found and found.entry != ServerEntry() else None
