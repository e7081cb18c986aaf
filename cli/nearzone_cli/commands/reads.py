"""The commands that change nothing: status, names, explain, plan, check, history, probe, watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated, Any, TypeVar

import typer

from nearzone_cli.client import AppClient, Json
from nearzone_cli.commands.giving import is_unknown
from nearzone_cli.commands.live import live
from nearzone_cli.completion import keep_names, region_names
from nearzone_cli.completion import names as known_names
from nearzone_cli.durations import is_clock_time, iso, moment
from nearzone_cli.errors import CHANGES, FAILED, OK, UsageError
from nearzone_cli.fleet import Result, exit_code
from nearzone_cli.options import command
from nearzone_cli.screens.names import explain_screen, history_screen, names_screen, one_name_screen
from nearzone_cli.screens.reports import check_screen, plan_screen, probe_screen
from nearzone_cli.screens.status import status_screen
from nearzone_cli.session import Session

app = typer.Typer()
T = TypeVar("T")

GLANCE = 100
"""Names that the status asks for; it shows the services among them, not the names of single hosts."""
NAME = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=known_names, help="A name without the zone, such as llama-70b.")
]
FROM = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="REGION", autocompletion=region_names, help="Only as clients of this region see it."
    ),
]


def glance(client: AppClient) -> Json:
    """The status, and the first names. Raises AppError."""
    told = client.summary()
    names = None if "stale" in told else client.page("names", GLANCE)
    return {"status": told, "names": names}


@command(
    app,
    "status",
    """
    nearzone status
    nearzone status --region eastus -o json
""",
)
def status(session: Session) -> int:
    """All regions at a glance: what answers where, what waits, alarms, overrides, freshness."""
    return session.finish("status", session.fleet.ask(glance), status_screen)


@command(
    app,
    "watch",
    """
    nearzone watch
    nearzone watch --interval 2
""",
)
def watch(
    session: Session,
    interval: Annotated[float, typer.Option("--interval", min=1.0, help="Seconds between two looks.")] = 5.0,
) -> int:
    """Show the status and renew it, until q or Ctrl-C."""
    if session.as_json or not session.terminal.out.is_terminal:
        raise UsageError("watch needs a terminal; elsewhere use: nearzone status")
    return live(session, lambda fleet: fleet.ask(glance), interval)


@command(
    app,
    "names",
    """
    nearzone names
    nearzone names llama-70b
    nearzone names 'llama-*' -o json
""",
)
def names(
    session: Session,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", autocompletion=known_names, help="Only this name; * stands for anything."),
    ] = None,
) -> int:
    """What each zone answers for each name. Exit code 1 if no app knows NAME."""
    wanted = (name or "*").lower()
    results = session.fleet.ask(
        lambda client: [each for each in client.items("names") if fnmatchcase(each["name"], wanted)]
    )
    if name is None:
        keep_names(session.surroundings.environ, (item["name"] for each in results for item in each.value or ()))
    code = session.unknown(wanted, results) if name and not any(each.value for each in results) else OK
    return session.finish("names", results, names_screen if name is None else one_name_screen, code)


@command(
    app,
    "explain",
    """
    nearzone explain llama-70b
    nearzone explain llama-70b --from eastus
""",
)
def explain(session: Session, name: NAME, origin: FROM = None) -> int:
    """Every claim of a name, in or out, and why; probes and distances beside. Exit code 1 if no app knows NAME."""
    results = _of_zones(session, origin, lambda client, zone: client.explanation(zone, name))
    told = [each for result in results if result.value for each in result.value["zones"].values()]
    known = any(each["claims"] or each["record"] or each["history"] for each in told)
    return session.finish("explain", results, explain_screen, OK if known else session.unknown(name, results))


@command(
    app,
    "plan",
    """
    nearzone plan
    nearzone plan --name llama-70b; test $? -eq 2 && echo 'something would change'
