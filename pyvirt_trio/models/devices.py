"""The devices of a domain: what libvirt writes below ``/domain/devices``.

``alias`` is the name of a device on QEMU's command line and monitor. It is ``None`` in a
definition that never ran, unless the user chose one that begins with ``ua-``.
``address`` is where the guest sees it: a PCI slot, or a place on the bus of one of the domain's
own controllers; ``None`` means "choose one".
"""

from __future__ import annotations

import attrs

from pyvirt_trio.models.addresses import GuestAddress, PciAddress
from pyvirt_trio.models.character import CharacterSource
from pyvirt_trio.models.iotune import IoTune
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Device(Value):
    """What all devices have in common.

    Args:
        alias: Its name while a domain runs.
        address: Where the guest sees it.
        is_multifunction: What is written beside a PCI address: whether the slot has more functions
            than this one. ``None`` is not said.
    """

    alias: str | None = None
    address: GuestAddress | None = None
    is_multifunction: bool | None = None

    @property
    def pci_address(self) -> PciAddress | None:
        """The address, when it is one on a PCI bus."""
        return self.address if isinstance(self.address, PciAddress) else None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Controller(Device):
    """What gives a domain a bus.

    Args:
        kind: ``pci``, ``usb``, ``scsi`` or ``virtio-serial``.
        model: ``pcie-root`` (the root bus) or ``pcie-root-port`` (a slot on it) for ``pci``,
            ``qemu-xhci`` for ``usb``, ``virtio-scsi`` for ``scsi``, ``virtio-serial`` for itself.
        index: The number of the bus behind this controller, among its kind; 0 is the root for
            ``pci``.
        is_hotpluggable: False when the XML says ``hotplug='off'`` of a root port.
    """

    model: str
    index: int
    kind: str = "pci"
    is_hotpluggable: bool = True


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Disk(Device):
    """A disk or CD-ROM drive backed by a file.

    Args:
        source_file: Absolute path of the image; ``None`` is an empty CD-ROM drive.
        target: The guest's name for it, such as ``vda`` or ``sda``; unique within a domain.
        bus: ``virtio``, ``scsi``, ``usb`` or ``sata``.
        is_cdrom: It is a drive for CD-ROMs and read-only; on USB its medium stays in it.
        image_format: ``raw`` or ``qcow2``.
        is_readonly: The guest may not write.
        startup_policy: What happens when a start does not find the image: with ``mandatory``, or
            ``None``, it fails; with ``optional`` it goes on without it; with ``requisite``, which
            is for CD-ROM drives, only a start from a saved state does.
        iotune: How much the guest may read and write in a second; ``None`` is no limit.
        snapshot: What snapshots of the domain do with it, in other programs' hands: ``internal``,
            ``external``, ``manual`` or ``no``; ``None`` is not said.
    """

    source_file: str | None
    target: str
    bus: str = "virtio"
    is_cdrom: bool = False
    image_format: str = "raw"
    is_readonly: bool = False
    startup_policy: str | None = None
    iotune: IoTune | None = None
    snapshot: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Interface(Device):
    """A virtio network card.

    Args:
        kind: What it is connected to: ``user`` (QEMU's user-mode network), ``ethernet`` (a tap of
            the host), ``bridge`` (a bridge of the host), ``vhostuser`` (a switch in a process).
        source: Name of the tap or bridge, or absolute path of the switch's socket; ``None`` for
            ``user``.
        is_server: QEMU listens at that socket; only for ``vhostuser``.
        mac: Six colon-separated bytes in lower case; ``None`` means "choose one".
        is_link_up: Whether the guest sees a cable.
        trusts_filters: Whether the guest may say which packets the card lets through
            (``trustGuestRxFilters``); ``None`` is no, unsaid.
    """

    kind: str = "user"
    source: str | None = None
    is_server: bool = False
    mac: str | None = None
    is_link_up: bool = True
    trusts_filters: bool | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Rng(Device):
    """A virtio random number generator.

    Args:
        source: What of the host feeds it: ``/dev/urandom``, ``/dev/random`` or ``/dev/hwrng``;
            ``None`` is QEMU's own generator.
    """

    source: str | None = "/dev/urandom"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Serial(Device):
    """A serial port.

    Args:
        port: 0 is the guest's first; unique within a domain. ``None`` means "choose one".
        source: The host's end.
        model: ``isa-serial`` (built into the machine), ``usb-serial`` or ``pci-serial``.
    """

    port: int | None = None
    source: CharacterSource = attrs.Factory(CharacterSource)
    model: str = "isa-serial"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Channel(Device):
    """A virtio channel between a program in the guest and the host, such as the guest agent's.

    Args:
        source: The host's end.
        name: How the guest finds it, below ``/dev/virtio-ports``.
    """

    source: CharacterSource
    name: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Console(Device):
    """A console on virtio (``virtconsole``), which the guest calls ``hvc0`` and so on.

    Args:
        source: The host's end.
        port: Its number among the consoles.
    """

    source: CharacterSource
    port: int = 0


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Parallel(Device):
    """A parallel port (``isa-parallel``), built into the machine.

    Args:
        source: The host's end.
        port: 0 is the guest's first; unique within a domain.
    """

    source: CharacterSource = attrs.Factory(CharacterSource)
    port: int = 0


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestForward(Device):
    """An address of the user network at which the guest reaches the host's end of a channel.

    No device of the guest belongs to it: in QEMU it is a network backend.

    Args:
        source: The host's end.
        ip_address: IPv4 address inside the user network, such as ``10.0.2.1``.
        port: TCP port.
    """

    source: CharacterSource
    ip_address: str
    port: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RedirectedUsb(Device):
    """A USB device that somebody passes to the guest over a character device (``usb-redir``).

    Args:
        source: The host's end, from where it comes.
    """

    source: CharacterSource


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HostDevice(Device):
    """A PCI device of the host, given to the guest through vfio-pci.

    Args:
        source: The host's address of the device.
        is_managed: True lets the library move the device to vfio-pci when it is attached and back
            to the host's driver when it is detached; False leaves both to the caller.
        driver: ``vfio``; ``kvm``, which no host can do any more; ``None`` for what it can do.
        is_unassigned: It is taken from the host and kept for the guest, which does not see it: the
            way in which a whole IOMMU group leaves the host for one of its devices.
    """

    source: PciAddress
    is_managed: bool = False
    driver: str | None = None
    is_unassigned: bool = False


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Input(Device):
    """A keyboard, mouse or tablet.

    Args:
        kind: ``keyboard``, ``mouse`` or ``tablet``.
        bus: ``usb`` or ``virtio``.
    """

    kind: str
    bus: str = "usb"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Watchdog(Device):
    """A timer that acts when the guest stops feeding it.

    Args:
        model: ``i6300esb`` on PCI, or ``ib700`` on ISA, which nothing is plugged into or out of.
        action: ``reset``, ``shutdown``, ``poweroff``, ``pause`` or ``none``.
    """

    model: str = "i6300esb"
    action: str = "reset"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SharedMemory(Device):
    """Memory that several guests and the host share.

    It is a file of the host (``ivshmem-plain``), or a server hands it out, through which guests can
    also ring each other (``ivshmem-doorbell``).

    Args:
        name: Name of the file below ``/dev/shm``, or of what the server hands out.
        size_bytes: A power of two; with a server it decides.
        server: Absolute path of the socket where a server listens; ``None`` is a file.
        vectors: How many bells the guest has; ``None`` leaves it to QEMU.
        has_ioeventfd: Whether it rings without QEMU's help; ``None`` leaves it to QEMU.
    """

    name: str
    size_bytes: int = 4 << 20
    server: str | None = None
    vectors: int | None = None
    has_ioeventfd: bool | None = None
