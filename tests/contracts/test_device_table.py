"""The page about devices is what the code says; libvirt does no more."""

from __future__ import annotations

from pathlib import Path

from pyvirt_sim.device_table import ROWS, cells, page
from pyvirt_trio.driver.fixed_types import FIXED_TYPES
from pyvirt_trio.xml.devices import DEVICE_TYPES, parse_device

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "devices.md"


def test_the_page_is_the_one_the_code_writes() -> None:
    assert page() == PAGE.read_text(encoding="utf-8")


def test_libvirt_does_no_more_than_we_do() -> None:
    short = [(row.name, call, impact) for row, call, impact, theirs, us in cells() if theirs > us]
    assert short == []


def test_we_promise_no_more_than_libvirt_does() -> None:
    assert [row.name for row, _, _, theirs, ours in cells() if ours > theirs] == []


def test_every_device_type_has_a_row() -> None:
    represented = {one.tag for one in DEVICE_TYPES}
    foreign = [row for row in ROWS if row.name in FIXED_TYPES - represented]
    shown = {type(parse_device(row.xml)) for row in ROWS if row not in foreign}
    assert {device_type.model for device_type in DEVICE_TYPES} == shown
    assert {row.name for row in foreign} == FIXED_TYPES - represented
