"""JSON as people write it: where in a text a fault is, and keys that an object has twice.

JSON readers keep the last of two equal keys and say nothing, so that what stands at the first one has no effect.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')
_TRUNCATED = "Input data was truncated"
_BYTE = re.compile(r"\(byte (\d+)\)")


class JsonError(ValueError):
    """A text that is not JSON, or that has a key twice. `key`: that key, or "". `where`: its line and column."""

    def __init__(self, what: str, where: str, key: str = "") -> None:
        super().__init__(f"{what}, {where}" if where else what)
        self.where = where
        self.key = key


def load(text: str) -> Any:  # noqa: ANN401 - JSON, checked by the caller
    """What a text holds. Raises JsonError."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg}", place(text, error.pos)) from error
    except (ValueError, RecursionError) as error:  # A number of thousands of digits; lists nested thousands deep.
        raise JsonError("not JSON that can be read: a number is too long, or the nesting is too deep", "") from error
    check_keys(text)
    return value


def check_keys(text: str) -> None:
    """Raise JsonError where an object of a valid text has a key twice, whatever its escapes; the first such place."""
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
    """The line and the column, both from 1, of the character at an offset."""
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def located(message: str, content: bytes) -> str:
    """What msgspec says of a content that it cannot read, with line and column in the place of its offset in bytes.

    Where it tells no offset ("truncated"), those of the end.
    """
    text = content.decode(errors="replace")
    if message == _TRUNCATED:
        return f"{message} ({place(text, len(text))})"

    def where(found: re.Match[str]) -> str:
        before = content[: int(found[1])].decode(errors="replace")
        return f"({place(before, len(before))})"

    return _BYTE.sub(where, message)
