"""TLS on top of an open connection: the handshake does not touch the socket, so it cannot distort its times."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar

from shared.domain.errors import DialError
from shared.domain.probes import ProbeWord

T = TypeVar("T")

RECORD = 16 * 1024
"""Bytes that are read from the connection at once."""
MOST = 256 * 1024
"""Bytes that are read from a connection in all, the handshake included: records without content end there, too."""

_HAS_EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 10, 62, 64
"""X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH (OpenSSL, x509_vfy.h)."""
_CERTIFICATE_WORDS = {
    _HAS_EXPIRED: ProbeWord.CERTIFICATE_EXPIRED,
    _WRONG_NAME: ProbeWord.CERTIFICATE_NAME,
    _WRONG_ADDRESS: ProbeWord.CERTIFICATE_NAME,
}


class Transport(Protocol):
    """A connection that can say a last word."""

    rtt_ms: float | None

    async def read(self, limit: int) -> bytes:
        """At most so many bytes; none at the end."""

    async def write(self, data: bytes) -> None:
        """Send all of it."""

    def close(self, last: bytes = b"") -> None:
        """Send `last` if that needs no waiting, and close."""


@cache
def client_context(*, verify: bool) -> ssl.SSLContext:
    """Return the process's one context of its kind; to load the trusted roots takes tens of milliseconds.

    Trusts what OpenSSL trusts by default, as all clients of the app do: the system's roots, or those that SSL_CERT_FILE
    and SSL_CERT_DIR name. Certificates need not keep to RFC 5280 in every detail: what ordinary
    clients accept must not fail a probe.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsConnection:
    """A `Connection` with TLS over another one. `name`: for SNI and the certificate; an address is checked as such."""

    def __init__(self, transport: Transport, context: ssl.SSLContext, name: str) -> None:
        self._transport = transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._received = 0
        self._open = False
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        except ValueError as error:  # No certificate can have such a name: the settings are at fault.
            raise DialError(ProbeWord.LOCAL_FAULT) from error

    @property
    def rtt_ms(self) -> float | None:
        """The round-trip time of the connection below."""
        return self._transport.rtt_ms

    async def handshake(self) -> None:
        """Do it before anything else. Raises DialError."""
        await self._run(self._tls.do_handshake)
        self._open = True

    async def read(self, limit: int) -> bytes:
        """At most so many bytes; none at the end. Raises DialError."""

        def step() -> bytes:
            try:
                return self._tls.read(limit)
            except ssl.SSLEOFError:  # Many servers leave out the closing alert.
                return b""

        return await self._run(step)

    async def write(self, data: bytes) -> None:
        """Send all of it. Raises DialError."""
        await self._run(lambda: self._tls.write(data))

    def close(self) -> None:
        """Close with the alert that TLS wants at the end, which is not waited for."""
        if self._open:
            with contextlib.suppress(ssl.SSLError):  # It asks for the server's alert; ours is written by now.
                self._tls.unwrap()
        self._transport.close(self._outgoing.read())

    async def _run(self, step: Callable[[], T]) -> T:
        """Repeat a step of OpenSSL until it needs no more bytes from the server."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError as error:
                self._open = False
                raise DialError(self._word(error)) from error
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._transport.write(self._outgoing.read())

    async def _receive(self) -> None:
        data = await self._transport.read(RECORD)
        self._received += len(data)
        if self._received > MOST:
            raise DialError(ProbeWord.TOO_LONG)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _word(self, error: ssl.SSLError) -> ProbeWord:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _CERTIFICATE_WORDS.get(error.verify_code, ProbeWord.CERTIFICATE_UNTRUSTED)
        if isinstance(error, ssl.SSLEOFError) and not self._received:
            return ProbeWord.CLOSED
        return ProbeWord.TLS_FAILED
