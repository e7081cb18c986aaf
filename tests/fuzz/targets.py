"""The kinds of input: where each is thrown in, what it may lead to, and what it may not.

Every function gives the outcome in a few words and raises `Broken`, or whatever the app raised, for a broken promise.
"""

import json
import logging
import re
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from shared.bootstrap import build
from shared.config.parser import parse as parse_settings
from shared.config.settings import LABEL
from shared.domain.errors import BadRequest, BadSettings, Transient
from shared.edge import commands as resync
from shared.edge.event_hints import MAX_BYTES
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
    named = re.search("no such (setting|parameter)", reason) or re.match("|".join(SETTINGS), reason)
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
        wanted = resync.parse(text, stage.app.settings, stage.app.inventory.kinds)
    except BadRequest as error:
        return f"refused: {_short(error)}"
    _sane(wanted, stage.app.settings)
    if wanted.drain or wanted.undrain or wanted.freeze or wanted.unfreeze:
        return "parsed: order"
    if not run:
        return "parsed"
    if "embed" in wanted.adopt:  # The one adoption that would rightly write.
        wanted = replace(wanted, dry_run=True)
    try:
        report = await stage.app.resync(wanted)
    except BadRequest as error:  # An endpoint that neither the catalog nor Azure knows.
        await stage.check(SWEEP_REQUESTS)
        return f"refused: {_short(error)}"
    except Transient:
        await stage.check(SWEEP_REQUESTS)
        return "run: raised Transient"
    await stage.check(SWEEP_REQUESTS)
    json.dumps(report.as_json())
    return "run: dry" if wanted.dry_run else "run: for real"


def _short(error):
    text = str(error)
    if not 0 < len(text) <= LONGEST_ANSWER:
        raise Broken(f"a refusal of {len(text)} characters: {text[:80]!r}")
    return plain(text)


def _sane(wanted, settings):
    """What was understood is within what there is."""
    labels = [*wanted.adopt, *([wanted.name] if wanted.name is not None else [])]
    targets = [each for each in (wanted.endpoint, wanted.drain, wanted.undrain) if each and each.startswith("/")]
    if not all(LABEL.fullmatch(each) for each in labels) or not set(wanted.zones) <= set(settings.zones):
        raise Broken(f"asks for what cannot be: {wanted}")
    for each in targets:
        if reason := shapeless(each):
            raise Broken(f"asks for {reason}")
    if wanted.drain and not 1 <= wanted.drain_minutes <= resync.MAX_MINUTES:
        raise Broken(f"a drain of {wanted.drain_minutes} minutes")
    if not {wanted.freeze, wanted.unfreeze} <= {None, *settings.zones}:
        raise Broken(f"freezes a zone of nobody: {wanted}")
    if not 0 <= wanted.freeze_minutes <= resync.MAX_MINUTES:
        raise Broken(f"a freeze of {wanted.freeze_minutes} minutes")


async def question(stage, params):
    """A question is refused, or is about one zone and one name, and gets an answer that JSON can hold."""
    try:
        asked = resync.parse_status_query(params, stage.app.settings)
    except BadRequest as error:
        return f"refused: {_short(error)}"
    if asked.zone and (asked.zone not in stage.app.settings.zones or not LABEL.fullmatch(asked.name) or asked.full):
        raise Broken(f"a question about {asked}")
    try:
        answer = await stage.app.handle_status(asked)
    except BadRequest as error:  # The times of a span.
        return f"refused: {_short(error)}"
    if asked.since:
        return f"answered: {len([json.loads(line) for line in answer.splitlines()])} lines"
    json.dumps(answer)
    if asked.list:
        return f"answered: a page of {asked.list}"
    if asked.zone is None:
        return "answered: everything" if asked.full else "answered: status"
    await stage.check(1)
    return "answered: a known name" if asked.name in NAMES else "answered: another name"


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
