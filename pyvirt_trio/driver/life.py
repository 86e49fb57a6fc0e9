"""One life of a domain: from the start of a QEMU process to the end of its last trace.

Each start of a domain is a life with a number of its own. The process, its monitor and every task
that serves them live in one nursery and die with it, so nothing of life 3 can touch life 4: no
cached handle outlives the life it belongs to.

Leaving `Life.run` happens in one order, whatever the reason: the process ends, what it still had to
say is read, tasks are cancelled, host devices are given back, and only then one commit makes the
domain inactive and announces `DomainStopped`. What QEMU's events do to the domain is in
`reactions`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from pyvirt_trio.driver import memory_reports, reactions, removal
from pyvirt_trio.driver.agent_link import NONE_OPEN, AgentLink
from pyvirt_trio.driver.argv import build_argv
from pyvirt_trio.driver.copying import Copying, load
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.hostdevs import HostDeviceManager, Owner
from pyvirt_trio.driver.launch import TERMINATE_GRACE_S, LifePaths, log_tail, running_qemu
from pyvirt_trio.driver.processes import mark_of
from pyvirt_trio.driver.removal import Removal, without
from pyvirt_trio.driver.status import FORGOTTEN
from pyvirt_trio.errors import (
    ErrorCode,
    HostError,
    InvalidStateError,
    MonitorError,
    OutcomeUnknownError,
    PyvirtError,
    RemoteProtocolError,
)
from pyvirt_trio.models.devices import Interface
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import (
    ControlFailed,
    DomainEvent,
    DomainStarted,
    DomainStopped,
    DomainSuspended,
    StartedDetail,
    SuspendedDetail,
)
from pyvirt_trio.models.states import (
    DomainState,
    DomainStatus,
    PausedReason,
    RunningReason,
)
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession, open_session

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host, Process
    from pyvirt_trio.driver.domain_core import DomainCore
    from pyvirt_trio.driver.reconnect import Reconnection

LAST_WORDS_S = 1.0
"""How long the monitor may stay open after its process; only a fork of QEMU could keep it open."""

START_PATIENCE_S = 30.0
PATIENCE_PER_GIB_S = 1.0
"""How long a QEMU may take until its monitor answers and the machine is set up, more for a large
one (``QEMU_DEFAULT_MONITOR_WAIT`` and ``qemuMonitorOpen``)."""

KIB_PER_GIB = 1 << 20


@attrs.frozen(kw_only=True)
class Boot:
    """How a life begins.

    Args:
        is_paused: Leave the virtual processors stopped.
        incoming: Where QEMU reads the state of the machine from, as a migration URI; ``None`` for a
            machine that is switched on.
        loaded: Called when that has been read, before the processors run. What it raises ends the
            start.
    """

    is_paused: bool = False
    incoming: str | None = None
    loaded: Callable[[], Awaitable[None]] | None = None


class Life:
    """A running QEMU and what belongs to it.

    Attributes:
        pause_reason: Why the processors are about to be stopped; the STOP event takes it.
        running_reason: Why they are about to run; the RESUME event takes it.
        is_resetting: Whether that is under way, so that the guest's SHUTDOWN and STOP tell nothing.
        is_booting: Whether the processors run for the first time when they run next.
        is_deaf: Whether QEMU is no longer listened to, because what it says is known.
        copying: The copy of the machine that QEMU is making or reading.
        dumping: The core that it is writing.
    """

    def __init__(
        self,
        domain: DomainCore,
        number: int,
        *,
        host: Host,
        host_devices: HostDeviceManager,
        paths: LifePaths,
    ) -> None:
        self.domain = domain
        self.number = number
        self.host = host
        self.host_devices = host_devices
        self.owner = Owner(domain.name, number)
        self.removals: dict[str, Removal] = {}
        self.memory_changes = 0
        self.ended = trio.Event()
        self.pause_reason = PausedReason.UNKNOWN
        self.running_reason = RunningReason.UNPAUSED
        self.is_resetting = False
        self.is_booting = False
        self.is_deaf = False
        self.copying = Copying()
        self.dumping = Copying()
        self.agent = AgentLink(self)
        self._paths = paths
        self._scope = trio.CancelScope()
        self._session: QmpSession | None = None
        self._nursery: trio.Nursery | None = None
        self._process: Process | None = None
        self._end_asked = trio.Event()
        self._hoped_ending: Ending | None = None
        self._failure: PyvirtError | None = None
        self._is_left = False

    @property
    def definition(self) -> DomainDefinition:
        """The live definition: what the running machine is made of now."""
        live = self.domain.view.live
        assert live is not None, "a running life has a live definition"
        return live

    @property
    def stamp(self) -> dict[str, Any]:
        """What every event of this life carries."""
        return {"domain": self.domain.name, "uuid": self.domain.uuid, "life": self.number}

    @property
    def pid(self) -> int | None:
        """The process id of its QEMU, ``None`` before and after."""
        return self._process.pid if self._process is not None else None

    @property
    def is_ending(self) -> bool:
        """Whether nothing can begin in this life any more."""
        return self._nursery is None

    @property
    def reboots(self) -> bool:
        """Whether the machine is to be reset when its guest has powered off."""
        return self.domain.private.reboots

    @reboots.setter
    def reboots(self, value: bool) -> None:
        self.note(reboots=value)

    @property
    def paths(self) -> LifePaths:
        """Its files."""
        return self._paths

    @property
    def _is_announced(self) -> bool:
        return self.domain.private.is_announced

    @property
    def _ending(self) -> Ending:
        """How it ends if nothing else happens."""
        given = self._hoped_ending or self.domain.private.ending
        if given is not None:
            return given
        if self.domain.status.state is DomainState.SHUTDOWN:
            return Ending.SHUT_DOWN
        return Ending.LOST if self._is_announced else Ending.NOT_STARTED

    def note(self, **changes: object) -> None:
        """Write down for a new manager what has changed of the `PrivateData`, if anything has."""
        private = self.domain.private
        is_new = any(getattr(private, key) != value for key, value in changes.items())
        if is_new and self.domain.current_life is self:
            with self.domain.journal.commit() as commit:
                commit.note(self.domain, **changes)

    def require_running(self) -> None:
        """Refuse to go on when the life has ended meanwhile.

        Raises:
            InvalidStateError: It has.
        """
        if self._nursery is None:
            raise InvalidStateError("domain is not running")

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """As `QmpSession.execute`, on this life's monitor.

        Raises:
            InvalidStateError: The life has ended.
        """
        if self._session is None:
            raise InvalidStateError("domain is not running")
        return await self._session.execute(command, arguments)

    def begin_removal(self, removal: Removal) -> Removal:
        """Let ``removal`` run as long as it takes, within this life.

        Raises:
            InvalidStateError: The life has ended.
        """
        self.spawn(removal.run, name=f"remove {removal.alias}")
        self.removals[removal.alias] = removal
        self.note(leaving=(*without(self.domain.private.leaving, removal.alias), removal.alias))
        return removal

    def end_removal(self, removal: Removal) -> None:
        """The device of ``removal`` is gone, or stays."""
        self.removals.pop(removal.alias, None)
        if self._nursery is not None:  # a life that is left goes on with it under a new manager
            self.note(leaving=without(self.domain.private.leaving, removal.alias))

    def spawn(self, function: Callable[[], Awaitable[None]], *, name: str) -> None:
        """Let something run as long as it takes, within this life.

        Args:
            function: It must not raise.
            name: Of the task.

        Raises:
            InvalidStateError: The life has ended.
        """
        self.require_running()
        assert self._nursery is not None
        try:
            self._nursery.start_soon(function, name=name)
        except RuntimeError:  # its last task is done, and the life's own has yet to hear of it
            raise InvalidStateError("domain is not running") from None

    # -- ending -----------------------------------------------------------------------------------

    def end(self, ending: Ending, *, silently: bool = False) -> None:
        """Let the life end, as ``ending`` tells: SIGTERM now, SIGKILL if it does not help.

        Args:
            ending: What will be said of it. What somebody destroys counts as destroyed.
            silently: What QEMU says from now on is not announced.
        """
        if self._ending is not Ending.DESTROYED:
            self.note(ending=ending)
        self.is_deaf = self.is_deaf or silently
        self._end_asked.set()
        if not self._is_announced or self._nursery is None:  # there may be no process yet
            self._scope.cancel()

    async def destroy(self, *, graceful: bool = False) -> None:
        """End the life now, and return when it has ended.

        Args:
            graceful: Do not kill a QEMU that does not obey SIGTERM.

        Raises:
            HostError: Nor has it within `TERMINATE_GRACE_S`; it goes on running.

        Cancellation:
            The life ends all the same.
        """
        if not graceful or not self._is_announced or self._process is None:
            self.end(Ending.DESTROYED)
            await self.ended.wait()
            return
        self._hoped_ending = Ending.DESTROYED
        self._process.terminate()
        with trio.move_on_after(TERMINATE_GRACE_S):
            await self.ended.wait()
            return
        self._hoped_ending = None
        raise HostError(
            f"Failed to terminate process {self.pid} with SIGTERM: Device or resource busy"
        )

    async def _end_when_asked(self, process: Process) -> None:
        """The monitor stays open meanwhile: QEMU's last words belong to the story."""
        await self._end_asked.wait()
        process.terminate()
        await trio.sleep(TERMINATE_GRACE_S)
        process.kill()

    async def _watch_process(self, process: Process) -> None:
        """End the life some time after the process, in case its end did not close the monitor.

        Normally it does, and `QmpSession.wait_ended` returns when all that QEMU had to say is read:
        its last words (SHUTDOWN) arrive after the news of its death as often as before.
        """
        await process.wait()
        await trio.sleep(LAST_WORDS_S)
        self._scope.cancel()

    # -- the whole of it --------------------------------------------------------------------------

    async def run(
        self,
        definition: DomainDefinition,
        boot: Boot | Reconnection,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Live: start QEMU, serve it until it ends, clean up, announce.

        Args:
            definition: Placed and named.
            boot: How to begin, or to go on.
            task_status: Told when the domain has started and this has been announced.

        Raises:
            PyvirtError: The start failed; nothing is left of it. After the start nothing is
                raised: what went wrong is in the detail of `DomainStopped`.
        """
        has_started = False

        def started() -> None:
            nonlocal has_started
            has_started = True
            task_status.started()

        patience_s = START_PATIENCE_S + PATIENCE_PER_GIB_S * definition.memory_kib / KIB_PER_GIB
        if isinstance(boot, Boot):
            self._scope.deadline = trio.current_time() + patience_s
        try:
            with self._scope:
                await self._live(definition, boot, started)
        except PyvirtError as error:
            self._failure = error
        except trio.Cancelled:  # from outside: whoever held the hypervisor open has left
            self._hoped_ending = Ending.DESTROYED
            raise
        finally:
            with trio.CancelScope(shield=True):
                await self._close()
        if not has_started:
            raise await self._reason_of_failed_start(patience_s)

    async def _live(
        self, definition: DomainDefinition, boot: Boot | Reconnection, started: Callable[[], None]
    ) -> None:
        if isinstance(boot, Boot):
            qemu = self._starting(definition, boot)
        else:
            qemu = boot.found_qemu(self)
        name = f"monitor of {self.domain.name}"
        async with (
            qemu as (self._process, stream),
            open_session(stream, on_event=self._on_event, name=name) as self._session,
            trio.open_nursery() as nursery,
        ):
            self._nursery = nursery
            self.spawn(partial(self._watch_process, self._process), name="watch process")
            self.spawn(partial(self._watch_monitor, self._session), name="watch monitor")
            self.spawn(partial(self._end_when_asked, self._process), name="end when asked")
            try:
                if isinstance(boot, Boot):
                    await self._begin(boot)
                else:
                    await boot.go_on(self)
            except PyvirtError as error:
                self._failure = error
            else:
                started()
                await self._session.wait_ended()
            finally:  # a nursery that is left takes no more tasks: from here on nothing begins
                self._nursery = None
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def _starting(
        self, definition: DomainDefinition, boot: Boot
    ) -> AsyncGenerator[tuple[Process, trio.abc.Stream]]:
        self.note(starting=definition)
        devices = await self.host_devices.prepare(self.owner, definition.devices)
        definition = attrs.evolve(definition, devices=devices)
        is_incoming = boot.incoming is not None
        argv = build_argv(definition, monitor_path=self._paths.monitor, is_incoming=is_incoming)
        async with running_qemu(self.host, argv, self._paths, self.leaves) as (process, stream):
            mark = await mark_of(self.host, process.pid)
            status = DomainStatus(DomainState.PAUSED, PausedReason.STARTING_UP)
            with self.domain.journal.commit() as commit:
                commit.update(self.domain, live=definition, status=status)
                commit.note(self.domain, starting=None, process=mark)
            yield process, stream

    def leaves(self) -> bool:
        """Whether QEMU runs on, now that something unexpected ends this life's tasks.

        That is mostly that the hypervisor is closed. A start that is not finished is undone, an end
        that is wanted is brought about, and a mistake in here is no reason to end a guest.
        """
        self._is_left = (
            self._is_announced
            and not self._scope.cancel_called
            and not self._end_asked.is_set()
            and not self.domain.hypervisor.destroys_on_exit
            and not self.domain.private.is_autodestroyed
        )
        return self._is_left

    async def _begin(self, boot: Boot) -> None:
        for device in self.definition.devices:
            if isinstance(device, Interface) and not device.is_link_up:
                await self.execute("set_link", {"name": device.alias, "up": False})
        if boot.incoming is not None:
            self._scope.deadline = math.inf  # reading memory takes as long as it takes
            await load(self, boot.incoming)
        await memory_reports.report_memory(self)
        if boot.loaded is not None:
            await boot.loaded()
        await self._first_run(boot)

    async def _first_run(self, boot: Boot) -> None:
        """Let the processors run, or not, and announce it in libvirt's order."""
        if boot.incoming is None and not boot.is_paused:
            self.is_booting, self.running_reason = True, RunningReason.BOOTED
            await self.execute("cont")  # RESUME comes before its reply and announces the start
            return
        is_restored = boot.incoming is not None
        detail = StartedDetail.RESTORED if is_restored else StartedDetail.BOOTED
        started = DomainStarted(**self.stamp, detail=detail)
        if boot.is_paused:
            why = SuspendedDetail.RESTORED if is_restored else SuspendedDetail.PAUSED
            status = DomainStatus(DomainState.PAUSED, PausedReason.USER)
            self.announce(status, started, DomainSuspended(**self.stamp, detail=why))
        else:
            self.announce(None, started)
            self.running_reason = RunningReason.RESTORED
            await self.execute("cont")

    # -- what is told -----------------------------------------------------------------------------

    def announce(self, status: DomainStatus | None, *events: DomainEvent) -> None:
        """In one commit: the domain is in a new state, unless ``None``, and events tell of it."""
        self._scope.deadline = math.inf  # QEMU was ready in time
        with self.domain.journal.commit() as commit:
            commit.note(self.domain, is_announced=True)
            if status is not None:
                commit.update(self.domain, status=status)
            for event in events:
                commit.announce(event)

    def _on_event(self, event: Event) -> None:
        """What QEMU tells, in wire order; each answer to it is one synchronous commit.

        A machine of which nobody knows yet has nothing to tell, except that it runs.
        """
        is_known = self._is_announced or self.is_booting
        if event.name == "MIGRATION":
            self.copying.tell(event.data.get("status", ""))
        elif event.name == "DUMP_COMPLETED":
            self.dumping.tell(event.data["result"]["status"])
        elif is_known and not self.is_deaf:
            self.agent.heard(event)
            reactions.react(self, event)

    # -- the end ----------------------------------------------------------------------------------

    async def _watch_monitor(self, session: QmpSession) -> None:
        """Wake those who wait for the end of a copy: no event will tell of it."""
        end = await session.wait_ended()
        if isinstance(end, RemoteProtocolError) and self._is_announced:
            self.announce(None, ControlFailed(**self.stamp))
        self.copying.tell("lost")
        self.dumping.tell("lost")

    async def _reason_of_failed_start(self, patience_s: float) -> PyvirtError:
        if self._ending is Ending.DESTROYED:
            return InvalidStateError("the domain was destroyed while it started")
        if self._failure and not isinstance(self._failure, MonitorError | OutcomeUnknownError):
            return self._failure
        words = await log_tail(self.host, self._paths)
        is_late = self._failure is None
        what = f"was not ready after {patience_s:.0f} s" if is_late else "ended during its start"
        code = ErrorCode.OPERATION_TIMEOUT if is_late else ErrorCode.INTERNAL_ERROR
        error = HostError(f"QEMU {what}: {words}", code=code)
        error.__cause__ = self._failure
        return error

    async def _close(self) -> None:
        self._nursery = self._session = self._process = None
        removal.life_ended(self)
        await self.agent.aclose()
        if self._is_left:
            self.ended.set()
            return
        try:
            await self.host_devices.release(self.owner)
        except HostError as error:
            self._failure = self._failure or error
        with self.domain.journal.commit() as commit:
            ending, was_announced = self._ending, self._is_announced
            commit.update(
                self.domain, live=None, status=ending.status, id=None, open_channels=NONE_OPEN
            )
            commit.note(self.domain, **FORGOTTEN)
            if was_announced:
                commit.announce(DomainStopped(**self.stamp, detail=ending.detail))
            self.domain.forget_life(self)
        self.ended.set()
