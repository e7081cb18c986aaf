"""HTTPS on loopback: a test CA and a certificate for localhost, both created anew for each run.

Imported only for HTTPS: `trustme` is a development requirement.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1")
"""The names for which the certificate is valid."""


def context(ca_file: Path) -> ssl.SSLContext:
    """The TLS context of a server; writes the CA's certificate, which clients must trust, to `ca_file` as PEM."""
    ca = trustme.CA(organization_name="nearzone simulator")
    ca.cert_pem.write_to_path(ca_file)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*NAMES).configure_cert(found)
    return found
