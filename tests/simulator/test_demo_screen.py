"""The demo's tables fit a terminal without losing a part of any reason."""

import io

import pytest
from rich.console import Console

from simulator.demo import world_model
from simulator.demo.app_settings import load
from simulator.demo.processes import DEMO
from simulator.demo.screen import Row, Screen
from simulator.demo.world_model import WorldModel

WHY = "failover: held back by probes in static/gpt-onprem; nearest is southeastasia 224 ms (measured, 224 published)"


@pytest.mark.parametrize("width", [60, 80, 112])
@pytest.mark.parametrize("name", ["gpt", "embed", "llama-70b"])
def test_no_part_of_a_reason_is_cut_off(name, width):
    replica = WorldModel(load(DEMO))
    replica.do(world_model.nothing)
    screen, output = Screen(), io.StringIO()
    screen.console = Console(file=output, width=width, highlight=False)
    question = next(each for each in replica.questions() if each.name == name)
    screen.answers(replica, [Row(question, replica.answers[question.zone, name], None, WHY)])
    lines = output.getvalue().splitlines()
    assert all(word in output.getvalue() for word in WHY.split())
    assert all(len(line) <= width for line in lines)
