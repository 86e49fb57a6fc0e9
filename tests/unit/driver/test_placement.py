"""Names and places: complete, distinct, stable, and refused when there is no room."""

from __future__ import annotations

import itertools
import json
import uuid

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from pyvirt_trio.driver.argv import build_argv
from pyvirt_trio.driver.placement import (
    complete_device,
    name_device,
    name_devices,
    place_devices,
)
from pyvirt_trio.errors import AlreadyExistsError, DefinitionError
from pyvirt_trio.models import (
    Controller,
    Device,
    Disk,
    DomainDefinition,
    DriveAddress,
    HostDevice,
    Input,
    Interface,
    PciAddress,
    Rng,
    Serial,
    SharedMemory,
    UsbAddress,
    Watchdog,
)


def fresh_uuid() -> uuid.UUID:
    return uuid.UUID("5f6a7b80-1658-4198-9d3c-0000000a0b0c")


def definition(*devices: Device) -> DomainDefinition:
    return DomainDefinition(name="demo", uuid=fresh_uuid(), memory_kib=65536, devices=devices)


names = st.from_regex("sd[a-z]{1,2}", fullmatch=True)
unplaced = st.lists(
    st.one_of(
        st.builds(Rng),
        st.builds(Interface),
        st.builds(Disk, source_file=st.just("/d.img"), target=st.sampled_from(["vda", "vdb"])),
        st.builds(HostDevice, source=st.just(PciAddress(0, 1, 0, 0))),
        st.builds(Serial),
        st.builds(Disk, source_file=st.just("/d"), target=names, bus=st.just("scsi")),
        st.builds(Input, kind=st.just("mouse"), bus=st.just("virtio")),
        st.builds(Watchdog),
        st.builds(SharedMemory, name=st.just("shared")),
    ),
    max_size=12,
    unique_by=lambda device: device.target if isinstance(device, Disk) else object(),
)


@given(devices=unplaced)
def test_every_device_gets_a_place_and_a_name_of_its_own(devices: list[Device]) -> None:
    placed = name_devices(place_devices(definition(*devices), fresh_uuid))
    aliases = [device.alias for device in placed.devices]
    assert None not in aliases
    assert len(aliases) == len(set(aliases))
    places = [device.address for device in placed.devices if device.address is not None]
    assert len(places) == len(set(places))
    controllers = [device for device in placed.devices if isinstance(device, Controller)]
    ports = {one.index for one in controllers if one.model == "pcie-root-port"}
    scsi = {one.index for one in controllers if one.kind == "scsi"}
    for device in placed.devices:
        match device.address:
            case PciAddress(bus=bus) if not isinstance(device, Controller):
                assert bus in ports
            case DriveAddress(controller=index):
                assert index in scsi
            case None:
                assert isinstance(device, Serial) or device.alias == "pcie.0"


@given(devices=unplaced)
def test_placing_twice_changes_nothing(devices: list[Device]) -> None:
    once = place_devices(definition(*devices), fresh_uuid)
    assert once == place_devices(once, fresh_uuid)


@given(devices=unplaced)
def test_each_pluggable_device_is_written_once_on_the_command_line(devices: list[Device]) -> None:
    placed = name_devices(place_devices(definition(*devices), fresh_uuid))
    argv = build_argv(placed, monitor_path="/run/a,b.monitor")
    written = [json.loads(value) for flag, value in itertools.pairwise(argv) if flag == "-device"]
    aliases = [d.alias for d in placed.devices if d.alias != "pcie.0"]
    assert aliases == [properties["id"] for properties in written]
    assert "path=/run/a,,b.monitor" in argv[argv.index("-chardev") + 1]


def test_a_definition_without_ports_gets_one_spare() -> None:
    placed = place_devices(definition(), fresh_uuid)
    assert [d.index for d in placed.devices if isinstance(d, Controller)] == [0, 1]


def test_ports_the_user_names_are_all_there_are() -> None:
    port = Controller(model="pcie-root-port", index=1)
    placed = place_devices(definition(port), fresh_uuid)
    taken = complete_device(Rng(), placed.devices, fresh_uuid)
    assert PciAddress(0, 1, 0, 0) == taken.address
    with pytest.raises(DefinitionError, match="No more available PCI slots"):
        complete_device(Rng(), (*placed.devices, taken), fresh_uuid)


