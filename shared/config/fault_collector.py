"""Reads app settings one after the other, and notes every fault with the setting's name instead of stopping at one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared.config import json_text, schedules
from shared.config.region_names import NEAR, suggestion
from shared.domain.errors import BadSettings

T = TypeVar("T")
PREFIX = "NEARZONE_"
_LIKE_OURS = "NEAR"
"""How the name of a setting begins that was meant for this app, in whatever case."""
_SAME_NAME = 0.85
"""Similarity of two names, 0 to 1, from which on a setting of other beginning or case was probably meant for us."""


class RefusedValueError(ValueError):
    """A value that can be read and cannot be meant; says what is expected."""


class FaultCollector:
    """The settings of the environment that may be meant for this app."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.values = {name: text for name, text in environment.items() if name.upper().startswith(_LIKE_OURS)}
        self.read: set[str] = set()
        self.faults: list[str] = []

    def fault(self, name: str, found: object, expected: str) -> None:
        """Note what was found and what is expected."""
        try:
            shown = json.dumps(found, default=str)
        except RecursionError:  # It was just shallow enough to be read.
            shown = "something nested too deeply"
        self.faults.append(f"{name}: found {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}")

    def finish(self) -> None:
        """Note settings that nobody has read. Raises BadSettings with every fault."""
        for name in sorted(set(self.values) - self.read):
            ours = name.startswith(PREFIX)
            meant = suggestion(name.upper(), self.read, NEAR if ours else _SAME_NAME)
            if ours or meant:  # Linux tells the case of names apart, people often do not.
                self.fault(name, self.values[name], f"no setting of this name{meant}")
        if self.faults:
            raise BadSettings(self.faults)

    def text(self, name: str) -> str:
        """A setting as it stands, "" where there is none."""
        self.read.add(name)
        return self.values.get(name, "")

    def json(self, name: str, kind: type, expected: str, *, required: bool) -> Any:  # noqa: ANN401 - JSON, checked by the caller
        """A setting of JSON of one kind; an empty one of that kind where it has faults or is not there."""
        text = self.text(name)
        if not text.strip():
            if required:
                self.faults.append(f"{name}: missing, expected {expected}")
            return kind()
        try:
            value = json_text.load(text)
        except json_text.JsonError as error:
            if error.key:
                twice = f"key {json.dumps(error.key)} comes twice, expected each key of an object once"
                self.faults.append(f"{name}: {error.where}: {twice}")
            else:
                self.fault(name, text, f"{expected} ({error})")
            return kind()
        if not isinstance(value, kind) or (required and not value):
            self.fault(name, text, expected)
            return kind()
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of some words, whatever its case."""
        text = self.text(name).strip().lower() or default
        if text not in choices:
            self.fault(name, text, " or ".join(choices))
        return text

    def whole(self, name: str, default: int, unit: str, most: int) -> int:
        """A whole number from 1 to `most`."""
        text = self.text(name).strip() or str(default)
        if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= most:
            self.fault(name, text, f"{unit}, 1 to {most}")
            return default
        return int(text)

    def schedule(self, name: str, default: str) -> str:
        """A schedule that both the host and this app understand."""
        text = self.text(name).strip() or default
        if expected := schedules.fault(text):
            self.fault(name, text, f"an NCRONTAB expression: {expected}")
            return default
        return text

    def known(self, where: str, item: object, fields: set[str]) -> bool:
        """Whether an item is an object with no other fields than these."""
        if not isinstance(item, dict):
            self.fault(where, item, "an object with " + ", ".join(sorted(fields)))
            return False
        for name in sorted(set(item) - fields):
            self.fault(f"{where}.{name}", item[name], "no such field; known are " + ", ".join(sorted(fields)))
        return not set(item) - fields

    def items(self, where: str, items: object, expected: str) -> list[tuple[str, object]]:
        """Each item of a list with where it stands."""
        if not isinstance(items, list):
            self.fault(where, items, f"a list, each {expected}")
            return []
        return [(f"{where}[{i}]", item) for i, item in enumerate(items)]

    def listed(self, where: str, items: object, expected: str, convert: Callable[[object], T]) -> list[T]:
        """The items of a list, converted; those that `convert` refuses with ValueError are faults."""
        converted: list[T] = []
        for place, item in self.items(where, items, expected):
            try:
                value = convert(item)
                if value in converted:
                    self.fault(place, item, "each once")
                converted.append(value)
            except RefusedValueError as error:
                self.fault(place, item, str(error))
            except ValueError:
                self.fault(place, item, expected)
        return converted
