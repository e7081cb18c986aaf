"""Probing: a prober's round, and what the drain timer does with the vantage row, step by step.

A round reads the vantage row and the evidence, reads the endpoints and probes them, writes the row on condition, reads
the names of the endpoints whose verdicts have changed, marks them dirty, empties todo on condition, and writes the
evidence. After a conflict the round ends.

The drain timer ends verdicts and distances whose `until` has passed by the same conditional write, and goes on in the
same way. It also finishes a todo that is left.
"""

from tests.protocol.catalog import bits, mark, write_vantage
from tests.protocol.routing import address, right
from tests.protocol.words import (
    CURRENT,
    DISTANCES_OVER,
    EMPTY,
    ENOUGH_RESULTS,
    FENCE,
    MARKS,
    PAGE,
    PROBE,
    RUNNING,
    VERDICTS_OVER,
    Broken,
    Page,
    Round,
)


def begin(scenario, world):
    """The rounds that may begin, each with its first step: of a prober, and of the drain timer where it has work."""
    may, rounds, found = world.may, world.probing.rounds, []
    timers = sum(each.timer for each in rounds)
    if may.rounds and len(rounds) - timers < scenario.probers:
        after = world._replace(may=may._replace(rounds=may.rounds - 1))
        found += [(f"prober {what}", *rest) for what, *rest in read(scenario, after, Round())]
    if may.expiries and not timers and has_work(scenario, world.probing.row):
        after = world._replace(may=may._replace(expiries=may.expiries - 1))
        found += [(f"drain timer {what}", *rest) for what, *rest in read(scenario, after, Round(timer=True))]
    return found


def has_work(scenario, row):
    """Whether the drain timer has something to do with the vantage row."""
    return _done(row) != row or ended(scenario, row) != row


def steps(scenario, world, one):
    """What a round may do next: (what it does, the world, the round or None when it has ended).

    `world` is without this round.
    """
    return STEPS[one.at](scenario, world, one)


def read(scenario, world, one):
    """Read the vantage row and its version."""
    row = world.probing.row
    one = one._replace(version=CURRENT, row=row)
    if not one.timer:
        return [("reads the vantage row", world, one._replace(at=PROBE))]
    after = ended(scenario, row)
    if after == row:
        return [("reads the vantage row: a todo is left", world, _next(scenario, one, FENCE))]
    one = one._replace(row=_with_names(scenario, world, row, after))
    return [("reads the vantage row: it is over", world, _next(scenario, one, None))]


def ended(scenario, row):
    """The row without what is over. Its `until` stays, so that older evidence does not count."""
    if not scenario.rules.expiry_ends:
        return row
    todo, marks = row.todo, scenario.rules.expiry_marks and scenario.enforce
    if row.over & VERDICTS_OVER and row.verdicts | row.waiting:
        todo |= _endpoints(row.verdicts | row.waiting)
        row = row._replace(verdicts=0, waiting=0)
    if row.over & DISTANCES_OVER and (row.order or row.pending):
        row = row._replace(order=0, pending=0, ordered=marks)
    return row._replace(todo=todo) if marks else row


def to_be_marked(scenario, world, row):
    """The names that the vantage row asks for, by the rows of the endpoints as they are now."""
    found = row.names
    for endpoint in bits(row.todo):
        found |= world.rows[endpoint].names if world.rows[endpoint] else 0
    return found | (_affected(scenario, world, row) & ~row.pending if row.ordered else 0)


def _affected(scenario, world, row):
    """The names for which the order matters."""
    found = 0
    for name in range(scenario.names):
        answers = {right(scenario, world.rows, name, (row.verdicts, row.waiting, order, 0)) for order in (0, 1)}
        found |= (len(answers) > 1) << name
    return found


