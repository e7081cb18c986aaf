"""What must hold whenever the world has come to rest: nothing runs, and no event waits."""

from tests.protocol import drains, looks, rounds, surroundings, sweeps
from tests.protocol.routing import NOTHING_MEASURED, measured, right
from tests.protocol.words import FOREIGN, NONE, UNREAD, Broken, Budget, Look, Round

ENOUGH = 400
"""Steps after which something that runs alone does not end."""


class Promises:
    """Judges worlds at rest, each once: many differ only in what may still happen."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.count = 0
        self._judged = set()

    def check(self, world):
        """Raise Broken where a world is at rest and breaks a promise."""
        if world.looks or world.drains or world.sweep or any(map(any, world.events)):
            return
        if world.probing and world.probing.rounds:
            return
        self.count += 1
        told = world.may.lost_events == self.scenario.may.lost_events
        lost = (world.may.lost_catalogs, world.may.lost_rows)
        kept = lost == (self.scenario.may.lost_catalogs, self.scenario.may.lost_rows) and not self.scenario.lost
        key = (world._replace(may=Budget()), told, kept)
        if key not in self._judged:
            self._judged.add(key)
            self._judge(*key)

    def _judge(self, world, told, kept):
        """`told`: no event was lost. `kept`: nor was the catalog, or a row of it."""
        if told and kept and not world.due:
            self._nothing_forgotten(world)
        if told and world.complete and not world.due:
            self._read_names(world)
        if not self.scenario.enforce:
            self._watching_marks_nothing(world)
        world = self._finished(world)
        if told and kept:
            self._all_right(world, "after the drain timer")
            if world.probing:
                self._nothing_held_back(world)
        world = self._finished(self._swept(world))
        self._all_right(world, "after a sweep")

    def _nothing_forgotten(self, world):
        """Every acknowledged observation is in the catalog; a name that is wrong is dirty, or a row asks for it."""
        known = world.dirty
        for endpoint, (truth, row) in enumerate(zip(world.truth, world.rows, strict=True)):
            seen = row.seen if row else NONE
            again = row and (row.missing or row.again or row.state == UNREAD)
            if self.scenario.moot and not (truth.state and truth.names) and not (row and row.names):
                continue
            if seen != truth.seen and not again:
                raise Broken(f"at rest, the row of endpoint {endpoint} says {seen}, and {truth.seen} is true")
            known |= row.todo if row else 0
            known |= row.names | truth.names if again else 0
        known |= self._to_be_marked(world)
        for name in range(len(world.records)):
            if not known >> name & 1 and not self._is_right(world, name):
                raise Broken(f"at rest, name {name} is wrong and is not dirty")

    def _to_be_marked(self, world):
        """The names that the vantage row asks for, and those of what is over: the drain timer marks them."""
        if not world.probing:
            return 0
        return rounds.to_be_marked(self.scenario, world, rounds.ended(self.scenario, world.probing.row))

    def _watching_marks_nothing(self, world):
        """Where verdicts are only watched, the vantage row asks for no name."""
        if self._to_be_marked(world):
            raise Broken("verdicts are only watched, and names are to be marked")

    def _nothing_held_back(self, world):
        """Where no prober is left, every name is as without probes after `until` and two drains."""
        for _ in range(2):
            world = rounds.pass_time(self.scenario, world, long=True)
        for _ in range(2):
            world = self._finished(world)
        for name, record in enumerate(world.records):
            if record not in (FOREIGN, right(self.scenario, world.truth, name)):
                raise Broken(f"what was measured is over, and name {name} is not as without probes")

    def _read_names(self, world):
        """A name whose claimants are all read is right after a drain, even where other names are not read."""
        drained, unmarked = self._drained(world), self._to_be_marked(world)
        for name in range(len(world.records)):
            claimants = [
                row
                for truth, row in zip(world.truth, world.rows, strict=True)
                if (truth.state and truth.names >> name & 1) or (row and row.names >> name & 1)
            ]
            read = claimants and all(row and not row.due for row in claimants)
            if read and not unmarked >> name & 1 and not self._is_right(drained, name):
                raise Broken(f"all claimants of name {name} are read, and it is wrong after a drain")

    def _all_right(self, world, when):
        for name in range(len(world.records)):
            if not self._is_right(world, name):
                raise Broken(f"{when}, name {name} is wrong")
        if world.dirty:
            raise Broken(f"{when}, names stay dirty")

    def _is_right(self, world, name):
        by = measured(self.scenario, world) if world.probing else NOTHING_MEASURED
        return world.records[name] in (FOREIGN, right(self.scenario, world.truth, name, by))

    def _finished(self, world):
        """The drain timer alone: it sweeps where that is due, looks at what is due, time after time, and drains."""
        if world.probing:
            world = self._run(world, Round(timer=True), rounds.steps)
        for _ in range(4):
            if world.due:
                world = self._swept(world)
            due = [endpoint for endpoint, row in enumerate(world.rows) if row and row.due]
            for endpoint in due:
                world = self._run(world, Look(endpoint), looks.steps)
            world = surroundings.later(self._drained(world))
            if not due:
                return world
        raise Broken("the drain timer does not come to an end")

    def _drained(self, world):
        for name in range(len(world.records)):
            if world.dirty >> name & 1:
                world = self._run(world, drains.Drain(name), drains.steps)
        return world

    def _run(self, world, one, steps):
        """Let a look or a drain go on alone, with true answers."""
        for _ in range(ENOUGH):
            _, world, one = steps(self.scenario, world, one)[0]
            if one is None:
                return world
        raise Broken("what runs alone does not end")

    def _swept(self, world):
        world = world._replace(sweep=sweeps.begin(self.scenario, world))
        for _ in range(ENOUGH):
            _, world = sweeps.steps(self.scenario, world, world.sweep)[0]
            if not world.sweep:
                return world
        raise Broken("a sweep alone does not end")
