"""The other devices of the host that a domain can be given; a PCI device is a `HostDevice`."""

from __future__ import annotations

import uuid

import attrs

from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.devices import Device


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HostInterface(Device):
    """A virtual function of the host's network card, given to the guest through vfio-pci.

    Before the guest gets it, the card itself is told its address and VLAN, which the guest cannot
    change; afterwards the card has its old settings again.

    Args:
        source: The host's address of the function.
        is_managed: As for `HostDevice`.
        mac: Six colon-separated bytes in lower case; ``None`` means "choose one".
        vlan: Number of the VLAN it is in, ``None`` for none.
    """

    source: PciAddress
    is_managed: bool = False
    mac: str | None = None
    vlan: int | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class OtherHostDevice(Device):
    """A device of the host that QEMU opens as it is, whatever driver has it; ``str`` names it.

    Args:
        is_managed: Kept because clients write it; it means something for PCI devices only.
    """

    is_managed: bool = False


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HostUsb(OtherHostDevice):
    """A USB device of the host (``usb-host``).

    Args:
        vendor_id: With ``product_id``, what it is; ``None`` when only its place is told.
        product_id: See there.
        bus: With ``device``, where it is; ``None`` means "wherever it is".
        device: See there. It gets another number whenever it is plugged in.
    """

    vendor_id: int | None = None
    product_id: int | None = None
    bus: int | None = None
    device: int | None = None

    def means(self, found: HostUsb) -> bool:
        """Whether this description fits a device whose kind and place are known."""
        is_kind = self.vendor_id is None or (
            (self.vendor_id, self.product_id) == (found.vendor_id, found.product_id)
        )
        is_place = self.bus is None or (self.bus, self.device) == (found.bus, found.device)
        return is_kind and is_place

    def __str__(self) -> str:
        kind = [] if self.vendor_id is None else [f"{self.vendor_id:04x}:{self.product_id:04x}"]
        place = [] if self.bus is None else [f"bus:{self.bus} device:{self.device}"]
        return " ".join([*kind, *place])


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HostScsi(OtherHostDevice):
    """A SCSI device of the host, whose commands come from the guest (``scsi-generic``).

    Args:
        adapter: Number of the host's adapter, N in ``scsi_hostN``.
        bus: Channel of the adapter.
        target: Target on it.
        unit: Logical unit of that.
        is_readonly: The guest may not write.
        is_shareable: Several domains may have it, if all say so.
        generic_node: What the host calls it now, such as ``sg3``; known while a domain has it.
    """

    adapter: int
    bus: int = 0
    target: int = 0
    unit: int = 0
    is_readonly: bool = False
    is_shareable: bool = False
    generic_node: str | None = None

    def __str__(self) -> str:
        return f"{self.adapter}:{self.bus}:{self.target}:{self.unit}"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HostScsiTarget(OtherHostDevice):
    """A target that the host's kernel serves itself (``vhost-scsi``).

    Args:
        wwpn: Its name, ``naa.`` and sixteen hexadecimal digits.
    """

    wwpn: str

    def __str__(self) -> str:
        return self.wwpn


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HostMediated(OtherHostDevice):
    """A mediated device: a part of a device of the host, cut out by its driver.

    Args:
        uuid: The name its driver gave it.
    """

    uuid: uuid.UUID

    def __str__(self) -> str:
        return str(self.uuid)
