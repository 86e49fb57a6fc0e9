"""Drives: the devices that hold media, their trays, and what a monitor does to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import block, throttling
from pyvirt_sim.qemu.block import Blocks, Node, User
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError, device_not_found


@attrs.define(eq=False)
class Drive:
    """The block side of a device.

    Args:
        device: The device the guest sees.
        name: What errors and ``query-block`` call it: an id, or a path.
        medium: The node in it.
        user: Its claim on that node.
        is_removable: Whether it has a tray.
        is_tray_open: Whether the tray is out.
        limits: How much the guest may read and write in a second, by QEMU's names.
        errno: Why the host fails writes, 0 while it does not; a test may set it.
    """

    device: Device
    name: str
    medium: Node | None
    user: User
    is_removable: bool
    is_tray_open: bool = False
    limits: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    errno: int = 0


class Drives:
    """The drives of one machine.

    Args:
        blocks: Its nodes.
        emit: Sends one event.
        find_device: The device of that id or path, ``None`` when there is none.
    """

    def __init__(
        self,
        blocks: Blocks,
        emit: Callable[[str, Mapping[str, Any] | None], None],
        find_device: Callable[[str], Device | None],
    ) -> None:
        self._blocks = blocks
        self._emit = emit
        self._find_device = find_device
        self._drives: list[Drive] = []

    def attach(self, device: Device, name: str, name_after: str | None = None) -> None:
        """A device that is being realized gets its drive, with or without a medium.

        Args:
            device: The device.
            name: What QEMU calls it.
            name_after: What it calls it afterwards, when that is not the same.

        Raises:
            QmpError: Its node is another's.
        """
        is_cd = device.driver in {"scsi-cd", "ide-cd"}
        node = self._blocks.get(device.links["drive"]) if "drive" in device.links else None
        user = User(
            name,
            writes=not is_cd,
            shares_writing=bool(device.value("share-rw")),
            is_virtio=device.driver == "virtio-blk-pci",
        )
        if node is not None:
            if user.writes and node.is_read_only:
                # A disk that cannot be written is shown to the guest as read only.
                user.writes = False
            self._blocks.take(node, user)
        user.name = name_after or name
        drive = Drive(device, user.name, node, user, is_removable=is_cd)
        self._drives.append(drive)

        def detach() -> None:
            self._drives.remove(drive)
            if drive.medium is not None:
                drive.medium.users.remove(user)

        device.on_finalize.append(detach)

    def _find(self, arguments: Mapping[str, Any]) -> Drive:
        if ("device" in arguments) == ("id" in arguments):
            raise QmpError("Need exactly one of 'device' and 'id'")
        if "device" in arguments:
            raise device_not_found(str(arguments["device"]))
        name = str(arguments["id"])
        device = self._find_device(name)
        if device is None:
            raise device_not_found(name)
        for drive in self._drives:
            is_its_own = drive.device is device and drive.name in {name, device.path, device.id}
            if is_its_own or drive.name == device.path:  # or that of a part of it
                return drive
        raise QmpError("Device does not have a block device backend")

    def _with_tray(self, arguments: Mapping[str, Any]) -> Drive:
        drive = self._find(arguments)
        if not drive.is_removable:
            raise QmpError(f"Device '{arguments['id']}' is not removable")
        return drive

    def _move_tray(self, drive: Drive, *, is_open: bool) -> None:
        if drive.is_tray_open == is_open:
            return
        drive.is_tray_open = is_open
        data = {"device": "", "id": drive.name, "tray-open": is_open}
        self._emit("DEVICE_TRAY_MOVED", data)

    def open_tray(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-open-tray``. Event DEVICE_TRAY_MOVED."""
        self._move_tray(self._with_tray(arguments), is_open=True)

    def close_tray(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-close-tray``. Event DEVICE_TRAY_MOVED."""
        self._move_tray(self._with_tray(arguments), is_open=False)

    def remove_medium(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-remove-medium``."""
        self._remove(self._with_tray(arguments), str(arguments.get("id")))

    def _remove(self, drive: Drive, name: str) -> None:
        if not drive.is_tray_open:
            raise QmpError(f"Tray of device '{name}' is not open")
        if drive.medium is not None:
            drive.medium.users.remove(drive.user)
            drive.medium = None

    def insert_medium(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-insert-medium``."""
        drive = self._find(arguments)
        node = self._blocks.get(str(arguments["node-name"]))
        if node is None:
            raise QmpError(f"Node '{arguments['node-name']}' not found")
        # What a job reads is no longer the device's own: the job stands between.
        if node.is_job_target or (node.users and node.job_kind is None):
            raise QmpError(f"Node '{node.name}' is already in use")
        if not drive.is_removable:
            raise QmpError("Device is not removable")
        if not drive.is_tray_open:
            raise QmpError("Tray of the device is not open")
        if drive.medium is not None:
            raise QmpError("There already is a medium in the device")
        self._blocks.take(node, drive.user)
        drive.medium = node

    def eject(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``eject``: open the tray, take the medium out. Event DEVICE_TRAY_MOVED."""
        drive = self._with_tray(arguments)
        self._move_tray(drive, is_open=True)
        self._remove(drive, str(arguments["id"]))

    def throttle(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``block_set_io_throttle``.

        Raises:
            QmpError: There is no such drive, nothing in it, or the limits make no sense.
        """
        drive = self._find(arguments)
        if drive.medium is None:
            raise QmpError(f"Device '{arguments['id']}' has no medium")
        throttling.check_drive(arguments)
        drive.limits = {key: one for key, one in arguments.items() if key != "id" and one}

    def move(self, source: Node, target: Node) -> None:
        """Whatever has one node has another one in its place from now on."""
        for drive in self._drives:
            if drive.medium is source:
                drive.medium = target
        target.users += source.users
        source.users.clear()

    def of_device(self, name: str) -> Drive:
        """The drive of the device with that id."""
        return next(drive for drive in self._drives if drive.device.id == name)

    def all(self) -> tuple[Drive, ...]:
        """All drives, in the order in which they came."""
        return tuple(self._drives)

    def listing(self) -> list[dict[str, Any]]:
        """QMP ``query-block``."""
        return [_describe(drive) for drive in self._drives]


def _describe(drive: Drive) -> dict[str, Any]:
    if drive.limits:
        raise ModelGapError(f"what is told of {drive.name}, which has limits, is not modelled")
    result: dict[str, Any] = {
        "device": "",
        "qdev": drive.name,
        "type": "unknown",
        "removable": drive.is_removable,
        "locked": False,
        "io-status": "ok",
    }
    if drive.is_removable:
        result["tray_open"] = drive.is_tray_open
    if drive.medium is not None:
        result["inserted"] = block.describe(drive.medium)
    return result
