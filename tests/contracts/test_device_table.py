"""The page about devices is what the code says; libvirt does no more, but for what is listed."""

from __future__ import annotations

from pathlib import Path

from pyvirt_sim.device_table import ROWS, cells, page
from pyvirt_trio import Impact
from pyvirt_trio.driver.fixed_types import FIXED_TYPES
from pyvirt_trio.xml.devices import DEVICE_TYPES, parse_device

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "devices.md"

SHORT = {
    ("graphics", "update", Impact.LIVE),
    ("graphics", "update", Impact.CONFIG),
    ("sound", "attach", Impact.CONFIG),
    ("sound", "detach", Impact.CONFIG),
}
"""Where libvirt works and we do not: these elements are not represented at all."""


def test_the_page_is_the_one_the_code_writes() -> None:
    assert page() == PAGE.read_text(encoding="utf-8")


def test_libvirt_does_no_more_than_we_do_but_for_these() -> None:
    short = {
        (row.name, call, impact) for row, call, impact, theirs, ours in cells() if theirs > ours
    }
    assert short == SHORT


def test_we_promise_no_more_than_libvirt_does() -> None:
    assert [row.name for row, _, _, theirs, ours in cells() if ours > theirs] == []


def test_every_device_type_has_a_row() -> None:
    foreign = {row.name for row in ROWS} & FIXED_TYPES
    shown = {type(parse_device(row.xml)) for row in ROWS if row.name not in foreign}
    assert {device_type.model for device_type in DEVICE_TYPES} == shown
    assert foreign == FIXED_TYPES
