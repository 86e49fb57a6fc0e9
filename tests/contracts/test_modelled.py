"""The page about the simulator's limits says what the code does today."""

from __future__ import annotations

import re
from pathlib import Path

from pyvirt_sim.modelled import page
from pyvirt_sim.qemu import schema
from pyvirt_sim.qemu.commands import COMMANDS
from pyvirt_sim.qemu.events import MODELLED, RATE_LIMITED

ROOT = Path(__file__).parents[2]


def test_page_is_the_one_the_code_writes() -> None:
    written = (ROOT / "docs/explanation/simulator.md").read_text()
    assert written == page(), "run: python -m pyvirt_sim.modelled > docs/explanation/simulator.md"


def test_every_event_of_the_schema_is_sent_somewhere_or_on_the_list_of_gaps() -> None:
    code = "".join(path.read_text() for path in (ROOT / "sim/pyvirt_sim/qemu").glob("*.py"))
    sent = set(re.findall(r'emit\(\s*"([A-Z_]+)"', code))
    assert sent == MODELLED
    assert schema.EVENTS.keys() >= MODELLED
    gaps = page().partition("### Events that are never sent")[2].partition("## The machine")[0]
    assert set(re.findall(r"`([A-Z_]+)`", gaps)) == schema.EVENTS.keys() - MODELLED


def test_commands_and_rate_limits_are_of_the_schema() -> None:
    assert schema.COMMANDS.keys() >= COMMANDS.keys()
    assert schema.EVENTS.keys() >= RATE_LIMITED.keys()
