"""From a seed to an input: samples, spoilt once, several times or not at all."""

import json

from tests.fuzz import samples
from tests.fuzz.mutate import as_bytes, spoil_bytes, spoil_id, spoil_text, spoil_value


def event(rng):
    """An event's text, or rarely its bytes."""
    text = rng.choice(samples.EVENTS)
    if rng.random() < 0.5:
        text = _with_other_id(rng, text)
    if rng.random() < 0.35:
        value = json.loads(text)
        for _ in range(rng.choice((1, 1, 2, 5))):
            value = _spoilt(rng, value, samples.FIELDS)
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return _as_sent(rng, text)


def _with_other_id(rng, text):
    value = json.loads(text)
    subject = spoil_id(rng, value["subject"])
    if rng.random() < 0.2:
        subject = spoil_id(rng, subject)
    where = rng.choice(("subject", "subject", "subject", "resourceUri", "both"))
    if where != "resourceUri":
        value["subject"] = subject
    elif rng.random() < 0.7:
        del value["subject"]
    if where != "subject":
        value["data"]["resourceUri"] = subject
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def _as_sent(rng, text):
    """What becomes of a text on its way: mostly nothing."""
    chance = rng.random()
    if chance < 0.2:
        text = spoil_text(rng, text)
        if chance < 0.05:
            text = spoil_text(rng, text)
    if rng.random() < 0.9:
        return text
    data = as_bytes(text)
    return spoil_bytes(rng, data) if rng.random() < 0.7 else data


def _spoilt(rng, value, fields):
    return spoil_value(rng, value, fields) if isinstance(value, dict | list) else value


def body(rng):
    """The bytes of a resync request."""
    value = json.loads(rng.choice(samples.BODIES))
    for order in (value, *(value.get(field) for field in ("drain", "undrain", "freeze", "unfreeze"))):
        if order and "endpoint" in order and rng.random() < 0.5:
            order["endpoint"] = spoil_id(rng, rng.choice((order["endpoint"], *samples.REAL)))
        if order and order is not value and rng.random() < 0.3:
            spoil_value(rng, order, samples.ORDER_FIELDS)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        value = _spoilt(rng, value, samples.BODY_FIELDS)
    if isinstance(value, dict) and rng.random() < 0.1:
        value |= json.loads(rng.choice(samples.BODIES))
    sent = _as_sent(rng, json.dumps(value, ensure_ascii=rng.random() < 0.5))
    return sent if isinstance(sent, bytes) else as_bytes(sent)


_ORDERS = (b"drain", b"freeze")


def order(rng):
    """A body that is an order to drain or to freeze, or nearly."""
    return next(made for made in iter(lambda: body(rng), None) if any(each in made for each in _ORDERS))


def unordered(rng):
    """A body that is none."""
    return next(
        made for made in iter(lambda: body(rng), None) if not any(each in made for each in (*_ORDERS, b"embed"))
    )


def question(rng):
    """The query parameters of a status request."""
    params = dict(rng.choice(samples.QUESTIONS))
    for _ in range(rng.choice((0, 1, 1, 2))):
        if not params:
            params = {"name": "llama"}
        name = rng.choice(list(params))
        match rng.randrange(4):
            case 0:
                params[name] = spoil_id(rng, params[name])
            case 1:
                params[name] = spoil_text(rng, params[name] + " ")
            case 2:
                del params[name]
            case _:
                params[spoil_text(rng, name)] = params[name]
    return params


def settings(rng):
    """App settings, one or two of them spoilt."""
    values = dict(samples.SETTINGS)
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        name = rng.choice((*values, *samples.STRUCTURED))
        match rng.randrange(6):
            case 0 | 1 | 2 | 3 if name in samples.STRUCTURED:
                value = json.loads(samples.SETTINGS[name])
                for _ in range(rng.choice((1, 1, 2, 4))):
                    value = _spoilt(rng, value, ())
                values[name] = json.dumps(value, ensure_ascii=rng.random() < 0.5)
            case 4:
                values[spoil_text(rng, name)] = values.pop(name, "")
            case 5:
                values[name] = spoil_id(rng, values.get(name, ""))
            case _:
                values[name] = spoil_text(rng, values.get(name, ""))
    return values
