"""What happens outside of the app.

Endpoints change and emit events; events come again or are lost; a person takes a record set over; tombstones are
purged; the catalog, or one row of it, is lost; time passes, also for what was measured.
"""

from tests.protocol import rounds
from tests.protocol.catalog import drop, lose, put, write_record, write_row
from tests.protocol.words import FOREIGN, FRESH, GONE, LAGGING, OBSERVE, OLD, OVER, RUNNING, STOPPED


def steps(scenario, world):
    """What may happen next: (what, world)."""
    may = world.may
    if may.changes:
        yield from _changes(scenario, _spent(world, "changes"))
    if may.duplicates or may.deletes or may.lost_events:
        yield from _deliveries(world)
    if may.foreign:
        for name, record in enumerate(world.records):
            if record != FOREIGN:
                yield (
                    f"the record set of name {name} becomes foreign",
                    write_record(_spent(world, "foreign"), name, FOREIGN),
                )
    if may.purges and not world.sweep:
        yield from _purges(_spent(world, "purges"))
    yield from _losses(scenario, world)
    yield from _times(scenario, world)


def _times(scenario, world):
    if scenario.rules.confirm != "no":
        after = later(world)
        if after != world:
            yield "the time to confirm passes", after
    if world.probing and (world.may.expiries or scenario.evidence):
        soon = rounds.pass_time(scenario, world, long=False)
        if soon != world:
            yield "what is in the vantage row is over", soon
        late = rounds.pass_time(scenario, world, long=True)
        if late not in (world, soon):
            yield "what is in the vantage row is over, and what rounds have seen", late


def _spent(world, what):
    return world._replace(may=world.may._replace(**{what: getattr(world.may, what) - 1}))


def add_events(world, endpoint, events, deletes, powers=0):
    """More events of an endpoint wait, or fewer."""
    before = world.events[endpoint]
    after = (before[0] + events, before[1] + deletes, before[2] + powers)
    return world._replace(events=put(world.events, endpoint, after))


def _deliveries(world):
    may = world.may
    for endpoint, (events, deletes, powers) in enumerate(world.events):
        who = f"of endpoint {endpoint}"
        if may.duplicates:
            yield f"an event {who} comes again", add_events(_spent(world, "duplicates"), endpoint, 1, 0)
        if may.deletes and world.truth[endpoint].deleted:
            yield f"a delete event {who} comes again", add_events(_spent(world, "deletes"), endpoint, 0, 1)
        if may.lost_events and events:
            yield f"an event {who} is lost", add_events(_spent(world, "lost_events"), endpoint, -1, 0)
        if may.lost_events and deletes:
            yield f"a delete event {who} is lost", add_events(_spent(world, "lost_events"), endpoint, 0, -1)
        if powers and may.duplicates:
            yield f"a power event {who} comes again", add_events(_spent(world, "duplicates"), endpoint, 0, 0, 1)
        if powers and may.lost_events:
            yield f"a power event {who} is lost", add_events(_spent(world, "lost_events"), endpoint, 0, 0, -1)


def _losses(scenario, world):
    """The catalog is lost. Or a row cannot be read: who meets it notes that not every claim is known, and drops it."""
    if world.may.lost_catalogs:
        yield "the catalog is lost", lose(_spent(world, "lost_catalogs"))
    if not world.may.lost_rows:
        return
    world = _spent(world, "lost_rows")
    for endpoint, row in enumerate(world.rows):
        if row:
            yield (
                f"the row of endpoint {endpoint} cannot be read and is dropped",
                drop(world, endpoint, resets=scenario.rules.drop_resets),
            )


def _purges(world):
    """A tombstone is purged when it is older than all that may still run."""
    for endpoint, row in enumerate(world.rows):
        looked_at = any(look.endpoint == endpoint for look in world.looks)
        if row and row.state == GONE and not row.due and not looked_at:
            yield f"the tombstone of endpoint {endpoint} is purged", write_row(world, endpoint, ())


def _changes(scenario, world):
    """One change of one endpoint, with its event."""
    for endpoint, truth in enumerate(world.truth):
        for what, after in _changed(scenario, truth):
            truths = put(world.truth, endpoint, after._replace(changed=scenario.loses))
            told = int(what == "delete" and scenario.announce)
            power = int(what in ("stop", "start") and scenario.moot)
            yield (
                f"TRUTH: {what} endpoint {endpoint}",
                add_events(world._replace(truth=truths), endpoint, 1 - told - power, told, power),
            )


def _changed(scenario, truth):
    kinds = scenario.kinds
    if truth.state:
        if "power" in kinds:
            stops = truth.state == RUNNING
            yield ("stop" if stops else "start"), truth._replace(state=STOPPED if stops else RUNNING)
        if "delete" in kinds:
            yield "delete", truth._replace(state=GONE, deleted=True)
        if "address" in kinds:
            yield "new address of", truth._replace(address=1 - truth.address)
        if "names" in kinds:
            for name in range(scenario.names):
                yield f"toggle name {name} of", truth._replace(names=truth.names ^ 1 << name)
    elif "create" in kinds:
        yield "create", truth._replace(state=RUNNING, names=1, address=1 - truth.address)


def later(world):
    """So much time passes that a 404 may be confirmed and that no replica lags any more."""
    truth = tuple(each._replace(lag=OVER) if each.lag == LAGGING else each for each in world.truth)
    rows = tuple(_older(row) for row in world.rows)
    looks = tuple(sorted(_longer(look) for look in world.looks))
    sweep = world.sweep
    if sweep:
        sweep = sweep._replace(look=sweep.look and _longer(sweep.look), rows=tuple(_older(row) for row in sweep.rows))
    return world._replace(truth=truth, rows=rows, looks=looks, sweep=sweep)


def _longer(look):
    """A look that has not begun to observe yet begins after the time has passed."""
    return look._replace(row=_older(look.row)) if look.at == OBSERVE else look


def _older(row):
    return row._replace(missing=OLD) if row and row.missing == FRESH else row
