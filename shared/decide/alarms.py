"""One alarm for each cause, for any number of endpoints, names or zones that have it. Pure.

A scale set of 60 instances with one wrong tag needs one correction, and so gets one alarm with a count and examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.alarms import Alarm
from shared.domain.zone_findings import BlockedName, Obstacle
from shared.domain.zones import Zone

EXAMPLES = 3
"""How many subjects of one cause are named."""
FEW, SHORT = 3, 40
"""The text of an alarm about several subjects shows up to `FEW` different names or numbers of up to `SHORT` characters.

About one subject it always shows the first `FEW`, because no list of subjects tells where the fault is.
"""

_VARIABLE_PARTS = re.compile(
    r"""https?://[^\s'",;)]+ | /subscriptions/[^\s'",;)]+ | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}
    | '[^']*' | "[^"]*" | (?<!HTTP\ )(?<![\w.])\d[\d.:,]*(?!\w)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Parts that differ between texts about one cause: URLs, ids, quoted text, numbers other than HTTP statuses."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One problem of `subject`, which is one of these `noun`s (in the plural).

    `text`: the problem, without the subject. `alone`: the whole text if no other subject has this cause; "" for subject
    and text. `at`: as in `Alarm`.
    """

    subject: str
    text: str
    means: str
    do: str
    noun: str
    alone: str = ""
    at: float = 0.0


def grouped(troubles: Iterable[Trouble]) -> list[Alarm]:
    """Return one alarm for each cause, in the order in which the causes first occur.

    Equal texts have one cause, and so have texts that differ only in names, ids and numbers.
    """
    shapes: dict[tuple[str, ...], dict[str, list[Trouble]]] = {}
    for each in troubles:
        key = (_VARIABLE_PARTS.sub("...", each.text), each.means, each.do, each.noun)
        shapes.setdefault(key, {}).setdefault(each.text, []).append(each)
    return [_alarm(shape, texts) for (shape, *_), texts in shapes.items()]


def _merge_texts(shape: str, texts: Sequence[str], *, is_one_subject: bool) -> str:
    """Return one text for texts with the same fixed parts; their variable parts are listed if they are short."""
    fixed, found = _VARIABLE_PARTS.split(texts[0]), [_VARIABLE_PARTS.findall(text) for text in texts]
    if len({len(each) for each in found}) > 1:
        return shape
    merge = _first_values if is_one_subject else _merge_values
    told = [merge(list(dict.fromkeys(column))) for column in zip(*found, strict=True)]
    return "".join(part for pair in zip(fixed, [*told, ""], strict=True) for part in pair)


def _merge_values(values: Sequence[str]) -> str:
    """Return the text for the values of one variable part; of different paths, the last segment."""
    if len(values) == 1:
        return values[0]
    ends = [each.strip("'\"").rsplit("/", 1)[-1] if "/" in each else each for each in values]
    return ", ".join(ends) if len(ends) <= FEW and max(map(len, ends)) <= SHORT else "..."


def _first_values(values: Sequence[str]) -> str:
    """Return the first values of one variable part as they are, and whether there are more."""
    return ", ".join((*values[:FEW], *(["..."] if len(values) > FEW else [])))


def _alarm(shape: str, texts: Mapping[str, Sequence[Trouble]]) -> Alarm:
    """Return the alarm of one cause: its shape, and the troubles by text."""
    same = [each for troubles in texts.values() for each in troubles]
    first, at = same[0], max(each.at for each in same)
    subjects = list(dict.fromkeys(each.subject for each in same))
    text = _merge_texts(shape, list(texts), is_one_subject=len(subjects) == 1)
    if len(subjects) == 1:
        what = first.alone if first.alone and text == first.text else f"{first.subject}: {text}"
        return Alarm(what, first.means, first.do, 1, (first.subject,), at)
    shown = ", ".join((*map(_short, subjects[:EXAMPLES]), *(["..."] if len(subjects) > EXAMPLES else [])))
    what = f"{text} ({len(subjects):,} {first.noun}: {shown})"
    return Alarm(what, first.means, first.do, len(subjects), tuple(subjects[:EXAMPLES]), at)


def _short(subject: str) -> str:
    """Return a resource's own name; "set/0" for an instance of a uniform scale set, "apim/eastus" for a location."""
    parts = subject.split("/")
    if not subject.startswith(("/", "static/")):
        return subject
    has_parent = len(parts) > 3 and (parts[-4].lower() == "virtualmachinescalesets" or parts[-2].lower() == "locations")
    return f"{parts[-3]}/{parts[-1]}" if has_parent else parts[-1]


def zone_label(zone: Zone) -> str:
    """Return a zone as text for the operator."""
    return f"zone {zone.fqdn} ({zone.region})"


_STAYS = "nearzone may not write it: the answer in this zone grows old, and dead addresses stay"
_LEFT = "no endpoint claims it any more, and nearzone may not remove it: clients still get its addresses"
_TAKE_BACK = (
    'check a resync with {"adopt": "lost", "dry_run": true}, then resync with {"adopt": "lost"} '
    "(`nearzone adopt --lost` does both), or remove the record set; and make the tool that wrote it keep "
    "`nearzone-owner` in the metadata"
)
_TAKE_OVER = (
    'resync with {"adopt": ["NAME"]} (`nearzone adopt NAME`) to take it over, or remove the record set, '
    "or let the endpoint claim another name"
)
_UNLINK = (
    "turn auto-registration off in the zone's link to that VNet, or let the endpoint claim another name; "
    "NEARZONE_HOST_NAMES=false leaves the machines' own names to Azure"
)


def blocked(zone: Zone, names: Iterable[BlockedName]) -> list[Alarm]:
    """Return the alarms about the names of a zone that nearzone may not write: one for each reason."""
    return grouped(_blocked(zone, each) for each in names)


def _blocked(zone: Zone, each: BlockedName) -> Trouble:
    holds = ", ".join(each.addresses) or "no address"
    means, do = (_STAYS if each.claimed else _LEFT), _TAKE_OVER
    if each.why == Obstacle.LOST:
        text, do = "the record set has lost our owner tag", _TAKE_BACK
    elif each.why == Obstacle.AUTO:
        text, do = "the record set is auto-registered by Azure", _UNLINK
    elif each.why == Obstacle.OTHER:
        text = f"the record set belongs to owner {each.owner!r}"
        do = f"if NEARZONE_OWNER was changed, set it back; otherwise {_TAKE_OVER}"
    else:
        text = "the record set is not ours"
    subject = f"{each.name} ({holds})"
    alone = f"{each.name} in {zone_label(zone)}: {text}; it holds {holds}"
    return Trouble(subject, f"{zone_label(zone)}: {text}", means, do, "names", alone)
