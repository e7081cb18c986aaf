"""The kinds of input: where each is thrown in, what it may lead to, and what it may not.

Every function gives the outcome in a few words and raises `Broken`, or whatever the app raised, for a broken promise.
"""

import json
import logging
import re
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from shared.bootstrap import build
from shared.config.parser import parse as parse_settings
from shared.config.settings import LABEL
from shared.domain.errors import BadRequest, BadSettings, Transient
from shared.edge import commands
from shared.edge.commands import Drain, Freeze, OverrideCommand, ProbeName, Sweep, Undrain, Unfreeze
from shared.edge.event_hints import MAX_BYTES
from shared.edge.status_query import LogQuery, NameQuery, PageQuery, parse_status_query
from tests.fuzz.samples import SETTINGS
from tests.fuzz.world import IDS, NAMES, SWEEP_REQUESTS, Broken, shapeless
from tests.support.deployment import Token
from tests.support.values import REGIONS

EVENT_REQUESTS = 80
"""An event leads to two reads, or, where 403 brings an endpoint into doubt, to one for each of its names and zones."""
LONGEST_ANSWER = 4096
"""Characters of an error that is told to somebody: a name of theirs in it is cut."""
ZONE_PATH = re.compile(r"(?i)/subscriptions/[0-9a-f-]{36}/resourceGroups/[\w.()-]+/providers/[\w.]+/\w+/[\w.-]+")
CLOUD = re.compile(r"https?://[\w.\[\]:-]+(/[\w./-]*)?", re.ASCII)
SOME = ("llama", "gpu-1", "a" * 63, "ab" * 31)
"""Names to look up under settings that were accepted."""


class Journal(logging.Handler):
    """Formats what the app logs, as the host does, and keeps why the last event was ignored."""

    def __init__(self):
        super().__init__()
        self.ignored = None

    def emit(self, record):
        text = record.getMessage()
        if "\n" in text or "\r" in text or len(text) > LONGEST_ANSWER:
            raise Broken(f"a log entry of {text.count(chr(10)) + 1} lines and {len(text)} characters")
        if text.startswith("event ignored"):
            self.ignored = " ".join(str(part) for part in record.args)


@contextmanager
def journal():
    """Everything that the app logs goes through a journal."""
    kept, log = Journal(), logging.getLogger("nearzone")
    before = log.level, log.propagate
    log.addHandler(kept)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield kept
    finally:
        log.removeHandler(kept)
        log.setLevel(before[0])
        log.propagate = before[1]


def plain(reason):
    """A reason without what it quotes, so that equal reasons can be counted."""
    named = re.search("no such setting|unknown parameter", reason) or re.match("|".join(SETTINGS), reason)
    return named[0] if named else re.split(r"['\"`0-9(]", reason)[0].strip()


async def event(stage, kept, text):
    """An event changes nothing in a world that is right, whatever it says."""
    kept.ignored = None
    try:
        report = await stage.app.on_event(text)
    except Transient:
        await stage.check(EVENT_REQUESTS)
        return "raised Transient"
    asked = await stage.check(EVENT_REQUESTS)
    if bool(kept.ignored) is bool(asked):
        raise Broken(f"{kept.ignored or 'accepted'}, and asked for {asked[:1]}")
    if len(text) > MAX_BYTES and not kept.ignored:
        raise Broken(f"an event of {len(text)} characters was read")
    if kept.ignored:
        return f"ignored: {plain(kept.ignored)}"
    if report.failures:
        return f"failed: {plain(report.failures[0][1])}"
    if not report.observed:
        return "accepted: a NIC of nobody"
    known = any(unquote(path).lower() in IDS for path in asked)
    return "accepted: a VM of this world" if known else "accepted: a VM of nobody"


