"""How a life begins with a QEMU of its own; its counterpart is `reconnect`.

Host devices are fetched, QEMU is started, what its command line cannot say is set, and then its
processors run, or not, and this is announced in libvirt's order.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

import attrs
import trio

from pyvirt_trio.driver import memory_reports, throttling, trays, virtiofsd
from pyvirt_trio.driver.argv import build_argv
from pyvirt_trio.driver.copying import load
from pyvirt_trio.driver.graphics import begin_graphics, set_passwords
from pyvirt_trio.driver.launch import running_qemu
from pyvirt_trio.driver.missing_images import without_missing
from pyvirt_trio.driver.networks import require_tap
from pyvirt_trio.driver.processes import mark_of
from pyvirt_trio.driver.vcpu_plugging import plug_vcpus_at_start
from pyvirt_trio.models.devices import Interface
from pyvirt_trio.models.events import (
    DomainStarted,
    DomainSuspended,
    StartedDetail,
    SuspendedDetail,
)
from pyvirt_trio.models.states import DomainState, DomainStatus, PausedReason, RunningReason
from pyvirt_trio.models.value import Value

if TYPE_CHECKING:
    from pyvirt_trio.abc import Process
    from pyvirt_trio.driver.life import Life
    from pyvirt_trio.models.domain import DomainDefinition

START_PATIENCE_S = 30.0
PATIENCE_PER_GIB_S = 1.0
"""How long a QEMU may take until its monitor answers and the machine is set up, more for a large
one (``QEMU_DEFAULT_MONITOR_WAIT`` and ``qemuMonitorOpen``)."""

KIB_PER_GIB = 1 << 20


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Boot(Value):
    """How a life begins.

    Args:
        is_paused: Leave the virtual processors stopped.
        incoming: Where QEMU reads the state of the machine from, as a migration URI; ``None`` for a
            machine that is switched on.
        suspended: What is told of processors that are left stopped.
        loaded: Called when that has been read, before anybody is told and the processors run. What
            it raises ends the start.
        unloaded: Called when the life has ended all the same before anybody was told.
    """

    is_new: ClassVar[bool] = True
    """Its QEMU is one that goes with whoever waits for its start, until that is finished."""

    is_paused: bool = False
    incoming: str | None = None
    suspended: SuspendedDetail = SuspendedDetail.PAUSED
    loaded: Callable[[], Awaitable[None]] | None = None
    unloaded: Callable[[], Awaitable[None]] | None = None

    def patience_s(self, definition: DomainDefinition) -> float:
        """How long it may take, in seconds."""
        return START_PATIENCE_S + PATIENCE_PER_GIB_S * definition.memory_kib / KIB_PER_GIB

    @asynccontextmanager
    async def qemu(
        self, life: Life, definition: DomainDefinition
    ) -> AsyncGenerator[tuple[Process, trio.abc.Stream]]:
        """A QEMU of ``definition`` and a connection to its monitor, for the length of a block.

        Raises:
            HostError: It could not be started, or a host device is not to be had.
            DeviceInUseError: Another domain has one of the host devices.
        """
        is_incoming = self.incoming is not None
        definition, changes = await without_missing(life, definition, is_restored=is_incoming)
        others = [one for one in life.domain.hypervisor.domains() if one is not life.domain]
        running = [one.view.live or one.private.starting for one in others]
        definition = begin_graphics(
            definition, filter(None, running), life.host, life.paths.monitor
        )
        life.note(starting=definition)  # without a pause in between: its ports are taken
        devices = await life.host_devices.prepare(life.owner, definition.devices)
        devices = tuple(virtiofsd.with_socket(life, device) for device in devices)
        definition = attrs.evolve(definition, devices=devices)
        for device in devices:
            await require_tap(life.host, device)
            await virtiofsd.serve(life, device)
        argv = build_argv(definition, monitor_path=life.paths.monitor, is_incoming=is_incoming)
        async with running_qemu(life.host, argv, life.paths, life.leaves) as (process, stream):
            mark = await mark_of(life.host, process.pid)
            status = DomainStatus(DomainState.PAUSED, PausedReason.STARTING_UP)
            with life.domain.journal.commit() as commit:
                commit.update(life.domain, live=definition, status=status)
                commit.note(life.domain, starting=None, process=mark)
                for change in changes:
                    commit.announce(change)
            yield process, stream

    async def go_on(self, life: Life) -> None:
        """Bring the machine to where its processors run, unless they are not to.

        Raises:
            PyvirtError: QEMU did not obey, or has ended.
        """
        await plug_vcpus_at_start(life)
        await set_passwords(life)
        for device in life.definition.devices:
            if isinstance(device, Interface) and not device.is_link_up:
                await life.execute("set_link", {"name": device.alias, "up": False})
        await throttling.apply_all(life)
        if self.incoming is not None:
            life.lift_deadline()  # reading memory takes as long as it takes
            await load(life, self.incoming)
            await trays.note(life)
        await memory_reports.report_memory(life)
        if self.loaded is not None:
            await self.loaded()
        await self._first_run(life)

    async def undo(self) -> None:
        """The life has ended before anybody was told of it.

        Raises:
            HostError: What was done for it could not be undone.
        """
        if self.unloaded is not None:
            await self.unloaded()

    async def _first_run(self, life: Life) -> None:
        """Let the processors run, or not, and announce it in libvirt's order."""
        if self.incoming is None and not self.is_paused:
            life.is_booting, life.running_reason = True, RunningReason.BOOTED
            await life.execute("cont")  # RESUME comes before its reply and announces the start
            return
        is_restored = self.incoming is not None
        detail = StartedDetail.RESTORED if is_restored else StartedDetail.BOOTED
        started = DomainStarted(**life.stamp, detail=detail)
        if self.is_paused:
            # libvirt's reason for what was restored, too: its processors have yet to run here.
            reason = PausedReason.MIGRATION if is_restored else PausedReason.USER
            status = DomainStatus(DomainState.PAUSED, reason)
            life.announce(status, started, DomainSuspended(**life.stamp, detail=self.suspended))
        else:
            life.announce(None, started)
            life.running_reason = RunningReason.RESTORED
            await life.execute("cont")
