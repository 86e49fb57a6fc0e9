"""The QEMU process: from its command line to its exit status."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import chardevs
from pyvirt_sim.qemu.argv import Chardev, Config, JsonOption, parse_argv
from pyvirt_sim.qemu.cpus import Cpus
from pyvirt_sim.qemu.displays import Displays
from pyvirt_sim.qemu.errors import QmpError, StartupError
from pyvirt_sim.qemu.events import Events
from pyvirt_sim.qemu.guest import Guest
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.memory_devices import MemoryDevices
from pyvirt_sim.qemu.monitor import Dispatcher
from pyvirt_sim.qemu.run_state import Cause, RunState
from pyvirt_sim.qemu.world import Listener, MonitorStream, World

_SIGTERM = 15


class QemuProcess:
    """One run of ``qemu-system-x86_64``.

    Args:
        argv: Its command line.
        world: The host.
        pid: Its process id.
        log: Receives what it prints.

    Attributes:
        config: What the command line asks for.
        machine: Its machine; usable once the process has been built.
        guest: The guest in it, which a test may steer.
    """

    def __init__(
        self, argv: Sequence[str], world: World, pid: int, log: Callable[[str], None]
    ) -> None:
        self._argv = tuple(argv)
        self.world = world
        self._pid = pid
        self._log = log
        self.config: Config = Config(program="qemu-system-x86_64")
        self.monitors = Dispatcher(self)
        self.events = Events(world, lambda: self.actor, self.monitors.send, self._spawn)
        self._nursery: trio.Nursery | None = None
        self._listeners: list[Listener] = []
        self._woken = trio.Event()
        self._exit_status: int | None = None
        self._killer: int | None = None
        self.displays: Displays = Displays(world, [], None, {})
        self.machine: Machine = self._make_machine()
        self.guest: Guest = self._make_guest()

    @property
    def actor(self) -> str:
        """Who does things in notes."""
        return f"qemu/{self.config.name}"

    async def run(self) -> int:
        """Run to the end.

        Returns:
            The exit status, or -15 for a SIGTERM that came before QEMU handled signals.

        Cancellation:
            As SIGKILL: connections end, host devices are closed, the socket stays behind.
        """
        try:
            self.config = parse_argv(self._argv)
            await self.world.pause("process-start")
            self._open_chardevs()
            self._build()
        except StartupError as error:
            self._close_listeners(unlink=False)
            self.displays.close()
            self.machine.tree.close_host_devices()
            self._log(f"{error}\n" if str(error).startswith("qemu:") else self._prefixed(error))
            note(self.actor, "refuses to start", reason=str(error))
            return 1
        try:
            return await self._main_loop()
        finally:
            self.monitors.close()
            self._close_listeners(unlink=False)
            self.displays.close()
            self.machine.tree.close_host_devices()

    def _prefixed(self, message: object) -> str:
        return f"{self.config.program}: {message}\n"

    # -- building -----------------------------------------------------------------------------

    def _open_chardevs(self) -> None:
        for chardev in self.config.chardevs.values():
            if chardev.path is None or chardev.is_client:
                continue
            try:
                if chardev.backend == "socket":
                    self._listen(chardev)
                else:
                    self.world.append_text(chardev.path, "")
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                verb = (
                    "Failed to bind socket to" if chardev.backend == "socket" else "Could not open"
                )
                name = chardev.path if chardev.backend == "socket" else f"'{chardev.path}'"
                raise StartupError(f"-chardev {chardev.id}: {verb} {name}: {reason}") from error

    def _listen(self, chardev: Chardev) -> None:
        assert chardev.path is not None
        is_monitor = chardev.id in self.config.monitor_chardevs
        accept = self.monitors.add().accept if is_monitor else partial(self._accept, chardev.id)
        self._listeners.append(self.world.listen(chardev.path, accept))

    def _accept(self, chardev: str, stream: MonitorStream) -> bool:
        return self.machine.tree.chardevs.accept(chardev, stream)

    def _build(self) -> None:
        """Create the machine and what the command line puts into it, in QEMU's order."""
        config = self.config
        for wanted in config.monitor_chardevs:
            if wanted not in config.chardevs:
                raise StartupError(f'-mon chardev={wanted}: chardev "{wanted}" not found')
        self.machine = self._make_machine()
        if config.is_incoming:
            self.machine.state = RunState.INMIGRATE
        if config.bios is not None:
            self.machine.firmware_bytes = 64 << 10
        tree = self.machine.tree
        for item in config.chardevs.values():
            tree.chardevs.put(self._chardev(item))
        self._create(config.of("-object"), tree.objects.add)
        try:
            self.machine.memory.map_nodes(tree.objects)
        except QmpError as error:
            raise StartupError(error.description) from error
        self._create(config.of("-blockdev"), tree.blocks.add)
        self._create(config.of("-netdev"), tree.netdevs.add)
        for kind, path in (("kernel", config.kernel), ("initrd", config.initrd)):
            if path is not None and not self.world.file_exists(path):
                raise StartupError(_cannot_read(kind, path))
        tree.audiodevs.update(config.audiodevs)
        self._create(config.of("-device"), self.machine.tree.device_add)
        self.displays = Displays(self.world, config.vncs, config.spice, config.audiodevs)
        self.displays.open()
        self.guest = self._make_guest()
        self.machine.peer = self.guest
        tree.chardevs.reader = self.guest.agent.accept
        self.machine.tree.finish_building()

    def _create(
        self, options: Sequence[JsonOption], add: Callable[[Mapping[str, Any]], None]
    ) -> None:
        for option in options:
            try:
                add(option.value)
            except QmpError as error:
                text = f"{option.option} {option.text}: {error.description}"
                raise StartupError(text) from error

    def _chardev(self, item: Chardev) -> chardevs.Chardev:
        is_monitor = item.id in self.config.monitor_chardevs
        name = f"unix:{item.path},server=on" if item.backend == "socket" else item.backend
        if item.is_client:
            if not self.world.serves_devices(str(item.path)):
                raise StartupError(f"-chardev {item.id}: Failed to connect to '{item.path}'")
            return chardevs.Chardev(item.id, "socket", f"unix:{item.path}", is_connected=True)
        return chardevs.Chardev(
            item.id, item.backend, name, is_open=is_monitor, is_taken=is_monitor
        )

    def _make_machine(self) -> Machine:
        config = self.config
        topology = attrs.evolve(config.topology, nodes=_nodes(config))
        memory = MemoryDevices(
            config.memory_bytes,
            config.max_memory_bytes,
            config.memory_slots,
            nodes=tuple(node.memdev for node in config.nodes),
            whole=config.memory_object,
            has_nvdimm=config.has_nvdimm,
        )
        return Machine(
            config.name,
            self._pid,
            self.world,
            self.events.emit,
            self._spawn,
            self._end,
            lambda text: self._log(self._prefixed(text)),
            config.actions,
            config.board,
            memory,
            Cpus(f"{config.cpu_model}-x86_64-cpu", topology),
            config.has_native_hotplug,
            config.disabled_sleeps,
        )

    def _make_guest(self) -> Guest:
        # A firmware of somebody's own is taken for the whole guest.
        has_system = self.config.bios is None and self.machine.tree.has_boot_source(
            self.config.kernel
        )
        return Guest(self.machine, self.world, self._spawn, self._console, has_system)

    def _console(self, text: str) -> None:
        """The guest writes on its serial ports."""
        for device in self.machine.tree.devices.values():
            chardev = self.config.chardevs.get(device.links.get("chardev", ""))
            if chardev is not None and chardev.path is not None:
                self.world.append_text(chardev.path, text)

    # -- running ------------------------------------------------------------------------------

    async def _main_loop(self) -> int:
        if self._woken.is_set():  # a signal before there was a handler for it
            return -_SIGTERM
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.monitors.run, name=f"{self.actor}/dispatcher")
            for index, monitor in enumerate(self.monitors.monitors):
                nursery.start_soon(monitor.serve, name=f"{self.actor}/monitor {index}")
            note(self.actor, "runs its main loop")
            if not self.config.starts_paused:
                self.machine.resume()
            await self._woken.wait()
            self._obey_signal()
            nursery.cancel_scope.cancel()
        self._nursery = None
        self.monitors.close()
        self._close_listeners(unlink=not self.world.happens("exit-leaves-socket"))
        await self.world.pause("process-exit")
        return self._exit_status or 0

    def _obey_signal(self) -> None:
        if self._killer is not None and self._exit_status is None:
            words = f"terminating on signal {_SIGTERM} from pid {self._killer} (pyvirt)"
            self._log(self._prefixed(words))
            self.machine.shut_down(Cause.HOST_SIGNAL)

    def _spawn(self, function: Callable[..., Any], /, *args: object, name: str) -> None:
        # Background work dies with the main loop; a host device may be asked for even later.
        if self._nursery is not None:
            # Its last task may be done, and the main loop's own has yet to hear of it.
            with contextlib.suppress(RuntimeError):
                self._nursery.start_soon(function, *args, name=name)

    def _end(self, status: int) -> None:
        self._exit_status = status
        self._woken.set()

    # -- what the host asks for -----------------------------------------------------------------

    def terminate(self, sender: int) -> None:
        """SIGTERM from the process ``sender``."""
        self._killer = sender
        self._woken.set()

    def _close_listeners(self, *, unlink: bool) -> None:
        for listener in self._listeners:
            listener.close(unlink=unlink)
        self._listeners.clear()


def _nodes(config: Config) -> tuple[tuple[int, ...], ...]:
    """Which processors belong to which memory node.

    Where memory can be plugged in, QEMU makes one node of a whole machine that has none.
    """
    places = range(config.topology.places)
    if not config.nodes:
        return (tuple(places),) if config.memory_slots else ()
    taken = [cpu for node in config.nodes for cpu in node.cpus]
    if sorted(taken) != list(places):
        raise ModelGapError("processors that are in no node, or in several, are not modelled")
    return tuple(node.cpus for node in config.nodes)


def _cannot_read(kind: str, path: str) -> str:
    if kind == "kernel":
        return f"qemu: could not open kernel file '{path}': No such file or directory"
    return (
        f"qemu: error reading initrd {path}: "
        f"Failed to open file \u201c{path}\u201d: No such file or directory"
    )
