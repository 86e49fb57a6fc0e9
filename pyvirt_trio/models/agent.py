"""What a guest's agent tells of its guest."""

from __future__ import annotations

import enum

import attrs


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


@attrs.frozen
class GuestIpAddress:
    """One address of an interface.

    Args:
        kind: ``ipv4`` or ``ipv6``.
        address: In the usual notation.
        prefix: Length of the network's part, in bits.
    """

    kind: str
    address: str
    prefix: int


@attrs.frozen
class GuestInterface:
    """One network interface, as the guest sees it.

    Args:
        name: The guest's name for it, such as ``eth0``.
        mac: Its hardware address, ``None`` when it has none.
        addresses: Its addresses.
    """

    name: str
    mac: str | None
    addresses: tuple[GuestIpAddress, ...]


@attrs.frozen
class GuestExecResult:
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


@attrs.frozen
class GuestTrim:
    """What a trim of one file system has come to.

    Args:
        path: Where it is mounted.
        trimmed_bytes: How much was given back; ``None`` when the agent does not say.
        error: Why it could not be trimmed.
    """

    path: str
    trimmed_bytes: int | None
    error: str | None
