"""USB, SCSI and mediated devices of a simulated host: their files, and which process has them open.

They are what somebody put there: nothing is probed, no driver is bound, and what they do is not
modelled. A device that is taken away is gone at once; whoever has it open keeps a dead handle.
"""

from __future__ import annotations

import errno
import posixpath

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host.tree import Attribute, Folder, Link, Special, Tree, failure

_USB = "/sys/bus/usb/devices"
_SCSI = "/sys/bus/scsi/devices"
_MEDIATED = "/sys/bus/mdev/devices"
VHOST_SCSI = "/dev/vhost-scsi"

_SHARED = ("/dev/sg", VHOST_SCSI)
"""Nodes that several processes may have open."""


@attrs.define(eq=False)
class OpenNode:
    """A device that a process has open; implements what a simulated QEMU calls a handle."""

    devices: OtherDevices
    path: str

    def close(self) -> None:
        """Give it back. Does nothing the second time."""
        self.devices.forget(self)


class OtherDevices:
    """All devices of a host that are not on a PCI bus.

    Args:
        tree: The kernel's files.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._open: dict[OpenNode, None] = {}

    # -- for whoever sets the scene ---------------------------------------------------------------

    def add_usb(self, name: str, *, bus: int, device: int, vendor_id: int, product_id: int) -> None:
        """Plug in a USB device.

        Args:
            name: What sysfs calls it, a bus and its ports, such as ``1-2``.
            bus: Number of its bus.
            device: Number of the device there.
            vendor_id: What it is.
            product_id: See there.
        """
        self._tree.mount(
            f"{_USB}/{name}",
            _constants(
                idVendor=f"{vendor_id:04x}",
                idProduct=f"{product_id:04x}",
                busnum=str(bus),
                devnum=str(device),
            ),
        )
        self._tree.mount(f"{_USB}/{name}:1.0", Folder.plain())
        self._tree.mount(f"/dev/bus/usb/{bus:03}/{device:03}", Special())

    def add_scsi(self, address: str, node: str) -> None:
        """Put in a SCSI device: its address, such as ``2:0:0:1``, and its node, such as ``sg1``."""
        self._tree.mount(f"{_SCSI}/{address}/scsi_generic/{node}", Folder.plain())
        self._tree.mount(f"/dev/{node}", Special())

    def add_scsi_targets(self) -> None:
        """Let the kernel serve SCSI targets."""
        self._tree.mount(VHOST_SCSI, Special())

    def add_mediated(self, uuid: str, *, interface: str = "vfio-pci") -> None:
        """Create a mediated device that looks like a device on such a bus."""
        folder = Folder.plain({"mdev_type": _constants(device_api=interface)})
        self._tree.mount(f"{_MEDIATED}/{uuid}", folder)

    def remove(self, path: str) -> None:
        """Take away a file or folder of a device.

        Raises:
            OSError: ``ENOENT`` without such a one.
        """
        parent, name = posixpath.split(path)
        kept = self._tree.folder(parent).kept
        if kept is None or name not in kept:
            raise failure(errno.ENOENT, path)
        del kept[name]

    # -- for QEMU ---------------------------------------------------------------------------------

    def open(self, path: str) -> OpenNode:
        """Open a device's node, or the folder of a mediated device.

        Raises:
            OSError: ``ENOENT``.
            ModelGapError: Somebody has it open, and what the kernel says then is not modelled.
        """
        node = self._tree.look_up(path)
        assert not isinstance(node, Attribute | Link), f"{path} is no device"
        if not path.startswith(_SHARED) and any(one.path == path for one in self._open):
            raise ModelGapError(f"{path} opened twice is not modelled")
        opened = OpenNode(self, path)
        self._open[opened] = None
        return opened

    def forget(self, opened: OpenNode) -> None:
        """Called by a node that is closed."""
        self._open.pop(opened, None)


def _constants(**texts: str) -> Folder:
    """A folder of attributes that never change."""
    return Folder.plain({name: _constant(f"{text}\n") for name, text in texts.items()})


def _constant(text: str) -> Attribute:
    return Attribute(read=lambda: text)
