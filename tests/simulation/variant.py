"""One way to break the app on purpose."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A replacement of text in one file. `probes`: it is played on the seeds that draw probes."""

    name: str
    file: str
    old: str
    new: str
    probes: bool = False
