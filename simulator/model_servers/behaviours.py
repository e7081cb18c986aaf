"""How servers behave on a connection: a script for each behaviour.

`RAW` ones act on the TCP connection, before any TLS. The others are played inside TLS where the client speaks TLS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from simulator.model_servers import answers
from simulator.model_servers.entry import Behaviour, Kind
from simulator.model_servers.events import Pause, Receive, Reset, Script, Send

RAW: frozenset[Behaviour] = frozenset({"hangs", "resets", "closes", "not-http"})
_BANNER = b"SSH-2.0-OpenSSH_9.6p1\r\nInvalid SSH identification string.\r\n\r\n"
_ALERT = b"\x15\x03\x03\x00\x02\x02\x0a"
"""A TLS alert: unexpected message."""
_CHUNK = bytes(64 * 1024)


def hangs() -> Script:
    """Accept and never answer."""
    yield Pause(math.inf)


def resets() -> Script:
    """Break the connection as soon as the client has sent something."""
    yield Receive(head=False)
    yield Reset()


def closes() -> Script:
    """Close the connection as soon as the client has sent something."""
    yield Receive(head=False)


def banner() -> Script:
    """Speak first, and not HTTP."""
    yield Send(_BANNER)
    yield Receive()


def alert() -> Script:
    """What a server that wants TLS does with a client that does not speak it."""
    yield Receive(head=False)
    yield Send(_ALERT)


def no_tls() -> Script:
    """What a server without TLS does with the first bytes of a handshake."""
    yield Receive(head=False)
    yield Send(answers.answer(400))


def healthy(kind: Kind, seconds: float = 0.0) -> Script:
    """Answer as a server of this kind, after so many seconds."""
    request = yield Receive()
    if seconds:
        yield Pause(seconds)
    yield Send(answers.to(kind, request))


def states(whole: bytes) -> Script:
    """Give this answer to every request."""
    yield Receive()
    yield Send(whole)


def _headers_then_hangs() -> Script:
    yield Receive()
    yield Send(answers.head(200, len(answers.BODY)))
    yield Pause(math.inf)


def _drips() -> Script:
    yield Receive()
    for byte in answers.answer(200):
        yield Send(bytes([byte]))
        yield Pause(1.0)


def _endless() -> Script:
    yield Receive()
    yield Send(answers.head(200, answers.ENDLESS))
    for _ in range(answers.ENDLESS // len(_CHUNK)):
        yield Send(_CHUNK)


SCRIPTS: Mapping[Behaviour, Callable[[], Script]] = {
    "hangs": hangs,
    "resets": resets,
    "closes": closes,
    "not-http": banner,
    "headers-then-hangs": _headers_then_hangs,
    "drips": _drips,
    "unauthorized": lambda: states(answers.unauthorized()),
    "redirects": lambda: states(answers.answer(302, location=answers.METADATA_SERVICE)),
    "endless": _endless,
    "gzip-bomb": lambda: states(answers.bomb()),
}
"""The behaviours that depend neither on the kind nor on the time."""
