"""A node device has one name, and the name leads back to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_trio.errors import NotFoundError
from pyvirt_trio.host.nodedev import address_of, find_node_device, list_node_devices
from pyvirt_trio.models import PciAddress
from tests.unit.host.fake import FakeHost

addresses = st.builds(
    PciAddress,
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFF),
    st.integers(0, 0x1F),
    st.integers(0, 7),
)


@given(addresses)
def test_the_name_of_an_address_leads_back_to_it(address: PciAddress) -> None:
    assert address_of(address.node_device_name) == address


@pytest.mark.parametrize(
    "name",
    [
        "",
        "pci",
        "computer",
        "0000:01:00.0",
        "pci_0000_01_00_8",
        "pci_0000_01_20_0",  # slot above 0x1f
        "pci_0000_1_00_0",  # digits missing
        "pci_00000_01_00_0",  # a digit too many
        "pci_0000_0A_00_0",  # libvirt writes lower case
        "pci_0000_01_00_0\n",
    ],
)
def test_other_names_name_nothing(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        address_of(name)
    assert caught.value.code == 53
    assert str(caught.value) == f"no node device with matching name '{name}'"


async def test_devices_are_listed_in_order_and_found_by_name() -> None:
    host = FakeHost()
    host.add_function("0000:02:00.0", driver=None)
    host.add_function("0000:01:00.0", group=3)
    devices = await list_node_devices(host)
    assert [device.name for device in devices] == ["pci_0000_01_00_0", "pci_0000_02_00_0"]
    assert await find_node_device(host, "pci_0000_01_00_0") == devices[0]


async def test_a_device_that_leaves_during_the_listing_is_left_out() -> None:
    host = FakeHost()
    host.add_function("0000:01:00.0")
    host.add_function("0000:02:00.0")
    del host.files["/sys/bus/pci/devices/0000:01:00.0/class"]
    del host.functions["0000:01:00.0"]
    assert [device.name for device in await list_node_devices(host)] == ["pci_0000_02_00_0"]
