"""The docstrings and comments of `shared/`: plain words, and names that exist."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = next(each for each in Path(__file__).parents if (each / "pyproject.toml").exists())
NOT_YET = (
    "shared/bootstrap.py",
    "shared/ports.py",
    "shared/loop/**/*.py",
    *(f"shared/decide/{each}.py" for each in ("decision", "dirty_queue", "plan", "routing", "unpublished")),
    *(f"shared/edge/{each}.py" for each in ("commands", "last_status", "override_errors", "pages", "query")),
)
"""Modules, as globs, that the rules do not hold for yet."""

VAGUE = re.compile(r"\b(somebody|nobody|whoever|anybody)\b", re.IGNORECASE)
QUOTED = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*(\(\))?|[\w/]+\.(py|csv|html)")
FIELDS = re.compile(r"((?:`\w+`(?:, | and ))*`\w+`): ")
"""How a docstring introduces a field or a parameter: `name`: what it is."""


def modules():
    left_out = {path for pattern in NOT_YET for path in ROOT.glob(pattern)}
    found = sorted(set(ROOT.glob("shared/**/*.py")) - left_out)
    return [path.relative_to(ROOT).as_posix() for path in found]


def docstrings(text):
    """Each docstring, also one below a constant, with the definition that it belongs to, or None."""
    for node in ast.walk(ast.parse(text)):
        for each in getattr(node, "body", ()) if isinstance(getattr(node, "body", None), list) else ():
            if (
                isinstance(each, ast.Expr)
                and isinstance(each.value, ast.Constant)
                and isinstance(each.value.value, str)
            ):
                first = each is node.body[0] and isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                yield each.value.value, node if first else None


def comments(text):
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def words(program):
    """Every identifier of a program, and every word of its string literals that are not docstrings."""
    found, prose = set(), set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.add(id(node.value))
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(value := getattr(node, field, None), str):
                found.update(value.split("."))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            found.update(re.findall(r"\w+", node.value))
    return found


@pytest.fixture(scope="module")
def known():
    programs = [*ROOT.glob("shared/**/*.py"), ROOT / "function_app.py"]
    files = {"/".join(path.relative_to(ROOT).parts[i:]) for path in ROOT.glob("shared/**/*") for i in range(5)}
    return files | set().union(*(words(path.read_text(encoding="utf-8")) | {path.stem} for path in programs))


@pytest.mark.parametrize("module", modules())
def test_no_sentence_has_a_vague_subject(module):
    text = (ROOT / module).read_text(encoding="utf-8")
    prose = [*(each for each, _ in docstrings(text)), *comments(text)]
    assert [each for each in prose if VAGUE.search(QUOTED.sub("", each))] == []


@pytest.mark.parametrize("module", modules())
def test_every_name_in_backticks_exists_in_the_program(module, known):
    text = (ROOT / module).read_text(encoding="utf-8")
    quoted = {found for prose, _ in docstrings(text) for found in QUOTED.findall(prose) if NAME.fullmatch(found)}
    parts = {name: [name] if "/" in name or name in known else name.removesuffix("()").split(".") for name in quoted}
    assert {name for name, each in parts.items() if not known.issuperset(each)} == set()


def described(definition):
    """The names that a docstring may introduce: parameters of a function, fields and parameters of a class."""
    return {
        getattr(node, "arg", None) or getattr(node, "attr", None) or getattr(node, "id", None) or node.name
        for node in ast.walk(definition)
        if isinstance(node, ast.arg | ast.Attribute | ast.Name | ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("module", modules())
def test_every_field_and_parameter_that_a_docstring_introduces_exists(module):
    text = (ROOT / module).read_text(encoding="utf-8")
    wrong = [
        (definition.name, name)
        for prose, definition in docstrings(text)
        if definition is not None
        for group in FIELDS.findall(prose)
        for name in re.findall(r"\w+", group.replace(" and ", ", "))
        if name not in described(definition)
    ]
    assert wrong == []
