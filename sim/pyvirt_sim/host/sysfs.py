"""The files under /sys, /proc and /dev/vfio, made from the PCI model at every look.

Of a device's folder the attributes in `MODELLED` are answered; those that a device of its kind does
not have are missing, as on a real one; every other name raises `ModelGapError`, and so does a list
of the folder, because a real one has many more.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import NoReturn

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host.pci import PciModel, SimDriver, SimPciDevice, text
from pyvirt_sim.host.tree import Attribute, Folder, Link, Node, Special, Tree

_DEVICES = "/sys/bus/pci/devices"
_DRIVERS = "/sys/bus/pci/drivers"
_GROUPS = "/sys/kernel/iommu_groups"
_ROUTE_HEADER = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
)
_DEFAULT_ROUTE = "\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"

# What may be missing from a device's folder; the first are there from its first moment on.
_ALWAYS = (
    *("vendor", "device", "class", "revision", "subsystem_vendor", "subsystem_device"),
    *("modalias", "uevent", "subsystem", "driver_override", "numa_node"),
)
_SOMETIMES = (
    *("driver", "iommu_group", "net", "vfio-dev", "reset", "reset_method", "physfn"),
    *("sriov_totalvfs", "sriov_numvfs", "sriov_offset", "sriov_stride", "sriov_vf_device"),
    "sriov_drivers_autoprobe",
)
MODELLED = (*_ALWAYS, *_SOMETIMES, "virtfnN")
"""The attributes of a device that are modelled."""
LATE = frozenset(_SOMETIMES) - {"driver", "physfn"}
"""Those that may appear after the device."""
MODELLED_OF_A_DRIVER = ("bind", "unbind", "new_id", "remove_id")


def mount_kernel_files(tree: Tree, pci: PciModel, default_route: Callable[[], str | None]) -> None:
    """Put the kernel's files into ``tree``.

    Args:
        tree: The host's files.
        pci: Its devices.
        default_route: Names the interface of the default route, if there is one.
    """
    bus = tree.make_directory("/sys/bus/pci").entries()
    bus["devices"] = Folder(
        lambda: {a: Link(_relative(_DEVICES, pci, d)) for a, d in pci.devices.items()}
    )
    bus["drivers"] = Folder(lambda: {name: _driver(pci, d) for name, d in pci.drivers.items()})
    bus["drivers_probe"] = Attribute(write=pci.probe)
    bus["drivers_autoprobe"] = Attribute(
        read=lambda: f"{int(pci.probes_new_devices)}\n", write=_sync(partial(_autoprobe, pci))
    )
    devices = tree.make_directory("/sys/devices").entries()
    devices["pci0000:00"] = Folder(lambda: dict(_children(pci, None)))
    kernel = tree.make_directory("/sys/kernel").entries()
    kernel["iommu_groups"] = Folder(lambda: {str(n): _group(pci, n) for n in pci.groups()})
    dev = tree.make_directory("/dev").entries()
    dev["vfio"] = Folder(lambda: _vfio_nodes(pci))
    network = tree.make_directory("/sys/class").entries()
    network["net"] = Folder(lambda: _interfaces(pci))
    tree.make_directory("/sys").entries()["module"] = Folder(dict, require_known=_no_modules)
    tree.make_directory("/sys/class/block")
    tree.make_directory("/sys/dev/block")
    process = tree.make_directory("/proc/self").entries()
    process["mountinfo"] = Attribute(read=lambda: "22 1 0:20 / / rw - tmpfs tmpfs rw\n")
    tree.make_directory("/proc/net").entries()["route"] = Attribute(
        read=lambda: _routes(default_route())
    )


def _relative(folder: str, pci: PciModel, device: SimPciDevice) -> str:
    """The target of a link in ``folder`` to a device, as sysfs writes it."""
    return posixpath.relpath(f"/sys{pci.devpath(device)}", folder)


def _children(pci: PciModel, parent: SimPciDevice | None) -> Iterator[tuple[str, Node]]:
    where = None if parent is None else parent.address
    for address, device in pci.devices.items():
        if device.parent == where:
            yield address, _device(pci, device)


def _device(pci: PciModel, device: SimPciDevice) -> Folder:
    def entries() -> dict[str, Node]:
        files: dict[str, Node] = {
            "vendor": _constant(f"{device.vendor_id:#06x}"),
            "device": _constant(f"{device.product_id:#06x}"),
            "class": _constant(f"{device.class_code:#08x}"),
            "revision": _constant(f"{device.revision:#04x}"),
            "subsystem_vendor": _constant(f"{device.subsystem_vendor_id:#06x}"),
            "subsystem_device": _constant(f"{device.subsystem_id:#06x}"),
            "modalias": _constant(device.modalias),
            "numa_node": _constant("-1"),
            "uevent": Attribute(read=partial(_environment, device)),
            "subsystem": _link(pci, device, "/sys/bus/pci"),
            "driver_override": Attribute(
                read=lambda: f"{device.override or '(null)'}\n",
                write=partial(pci.set_override, device),
                ready=partial(_lock_is_free, pci, device),
            ),
            **dict(_children(pci, device)),
            **dict(_links(pci, device)),
            **dict(_reset(pci, device)),
            **dict(_sriov(pci, device)),
        }
        for name in device.hidden & files.keys():
            del files[name]
        return files

    return Folder(entries, require_known=_require_modelled)


def _no_modules(name: str) -> NoReturn:
    raise ModelGapError(f"/sys/module/{name}")


async def _no_made_up_events(_value: str) -> None:
    raise ModelGapError("events made by writing into uevent")


def _require_modelled(name: str) -> None:
    if name not in MODELLED and not name.startswith("virtfn") and ":" not in name:
        raise ModelGapError(f"the attribute {name} of a PCI device")


def _links(pci: PciModel, device: SimPciDevice) -> Iterator[tuple[str, Node]]:
    if device.driver is not None:
        yield "driver", _link(pci, device, f"{_DRIVERS}/{device.driver}")
    if device.iommu_group is not None:
        yield "iommu_group", _link(pci, device, f"{_GROUPS}/{device.iommu_group}")
    if _has_interface(device):
        yield "net", _names([device.network_interface or ""])
    number = pci.vfio.number_of(device)
    if number is not None:
        yield "vfio-dev", _names([f"vfio{number}"])
    if device.physical_function is not None:
        yield "physfn", Link(f"../{device.physical_function.address}")
    for index, function in device.virtual_functions.items():
        yield f"virtfn{index}", Link(f"../{function.address}")


def _reset(pci: PciModel, device: SimPciDevice) -> Iterator[tuple[str, Node]]:
    """Two attributes that are there when the device could be reset as it was found."""

    async def reset(value: str) -> None:
        async with pci.locked(device):
            pci.resets.reset(device, value)

    if device.can_be_reset:
        yield "reset", Attribute(write=reset)
        yield (
            "reset_method",
            Attribute(
                read=lambda: pci.resets.methods(device),
                write=_sync(partial(pci.resets.choose, device)),
            ),
        )


def _sriov(pci: PciModel, device: SimPciDevice) -> Iterator[tuple[str, Node]]:
    async def set_count(value: str) -> None:
        async with pci.locked(device):
            await pci.sriov.set_count(device, value)

    def set_autoprobe(value: str) -> None:
        path = f"{device.address}/sriov_drivers_autoprobe"
        device.probes_virtual_functions = text.truth(value, path)

    if not device.total_vfs:
        return
    product = device.product_id if device.vf_product_id is None else device.vf_product_id
    yield "sriov_totalvfs", _constant(str(device.total_vfs))
    yield "sriov_offset", _constant(str(device.vf_offset))
    yield "sriov_stride", _constant(str(device.vf_stride))
    yield "sriov_vf_device", _constant(f"{product:x}")
    yield (
        "sriov_numvfs",
        Attribute(
            read=lambda: f"{len(device.virtual_functions)}\n",
            write=set_count,
            ready=partial(_lock_is_free, pci, device),
        ),
    )
    yield (
        "sriov_drivers_autoprobe",
        Attribute(
            read=lambda: f"{int(device.probes_virtual_functions)}\n", write=_sync(set_autoprobe)
        ),
    )


def _driver(pci: PciModel, driver: SimDriver) -> Folder:
    def entries() -> dict[str, Node]:
        bound = [d for d in pci.devices.values() if d.driver == driver.name]
        folder = f"{_DRIVERS}/{driver.name}"
        return {
            "bind": Attribute(write=partial(pci.bind, driver.name)),
            "unbind": Attribute(write=partial(pci.unbind, driver.name)),
            "new_id": Attribute(write=partial(pci.add_id, driver.name)),
            "remove_id": Attribute(write=_sync(partial(pci.remove_id, driver.name))),
            "uevent": Attribute(write=_no_made_up_events),
            **dict(_module(driver)),
            **{str(device.address): Link(_relative(folder, pci, device)) for device in bound},
        }

    return Folder(entries)


def _module(driver: SimDriver) -> Iterator[tuple[str, Node]]:
    if not driver.is_built_in:
        yield "module", Link(f"../../../../module/{driver.name.replace('-', '_')}")


def _group(pci: PciModel, number: int) -> Folder:
    folder = f"{_GROUPS}/{number}/devices"
    members: dict[str, Node] = {
        str(device.address): Link(_relative(folder, pci, device)) for device in pci.members(number)
    }
    files: dict[str, Node] = {"devices": Folder(lambda: members)}
    return Folder(lambda: files)


def _vfio_nodes(pci: PciModel) -> dict[str, Node]:
    nodes: dict[str, Node] = {str(number): Special() for number in pci.vfio.nodes()}
    if pci.groups():
        nodes["vfio"] = Special()
    return nodes


def _has_interface(device: SimPciDevice) -> bool:
    is_at_home = device.driver is not None and device.driver == device.own_driver
    return device.network_interface is not None and is_at_home


def _interfaces(pci: PciModel) -> dict[str, Node]:
    return {
        name: Link(f"{_relative('/sys/class/net', pci, device)}/net/{name}")
        for device in pci.devices.values()
        if _has_interface(device) and "net" not in device.hidden
        for name in [device.network_interface or ""]
    }


def _link(pci: PciModel, device: SimPciDevice, target: str) -> Link:
    return Link(posixpath.relpath(target, f"/sys{pci.devpath(device)}"))


def _constant(value: str) -> Attribute:
    return Attribute(read=lambda: f"{value}\n")


def _names(names: Iterable[str]) -> Folder:
    files: dict[str, Node] = {name: Folder.plain() for name in names}
    return Folder(lambda: files)


def _environment(device: SimPciDevice) -> str:
    return "".join(f"{key}={value}\n" for key, value in device.environment.items())


async def _lock_is_free(pci: PciModel, device: SimPciDevice) -> None:
    async with pci.locked(device):
        pass


def _autoprobe(pci: PciModel, value: str) -> None:
    pci.probes_new_devices = not value.startswith("0")


def _routes(interface: str | None) -> str:
    return _ROUTE_HEADER + (f"{interface}{_DEFAULT_ROUTE}" if interface else "")


def _sync(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    async def wrapped(value: str) -> None:
        write(value)

    return wrapped
