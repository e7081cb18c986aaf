"""The explorer: every state that can be reached, breadth first."""

import time
from dataclasses import dataclass

from tests.protocol.promises import Promises
from tests.protocol.successors import initial, successors
from tests.protocol.words import Broken


@dataclass(frozen=True)
class Result:
    """What was found. `broken`: the promise, or ""; `trace`: a shortest way there; `whole`: all states were seen."""

    states: int
    steps: int
    rests: int
    seconds: float
    broken: str = ""
    trace: tuple = ()
    whole: bool = True


def explore(scenario, most=3_000_000):
    """Explore a scenario until a promise breaks, every state was seen, or so many were."""
    began = time.process_time()
    start = initial(scenario)
    before = {start: None}
    promises = Promises(scenario)
    pool, front, steps = {}, [start], 0

    def result(**found):
        return Result(len(before), steps, promises.count, time.process_time() - began, **found)

    while front:
        following = []
        for world in front:
            try:
                promises.check(world)
                found = successors(scenario, world)
            except Broken as broken:
                return result(broken=str(broken), trace=_trace(scenario, before, world))
            steps += len(found)
            for _, after in found:
                if after not in before:
                    # By position: an equal tuple may be another thing there, such as a truth and a row.
                    kept = type(after)(*[pool.setdefault((at, part), part) for at, part in enumerate(after)])
                    before[kept] = world
                    following.append(kept)
            if len(before) > most:
                return result(whole=False)
        front = following
    return result()


def _trace(scenario, before, world):
    """What was done on the way to a state."""
    said = []
    while (previous := before[world]) is not None:
        said.append(next(what for what, after in successors(scenario, previous) if after == world))
        world = previous
    return tuple(reversed(said))
