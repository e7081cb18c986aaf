"""Asks all apps at the same time, and again those that have not got an order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from nearzone_cli.client import AppClient, unexpected
from nearzone_cli.contexts import App
from nearzone_cli.errors import FAILED, OK, UNREACHED, AppError

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
        begun, total = self.clock(), len(self.clients)
        answers: queue.SimpleQueue[Result[T] | BaseException] = queue.SimpleQueue()
        for client in self.clients:
            # Daemons, so that Ctrl-C does not wait for an app that does not answer.
            threading.Thread(target=_call, args=(client, work, answers), daemon=True).start()
        found: dict[str, Result[T]] = {}
        try:
            while len(found) < total:
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
        return [found[client.app.region] for client in self.clients]

    def ask_until_all(
        self, work: Callable[[AppClient], T], patience: float, concerned: Callable[[list[Result[T]]], list[Result[T]]]
    ) -> list[Result[T]]:
        """As `ask`; asks again for `patience` seconds where another attempt may succeed; Ctrl-C ends that.

        `concerned`: drops the apps that the order is not about.
        """
        end = self.clock() + patience
        found = {each.app.region: each for each in self.ask(work)}
        while missing := [each for each in concerned(list(found.values())) if each.error and each.error.retry]:
            left = end - self.clock()
            if left <= 0:
                break
            try:
                self.watcher.retrying(missing, left)
                self.sleep(min(PAUSE_SECONDS, left))
                again = self._only(missing).ask(work)
            except KeyboardInterrupt:
                break  # What the other apps have said is shown, and what is missing.
            for each in again:
                found[each.app.region] = replace(each, attempts=found[each.app.region].attempts + 1)
        self.watcher.done()
        return concerned([found[client.app.region] for client in self.clients])

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
    """1 if an app refused or failed, 3 if one was not reached, else 0."""
    codes = {each.error.code for each in results if each.error}
    return FAILED if FAILED in codes else UNREACHED if UNREACHED in codes else OK
