"""What becomes of a domain whose guest powers off, reboots or crashes."""

from __future__ import annotations

import enum

import attrs

from pyvirt_trio.models.value import Value


class LifecycleAction(enum.Enum):
    """libvirt's ``virDomainLifecycleAction``, as far as a QEMU can do it; the value is its word."""

    DESTROY = "destroy"
    RESTART = "restart"
    PRESERVE = "preserve"
    COREDUMP_DESTROY = "coredump-destroy"
    COREDUMP_RESTART = "coredump-restart"

    @property
    def dumps_core(self) -> bool:
        """Whether the guest's memory is kept in a file first."""
        return self in (LifecycleAction.COREDUMP_DESTROY, LifecycleAction.COREDUMP_RESTART)

    @property
    def restarts(self) -> bool:
        """Whether the machine is reset and runs again."""
        return self in (LifecycleAction.RESTART, LifecycleAction.COREDUMP_RESTART)

    @property
    def destroys(self) -> bool:
        """Whether the life ends."""
        return self in (LifecycleAction.DESTROY, LifecycleAction.COREDUMP_DESTROY)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LifecycleActions(Value):
    """The three choices of a definition, with libvirt's defaults.

    Args:
        on_poweroff: ``DESTROY``, or ``RESTART``: the guest that powers off is booted again.
        on_reboot: ``RESTART``, or ``DESTROY``: the guest that reboots ends its domain.
        on_crash: Any. ``PRESERVE`` keeps the machine as the panic left it.
    """

    on_poweroff: LifecycleAction = LifecycleAction.DESTROY
    on_reboot: LifecycleAction = LifecycleAction.RESTART
    on_crash: LifecycleAction = LifecycleAction.DESTROY


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Sleeps(Value):
    """Which sleeps a guest's firmware offers it; ``None`` leaves it to QEMU, which offers both.

    Args:
        to_memory: The state is kept in its memory (ACPI's S3).
        to_disk: The state is kept on its disk (ACPI's S4).
    """

    to_memory: bool | None = None
    to_disk: bool | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Panic(Value):
    """The device to which a guest's kernel tells that it has crashed (``pvpanic`` on ISA).

    Args:
        port: The I/O port, ``None`` for QEMU's own 0x505.
    """

    port: int | None = None


class ShutdownMode(enum.Enum):
    """How a guest is asked to shut down (``virDomainShutdownFlagValues``).

    With ``AGENT_OR_ACPI`` its agent is told, and where that fails its power button is pressed: what
    libvirt does when it is given both flags.
    """

    ACPI = "acpi"
    AGENT = "agent"
    AGENT_OR_ACPI = "agent,acpi"
