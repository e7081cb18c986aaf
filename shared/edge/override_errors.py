"""The error for an override that the catalog could not store: it says whether the override is in force. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.errors import Terminal, Transient
from shared.edge.last_status import RUNBOOK

NOT_STORED = "The override was NOT stored"
NOT_TAKEN_BACK = "The override was NOT ended"


@contextmanager
def override_not_kept(what: str = NOT_STORED) -> Iterator[None]:
    """While an override is being stored: what fails here has changed nothing. Raises Transient."""
    try:
        yield
    except (Transient, Terminal) as error:
        again = (
            "send the request again when the storage account answers (if only its answer was lost, that does no harm)"
        )
        raise Transient(f"{what}, and nothing was withdrawn or restored: {again}; {RUNBOOK}. {error}") from error


@contextmanager
def override_kept(what: str = "The override was stored") -> Iterator[None]:
    """After the override was stored or ended. Raises Transient."""
    try:
        yield
    except (Transient, Terminal) as error:
        later = "its names were not all marked dirty: send the request again, or wait for the next sweep, which does it"
        raise Transient(f"{what}, but {later}. {error}") from error
