"""TLS on loopback: a test CA of its own for each run, the certificate for localhost, and those of model servers.

Imported only where TLS is served: `trustme` is a development requirement.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import lru_cache

import trustme

from simulator.model_servers.server import Certificate

NAMES = ("localhost", "127.0.0.1")
"""The names for which the certificate of the simulator itself is valid."""
OTHER_NAME = "other.invalid"
"""The name in a certificate that is for another name."""
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)


class Authority:
    """The CA of a run. `trusted`: what clients must trust, as PEM."""

    def __init__(self) -> None:
        self._trusted, self._unknown = (trustme.CA(organization_name="nearzone simulator") for _ in range(2))
        self.trusted = self._trusted.cert_pem.bytes()
        self.server_context = lru_cache(1024)(self._server_context)

    def localhost(self) -> ssl.SSLContext:
        """The TLS context of the simulator's own HTTPS."""
        return _context(self._trusted.issue_cert(*NAMES))

    def of_server(self, certificate: Certificate, ip: str) -> ssl.SSLContext:
        """The context of a model server. Its certificate is for the name that the client asks for, else the address."""

        def choose(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            tls.context = self.server_context(certificate, name or ip)

        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.sni_callback = choose
        return found

    def _server_context(self, certificate: Certificate, name: str) -> ssl.SSLContext:
        match certificate:
            case "expired":
                begin, end = _LONG_AGO
                return _context(self._trusted.issue_cert(name, not_before=begin, not_after=end))
            case "name":
                return _context(self._trusted.issue_cert(OTHER_NAME))
            case "untrusted":
                return _context(self._unknown.issue_cert(name))
            case "valid":
                return _context(self._trusted.issue_cert(name))


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(found)
    return found
