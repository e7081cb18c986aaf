"""One recording on its way through a fresh simulator with virtual time.

Virtual time passes as it did in the recording, but no operation ends by it: where the recorded answer shows that one
has ended, virtual time goes on to the end of the next operation, until the simulator's answer shows it, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from comparison import Comparison, Pairs, key
from countdowns import Countdowns
from durations import Span, Stopwatch
from entering import Entrance
from recordings import POLLS, Interaction, Recording
from skips import GROUP_DELETED, NOT_SIMULATED, ONE_BY_ONE, OTHER_POLL, OTHER_TYPE, SKIPPED_POLL

from simulator.arm.front_door import Request, Response
from simulator.cloud import SimulatedAzure

_SHORTLY = 0.001
"""Seconds."""


@dataclass(frozen=True)
class Outcome:
    """What became of one interaction: compared (no `reason`) with its differences, or skipped for a reason.

    `explained`: the type and field of each difference that is known of its time (`eras.py`). `span`: of the operation
    that had ended by then. `steps`: how many steps of countdown headers were compared.
    """

    recording: str
    corpus: str
    number: int
    interaction: Interaction
    label: str | None
    reason: str | None = None
    differences: tuple[str, ...] = ()
    explained: frozenset[tuple[str | None, str]] = frozenset()
    span: Span | None = None
    steps: int = 0


class Replay:
    """A fresh simulator, and what is known of how its values and the recorded ones go together."""

    def __init__(self, recording: Recording, one_by_one: Mapping[tuple[str, int], str] = ONE_BY_ONE) -> None:
        self.recording = recording
        self.one_by_one = one_by_one
        self.interactions = recording.interactions
        self.now = 1_600_000_000.0
        self.cloud = SimulatedAzure(clock=lambda: self.now, seed=1)
        self.pairs = Pairs()
        self.links: dict[str, str] = {}
        """Recorded URL of a poll or a next page, as `key` writes it -> the simulator's."""
        self.others: set[str] = set()
        """Recorded polling URLs of what the simulator does not support."""
        self.groups_deleted = False
        self.at: float | None = None
        """When the last recorded answer was given."""
        self.stopwatch = Stopwatch()
        self.countdowns = Countdowns()
        self.entrance = Entrance(self.interactions, self._send, self._settle, self.cloud)

    def outcomes(self) -> Iterator[Outcome]:
        """Replay everything, in order."""
        for number, interaction in enumerate(self.interactions):
            self._pass(interaction)
            yield self.step(number, interaction)

    def _pass(self, interaction: Interaction) -> None:
        """Let the time between two recorded answers pass, up to shortly before the next operation ends."""
        if interaction.at is None:
            return
        then = self.now + max(0.0, interaction.at - (self.at or interaction.at))
        due = self.cloud.azure.next_due()
        self.now = then if due is None else max(self.now, min(then, due - _SHORTLY))
        self.at = interaction.at

    def step(self, number: int, interaction: Interaction) -> Outcome:
        """Replay one interaction."""
        label = interaction.label
        outcome = Outcome(self.recording.name, self.recording.corpus, number, interaction, label)
        if label == POLLS and key(interaction.url) in self.others:
            return replace(outcome, label=None, reason=OTHER_POLL)
        if label == POLLS and key(interaction.url) not in self.links:
            return replace(outcome, reason=SKIPPED_POLL)
        if label is None:
            self._other(interaction)
            return replace(outcome, reason=OTHER_TYPE)
        if not self.groups_deleted:  # the recorder's set-up made the group without recording it
            for group in {each.group for each in self.interactions} - {""}:
                self.cloud.azure.ensure_group(interaction.path.split("/")[2], group)
        elif interaction.error not in {"", "ResourceGroupNotFound"}:
            return replace(outcome, reason=GROUP_DELETED)
        known = self.one_by_one.get((self.recording.name, number))
        if known is not None:
            return replace(outcome, reason=known, differences=self._tried(interaction))
        return self._compared(outcome, self._entered(number, interaction))

    def _other(self, interaction: Interaction) -> None:
        """Note what a call on something unsupported began, and which groups it deletes."""
        headers = interaction.answer_headers
        self.others |= {key(headers[name]) for name in ("azure-asyncoperation", "location") if name in headers}
        if not interaction.parts[0] and interaction.method == "DELETE":
            self.cloud.azure.groups.pop((interaction.path.split("/")[2], interaction.group), None)
            self.groups_deleted = True

    def _entered(self, number: int, interaction: Interaction) -> tuple[str, ...]:
        """Let in what the answer shows and something unsupported has made; what the simulator refused to take in."""
        if interaction.label in {"scale-set instances", "scale-set NICs"}:
            self.entrance.enter_set(number, interaction)
        self.entrance.failed.clear()
        if self.entrance.strangers(interaction):
            self.entrance.enter(number, interaction)
            self.entrance.power(interaction)
        return tuple(self.entrance.failed)

    def _tried(self, interaction: Interaction) -> tuple[str, ...]:
        """Let the call take effect; it is a difference if its answer is as recorded, for then it could be compared."""
        comparison = Comparison(interaction, self.pairs.copy())
        found = comparison.differences(self._handle(self._request(interaction)))
        self.links |= comparison.links
        return () if found else ("said to be skipped, and nothing differs",)

    def _compared(self, outcome: Outcome, refused: tuple[str, ...]) -> Outcome:
        interaction = outcome.interaction
        self.entrance.occupy(interaction)
        request = self._request(interaction)
        began, before = self.now, self.cloud.azure.next_due()
        while True:
            self.entrance.containers(interaction)
            response = self._handle(request)
            if response.status == 405 and interaction.status != 405:
                missing = f"{interaction.method} {'/'.join(interaction.parts[1])}"
                return replace(outcome, reason=f"{NOT_SIMULATED}: {missing}")
            comparison = Comparison(interaction, self.pairs.copy())
            differences = comparison.differences(response)
            due = self.cloud.azure.next_due()
            if not differences or interaction.method != "GET" or due is None or _runs(interaction, response):
                break
            self.now = max(self.now, due)
        if interaction.method != "GET":
            ours = due - began if due is not None and due != before else None
            self.stopwatch.start(interaction, comparison.links, ours)
        counted = self.countdowns.steps
        differences += self.countdowns.differences(interaction, request, response, self.now)
        self._learn(comparison, response)
        return replace(
            outcome,
            differences=(*refused, *differences),
            explained=frozenset(comparison.explained),
            span=self.stopwatch.stop(interaction, key(interaction.url)),
            steps=self.countdowns.steps - counted,
        )

    def _learn(self, comparison: Comparison, response: Response) -> None:
        self.pairs = comparison.pairs
        self.links |= comparison.links
        if comparison.interaction.method == "PUT" and response.status < 300:
            self.entrance.know(comparison.interaction.path)

    def _handle(self, request: Request) -> Response:
        response = self.cloud.handle(request)
        self.countdowns.sent(request, response)
        return response

    def _send(self, request: Request) -> Response:
        """A request of the entrance's, in which recorded random values are the simulator's."""
        return self._handle(replace(request, path=self.pairs.translate(request.path)))

    def _settle(self) -> None:
        while (due := self.cloud.azure.next_due()) is not None:
            self.now = max(self.now, due)
            self.cloud.azure.advance()

    def _request(self, interaction: Interaction) -> Request:
        url = self.links.get(key(interaction.url)) or self.pairs.translate(interaction.url)
        headers = {
            name: self.pairs.translate(value)
            for name, value in interaction.headers.items()
            if name in {"if-match", "if-none-match"}
        }
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = self.pairs.translate(interaction.body).encode()
        return Request(interaction.method, unquote(parts.path), query, headers, body)


def _runs(interaction: Interaction, response: Response) -> bool:
    """Both say that the operation has not ended: time has nothing to add."""
    return all(
        isinstance(content, dict) and content.get("status") == "InProgress"
        for content in (interaction.content, response.content)
    )
