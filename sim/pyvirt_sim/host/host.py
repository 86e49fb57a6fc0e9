"""The simulated host: implements what the library and a simulated QEMU ask of a machine."""

from __future__ import annotations

import errno
import posixpath
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.engine.disk import Disk, FileSystem, OpenFile
from pyvirt_sim.engine.incarnation import INCARNATION, is_dead_here
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host import virtiofsd
from pyvirt_sim.host.other_devices import OpenNode, OtherDevices
from pyvirt_sim.host.pci import PciModel, SimPciDevice, UeventSocket
from pyvirt_sim.host.plan import HostPlan
from pyvirt_sim.host.process import ProcessTable, Program, SimProcess
from pyvirt_sim.host.streams import PIPE_BYTES, ClientEnd, ServerEnd, open_connection
from pyvirt_sim.host.sysfs import LATE, mount_kernel_files
from pyvirt_sim.host.tree import Attribute, Folder, Link, Tree, decoded, failure
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_trio.abc import AppendedFile, FileHead, Host
from pyvirt_trio.models import VfSettings

if TYPE_CHECKING:
    from pyvirt_sim.host.pci.vfio import OpenVfioDevice

SHORT_READ_BYTES = 7
"""What a read gives where the fault ``split-reads`` strikes: less than any message."""

_QEMUS = ("qemu-system-x86_64", "/usr/bin/qemu-system-x86_64")

KERNEL_FOLDERS = ("sys", "proc", "dev")
"""Made by the kernel at every look."""
MEMORY_FOLDERS = ("run", "tmp")
"""In memory, empty after a reboot."""


@attrs.define(eq=False)
class _Listener:
    """A listening socket; implements `Listener`."""

    files: FileSystem
    path: str
    accept: Callable[[ServerEnd], bool]
    is_open: bool = True

    def close(self, *, unlink: bool) -> None:
        """Stop listening; ``unlink`` also removes the socket from the file system."""
        self.is_open = False
        if unlink and not self.files.is_dead and self.files.exists(self.path):
            self.files.unlink(self.path)


class _AppendedFile(AppendedFile):
    """A file open for appending."""

    def __init__(self, file: OpenFile, effect: Callable[[str], None], path: str) -> None:
        self._file = file
        self._effect = effect
        self._path = path

    def append(self, text: str) -> None:
        """Write at the end; not synced."""
        if not is_dead_here():
            self._file.append(text.encode())
            self._effect(f"append to {self._path}")

    def close(self) -> None:
        """Close it."""
        self._file.close()


