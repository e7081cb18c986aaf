"""A world file as text: read from disk, and faults of its form.

Every fault gives the place, the value found and the value expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from simulator.oracle.answers import MATRIX
from simulator.world import entries as world_entries
from simulator.world.entries import EXPECTED, WorldError

_PLACED = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<place>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.[]+)|\[(\d+)\]")
_TWICE = object()


def text_of(path: Path) -> str:
    """A file's text. Raises WorldError for a missing file or one that is not UTF-8 or JSON (with line and column)."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise WorldError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise WorldError(f"line {line}: found bytes that are not UTF-8, expected JSON in UTF-8") from error
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise WorldError(f"line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise WorldError("this is nested too deeply") from error
    return text


def twice(text: str) -> list[str]:
    """Repeated keys of an object, each as a fault with its place."""
    content = json.loads(text, object_pairs_hook=_once)
    return [f"{place}: this key is a duplicate, expected each key of an object once" for place in _twice(content, "")]


def regions_of(content: Any) -> frozenset[str]:  # noqa: ANN401 - JSON
    """The regions that a world may name: those with published round-trip times, and those of its NEARZONE_LATENCY."""
    settings = content.get("settings") if isinstance(content, dict) else None
    distances = settings.get("NEARZONE_LATENCY") if isinstance(settings, dict) else None
    try:
        distances = json.loads(distances) if isinstance(distances, str) else distances
    except ValueError:  # A fault of the setting is reported when it is read.
        distances = None
    rows = distances if isinstance(distances, dict) else {}
    named = {*rows, *(name for row in rows.values() if isinstance(row, dict) for name in row)}
    return frozenset({origin for origin, _ in MATRIX} | {name.replace(" ", "").lower() for name in named})


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _TWICE if key in found else value
    return found


def _twice(content: object, place: str) -> Iterator[str]:
    """The places of repeated keys."""
    if content is _TWICE:
        yield place
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _twice(value, f"{place}.{key}".lstrip("."))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _twice(value, f"{place}[{index}]")


def misshapen(content: object) -> list[str]:
    """Every place where JSON differs from the format: unknown and missing keys, wrong types and values."""
    return list(_misshapen(content, content, world_entries.World, ""))


def _misshapen(whole: object, content: object, kind: Any, place: str) -> Iterator[str]:  # noqa: ANN401 - a type
    items = get_args(kind) if get_origin(kind) is list else ()
    if items and _is_struct(items[0]) and isinstance(content, list):
        for index, each in enumerate(content):
            yield from _misshapen(whole, each, items[0], f"{place}[{index}]")
    elif _is_struct(kind) and isinstance(content, dict):
        hints = _hints(kind)
        for key in (key for key in content if key not in hints):
            near = get_close_matches(key, hints, 1, 0.6)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(hints)}"
            yield f"{place}.{key}: there is no such key; {hint}".lstrip(".")
        for name in (name for name in _required(kind) if name not in content):
            yield f"{place}.{name}: missing, expected in every entry here".lstrip(".")
        for name in (name for name in hints if name in content):
            yield from _misshapen(whole, content[name], hints[name], f"{place}.{name}".lstrip("."))
    else:
        try:
            msgspec.convert(content, kind)
        except msgspec.ValidationError as error:
            yield _explained(error, whole, place)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _required(kind: type[msgspec.Struct]) -> Iterator[str]:
    return (field.encode_name for field in msgspec.structs.fields(kind) if field.required)


def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The types of a struct's fields, by the names that they have in the file."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}


def _explained(error: msgspec.ValidationError, whole: object, at: str) -> str:
    """A message of `msgspec` as place, value found and value expected."""
    said = _PLACED.fullmatch(str(error))
    what, inner = (said["what"], said["place"] or "") if said else (str(error), "")
    place = f"{at}{inner}"
    steps = _STEP.findall(place if place.startswith("[") else f".{place}")
    expected = _expected(what, steps[-1][0] if steps else "")
    where = place or "the file"
    if not expected:
        return f"{where}: {what[:1].lower()}{what[1:]}"
    return f"{where}: found {json.dumps(_found(whole, steps))[:80]}, expected {expected}"


def _expected(what: str, name: str) -> str:
    """The expected value of a field where `msgspec` would show a pattern or omit the choices."""
    for pattern, words in EXPECTED.items():
        if repr(pattern) in what:
            return words
    return _choices().get(name, "") if what.startswith("Invalid enum value") else ""


def _choices() -> dict[str, str]:
    """The allowed words of enumerated fields, by the field's name."""
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
