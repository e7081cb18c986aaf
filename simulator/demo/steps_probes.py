"""The steps of the demo which only the app's probes notice: a model server, a path, a detour.

Azure says nothing about any of them. One app probes, from its vantage: what is wrong with a path concerns the clients
of that region alone, and the clients of all other regions keep their answers.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from simulator.demo import world_model as happen
from simulator.demo.filling import told
from simulator.demo.probed import Probing
from simulator.demo.step import Skip, Step, StepContext, name_of
from simulator.demo.world_model import Change, WorldModel, affected_names, differing, most_visible

LONGEST = 60.0
"""Seconds that the demo waits for probes, at most."""
DETOUR = 1.25
"""So many times as far as the next region is a region behind a hub."""


def server_hangs(play: StepContext) -> Step:
    """A model server hangs while its VM runs."""
    _within(play, lambda probing: probing.down_seconds)
    finder = play.replica.finder
    probed = [vm for vm in play.replica.serving() if finder.probes(vm)]
    found = _of_vantage_alone(play.replica, [(vm, happen.hanging(vm["id"])) for vm in probed])
    if not found:
        raise Skip("no probed VM matters to the clients of the vantage alone")
    vm, change = found
    play.hanging = vm["id"]
    hang = _control(play, "server", {"endpoint": vm["id"], "behaviour": "hangs"})

    async def act() -> float:
        since = await hang()
        view = await play.outside.arm("GET", f"{vm['id']}/instanceView")
        power = [each["code"] for each in view["statuses"] if each["code"].startswith("PowerState/")]
        play.say(f"ARM says of the VM: {', '.join(power)}. It sends no event.")
        return since

    return Step(
        f"The model server on {name_of(vm)} hangs",
        "It accepts connections and answers nothing. Only nearzone's probes notice, after "
        f"{play.replica.finder.probing.of('down_after')} failures in a row.",
        act,
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the server hung",
        rejected=vm["id"],
        seconds=finder.probing.down_seconds,
    )


def server_mended(play: StepContext) -> Step:
    """The model server works again."""
    if not play.hanging:
        raise Skip("no server hangs")
    _within(play, lambda probing: probing.back_seconds)
    probing, change = play.replica.finder.probing, happen.hanging(play.hanging, back=True)
    return Step(
        f"The model server on {name_of(play.replica.vm(play.hanging))} works again",
        f"It is back after {probing.of('up_after')} successes in a row, {probing.of('hold')[0]:g} s after it went out "
        "at the earliest.",
        _control(play, "server", {"endpoint": play.hanging, "behaviour": "healthy"}),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the server worked again",
        seconds=probing.back_seconds,
    )


def path_cut(play: StepContext) -> Step:
    """The path from one region to another is dead."""
    _within(play, lambda probing: probing.down_seconds)
    finder = play.replica.finder
    vantage = finder.probing.vantage
    others = [(at, happen.cut(at)) for at in finder.regions() if at != vantage]
    found = _of_vantage_alone(play.replica, others)
    if not found:
        raise Skip("the clients of the vantage need no path to another region")
    play.cut, change = found
    return Step(
        f"The path from {vantage} to {play.cut} is dead",
        f"Clients in {vantage}, where the app probes, get the next endpoint. The app cannot know whether {play.cut} "
        "works for others, so all other clients keep what they have.",
        _control(play, "path", _path(vantage, play.cut, partition="all")),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the path was cut",
        seconds=finder.probing.down_seconds,
    )


def path_mended(play: StepContext) -> Step:
    """The path works again."""
    if not play.cut:
        raise Skip("no path is dead")
    _within(play, lambda probing: probing.back_seconds)
    probing, change = play.replica.finder.probing, happen.cut(play.cut, back=True)
    return Step(
        f"The path from {probing.vantage} to {play.cut} works again",
        f"Endpoints that come back join the zone of their own region first, the others {probing.of('slow_start'):g} s "
        "later.",
        _control(play, "path", _path(probing.vantage, play.cut, mend=True)),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the path worked again",
        seconds=probing.back_seconds,
    )


def path_through_a_hub(play: StepContext) -> Step:
    """A detour makes a region farther than the published table says."""
    _within(play, lambda probing: probing.order_seconds)
    finder = play.replica.finder
    vantage = finder.probing.vantage
    others = sorted((at for at in finder.regions() if at != vantage), key=finder.rtt_ms)
    detours = {near: round(DETOUR * finder.rtt_ms(far)) for near, far in pairwise(others)}
    found = _of_vantage_alone(play.replica, [((at, ms), happen.farther(at, ms)) for at, ms in detours.items()])
    if not found:
        raise Skip("the distance of other regions does not matter to the clients of the vantage")
    (at, ms), change = found
    return Step(
        f"Traffic from {vantage} to {at} goes through a hub",
        f"Its round trip takes {ms:g} ms; the published table still says {finder.rtt_ms(at):g} ms. The measured median "
        f"has to be the longer one for {finder.probing.of('dwell')[0]:g} s.",
        _control(play, "path", _path(vantage, at, rtt_ms=ms)),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the detour began",
        seconds=finder.probing.order_seconds,
    )


def _within(play: StepContext, seconds: Callable[[Probing], float]) -> None:
    """Raise Skip if nothing is probed, or if the settings let it take longer than the demo waits."""
    probing = play.replica.finder.probing
    if not probing.enforced:
        raise Skip("this world has no probes that take effect (NEARZONE_PROBES, mode enforce, vantage)")
    if seconds(probing) > LONGEST:
        raise Skip(f"by its settings probes may need {told(seconds(probing))} for it")


def _of_vantage_alone(replica: WorldModel, choices: Sequence[tuple[Any, Change]]) -> tuple[Any, Change] | None:
    """The most visible choice of those that change answers in the zones of the vantage's region, and in no others."""
    vantage = replica.finder.probing.vantage
    own = {zone["id"].lower() for zone in replica.settings["NEARZONE_ZONES"] if _is_at(zone, vantage)}

    def fits(change: Change) -> bool:
        return {zone for zone, _ in differing(replica.answers, replica.after(change))} <= own

    return most_visible(replica, [(what, change) for what, change in choices if fits(change)])


def _is_at(zone: Mapping[str, str], vantage: str) -> bool:
    return zone["region"].replace(" ", "").lower() == vantage


def _path(vantage: str, at: str, **what: object) -> dict[str, object]:
    return {"from": vantage, "to": at, "both": False, **what}


def _control(play: StepContext, what: str, body: Mapping[str, object]) -> Callable[[], Awaitable[float]]:
    async def act() -> float:
        since = time.time()
        await play.outside.control(what, body)
        return since

    return act
