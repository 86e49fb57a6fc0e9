"""What all descriptions of devices in QEMU's terms are made of: backends, and places on buses."""

from __future__ import annotations

import json
from typing import Any

import attrs

from pyvirt_trio.models.addresses import (
    DriveAddress,
    PciAddress,
    SataAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Backend(Value):
    """Something that must exist in QEMU before a device, and be deleted after it.

    Args:
        argv: How it is written on the command line: an option and its value.
        add: QMP command that creates it with ``arguments``.
        arguments: What that command takes.
        delete: QMP command that deletes it, with ``identity``.
        identity: What that command takes.
    """

    argv: tuple[str, str]
    add: str
    arguments: dict[str, Any]
    delete: str
    identity: dict[str, Any]

    @classmethod
    def of(cls, kind: str, properties: dict[str, Any]) -> Backend:
        """A backend of a ``kind`` that QEMU takes as the same JSON in both places."""
        key = "node-name" if kind == "blockdev" else "id"
        joint = "_" if kind == "netdev" else "-"
        return cls(
            argv=(f"-{kind}", json.dumps(properties)),
            add=f"{kind}{joint}add",
            arguments=properties,
            delete=f"{kind}{joint}del",
            identity={key: properties[key]},
        )


def place(device: Device) -> dict[str, Any]:
    """Where on which bus, in QEMU's terms: its buses are named after the controllers' aliases."""
    match device.address:
        case PciAddress(bus=index, slot=slot, function=function):
            bus = f"pci.{index}" if index else "pcie.0"
            shared = device.is_multifunction
            multi = {} if shared is None else {"multifunction": shared}
            # QEMU reads "slot" or "slot.function", in hexadecimal.
            addr = f"{slot:#x}" + (f".{function:#x}" if function else "")
            return {"bus": bus, **multi, "addr": addr}
        case DriveAddress(controller=index, bus=channel, target=target, unit=unit):
            return {"bus": f"scsi{index}.0", "channel": channel, "scsi-id": target, "lun": unit}
        case SataAddress(unit=unit):
            return {"bus": f"ide.{unit}"}
        case VirtioSerialAddress(controller=index, port=port):
            return {"bus": f"virtio-serial{index}.0", "nr": port}
        case UsbAddress(bus=index, port=port):
            return {"bus": f"usb{index or ''}.0", "port": str(port)}
        case _:
            raise AssertionError(f"{device} has not been placed")