class SimHost(Host):
    """A Linux machine between boot and crash. Made by `open_sim_host` and `SimMachine.boot`.

    Attributes:
        plan: What may be slow or go wrong.
        pci: Its PCI devices.
        others: Its USB, SCSI and mediated devices; none when it boots.
        disk: What survives a crash. /run and /tmp are not on it.
        default_route: Name of the network interface that the machine's own traffic uses.
        device_servers: The sockets where processes serve vhost-user devices, such as a virtiofsd
            or a virtual switch.
        taps: Its network interfaces that belong to no device, by name.
        taken_ports: The TCP ports at which programs listen.
        has_vhost_vsock: Whether its kernel serves vsock devices.
        is_dead: Whether it has crashed. Every call then raises ``OSError`` (``ESHUTDOWN``).
        on_effect: Told of each thing that a program on a node does to the machine, once it is done
            and before anybody sees it: the places at which a crash of the program makes a
            difference. It may crash the node.
    """

    def __init__(
        self,
        plan: HostPlan,
        nursery: trio.Nursery,
        disk: Disk,
        devices: Sequence[SimPciDevice],
        *,
        boots: int = 0,
    ) -> None:
        self.plan = plan
        self.disk = disk
        self.pci = PciModel(self.happens, self._appears)
        for device in devices:
            device.power_on()
            self.pci.add(device)
        self.default_route: str | None = None
        self.device_servers: dict[str, None] = {}
        self.taps: dict[str, None] = {}
        self.has_vhost_vsock = True
        self._vsocks: dict[int, None] = {}
        self.taken_ports: dict[int, None] = {}
        self.is_dead = False
        self.on_effect: Callable[[str], None] | None = None
        self._nursery = nursery
        # What runs here belongs to the machine, not to the program that has started it.
        self._context = copy_context()
        self._files = disk.mount()
        self._memory = Disk("memory").mount()
        self._kernel = Tree()
        self.others = OtherDevices(self._kernel)
        self._locks: dict[OpenFile, None] = {}
        self._clients: dict[ClientEnd, None] = {}
        self._listeners: dict[tuple[FileSystem, int], _Listener] = {}
        self._table = ProcessTable(self.happens)
        self._uuids = boots << 32  # no boot gives out what an earlier one has given out
        for path in ("/var/lib", "/var/log", "/run", "/tmp"):
            self._system(path).make_directory(path, parents=True)
        self._files.sync_all()
        boot_id = str(uuid.UUID(int=boots + 1, version=4))
        mount_kernel_files(
            self._kernel,
            self.pci,
            self._table,
            lambda: self.default_route,
            boot_id,
            self.device_servers,
            self.taps,
        )

    # -- for whoever sets the scene ---------------------------------------------------------------

    def add_pci_device(self, device: SimPciDevice) -> None:
        """Put a device into the machine, bound to its own driver, before anybody looks."""
        self.pci.add(device)

    async def plug_pci_device(self, device: SimPciDevice) -> None:
        """Plug a device in while the machine runs: event ``add``, then its driver may take it."""
        self.pci.appear(device)
        if self.pci.probes_new_devices:
            await self.pci.attach(device)

    async def unplug_pci_device(self, device: SimPciDevice) -> None:
        """Take a device away: its driver gives it up, however long that takes, then it is gone."""
        await self.pci.disappear(device)

    def add_file(self, path: str, content: str | bytes = "") -> None:
        """Put a file there, durably, with the directories above it."""
        system = self._system(path)
        system.make_directory(posixpath.dirname(path), parents=True)
        system.write(path, content.encode() if isinstance(content, str) else content)
        system.sync_all()

    def processes(self) -> tuple[SimProcess, ...]:
        """All QEMUs that were started, in order; those that have ended too."""
        return tuple(process for process in self._table.all if process.is_qemu)

    def servers(self) -> tuple[SimProcess, ...]:
        """All other processes that were started, such as a virtiofsd."""
        return tuple(process for process in self._table.all if not process.is_qemu)

    def open_uevents(self) -> UeventSocket:
        """Listen to the kernel's events; close the socket, or keep it as long as the machine."""
        socket = UeventSocket(self.plan.delay_s, self.happens)
        self.pci.uevents.add(socket)
        if "uevent" in self.plan.live:
            self._nursery.start_soon(socket.deliver, name="uevents")
        return socket

    def end_manager(self) -> None:
        """The program under test has ended, however: its locks and connections end with it.

        Its children run on. Whoever calls this has cancelled the program's tasks.
        """
        for lock in list(self._locks):
            lock.close()
        self._locks.clear()
        for client in list(self._clients):
            client.break_off()
        self._table.adopt()

    def crash(self) -> None:
        """Lose power: everything that runs here ends, the disk keeps what it must."""
        if self.is_dead:
            return
        note("host", "crashes")
        self.is_dead = True
        self.pci.die()
        self.disk.crash()
        for process in self._table.all:
            process.kill()
        self.end_manager()

    # -- the seam of the library: pyvirt_trio.abc.Host --------------------------------------------

    async def read_text(self, path: str) -> str:
        """As the seam says."""
        await self._enter(path)
        if not _is_kernel(path):
            if self._listener(path) is not None:
                raise failure(errno.ENXIO, path)
            return decoded(self._system(path).read(path), path)
        node = self._kernel.look_up(path)
        if not isinstance(node, Attribute) or node.read is None:
            raise failure(errno.EISDIR if isinstance(node, Folder) else errno.EACCES, path)
        if node.ready is not None:
            with trio.CancelScope(shield=True):  # a read that waits in the kernel cannot be undone
                await node.ready()
        return node.read()

    async def read_head(self, path: str, limit: int) -> FileHead:
        """As the seam says."""
        await self._enter(path)
        if _is_kernel(path):
            raise ModelGapError(f"the beginning of {path}")
        data = self._system(path).read(path)
        return FileHead(data[:limit], len(data))

    async def write_attribute(self, path: str, text: str) -> None:
        """As the seam says."""
        await self._enter(path)
        if not _is_kernel(path):
            with self._system(path).open(path, truncate=True) as file:
                file.append(text.encode())
            self._effect(f"write {path}")
            return
        node = self._kernel.look_up(path)
        if not isinstance(node, Attribute) or node.write is None:
            raise failure(errno.EISDIR if isinstance(node, Folder) else errno.EACCES, path)
        if text:  # the kernel does not hear of a write of nothing
            with trio.CancelScope(shield=True):  # nor can a write that waits there be undone
                await self._in_kernel(partial(node.write, text))
            self._effect(f"write {path}")

    async def replace_file(self, path: str, text: str, *, durably: bool = True) -> None:
        """As the seam says."""
        await self._enter(path)
        system = self._system(path)
        new = f"{posixpath.dirname(path)}/.{posixpath.basename(path)}.new"
        if system.is_directory(path):
            raise failure(errno.EISDIR, path)
        with system.open(new, create=True, truncate=True) as file:
            file.append(text.encode())
        system.rename(new, path)
        if durably:
            self._sync(path)
        self._effect(f"replace {path}")

    async def sync_file(self, path: str) -> None:
        """As the seam says."""
        await self._enter(path)
        self._sync(path)

    def _sync(self, path: str) -> None:
        for name in (path, posixpath.dirname(path)):
            self._system(path).sync(name)

    async def seal_file(self, path: str, head: bytes) -> None:
        """As the seam says."""
        await self._enter(path)
        with self._system(path).open(path) as file:
            file.write(0, head)
            file.sync()

    async def open_appended(self, path: str) -> AppendedFile:
        """As the seam says."""
        await self._enter(path)
        file = self._system(path).open(path, create=True)
        self._effect(f"open {path}")
        return _AppendedFile(file, self._effect, path)

    async def move_file(self, path: str, new_path: str) -> None:
        """As the seam says; within one file system."""
        await self._enter(path)
        system = self._system(path)
        if self._system(new_path) is not system:
            raise failure(errno.EXDEV, path)
        system.rename(path, new_path)
        system.sync(posixpath.dirname(new_path))
        system.sync(posixpath.dirname(path))
        self._effect(f"move {path}")

    async def remove_file(self, path: str) -> None:
        """As the seam says."""
        await self._enter(path)
        system = self._system(path)
        system.unlink(path)
        system.sync(posixpath.dirname(path))
        self._effect(f"remove {path}")

    async def make_directory(self, path: str) -> None:
        """As the seam says."""
        await self._enter(path)
        system = self._system(path)
        system.make_directory(path, parents=True)
        names = path.strip("/").split("/")
        for depth in range(len(names)):
            system.sync("/" + "/".join(names[:depth]))
        self._effect(f"make {path}")

    async def list_directory(self, path: str) -> list[str]:
        """As the seam says."""
        await self._enter(path)
        if not _is_kernel(path):
            return self._system(path).list_directory(path)
        folder = self._kernel.folder(path)
        if folder.names is None:
            raise ModelGapError(f"a list of {path}")
        return sorted(folder.names())

    async def read_link(self, path: str) -> str:
        """As the seam says."""
        await self._enter(path)
        if not _is_kernel(path):
            self._system(path).file_number(path)
            raise failure(errno.EINVAL, path)
        node = self._kernel.look_up(path, follow=False)
        if not isinstance(node, Link):
            raise failure(errno.EINVAL, path)
        return node.target

    async def exists(self, path: str) -> bool:
        """As the seam says."""
        await self._enter(path)
        return self._kernel.exists(path) if _is_kernel(path) else self._system(path).exists(path)

    @asynccontextmanager
    async def lock(self, path: str) -> AsyncGenerator[None]:
        """As the seam says."""
        await self._enter(path)
        file = self._system(path).open(path, create=True)
        file.lock()
        self._locks[file] = None
        try:
            yield
        finally:
            file.close()
            self._locks.pop(file, None)

    async def start_process(self, argv: Sequence[str], *, log_file: str) -> SimProcess:
        """As the seam says; ``qemu-system-x86_64`` is on the path, and there is a virtiofsd."""
        await self._enter(log_file)
        if argv[0] not in (*_QEMUS, virtiofsd.PROGRAM):
            raise failure(errno.ENOENT, argv[0])
        self.append_text(log_file, "")
        pid = self._table.next_pid()
        program = self._program(argv, pid, partial(self.append_text, log_file))
        name = f"{'qemu' if argv[0] in _QEMUS else 'virtiofsd'}[{pid}]"
        process = SimProcess(argv, pid, program, self._effect)
        self._table.all.append(process)
        self._spawn(process.run, name=name)
        self._effect(f"start {argv[0]}")
        return process

    def _program(self, argv: Sequence[str], pid: int, log: Callable[[str], None]) -> Program:
        if argv[0] in _QEMUS:
            return QemuProcess(argv, self, pid, log)
        return virtiofsd.SimVirtiofsd(argv, pid, log, self.folder_exists, self.device_servers)

    async def adopt_process(self, pid: int) -> SimProcess:
        """As the seam says."""
        await self._enter("/proc", "sysfs")
        process = self._table.find(str(pid))
        if process is None:
            raise failure(errno.ESRCH, f"process {pid}")
        process.is_adopted = process.is_orphan
        return process

    async def open_stream(self, address: str) -> ClientEnd:
        """As the seam says."""
        kind, _, path = address.partition(":")
        if kind not in ("unix", "tcp"):
            raise ValueError(f"{address!r} is neither unix:PATH nor tcp:HOST:PORT")
        await self._enter(path, "connect")
        if kind == "tcp":
            raise failure(errno.ECONNREFUSED, address)
        self._system(path).file_number(path)
        listener = self._listener(path)
        if listener is None or not listener.is_open:
            raise failure(errno.ECONNREFUSED, path)
        client, server = open_connection(
            self._read_limit, lambda end: self._clients.pop(end, None), self._effect
        )
        self._clients[client] = None
        if not listener.accept(server):
            client.break_off()
            raise failure(errno.EAGAIN, path)
        return client

    async def read_vf_settings(self, interface: str, index: int) -> VfSettings:
        """As the seam says."""
        await self._enter(interface, "sysfs")
        return self._card(interface).sriov_settings(index)

    async def write_vf_settings(self, interface: str, index: int, settings: VfSettings) -> None:
        """As the seam says."""
        await self._enter(interface, "sysfs")
        card = self._card(interface)
        card.sriov_settings(index)
        card.vf_settings[index] = settings
        note("host", f"{interface} has new settings", vf=index, mac=settings.mac)

    def _card(self, interface: str) -> SimPciDevice:
        for device in self.pci.devices.values():
            if device.network_interface == interface and device.driver == device.own_driver:
                return device
        raise failure(errno.ENODEV, interface)

    def is_port_free(self, port: int) -> bool:
        """Whether nobody listens there."""
        return port not in self.taken_ports

    def wall_clock_s(self) -> float:
        """Virtual time, from the plan's beginning."""
        return self.plan.boot_time_s + trio.current_time()

    def fresh_uuid(self) -> uuid.UUID:
        """The next one of a fixed series."""
        self._uuids += 1
        return uuid.UUID(int=self._uuids, version=4)

    # -- what a simulated QEMU asks: pyvirt_sim.qemu.world.World ----------------------------------

    @property
    def has_guest_agent(self) -> bool:
        """As the plan says."""
        return self.plan.has_guest_agent

    @property
    def guest_times(self) -> GuestTimes:
        """How fast guests are on this machine."""
        return self.plan.guest_times

    async def pause(self, site: str) -> None:
        """Let the latency of this site pass; a checkpoint in any case."""
        delay_s = self.plan.delay_s(site)
        if delay_s:
            await trio.sleep(delay_s)
        else:
            await trio.lowlevel.checkpoint()

    def happens(self, site: str) -> bool:
        """Whether the fault of this site strikes now."""
        return self.plan.happens(site)

    def file_exists(self, path: str) -> bool:
        """Whether a regular file can be opened there."""
        if self.is_dead or not path.startswith("/") or _is_kernel(path):
            return False
        return self._system(path).is_file(path)

    def serves_devices(self, path: str) -> bool:
        """Whether a process listens there that serves vhost-user devices, such as a virtiofsd."""
        return not self.is_dead and path in self.device_servers

    def claim_vsock(self, cid: int) -> Callable[[], None] | None:
        """Take a guest's number for oneself; ``None`` when another guest has it."""
        if cid in self._vsocks:
            return None
        self._vsocks[cid] = None
        return partial(self._vsocks.pop, cid, None)

    def folder_exists(self, path: str) -> bool:
        """Whether files can be made in there."""
        if self.is_dead or not path.startswith("/") or _is_kernel(path):
            return False
        system = self._system(path)
        return system.exists(path) and not system.is_file(path)

    def read_bytes(self, path: str) -> bytes | None:
        """What is in a file, ``None`` when it cannot be opened."""
        return self._system(path).read(path) if self.file_exists(path) else None

    def rename_file(self, path: str, new_path: str) -> None:
        """Give a file another name, not durably; nothing when it is gone, or the machine is."""
        if self.file_exists(path):
            self._system(path).rename(path, new_path)

    def append_text(self, path: str, text: str) -> None:
        """Append to a file, creating it; nothing when the machine has crashed."""
        if not self.is_dead:
            self._system(path).append(path, text.encode())

    def claim_port(self, port: int) -> Callable[[], None] | None:
        """Take a TCP port; ``None`` when somebody has it."""
        if port in self.taken_ports:
            return None
        self.taken_ports[port] = None
        return lambda: self.taken_ports.pop(port, None)

    def listen(self, path: str, accept: Callable[[ServerEnd], bool]) -> _Listener:
        """Create a listening socket."""
        system = self._system(path)
        if system.exists(path):
            raise failure(errno.EADDRINUSE, path)
        system.open(path, create=True).close()
        listener = _Listener(system, path, accept)
        self._listeners[system, system.file_number(path)] = listener
        return listener

    def open_vfio(self, address: str, owner: int, request: Callable[[], None]) -> OpenVfioDevice:
        """Open a host device for the process ``owner``."""
        return self.pci.vfio.open_for_qemu(address, owner, request)

    def open_node(self, path: str) -> OpenNode:
        """Open a device that is on no PCI bus."""
        return self.others.open(path)

    # -- inside -----------------------------------------------------------------------------------

    async def _enter(self, path: str, site: str | None = None) -> None:
        """What every call of the seam begins with: its latency, on a machine that runs."""
        self._require_alive(path)
        await self.pause(site or ("sysfs" if path.startswith("/sys/") else "file"))
        self._require_alive(path)

    def _require_alive(self, path: str) -> None:
        if self.is_dead or is_dead_here():
            raise failure(errno.ESHUTDOWN, path)

    def _effect(self, what: str) -> None:
        if self.on_effect is not None and INCARNATION.get() is not None and not is_dead_here():
            self.on_effect(what)

    def _spawn(self, function: Callable[[], Awaitable[None]], *, name: str) -> None:
        self._context.copy().run(partial(self._nursery.start_soon, function, name=name))

    async def _in_kernel(self, function: Callable[[], Awaitable[None]]) -> None:
        """Do what the kernel does for a program; it goes on when a crash ends the program."""
        if INCARNATION.get() is None:
            await function()
            return
        failed: list[OSError] = []
        done = trio.Event()

        async def do() -> None:
            try:
                await function()
            except OSError as error:
                failed.append(error)
            done.set()

        self._spawn(do, name="kernel")
        await done.wait()
        if failed:
            raise failed[0]

    def _system(self, path: str) -> FileSystem:
        return self._memory if _top(path) in MEMORY_FOLDERS else self._files

    def _listener(self, path: str) -> _Listener | None:
        system = self._system(path)
        if not self._listeners or not system.is_file(path):
            return None
        return self._listeners.get((system, system.file_number(path)))

    def _read_limit(self) -> int:
        return SHORT_READ_BYTES if self.happens("split-reads") else PIPE_BYTES

    def _appears(self, device: SimPciDevice) -> None:
        """A new device: most of what sysfs shows of it may come later."""
        delay_s = self.plan.delay_s("attributes-appear")
        if delay_s:
            device.hidden = LATE
            name = f"attributes of {device.address}"
            self._nursery.start_soon(_show_attributes, device, delay_s, name=name)


async def _show_attributes(device: SimPciDevice, delay_s: float) -> None:
    await trio.sleep(delay_s)
    device.hidden = frozenset()


def _top(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _is_kernel(path: str) -> bool:
    return _top(path) in KERNEL_FOLDERS
