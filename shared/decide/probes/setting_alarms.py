"""Settings of probing that are valid, and that leave without effect what an operator may count on."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from shared.config.settings import Settings
from shared.decide.probes.targets import NEVER, lies_in, never_ranges, unprobed
from shared.domain.alarms import Alarm
from shared.domain.endpoints import Endpoint, State

EXAMPLES = 3


def setting_alarms(settings: Settings, endpoints: Collection[Endpoint]) -> tuple[Alarm, ...]:
    """Return the alarms. `endpoints`: all that are known."""
    return (*_no_zone(settings), *_never(settings, endpoints))


def _no_zone(settings: Settings) -> Iterable[Alarm]:
    vantage = settings.probing.vantage
    if vantage and all(zone.region != vantage for zone in settings.zones):
        yield Alarm(
            f"no zone of this app is in the region that probes come from, {vantage}",
            "distances and paths change no answer: a failure counts only while another address of the same region"
            " answers",
            "correct `vantage` in NEARZONE_PROBING, or let the app of that region probe; nothing if that is intended",
        )


def _never(settings: Settings, endpoints: Collection[Endpoint]) -> Iterable[Alarm]:
    """Return an alarm if `never` has addresses that would be probed without it."""
    never = never_ranges(settings)
    inside = [
        each
        for each in endpoints
        if each.state == State.SERVING and any(lies_in(address, never) for address in each.addresses)
    ]
    claimants: dict[str, list[Endpoint]] = {name: [] for each in inside for name in each.names if settings.probe(name)}
    for each in endpoints if claimants else ():
        for name in each.names & claimants.keys():
            claimants[name].append(each)
    found: set[str] = set()
    for name, claiming in claimants.items():
        found |= {ip for (_, ip), why in unprobed(name, claiming, settings).items() if why == NEVER}
    if found:
        ips = sorted(found)
        shown = ", ".join([*ips[:EXAMPLES], *(["..."] if len(ips) > EXAMPLES else [])])
        many = "a serving address is" if len(ips) == 1 else f"{len(ips):,} serving addresses are"
        yield Alarm(
            f"{many} not probed, because NEARZONE_PROBING.never has {'it' if len(ips) == 1 else 'them'} ({shown})",
            "a failure of these servers takes no address out of an answer",
            "let `never` in NEARZONE_PROBING name the app's own subnet alone",
            len(ips),
            tuple(ips[:EXAMPLES]),
        )
