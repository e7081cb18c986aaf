"""The commands that change something: drain, undrain, freeze, unfreeze, adopt, sync."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from nearzone_cli.client import AppClient, Json
from nearzone_cli.commands.giving import Concerned, NothingToEnd, Work, agreed, ending, give, with_reason
from nearzone_cli.commands.targets import drain_target, zones_of
from nearzone_cli.completion import names as known_names
from nearzone_cli.completion import region_names
from nearzone_cli.durations import MAX_MINUTES, end_today, iso, minutes, seconds, spoken
from nearzone_cli.errors import Refused, UsageError
from nearzone_cli.fleet import Result
from nearzone_cli.options import Order, command
from nearzone_cli.screens.said import short
from nearzone_cli.session import Session

app = typer.Typer()

TARGET = Annotated[
    str,
    typer.Argument(
        metavar="REGION|ENDPOINT|PARENT",
        autocompletion=region_names,
        help="A region, an endpoint's id, or its name if only one has it; the id of a scale set or API Management.",
    ),
]
FOR = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="60m, 2h, 1h30m; at most 7d.")]
UNTIL = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="TIME", help="The end instead of --for: 2026-11-29T12:00:00Z or 12:00 (today, UTC)."
    ),
]
ZONES = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REGION]...", autocompletion=region_names, help="Zones by region or id; all if left out."),
]


ONLY_ZONES = Annotated[
    list[str] | None,
    typer.Option(
        "--zone", metavar="REGION", autocompletion=region_names, help="Only this zone, by region or id; repeatable."
    ),
]


@command(
    app,
    "drain",
    """
    nearzone drain eastus --for 4h --reason INC-4711
    nearzone drain llama-eus-1 --for 60m --dry-run
    nearzone drain eastus --for 4h --yes --until-all=30m
""",
)
def drain(session: Session, order: Order, target: TARGET, duration: FOR = None, until: UNTIL = None) -> int:
    """Withdraw a region, an endpoint, a scale set or an API Management service from all answers of all apps for a time.

    All apps get the same end. Whole minutes are sent, rounded up.
    """
    length, fixed = _length(session, duration, until)
    found = drain_target(session, target)
    what = f"{found.kind} {short(found.value)}"

    def dry_run(client: AppClient) -> Json:
        return client.resync({"drain": {**found.body, "minutes": minutes(length)}, "dry_run": True})

    ends = f"until {iso(session.now() + length)}" if until else f"for {spoken(length)}"
    question = f"Drain {what} at {_apps(session)} {ends}?"
    if (code := agreed(session, order, question, dry_run)) is not None:
        return code
    # A duration counts from the moment of sending, not from the question.
    end = session.now() + length if fixed is None else fixed

    def work(client: AppClient) -> Json:
        left = end - session.now()
        if left <= 0:
            raise Refused(f"not sent: the drain is over since {iso(end)}")
        return client.resync(with_reason({"drain": {**found.body, "minutes": minutes(left)}}, order))

    return give(session, order, "drain", work, (found.value, "--until", iso(end)))


def _length(session: Session, duration: str | None, until: str | None) -> tuple[float, float | None]:
    """The duration of an override in seconds, and its end if --until gives one. Raises UsageError."""
    if (duration is None) == (until is None):
        raise UsageError("--for: exactly one of --for and --until is expected, such as --for 60m")
    now = session.now()
    end = None if duration else end_today("--until", until or "", now)
    length = seconds("--for", duration or "") if end is None else end - now
    if minutes(length) > MAX_MINUTES:
        raise UsageError(f"{'--for' if duration else '--until'}: at most 7 days are accepted")
    if duration and length % 60:
        session.terminal.note(
            f"--for: {spoken(length)} is sent as {minutes(length)} minutes, because the apps take whole minutes"
        )
    return length, end


def _apps(session: Session) -> str:
    count = len(session.fleet.clients)
    return f"{count} app{'s' if count > 1 else ''}"


@command(
    app,
    "undrain",
    """
    nearzone undrain eastus
    nearzone undrain eastus --until-all
""",
)
def undrain(session: Session, order: Order, target: TARGET) -> int:
    """End a drain at every app. An app that does not have it is as it should be."""
    found = drain_target(session, target)

    def work(client: AppClient) -> Json:
        return ending(lambda: client.resync(with_reason({"undrain": found.body}, order)))

    return give(session, order, "undrain", work, (found.value,))


@command(
    app,
    "freeze",
    """
    nearzone freeze --reason 'stop everything'
    nearzone freeze eastus --for 60m
""",
)
def freeze(session: Session, order: Order, zones: ZONES = None, duration: FOR = None, until: UNTIL = None) -> int:
    """Write nothing to zones: of all apps, or of these regions. Without --for until they are unfrozen."""
    end = None
    if duration or until:
        length, fixed = _length(session, duration, until)
        end = session.now() + length if fixed is None else fixed

    def work(client: AppClient) -> Json:
        left = None if end is None else end - session.now()
        if end is not None and left is not None and left <= 0:
            raise Refused(f"not sent: the freeze is over since {iso(end)}")
        given = {} if left is None else {"minutes": minutes(left)}
        return _each_zone(
            client, zones or (), lambda zone: client.resync(with_reason({"freeze": {"zone": zone, **given}}, order))
        )

    ends = () if end is None else ("--until", iso(end))
    return give(session, order, "freeze", work, (*(zones or ()), *ends), _with_zones(zones or ()))


@command(
    app,
    "unfreeze",
    """
    nearzone unfreeze
    nearzone unfreeze eastus
