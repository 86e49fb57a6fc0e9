"""What a simulated QEMU asks of the machine it runs on."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

import attrs


class VfioStep(enum.Enum):
    """The step of opening a host device for vfio at which the kernel said no."""

    FIND_DEVICE = enum.auto()
    FIND_GROUP = enum.auto()
    OPEN_GROUP = enum.auto()
    CHECK_VIABLE = enum.auto()
    GET_DEVICE = enum.auto()
    ALREADY_ATTACHED = enum.auto()


class VfioRefusedError(Exception):
    """The kernel does not give the host device to this process.

    Args:
        step: Where it failed.
        number: The errno, 0 where the kernel gives none.
        group: The IOMMU group, ``None`` when it did not get that far.
    """

    def __init__(self, step: VfioStep, number: int = 0, group: int | None = None) -> None:
        super().__init__(step, number, group)
        self.step = step
        self.number = number
        self.group = group


class VfioHandle(Protocol):
    """A host device that is open in this process; its IOMMU group is held until `close`."""

    def close(self) -> None:
        """Give the device back. Does nothing the second time."""
        ...


class Listener(Protocol):
    """A listening unix socket."""

    def close(self, *, unlink: bool) -> None:
        """Stop listening; ``unlink`` also removes the socket from the file system."""
        ...


class MonitorStream(Protocol):
    """QEMU's end of a monitor connection."""

    async def receive_some(self, max_bytes: int | None = None, /) -> bytes:
        """Bytes of the client, ``b""`` when it has closed its end."""
        ...

    def send_nowait(self, data: bytes, /) -> None:
        """Queue ``data`` for the client; dropped when the client is gone."""
        ...

    def close_nowait(self) -> None:
        """Close both directions."""
        ...


@attrs.frozen(kw_only=True)
class GuestTimes:
    """How long a guest takes for things, in seconds of virtual time, before drawn latency.

    Args:
        boot_s: From the first instruction to an operating system that handles hotplug.
        unplug_s: From an unplug request to its answer; 0.06 was measured with Linux 6.1.
        powerdown_s: From the power button to power off.
        slot_on_s: How long Linux powers on a slot of native hotplug; 0.15 to 0.4 were measured.
        blink_s: How long it lets the power indicator blink before it takes a slot down.
        slot_off_s: From then to power and indicator being off; 1.2 were measured with ``unplug_s``.
    """

    boot_s: float = 0.5
    unplug_s: float = 0.05
    powerdown_s: float = 0.2
    slot_on_s: float = 0.25
    blink_s: float = 5.0
    slot_off_s: float = 1.1


class World(Protocol):
    """The machine, as far as a simulated QEMU needs one."""

    @property
    def guest_times(self) -> GuestTimes:
        """How fast guests are on this machine."""
        ...

    @property
    def has_guest_agent(self) -> bool:
        """Whether guests have an agent installed."""
        ...

    def wall_clock_s(self) -> float:
        """Seconds since 1970, for time stamps of events."""
        ...

    async def pause(self, site: str) -> None:
        """Let the latency of this named site pass; a checkpoint in any case."""
        ...

    def happens(self, site: str) -> bool:
        """Whether the fault of this named site strikes now."""
        ...

    def file_exists(self, path: str) -> bool:
        """Whether a regular file can be opened there."""
        ...

    def serves_devices(self, path: str) -> bool:
        """Whether a process listens there that serves vhost-user devices, such as a virtiofsd."""
        ...

    def folder_exists(self, path: str) -> bool:
        """Whether files can be made in there."""
        ...

    def read_bytes(self, path: str) -> bytes | None:
        """What is in a file, ``None`` when it cannot be opened."""
        ...

    def rename_file(self, path: str, new_path: str) -> None:
        """Give a file another name. ``OSError`` when there is none."""
        ...

    def append_text(self, path: str, text: str) -> None:
        """Append to a file, creating it. ``OSError`` when its directory does not exist."""
        ...

    @property
    def has_vhost_vsock(self) -> bool:
        """Whether the host's kernel serves vsock devices."""
        ...

    def claim_vsock(self, cid: int) -> Callable[[], None] | None:
        """Take a guest's number of the host for oneself; ``None`` when another guest has it.

        Returns:
            What gives it back.
        """
        ...

    def claim_port(self, port: int) -> Callable[[], None] | None:
        """Listen at a TCP port; ``None`` when somebody does.

        Returns:
            What gives it back.
        """
        ...

    def listen(self, path: str, accept: Callable[[MonitorStream], bool]) -> Listener:
        """Create a listening socket; ``accept`` says whether a connection fits its backlog.

        Raises:
            OSError: As ``bind`` gives it.
        """
        ...

    def open_vfio(self, address: str, owner: int, request: Callable[[], None]) -> VfioHandle:
        """Open a host device for the process ``owner`` (a pid).

        ``request`` is called when the host wants the device back (VFIO_PCI_REQ_ERR_IRQ).

        Raises:
            VfioRefusedError: The kernel refuses.
        """
        ...

    def open_node(self, path: str) -> VfioHandle:
        """Open the node of a device that is on no PCI bus, or the folder of a mediated one.

        Raises:
            OSError: There is none.
        """
        ...
