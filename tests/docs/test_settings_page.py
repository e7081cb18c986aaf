"""docs/settings.md says of every setting what the parser does with it: default, examples, and faults in full."""

import re
from pathlib import Path

import pytest

from shared.config import parser as settings_parser
from shared.domain.errors import BadSettings
from tests.support.values import REGIONS, values

ROOT = next(each for each in Path(__file__).parents if (each / "pyproject.toml").exists())
TEXT = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| \[`(NEARZONE_\w+)`\]\(#(\w+)\) \| .+ \| (.+) \|")
SETTING = re.compile(r" {4,}(NEARZONE_\w+|nearzone_\w+)=(.+)")


def rows():
    """Each row of the first table: the setting's name, its anchor and its default."""
    return [found.groups() for line in TEXT.splitlines() if (found := ROW.fullmatch(line))]


def steps():
    """Every setting that the page gives, with the fault that it quotes below, None for an example that is valid."""
    found, lines = [], [line for line in TEXT.splitlines() if line.strip()]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if given := SETTING.fullmatch(line):
            fault = after.lstrip().removeprefix("> ") if after.lstrip().startswith("> ") else None
            found.append((*given.groups(), fault))
    return found


def faults(environment):
    try:
        settings_parser.parse(environment, REGIONS)
    except BadSettings as error:
        return list(error.faults)
    return []


def is_known(name):
    return not any("no setting of this name" in each for each in faults(values() | {name: "x"}))


def test_the_page_has_every_setting_that_the_parser_knows_and_no_other():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "shared/config").glob("*.py"))
    known = {name for name in re.findall(r"NEARZONE_[A-Z_]+", source) if is_known(name)}
    listed = [name for name, _, _ in rows()]
    assert sorted(listed) == sorted(known)
    assert len(known) > 10
    assert all(is_known(name) for name in listed)


def test_every_setting_has_a_section_with_an_example():
    sections = re.findall(r"^### (NEARZONE_\w+)$", TEXT, re.MULTILINE)
    assert sections == [name for name, _, _ in rows()]
    assert all(anchor == name.lower() for name, anchor, _ in rows())
    assert {name for name, _, fault in steps() if fault is None} == set(sections)


def test_what_is_listed_as_a_default_changes_nothing():
    defaults = {name: default.strip("`") for name, _, default in rows() if default != "required"}
    assert settings_parser.parse(values() | defaults, REGIONS) == settings_parser.parse(values(), REGIONS)
    required = [name for name, _, default in rows() if default == "required"]
    assert [each.split(":")[0] for each in faults({})] == required


def test_the_examples_are_valid_together():
    examples = {name: text for name, text, fault in steps() if fault is None}
    assert faults(examples) == []
    assert f"\n> {faults({})[0]}\n" in TEXT


@pytest.mark.parametrize(("name", "text", "fault"), [step for step in steps() if step[2]], ids=lambda v: str(v)[:50])
def test_a_quoted_fault_is_what_the_parser_answers(name, text, fault):
    examples = {each: value for each, value, wrong in steps() if wrong is None}
    assert fault in faults(examples | {name: text})


FIELDS = {
    # setting: a value with a field that does not exist
    "NEARZONE_ZONES": '[{"x": 1}]',
    "NEARZONE_POLICIES": '{"a": {"x": 1}}',
    "NEARZONE_STATIC": '[{"x": 1}]',
    "NEARZONE_PROBES": '{"a": {"x": 1}}',
    "NEARZONE_PROBING": '{"x": 1}',
}


def test_every_field_of_a_setting_that_has_fields_is_named():
    for name, wrong in FIELDS.items():
        section = TEXT.split(f"\n### {name}\n")[1].split("\n### ")[0]
        (fault,) = [each for each in faults(values() | {name: wrong}) if "one of the fields " in each]
        for field in fault.split("one of the fields ")[1].split(", "):
            assert f"`{field}`" in section, (name, field)
