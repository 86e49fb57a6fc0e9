"""What a guest's agent tells of its guest."""

from __future__ import annotations

import enum

import attrs

from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.value import Value


class GuestShutdownMode(enum.Enum):
    """How a guest goes down; the agent's words."""

    POWERDOWN = "powerdown"
    HALT = "halt"
    REBOOT = "reboot"


class GuestSuspendTarget(enum.Enum):
    """Where a guest keeps its state while it sleeps (``virNodeSuspendTarget``)."""

    MEMORY = "ram"
    DISK = "disk"
    HYBRID = "hybrid"


@attrs.frozen(eq=False, repr=False)
class GuestIpAddress(Value):
    """One address of an interface.

    Args:
        kind: ``ipv4`` or ``ipv6``.
        address: In the usual notation.
        prefix: Length of the network's part, in bits.
    """

    kind: str
    address: str
    prefix: int


@attrs.frozen(eq=False, repr=False)
class GuestInterface(Value):
    """One network interface, as the guest sees it.

    Args:
        name: The guest's name for it, such as ``eth0``.
        mac: Its hardware address, ``None`` when it has none.
        addresses: Its addresses.
    """

    name: str
    mac: str | None
    addresses: tuple[GuestIpAddress, ...]


@attrs.frozen(eq=False, repr=False)
class GuestExecResult(Value):
    """How a program in the guest has ended.

    Args:
        exit_code: Its exit status; ``None`` when a signal ended it.
        signal: That signal.
        stdout: What it wrote.
        stderr: What it complained of.
        is_truncated: Whether it wrote more than the agent keeps (16 MiB of each).
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    is_truncated: bool


@attrs.frozen(eq=False, repr=False)
class GuestTrim(Value):
    """What a trim of one file system has come to.

    Args:
        path: Where it is mounted.
        trimmed_bytes: How much was given back; ``None`` when the agent does not say.
        error: Why it could not be trimmed.
    """

    path: str
    trimmed_bytes: int | None
    error: str | None


class GuestInfoTypes(enum.Flag):
    """What to tell of a guest (``virDomainGuestInfoTypes``), with libvirt's numbers.

    ``EVERYTHING`` is what this guest's agent knows of; the others are required.
    """

    EVERYTHING = 0
    USERS = 1
    OS = 2
    TIMEZONE = 4
    HOSTNAME = 8
    FILESYSTEM = 16
    DISKS = 32
    INTERFACES = 64


@attrs.frozen(eq=False, repr=False)
class GuestUser(Value):
    """Somebody who is logged in.

    Args:
        name: The user's name.
        domain: Of which domain, where a guest has such; ``None`` elsewhere.
        login_time_s: When that was, in seconds since 1970-01-01 UTC.
    """

    name: str
    domain: str | None
    login_time_s: float


@attrs.frozen(eq=False, repr=False)
class GuestTimezone(Value):
    """The guest's time zone.

    Args:
        name: Its name, such as ``CET``; ``None`` when the agent does not say.
        offset_s: How far it is ahead of UTC, in seconds.
    """

    name: str | None
    offset_s: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestDiskPlace(Value):
    """Where a guest finds a disk.

    Args:
        bus_type: The agent's word, such as ``virtio``.
        pci: Address of the controller, or of the disk itself, with the guest's numbers of buses;
            ``None`` when the agent does not know.
        bus: Of the controller's buses, which.
        target: On that bus.
        unit: At that target.
        device: The guest's node, such as ``/dev/vda``.
        serial: What the disk calls itself.
        disk_target: The domain's disk that this is, by its target such as ``vda``; ``None`` when
            none of them is there.
    """

    bus_type: str
    pci: PciAddress | None = None
    bus: int = -1
    target: int = -1
    unit: int = -1
    device: str | None = None
    serial: str | None = None
    disk_target: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestFileSystem(Value):
    """A mounted file system.

    Args:
        mount_point: Where it is mounted.
        name: The guest's name of its device.
        kind: Such as ``ext4``.
        total_bytes: How much it can hold; ``None`` when the agent does not say.
        used_bytes: How much it holds.
        disks: What it is on.
    """

    mount_point: str
    name: str
    kind: str
    total_bytes: int | None
    used_bytes: int | None
    disks: tuple[GuestDiskPlace, ...]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestDisk(Value):
    """A disk or partition of the guest.

    Args:
        name: Its node, such as ``/dev/vda``.
        is_partition: Whether it is part of another.
        dependencies: The nodes that it is made of.
        place: Where it is; ``None`` when the agent does not know.
        alias: A name the guest has for it.
    """

    name: str
    is_partition: bool
    dependencies: tuple[str, ...]
    place: GuestDiskPlace | None
    alias: str | None


@attrs.frozen(eq=False, repr=False)
class GuestVcpu(Value):
    """A virtual processor, as the guest sees it.

    Args:
        number: The guest's.
        is_online: Whether the guest uses it.
        can_go_offline: Whether the guest could do without.
    """

    number: int
    is_online: bool
    can_go_offline: bool
