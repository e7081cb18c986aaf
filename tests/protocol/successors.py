"""Every next step of a world: of what runs in the app, of what begins there, of a crash, and of the surroundings."""

from tests.protocol import drains, looks, rounds, surroundings, sweeps
from tests.protocol.routing import right, running
from tests.protocol.words import GONE, OBSERVE, READ, REREAD, Look, Probing, Row, Truth, World


def initial(scenario):
    """The world at the start: catalog and record sets are right, or the catalog was just lost."""
    truth = tuple(Truth(*seen) if seen else Truth(GONE, 0, 0) for seen in scenario.start)
    records = tuple(right(scenario, truth, name) for name in range(scenario.names))
    events = ((0, 0, 0),) * len(truth)
    if scenario.lost:
        return World(truth, events, scenario.may, ((),) * len(truth), (0,) * len(truth), 0, records, complete=False)
    rows = tuple(Row(*seen) if seen and (seen[1] or not scenario.moot) else () for seen in scenario.start)
    index = tuple(seen[1] if seen else 0 for seen in scenario.start)
    probing = Probing(answered=running(truth, 0) if scenario.waits else 0) if scenario.probers else ()
    return World(truth, events, scenario.may, rows, index, 0, records, probing=probing)


def successors(scenario, world):
    """Every next step: a list of (what, world)."""
    found = list(surroundings.steps(scenario, world))
    found += _looks(scenario, world)
    found += _drains(scenario, world)
    found += _sweep(scenario, world)
    if world.probing:
        found += _rounds(scenario, world)
    return found


def _looks(scenario, world):
    found = _looks_begun(scenario, world) if len(world.looks) < scenario.looks else []
    for look, others in _each(world.looks):
        rest = world._replace(looks=others)
        found += _after_look(rest, f"look at {look.endpoint}", looks.steps(scenario, rest, look))
        if scenario.crashes:
            crashed = surroundings.add_events(rest, look.endpoint, look.events, look.deletes)
            found.append((f"look at {look.endpoint} CRASHES: its events come again", crashed))
        if _may_be_joined(scenario.rules.join, look):
            found += _joined(rest, look)
    return found


def _each(values):
    """Every value with the others. Equal ones have equal steps: one of them is enough."""
    return [
        (value, (*values[:at], *values[at + 1 :]))
        for at, value in enumerate(values)
        if not at or value != values[at - 1]
    ]


def _after_look(rest, who, steps):
    return [
        (f"{who} {what}", after._replace(looks=tuple(sorted((*after.looks, look)))) if look else after)
        for what, after, look in steps
    ]


def _looks_begun(scenario, world):
    """A look begins for an event that waits, or for the drain timer."""
    found = []
    for endpoint, (events, deletes, powers) in enumerate(world.events):
        if powers:
            found += _power(scenario, surroundings.add_events(world, endpoint, 0, 0, -1), endpoint)
        found += _deferred(scenario, world, endpoint)
        if events and scenario.moot and _moot(scenario, world, endpoint) and scenario.rules.moot == "all":
            found.append((f"drops an event of {endpoint}", surroundings.add_events(world, endpoint, -1, 0)))
        elif events:
            after = surroundings.add_events(world, endpoint, -1, 0)
            found += _begun(scenario, after, Look(endpoint, events=1), "for an event")
        if deletes:
            after = surroundings.add_events(world, endpoint, 0, -1)
            found += _begun(scenario, after, Look(endpoint, deletes=1), "for a delete event")
        row = world.rows[endpoint]
        if world.may.timers and row and row.due:
            after = world._replace(may=world.may._replace(timers=world.may.timers - 1))
            found += _begun(scenario, after, Look(endpoint), "for the drain timer")
    return found


