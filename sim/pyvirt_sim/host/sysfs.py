"""The files under /sys, /proc and /dev/vfio, made from the models at every look.

Of a device's folder the attributes in `MODELLED` are answered; those that a device of its kind does
not have are missing, as on a real one; every other name raises `ModelGapError`, and so does a list
of the folder, because a real one has many more. /proc lists all processes, and of its many other
files those that are modelled.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import NoReturn, TypeAlias

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host.pci import PciModel, SimPciDevice, text
from pyvirt_sim.host.process import ProcessTable
from pyvirt_sim.host.tree import Attribute, Folder, Link, Node, Special, Tree

_DEVICES = "/sys/bus/pci/devices"
_DRIVERS = "/sys/bus/pci/drivers"
_GROUPS = "/sys/kernel/iommu_groups"
_ROUTE_HEADER = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
)
_DEFAULT_ROUTE = "\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"

# The same few links are read in every run.
_relative_path = functools.lru_cache(maxsize=4096)(posixpath.relpath)


def mount_kernel_files(
    tree: Tree,
    pci: PciModel,
    processes: ProcessTable,
    default_route: Callable[[], str | None],
    boot_id: str,
    listening: Iterable[str],
    taps: Collection[str],
) -> None:
    """Put the kernel's files into ``tree``.

    Args:
        tree: The host's files.
        pci: Its devices.
        processes: Its processes.
        default_route: Names the interface of the default route, if there is one.
        boot_id: What tells this boot from all others.
        taps: Network interfaces that belong to no device.
        listening: The sockets at which processes listen that serve devices.
    """
    tree.mount(_DEVICES, Folder(lambda name: _link_to(_DEVICES, pci, name), pci.devices.keys))
    tree.mount(_DRIVERS, Folder(partial(_driver, pci), pci.drivers.keys))
    tree.mount("/sys/bus/pci/drivers_probe", Attribute(write=pci.probe))
    tree.mount(
        "/sys/bus/pci/drivers_autoprobe",
        Attribute(
            read=lambda: f"{int(pci.probes_new_devices)}\n", write=_sync(partial(_autoprobe, pci))
        ),
    )
    tree.mount("/sys/devices/pci0000:00", Folder(partial(_child, pci, None), None))
    tree.mount(_GROUPS, Folder(partial(_group, pci), lambda: map(str, pci.groups())))
    tree.mount(
        "/sys/devices/virtual/net",
        Folder(lambda name: Folder.plain({}) if name in taps else None, lambda: taps),
    )
    tree.mount("/sys/module", Folder(_no_modules, None))
    tree.mount(
        "/sys/class/net",
        Folder(partial(_interface, pci, taps), lambda: [*_interfaces(pci), *taps]),
    )
    tree.make_directory("/sys/class/block")
    tree.make_directory("/sys/dev/block")
    tree.mount("/dev/vfio", Folder(partial(_vfio_node, pci), lambda: _vfio_nodes(pci)))
    mounts = Attribute(read=lambda: "22 1 0:20 / / rw - tmpfs tmpfs rw\n")
    random = Folder.plain({"boot_id": Attribute(read=lambda: f"{boot_id}\n")})
    fixed: dict[str, Node] = {
        "sys": Folder.plain({"kernel": Folder.plain({"random": random})}),
        "self": Folder.plain({"mountinfo": mounts}),
        "net": Folder.plain(
            {
                "route": Attribute(read=lambda: _routes(default_route())),
                "unix": Attribute(read=lambda: "".join(map(_unix_socket, listening))),
            }
        ),
    }
    tree.mount(
        "/proc",
        Folder(
            lambda name: fixed.get(name) or processes.folder(name),
            lambda: [*fixed, *processes.numbers()],
        ),
    )


def _unix_socket(path: str) -> str:
    """A line of /proc/net/unix: the flag is that of a socket at which somebody listens."""
    return f"0000000000000000: 00000002 00000000 00010000 0001 01 20000 {path}\n"


def _relative(folder: str, pci: PciModel, device: SimPciDevice) -> str:
    """The target of a link in ``folder`` to a device, as sysfs writes it."""
    return _relative_path(f"/sys{pci.devpath(device)}", folder)


def _link_to(folder: str, pci: PciModel, address: str) -> Link | None:
    device = pci.devices.get(address)
    return None if device is None else Link(_relative(folder, pci, device))


# -- devices --------------------------------------------------------------------------------------


def _child(pci: PciModel, parent: SimPciDevice | None, address: str) -> Folder | None:
    """The folder of a device behind a bridge, or on the root bus."""
    device = pci.devices.get(address)
    if device is None or device.parent != (None if parent is None else parent.address):
        return None
    return Folder(partial(_attribute, pci, device), None)


def _attribute(pci: PciModel, device: SimPciDevice, name: str) -> Node | None:
    """What a name in a device's folder means."""
    if name in device.hidden:
        return None
    make = _ATTRIBUTES.get(name)
    if make is not None:
        return make(pci, device)
    if name.startswith("virtfn") and name[6:].isdecimal():
        function = device.virtual_functions.get(int(name[6:]))
        return None if function is None else Link(f"../{function.address}")
    if ":" in name:
        return _child(pci, device, name)
    raise ModelGapError(f"the attribute {name} of a PCI device")


