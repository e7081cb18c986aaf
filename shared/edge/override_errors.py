"""The error for an override that the catalog could not store: it says whether the override is in force. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.errors import Terminal, Transient
from shared.edge.last_status import RUNBOOK

NOT_TAKEN_BACK = "The order was NOT taken back"


@contextmanager
def override_not_kept(what: str = "The order was NOT kept") -> Iterator[None]:
    """While an override is being stored: what fails here has changed nothing. Raises Transient."""
    try:
        yield
    except (Transient, Terminal) as error:
        again = "give it again when the storage account answers (if only its answer was lost, that does no harm)"
        raise Transient(f"{what}, and nothing was withdrawn or restored: {again}; {RUNBOOK}. {error}") from error


@contextmanager
def override_kept() -> Iterator[None]:
    """After the override was stored. Raises Transient."""
    try:
        yield
    except (Transient, Terminal) as error:
        later = "its names were not all marked: give it again, or wait for the next sweep, which carries it out"
        raise Transient(f"The order was kept, but {later}. {error}") from error