def _deferred(scenario, world, endpoint):
    """An event is left to a sweep: that one is due is noted, and the event is acknowledged."""
    if not scenario.defers or not (_moot(scenario, world, endpoint) or (scenario.defers == "any" and world.complete)):
        return []
    sweep = world.sweep and world.sweep._replace(covers=False)
    noted = world._replace(due=True, sweep=sweep) if scenario.rules.deferral_noted else world
    events, deletes, _ = world.events[endpoint]
    found = []
    if events:
        found.append((f"leaves an event of {endpoint} to a sweep", surroundings.add_events(noted, endpoint, -1, 0)))
    if deletes:
        said = f"leaves a delete event of {endpoint} to a sweep"
        found.append((said, surroundings.add_events(noted, endpoint, 0, -1)))
    return found


def _power(scenario, world, endpoint):
    """Who takes a power event reads the row first: where that claims nothing, nothing is to be seen."""
    if _moot(scenario, world, endpoint):
        return [(f"drops a power event of {endpoint}", world)]
    return _begun(scenario, world, Look(endpoint, events=1), "for a power event")


def _moot(scenario, world, endpoint):
    row = world.rows[endpoint]
    return world.complete and not (row and (row.names or row.due))


def _begun(scenario, world, look, why):
    """That an event was taken is visible to nothing else: the look makes its first step at once, or may be joined."""
    if scenario.rules.join == "read":
        return _after_look(world, f"look at {look.endpoint} {why}", [("begins", world, look)])
    return _after_look(world, f"look at {look.endpoint} {why}", looks.steps(scenario, world, look))


def _may_be_joined(join, look):
    return {
        "no": False,
        "read": look.at == READ,
        "observe": look.at in (READ, OBSERVE),
        "reread": look.at in (READ, OBSERVE, REREAD),
        "end": True,
    }[join]


def _joined(rest, look):
    events, deletes, _ = rest.events[look.endpoint]
    found = []
    if events:
        after, joined = surroundings.add_events(rest, look.endpoint, -1, 0), look._replace(events=look.events + 1)
        found += _after_look(after, f"look at {look.endpoint}", [("is joined by an event", after, joined)])
    if deletes:
        after, joined = surroundings.add_events(rest, look.endpoint, 0, -1), look._replace(deletes=look.deletes + 1)
        found += _after_look(after, f"look at {look.endpoint}", [("is joined by a delete event", after, joined)])
    return found


def _drains(scenario, world):
    found = _after_drain("", drains.begin(scenario, world)) if len(world.drains) < scenario.drains else []
    for drain, others in _each(world.drains):
        rest = world._replace(drains=others)
        found += _after_drain(f"drain of {drain.name} ", drains.steps(scenario, rest, drain))
        if scenario.crashes:
            found.append((f"drain of {drain.name} CRASHES", rest))
    return found


def _after_drain(who, steps):
    return [
        (f"{who}{what}", after._replace(drains=tuple(sorted((*after.drains, drain)))) if drain else after)
        for what, after, drain in steps
    ]


def _sweep(scenario, world):
    sweep = world.sweep
    if not sweep:
        if not world.may.sweeps and not world.due:
            return []
        sweep = sweeps.begin(scenario, world)
        may = world.may if world.due else world.may._replace(sweeps=world.may.sweeps - 1)
        world = world._replace(sweep=sweep, may=may)
        return [(f"sweep {what}", after) for what, after in sweeps.steps(scenario, world, sweep)]
    found = [(f"sweep {what}", after) for what, after in sweeps.steps(scenario, world, sweep)]
    if scenario.crashes:
        found.append(("sweep CRASHES", world._replace(sweep=())))
    return found


def _rounds(scenario, world):
    found = _after_round("", rounds.begin(scenario, world))
    for one, others in _each(world.probing.rounds):
        rest = world._replace(probing=world.probing._replace(rounds=others))
        who = "drain timer" if one.timer else "prober"
        found += _after_round(f"{who} ", rounds.steps(scenario, rest, one))
        if scenario.crashes:
            found.append((f"{who} CRASHES", rest))
    return found


def _after_round(who, steps):
    found = []
    for what, after, one in steps:
        probing = after.probing
        under_way = tuple(sorted((*probing.rounds, one))) if one else probing.rounds
        found.append((f"{who}{what}", after._replace(probing=probing._replace(rounds=under_way))))
    return found
