"""Finds what prevents right answers, now or later, and explains it with a way out. Pure.

The environments of the zones are arguments, the results are alarms.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from shared.config import schedules
from shared.config.settings import Settings
from shared.decide import subscription_checks as watched
from shared.decide import zone_regions
from shared.decide.alarms import Trouble, grouped
from shared.decide.alarms import zone_label as _shown
from shared.domain.alarms import Alarm
from shared.domain.endpoints import Endpoint, Listing, State
from shared.domain.zone_environment import Permission, ZoneEnvironment
from shared.domain.zones import Zone

NEGATIVE_TTL = 30
"""Seconds for which a negative answer may be cached: as long as an answer for a name."""
ZONE_NEARLY_FULL_SHARE = 0.9
"""Share of a zone's maximum of record sets at which it counts as nearly full."""
SELDOM_DRAIN, SELDOM_SWEEP, OFTEN_SWEEP = 3600.0, 86_400.0, 60.0
"""Seconds between two runs of a timer above which, or below which, its schedule is probably a mistake."""
EVENT_SILENCE_SECONDS = 86_400.0
"""Seconds without an event after which an alarm is raised."""
MAX_SKEW = 600.0
"""Seconds by which an instance's own clock may be wrong."""
_RECORDS = "Microsoft.Network/privateDnsZones/A/"


def check(
    settings: Settings,
    zones: Mapping[str, ZoneEnvironment],
    listings: Sequence[Listing],
    endpoints: Collection[Endpoint],
    rights: Mapping[str, Sequence[Permission] | None] | None = None,
) -> tuple[Alarm, ...]:
    """Return all alarms. `zones`: the environment of each zone, by key. `endpoints`: all in the catalog.

    `rights`: the identity's permissions in each subscription of `empty_subscriptions`.
    """
    regions = {key: environment.regions for key, environment in zones.items()}
    found: list[Trouble] = list(zone_regions.troubles(settings.zones, regions))
    for zone in settings.zones:
        environment = zones[zone.key]
        found += _zone_troubles(zone, environment)
        if environment.exists:
            found += _permission_troubles(zone, environment, apply=settings.apply)
        found += _link_troubles(zone, environment, _serving_networks(endpoints, settings))
        found += _reach_troubles(zone, endpoints)
        found += [
            Trouble(
                _shown(zone),
                each,
                "what depends on it could not be checked",
                "give the identity read access (Reader, or the role of infra/)",
                "zones",
            )
            for each in environment.unread
        ]
    return (
        *grouped(found),
        *watched.alarms(listings, rights or {}),
        *_unwatched_alarms(settings),
        *_schedule_alarms(settings),
        *_no_claim_alarms(listings, endpoints),
    )


def _no_claim_alarms(listings: Sequence[Listing], endpoints: Collection[Endpoint]) -> Iterator[Alarm]:
    unread = any(listing.error or listing.needs_get for listing in listings)
    if not unread and not any(each.names for each in endpoints):
        yield Alarm(
            "no endpoint claims a name",
            "every name stays without an answer",
            "tag endpoints with `nearzone`, and check that NEARZONE_SUBSCRIPTIONS has their subscriptions",
        )


def _unwatched_alarms(settings: Settings) -> Iterator[Alarm]:
    """Return alarms for subscriptions that the settings permit to claim names, and that are not watched."""
    scopes = {scope for allowed in settings.claims.values() for scope in allowed}
    for subscription in sorted({scope.split("/")[2] for scope in scopes} - settings.subscriptions):
        yield Alarm(
            f"NEARZONE_CLAIMS names subscription {subscription}, which is not in NEARZONE_SUBSCRIPTIONS",
            "nearzone does not list its endpoints, so they claim no name",
            "add it to NEARZONE_SUBSCRIPTIONS, or take it out of NEARZONE_CLAIMS",
        )