""",
)
def plan(
    session: Session,
    name: Annotated[str | None, typer.Option("--name", autocompletion=known_names, help="Only this name.")] = None,
) -> int:
    """What a sweep would change, as a diff. Exit code 2 if there is something to change."""
    body: Json = {"dry_run": True, **({"name": name} if name else {})}
    results = session.fleet.ask(lambda client: client.resync(body))
    answers = [each.value for each in results if each.value is not None]
    wrong = any(answer["refusals"] or answer["failures"] for answer in answers)
    code = FAILED if wrong else CHANGES if any(answer["changes"] for answer in answers) else OK
    if name and is_unknown(name, answers):
        code = session.unknown(name, results)
    return session.finish("plan", results, plan_screen, code)


@command(
    app,
    "check",
    """
    nearzone check
""",
)
def check(session: Session) -> int:
    """Run the preflight: roles, links, peerings, locks, limits. Exit code 1 if something is wrong."""
    results = session.fleet.ask(lambda client: client.resync({"check": True}))
    wrong = any(each.value["alarms"] or each.value["failures"] for each in results if each.value is not None)
    return session.finish("check", results, check_screen, FAILED if wrong else OK)


@command(
    app,
    "probe",
    """
    nearzone probe llama-70b
    nearzone probe llama-70b --region eastus
""",
)
def probe(session: Session, name: NAME) -> int:
    """Probe every address of a name now, from every app."""
    results = session.fleet.ask(lambda client: client.resync({"probe": {"name": name}}))
    return session.finish("probe", results, probe_screen)


@command(
    app,
    "history",
    """
    nearzone history llama-70b
    nearzone history llama-70b --since 10:00 --until 10:05
    nearzone history --since 2h
""",
)
def history(
    session: Session,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", autocompletion=known_names, help="With --since also the overrides of that time."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="10:03 (UTC), 2h ago as 2h, or 2026-11-29T10:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="The end; now if left out.")] = None,
) -> int:
    """Why an answer changed, and who did it: the last changes of a name, or all of some time."""
    now = session.now()
    if name is None and since is None:
        raise UsageError("NAME: a name or --since is expected")
    if until and not since:
        raise UsageError("--until: only together with --since")
    results: Sequence[Result[Any]]
    if since is None:
        results = _of_zones(session, None, lambda client, zone: client.explanation(zone, name or "")["history"])
    else:
        begin, end = _time(session, "--since", since), _time(session, "--until", until) if until else iso(now + 1)
        wanted = ("*", name.lower()) if name else None
        results = session.fleet.ask(
            lambda client: [each for each in client.export(begin, end) if wanted is None or each["name"] in wanted]
        )
    return session.finish("history", results, lambda found: history_screen(_merged(found), now))


def _time(session: Session, option: str, text: str) -> str:
    """A time as the API takes it; says so if a clock time is yesterday's, because today's is still ahead."""
    now = session.now()
    at = moment(option, text, now)
    if is_clock_time(text) and iso(at)[:10] != iso(now)[:10]:
        session.terminal.note(f"{option}: {text} is still ahead today; yesterday's is used: {iso(at)}")
    return iso(at)


def _merged(results: Sequence[Result[Any]]) -> list[Json]:
    """The entries of all apps in the order of time."""
    found: list[Json] = []
    for each in results:
        pages = (
            [] if each.value is None else each.value["zones"].values() if isinstance(each.value, dict) else [each.value]
        )
        found += [{**entry, "app": each.app.region} for page in pages for entry in page]
    return sorted(found, key=lambda entry: (entry["at"], entry["app"], entry["name"]))


def _of_zones(
    session: Session, origin: str | None, ask: Callable[[AppClient, str], T]
) -> list[Result[dict[str, dict[str, T]]]]:
    """What each app says of each of its zones, or of the zone of one region. Raises UsageError if no app has that."""

    def work(client: AppClient) -> dict[str, dict[str, T]]:
        zones = [
            zone
            for zone in client.summary()["zones"]
            if origin is None or zone["region"] == origin.lower().replace(" ", "")
        ]
        return {"zones": {zone["id"]: ask(client, zone["id"]) for zone in zones}}

    results = session.fleet.ask(work)
    if origin is None:
        return results
    having = [each for each in results if each.value and each.value["zones"]]
    if having:
        return having
    if exit_code(results) == OK:
        raise UsageError(f"--from: no app has a zone of {origin!r}; see: nearzone status")
    return [each if each.error else replace(each, value={"zones": {}}) for each in results]
