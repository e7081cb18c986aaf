"""JSON from operators: the location of a fault in the text, and duplicate keys.

JSON parsers silently keep the last of two equal keys, so that the value of the first one has no effect.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')
_TRUNCATED = "Input data was truncated"
_BYTE = re.compile(r"\(byte (\d+)\)")


class JsonError(ValueError):
    """A text that is not JSON, or that has a duplicate key. `key`: that key, or "". `where`: its line and column."""

    def __init__(self, what: str, where: str, key: str = "") -> None:
        super().__init__(f"{what}, {where}" if where else what)
        self.where = where
        self.key = key


def load(text: str) -> Any:  # noqa: ANN401 - JSON, checked by the caller
    """Parse a text. Raises JsonError."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg}", place(text, error.pos)) from error
    except (ValueError, RecursionError) as error:  # A number with thousands of digits; thousands of nested lists.
        raise JsonError("not JSON that can be read: a number is too long, or the nesting is too deep", "") from error
    check_keys(text)
    return value


def check_keys(text: str) -> None:
    """Raise JsonError if an object of a valid text has a duplicate key, with any escapes; for the first one."""
    objects: list[set[str] | None] = []
    last = ""
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word[0] == '"' and objects and objects[-1] is not None and last in ("{", ","):
            key = json.loads(word)
            if key in objects[-1]:
                raise JsonError(f"the key {json.dumps(key)} comes twice", place(text, token.start()), key)
            objects[-1].add(key)
        elif word in ("{", "["):
            objects.append(set() if word == "{" else None)
        elif word in ("}", "]"):
            objects.pop()
        last = word


def place(text: str, offset: int) -> str:
    """Return the line and the column, both from 1, of the character at an offset."""
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def located(message: str, content: bytes) -> str:
    """Return msgspec's error about a content, with line and column instead of the offset in bytes.

    If the message has no offset ("truncated"), the location is the end.
    """
    text = content.decode(errors="replace")
    if message == _TRUNCATED:
        return f"{message} ({place(text, len(text))})"

    def where(found: re.Match[str]) -> str:
        before = content[: int(found[1])].decode(errors="replace")
        return f"({place(before, len(before))})"

    return _BYTE.sub(where, message)
