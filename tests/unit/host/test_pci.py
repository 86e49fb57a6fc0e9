"""PCI functions move between drivers whole, or not at all."""

from __future__ import annotations

import errno
import itertools

import pytest
import trio

from pyvirt_trio.errors import ErrorCode, HostError, NotFoundError
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models import PciAddress, PciNodeDevice
from tests.unit.host.fake import DEVICES, DRIVERS, FakeHost

CARD = "0000:01:00.0"
ADDRESS = PciAddress.parse(CARD)


def machine(driver: str | None = "e1000e") -> FakeHost:
    host = FakeHost()
    host.add_vfio()
    host.add_function("0000:00:1f.2", driver="ahci", group=1)
    host.add_function(CARD, driver=driver, group=4)
    return host


async def test_addresses_are_those_of_sysfs_in_order() -> None:
    host = machine()
    host.add_function("10000:00:00.0")
    found = await PciBus(host).addresses()
    assert [str(address) for address in found] == ["0000:00:1f.2", CARD, "10000:00:00.0"]


async def test_a_machine_without_pci_has_no_addresses() -> None:
    assert await PciBus(FakeHost()).addresses() == []


async def test_describe_tells_what_sysfs_tells() -> None:
    assert await PciBus(machine()).describe(ADDRESS) == PciNodeDevice(
        address=ADDRESS,
        vendor_id=0x8086,
        product_id=0x10D3,
        class_code=0x020000,
        driver="e1000e",
        iommu_group=4,
    )


async def test_a_device_without_driver_and_iommu_has_neither() -> None:
    host = FakeHost()
    host.add_function(CARD, driver=None)
    device = await PciBus(host).describe(ADDRESS)
    assert (device.driver, device.iommu_group) == (None, None)


async def test_an_unknown_device_is_not_found_by_any_question() -> None:
    bus = PciBus(machine())
    for ask in (
        bus.describe,
        bus.driver,
        bus.iommu_group,
        bus.bind_vfio,
        bus.return_to_host_driver,
    ):
        with pytest.raises(NotFoundError) as caught:
            await ask(PciAddress.parse("0000:02:00.0"))
        assert caught.value.code == ErrorCode.NO_NODE_DEVICE
        assert str(caught.value) == "no node device with matching name 'pci_0000_02_00_0'"


async def test_a_garbled_attribute_is_an_internal_error() -> None:
    host = machine()
    host.files[f"{DEVICES}/{CARD}/vendor"] = "banana\n"
    with pytest.raises(HostError, match="Failed to read product/vendor ID for") as e:
        await PciBus(host).describe(ADDRESS)
    assert e.value.code == ErrorCode.INTERNAL_ERROR


async def test_group_members_are_the_devices_behind_one_iommu_group() -> None:
    host = machine()
    host.add_function("0000:01:00.1", group=4)
    bus = PciBus(host)
    assert [str(member) for member in await bus.group_members(4)] == [CARD, "0000:01:00.1"]
    assert await bus.group_members(77) == []


@pytest.mark.parametrize(("has_groups", "has_vfio"), [*itertools.product([False, True], repeat=2)])
async def test_vfio_needs_an_iommu_and_its_device_node(has_groups: bool, has_vfio: bool) -> None:
    host = FakeHost()
    if has_vfio:
        host.add_vfio()
    host.add_function(CARD, group=4 if has_groups else None)
    assert await PciBus(host).vfio_is_supported() == (has_groups and has_vfio)


async def test_binding_writes_override_unbind_probe_in_that_order() -> None:
    host = machine()
    await PciBus(host).bind_vfio(ADDRESS)
    assert host.writes == [
        (f"{DEVICES}/{CARD}/driver_override", "vfio-pci"),
        (f"{DEVICES}/{CARD}/driver/unbind", CARD),
        ("/sys/bus/pci/drivers_probe", CARD),
    ]
    assert host.functions[CARD].driver == "vfio-pci"


async def test_binding_a_bound_device_writes_nothing() -> None:
    host = machine()
    await PciBus(host).bind_vfio(ADDRESS)
    host.writes.clear()
    await PciBus(host).bind_vfio(ADDRESS)
    assert host.writes == []


async def test_binding_a_device_without_driver_unbinds_nothing() -> None:
    host = machine(driver=None)
    await PciBus(host).bind_vfio(ADDRESS)
    assert [path.rpartition("/")[2] for path, _ in host.writes] == [
        "driver_override",
        "drivers_probe",
    ]


@pytest.mark.parametrize("driver", ["e1000e", None])
async def test_a_trip_to_vfio_and_back_changes_nothing(driver: str | None) -> None:
    host = machine(driver)
    await PciBus(host).bind_vfio(ADDRESS)
    assert await PciBus(host).return_to_host_driver(ADDRESS) == driver
    assert host.functions[CARD].driver == driver
    assert host.functions[CARD].override is None


