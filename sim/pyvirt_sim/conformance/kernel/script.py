"""The steps, in cases: each leaves the devices as it found them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pyvirt_sim.conformance.kernel.scene import (
    BRIDGE,
    CARD,
    DISK,
    FUNCTION,
    OLD_CARD,
    OTHER_FUNCTION,
    OTHER_TWIN,
    TWIN,
    UNWANTED,
)
from pyvirt_sim.conformance.kernel.steps import DEVICES, DRIVERS, Step

_PROBE = "/sys/bus/pci/drivers_probe"
_AUTOPROBE = "/sys/bus/pci/drivers_autoprobe"
_NODES = Step("nodes")


def _read(address: str, *names: str) -> list[Step]:
    return [Step("read", f"{DEVICES}/{address}/{name}") for name in names]


def _write(address: str, name: str, *texts: str) -> list[Step]:
    return [Step("write", f"{DEVICES}/{address}/{name}", text) for text in texts]


def _tell(driver: str, name: str, *texts: str) -> list[Step]:
    return [Step("write", f"{DRIVERS}/{driver}/{name}", text) for text in texts]


def _link(address: str, *names: str) -> list[Step]:
    return [Step("link", f"{DEVICES}/{address}/{name}") for name in names]


def _probe(text: str) -> Step:
    return Step("write", _PROBE, text)


def _driver(address: str) -> Step:
    return Step("link", f"{DEVICES}/{address}/driver")


def _move(address: str, override: str) -> list[Step]:
    """Override, unbind, probe, look: as libvirt moves a device, either way."""
    return [
        *_write(address, "driver_override", override),
        *_write(address, "driver/unbind", address),
        _probe(address),
        _driver(address),
    ]


def _to_vfio(*addresses: str) -> list[Step]:
    return [step for address in addresses for step in _move(address, "vfio-pci")]


def _to_host(*addresses: str) -> list[Step]:
    return [step for address in addresses for step in _move(address, "\n")]


def _group(*calls: str, of: str = "", name: str = "group") -> list[Step]:
    return [Step(call, of, "", name) for call in calls]


def _begin(name: str, path: str, text: str = "") -> list[Step]:
    return [Step("begin", path, text, name), Step("waits", other=name)]


def _end(*names: str) -> list[Step]:
    return [Step("end", other=name) for name in names]


def _list(*paths: str) -> list[Step]:
    return [Step("list", path) for path in paths]


def _override() -> Iterator[Step]:
    name = "driver_override"
    yield from _read(CARD, name)
    for text in ("vfio-pci", "\n", "one\ntwo", "", "(null)", "a" * 4094, "a" * 4095, "a" * 4096):
        yield from _write(CARD, name, text)
        yield from _read(CARD, name)
    yield from _write(CARD, name, "nosuch")
    yield _driver(CARD)
    yield from _write(CARD, "driver/unbind", CARD)
    yield _probe(CARD)
    yield _driver(CARD)
    yield from _tell("e1000e", "bind", CARD)
    yield from _write(CARD, name, "\n")
    yield from _tell("e1000e", "bind", CARD)


def _moved() -> Iterator[Step]:
    yield from _link(CARD, "driver", "iommu_group/devices/" + CARD, "subsystem")
    yield Step("link", f"{DEVICES}/{CARD}")
    yield _NODES
    yield from _to_vfio(CARD)
    yield _NODES
    yield from _list(f"{DRIVERS}/vfio-pci", f"{DRIVERS}/e1000e", f"{DEVICES}/{CARD}/vfio-dev")
    yield from _read(CARD, "uevent")
    yield from _write(CARD, "driver_override", "\n")
    yield _driver(CARD)
    yield from _tell("vfio-pci", "unbind", CARD + "\n")
    yield _NODES
    yield _driver(CARD)
    yield from _tell("vfio-pci", "bind", CARD)
    yield _probe(CARD + "\n")
    yield _driver(CARD)


def _refused() -> Iterator[Step]:
    yield from _tell("e1000e", "bind", CARD, "junk", "", f" {CARD}")
    yield from _tell("e1000e", "unbind", "junk", UNWANTED)
    yield from _tell("nvme", "bind", CARD)
    yield from _tell("nvme", "unbind", CARD)
    yield from _tell("nosuch", "bind", CARD)
    yield from _tell("pci-stub", "bind", UNWANTED)
    yield from _tell("vfio-pci", "bind", CARD, UNWANTED)
    yield from _write(CARD, "driver_override", "vfio-pci")
    yield from _tell("vfio-pci", "bind", CARD)
    yield from _write(CARD, "driver/unbind", CARD, CARD)
    yield from _tell("e1000e", "unbind", CARD)
    yield from _tell("e1000e", "bind", CARD)
    yield from _tell("vfio-pci", "bind", CARD, CARD)
    yield _probe(CARD)
    yield _probe("0000:99:00.0")
    yield _probe("")
    yield from _to_host(CARD)
    yield from _write(BRIDGE, "driver_override", "vfio-pci")
    yield _probe(BRIDGE)
    yield _driver(BRIDGE)
    yield from _tell("vfio-pci", "bind", BRIDGE)
    yield from _write(BRIDGE, "driver_override", "\n")
    yield _probe(UNWANTED)
    yield _driver(UNWANTED)


def _attributes() -> Iterator[Step]:
    names = ("vendor", "device", "class", "revision", "subsystem_vendor", "subsystem_device")
    for address in (CARD, OLD_CARD, UNWANTED, DISK, BRIDGE):
        yield from _read(address, *names, "modalias", "uevent", "numa_node")
        yield Step("exists", f"{DEVICES}/{address}/reset")
        yield Step("exists", f"{DEVICES}/{address}/sriov_numvfs")
    yield from _write(CARD, "vendor", "1")
    yield from _read(CARD, "", "vendor/below", "driver", "net")
    yield Step("read", f"{DRIVERS}/vfio-pci/bind")
    yield Step("read", _PROBE)
    yield from _list(f"{DEVICES}/{CARD}/vendor", DEVICES, f"{DEVICES}/{CARD}/vfio-dev")
    yield from _link(CARD, "vendor", "physfn", "vfio-dev")
    for address in (CARD, TWIN, OLD_CARD, "0000:00:1f.2"):
        yield Step("members", address)


def _ids() -> Iterator[Step]:
    yield from _tell("vfio-pci", "remove_id", "8086 10d3", "8086", "junk")
    yield from _tell("vfio-pci", "new_id", "8086", "junk", "")
    yield from _tell("vfio-pci", "new_id", "1234 11e8", "1234 11e8")
    yield _driver(UNWANTED)
    yield _NODES
    yield from _tell("vfio-pci", "remove_id", "1234 11e8\n", "1234 11e8")
    yield _driver(UNWANTED)
    yield from _tell("vfio-pci", "unbind", UNWANTED)
    yield from _tell("vfio-pci", "bind", UNWANTED)
    yield from _tell("vfio-pci", "new_id", "0x8086 0x10d3")
    yield from _tell("e1000e", "new_id", "8086 10d3")
    yield _driver(CARD)
    yield from _tell("e1000e", "unbind", CARD)
    yield _probe(CARD)
    yield _driver(CARD)
    yield from _tell("vfio-pci", "unbind", CARD)
    yield from _tell("e1000e", "bind", CARD)
    yield _driver(CARD)
    yield from _tell("vfio-pci", "remove_id", " 8086 10d3 ")


def _resets() -> Iterator[Step]:
    yield from _read(CARD, "reset_method", "reset")
    yield from _write(CARD, "reset", "1", "1\n", "0x1", "01", "+1", "0", "2", "x", " 1", "", "-1")
    for text in ("bus", "flr", "junk", "\n", "default", "bus pm", "pm pm", " pm", "", "default\n"):
        yield from _write(CARD, "reset_method", text)
        yield from _read(CARD, "reset_method")
        if text in ("bus", "\n", "bus pm"):
            yield from _write(CARD, "reset", "1")
    # A reset of the bus is offered to the first device found on it, and refused once there are two.
    for address in (TWIN, OTHER_TWIN, OLD_CARD, BRIDGE, DISK):
        yield from _read(address, "reset_method")
    yield from _write(TWIN, "reset_method", "bus")
    yield from _write(OLD_CARD, "reset", "1")
    yield from _write(TWIN, "reset_method", "default")
    yield from _read(TWIN, "reset_method")
    yield from _write(UNWANTED, "reset", "1")
    yield from _to_vfio(CARD)
    yield from _write(CARD, "reset", "1")
    yield from _group("open", "attach", "device", of=CARD)
    yield from _write(CARD, "reset", "1")
    yield from _group("close")
    yield from _to_host(CARD)


def _held() -> Iterator[Step]:
    """What a device that a process has open does to those who would have it."""
    yield from _to_vfio(CARD)
    yield from _group("open", "viable", "attach", "device", of=CARD)
    yield from _group("open", of=CARD, name="second")
    yield from _group("asked", of=CARD)
    yield from _begin("unbind", f"{DRIVERS}/vfio-pci/unbind", CARD)
    yield from _group("asked", of=CARD)
    yield _driver(CARD)
    yield _NODES
    yield from _list(f"{DRIVERS}/vfio-pci", f"{DEVICES}/{CARD}/vfio-dev")
    yield from _read(CARD, "vendor", "class")
    yield _probe(CARD)
    yield from _begin("read", f"{DEVICES}/{CARD}/driver_override")
    yield from _begin("reset", f"{DEVICES}/{CARD}/reset", "1")
    yield from _begin("unbind again", f"{DRIVERS}/vfio-pci/unbind", CARD)
    yield from _group("release", of=CARD)
    yield from _end("unbind", "read", "reset", "unbind again")
    yield _driver(CARD)
    yield _NODES
    yield from _group("viable", "attach", "device", of=CARD)
    yield from _group("open", of=CARD, name="second")
    yield from _group("close")
    yield from _write(CARD, "driver_override", "\n")
    yield _probe(CARD)
    yield _driver(CARD)
    # Open is not enough to hold it.
    yield from _to_vfio(CARD)
    yield from _group("open", "attach", of=CARD)
    yield from _tell("vfio-pci", "unbind", CARD)
    yield from _group("viable", of=CARD)
    yield _NODES
    yield from _group("close")
    yield from _write(CARD, "driver_override", "\n")
    yield _probe(CARD)


def _shared() -> Iterator[Step]:
    """A group of two: one given away, the other with the host's driver."""
    yield from _to_vfio(TWIN)
    yield from _group("open", "viable", "device", "attach", "device", of=TWIN)
    yield from _group("device", of=OTHER_TWIN)
    yield from _group("close")
    yield from _to_vfio(OTHER_TWIN)
    yield _NODES
    yield from _group("open", "viable", "device", "attach", "attach", of=TWIN)
    yield from _group("device", of=CARD)
    yield from _group("device", of="0000:99:00.0")
    yield from _group("device", of=TWIN)
    yield from _group("device", of=OTHER_TWIN)
    yield from _group("detach")
    yield from _begin("unbind", f"{DRIVERS}/vfio-pci/unbind", TWIN)
    yield from _group("asked", of=TWIN)
    yield from _group("asked", of=OTHER_TWIN)
    yield from _group("release", of=TWIN)
    yield from _end("unbind")
    yield _NODES
    yield from _group("device", of=TWIN)
    yield from _write(TWIN, "driver_override", "\n")
    yield _probe(TWIN)
    yield from _tell("e1000e", "bind", TWIN)
    yield _driver(TWIN)
    yield from _group("release", of=OTHER_TWIN)
    yield from _tell("e1000e", "bind", TWIN)
    yield from _group("detach", "detach", "viable")
    yield from _tell("e1000e", "bind", TWIN)
    yield from _group("viable", "attach", "close")
    yield _NODES
    yield from _to_host(OTHER_TWIN)
    yield _NODES


