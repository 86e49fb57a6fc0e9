"""What each modelled device type does when it is realized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import ide, pci, scsi, usb, virtio, virtio_serial
from pyvirt_sim.qemu.buses import Bus
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.recorded_devices import is_a
from pyvirt_sim.qemu.vfio import open_host_device, open_scsi_target, open_usb

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

Realize = Callable[["DeviceTree", Device], None]


def _nothing(_tree: DeviceTree, _device: Device) -> None:
    """It asks for nothing and brings nothing."""


def _sound(tree: DeviceTree, device: Device) -> None:
    """A card for sound of Intel's, whose codecs sit on a bus of their own."""
    device.add_bus(Bus(tree.child_bus_name(device, "HDA"), "HDA", device))


def _bridge(tree: DeviceTree, device: Device) -> None:
    if device.driver == "pci-bridge" and not device.value("chassis_nr"):
        raise QmpError(
            "Bridge chassis not specified. Each bridge is required to be assigned "
            "a unique chassis id > 0."
        )
    pci.add_bridge_bus(tree, device)


def _card(tree: DeviceTree, device: Device) -> None:
    tree.netdevs.add_card(device)


def _isa_serial(tree: DeviceTree, device: Device) -> None:
    if "chardev" not in device.links:
        raise QmpError("Can't create serial device, empty char device")
    # It listens from the first moment, where a virtio port waits for the guest to open it.
    tree.chardevs.find(device.links["chardev"]).is_open = True


def _pci_serial(tree: DeviceTree, device: Device) -> None:
    if "chardev" not in device.links:
        raise ModelGapError("a pci-serial without a character device is not modelled")
    tree.chardevs.find(device.links["chardev"]).is_open = True


def _ivshmem(tree: DeviceTree, device: Device) -> None:
    memory = device.objects.get("memdev")
    if memory is None:
        raise QmpError("You must specify a 'memdev'")
    tree.objects.map(memory, device)


def _vfio(tree: DeviceTree, device: Device) -> None:
    def wanted() -> None:
        tree.host_wants(device)

    device.vfio = open_host_device(tree.world, device.values, tree.pid, wanted)
    device.on_finalize.append(device.vfio.close)


def _usb_host(tree: DeviceTree, device: Device) -> None:
    usb.realize(tree, device)
    device.vfio = open_usb(tree.world, device.values)
    device.on_finalize.append(device.vfio.close)


def _vhost_scsi(tree: DeviceTree, device: Device) -> None:
    device.vfio = open_scsi_target(tree.world, device.values)
    device.on_finalize.append(device.vfio.close)
    bus = device.add_bus(Bus("virtio-bus", "virtio-pci-bus", device, capacity=1))
    inner = tree.create("vhost-scsi", None, f"{device.path}/virtio-backend", bus)
    bus.add(inner)
    inner.is_realized = True


def _vsock(tree: DeviceTree, device: Device) -> None:
    if device.value("guest-cid") <= 2:
        raise QmpError("guest-cid property must be greater than 2")
    if not tree.world.has_vhost_vsock:
        raise QmpError("vhost-vsock: failed to open vhost device: No such file or directory")
    give_back = tree.world.claim_vsock(int(device.value("guest-cid")))
    if give_back is None:
        raise QmpError("vhost-vsock: unable to set guest cid: Address already in use")
    device.on_unrealize.append(give_back)
    virtio.realize(tree, device)


def _folder(tree: DeviceTree, device: Device) -> None:
    if "chardev" not in device.links:
        raise QmpError("missing chardev")
    if not device.value("tag"):
        raise QmpError("missing tag property")
    if not tree.chardevs.find(device.links["chardev"]).is_connected:
        raise ModelGapError("a virtiofsd that has yet to come is not modelled")
    virtio.realize(tree, device)


def _isa_parallel(tree: DeviceTree, device: Device) -> None:
    if "chardev" not in device.links:
        raise QmpError("Can't create parallel device, empty char device")
    tree.chardevs.find(device.links["chardev"]).is_open = True


def _virtio_memory(tree: DeviceTree, device: Device) -> None:
    virtio.realize(tree, device)
    tree.memory.realize_virtio(tree, device)


def _memory(tree: DeviceTree, device: Device) -> None:
    tree.memory.realize(tree, device)


_VIRTIO: Final = ["blk", "net", "rng", "scsi", "serial", "balloon", "keyboard", "mouse", "tablet"]

MODELS: Final[Mapping[str, Realize]] = {
    **{f"virtio-{name}-pci": virtio.realize for name in _VIRTIO},
    **dict.fromkeys(("pcie-root-port", "pcie-pci-bridge", "pci-bridge"), _bridge),
    **dict.fromkeys(("e1000", "e1000e", "rtl8139"), _card),
    **dict.fromkeys(("virtio-vga", "virtio-gpu-pci"), virtio.realize),
    **dict.fromkeys(("VGA", "cirrus-vga", "bochs-display", "qxl-vga", "qxl", "ramfb"), _nothing),
    **dict.fromkeys(("AC97", "ES1370", "sb16"), _nothing),
    **dict.fromkeys(("hda-duplex", "hda-micro", "hda-output"), _nothing),
    **dict.fromkeys(("intel-hda", "ich9-intel-hda"), _sound),
    "usb-audio": usb.realize,
    **dict.fromkeys(("i6300esb", "ib700", "pvpanic"), _nothing),
    **dict.fromkeys(("qemu-xhci", "piix3-usb-uhci", "usb-ehci"), usb.realize_controller),
    **dict.fromkeys(
        ("usb-tablet", "usb-kbd", "usb-mouse", "usb-hub", "usb-storage", "usb-redir", "usb-serial"),
        usb.realize,
    ),
    **dict.fromkeys(("scsi-hd", "scsi-cd"), scsi.realize),
    **dict.fromkeys(("ide-hd", "ide-cd"), ide.realize),
    "scsi-generic": scsi.realize_generic,
    "usb-host": _usb_host,
    "vhost-scsi-pci": _vhost_scsi,
    **dict.fromkeys(("virtserialport", "virtconsole"), virtio_serial.realize),
    "lsi53c895a": scsi.realize_lsi,
    "pc-dimm": _memory,
    **dict.fromkeys(("virtio-mem-pci", "virtio-pmem-pci"), _virtio_memory),
    "nvdimm": _memory,
    "isa-serial": _isa_serial,
    "pci-serial": _pci_serial,
    "ivshmem-plain": _ivshmem,
    "vfio-pci": _vfio,
    "vhost-vsock-pci": _vsock,
    "vhost-user-fs-pci": _folder,
    "isa-parallel": _isa_parallel,
}


def realize(tree: DeviceTree, device: Device) -> None:
    """Bring a device to life.

    Raises:
        QmpError: It cannot be.
        ModelGapError: What it does is not modelled.
    """
    if device.bus is None and is_a(device.driver, "cpu"):
        tree.cpus.realize(device)
        return
    model = MODELS.get(device.driver)
    if model is None:
        raise ModelGapError(f"device type {device.driver} is not modelled")
    model(tree, device)
