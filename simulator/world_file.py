"""A world file as text: read from disk, and what is wrong with it in words.

Every fault is a WorldError that says where it is, what was found and what is expected there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from simulator import world_entries
from simulator.world_entries import EXPECTED, WorldError

_PLACED = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<place>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.[]+)|\[(\d+)\]")
_TWICE = object()


def text_of(path: Path) -> str:
    """A file's text. Raises WorldError: no such file, no JSON (with line and column), a key that is there twice."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise WorldError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise WorldError(f"line {line}: found bytes that are not UTF-8, expected JSON in UTF-8") from error
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise WorldError(f"line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise WorldError("this is nested too deeply") from error
    for place in _twice(content, ""):
        raise WorldError(f"{place}: this key comes twice, expected each key of an object once")
    return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _TWICE if key in found else value
    return found


def _twice(content: object, place: str) -> Iterator[str]:
    """The places of keys that came twice."""
    if content is _TWICE:
        yield place
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _twice(value, f"{place}.{key}".lstrip("."))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _twice(value, f"{place}[{index}]")


def explained(error: msgspec.ValidationError, text: bytes | str) -> str:
    """What `msgspec` says of a text that is JSON and no world, as place, found and expected."""
    said = _PLACED.fullmatch(str(error))
    what, place = (said["what"], said["place"] or "") if said else (str(error), "")
    steps = _STEP.findall(place)
    expected = _expected(what, steps[-1][0] if steps else "")
    where = place.lstrip(".") or "the file"
    if not expected:
        return f"{where}: {what[:1].lower()}{what[1:]}"
    return f"{where}: found {json.dumps(_found(msgspec.json.decode(text), steps))[:80]}, expected {expected}"


def _expected(what: str, name: str) -> str:
    """What a field should hold, where `msgspec` would show a pattern or leave out the choices."""
    for pattern, words in EXPECTED.items():
        if repr(pattern) in what:
            return words
    return _choices().get(name, "") if what.startswith("Invalid enum value") else ""


def _choices() -> dict[str, str]:
    """The words that fields may hold which hold one of a few, by the field's name."""
    structs = [each for each in vars(world_entries).values() if isinstance(each, type(msgspec.Struct))]
    hints = {name: hint for struct in structs for name, hint in get_type_hints(struct).items()}
    return {name: "one of " + ", ".join(words) for name, hint in hints.items() if (words := list(_words(hint)))}


def _words(hint: Any) -> Iterator[str]:  # noqa: ANN401 - a type, as it is written
    for each in get_args(hint):
        yield from (each,) if get_origin(hint) is Literal else _words(each)


def _found(content: Any, steps: list[tuple[str, str]]) -> Any:  # noqa: ANN401 - JSON
    for key, index in steps:
        content = content[int(index)] if index else content[key]
    return content
