"""Whether the simulator counts calls down as recorded: by one for each call on a type with the same action.

Recorded counters fall by one from call to call while nothing else calls, and jump where another client calls, another
instance of the provider answers or a window ends. Steps of one are compared; the other steps say nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from recordings import Interaction

from simulator.arm.front_door import Request, Response, parse

_REQUESTS = "x-ms-ratelimit-remaining-subscription-resource-requests"
WINDOWS = {_REQUESTS: 300, f"{_REQUESTS}-pt5m": 300, f"{_REQUESTS}-pt1h": 3600}
"""Countdown headers whose steps are compared, and the seconds after which they begin anew."""


@dataclass(frozen=True)
class _Sight:
    recorded: int
    ours: int
    sent: int
    now: float


class Countdowns:
    """The counters of one recording. `steps`: how many steps were compared."""

    def __init__(self) -> None:
        self.steps = 0
        self._sent: Counter[tuple[str, ...]] = Counter()
        self._seen: dict[tuple[str, ...], _Sight] = {}

    def sent(self, request: Request, response: Response) -> None:
        """The simulator has answered a request; one that ARM itself refuses is not counted and has no countdown."""
        for header in {name.lower() for name in response.headers} & WINDOWS.keys():
            self._sent[header, *_counted(request)] += 1

    def differences(self, interaction: Interaction, request: Request, response: Response, now: float) -> Iterator[str]:
        """What differs in the steps to this answer; `now`: the simulator's time."""
        answered = {name.lower(): value for name, value in response.headers.items()}
        for header, window in WINDOWS.items():
            if header not in interaction.answer_headers or header not in answered:
                continue  # a missing header is a difference of its own
            counter = (header, *_counted(request))
            sight = _Sight(int(interaction.answer_headers[header]), int(answered[header]), self._sent[counter], now)
            before = self._seen.get(counter)
            self._seen[counter] = sight
            if before is None or before.recorded - sight.recorded != 1 or before.now // window != now // window:
                continue
            self.steps += 1
            fell, calls = before.ours - sight.ours, sight.sent - before.sent
            if fell != calls:
                yield f"header {header}: fell by {fell} in {calls} calls"


def _counted(request: Request) -> tuple[str, ...]:
    """What is counted together: a subscription's calls on a type with the same action."""
    call = parse(request)
    return call.subscription.lower(), call.kind, {"GET": "read", "DELETE": "delete"}.get(call.method, "write")