def _constant(value: Callable[[SimPciDevice], str]) -> _Maker:
    """An attribute that never changes."""
    return lambda _, device: Attribute(read=lambda: f"{value(device)}\n")


def _override(pci: PciModel, device: SimPciDevice) -> Attribute:
    return Attribute(
        read=lambda: f"{device.override or '(null)'}\n",
        write=partial(pci.set_override, device),
        ready=partial(_lock_is_free, pci, device),
    )


def _bound_driver(pci: PciModel, device: SimPciDevice) -> Link | None:
    return None if device.driver is None else _link(pci, device, f"{_DRIVERS}/{device.driver}")


def _iommu_group(pci: PciModel, device: SimPciDevice) -> Link | None:
    number = device.iommu_group
    return None if number is None else _link(pci, device, f"{_GROUPS}/{number}")


def _net(_pci: PciModel, device: SimPciDevice) -> Folder | None:
    name = device.network_interface
    return Folder.plain({name: Folder.plain()}) if name and device.has_interface else None


def _vfio_device(pci: PciModel, device: SimPciDevice) -> Folder | None:
    number = pci.vfio.number_of(device)
    return None if number is None else Folder.plain({f"vfio{number}": Folder.plain()})


def _physical_function(_pci: PciModel, device: SimPciDevice) -> Link | None:
    function = device.physical_function
    return None if function is None else Link(f"../{function.address}")


def _reset(pci: PciModel, device: SimPciDevice) -> Attribute | None:
    async def reset(value: str) -> None:
        async with pci.locked(device):
            pci.resets.reset(device, value)

    return Attribute(write=reset) if device.can_be_reset else None


def _reset_method(pci: PciModel, device: SimPciDevice) -> Attribute | None:
    if not device.can_be_reset:
        return None
    return Attribute(
        read=lambda: pci.resets.methods(device), write=_sync(partial(pci.resets.choose, device))
    )


def _vf_count(pci: PciModel, device: SimPciDevice) -> Attribute:
    async def set_count(value: str) -> None:
        async with pci.locked(device):
            await pci.sriov.set_count(device, value)

    return Attribute(
        read=lambda: f"{len(device.virtual_functions)}\n",
        write=set_count,
        ready=partial(_lock_is_free, pci, device),
    )


def _vf_autoprobe(_pci: PciModel, device: SimPciDevice) -> Attribute:
    def choose(value: str) -> None:
        path = f"{device.address}/sriov_drivers_autoprobe"
        device.probes_virtual_functions = text.truth(value, path)

    return Attribute(read=lambda: f"{int(device.probes_virtual_functions)}\n", write=_sync(choose))


def _vf_product(device: SimPciDevice) -> str:
    product = device.product_id if device.vf_product_id is None else device.vf_product_id
    return f"{product:x}"


def _with_functions(make: _Maker) -> _Maker:
    """An attribute of devices that can have virtual functions."""
    return lambda pci, device: make(pci, device) if device.total_vfs else None