TEXTS = {
    "driver_override": "Failed to add driver '{}' to driver_override interface of PCI device "
    "'0000:01:00.0'",
    "unbind": "Failed to unbind PCI device '0000:01:00.0' from {}",
    "drivers_probe": "Failed to trigger a probe for PCI device '0000:01:00.0'",
}


@pytest.mark.parametrize("step", TEXTS)
@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.ENODEV])
async def test_a_failed_bind_leaves_the_device_with_its_driver(step: str, number: int) -> None:
    host = machine()
    host.faults[step] = [number]
    with pytest.raises(HostError) as caught:
        await PciBus(host).bind_vfio(ADDRESS)
    name = "vfio-pci" if step == "driver_override" else "e1000e"
    assert str(caught.value).startswith(TEXTS[step].format(name) + ": ")
    assert caught.value.code == ErrorCode.SYSTEM_ERROR
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == number
    assert host.functions[CARD].driver == "e1000e"
    assert host.functions[CARD].override is None
    await PciBus(host).bind_vfio(ADDRESS)
    assert host.functions[CARD].driver == "vfio-pci"


async def test_a_driver_that_declines_is_noticed_and_undone() -> None:
    host = machine()
    host.declining = ("vfio-pci",)
    with pytest.raises(HostError, match="no driver took it") as caught:
        await PciBus(host).bind_vfio(ADDRESS)
    assert isinstance(caught.value.__cause__, OSError)
    assert host.functions[CARD].driver == "e1000e"


async def test_an_undo_that_fails_is_told_as_a_note() -> None:
    host = machine()
    host.faults["drivers_probe"] = [errno.EIO, errno.ENOMEM]
    with pytest.raises(HostError, match="Input/output error") as caught:
        await PciBus(host).bind_vfio(ADDRESS)
    [note] = caught.value.__notes__
    assert "could not be given back" in note
    assert "Cannot allocate memory" in note


STUB = "Failed to load PCI stub module vfio-pci"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, f"{STUB}: modprobe: No such file or directory"),
        (1, STUB),
        (0, f"{STUB}: administratively prohibited"),
    ],
)
async def test_without_vfio_pci_the_device_is_not_touched(status: int | None, text: str) -> None:
    host = machine()
    del host.files[f"{DRIVERS}/vfio-pci/new_id"]
    host.modprobe_status = status
    with pytest.raises(HostError) as caught:
        await PciBus(host).bind_vfio(ADDRESS)
    assert (ErrorCode.INTERNAL_ERROR, text) == (caught.value.code, str(caught.value))
    assert host.writes == []


async def test_vfio_pci_is_loaded_when_it_is_needed() -> None:
    host = machine()
    del host.files[f"{DRIVERS}/vfio-pci/new_id"]
    host.modprobe_status, host.modprobe_loads = 0, True
    await PciBus(host).bind_vfio(ADDRESS)
    assert host.functions[CARD].driver == "vfio-pci"


async def test_returning_a_device_that_was_never_taken_does_not_probe_it() -> None:
    host = machine()
    assert await PciBus(host).return_to_host_driver(ADDRESS) == "e1000e"
    assert host.writes == [(f"{DEVICES}/{CARD}/driver_override", "\n")]


@pytest.mark.parametrize("step", TEXTS)
async def test_a_failed_return_is_completed_by_the_next(step: str) -> None:
    host = machine()
    await PciBus(host).bind_vfio(ADDRESS)
    host.faults[step] = [errno.EIO]
    with pytest.raises(HostError) as caught:
        await PciBus(host).return_to_host_driver(ADDRESS)
    name = "" if step == "driver_override" else "vfio-pci"
    assert str(caught.value) == TEXTS[step].format(name) + ": Input/output error"
    assert await PciBus(host).return_to_host_driver(ADDRESS) == "e1000e"


async def test_a_device_that_vfio_keeps_taking_is_no_success() -> None:
    host = machine()
    host.functions[CARD].host_driver = "vfio-pci"  # as after `new_id`
    await PciBus(host).bind_vfio(ADDRESS)
    with pytest.raises(HostError, match="it is bound to vfio-pci"):
        await PciBus(host).return_to_host_driver(ADDRESS)


@pytest.mark.parametrize("goal", ["vfio-pci", "e1000e"])
async def test_a_cancellation_in_the_middle_does_not_leave_the_device_between(goal: str) -> None:
    host = machine()
    bus = PciBus(host)
    if goal == "e1000e":
        await bus.bind_vfio(ADDRESS)
    with trio.CancelScope() as scope:
        host.cancel_after_first_write = scope
        await (bus.bind_vfio if goal == "vfio-pci" else bus.return_to_host_driver)(ADDRESS)
    assert scope.cancel_called
    assert host.functions[CARD].driver == goal


async def test_a_cancellation_before_the_first_write_changes_nothing() -> None:
    host = machine()
    with trio.CancelScope() as scope:
        scope.cancel()
        await PciBus(host).bind_vfio(ADDRESS)
    assert scope.cancelled_caught
    assert host.writes == []
