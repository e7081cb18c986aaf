"""What a sweep covers, and what the operator has asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.dirty import Cause
from shared.domain.overrides import Override
from shared.domain.zones import Zone


@dataclass(frozen=True, slots=True)
class SweepScope:
    """What a sweep plans for. `names`: only these names, None for all.

    `adopt`: names whose record sets are taken over. `regain`: plan only names whose record sets have lost our owner
    tag, and take them back. `force`: digests of plans that pass the guard; `beyond`: also above its hard limit.

    `dry_run`: plan, and change nothing. For a dry run of an override, `supposed` holds overrides that are treated as in
    force, and `lifted` the target of one that is treated as over.
    """

    zones: tuple[Zone, ...]
    cause: Cause
    names: frozenset[str] | None = None
    dry_run: bool = False
    force: frozenset[str] = frozenset()
    beyond: bool = False
    adopt: frozenset[str] = frozenset()
    regain: bool = False
    supposed: tuple[Override, ...] = ()
    lifted: str | None = None

    def with_supposed(self, overrides: Iterable[Override]) -> tuple[Override, ...]:
        """The overrides to plan with: those in force without the lifted one, and the supposed ones."""
        kept = (each for each in overrides if self.lifted is None or not each.about(self.lifted))
        return (*kept, *self.supposed)

    @property
    def whole(self) -> bool:
        """Whether every name of its zones is planned."""
        return self.names is None and not self.regain