""",
)
def unfreeze(session: Session, order: Order, zones: ZONES = None) -> int:
    """Write to zones again, and sweep them: of all apps, or of these regions."""

    def work(client: AppClient) -> Json:
        return _each_zone(
            client,
            zones or (),
            lambda zone: ending(lambda: client.resync(with_reason({"unfreeze": {"zone": zone}}, order))),
        )

    return give(session, order, "unfreeze", work, zones or (), _with_zones(zones or ()))


@command(
    app,
    "adopt",
    """
    nearzone adopt llama-70b phi-4 --region eastus
    nearzone adopt --lost --dry-run
""",
)
def adopt(
    session: Session,
    order: Order,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", autocompletion=known_names, help="Names to take over.")
    ] = None,
    lost: Annotated[
        bool, typer.Option("--lost", help="All record sets that were ours and have lost the owner tag.")
    ] = False,
    zone: ONLY_ZONES = None,
) -> int:
    """Take over record sets that do not carry the owner tag. What they hold is replaced.

    First stop the tool that writes them.
    """
    if bool(names) == lost:
        raise UsageError("NAME: either names or --lost is expected")
    wanted: Json = {"adopt": "lost" if lost else names}
    question = f"Adopt {'all that have lost the owner tag' if lost else ', '.join(names or ())} at {_apps(session)}?"
    concerned = _with_zones(zone or ())
    code = agreed(session, order, question, _sweep({**wanted, "dry_run": True}, zone), concerned)
    if code is not None:
        return code
    own = [*(("--lost",) if lost else names or ()), *_zone_words(zone)]
    return give(session, order, "adopt", _sweep(with_reason(wanted, order), zone), own, concerned)


@command(
    app,
    "sync",
    """
    nearzone sync
    nearzone sync --name llama-70b
    nearzone sync --force 0123456789ab --region eastus
""",
)
def sync(
    session: Session,
    order: Order,
    name: Annotated[str | None, typer.Option("--name", autocompletion=known_names, help="Only this name.")] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Read this endpoint anew: its id, or its name if only one has it.")
    ] = None,
    force: Annotated[
        list[str] | None, typer.Option("--force", metavar="DIGEST", help="Let this refused plan through; repeatable.")
    ] = None,
    force_beyond: Annotated[bool, typer.Option("--force-beyond", help="Also above the guard's hard bound.")] = False,
    zone: ONLY_ZONES = None,
) -> int:
    """Sweep now: compare every zone with Azure, and correct it. With --force it asks first."""
    body: Json = {"name": name} if name else {}
    own = [*(["--name", name] if name else []), *_zone_words(zone)]
    concerned = _with_zones(zone or ())
    if endpoint:
        found = drain_target(session, endpoint)
        if found.kind != "endpoint":
            raise UsageError(f"--endpoint: {endpoint!r} is no endpoint")
        body["endpoint"] = found.value
        own += ["--endpoint", found.value]
    if force:
        body["force"] = force
        own += [word for digest in force for word in ("--force", digest)]
    if force_beyond:
        body["force_beyond"] = True
        own += ["--force-beyond"]
    if force:
        question = f"Let the plan {', '.join(force)} through at {_apps(session)}?"
        code = agreed(session, order, question, _sweep({**body, "dry_run": True}, zone), concerned)
        if code is not None:
            return code
    return give(session, order, "sync", _sweep(with_reason(body, order), zone), own, concerned, name)


def _sweep(body: Json, zones: Sequence[str] | None) -> Work:
    """Send the request once, or once for each of these zones that an app has."""
    if not zones:
        return lambda client: client.resync(body)
    return lambda client: _each_zone(client, zones, lambda zone: client.resync({**body, "zone": zone}))


def _zone_words(zones: Sequence[str] | None) -> list[str]:
    return [word for zone in zones or () for word in ("--zone", zone)]


def _each_zone(client: AppClient, wanted: Sequence[str], post: Callable[[str], Json]) -> Json:
    """The report of each wanted zone of an app, by the zone's id. NothingToEnd only where no zone had it."""
    found: dict[str, Json] = {}
    nothing: NothingToEnd | None = None
    for zone in zones_of(client, wanted):
        try:
            found[zone["id"]] = post(zone["id"])
        except NothingToEnd as error:
            nothing = error
    if nothing and not found:
        raise nothing
    return {"zones": found}


def _with_zones(wanted: Sequence[str]) -> Concerned:
    """Of all apps those that have one of the zones; the silent ones too, while a zone was found nowhere."""

    def concerned(results: Sequence[Result[Json]]) -> list[Result[Json]]:
        if not wanted:
            return list(results)
        having = [
            each for each in results if isinstance(each.error, NothingToEnd) or (each.value and each.value["zones"])
        ]
        refused = [each for each in results if each.error and not each.error.retry and each not in having]
        silent = [each for each in results if each.error and each.error.retry]
        if len(having) >= len(set(wanted)):
            silent = []
        if not (having or refused or silent):
            raise UsageError(f"{', '.join(wanted)}: no app has this zone; see: nearzone status")
        return [each for each in results if each in (*having, *refused, *silent)]

    return concerned
