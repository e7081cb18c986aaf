"""The documents: every link leads somewhere, the first pages stay short, and the prose names an acting subject."""

import ast
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest

from shared.azure.inventory import ArmInventory

ROOT = next(each for each in Path(__file__).parents if (each / "pyproject.toml").exists())
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"#+ +(.+)")

MOST_WORDS = {"README.md": 900, "docs/concepts.md": 700}

VAGUE = re.compile(r"\b(somebody|nobody|whoever)\b", re.IGNORECASE)
NOT_YET: tuple[str, ...] = ()
"""Documents that the rule does not hold for yet; all others are checked."""
PROGRAMS = (
    *(f"tests/**/test_{each}.py" for each in ("documents", "http_api_page", "settings_page", "readme")),
    "simulator/**/*.py",
)
"""Programs whose comments and docstrings are checked, as globs. Add one once it is clean, e.g. `shared/**/*.py`."""


def prose(text):
    """The lines of a document that are neither code nor output; list items may be indented by less than four."""
    fenced, lines = False, []
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        if not fenced and not line.startswith("    ") and not line.lstrip().startswith(("```", ">")):
            lines.append(line)
    return lines


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def links(name):
    """Where a document's relative links lead; the text of a link may run over the end of a line."""
    text = CODE.sub("", "\n".join(prose(read(name))))
    return [target for target in LINK.findall(text) if "://" not in target]


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    counted, found = Counter(), set()
    for line in prose(text):
        if heading := HEADING.fullmatch(line):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
            found.add(f"{slug}-{counted[slug]}" if counted[slug] else slug)
            counted[slug] += 1
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file_and_to_a_heading_that_exist(name):
    dead = []
    for link in links(name):
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            dead.append(link)
    assert dead == []


def test_the_readme_leads_to_every_document():
    linked = {link.partition("#")[0] for link in links("README.md")}
    assert set(DOCUMENTS) - {"README.md"} <= linked


@pytest.mark.parametrize(("name", "most"), MOST_WORDS.items())
def test_the_first_pages_are_short(name, most):
    assert len(read(name).split()) <= most


def words_for_people(name):
    """A document's prose with its line numbers; of a program, its comments and docstrings."""
    text = read(name)
    if not name.endswith(".py"):
        return prose(text)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    nodes = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Expr)]
    return comments + [each.value.value for each in nodes if isinstance(each.value, ast.Constant)]


def checked():
    for pattern in PROGRAMS:
        found = [path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)]
        assert found, pattern
        yield from found
    yield from sorted(set(DOCUMENTS) - set(NOT_YET))


@pytest.mark.parametrize("name", list(checked()))
def test_prose_names_an_acting_subject(name):
    assert [each for each in words_for_people(name) if VAGUE.search(CODE.sub("", str(each)))] == []


def test_every_kind_of_endpoint_has_its_row_and_every_row_its_kind():
    rows = [line.split("|") for line in read("docs/endpoints.md").splitlines() if line.startswith("| ")]
    listed = {found for row in rows for found in re.findall(r"`(Microsoft\.\w+/[\w/]+)`", row[2])}
    assert {each.lower() for each in listed} == ArmInventory(None).kinds
