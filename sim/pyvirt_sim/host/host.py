"""The simulated host: implements what the library and a simulated QEMU ask of a machine."""

from __future__ import annotations

import errno
import posixpath
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from pyvirt_sim.engine import draw
from pyvirt_sim.host.pci import OpenDevice, PciModel, SimPciDevice
from pyvirt_sim.host.plan import (
    FAULT_ONE_IN,
    LATENCY_STEPS_S,
    SITES,
    HostPlan,
)
from pyvirt_sim.host.process import MANAGER_PID, SimProcess
from pyvirt_sim.host.streams import PIPE_BYTES, ClientEnd, ServerEnd, open_connection
from pyvirt_sim.host.sysfs import mount_kernel_files
from pyvirt_sim.host.tree import Attribute, File, Folder, Link, Special, Tree, failure
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_trio.abc import Host

SHORT_READ_BYTES = 7
"""What a read gives where the fault ``split-reads`` strikes: less than any message."""


@attrs.define(eq=False)
class _Listener:
    """A listening socket; implements `Listener`."""

    tree: Tree
    path: str
    accept: Callable[[ServerEnd], bool]
    is_open: bool = True

    def close(self, *, unlink: bool) -> None:
        """Stop listening; ``unlink`` also removes the socket from the file system."""
        self.is_open = False
        if unlink and self.tree.exists(self.path):
            self.tree.remove(self.path)


