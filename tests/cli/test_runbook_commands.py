"""The commands of the documents: each is accepted, and sends what the HTTP call below it says."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from nearzone_cli.__main__ import with_values
from nearzone_cli.errors import USAGE
from tests.cli.test_orders import VM

ROOT = Path(__file__).parents[2]
PAIR = re.compile(r"^    nearzone (.*)\n    (POST|GET) +(/api/\S+) *(.*)$", re.MULTILINE)
WORDS = {"ID": VM, "DIGEST": "0123456789ab", "SINCE": "2026-11-29T10:00:00Z", "UNTIL": "2026-11-29T10:10:00Z"}
WORDS |= {"NEW": "eastus", "OLD": "eastus", "NAME": "llama-70b"}
EMPTY = {
    "changes": [],
    "skips": [],
    "failures": [],
    "refusals": [],
    "notes": [],
    "alarms": [],
    "left": 0,
    "covers": None,
}


def replaced(text):
    return re.sub(r"\b(ID|DIGEST|SINCE|UNTIL|NEW|OLD|NAME)\b", lambda found: WORDS[found[1]], text)


def pairs():
    text = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    return sorted({tuple(map(replaced, found)) for found in PAIR.findall(text)})


def test_the_runbooks_have_commands():
    assert len(pairs()) > 20


@pytest.mark.parametrize(("command", "method", "url", "body"), pairs(), ids=lambda value: None)
def test_a_command_of_the_runbooks_sends_what_the_call_below_it_says(tool, apps, command, method, url, body):
    arguments = with_values(shlex.split(command))
    asked = apps["westeurope" if "westeurope" in command else "eastus"]
    if method == "POST" and "freeze" not in body:
        asked.answer = answering(asked)
    yes = ["--yes"] if arguments[0] in ("drain", "adopt", "sync") else []
    assert tool(*arguments, *yes).code != USAGE
    if method == "GET":
        wanted = dict(parse_qsl(urlsplit(url).query))
        assert any(wanted == {key: readable(query[key]) for key in wanted if key in query} for query in asked.queries)
        return
    wanted = json.loads(body)
    if zone := wanted.pop("zone", None):
        assert f"--region {zone}" in command
    if "force" in wanted:
        wanted["force"] = [wanted["force"]]
    sent = [{key: fields(value) for key, value in order.items()} for order in asked.orders]
    assert wanted in sent


def answering(app):
    """Answers every order with an empty report."""
    before = app.answer

    def answer(path, body, key):
        if body is None:
            return before(path, body, key)
        app.orders.append(body)
        return 200, "application/json", json.dumps(EMPTY)

    return answer


def readable(text):
    """A zone's id as its region, as in the documents."""
    found = re.search(r"resourceGroups/dns-(\w+)/", text)
    return found[1] if found else text


def fields(value):
    return (
        {key: readable(each) if key == "zone" else each for key, each in value.items()}
        if isinstance(value, dict)
        else value
    )