def missing_events_alarm(event_at: float, since: float, now: float) -> list[Alarm]:
    """Return an alarm if no event has arrived for long. `event_at`: the approximate time of the last one, 0 for none.

    `since`: when the catalog began, 0 if unknown: events from before may have been lost with an earlier catalog. Times
    in seconds since the epoch.
    """
    if now - event_at < EVENT_SILENCE_SECONDS:
        return []
    minutes = (now - since) / 60
    age = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    never = f"no event arrived since this catalog began, {age} ago" if since else "no event has arrived yet"
    return [
        Alarm(
            f"no event arrived for {(now - event_at) / 3600:.0f} hours" if event_at else never,
            "only the sweep finds changes, minutes later",
            "check the Event Grid subscription: does it exist, is it enabled, does it deliver (dead letters)?",
        )
    ]


def overdue_sweep_alarm(completed_at: float, third_last: float) -> list[Alarm]:
    """Return an alarm if no sweep was complete since the third-last one was due; seconds since the epoch."""
    if completed_at >= third_last:
        return []
    return [
        Alarm(
            "no sweep was complete for three intervals",
            "lost events and edited records are not corrected",
            "look at the failures of `correct_drift`, or resync by hand and read the report",
        )
    ]


def skew(offset: float, holder: str) -> list[Alarm]:
    """Return an alarm if an instance's clock differs too much from the storage account's.

    `offset`: the correction of the instance's clock, in seconds.
    """
    if abs(offset) <= MAX_SKEW:
        return []
    side = "behind" if offset > 0 else "ahead of"
    return [
        Alarm(
            f"the clock of instance {holder[:8]} is {abs(offset) / 60:.0f} minutes {side} the storage account's",
            "nearzone corrects the times that it uses, but Azure may refuse the instance's tokens",
            "restart the app, so that it runs on another instance; if the alarm stays, ask Azure support",
        )
    ]


def _name(resource: str) -> str:
    return resource.rsplit("/", 1)[-1]


def _zone_troubles(zone: Zone, environment: ZoneEnvironment) -> Iterator[Trouble]:
    shown = _shown(zone)

    def trouble(text: str, means: str, do: str, alone: str = "") -> Trouble:
        return Trouble(shown, text, means, do, "zones", alone)

    if not environment.exists:
        do = "create it, or correct NEARZONE_ZONES"
        yield trouble("the zone does not exist", "nothing can be written", do, f"{shown} does not exist")
        return
    if zone.fqdn == "local" or zone.fqdn.endswith(".local"):
        yield trouble(
            "the zone's name ends in .local",
            "many systems ask multicast DNS for such names (RFC 6762) and never the zone",
            "use a name that you own, or .internal",
            f"{shown} ends in .local",
        )
    if environment.negative_ttl is not None and environment.negative_ttl > NEGATIVE_TTL:
        yield trouble(
            f"negative answers are cached for {environment.negative_ttl} s (SOA minimum)",
            "a client that queries a name just before its first endpoint serves gets no answer for that long",
            f"set the minimum TTL of the zone's SOA record set to {NEGATIVE_TTL} or less",
        )
    if (
        environment.record_sets
        and environment.max_record_sets
        and environment.record_sets >= ZONE_NEARLY_FULL_SHARE * environment.max_record_sets
    ):
        held = f"holds {environment.record_sets} of at most {environment.max_record_sets} record sets"
        yield trouble(
            held,
            "when it is full, new names get no answer",
            "remove names that no client uses; NEARZONE_HOST_NAMES=false leaves the resources' own names out",
            f"{shown} {held}",
        )
    for record_type, values in environment.wildcards.items():
        yield trouble(
            f"the record set * ({record_type}) answers every name that the zone lacks: {', '.join(values)}",
            "clients of a name that nearzone has removed, or has not published yet, are sent there",
            "replace it by record sets with the names that are meant; nearzone leaves it alone unless it has our owner "
            "tag: the next sweep removes such a record set",
        )
    for lock in environment.locks or ():
        what = "no record set can be written" if lock.level == "readonly" else "no name can be removed"
        yield trouble(f"{lock.id} is a lock ({lock.level})", what, "remove the lock, or lock another resource")


