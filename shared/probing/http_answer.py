"""One HTTP/1.1 request and the answer to it, without I/O: bytes go in, a word comes out.

The answer is foreign: its headers and its body are bounded, nothing is followed, inflated or kept.
"""

from __future__ import annotations

import h11

from shared.domain.probes import Probe, ProbeWord

HEAD_BYTES = 16 * 1024
"""Until the end of the headers; interim answers (1xx) count."""
BODY_BYTES = 64 * 1024
"""Of a body. A longer one is not read to its end."""
CHUNK_BYTES = 16 * 1024
"""That are read at once."""
MOST_PARTS = 1_000
"""Reads and parsed parts (headers, chunks of a body) of an answer. A small one costs as much time as a large one, and
the probes of a round share one thread."""
VERSION = "0.1.0"
"""Of the project, for the servers' logs."""

_FIRST = b"HTTP/1."
_DEFAULT_PORTS = {False: 80, True: 443}


class HttpAnswer:
    """The request of a probe, and what its answer says so far. `status`: 0 until the headers are complete."""

    def __init__(self, ip: str, probe: Probe) -> None:
        self._ip, self._probe = ip, probe
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._received = self._body = self._parts = 0
        self._first = b""
        self.status = 0

    def request(self) -> bytes | None:
        """Return the request; None if no request can have such a path or host."""
        headers = [
            ("Host", self._probe.host or self._host()),
            ("User-Agent", f"nearzone-probe/{VERSION}"),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        try:
            head = self._http.send(h11.Request(method="GET", target=self._probe.path, headers=headers))
            return (head or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        except (h11.LocalProtocolError, UnicodeError):
            return None

    def _host(self) -> str:
        name = self._probe.tls_name or self._ip
        return name if self._probe.port == _DEFAULT_PORTS[self._probe.tls] else f"{name}:{self._probe.port}"

    @property
    def room(self) -> int:
        """How many bytes may be read next; at least one as long as there is no word."""
        most = HEAD_BYTES + BODY_BYTES if self.status else HEAD_BYTES
        return min(CHUNK_BYTES, most - self._received)

    def feed(self, data: bytes) -> ProbeWord | None:
        """Take bytes of the answer, none at its end. Return the word as soon as it is known."""
        self._received += len(data)
        self._parts += 1
        self._first += data[: len(_FIRST) - len(self._first)]
        if not _FIRST.startswith(self._first):  # h11 would wait for a blank line.
            return ProbeWord.NOT_HTTP
        try:
            self._http.receive_data(data)
            word = self._next_word()
        except h11.RemoteProtocolError as error:
            if not data:
                return ProbeWord.CLOSED
            return ProbeWord.TOO_LONG if error.error_status_hint == 431 else ProbeWord.NOT_HTTP
        return ProbeWord.TOO_LONG if word is None and (not self.room or self._parts > MOST_PARTS) else word

    def _next_word(self) -> ProbeWord | None:
        """Return what the bytes so far decide. Raises RemoteProtocolError."""
        while (event := self._http.next_event()) is not h11.NEED_DATA:
            self._parts += 1
            word = self._word(event) or (ProbeWord.TOO_LONG if self._parts > MOST_PARTS else None)
            if word:
                return word
        return None

    def _word(self, event: object) -> ProbeWord | None:
        match event:
            case h11.InformationalResponse():
                return None
            case h11.Response():
                self.status = event.status_code
                return self._head_word(dict(event.headers))
            case h11.Data():
                self._body += len(event.data)
                return ProbeWord.TOO_LONG if self._body > BODY_BYTES else None
            case h11.EndOfMessage():
                return ProbeWord.OK
            case _:
                return ProbeWord.NOT_HTTP

    def _head_word(self, headers: dict[bytes, bytes]) -> ProbeWord | None:
        """Return why the answer is a failure whatever its body is. An operator may expect a redirect."""
        if not self._probe.accepts(self.status):
            return ProbeWord.REDIRECT if 300 <= self.status < 400 else ProbeWord.STATUS
        if self.status not in (204, 304) and int(headers.get(b"content-length", b"0")) > BODY_BYTES:
            return ProbeWord.TOO_LONG
        return None
