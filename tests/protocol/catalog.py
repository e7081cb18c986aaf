"""What a write does: the object changes, and every version of it that another one holds is worth nothing any more."""

from tests.protocol.words import ABSENT, CURRENT, STALE


def bits(number):
    """The positions of a number's bits, lowest first."""
    return [position for position in range(number.bit_length()) if number >> position & 1]


def put(values, position, value):
    """A tuple with one value replaced."""
    return (*values[:position], value, *values[position + 1 :])


def holds(version, present):
    """Whether a write on condition of a version succeeds. `present`: whether the object is there now."""
    return version == CURRENT or (version == ABSENT and not present)


def write_row(world, endpoint, row):
    """Write an endpoint's row, or remove it (an empty row)."""
    looks = tuple(sorted(_outdated(look, endpoint) for look in world.looks))
    sweep = world.sweep
    if sweep:
        look = sweep.look and _outdated(sweep.look, endpoint)
        sweep = sweep._replace(fresh=sweep.fresh & ~(1 << endpoint), look=look)
    return world._replace(rows=put(world.rows, endpoint, row), looks=looks, sweep=sweep)


def _outdated(look, endpoint):
    held = look.endpoint == endpoint and look.version == CURRENT
    return look._replace(version=STALE) if held else look


def add_index(world, endpoint, name):
    """Let the index lead from a name to an endpoint."""
    return world._replace(index=put(world.index, endpoint, world.index[endpoint] | 1 << name))


def mark(world, name, *, changes):
    """Make a name dirty. `changes`: this changes the version of a dirty row that is there already."""
    bit = 1 << name
    if world.dirty & bit and not changes:
        return world
    return _set_dirty(world, name, world.dirty | bit)


def clear(world, name):
    """Remove a dirty row."""
    return _set_dirty(world, name, world.dirty & ~(1 << name))


def _set_dirty(world, name, dirty):
    drains = tuple(sorted(drain._replace(dirty=STALE) if drain.name == name else drain for drain in world.drains))
    return world._replace(dirty=dirty, drains=drains)


def write_record(world, name, record):
    """Write a record set, or remove it (0)."""
    drains = tuple(
        drain._replace(record_version=STALE) if drain.name == name and drain.record_version == CURRENT else drain
        for drain in world.drains
    )
    return world._replace(records=put(world.records, name, record), drains=tuple(sorted(drains)))


def write_vantage(world, row):
    """Write the vantage row."""
    probing = world.probing
    rounds = tuple(sorted(each._replace(version=STALE) for each in probing.rounds))
    looks = tuple(sorted(each._replace(vantage=STALE) for each in world.looks)) if world.looks else ()
    return world._replace(probing=probing._replace(row=row, rounds=rounds), looks=looks)


def lose(world):
    """Lose everything that is in the catalog. What was seen to be absent may be written again."""
    for endpoint, row in enumerate(world.rows):
        if row:
            world = write_row(world, endpoint, ())
    drains = tuple(sorted(_bereft(drain) for drain in world.drains))
    sweep = world.sweep and world.sweep._replace(epoch=False)
    return world._replace(index=(0,) * len(world.rows), dirty=0, complete=False, drains=drains, sweep=sweep)


def drop(world, endpoint, *, resets):
    """Drop a row that cannot be read. `resets`: the catalog counts as incomplete from then on, in a new epoch."""
    world = write_row(world, endpoint, ())
    if not resets:
        return world
    drains = tuple(sorted(drain._replace(epoch=_ended(drain.epoch)) for drain in world.drains))
    sweep = world.sweep and world.sweep._replace(epoch=False)
    return world._replace(complete=False, drains=drains, sweep=sweep)


def _bereft(drain):
    return drain._replace(dirty=STALE, epoch=_ended(drain.epoch))


def _ended(epoch):
    return STALE if epoch == CURRENT else epoch