_Maker: TypeAlias = "Callable[[PciModel, SimPciDevice], Node | None]"
_ATTRIBUTES: dict[str, _Maker] = {
    "vendor": _constant(lambda device: f"{device.vendor_id:#06x}"),
    "device": _constant(lambda device: f"{device.product_id:#06x}"),
    "class": _constant(lambda device: f"{device.class_code:#08x}"),
    "revision": _constant(lambda device: f"{device.revision:#04x}"),
    "subsystem_vendor": _constant(lambda device: f"{device.subsystem_vendor_id:#06x}"),
    "subsystem_device": _constant(lambda device: f"{device.subsystem_id:#06x}"),
    "modalias": _constant(lambda device: device.modalias),
    "numa_node": _constant(lambda _: "-1"),
    "uevent": lambda _, device: Attribute(read=partial(_environment, device)),
    "subsystem": lambda pci, device: _link(pci, device, "/sys/bus/pci"),
    "driver_override": _override,
    "driver": _bound_driver,
    "iommu_group": _iommu_group,
    "net": _net,
    "vfio-dev": _vfio_device,
    "physfn": _physical_function,
    "reset": _reset,
    "reset_method": _reset_method,
    "sriov_numvfs": _with_functions(_vf_count),
    "sriov_drivers_autoprobe": _with_functions(_vf_autoprobe),
    "sriov_totalvfs": _with_functions(_constant(lambda device: str(device.total_vfs))),
    "sriov_offset": _with_functions(_constant(lambda device: str(device.vf_offset))),
    "sriov_stride": _with_functions(_constant(lambda device: str(device.vf_stride))),
    "sriov_vf_device": _with_functions(_constant(_vf_product)),
}
MODELLED = (*_ATTRIBUTES, "virtfnN")
"""The attributes of a device that are modelled."""
LATE = frozenset(
    name
    for name in _ATTRIBUTES
    if name in ("iommu_group", "net", "vfio-dev") or name.startswith(("reset", "sriov"))
)
"""Those that may appear after the device."""


# -- drivers, groups, /dev/vfio and interfaces -----------------------------------------------------


def _driver(pci: PciModel, name: str) -> Folder | None:
    driver = pci.drivers.get(name)
    if driver is None:
        return None
    folder = f"{_DRIVERS}/{name}"
    fixed: dict[str, Node] = {
        "bind": Attribute(write=partial(pci.bind, name)),
        "unbind": Attribute(write=partial(pci.unbind, name)),
        "new_id": Attribute(write=partial(pci.add_id, name)),
        "remove_id": Attribute(write=_sync(partial(pci.remove_id, name))),
        "uevent": Attribute(write=_no_made_up_events),
    }
    if not driver.is_built_in:
        fixed["module"] = Link(f"../../../../module/{name.replace('-', '_')}")

    def find(file: str) -> Node | None:
        device = pci.devices.get(file)
        is_bound = device is not None and device.driver == name
        return _link_to(folder, pci, file) if is_bound else fixed.get(file)

    bound = (address for address, device in pci.devices.items() if device.driver == name)
    return Folder(find, lambda: (*fixed, *bound))


def _group(pci: PciModel, number: str) -> Folder | None:
    if not number.isdecimal() or int(number) not in pci.groups():
        return None
    folder = f"{_GROUPS}/{number}/devices"
    members: dict[str, Node] = {
        str(device.address): Link(_relative(folder, pci, device))
        for device in pci.members(int(number))
    }
    return Folder.plain({"devices": Folder.plain(members)})


def _vfio_nodes(pci: PciModel) -> list[str]:
    # The container's file comes with the module, which is loaded here wherever it has work.
    return [*map(str, pci.vfio.nodes()), *(["vfio"] if pci.groups() else [])]


def _vfio_node(pci: PciModel, name: str) -> Special | None:
    return Special() if name in _vfio_nodes(pci) else None


def _interfaces(pci: PciModel) -> dict[str, SimPciDevice]:
    return {
        device.network_interface or "": device
        for device in pci.devices.values()
        if device.has_interface and "net" not in device.hidden
    }


def _interface(pci: PciModel, taps: Collection[str], name: str) -> Link | None:
    if name in taps:
        return Link(f"../../devices/virtual/net/{name}")
    device = _interfaces(pci).get(name)
    return (
        None if device is None else Link(f"{_relative('/sys/class/net', pci, device)}/net/{name}")
    )


def _link(pci: PciModel, device: SimPciDevice, target: str) -> Link:
    return Link(_relative_path(target, f"/sys{pci.devpath(device)}"))


def _environment(device: SimPciDevice) -> str:
    return "".join(f"{key}={value}\n" for key, value in device.environment.items())


def _no_modules(name: str) -> NoReturn:
    raise ModelGapError(f"/sys/module/{name}")


async def _no_made_up_events(_value: str) -> None:
    raise ModelGapError("events made by writing into uevent")


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