async def body(stage, text, *, run):
    """A body is refused in few words, or asks for what it says; in a world that is right nothing comes of that."""
    try:
        known = stage.app.inventory
        command = commands.parse(text, stage.app.settings, known.kinds, parents=known.parent_types)
    except BadRequest as error:
        return f"refused: {_short(error)}"
    _sane(command, stage.app.settings)
    if isinstance(command, OverrideCommand):
        return "parsed: order"
    if not run:
        return "parsed"
    if isinstance(command, Sweep) and "embed" in command.adopt:  # The one adoption that would rightly write.
        command = replace(command, dry_run=True)
    try:
        report = await stage.app.resync(command)
    except BadRequest as error:  # An endpoint that neither the catalog nor Azure knows.
        await stage.check(SWEEP_REQUESTS)
        return f"refused: {_short(error)}"
    except Transient:
        await stage.check(SWEEP_REQUESTS)
        return "run: raised Transient"
    await stage.check(SWEEP_REQUESTS)
    json.dumps(report.as_json())
    return "run: dry" if report.dry_run else "run: for real"


def _short(error):
    text = str(error)
    if not 0 < len(text) <= LONGEST_ANSWER:
        raise Broken(f"a refusal of {len(text)} characters: {text[:80]!r}")
    return plain(text)


def _sane(command, settings):
    """What was understood is within what there is."""
    zones, labels, target = (), (), ""
    match command:
        case Sweep(zones=zones, name=name, endpoint=endpoint, adopt=adopt):
            labels, target = [*adopt, *([name] if name is not None else [])], endpoint or ""
        case Drain(target=target, minutes=minutes) if not 1 <= minutes <= commands.MAX_MINUTES:
            raise Broken(f"a drain of {minutes} minutes")
        case Freeze(minutes=minutes) if not 0 <= minutes <= commands.MAX_MINUTES:
            raise Broken(f"a freeze of {minutes} minutes")
        case Drain(target=target) | Undrain(target=target):
            pass
        case Freeze(zone=zone) | Unfreeze(zone=zone):
            zones = (zone,)
        case ProbeName(name=name, zones=zones):
            labels = [name]
    if not all(LABEL.fullmatch(each) for each in labels) or not set(zones) <= set(settings.zones):
        raise Broken(f"asks for what cannot be: {command}")
    if target.startswith("/") and (reason := shapeless(target)):
        raise Broken(f"asks for {reason}")


async def question(stage, params):
    """A question is refused, or is about one zone and one name, and gets an answer that JSON can hold."""
    try:
        query = parse_status_query(params, stage.app.settings)
    except BadRequest as error:
        return f"refused: {_short(error)}"
    about_name = isinstance(query, NameQuery)
    if about_name and (query.zone not in stage.app.settings.zones or not LABEL.fullmatch(query.name)):
        raise Broken(f"a question about {query}")
    try:
        answer = await stage.app.handle_status(query)
    except BadRequest as error:  # The times of a span.
        return f"refused: {_short(error)}"
    if isinstance(query, LogQuery):
        return f"answered: {len([json.loads(line) for line in answer.splitlines()])} lines"
    json.dumps(answer)
    if isinstance(query, PageQuery):
        return f"answered: a page of {query.list}"
    if not about_name:
        return "answered: everything" if query.full else "answered: status"
    await stage.check(1)
    return "answered: a known name" if query.name in NAMES else "answered: another name"


async def settings(values, *, wire):
    """Settings are refused with their faults, or are such that an app can run under them."""
    try:
        found = parse_settings(values, REGIONS)
        if wire:
            build(values, credential=Token())
    except BadSettings as error:
        if not error.faults:
            raise Broken("refused without a fault") from error
        return f"refused: {plain(error.faults[0])}"
    json.dumps([found.digest, found.owner])
    for name in SOME:
        found.may_claim(name, f"/subscriptions/{min(found.subscriptions)}/resourceGroups/x/y")
        found.policy(name)
    for zone in found.zones:
        if not ZONE_PATH.fullmatch(zone.id):
            raise Broken(f"a zone whose id is no path: {zone.id!r}")
    if not CLOUD.fullmatch(found.cloud.arm) or urlsplit(found.cloud.arm).port == 0:  # Raises for what is no port.
        raise Broken(f"a cloud that is no URL: {found.cloud.arm!r}")
    return "accepted, and wired" if wire else "accepted"
