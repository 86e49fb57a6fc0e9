"""Where a device sits: on a PCI bus of the host, or on one of the buses of a guest."""

from __future__ import annotations

import re
from typing import TypeAlias

import attrs

from pyvirt_trio.errors import DefinitionError

_TEXT = re.compile(r"([0-9a-fA-F]{1,8}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})\.([0-7])")


@attrs.frozen(order=True)
class PciAddress:
    """A PCI function, written ``0000:01:00.0`` (domain, bus, slot, function) by the kernel.

    Args:
        domain: 0 to 0xffffffff; almost always 0.
        bus: 0 to 0xff.
        slot: 0 to 0x1f.
        function: 0 to 7.
    """

    domain: int
    bus: int
    slot: int
    function: int

    def __attrs_post_init__(self) -> None:
        limits = {"domain": 0xFFFFFFFF, "bus": 0xFF, "slot": 0x1F, "function": 7}
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= limit:
                raise DefinitionError(f"PCI {name} {value:#x} is not within 0 to {limit:#x}")

    @classmethod
    def parse(cls, text: str) -> PciAddress:
        """Read the kernel's form, for example ``0000:01:00.0``.

        Raises:
            DefinitionError: ``text`` is not a PCI address.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise DefinitionError(f"{text!r} is not a PCI address such as 0000:01:00.0")
        return cls(*(int(part, 16) for part in match.groups()))

    @property
    def node_device_name(self) -> str:
        """libvirt's name of the node device, for example ``pci_0000_01_00_0``."""
        return "pci_" + re.sub("[:.]", "_", str(self))

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@attrs.frozen(order=True)
class DriveAddress:
    """A place on a SCSI bus of a guest.

    Args:
        controller: Index of the SCSI controller.
        bus: Always 0 for virtio.
        target: SCSI id, 0 to 255.
        unit: Logical unit, 0 to 16383.
    """

    controller: int = 0
    bus: int = 0
    target: int = 0
    unit: int = 0

    def __str__(self) -> str:
        return f"{self.controller}-{self.bus}-{self.target}-{self.unit}"


@attrs.frozen(order=True)
class SataAddress:
    """A port of the SATA controller that a board has built in.

    Args:
        controller: Always 0.
        unit: Which port, 0 to 5.
    """

    controller: int = 0
    unit: int = 0

    def __str__(self) -> str:
        return f"{self.controller}-0-{self.unit}"


@attrs.frozen(order=True)
class UsbAddress:
    """A port of a USB controller of a guest.

    Args:
        bus: Index of the USB controller.
        port: 1 or more.
    """

    bus: int
    port: int

    def __str__(self) -> str:
        return f"{self.bus}.{self.port}"


@attrs.frozen(order=True)
class VirtioSerialAddress:
    """A port of a virtio-serial controller of a guest.

    Args:
        controller: Index of the virtio-serial controller.
        port: 1 to 30; port 0 is kept for a console.
    """

    controller: int
    port: int

    def __str__(self) -> str:
        return f"{self.controller}.{self.port}"


@attrs.frozen(order=True)
class DimmAddress:
    """A slot for a memory module.

    Args:
        slot: Which one.
        base: Where its memory begins in the guest's address space, in bytes; 0 is not known.
    """

    slot: int
    base: int = 0

    def __str__(self) -> str:
        return f"slot {self.slot}"


GuestAddress: TypeAlias = (
    PciAddress | DriveAddress | SataAddress | UsbAddress | VirtioSerialAddress | DimmAddress
)
"""Any place a device of a guest can have."""
