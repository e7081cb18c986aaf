"""Seeded mutators of JSON values, texts, bytes and ARM resource ids: small and cheap."""

import re
from copy import deepcopy

from tests.fuzz import payloads as nasty

_MEMBER = re.compile(r'"(\w+)": ?("[^"\\]*"|[0-9a-z]+)')


def spoil_id(rng, text):
    """An ARM resource id that is no longer quite what it was."""
    parts = text.split("/")
    at = rng.randrange(len(parts))
    match rng.randrange(12):
        case 0 | 1:
            parts[at] = rng.choice(nasty.SEGMENTS)
        case 2 | 3:
            parts.append(parts.pop() + rng.choice(nasty.TAILS))
        case 4:
            parts[0] = rng.choice(nasty.HEADS) + parts[0]
        case 5:
            parts = rng.choice((str.upper, str.lower, str.swapcase))(text).split("/")
        case 6 | 7:
            parts = _lookalike(rng, text).split("/")
        case 8:
            parts[at] = rng.choice(parts)
        case 9:
            del parts[at]
        case 10:
            parts.insert(at, rng.choice((*nasty.SEGMENTS, *parts)))
        case _:
            parts += parts
    return "/".join(parts)


def _lookalike(rng, text):
    places = [i for i, letter in enumerate(text) if letter.lower() in nasty.LOOKALIKES]
    for i in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 3)))):
        text = text[:i] + rng.choice(nasty.LOOKALIKES[text[i].lower()]) + text[i + 1 :]
    return text


def spoil_value(rng, value, fields=()):
    """A JSON object or list with one member replaced, taken away, renamed, moved or buried. Changes `value` in place.

    `fields`: members that matter, which are chosen more often than others.
    """
    holder, key = _place(rng, value, fields)
    if holder is None:
        return deepcopy(rng.choice(nasty.VALUES))
    match rng.randrange(10):
        case 0 | 1:
            holder[key] = deepcopy(rng.choice(nasty.VALUES))
        case 2 | 3:
            holder[key] = rng.choice(nasty.TEXTS)
        case 4:
            del holder[key]
        case 5:
            other, at = _place(rng, value, fields)
            holder[key], other[at] = deepcopy(other[at]), deepcopy(holder[key])
        case 6:
            for _ in range(rng.choice((1, 1, 2, 60))):
                holder[key] = rng.choice(([holder[key]], {"x": holder[key]}, {str(key): holder[key]}))
        case 7 | 8 if isinstance(holder[key], str):
            holder[key] = spoil_id(rng, holder[key])
        case _ if isinstance(holder, dict):
            renamed = rng.choice((key.upper(), key.capitalize(), key + " ", rng.choice(nasty.TEXTS), *fields))
            holder[renamed] = holder.pop(key)
    return value


def _place(rng, value, fields):
    """A member of a JSON value and what holds it; None, None where there is none."""
    here = [name for name in fields if isinstance(value, dict) and name in value]
    if here and rng.random() < 0.6:
        return value, rng.choice(here)
    places, queue = [], [value]
    while queue:
        holder = queue.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        places += [(holder, key) for key in keys]
        queue += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return rng.choice(places) if places else (None, None)


def spoil_text(rng, text):
    """A JSON text that may be none any more: cut, doubled, or with literals that no JSON library writes."""
    at, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    return rng.choice(_WAYS)(rng, text, at, end)


def _inserted(rng, text, at, _):
    return text[:at] + rng.choice((*nasty.TEXTS, "{", "}", "[", "]", '"', ",", ":", "\\")) + text[at:]


def _headed(rng, text, *_):
    return rng.choice(("\ufeff", "\x00", ",", "[", "x", " " * 50, *nasty.SURROGATES)) + text


def _followed(rng, text, *_):
    return text + rng.choice(("\x00", ",", "]", "}", text[:500], "\n" * 50, *nasty.SURROGATES))


def _huge(rng, text, at, _):
    size = nasty.LARGEST if rng.random() < 0.05 else 200
    return text[:at] + rng.choice((" ", "a", "[", "\\", "\u20ac")) * size + text[at:]


def _deep(rng, text, *_):
    depth = rng.choice(nasty.DEPTHS) + rng.randrange(-2, 5)
    opened, closed = rng.choice(nasty.NESTS)
    return _written(rng, text, opened * depth + "1" + closed * rng.choice((depth, 0)))


def _odd(rng, text, *_):
    return _written(rng, text, rng.choice(nasty.LITERALS))


def _written(rng, text, literal):
    """Some member's value written otherwise."""
    members = list(_MEMBER.finditer(text))
    if not members:
        return literal
    chosen = rng.choice(members)
    return text[: chosen.start(2)] + literal + text[chosen.end(2) :]


def _doubled(rng, text, *_):
    """A member twice, before or after the first, with another's value."""
    members = list(_MEMBER.finditer(text))
    if not members:
        return text * 2
    chosen, other = rng.choice(members), rng.choice(members)
    member = f'"{chosen[1]}": {other[2]}'
    if rng.random() < 0.5:
        return f"{text[: chosen.start()]}{member}, {text[chosen.start() :]}"
    return f"{text[: chosen.end()]}, {member}{text[chosen.end() :]}"


_WAYS = (
    lambda _, text, at, end: text[:at],
    lambda _, text, at, end: text[:at] + text[end:],
    lambda _, text, at, end: text[:end] + text[at:],
    *(_inserted, _headed, _followed, _huge, _deep, _odd, _odd, _doubled, _doubled),
)


def spoil_bytes(rng, data):
    """Bytes that may be no UTF-8 any more."""
    at = rng.randrange(len(data) + 1)
    match rng.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + rng.choice(nasty.BYTES) + data[at:]
        case 2:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 3:
            return data.decode(errors="replace").encode(rng.choice(("utf-16", "utf-32", "utf-16-le")))
        case 4:
            return b"\xef\xbb\xbf" + data
    return data[:at] + rng.randbytes(rng.choice((1, 8, 200))) + data[at:]


def as_bytes(text):
    """UTF-8, surrogates and all."""
    return text.encode(errors="surrogatepass")
