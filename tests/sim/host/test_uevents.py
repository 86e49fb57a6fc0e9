"""The kernel's events arrive in order, unless a fault site says otherwise."""

from __future__ import annotations

import errno

import pytest
import trio

from pyvirt_sim.engine import RandomWalk
from pyvirt_sim.host import SimMachine, Uevent, UeventSocket
from pyvirt_sim.host.pci.uevents import MAX_QUEUED
from pyvirt_trio.models import PciAddress
from tests.sim.host.running import CARD, SYSFS, card, run_on_machine

ROUND_TRIP = ["unbind", "bind"]


async def rebind(machine: SimMachine) -> None:
    await machine.host.write_attribute(f"{SYSFS}/driver/unbind", str(CARD))
    await machine.host.write_attribute("/sys/bus/pci/drivers_probe", str(CARD))


def here(socket: UeventSocket) -> list[Uevent]:
    found: list[Uevent] = []
    while True:
        try:
            found.append(socket.receive_nowait())
        except trio.WouldBlock:
            return found


def test_events_are_there_when_the_write_returns_in_order_and_numbered() -> None:
    async def body(machine: SimMachine) -> None:
        one, two = machine.host.open_uevents(), machine.host.open_uevents()
        await rebind(machine)
        events = here(one)
        assert [event.action for event in events] == ROUND_TRIP
        assert [event.number for event in events] == [1, 2]
        assert events[1].properties["DRIVER"] == "e1000e"
        assert events == here(two)
        late = machine.host.open_uevents()
        assert here(late) == []

    run_on_machine(body)


def test_a_receiver_waits_for_the_next_event() -> None:
    async def body(machine: SimMachine) -> None:
        socket = machine.host.open_uevents()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rebind, machine)
            assert (await socket.receive()).action == "unbind"
            assert (await socket.receive()).action == "bind"

    run_on_machine(body)


def test_events_can_be_late_and_stay_in_order() -> None:
    async def body(machine: SimMachine) -> None:
        socket = machine.host.open_uevents()
        await rebind(machine)
        assert here(socket) == []
        begin = trio.current_time()
        assert [(await socket.receive()).action for _ in range(2)] == ROUND_TRIP
        assert trio.current_time() - begin == 20

    run_on_machine(body, "uevent", answers={"uevent": 5})


def test_events_can_be_lost_or_overtaken() -> None:
    seen: set[tuple[str, ...]] = set()

    async def body(machine: SimMachine) -> None:
        socket = machine.host.open_uevents()
        await rebind(machine)
        seen.add(tuple(event.action for event in here(socket)))

    for seed in range(60):
        run_on_machine(body, "uevent-lost", "uevent-reordered", chooser=RandomWalk(seed))
    assert {("unbind", "bind"), ("bind", "unbind"), ("unbind",), ("bind",), ()} == seen


def test_a_slow_receiver_is_told_once_that_events_were_dropped() -> None:
    async def body(machine: SimMachine) -> None:
        socket = machine.host.open_uevents()
        for _ in range(MAX_QUEUED // 2 + 1):
            await rebind(machine)
        with pytest.raises(OSError, match="No buffer space") as caught:
            await socket.receive()
        assert caught.value.errno == errno.ENOBUFS
        assert len(here(socket)) == MAX_QUEUED
        await rebind(machine)
        assert (await socket.receive()).action == "unbind"
        socket.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            await socket.receive()

    run_on_machine(body)


def test_devices_come_and_go_with_events() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        socket = host.open_uevents()
        device = card(address=PciAddress.parse("0000:02:00.0"), iommu_group=8)
        await host.plug_pci_device(device)
        assert [event.action for event in here(socket)] == ["add", "bind"]
        assert device.driver == "e1000e"
        await host.unplug_pci_device(device)
        assert [event.action for event in here(socket)] == ["unbind", "remove"]
        assert not await host.exists("/sys/bus/pci/devices/0000:02:00.0")

    run_on_machine(body)


def test_most_of_a_new_device_may_appear_after_its_event() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        socket = host.open_uevents()
        folder = "/sys/bus/pci/devices/0000:02:00.0"
        device = card(address=PciAddress.parse("0000:02:00.0"), iommu_group=8)
        await host.plug_pci_device(device)
        assert (await socket.receive()).action == "add"
        names = ("vendor", "driver", "iommu_group", "reset")
        assert [await host.exists(f"{folder}/{n}") for n in names] == [True, True, False, False]
        await trio.sleep(1)
        assert [await host.exists(f"{folder}/{n}") for n in names] == [True] * 4

    run_on_machine(body, "attributes-appear", answers={"attributes-appear": 4})


def test_on_the_canonical_schedule_attributes_are_there_with_the_event() -> None:
    async def body(machine: SimMachine) -> None:
        await machine.host.plug_pci_device(card(address=PciAddress.parse("0000:02:00.0")))
        assert await machine.host.exists("/sys/bus/pci/devices/0000:02:00.0/iommu_group")

    run_on_machine(body, "attributes-appear")
