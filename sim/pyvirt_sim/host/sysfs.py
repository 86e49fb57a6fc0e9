"""The files under /sys, /proc and /dev/vfio, made from the PCI model at every look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from pyvirt_sim.host.pci import VFIO_PCI, PciModel, SimPciDevice
from pyvirt_sim.host.tree import Attribute, Folder, Link, Node, Special, Tree

_ROOT_BUS = "/sys/devices/pci0000:00"
_ROUTE_HEADER = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
)
_DEFAULT_ROUTE = "\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"


def mount_kernel_files(tree: Tree, pci: PciModel, default_route: Callable[[], str | None]) -> None:
    """Put the kernel's files into ``tree``.

    Args:
        tree: The host's files.
        pci: Its devices.
        default_route: Names the interface of the default route, if there is one.
    """
    bus = tree.make_directory("/sys/bus/pci").entries()
    bus["devices"] = Folder(lambda: {a: Link(_device_path(a)) for a in pci.devices})
    bus["drivers"] = Folder(lambda: {name: _driver(pci, name) for name in pci.drivers()})
    bus["drivers_probe"] = Attribute(write=_sync(pci.probe))
    devices = tree.make_directory("/sys/devices").entries()
    devices["pci0000:00"] = Folder(lambda: {a: _device(pci, d) for a, d in pci.devices.items()})
    kernel = tree.make_directory("/sys/kernel").entries()
    kernel["iommu_groups"] = Folder(lambda: {str(n): _group(pci, n) for n in pci.groups()})
    dev = tree.make_directory("/dev").entries()
    dev["vfio"] = Folder(lambda: _vfio_nodes(pci))
    network = tree.make_directory("/sys/class").entries()
    network["net"] = Folder(lambda: _interfaces(pci))
    tree.make_directory("/sys/class/block")
    tree.make_directory("/sys/dev/block")
    process = tree.make_directory("/proc/self").entries()
    process["mountinfo"] = Attribute(read=lambda: "22 1 0:20 / / rw - tmpfs tmpfs rw\n")
    tree.make_directory("/proc/net").entries()["route"] = Attribute(
        read=lambda: _routes(default_route())
    )


def _device_path(address: str) -> str:
    return f"{_ROOT_BUS}/{address}"


def _device(pci: PciModel, device: SimPciDevice) -> Folder:
    def entries() -> dict[str, Node]:
        files: dict[str, Node] = {
            "vendor": Attribute(read=lambda: f"{device.vendor_id:#06x}\n"),
            "device": Attribute(read=lambda: f"{device.product_id:#06x}\n"),
            "class": Attribute(read=lambda: f"{device.class_code:#08x}\n"),
            "driver_override": Attribute(
                read=lambda: f"{device.override or '(null)'}\n",
                write=_sync(lambda text: pci.set_override(device, text)),
            ),
        }
        if device.driver is not None:
            files["driver"] = Link(f"/sys/bus/pci/drivers/{device.driver}")
        if device.iommu_group is not None:
            files["iommu_group"] = Link(f"/sys/kernel/iommu_groups/{device.iommu_group}")
        if _has_interface(device):
            files["net"] = _names([device.network_interface or ""])
        return files

    return Folder(entries)


def _driver(pci: PciModel, name: str) -> Folder:
    bound = [address for address, device in pci.devices.items() if device.driver == name]

    async def unbind(text: str) -> None:
        await pci.unbind(name, text)

    files: dict[str, Node] = {
        "bind": Attribute(write=_sync(lambda text: pci.bind(name, text))),
        "unbind": Attribute(write=unbind),
        **{address: Link(_device_path(address)) for address in bound},
    }
    return Folder(lambda: files)


def _group(pci: PciModel, number: int) -> Folder:
    members: dict[str, Node] = {
        str(device.address): Link(_device_path(str(device.address)))
        for device in pci.members(number)
    }
    files: dict[str, Node] = {"devices": Folder(lambda: members)}
    return Folder(lambda: files)


def _vfio_nodes(pci: PciModel) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    if pci.groups():
        nodes["vfio"] = Special()
    for number in pci.groups():
        if any(member.driver == VFIO_PCI for member in pci.members(number)):
            nodes[str(number)] = Special()
    return nodes


def _has_interface(device: SimPciDevice) -> bool:
    is_at_home = device.driver is not None and device.driver == device.own_driver
    return device.network_interface is not None and is_at_home


def _interfaces(pci: PciModel) -> dict[str, Node]:
    return {
        device.network_interface or "": Link(
            f"{_device_path(address)}/net/{device.network_interface}"
        )
        for address, device in pci.devices.items()
        if _has_interface(device)
    }


def _names(names: Iterable[str]) -> Folder:
    files: dict[str, Node] = {name: Folder.plain() for name in names}
    return Folder(lambda: files)


def _routes(interface: str | None) -> str:
    return _ROUTE_HEADER + (f"{interface}{_DEFAULT_ROUTE}" if interface else "")


def _sync(write: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
    async def wrapped(text: str) -> None:
        write(text)

    return wrapped
