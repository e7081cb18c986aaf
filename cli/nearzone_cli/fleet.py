"""Asks all apps at the same time, and again those that have not got an order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from nearzone_cli.client import AppClient, unexpected
from nearzone_cli.contexts import App
from nearzone_cli.errors import FAILED, INTERRUPTED, OK, UNREACHED, AppError, Interrupted, Unreached

T = TypeVar("T")
PAUSE_SECONDS = 5.0
"""Between two attempts to reach an app."""
TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Result(Generic[T]):
    """What one app said: a value or an error. `attempts`: how often it was asked."""

    app: App
    value: T | None = None
    error: AppError | None = None
    attempts: int = 1

    @property
    def outcome(self) -> str:
        """One word: ok, refused, failed or not reached."""
        return self.error.outcome if self.error else "ok"


class Watcher(Protocol):
    """Shows how a long call goes on."""

    def waiting(self, missing: Sequence[str], total: int, seconds: float) -> None:
        """Some apps have not answered yet."""

    def retrying(self, missing: Sequence[Result[Any]], seconds_left: float) -> None:
        """Some apps have not got the order, and are asked again."""

    def arrived(self, regions: Sequence[str]) -> None:
        """These apps have got the order, while others are asked again."""

    def done(self) -> None:
        """Nothing is waited for any more."""


@dataclass(frozen=True)
class Fleet:
    """The apps of a command. `clock`: monotonic seconds; `sleep`: waits so many."""

    clients: Sequence[AppClient]
    watcher: Watcher
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def ask(self, work: Callable[[AppClient], T]) -> list[Result[T]]:
        """What each app says, in the order of the context."""
        found: dict[str, Result[T]] = {}
        self.gather(work, found)
        return self._ordered(found)

    def ask_until(
        self, work: Callable[[AppClient], T], is_enough: Callable[[Sequence[T]], bool], grace: float
    ) -> list[Result[T]]:
        """As `ask`, but waits at most `grace` seconds for further apps once the answers that are there are enough.

        An app that was not waited for has the error Unreached.
        """
        found: dict[str, Result[T]] = {}
        enough_at: float | None = None

        def over() -> bool:
            nonlocal enough_at
            if enough_at is None and is_enough([each.value for each in found.values() if each.value is not None]):
                enough_at = self.clock()
            return enough_at is not None and self.clock() >= enough_at + grace

        self.gather(work, found, over)
        late = [client.app for client in self.clients if client.app.region not in found]
        return self._ordered(found | {app.region: Result(app, error=Unreached("no answer yet")) for app in late})

    def gather(
        self, work: Callable[[AppClient], T], found: dict[str, Result[T]], over: Callable[[], bool] = lambda: False
    ) -> None:
        """Put into `found` what each app says, as soon as it does: Ctrl-C does not lose what has arrived.

        `over`: whether to wait for no further app.
        """
        begun, total = self.clock(), len(self.clients)
        answers: queue.SimpleQueue[Result[T] | BaseException] = queue.SimpleQueue()
        for client in self.clients:
            # Daemons, so that Ctrl-C does not wait for an app that does not answer.
            threading.Thread(target=_call, args=(client, work, answers), daemon=True).start()
        try:
            while len(found) < total and not over():
                try:
                    each = answers.get(timeout=TICK_SECONDS)
                except queue.Empty:
                    missing = [client.app.region for client in self.clients if client.app.region not in found]
                    self.watcher.waiting(missing, total, self.clock() - begun)
                    continue
                if isinstance(each, BaseException):
                    raise each
                found[each.app.region] = each
        finally:
            self.watcher.done()

    def ask_until_all(
        self, work: Callable[[AppClient], T], patience: float, concerned: Callable[[list[Result[T]]], list[Result[T]]]
    ) -> list[Result[T]]:
        """As `ask`; asks again for `patience` seconds where another attempt may succeed.

        Ctrl-C ends that; an app that has not answered yet has the error Interrupted. `concerned`: drops the apps that
        the order is not about.
        """
        end = self.clock() + patience
        found: dict[str, Result[T]] = {}
        try:
            self.gather(work, found)
        except KeyboardInterrupt:
            silent = [client.app for client in self.clients if client.app.region not in found]
            found |= {app.region: Result(app, error=Interrupted()) for app in silent}
            end = self.clock()
        told: set[str] = set()
        while missing := [each for each in concerned(self._ordered(found)) if each.error and each.error.retry]:
            left = end - self.clock()
            if left <= 0:
                break
            self._tell(found, told)
            again: dict[str, Result[T]] = {}
            ended = False
            try:
                self.watcher.retrying(missing, left)
                self.sleep(min(PAUSE_SECONDS, left))
                self._only(missing).gather(work, again)
            except KeyboardInterrupt:
                ended = True  # What the apps have said is shown, and what is missing.
            for region, each in again.items():
                found[region] = replace(each, attempts=found[region].attempts + 1)
            if ended:
                break
        self.watcher.done()
        return concerned(self._ordered(found))

    def _tell(self, found: Mapping[str, Result[T]], told: set[str]) -> None:
        """Say which apps have got the order since the last time."""
        new = [each.app.region for each in self._ordered(found) if each.error is None and each.app.region not in told]
        told.update(new)
        if new:
            self.watcher.arrived(new)

    def _ordered(self, found: Mapping[str, Result[T]]) -> list[Result[T]]:
        return [found[client.app.region] for client in self.clients]

    def _only(self, missing: Sequence[Result[Any]]) -> Fleet:
        regions = {each.app.region for each in missing}
        return replace(self, clients=[client for client in self.clients if client.app.region in regions])


def _call(
    client: AppClient, work: Callable[[AppClient], T], answers: queue.SimpleQueue[Result[T] | BaseException]
) -> None:
    try:
        answers.put(Result(client.app, work(client)))
    except AppError as error:
        answers.put(Result(client.app, error=error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        answers.put(Result(client.app, error=unexpected(f"{type(error).__name__}: {error}")))
    except BaseException as error:  # noqa: BLE001 - the main thread raises it
        answers.put(error)


def exit_code(results: Sequence[Result[T]]) -> int:
    """130 if the user did not wait, 1 if an app refused or failed, 3 if one was not reached, else 0."""
    codes = {each.error.code for each in results if each.error}
    return next((code for code in (INTERRUPTED, FAILED, UNREACHED) if code in codes), OK)
