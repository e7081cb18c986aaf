"""Reads app settings one by one, and collects every fault with the setting's name instead of stopping at the first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared.config import json_text, schedules
from shared.config.region_names import MIN_SIMILARITY, suggestion
from shared.domain.errors import BadSettings

T = TypeVar("T")
PREFIX = "NEARZONE_"
_PREFIX_START = "NEAR"
"""The first letters, in any case, of the name of a setting that was probably meant for this app."""
_MIN_SIMILARITY = 0.85
"""Similarity of two names, 0 to 1, at which a setting with another prefix or case was probably meant for this app."""


class RefusedValueError(ValueError):
    """A value that can be parsed but is not accepted; the message says what is expected."""


class FaultCollector:
    """The environment's settings that may be meant for this app."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.values = {name: text for name, text in environment.items() if name.upper().startswith(_PREFIX_START)}
        self.read: set[str] = set()
        self.faults: list[str] = []

    def fault(self, name: str, found: object, expected: str) -> None:
        """Add a fault: the value found, and what is expected."""
        try:
            shown = json.dumps(found, default=str)
        except RecursionError:  # Deep nesting that could just be parsed.
            shown = "a value that is nested too deeply"
        self.faults.append(f"{name}: found {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}")

    def finish(self) -> None:
        """Add a fault for each setting that was not read. Raises BadSettings with every fault."""
        for name in sorted(set(self.values) - self.read):
            ours = name.startswith(PREFIX)
            meant = suggestion(name.upper(), self.read, MIN_SIMILARITY if ours else _MIN_SIMILARITY)
            if ours or meant:  # On Linux the case of names matters.
                self.fault(name, self.values[name], f"no setting of this name{meant}")
        if self.faults:
            raise BadSettings(self.faults)

    def text(self, name: str) -> str:
        """Return a setting unchanged, "" if it is absent."""
        self.read.add(name)
        return self.values.get(name, "")

    def json(self, name: str, kind: type, expected: str, *, required: bool) -> Any:  # noqa: ANN401 - JSON, checked by the caller
        """Parse a JSON setting of one kind; an empty value of that kind if it has faults or is absent."""
        text = self.text(name)
        if not text.strip():
            if required:
                self.faults.append(f"{name}: missing, expected {expected}")
            return kind()
        try:
            value = json_text.load(text)
        except json_text.JsonError as error:
            if error.key:
                twice = f"key {json.dumps(error.key)} is a duplicate, expected each key of an object once"
                self.faults.append(f"{name}: {error.where}: {twice}")
            else:
                self.fault(name, text, f"{expected} ({error})")
            return kind()
        if not isinstance(value, kind) or (required and not value):
            self.fault(name, text, expected)
            return kind()
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Return one of some words, in any case."""
        text = self.text(name).strip().lower() or default
        if text not in choices:
            self.fault(name, text, " or ".join(choices))
        return text

    def integer(self, name: str, default: int, unit: str, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        text = self.text(name).strip() or str(default)
        if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= most:
            self.fault(name, text, f"{unit}, 1 to {most}")
            return default
        return int(text)

    def schedule(self, name: str, default: str) -> str:
        """Return a schedule that both the host and this app understand."""
        text = self.text(name).strip() or default
        if expected := schedules.fault(text):
            self.fault(name, text, f"an NCRONTAB expression: {expected}")
            return default
        return text

    def has_known_fields(self, where: str, item: object, fields: set[str]) -> bool:
        """Return whether an item is an object with no other fields than these."""
        if not isinstance(item, dict):
            self.fault(where, item, "an object with " + ", ".join(sorted(fields)))
            return False
        for name in sorted(set(item) - fields):
            self.fault(f"{where}.{name}", item[name], "one of the fields " + ", ".join(sorted(fields)))
        return not set(item) - fields

    def items(self, where: str, items: object, expected: str) -> list[tuple[str, object]]:
        """Return each item of a list with its location."""
        if not isinstance(items, list):
            self.fault(where, items, f"a list, each {expected}")
            return []
        return [(f"{where}[{i}]", item) for i, item in enumerate(items)]

    def convert_items(self, where: str, items: object, expected: str, convert: Callable[[object], T]) -> list[T]:
        """Return the converted items of a list; items for which `convert` raises ValueError are faults."""
        converted: list[T] = []
        for place, item in self.items(where, items, expected):
            try:
                value = convert(item)
                if value in converted:
                    self.fault(place, item, "no duplicates")
                converted.append(value)
            except RefusedValueError as error:
                self.fault(place, item, str(error))
            except ValueError:
                self.fault(place, item, expected)
        return converted
