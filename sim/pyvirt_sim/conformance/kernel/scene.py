"""The devices of the nested machine, as options of QEMU and as devices of the simulated host.

A network card alone in its group; two functions of one card that share a group; a conventional bus
behind a bridge, with a card and a device that no driver wants, all in one group; a disk controller
with virtual functions; and what a q35 machine has anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from pyvirt_sim.host import SimPciDevice
from pyvirt_trio.models import PciAddress

CARD = "0000:01:00.0"
TWIN, OTHER_TWIN = "0000:02:00.0", "0000:02:00.1"
BRIDGE, OLD_CARD, UNWANTED = "0000:03:00.0", "0000:04:01.0", "0000:04:02.0"
DISK, FUNCTION, OTHER_FUNCTION = "0000:05:00.0", "0000:05:00.1", "0000:05:00.2"

# What QEMU wants to be told of a controller that shares itself with virtual functions.
_FOR_FUNCTIONS = "sriov_vq_flexible=8,sriov_vi_flexible=8,max_ioqpairs=26,msix_qsize=25"
_DEVICES = (
    "pcie-root-port,id=port1,addr=4,chassis=1",
    "e1000e,bus=port1,mac=52:54:00:00:00:01",
    "pcie-root-port,id=port2,addr=5,chassis=2",
    "e1000e,bus=port2,addr=0.0,multifunction=on,mac=52:54:00:00:00:02",
    "e1000e,bus=port2,addr=0.1,mac=52:54:00:00:00:03",
    "pcie-root-port,id=port3,addr=6,chassis=3",
    "pcie-pci-bridge,id=bridge,bus=port3",
    "e1000,bus=bridge,addr=1,mac=52:54:00:00:00:04",
    "edu,bus=bridge,addr=2",
    "pcie-root-port,id=port4,addr=7,chassis=4",
    "nvme-subsys,id=disk",
    "nvme,bus=port4,serial=disk,subsys=disk,sriov_max_vfs=4," + _FOR_FUNCTIONS,
)
OPTIONS = tuple(word for device in _DEVICES for word in ("-device", device))
"""Options of QEMU 7.2."""

_QEMU_BOARD = (0x1AF4, 0x1100)
_INTEL_BOARD = (0x8086, 0)
_NO_BOARD = (0, 0)


@attrs.frozen
class _Kind:
    """Devices of one kind: what they are, the kernel's driver, and ways to reset them."""

    vendor_id: int
    product_id: int
    class_code: int
    driver: str | None = None
    reset_methods: tuple[str, ...] = ()
    board: tuple[int, int] = _QEMU_BOARD
    revision: int = 0
    total_vfs: int = 0
    network_interface: str | None = None


_PORT = _Kind(0x1B36, 0x000C, 0x060400, "pcieport")
_VIRTIO = _Kind(0x1AF4, 0x1009, 0x000200, "virtio-pci")
_E1000E = _Kind(0x8086, 0x10D3, 0x020000, "e1000e", ("pm", "bus"), _INTEL_BOARD)
_BRIDGE = _Kind(0x1B36, 0x000E, 0x060400, None, ("pm", "bus"), _NO_BOARD)
_E1000 = _Kind(0x8086, 0x100E, 0x020000, "e1000", ("bus",), revision=3)
_EDU = _Kind(0x1234, 0x11E8, 0x00FF00, None, ("bus",), revision=0x10)
_NVME = _Kind(0x1B36, 0x0010, 0x010802, "nvme", ("flr", "bus"), revision=2, total_vfs=4)
_CHIPSET: tuple[tuple[str, int, _Kind], ...] = (
    ("0000:00:00.0", 0, _Kind(0x8086, 0x29C0, 0x060000)),
    ("0000:00:01.0", 1, _VIRTIO),
    ("0000:00:02.0", 2, _VIRTIO),
    ("0000:00:04.0", 3, _PORT),
    ("0000:00:05.0", 4, _PORT),
    ("0000:00:06.0", 5, _PORT),
    ("0000:00:07.0", 6, _PORT),
    ("0000:00:1f.0", 7, _Kind(0x8086, 0x2918, 0x060100)),
    ("0000:00:1f.2", 7, _Kind(0x8086, 0x2922, 0x010601)),
    ("0000:00:1f.3", 7, _Kind(0x8086, 0x2930, 0x0C0500)),
)


def devices() -> Iterator[SimPciDevice]:
    """The same devices for the simulated host, in the order the kernel finds them."""
    for address, group, kind in _CHIPSET:
        yield _device(address, group, kind, None)
    card = attrs.evolve(_E1000E, network_interface="eth0")
    yield _device(CARD, 8, card, "0000:00:04.0")
    yield _device(TWIN, 9, _E1000E, "0000:00:05.0")
    yield _device(OTHER_TWIN, 9, _E1000E, "0000:00:05.0")
    yield _device(BRIDGE, 10, _BRIDGE, "0000:00:06.0")
    yield _device(OLD_CARD, 10, _E1000, BRIDGE)
    yield _device(UNWANTED, 10, _EDU, BRIDGE)
    yield _device(DISK, 11, _NVME, "0000:00:07.0")


def _device(address: str, group: int, kind: _Kind, parent: str | None) -> SimPciDevice:
    vendor_id, product_id = kind.board
    return SimPciDevice(
        address=PciAddress.parse(address),
        vendor_id=kind.vendor_id,
        product_id=kind.product_id,
        class_code=kind.class_code,
        subsystem_vendor_id=vendor_id,
        subsystem_id=product_id,
        revision=kind.revision,
        driver=kind.driver,
        iommu_group=group,
        network_interface=kind.network_interface,
        parent=None if parent is None else PciAddress.parse(parent),
        reset_methods=kind.reset_methods,
        bus_reset_works=False,
        total_vfs=kind.total_vfs,
    )
