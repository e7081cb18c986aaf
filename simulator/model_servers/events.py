"""What a server does on an open connection, step by step: the words of a script."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for bytes of the client, and give them to the script. `head`: for a whole HTTP request head."""

    head: bool = True

    def complete(self, received: bytes | bytearray) -> bool:
        """Whether so much is enough."""
        return b"\r\n\r\n" in received if self.head else bool(received)


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for this many seconds; infinity: for ever."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection with a RST."""


Event: TypeAlias = Receive | Pause | Send | Reset
Script: TypeAlias = Generator[Event, bytes, None]
"""Gets what `Receive` has received. Its end closes the connection."""