def test_two_devices_in_one_place_are_refused() -> None:
    twin = Rng(address=PciAddress(0, 1, 0, 0))
    with pytest.raises(DefinitionError, match="double use of PCI Address"):
        place_devices(definition(twin, attrs.evolve(twin)), fresh_uuid)


def test_a_bus_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DefinitionError, match="Only PCI buses up to 2 are available"):
        place_devices(definition(Rng(address=PciAddress(0, 9, 0, 0))), fresh_uuid)


@pytest.mark.parametrize(
    ("target", "expected"),
    [("sda", (0, 0)), ("sdg", (0, 6)), ("sdh", (0, 8)), ("sdp", (1, 0)), ("sdaa", (1, 12))],
)
def test_a_scsi_disk_sits_where_its_name_puts_it(target: str, expected: tuple[int, int]) -> None:
    disk = Disk(source_file="/d", target=target, bus="scsi")
    placed = place_devices(definition(disk), fresh_uuid)
    [address] = [d.address for d in placed.devices if isinstance(d, Disk)]
    assert DriveAddress(controller=expected[0], unit=expected[1]) == address


def test_what_is_on_usb_takes_the_first_free_port_of_four() -> None:
    mice = [Input(kind="mouse") for _ in range(4)]
    placed = place_devices(definition(*mice), fresh_uuid)
    assert [UsbAddress(0, port) for port in (1, 2, 3, 4)] == [
        d.address for d in placed.devices if isinstance(d, Input)
    ]
    with pytest.raises(DefinitionError, match="No free USB ports"):
        complete_device(Input(kind="mouse"), placed.devices, fresh_uuid)


def test_a_place_on_a_controller_that_is_not_there_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"there is no USB port 0\.1"):
        complete_device(Input(kind="mouse", address=UsbAddress(0, 1)), [], fresh_uuid)
    disk = Disk(source_file="/d", target="sda", bus="scsi")
    with pytest.raises(DefinitionError, match="no SCSI controller with index 0"):
        complete_device(disk, [], fresh_uuid)


def test_a_taken_alias_is_refused_and_a_new_one_is_one_more_than_the_highest() -> None:
    with pytest.raises(AlreadyExistsError, match="non unique alias detected: ua-x"):
        name_device(Rng(alias="ua-x"), [Rng(alias="ua-x")])
    assert name_device(Rng(), [Rng(alias="rng0"), Rng(alias="rng2")]).alias == "rng3"


def test_a_card_gets_a_mac_of_qemu_s_range_and_keeps_its_own() -> None:
    ports = [Controller(model="pcie-root-port", index=1)]
    chosen = complete_device(Interface(), ports, fresh_uuid)
    assert isinstance(chosen, Interface)
    assert chosen.mac == "52:54:00:0a:0b:0c"
    own = complete_device(Interface(mac="02:00:00:00:00:01"), ports, fresh_uuid)
    assert isinstance(own, Interface)
    assert own.mac == "02:00:00:00:00:01"


def test_the_first_of_several_functions_says_that_there_are_more() -> None:
    first, second = (Rng(address=PciAddress(0, 1, 0, function)) for function in (0, 1))
    alone = Rng(address=PciAddress(0, 2, 0, 0))
    ports = [Controller(model="pcie-root-port", index=index) for index in (1, 2)]
    placed = place_devices(definition(*ports, second, first, alone), fresh_uuid)
    said = [one.is_multifunction for one in placed.devices if isinstance(one, Rng)]
    assert said == [None, True, None]


def test_what_is_said_of_a_slot_stays() -> None:
    port = Controller(model="pcie-root-port", index=1)
    one = Rng(address=PciAddress(0, 1, 0, 0), is_multifunction=True)
    placed = place_devices(definition(port, one), fresh_uuid)
    assert placed.devices[-1].is_multifunction is True


def test_an_unassigned_device_of_the_host_needs_no_port() -> None:
    unseen = HostDevice(source=PciAddress(0, 3, 0, 0), is_unassigned=True)
    port = Controller(model="pcie-root-port", index=1)
    rng = Rng()
    placed = name_devices(place_devices(definition(port, unseen, rng), fresh_uuid))
    assert [None, PciAddress(0, 1, 0, 0)] == [one.address for one in placed.devices[-2:]]
    written = build_argv(placed, monitor_path="/run/monitor")
    assert not any("vfio" in word for word in written)