class SimHost(Host):
    """A Linux machine in memory. Made by `open_sim_host`.

    Attributes:
        plan: What may be slow or go wrong.
        pci: Its PCI devices.
        default_route: Name of the network interface that the machine's own traffic uses.
    """

    def __init__(self, plan: HostPlan, nursery: trio.Nursery) -> None:
        self.plan = plan
        self.pci = PciModel()
        self.default_route: str | None = None
        self._nursery = nursery
        self._tree = Tree()
        self._locks: dict[str, None] = {}
        self._processes: list[SimProcess] = []
        self._uuids = 0
        for path in ("/tmp", "/var/lib", "/var/log", "/run"):
            self._tree.make_directory(path)
        mount_kernel_files(self._tree, self.pci, lambda: self.default_route)

    # -- for whoever sets the scene ---------------------------------------------------------------

    def add_pci_device(self, device: SimPciDevice) -> None:
        """Put a device into the machine, bound to its own driver."""
        self.pci.add(device)

    def add_file(self, path: str, text: str = "") -> None:
        """Put a file there, with the directories above it."""
        self._tree.make_directory(posixpath.dirname(path))
        self._tree.put(path, File(text))

    def processes(self) -> tuple[SimProcess, ...]:
        """All processes that were started, in order; those that have ended too."""
        return tuple(self._processes)

    # -- the seam of the library: pyvirt_trio.abc.Host --------------------------------------------

    async def read_text(self, path: str) -> str:
        """As the seam says."""
        await self.pause(_site(path))
        return self._tree.read(path)

    async def write_attribute(self, path: str, text: str) -> None:
        """As the seam says."""
        await self.pause(_site(path))
        node = self._tree.look_up(path)
        if isinstance(node, File):
            node.text = text
        elif isinstance(node, Attribute) and node.write is not None:
            with trio.CancelScope(shield=True):  # a write that waits in the kernel cannot be undone
                await node.write(text)
        else:
            raise failure(errno.EISDIR if isinstance(node, Folder) else errno.EACCES, path)

    async def replace_file(self, path: str, text: str) -> None:
        """As the seam says."""
        await self.pause("file")
        self._tree.put(path, File(text))

    async def remove_file(self, path: str) -> None:
        """As the seam says."""
        await self.pause("file")
        self._tree.remove(path)

    async def make_directory(self, path: str) -> None:
        """As the seam says."""
        await self.pause("file")
        self._tree.make_directory(path)

    async def list_directory(self, path: str) -> list[str]:
        """As the seam says."""
        await self.pause(_site(path))
        return sorted(self._tree.folder(path).entries())

    async def read_link(self, path: str) -> str:
        """As the seam says."""
        await self.pause(_site(path))
        node = self._tree.look_up(path, follow=False)
        if not isinstance(node, Link):
            raise failure(errno.EINVAL, path)
        return node.target

    async def exists(self, path: str) -> bool:
        """As the seam says."""
        await self.pause(_site(path))
        return self._tree.exists(path)

    @asynccontextmanager
    async def lock(self, path: str) -> AsyncGenerator[None]:
        """As the seam says."""
        await self.pause("file")
        if path in self._locks:
            raise failure(errno.EAGAIN, path)
        if not self._tree.exists(path):
            self._tree.put(path, File())
        self._locks[path] = None
        try:
            yield
        finally:
            del self._locks[path]

    async def start_process(self, argv: Sequence[str], *, log_file: str) -> SimProcess:
        """As the seam says; ``qemu-system-x86_64`` is on the path, nothing else is."""
        await self.pause("file")
        if argv[0] not in ("qemu-system-x86_64", "/usr/bin/qemu-system-x86_64"):
            raise failure(errno.ENOENT, argv[0])
        self.append_text(log_file, "")
        pid = MANAGER_PID + 1 + len(self._processes)
        process = SimProcess(argv, self, pid, lambda text: self.append_text(log_file, text))
        self._processes.append(process)
        self._nursery.start_soon(process.run, name=f"qemu[{pid}]")
        return process

    async def open_stream(self, address: str) -> ClientEnd:
        """As the seam says."""
        kind, _, path = address.partition(":")
        if kind not in ("unix", "tcp"):
            raise ValueError(f"{address!r} is neither unix:PATH nor tcp:HOST:PORT")
        await self.pause("connect")
        if kind == "tcp":
            raise failure(errno.ECONNREFUSED, address)
        node = self._tree.look_up(path)
        listener = node.what if isinstance(node, Special) else None
        if not isinstance(listener, _Listener) or not listener.is_open:
            raise failure(errno.ECONNREFUSED, path)
        client, server = open_connection(self._read_limit)
        if not listener.accept(server):
            raise failure(errno.EAGAIN, path)
        return client

    def wall_clock_s(self) -> float:
        """Virtual time, from the plan's beginning."""
        return self.plan.boot_time_s + trio.current_time()

    def fresh_uuid(self) -> uuid.UUID:
        """The next one of a fixed series."""
        self._uuids += 1
        return uuid.UUID(int=self._uuids, version=4)

    # -- what a simulated QEMU asks: pyvirt_sim.qemu.world.World ----------------------------------

    @property
    def guest_times(self) -> GuestTimes:
        """How fast guests are on this machine."""
        return self.plan.guest_times

    async def pause(self, site: str) -> None:
        """Let the latency of this site pass; a checkpoint in any case."""
        assert SITES[site] == "latency", f"{site} is no latency site"
        choice = draw("latency", site, len(LATENCY_STEPS_S)) if site in self.plan.live else 0
        delay_s = LATENCY_STEPS_S[choice]
        if delay_s:
            await trio.sleep(delay_s)
        else:
            await trio.lowlevel.checkpoint()

    def happens(self, site: str) -> bool:
        """Whether the fault of this site strikes now."""
        assert SITES[site] == "fault", f"{site} is no fault site"
        return site in self.plan.live and draw("faults", site, FAULT_ONE_IN) == FAULT_ONE_IN - 1

    def file_exists(self, path: str) -> bool:
        """Whether a regular file can be opened there."""
        try:
            return isinstance(self._tree.look_up(path), File)
        except OSError:
            return False

    def append_text(self, path: str, text: str) -> None:
        """Append to a file, creating it."""
        if not self._tree.exists(path):
            self._tree.put(path, File())
        node = self._tree.look_up(path)
        if not isinstance(node, File):
            raise failure(errno.EISDIR, path)
        node.text += text

    def listen(self, path: str, accept: Callable[[ServerEnd], bool]) -> _Listener:
        """Create a listening socket."""
        if self._tree.exists(path):
            raise failure(errno.EADDRINUSE, path)
        listener = _Listener(self._tree, path, accept)
        self._tree.put(path, Special(listener))
        return listener

    def open_vfio(self, address: str, owner: int, request: Callable[[], None]) -> OpenDevice:
        """Open a host device for the process ``owner``."""
        return self.pci.open_vfio(address, owner, request)

    def _read_limit(self) -> int:
        return SHORT_READ_BYTES if self.happens("split-reads") else PIPE_BYTES


def _site(path: str) -> str:
    return "sysfs" if path.startswith("/sys/") else "file"


@asynccontextmanager
async def open_sim_host(plan: HostPlan | None = None) -> AsyncGenerator[SimHost]:
    """A simulated machine, switched on for the length of a block.

    Runs under the engine, where every delay and fault is chosen and recorded, and under a plain
    ``trio.run``, where nothing is slow and nothing goes wrong.

    Args:
        plan: What may be slow or go wrong; nothing when ``None``.

    Raises:
        ModelGapError: (while the block runs) Something was asked that is not modelled.

    Cancellation:
        All processes end as if the power had failed.
    """
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield SimHost(HostPlan.quiet() if plan is None else plan, nursery)
        except Exception as error:  # noqa: BLE001 - raised again, outside the nursery
            failed = error
        nursery.cancel_scope.cancel()
    if failed is not None:
        raise failed