def _endpoints(addresses):
    return sum({1 << position // 2 for position in bits(addresses)})


def probe(scenario, world, one):
    """Read the evidence and the endpoints, probe every address, and judge. Every result is possible."""
    row, found = one.row._replace(over=one.over), []
    row = row if scenario.rules.vantage_carry else _done(row)
    targets = 0
    for endpoint, each in enumerate(world.rows):
        if each and each.state == RUNNING:
            targets |= address(endpoint, each.address)
    answered = 0
    for failed in _subsets(targets & scenario.may_fail):
        if scenario.waits:
            answered = targets & ~failed
        verdicts, page = _judge(scenario, world, one, failed)
        waiting = row.waiting & (failed | (~targets if scenario.rules.wait_unseen else 0))
        judged = row._replace(verdicts=verdicts, waiting=waiting, round=row.round + scenario.evidence)
        lapsed = scenario.rules.lapsed_marks and one.row.over & VERDICTS_OVER
        changed = row.verdicts | verdicts if lapsed else row.verdicts ^ verdicts
        changed = _endpoints(changed | row.waiting ^ waiting) if scenario.enforce else 0
        judged = judged._replace(todo=changed | row.todo)
        for what, measured in _measure(scenario, world, judged):
            written = _with_names(scenario, world, row, measured)
            after = one._replace(row=written, over=0, page=page, failed=failed, answered=answered)
            found.append((f"probes, {failed} fail{what}", world, _next(scenario, after, None)))
    return found


def _subsets(addresses):
    """Every set of some of these addresses."""
    found = [0]
    for position in bits(addresses):
        found += [each | 1 << position for each in found]
    return found


def _judge(scenario, world, one, failed):
    """The verdicts by the results, and the evidence. Without evidence, one failure is enough and one success as well.

    Results in a row count only if no round since has failed to write its evidence, and if they are fresh.
    """
    rules, row, page = scenario.rules, one.row, world.probing.page
    if not scenario.evidence:
        return (failed & world.probing.answered if scenario.waits else failed), ()
    fails, successes = page.fails, page.successes
    if (rules.pages_of_round and page.round != row.round) or (rules.pages_fresh and row.over):
        fails, successes = 0, 0
    fails, successes = (min(fails + 1, ENOUGH_RESULTS), 0) if failed else (0, min(successes + 1, ENOUGH_RESULTS))
    down = row.verdicts if rules.verdicts_are_evidence else page.down
    down = successes < ENOUGH_RESULTS if down else fails >= ENOUGH_RESULTS
    return (scenario.may_fail if down else 0), Page(row.round + 1, fails, successes, down)


def _measure(scenario, world, row):
    """What the round may do with the order: keep it, change it, or release one name that still has the previous one."""
    if not scenario.distances:
        return [("", row)]
    if row.pending:
        return [(", and releases a name", _release(scenario, row))]
    changed = row._replace(order=1 - row.order, pending=_affected(scenario, world, row))
    changed = changed._replace(ordered=scenario.rules.order_marks and scenario.enforce)
    return [("", row), (", and the order changes", _release(scenario, changed))]


def _release(scenario, row):
    name = row.pending & -row.pending
    marked = name if scenario.rules.release_marks and scenario.enforce else 0
    return row._replace(pending=row.pending & ~name, names=row.names | marked)


def _with_names(scenario, world, before, row):
    """Broken on purpose: todo holds the names that were read before the row is written."""
    if scenario.rules.names_after_fence:
        return row
    read = to_be_marked(scenario, world, row._replace(todo=row.todo & ~before.todo))
    return row._replace(todo=before.todo, ordered=before.ordered, names=read)


def _next(scenario, one, done):
    """The round at the step that follows the one that is done (None: none is); None: it has ended."""
    row = one.row
    plan = scenario.rules.fence if row.todo or row.names or row.ordered else (FENCE,)
    left = plan[plan.index(done) + 1 :] if done is not None else plan
    if left:
        return one._replace(at=left[0])
    return Round(PAGE, page=one.page) if one.page else None


def fence(scenario, world, one):
    """Write the row on condition of the version that was read."""
    rules, row = scenario.rules, one.row
    if rules.vantage_condition and one.version != CURRENT:
        return [("finds that the vantage row has changed", world, None)]
    if scenario.evidence and not one.timer:
        world = _count(world, one)
    if one.answered:
        world = world._replace(probing=world.probing._replace(answered=world.probing.answered | one.answered))
    one = one._replace(version=CURRENT, answered=0)
    kept = row if rules.vantage_todo else _done(row)
    return [(f"writes {_said(row)}", write_vantage(world, kept), _next(scenario, one, FENCE))]


def _done(row):
    return row._replace(todo=0, names=0, ordered=False)


def _said(row):
    todo = f"{row.todo} {row.names}{' ordered' if row.ordered else ''}"
    return f"verdicts {row.verdicts}, todo {todo}, order {row.order}, pending {row.pending}"


def _count(world, one):
    """Count the results in a row as they are true: a fresh verdict comes and goes only after enough of them."""
    probing, before = world.probing, world.probing.row.verdicts
    row, streak = one.row, world.probing.streak
    streak = max(min(streak, 0) - 1, -ENOUGH_RESULTS) if one.failed else min(max(streak, 0) + 1, ENOUGH_RESULTS)
    if not row.over and row.verdicts & ~before and streak > -ENOUGH_RESULTS:
        raise Broken("an address is down, and its fresh results in a row are not enough")
    if not row.over and before & ~row.verdicts and streak < ENOUGH_RESULTS:
        raise Broken("an address is up again, and its fresh results in a row are not enough")
    return world._replace(probing=probing._replace(streak=streak))


def names(scenario, world, one):
    """Read the names of the endpoints in todo."""
    left = to_be_marked(scenario, world, one.row)
    one = one._replace(left=left)
    return [("reads the names in todo", world, one._replace(at=MARKS) if left else _next(scenario, one, MARKS))]


def marks(scenario, world, one):
    """Mark one name dirty after another."""
    name = bits(one.left)[0]
    left = one.left & ~(1 << name)
    world = mark(world, name, changes=scenario.rules.mark_changes)
    one = one._replace(left=left)
    return [(f"marks name {name} dirty", world, one if left else _next(scenario, one, MARKS))]


def empty(scenario, world, one):
    """Write the row with an empty todo, on condition of the version that was written."""
    what = "leaves todo to another round"
    if one.version == CURRENT or not scenario.rules.vantage_condition:
        what, world = "empties todo", write_vantage(world, _done(one.row)._replace(over=world.probing.row.over))
        one = one._replace(version=CURRENT)
    return [(what, world, _next(scenario, one, EMPTY))]


def page(_scenario, world, one):
    """Write the evidence, without a condition: another round may have written newer evidence."""
    return [("writes the evidence", world._replace(probing=world.probing._replace(page=one.page)), None)]


STEPS = (read, probe, fence, names, marks, empty, page)


def pass_time(scenario, world, *, long):
    """So much time passes that what is in the row is over: the verdicts first, then the distances.

    `long`: so much that this holds for the rounds under way as well.
    """
    probing = world.probing
    rounds = tuple(sorted(_aged(scenario, each, long=long) for each in probing.rounds))
    row = probing.row._replace(over=_later(scenario, probing.row.over))
    return world._replace(probing=probing._replace(row=row, rounds=rounds, streak=0 if long else probing.streak))


def _aged(scenario, one, *, long):
    """At PROBE a round holds the row as it was read, at FENCE as it is to be written."""
    if one.at == PROBE:
        row = one.row._replace(over=_later(scenario, one.row.over))
        return one._replace(row=row, over=_later(scenario, one.over) if long else one.over)
    if one.at == FENCE and long and not one.timer:
        return one._replace(row=one.row._replace(over=_later(scenario, one.row.over)))
    return one


def _later(scenario, over):
    return VERDICTS_OVER | DISTANCES_OVER if over and scenario.distances else VERDICTS_OVER
