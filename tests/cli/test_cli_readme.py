"""The screens of cli/README.md are what the tool prints."""

from tests.cli.screens import BLOCK, README, page


def test_the_screens_are_those_of_today():
    text = README.read_text(encoding="utf-8")
    assert BLOCK.findall(page(text)) == BLOCK.findall(text), "PYTHONPATH=cli .venv/bin/python -m tests.cli.screens"


def test_every_command_is_on_the_page():
    text = README.read_text(encoding="utf-8")
    for name in ("status", "watch", "names", "explain", "plan", "check", "probe", "history", "drain", "undrain"):
        assert f"nearzone {name}" in text, name
    for name in ("freeze", "unfreeze", "sync", "adopt", "context list", "context show", "context use"):
        assert f"nearzone {name}" in text, name