def _permission_troubles(zone: Zone, environment: ZoneEnvironment, *, apply: bool) -> Iterator[Trouble]:
    if environment.permissions is None:
        return
    wanted = ("read", "write", "delete") if apply else ("read",)
    missing = [each for each in wanted if not watched.allowed(environment.permissions, _RECORDS + each)]
    if missing:
        yield Trouble(
            _shown(zone),
            f"the identity lacks {', '.join(_RECORDS + each for each in missing)}",
            "answers cannot be kept up to date",
            "assign Private DNS Zone Contributor at the zone",
            "zones",
        )


def _serving_networks(endpoints: Collection[Endpoint], settings: Settings) -> set[str]:
    """Return the VNets with serving endpoints."""
    serving = (each for each in endpoints if each.state == State.SERVING and each.names)
    looked = (each for each in serving if each.subscription in settings.subscriptions)
    return {address.network for each in looked for address in each.addresses if address.network}


def _reach_troubles(zone: Zone, endpoints: Collection[Endpoint]) -> Iterator[Trouble]:
    """Report a reach without an address of any endpoint; not if nothing in it can be published, which is intended."""
    numbers = [ip.number for each in endpoints if each.state == State.SERVING and each.names for ip in each.addresses]
    if zone.ranges and numbers and not any(first <= ip <= last for ip in numbers for first, last in zone.ranges):
        reach = ", ".join(map(str, zone.reach))
        text = f"its reach ({reach}) contains no address of a serving endpoint"
        yield Trouble(_shown(zone), text, "it answers no name", "correct `reach` in NEARZONE_ZONES", "zones")


def _schedule_alarms(settings: Settings) -> Iterator[Alarm]:
    """Return alarms for schedules that are valid and probably a mistake."""
    drain, sweep = schedules.intervals(settings.drain_schedule)[1], schedules.intervals(settings.sweep_schedule)
    if drain > SELDOM_DRAIN:
        yield Alarm(
            f"NEARZONE_DRAIN_SCHEDULE lets {drain / 3600:.0f} hours pass between two drains",
            "a name whose write failed or had to wait keeps its old answer for that long, dead addresses included",
            "let it run every 30 seconds, as by default",
        )
    if sweep[1] > SELDOM_SWEEP:
        yield Alarm(
            f"NEARZONE_SWEEP_SCHEDULE lets {sweep[1] / 3600:.0f} hours pass between two sweeps",
            "a lost event, an edited record and a guest shutdown are found that much later",
            "let it run every 10 minutes, as by default, at least once a day",
        )
    if sweep[0] < OFTEN_SWEEP:
        yield Alarm(
            f"NEARZONE_SWEEP_SCHEDULE lets {sweep[0]:.0f} seconds pass between two sweeps",
            "sweeps follow one another without a pause, and use up the reads that events need",
            "let it run every 10 minutes, as by default, at most once a minute",
        )


def _link_troubles(zone: Zone, environment: ZoneEnvironment, networks: Collection[str]) -> Iterator[Trouble]:
    shown = _shown(zone)
    if environment.links is None:
        return
    if not environment.links:
        do, text = "link the VNets of its clients", "the zone has no link to a VNet"
        yield Trouble(shown, text, "no client can query it", do, "zones", f"{shown} has no link to a VNet")
    for link in environment.links:
        if link.redirects:
            yield Trouble(
                f"{shown}: link {link.name}",
                "it redirects unknown names (NxDomainRedirect)",
                "a name without endpoints is resolved in public DNS, and the owner of that answer gets the traffic",
                "set the link's resolution policy to Default",
                "links",
                f"{shown}: link {link.name} redirects unknown names (NxDomainRedirect)",
            )
        peers = environment.peers.get(link.vnet)
        beyond = [] if peers is None else sorted(each for each in networks if each != link.vnet and each not in peers)
        if beyond:
            others = ", ".join(_name(each) for each in beyond[:5]) + (", ..." if len(beyond) > 5 else "")
            yield Trouble(
                f"{shown}: VNet {_name(link.vnet)} with {others}",
                "VNets of clients are not peered with VNets where endpoints serve",
                "its clients may resolve addresses that they cannot connect to",
                "peer the VNets, or narrow the zone's `reach`; nothing if a hub, gateway or Virtual WAN routes",
                "VNets",
                f"{shown}: VNet {_name(link.vnet)} is not peered with {others}, where endpoints serve",
            )
