"""Event Grid: which endpoints receive a completed operation, when and how often, and dead letters.

Delivery is at least once and unordered, with 30 s for an answer, then retries: docs, event-grid/delivery-and-retry.md
(2026-02-09). `next_attempt`, a pure function, decides after each attempt. Sending goes through `post`, so that a test
needs neither sockets nor time. `DeliveryFaults` loses, duplicates and delays events.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, TypeAlias

from simulator.arm.front_door import ArmFrontDoor, Completed, Signal
from simulator.event_grid.delay import DeliveryBackoff
from simulator.event_grid.events import CONTENT_TYPES, Event, Schema, Topic, event_of, health_event_of, validation

ANSWER_TIMEOUT = 30.0
LATE_ANSWER = 180.0
"""Seconds after sending: an answer within this time removes the event, unless it has already been sent again."""
RETRIES: Sequence[float] = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)
"""Seconds to the next attempt; the last one repeats."""
SLOWER: Mapping[int, float] = {404: 300, 408: 120, 503: 30}
"""Minimum seconds until the next attempt after these statuses."""
NEVER_AGAIN = frozenset({400, 401, 403, 413})
MAX_ATTEMPTS = 30
TIME_TO_LIVE = 86400.0
"""Seconds after which Event Grid drops an event; checked only when the next attempt is due."""

HttpPost: TypeAlias = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]
"""Sends a POST (url, headers, body) and returns status and body. Raises OSError without an answer."""


class RefusedError(Exception):
    """An endpoint failed the validation handshake; the message says why."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where the events of a system topic go.

    `operations`: only events whose operation name begins with one of these; empty: all. The HealthResources topic has
    no operations but annotations and availability changes, which are matched by their names.
    """

    endpoint: str
    schema: Schema = "EventGridSchema"
    operations: tuple[str, ...] = ()
    topic: Topic = "Microsoft.Resources.Subscriptions"

    def wants(self, event: Event) -> bool:
        """Whether this event passes the filter, in any case, as in Event Grid."""
        name = event.operation.lower()
        return not self.operations or name.startswith(tuple(each.lower() for each in self.operations))


@dataclass(slots=True)
class DeliveryFaults:
    """Faults of delivery. Chances are between 0 and 1, times in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    """Chance that an event is held back so that later ones overtake it."""
    held_back: float = 5.0
    """The longest time for which an event is held back."""
    lose_next: int = 0
    """This many of the next events are lost, whatever the chances."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt. Times in seconds since the epoch; `answered_at` and `status` are None without an answer."""

    seq: int
    event_id: str
    subject: str
    operation: str
    url: str
    attempt: int
    sent_at: float
    answered_at: float | None
    status: int | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that Event Grid has dropped."""

    event: Event
    url: str
    reason: str
    attempts: int


def next_attempt(attempt: int, status: int | None) -> float | str | None:
    """What follows an attempt (counted from 1): None after success, seconds to wait, or why the event is dropped."""
    if status is not None and 200 <= status <= 204:
        return None
    if status in NEVER_AGAIN:
        return {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden"}.get(status, "PayloadTooLarge")
    if attempt >= MAX_ATTEMPTS:
        return "MaxDeliveryAttemptsExceeded"
    return max(RETRIES[min(attempt, len(RETRIES)) - 1], SLOWER.get(status or 0, 0))


@dataclass
class EventGrid:
    """The system topics of a subscription. Needs a running event loop as soon as an operation completes.

    `delayed_delivery`: whether an endpoint that keeps failing gets no events for a while.
    """

    azure: ArmFrontDoor
    post: HttpPost
    rng: Random
    disturbance: DeliveryFaults = field(default_factory=DeliveryFaults)
    subscriptions: list[Subscription] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    delayed_delivery: bool = True
    _patience: defaultdict[str, DeliveryBackoff] = field(default_factory=lambda: defaultdict(DeliveryBackoff))
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.azure.completed.append(self.publish)
        self.azure.signalled.append(self.publish_health)

    async def subscribe(self, wanted: Subscription) -> None:
        """Do the validation handshake with an endpoint and send it events from now on. Raises RefusedError."""
        code = self.azure.new_guid()
        body = validation(code, self.azure.new_guid(), self.azure.clock(), wanted.schema)
        headers = {"content-type": CONTENT_TYPES[wanted.schema], "aeg-event-type": "SubscriptionValidation"}
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                status, answer = await self.post(wanted.endpoint, headers, body)
        except (OSError, TimeoutError) as error:
            raise RefusedError(f"{wanted.endpoint} did not answer the validation request: {error}") from error
        if status != 200 or _validation_response(answer) != code:
            raise RefusedError(f"{wanted.endpoint} answered the validation request with {status}: {answer[:200]!r}")
        replaced = (wanted.endpoint, wanted.topic)
        others = [each for each in self.subscriptions if (each.endpoint, each.topic) != replaced]
        self.subscriptions = [*others, wanted]

    def publish(self, note: Completed) -> None:
        """Send a completed operation to all subscriptions to operations."""
        event = event_of(note, self.azure.new_guid(), action_in_subject=self.azure.action_in_subject)
        self._publish(event, self._listeners("Microsoft.Resources.Subscriptions"))

    def publish_health(self, signal: Signal) -> None:
        """Send a change of a resource's health to all subscriptions to health."""
        listeners = self._listeners("Microsoft.ResourceNotifications.HealthResources")
        if listeners:  # without listeners, draw nothing: equal seeds keep their histories
            self._publish(health_event_of(signal, self.azure.new_guid(), self.azure.new_guid()), listeners)

    def _listeners(self, topic: Topic) -> list[Subscription]:
        return [each for each in self.subscriptions if each.topic == topic]

    def _publish(self, event: Event, listeners: list[Subscription]) -> None:
        for subscription in listeners:
            if not subscription.wants(event):
                continue
            if self._is_lost():
                self.lost.append(event)
                continue
            for _ in range(1 + (self.rng.random() < self.disturbance.duplication)):
                self._spawn(self._deliver(subscription, event, self._hold()))

    def _is_lost(self) -> bool:
        if self.disturbance.lose_next > 0:
            self.disturbance.lose_next -= 1
            return True
        return self.rng.random() < self.disturbance.loss

    def _hold(self) -> float:
        held = self.rng.random() < self.disturbance.reordering
        return self.rng.uniform(0, self.disturbance.held_back) if held else 0.0

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, subscription: Subscription, event: Event, hold: float) -> None:
        await asyncio.sleep(hold)
        await self._delay(subscription.endpoint)
        for attempt in itertools.count(1):
            status, answer = await self._attempt(subscription, event, attempt)
            verdict = next_attempt(attempt, status)
            self._patience[subscription.endpoint].note(self.azure.clock(), delivered=verdict is None)
            if isinstance(verdict, float | int):
                await asyncio.sleep(verdict * self.rng.uniform(1.0, 1.1))
                await self._delay(subscription.endpoint)
                verdict = self._recheck_before_retry(attempt, event, answer, verdict)
            if isinstance(verdict, str):
                self.dead_letters.append(DeadLetter(event, subscription.endpoint, verdict, attempt))
            if verdict is None or isinstance(verdict, str):
                return

    async def _delay(self, endpoint: str) -> None:
        if self.delayed_delivery:
            await asyncio.sleep(self._patience[endpoint].delay(self.azure.clock()))

    def _recheck_before_retry(
        self, attempt: int, event: Event, answer: asyncio.Task[int | None], verdict: float
    ) -> float | str | None:
        """Decide again when the next attempt is due: the answer may have come late, or the event may be too old."""
        if answer.done() and next_attempt(attempt, answer.result()) is None:
            return None
        return "TimeToLiveExceeded" if self.azure.clock() - event.time > TIME_TO_LIVE else verdict

    async def _attempt(
        self, subscription: Subscription, event: Event, attempt: int
    ) -> tuple[int | None, asyncio.Task[int | None]]:
        headers = {
            "content-type": CONTENT_TYPES[subscription.schema],
            "aeg-event-type": "Notification",
            "aeg-delivery-count": str(attempt - 1),  # counting from 0 is unverified
            "aeg-subscription-name": "NEARZONE",
            "aeg-metadata-version": "1",
            "aeg-data-version": event.version,
        }
        sent = self.azure.clock()
        # A slow endpoint goes on working: the request is not aborted when the time is up.
        answer = self._spawn(self._send(subscription.endpoint, headers, event.body(subscription.schema)))
        done, _ = await asyncio.wait({answer}, timeout=ANSWER_TIMEOUT)
        status = answer.result() if done else None
        answered = self.azure.clock() if status is not None else None
        operation = event.operation
        seq, url = len(self.deliveries) + 1, subscription.endpoint
        self.deliveries.append(Delivery(seq, event.id, event.subject, operation, url, attempt, sent, answered, status))
        return status, answer

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        try:
            status, _ = await self.post(url, headers, body)
        except (OSError, TimeoutError):
            return None
        return status

    def log_after(self, seq: int) -> list[dict[str, Any]]:
        """The deliveries after a sequence number, as JSON."""
        return [asdict(each) for each in self.deliveries[max(seq, 0) :]]

    async def idle(self) -> None:
        """Wait until nothing is in flight, retries included."""
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks)
            self._tasks -= done

    async def close(self) -> None:
        """Abandon everything in flight."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _validation_response(answer: bytes) -> object:
    try:
        content = json.loads(answer)
    except ValueError:
        return None
    return content.get("validationResponse") if isinstance(content, dict) else None
