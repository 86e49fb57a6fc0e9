"""PCI addresses read and print the kernel's form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import PciAddress
from tests.part_strategies import pci_addresses


@given(pci_addresses())
def test_an_address_reads_back_as_it_was_printed(address: PciAddress) -> None:
    assert address == PciAddress.parse(str(address))


def test_the_kernels_form_and_libvirts_name() -> None:
    address = PciAddress(0, 0x0A, 0x1F, 7)
    assert str(address) == "0000:0a:1f.7"
    assert address.node_device_name == "pci_0000_0a_1f_7"
    assert address == PciAddress.parse("0:A:1F.7")


@given(pci_addresses(), pci_addresses())
def test_names_tell_addresses_apart(one: PciAddress, other: PciAddress) -> None:
    assert (one == other) == (one.node_device_name == other.node_device_name)


@given(st.lists(pci_addresses().filter(lambda address: address.domain <= 0xFFFF)))
def test_addresses_sort_as_their_text_does(addresses: list[PciAddress]) -> None:
    assert sorted(map(str, addresses)) == [str(address) for address in sorted(addresses)]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "'' is not a PCI address such as 0000:01:00.0"),
        ("01:00.0", "is not a PCI address"),
        ("0000:01:00", "is not a PCI address"),
        ("0000:01:00.8", "is not a PCI address"),
        ("0000:01:00.0\n", "is not a PCI address"),
        (" 0000:01:00.0", "is not a PCI address"),
        ("123456789:01:00.0", "is not a PCI address"),
        ("0000:\u0661:00.0", "is not a PCI address"),
        ("0000:01:20.0", "PCI slot 0x20 is not within 0 to 0x1f"),
    ],
)
def test_anything_else_is_refused(text: str, seen: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        PciAddress.parse(text)
    assert seen in str(caught.value)
    assert caught.value.code == ErrorCode.XML_ERROR


@pytest.mark.parametrize(
    "numbers", [(-1, 0, 0, 0), (2**32, 0, 0, 0), (0, 256, 0, 0), (0, 0, 32, 0), (0, 0, 0, 8)]
)
def test_no_address_lies_outside_the_bus(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(DefinitionError, match="is not within 0 to"):
        PciAddress(*numbers)


@given(st.text())
def test_arbitrary_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = PciAddress.parse(text)
    except DefinitionError:
        return
    assert address == PciAddress.parse(str(address))
