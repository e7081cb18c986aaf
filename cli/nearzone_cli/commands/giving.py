"""How an order reaches all apps: it is sent at once, again with --until-all, and what is missing is said."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from nearzone_cli.client import AppClient, Json
from nearzone_cli.durations import seconds
from nearzone_cli.errors import FAILED, OK, Refused, UsageError
from nearzone_cli.fleet import Result
from nearzone_cli.options import Order
from nearzone_cli.screens.reports import impact, order_screen
from nearzone_cli.session import Session

Work = Callable[[AppClient], Json]
Concerned = Callable[[Sequence[Result[Json]]], list[Result[Json]]]
MAX_REASON = 200
BAD_REQUEST = 400
"""The app has understood the order and refused it: another attempt changes nothing."""


class NothingToEnd(Refused):
    """The override to end is not in force at this app."""


def ending(post: Callable[[], Json]) -> Json:
    """Send the end of an override. Raises AppError; NothingToEnd where the app says that it is not in force.

    The texts are those of docs/status.md, "A request is refused".
    """
    try:
        return post()
    except Refused as error:
        if "is not drained by an override" in str(error) or "is not frozen" in str(error):
            raise NothingToEnd(str(error), error.status) from error
        raise


def is_unknown(name: str, reports: Iterable[Json]) -> bool:
    """Whether every report says that nothing has a name, in the words of the app's notes."""
    said = f"name {name.lower()}: no endpoint claims it"
    notes = [report["notes"] for report in reports]
    return bool(notes) and all(any(note.startswith(said) for note in each) for each in notes)


def with_reason(body: Json, order: Order) -> Json:
    """The request with the reason. Raises UsageError, because every app would refuse it."""
    if len(order.reason) > MAX_REASON or not order.reason.isprintable():
        raise UsageError(f"--reason: one line of at most {MAX_REASON} characters is expected")
    return {
        **body,
        **({"reason": order.reason} if order.reason else {}),
        **({"dry_run": True} if order.dry_run else {}),
    }


def everybody(results: Sequence[Result[Json]]) -> list[Result[Json]]:
    """All apps are concerned."""
    return list(results)


def agreed(
    session: Session, order: Order, question: str, dry_run: Work, concerned: Concerned = everybody
) -> int | None:
    """Ask for confirmation, after a dry run at all apps. None: go on; otherwise the exit code.

    `concerned`: as in `give`.
    """
    if order.yes or order.dry_run:
        return None
    results = concerned(session.fleet.ask(dry_run))
    session.terminal.err.print(*impact(results))
    refused = [each for each in results if each.error and not each.error.retry]
    if refused:
        for each in refused:
            session.terminal.problem(f"{each.app.region}: {each.error}")
        session.terminal.problem("nothing was sent")
        return FAILED
    if session.terminal.confirm(question):
        return None
    session.terminal.note("nothing was sent")
    return FAILED


def give(
    session: Session,
    order: Order,
    command: str,
    work: Work,
    again: Iterable[str] = (),
    concerned: Concerned = everybody,
    name: str | None = None,
) -> int:
    """Send an order, show what each app said, and return the exit code.

    `again`: the command's own arguments, for the apps that have not got it. `concerned`: drops apps that are not.
    `name`: the one that the order is about; it fails if no app knows it.
    """
    patience = seconds("--until-all", order.patience) if order.patience and not order.dry_run else 0
    results = _settled(
        session.fleet.ask_until_all(work, patience, concerned),
        rest=bool(session.regions) and order.patience is not None,
    )
    told = [report for each in results for report in reports(each.value)]
    failed = any(report["failures"] or report["refusals"] for report in told)
    failed |= name is not None and is_unknown(name, told) and session.unknown(name, results) == FAILED
    missing = [each.app.region for each in results if each.error and each.error.status != BAD_REQUEST]
    line = _again(session, order, command, again, missing) if missing and not order.dry_run else None
    code = session.finish(
        command, results, order_screen, FAILED if failed else OK, dry_run=order.dry_run, missing=missing, again=line
    )
    if line:
        silent = ", ".join(missing)
        session.terminal.note(
            f"\nThe order may be missing at: {silent}. Once that is mended, run:\n\n    {line}\n", "yellow"
        )
    return code


def reports(answer: Json | None) -> list[Json]:
    """The reports in what an app said: one, or one of each zone."""
    if answer is None:
        return []
    return list(answer["zones"].values()) if "zones" in answer else [answer]


def _settled(results: list[Result[Json]], *, rest: bool) -> list[Result[Json]]:
    """An app with nothing to end is as it should be, if another app had it, or if an attempt before has ended it.

    `rest`: only some apps are asked, until all have the order, as in the command that `give` prints. The others had
    the override, so a wrong target is unlikely, and this one has expired or was never at these apps.
    """
    if not rest and all(isinstance(each.error, NothingToEnd) and each.attempts == 1 for each in results):
        return results
    return [
        replace(each, value=_nothing(str(each.error)), error=None) if isinstance(each.error, NothingToEnd) else each
        for each in results
    ]


def _nothing(text: str) -> Json:
    empty: dict[str, Any] = {"changes": [], "failures": [], "refusals": [], "left": 0, "covers": None}
    return {**empty, "notes": [f"nothing to do: {text}"]}


def _again(session: Session, order: Order, command: str, own: Iterable[str], missing: Iterable[str]) -> str:
    """The command for the apps that have not got the order."""
    words = ["nearzone", command, *own]
    words += [word for region in missing for word in ("--region", region)]
    words += ["--reason", order.reason] if order.reason else []
    words += ["--context", session.context.name] if session.context_name else []
    return shlex.join([*words, "--yes", "--until-all"])
