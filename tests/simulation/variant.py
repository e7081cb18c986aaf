"""One way to break the app on purpose."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A replacement of text in one file. `probes`: it is played on the seeds that draw probes.

    `also`: a second replacement (file, old text, new text), where two places guard against the same.
    """

    name: str
    file: str
    old: str
    new: str
    probes: bool = False
    also: tuple[str, str, str] | None = None
