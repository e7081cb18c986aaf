"""What a name is answered with, and what a write of a record set must not do."""

from tests.protocol.words import FOREIGN, RUNNING, Broken


def address(endpoint, place):
    """The bit of an endpoint's address."""
    return 1 << 2 * endpoint + place


def running(endpoints, name):
    """The addresses of running claimants, among truths or rows; some may be absent."""
    found = 0
    for endpoint, each in enumerate(endpoints):
        if each and each.state == RUNNING and each.names >> name & 1:
            found |= address(endpoint, each.address)
    return found


def answer(scenario, found):
    """The record set for the addresses of running claimants: all of them, or the first."""
    return found & -found if scenario.nearest else found


def right(scenario, truth, name):
    """The record set that a name should have."""
    return answer(scenario, running(truth, name))


def check_change(scenario, world, name, want):
    """A foreign record set stays, and so does the address of an endpoint that has never changed."""
    now = world.records[name]
    if now == FOREIGN:
        raise Broken(f"the foreign record set of name {name} is overwritten")
    if not scenario.loses:
        return
    steady = [None if each.changed else each for each in world.truth]
    if not scenario.nearest:
        taken = now & running(steady, name) & ~want
    else:
        taken = now if None not in steady and now == right(scenario, steady, name) != want else 0
    if taken:
        raise Broken(f"right addresses of name {name} are taken away though their endpoints have not changed")