def _behind_a_bridge() -> Iterator[Step]:
    yield from _to_vfio(UNWANTED)
    yield _NODES
    yield from _group("open", "viable", "attach", "close", of=UNWANTED)
    yield from _tell("e1000", "unbind", OLD_CARD)
    yield from _group("open", "viable", "attach", "device", of=UNWANTED)
    yield from _tell("e1000", "bind", OLD_CARD)
    yield _probe(OLD_CARD)
    yield _driver(OLD_CARD)
    yield from _write(OLD_CARD, "driver_override", "pci-stub")
    yield _probe(OLD_CARD)
    yield _driver(OLD_CARD)
    yield from _group("viable", "close")
    yield from _group("open", "viable", "close", of=UNWANTED)
    yield from _to_host(OLD_CARD, UNWANTED)


def _virtual_functions() -> Iterator[Step]:
    number = "sriov_numvfs"
    names = ("totalvfs", "numvfs", "offset", "stride", "vf_device", "drivers_autoprobe")
    yield from _read(DISK, *(f"sriov_{name}" for name in names))
    yield from _write(DISK, number, "x", "5", "-1", "70000", "0", "0x0")
    yield from _write(DISK, "sriov_drivers_autoprobe", "x", "", "n", "of", "0")
    yield from _read(DISK, "sriov_drivers_autoprobe")
    yield from _write(DISK, number, "2")
    yield from _read(DISK, number)
    yield from _link(DISK, "virtfn0", "virtfn1", "virtfn2")
    yield from _link(FUNCTION, "physfn", "driver")
    yield from _list(DEVICES)
    yield Step("members", FUNCTION)
    yield Step("members", OTHER_FUNCTION)
    names = ("vendor", "device", "class", "driver_override", "reset_method", "uevent")
    yield from _read(FUNCTION, *names)
    yield from _write(FUNCTION, "reset", "1")
    yield from _write(DISK, number, "2", "1", "3")
    yield from _to_vfio(FUNCTION)
    yield _NODES
    yield from _group("open", "attach", "device", of=FUNCTION)
    yield from _begin("remove", f"{DEVICES}/{DISK}/{number}", "0")
    yield from _group("asked", of=FUNCTION)
    yield from _list(DEVICES)
    yield from _link(DISK, "virtfn0", "virtfn1")
    yield from _link(FUNCTION, "physfn", "driver")
    yield from _link(OTHER_FUNCTION, "physfn")
    yield from _begin("read", f"{DEVICES}/{DISK}/{number}")
    yield from _group("release", of=FUNCTION)
    yield from _end("remove", "read")
    yield from _group("close")
    yield from _list(DEVICES)
    yield _NODES
    yield from _write(DISK, "sriov_drivers_autoprobe", "1")
    # The disk's own driver finds that a function does not answer, and leaves it when it likes.
    yield from _tell("pci-stub", "new_id", "1b36 0010")
    yield from _write(DISK, number, "1")
    yield _driver(FUNCTION)
    yield from _write(DISK, number, "0")
    yield from _tell("pci-stub", "remove_id", "1b36 0010")
    yield from _to_vfio(DISK)
    yield from _write(DISK, number, "1")
    yield from _write(DISK, "driver/unbind", DISK)
    yield from _write(DISK, number, "1", "0")
    yield from _to_host(DISK)


def _autoprobe() -> Iterator[Step]:
    yield Step("read", _AUTOPROBE)
    for text in ("0", "x", "00", "1"):
        yield Step("write", _AUTOPROBE, text)
        yield Step("read", _AUTOPROBE)


CASES: Mapping[str, Sequence[Step]] = {
    "an override restricts, and moves nothing": tuple(_override()),
    "a device goes to vfio-pci and back": tuple(_moved()),
    "what bind, unbind and probe refuse": tuple(_refused()),
    "what a device shows": tuple(_attributes()),
    "ids added and removed": tuple(_ids()),
    "resets": tuple(_resets()),
    "a device that is held": tuple(_held()),
    "two devices in one group": tuple(_shared()),
    "a group behind a bridge": tuple(_behind_a_bridge()),
    "virtual functions": tuple(_virtual_functions()),
    "probing switched off": tuple(_autoprobe()),
}
