"""Which addresses of an endpoint with several parts are published for which name.

A part is what a claim can name after an `@`: a frontend of a load balancer or gateway, a member of a private endpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from shared.azure.tags import ALL_PARTS, TAG, Names, Wanted
from shared.domain.endpoints import Address

SHOWN = 8
"""Parts, or backend pools, that a text lists."""


class Part(NamedTuple):
    """A part as Azure spells its name, with its private IPv4 addresses.

    `withheld`: it does not serve now, so no name gets its addresses.
    """

    name: str
    addresses: tuple[Address, ...]
    withheld: bool = False

    @property
    def serves(self) -> bool:
        """Whether names get its addresses."""
        return bool(self.addresses) and not self.withheld


class Selection(NamedTuple):
    """The values of `Endpoint.addresses` and `Endpoint.selected`, and the faults of the claims, as text."""

    addresses: tuple[Address, ...]
    selected: tuple[tuple[str, tuple[Address, ...]], ...]
    faults: tuple[str, ...]


def select(found: Names, wanted: Wanted, parts: Sequence[Part], what: str, preferred: str = "") -> Selection:
    """Return which addresses of an endpoint are published for the names that it claims.

    `found`, `wanted`: as `tags.names_and_parts` returns them. `what`: the word for a part, such as "frontend".
    `preferred`: the name of the part that a claim without a part means; if there is no such part, it means all.

    A claim names a part by its name, in any case, or by one of its addresses, and gets the addresses of all parts that
    it names. A part that does not exist is a fault; a name that has no other one gets no address. A claim without a
    part that gets the addresses of several parts that serve is a fault that says how to choose. The own name is a claim
    without a part unless the tag has it as well. Without any part, nothing is known of them, and no claim is faulty.
    Names and lists in the faults are quoted, so that `decide/alarms.py` sees one cause for all endpoints.
    """
    usual = [part for part in parts if part.name == preferred] or parts
    words = dict(wanted)
    chosen = {name: _addresses(words.get(name, ("",)), parts, usual) for name in _names(found)}
    withheld = {address for part in parts if part.withheld for address in part.addresses}
    everything = _sorted(address for part in (parts if wanted else usual) for address in part.addresses)
    published = {name: _sorted(chosen[name] - withheld) for name in sorted(chosen)}
    selected = tuple((name, addresses) for name, addresses in published.items() if addresses != everything)
    faults = (*_missing(wanted, parts, what), *_choice(found, words, usual, what))
    return Selection(everything, selected, faults)


def _names(found: Names) -> set[str]:
    return {*found.tagged, *([found.own] if found.own else ())}


def _sorted(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(sorted(set(addresses)))


def _addresses(words: Iterable[str], parts: Sequence[Part], usual: Sequence[Part]) -> set[Address]:
    """Return the addresses of the parts that a claim names."""
    found: set[Address] = set()
    for word in words:
        if word in ("", ALL_PARTS):
            found.update(address for part in (parts if word else usual) for address in part.addresses)
        else:
            found.update(address for part in parts for address in part.addresses if _means(word, part, address))
    return found


def _means(word: str, part: Part, address: Address) -> bool:
    return word in (part.name.lower(), address.ip)


def _missing(wanted: Wanted, parts: Sequence[Part], what: str) -> list[str]:
    """Return the faults of claims that name a part that does not exist."""
    known = {part.name.lower() for part in parts} | {address.ip for part in parts for address in part.addresses}
    return [
        f"tag {TAG}: {f'{name}@{word}'[:80]!r}: it has no {what} {word[:80]!r}; it has {_quoted_list(parts)}"
        for name, words in (wanted if parts else ())
        for word in words
        if word not in ("", ALL_PARTS) and word not in known
    ]


def _choice(found: Names, words: dict[str, tuple[str, ...]], usual: Sequence[Part], what: str) -> list[str]:
    """Return the fault of claims without a part, if they get the addresses of several parts that serve.

    The own name counts if the tag has no name: with tagged names, it is only there to find the machine.
    """
    several = [part for part in usual if part.serves]
    claimed = found.tagged or ((found.own,) if found.own else ())
    names = [each for each in claimed if "" in words.get(each, ("",)) and ALL_PARTS not in words.get(each, ())]
    if not names or len({address for part in several for address in part.addresses}) < 2 or len(several) < 2:
        return []
    one = next((part.name for part in several if part.name), "")
    example = f"{names[0]}@{one.lower() or several[0].addresses[0].ip}"
    fault = (
        f"tag {TAG}: all of its {what}s that serve are published for '{', '.join(names)}': write '{example}' for "
        f"one of them, or '{names[0]}@{ALL_PARTS}' for all; they are {_quoted_list(several)}"
    )
    return [fault]


def _quoted_list(parts: Collection[Part]) -> str:
    """Format parts with their addresses, at most `SHOWN` of them, in one pair of quotes."""
    shown = [" ".join([part.name, *(address.ip for address in part.addresses)]).strip() for part in parts]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return f"'{', '.join(shown[:SHOWN])}{more}'"
