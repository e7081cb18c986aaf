"""docs/runbooks.md and docs/status.md as tests follow them: the requests, settings and answers of each procedure.

A procedure is a heading below "Procedures" of the runbooks, or one of the status page with a request. In it, indented
lines that begin with POST or GET are requests, indented lines that begin with NEARZONE_ are settings, and each line of
a quotation (>) is text of an answer, where three dots stand for anything. A test takes them in this order, up to the
last one.
"""

import json
import re
from collections import deque
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from shared.domain.errors import BadRequest, Transient
from shared.edge.commands import parse
from shared.edge.status_query import parse_status_query

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = DOCS / "runbooks.md"
STATUS = DOCS / "status.md"
_REQUEST = re.compile(r" {4}(POST|GET) +(/api/\S+) *(.*)")
_SETTING = re.compile(r" {4}(NEARZONE_[A-Z_]+): (.+)")


def procedures():
    """The steps of each procedure, by the name that its test has."""
    runbooks = DOCUMENT.read_text(encoding="utf-8").split("\n## Procedures\n")[1].split("\n## ")[0].split("\n### ")
    reference = [part for part in STATUS.read_text(encoding="utf-8").split("\n## ") if _steps(part)]
    return {_test(part): _steps(part) for part in (*runbooks[1:], *reference)}


def _test(part):
    return "test_" + re.sub(r"\W+", "_", part.splitlines()[0].lower()).strip("_")


def _steps(part):
    steps = []
    for line in part.splitlines():
        if request := _REQUEST.match(line):
            steps.append(("ask", request.groups()))
        elif setting := _SETTING.match(line):
            steps.append(("set", setting.groups()))
        elif line.startswith("> "):
            steps.append(("see", line[2:]))
    return steps


class RunbookReader:
    """One procedure, followed from its first step to its last."""

    def __init__(self, steps):
        self.left = deque(steps)

    def _next(self, kind):
        found, what = self.left.popleft()
        assert found == kind, f"the guide says here: {found} {what}"
        return what

    async def ask(self, app, **names):
        """Send the next request to an app, with these words put in; gives the answer as a client reads it."""
        method, url, body = self._next("ask")
        for word, value in names.items():
            assert word in url + body, f"the guide does not say {word}"
            url, body = url.replace(word, value), body.replace(f'"{word}"', f'"{value}"')
        parts = urlsplit(url)
        try:
            if method == "GET":
                assert parts.path == "/api/status"
                return await app.handle_status(parse_status_query(dict(parse_qsl(parts.query)), app.settings))
            assert parts.path == "/api/resync"
            known = app.inventory
            command = parse(body.encode(), app.settings, known.kinds, parents=known.parent_types)
            return (await app.resync(command)).as_json()
        except (BadRequest, Transient) as error:
            return {"error": str(error)}

    def setting(self, **names):
        """The next setting, as an argument of `SimulatedDeployment.restart`."""
        name, value = self._next("set")
        for word, instead in names.items():
            assert word in value, f"the guide does not say {word}"
            value = value.replace(word, instead)
        return {name: value}

    def see(self, answer):
        """The answer holds the next quotation."""
        quoted = self._next("see")
        pattern = ".*".join(re.escape(part) for part in quoted.split("..."))
        texts = list(leaves(answer))
        assert any(re.search(pattern, text, re.DOTALL) for text in texts), f"{quoted}\nis not in\n" + "\n".join(texts)


def leaves(answer):
    """Every value in an answer, as text."""
    if isinstance(answer, dict | list | tuple):
        for each in answer.values() if isinstance(answer, dict) else answer:
            yield from leaves(each)
    else:
        yield answer if isinstance(answer, str) else json.dumps(answer)
