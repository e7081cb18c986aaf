"""The rows of a vantage: its last round, and the pages of its evidence. This module does no I/O.

partition          key                          columns
vantages           hash of the vantage          the row as JSON
evidence:HASH      number of the page           the evidence of some targets as JSON
"""

from __future__ import annotations

from typing import Any

import msgspec
from azure.data.tables import TableEntity

from shared.catalog.codec import encode_row, read
from shared.domain.catalog_rows import Versioned
from shared.domain.probes import EvidencePage, VantageRow
from shared.domain.resource_ids import digest

VANTAGE = msgspec.json.Decoder(VantageRow)
PAGE = msgspec.json.Decoder(EvidencePage)
PARTITION = "vantages"


def evidence_partition(vantage: str) -> str:
    """Return the partition of a vantage's evidence."""
    return f"evidence:{digest(vantage)}"


def evidence_key(number: int) -> str:
    """Return the key of a page."""
    return f"{number:04d}"


def encode_vantage(row: VantageRow) -> dict[str, Any]:
    """Return the row of a vantage. Raises Terminal if it is too long."""
    return encode_row(PARTITION, digest(row.vantage), row, f"the row of vantage {row.vantage}")


def encode_evidence(page: EvidencePage) -> dict[str, Any]:
    """Return the row of a page. Raises Terminal if it is too long."""
    key = evidence_key(page.number)
    return encode_row(evidence_partition(page.vantage), key, page, f"page {page.number} of the evidence")


def read_evidence(row: TableEntity) -> Versioned[EvidencePage]:
    """Return a page. Raises UnreadableRow."""
    return read(row, PAGE)
