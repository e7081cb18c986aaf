"""The live view: asks all apps again and again, until q or Ctrl-C."""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Group
from rich.live import Live

from nearzone_cli.durations import iso
from nearzone_cli.errors import OK
from nearzone_cli.fleet import Fleet, Result
from nearzone_cli.screens.said import cell, problems
from nearzone_cli.screens.status import status_screen
from nearzone_cli.session import Session

TICK_SECONDS = 0.1
QUIT = ("q", "Q", "\x03")


class Quiet:
    """Shows no progress: the view itself is renewed."""

    def waiting(self, missing: Sequence[str], total: int, seconds: float) -> None:
        """Nothing."""

    def retrying(self, missing: Sequence[Result[Any]], seconds_left: float) -> None:
        """Nothing."""

    def arrived(self, regions: Sequence[str]) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""


def live(session: Session, ask: Callable[[Fleet], list[Result[Any]]], interval: float) -> int:
    """Renew the status every `interval` seconds. The exit code is 0: the user has ended it."""
    here = session.surroundings
    fleet = Fleet(session.fleet.clients, Quiet(), here.monotonic, here.sleep)
    with _keys(here.stdin) as pressed, Live(console=session.terminal.out, screen=True, auto_refresh=False) as view:
        try:
            while True:
                due = here.monotonic() + interval
                answer: queue.SimpleQueue[Any] | None = _begun(ask, fleet)
                while answer is not None or here.monotonic() < due:
                    if pressed() in QUIT:
                        return OK
                    here.sleep(TICK_SECONDS)
                    if answer is not None and not answer.empty():
                        found = answer.get()
                        if isinstance(found, BaseException):
                            raise found
                        view.update(_screen(session, found), refresh=True)
                        answer = None
        except KeyboardInterrupt:
            return OK


def _begun(ask: Callable[[Fleet], list[Result[Any]]], fleet: Fleet) -> queue.SimpleQueue[Any]:
    """Ask in the background, so that keys work while an app does not answer."""
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put(ask(fleet))
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            answer.put(error)

    threading.Thread(target=work, daemon=True).start()
    return answer


def _screen(session: Session, results: list[Result[Any]]) -> Group:
    title = cell(f"nearzone {session.context.name}, {iso(session.now())}; q ends", "bold reverse")
    return Group(title, *status_screen(results), *problems(results, session.terminal.secrets.hide))


@contextmanager
def _keys(stdin: IO[str]) -> Iterator[Callable[[], str]]:
    """A function that returns the key that was pressed, or "" at once."""
    if not stdin.isatty():
        yield lambda: ""
    elif os.name == "nt":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        yield lambda: msvcrt.getwch() if msvcrt.kbhit() else ""  # type: ignore[attr-defined]
    else:
        import termios  # noqa: PLC0415 - does not exist on Windows
        import tty  # noqa: PLC0415 - as above

        number = stdin.fileno()
        before = termios.tcgetattr(number)
        tty.setcbreak(number)
        try:
            yield lambda: os.read(number, 1).decode(errors="replace") if select.select([number], [], [], 0)[0] else ""
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, before)
