"""Devices come and go in any order, and nothing is lost or left behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError
from tests.sim.qemu.board import Machine, make_machine

DRIVERS = {
    "virtio-rng-pci": {"rng": "rng0"},
    "virtio-net-pci": {"netdev": "net0"},
    "virtio-scsi-pci": {},
    "e1000": {},
    "usb-hub": {},
    "usb-kbd": {},
    "usb-storage": {"drive": "disk1"},
    "scsi-hd": {"drive": "disk0"},
    "scsi-cd": {},
    "virtserialport": {"chardev": "chr0"},
    "ivshmem-plain": {"memdev": "ram0"},
    "pc-dimm": {"memdev": "ram1"},
}


def furnished(board: str) -> Machine:
    machine = make_machine(board)
    tree = machine.tree
    tree.objects.add({"qom-type": "rng-builtin", "id": "rng0"})
    for name in ("ram0", "ram1"):
        tree.objects.add({"qom-type": "memory-backend-ram", "id": name, "size": 2 << 20})
    tree.netdevs.add({"type": "user", "id": "net0"})
    for name in ("disk0", "disk1"):
        tree.blocks.add({"driver": "null-co", "node-name": name})
    tree.chardevs.add({"id": "chr0", "backend": {"type": "null", "data": {}}})
    return machine


def in_tree(machine: Machine) -> list[Device]:
    return [device for device in machine.tree.devices.values() if device.is_hotplugged]


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, Any]:
    kind = draw(st.sampled_from(("add", "add", "del", "eject", "reset")))
    if kind != "add":
        return kind, draw(st.integers(0, 9))
    driver = draw(st.sampled_from(sorted(DRIVERS)))
    arguments: dict[str, Any] = {"driver": driver, **DRIVERS[driver]}
    if draw(st.booleans()):
        arguments["id"] = f"d{draw(st.integers(0, 5))}"
    if "-pci" in driver or driver in {"e1000", "ivshmem-plain"}:
        arguments["bus"] = draw(st.sampled_from(("pci.1", "pci.2", "pci.0", "pcie.0")))
        arguments["addr"] = draw(st.sampled_from(("0", "0.1", "1", "2.0")))
        arguments["multifunction"] = draw(st.booleans())
    return kind, arguments


def play(machine: Machine, step: tuple[str, Any]) -> None:
    kind, value = step
    tree = machine.tree
    devices = in_tree(machine)
    try:
        if kind == "add":
            tree.device_add(value)
        elif kind == "reset":
            tree.reset()
        elif devices and kind == "del":
            device = devices[value % len(devices)]
            tree.device_del(device.id or device.path)
        elif devices and kind == "eject":
            device = devices[value % len(devices)]
            if device in machine.asked:
                tree.eject(device)
    except QmpError:
        pass


def check(machine: Machine) -> None:
    tree = machine.tree
    for device in tree.all():
        for bus in device.buses:
            assert bus.parent is device
            addresses = [child.address for child in bus.children if child.address]
            assert len(addresses) == len(set(addresses)), (bus.name, addresses)
            assert all(child.bus is bus and child.in_tree for child in bus.children)
    assert sorted(tree.peripheral) == sorted(one.id for one in tree.devices.values() if one.id)
    assert all(device.in_tree and device.is_realized for device in tree.devices.values())


def check_order(events: list[tuple[str, dict[str, Any]]]) -> None:
    """The end of an inner device is told before that of the device it is in."""
    gone: list[str] = []
    for name, data in events:
        assert name == "DEVICE_DELETED"
        assert not any(data["path"].startswith(f"{path}/") for path in gone), (data, gone)
        # An id is free again at once, and its next holder may die in the same grace period.
        gone = [path for path in gone if path != data["path"]] + [data["path"]]
        if "/virtio-backend" in data["path"]:
            assert "device" not in data


@settings(max_examples=60, deadline=None)
@given(board=st.sampled_from(("q35", "pc")), program=st.lists(steps(), max_size=25))
def test_whatever_is_plugged_and_unplugged_everything_can_be_given_back(board, program):
    machine = furnished(board)
    for step in program:
        play(machine, step)
        check(machine)
        check_order(machine.settle())
    for device in in_tree(machine):
        machine.tree.unparent(device)
    check_order(machine.settle())
    tree = machine.tree
    assert in_tree(machine) == []
    assert machine.refusal(tree.chardevs.remove, "chr0") is None
    for name in ("disk0", "disk1"):
        assert machine.refusal(tree.blocks.delete, name) is None
    for name in ("ram0", "ram1", "rng0"):
        assert machine.refusal(tree.objects.delete, name) is None
    assert machine.refusal(tree.device_add, {"driver": "usb-kbd", "id": "last"}) is None


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 12))
def test_every_device_of_a_removed_controller_is_announced_before_it(count):
    machine = make_machine()
    machine.tree.device_add({"driver": "virtio-scsi-pci", "id": "ctl", "bus": "pci.1"})
    for number in range(count):
        machine.tree.device_add({"driver": "scsi-cd", "id": f"cd{number}", "bus": "ctl.0"})
    machine.tree.device_del("ctl")
    machine.settle()
    machine.tree.reset()
    told = [data.get("device", "inner") for _, data in machine.settle()]
    assert told == [*(f"cd{number}" for number in reversed(range(count))), "inner", "ctl"]


def test_an_unplug_on_a_root_port_waits_for_the_guest():
    machine = furnished("q35")
    machine.tree.device_add({"driver": "e1000", "id": "card", "bus": "pci.1"})
    machine.tree.device_del("card")
    assert machine.settle() == []
    assert [device.id for device in machine.asked] == ["card"]
    refused = machine.refusal(machine.tree.device_del, "card")
    assert refused == "Device card is already in the process of unplug"


@pytest.mark.parametrize(("driver", "bus"), [("scsi-cd", "scsi0.0"), ("usb-kbd", "usb.0")])
def test_an_unplug_on_a_bus_of_qemu_itself_waits_for_nobody(driver, bus):
    machine = make_machine()
    machine.tree.device_add({"driver": driver, "id": "thing", "bus": bus})
    machine.tree.device_del("thing")
    path = "/machine/peripheral/thing"
    assert machine.settle() == [("DEVICE_DELETED", {"path": path, "device": "thing"})]
    assert machine.asked == []


def test_a_refused_device_leaves_the_back_ends_it_had_taken_free():
    machine = furnished("q35")
    wrong = {"driver": "virtio-net-pci", "netdev": "net0", "bus": "pci.1", "rx_queue_size": 3}
    assert machine.refusal(machine.tree.device_add, wrong) is not None
    right = {"driver": "virtio-net-pci", "netdev": "net0", "bus": "pci.1"}
    assert machine.refusal(machine.tree.device_add, right) is None


def test_a_usb_hub_takes_along_what_is_plugged_into_it_in_the_order_of_its_ports():
    machine = make_machine()
    for name, port in (("hub", "1"), ("b", "1.2"), ("a", "1.1")):
        driver = "usb-hub" if name == "hub" else "usb-kbd"
        machine.tree.device_add({"driver": driver, "id": name, "bus": "usb.0", "port": port})
    machine.tree.device_del("hub")
    assert [data["device"] for _, data in machine.settle()] == ["a", "b", "hub"]


def test_every_modelled_type_is_one_that_qemu_has():
    assert recorded.MODELS.keys() <= recorded.TYPES.keys()
