"""What the table of devices says of definitions is so: each device comes, changes and goes."""

from __future__ import annotations

import pytest

from pyvirt_sim.device_table import ROWS, Row
from pyvirt_sim.host import open_sim_host
from pyvirt_trio import Impact, open_hypervisor
from pyvirt_trio.models import Controller, Serial
from pyvirt_trio.xml.devices import format_device
from tests.simulated.driver.test_pluggable_types import definition
from tests.simulated.driver.world import URI, Clock

COMES_AND_GOES = [row for row in ROWS if row.libvirt[3:5] == "yy"]


def xml_of(row: Row) -> str:
    """The row's device; the domain has the first controller of each kind already."""
    return row.xml.replace("<controller ", "<controller index='5' ")


@pytest.mark.parametrize("row", COMES_AND_GOES, ids=lambda row: row.name)
async def test_a_device_comes_to_the_definition_and_goes(row: Row, autojump_clock: Clock) -> None:
    xml = xml_of(row)
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        domain = await hypervisor.define(definition())
        before = domain.definition
        device = await domain.attach_device(xml, Impact.CONFIG)
        assert device in domain.definition.devices
        assert device not in before.devices
        if row.libvirt[5] == "y":
            await domain.update_device(xml, Impact.CONFIG)
        is_numbered = isinstance(device, Serial)  # and known by the number it was given
        await domain.detach_device(format_device(device) if is_numbered else xml, Impact.CONFIG)
        left = [one for one in domain.definition.devices if one not in before.devices]
        assert {one.model for one in left if isinstance(one, Controller)} <= {"pcie-root-port"}
        assert all(isinstance(one, Controller) for one in left)


def test_most_rows_are_of_such_devices() -> None:
    assert len(COMES_AND_GOES) > 30
