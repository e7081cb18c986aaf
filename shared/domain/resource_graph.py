"""What Azure Resource Graph shows of resources that have opted in. These are hints: they may be minutes old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

VM = "microsoft.compute/virtualmachines"
"""The kind of which a subscription may have so many that a sweep does not list them all."""


@dataclass(frozen=True)
class GraphResource:
    """A resource that has opted in, as Resource Graph shows it.

    `kind`: the kind of its endpoints; for a scale set the kind of its instances. `tagged`, `own`: the names that its
    tags claim. `drained`: its drain tag says so. `power`: the power state of a VM in lower case, or "".
    """

    id: str
    kind: str
    tagged: tuple[str, ...] = ()
    own: str | None = None
    drained: bool = False
    power: str = ""

    @cached_property
    def key(self) -> str:
        """The id for comparison."""
        return self.id.lower()

    @cached_property
    def subscription(self) -> str:
        """The id of its subscription, in lower case."""
        return self.key.split("/")[2]


@dataclass(frozen=True, slots=True)
class GraphFindings:
    """The answer of Resource Graph. `vms`: how many VMs each subscription has that it shows at all, by id."""

    resources: tuple[GraphResource, ...]
    vms: Mapping[str, int]
