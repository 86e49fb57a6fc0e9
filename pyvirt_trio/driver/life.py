"""One life of a domain: from the start of a QEMU process to the end of its last trace.

Each start of a domain is a life with a number of its own. The process, its monitor and every task
that serves them live in one nursery and die with it, so nothing of life 3 can touch life 4: no
cached handle outlives the life it belongs to.

Leaving `Life.run` happens in one order, whatever the reason: tasks are cancelled, the process ends,
host devices are given back, and only then one commit makes the domain inactive and announces
`DomainStopped`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import trio

from pyvirt_trio.driver import removal
from pyvirt_trio.driver.argv import build_argv
from pyvirt_trio.driver.hostdevs import HostDeviceManager, Owner
from pyvirt_trio.driver.launch import LifePaths, log_tail, running_qemu
from pyvirt_trio.driver.removal import Removal
from pyvirt_trio.errors import (
    ErrorCode,
    HostError,
    InvalidStateError,
    MonitorError,
    OutcomeUnknownError,
    PyvirtError,
)
from pyvirt_trio.models.devices import Interface
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.events import (
    DomainEvent,
    DomainResumed,
    DomainShutdown,
    DomainStarted,
    DomainStopped,
    DomainSuspended,
    ShutdownDetail,
    StoppedDetail,
)
from pyvirt_trio.models.states import (
    DomainState,
    DomainStatus,
    PausedReason,
    RunningReason,
    ShutdownReason,
    ShutoffReason,
)
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession, open_session

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host, Process
    from pyvirt_trio.driver.domain_core import DomainCore

LAST_WORDS_S = 1.0
"""How long the monitor may stay open after its process; only a fork of QEMU could keep it open."""

_SHUTOFF_REASON = {
    StoppedDetail.SHUTDOWN: ShutoffReason.SHUTDOWN,
    StoppedDetail.DESTROYED: ShutoffReason.DESTROYED,
    StoppedDetail.CRASHED: ShutoffReason.CRASHED,
    StoppedDetail.FAILED: ShutoffReason.FAILED,
}


class Life:
    """A running QEMU and what belongs to it."""

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
        self.ended = trio.Event()
        self._paths = paths
        self._scope = trio.CancelScope()
        self._session: QmpSession | None = None
        self._nursery: trio.Nursery | None = None
        self._detail = StoppedDetail.FAILED
        self._failure: PyvirtError | None = None
        self._is_announced = False

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
        """Let ``removal`` run as long as it takes, within this life."""
        self.require_running()
        assert self._nursery is not None
        self.removals[removal.alias] = removal
        self._nursery.start_soon(removal.run, name=f"remove {removal.alias}")
        return removal

    async def destroy(self) -> None:
        """End the life now, and return when it has ended.

        Cancellation:
            The life ends all the same.
        """
        self._detail = StoppedDetail.DESTROYED
        self._scope.cancel()
        await self.ended.wait()

    async def run(
        self,
        definition: DomainDefinition,
        *,
        is_paused: bool,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Live: start QEMU, serve it until it ends, clean up, announce.

        Args:
            definition: Placed and named.
            is_paused: Leave the virtual processors stopped.
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

        try:
            with self._scope:
                await self._live(definition, is_paused, started)
        except PyvirtError as error:
            self._failure = error
        except trio.Cancelled:  # from outside: whoever held the hypervisor open has left
            self._detail = StoppedDetail.DESTROYED
            raise
        finally:
            with trio.CancelScope(shield=True):
                await self._close()
        if not has_started:
            raise await self._reason_of_failed_start()

    async def _live(
        self, definition: DomainDefinition, is_paused: bool, started: Callable[[], None]
    ) -> None:
        devices = await self.host_devices.prepare(self.owner, definition.devices)
        definition = attrs.evolve(definition, devices=devices)
        argv = build_argv(definition, monitor_path=self._paths.monitor)
        name = f"monitor of {self.domain.name}"
        async with (
            running_qemu(self.host, argv, self._paths) as (process, stream),
            open_session(stream, on_event=self._on_event, name=name) as self._session,
            trio.open_nursery() as self._nursery,
        ):
            self._nursery.start_soon(self._watch_process, process, name="watch process")
            try:
                await self._boot(definition, is_paused)
            except PyvirtError as error:
                self._failure = error
            else:
                started()
                await self._session.wait_ended()
            self._nursery.cancel_scope.cancel()

    async def _boot(self, definition: DomainDefinition, is_paused: bool) -> None:
        status = DomainStatus(DomainState.PAUSED, PausedReason.STARTING_UP)
        with self.domain.journal.commit() as commit:
            commit.update(self.domain, live=definition, status=status)
        for device in definition.devices:
            if isinstance(device, Interface) and not device.is_link_up:
                await self.execute("set_link", {"name": device.alias, "up": False})
        if not is_paused:
            await self.execute("cont")
        self._detail = StoppedDetail.CRASHED
        self._is_announced = True
        with self.domain.journal.commit() as commit:
            commit.announce(DomainStarted(**self.stamp))
            if is_paused:
                status = DomainStatus(DomainState.PAUSED, PausedReason.USER)
                commit.update(self.domain, status=status)
                commit.announce(DomainSuspended(**self.stamp))

    async def _watch_process(self, process: Process) -> None:
        """End the life some time after the process, in case its end did not close the monitor.

        Normally it does, and `QmpSession.wait_ended` returns when all that QEMU had to say is read:
        its last words (SHUTDOWN) arrive after the news of its death as often as before.
        """
        await process.wait()
        await trio.sleep(LAST_WORDS_S)
        self._scope.cancel()

    async def _reason_of_failed_start(self) -> PyvirtError:
        if isinstance(self._failure, MonitorError | OutcomeUnknownError):
            words = await log_tail(self.host, self._paths)
            error = HostError(
                f"QEMU ended during its start: {words}", code=ErrorCode.INTERNAL_ERROR
            )
            error.__cause__ = self._failure
            return error
        return self._failure or InvalidStateError("the domain was destroyed while it started")

    async def _close(self) -> None:
        self._nursery = None
        self._session = None
        removal.life_ended(self)
        try:
            await self.host_devices.release(self.owner)
        except HostError as error:
            self._failure = self._failure or error
        status = DomainStatus(DomainState.SHUTOFF, _SHUTOFF_REASON[self._detail])
        with self.domain.journal.commit() as commit:
            commit.update(self.domain, live=None, status=status)
            if self._is_announced:
                commit.announce(DomainStopped(**self.stamp, detail=self._detail))
            self.domain.forget_life(self)
        self.ended.set()

    def _on_event(self, event: Event) -> None:
        """What QEMU tells, in wire order; each answer to it is one synchronous commit."""
        match event.name:
            case "DEVICE_DELETED" if "device" in event.data:  # its parts have only a path
                removal.device_deleted(self, event.data["device"])
            case "DEVICE_UNPLUG_GUEST_ERROR" if "device" in event.data:
                removal.unplug_refused(self, event.data["device"])
            case "STOP" if self.domain.status.state is DomainState.RUNNING:
                self._change(DomainState.PAUSED, PausedReason.USER, DomainSuspended)
            case "RESUME":
                is_boot = self.domain.status.reason is PausedReason.STARTING_UP
                reason = RunningReason.BOOTED if is_boot else RunningReason.UNPAUSED
                self._change(DomainState.RUNNING, reason, DomainResumed)
                self._is_announced = True
            case "SHUTDOWN":
                self._on_shutdown(is_by_guest=bool(event.data.get("guest")))
            case _:
                pass  # QEMU tells much more than a domain's record has a place for

    def _on_shutdown(self, *, is_by_guest: bool) -> None:
        if self._detail is not StoppedDetail.DESTROYED:
            self._detail = StoppedDetail.SHUTDOWN
        detail = ShutdownDetail.GUEST if is_by_guest else ShutdownDetail.HOST
        with self.domain.journal.commit() as commit:
            status = DomainStatus(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN)
            commit.update(self.domain, status=status)
            commit.announce(DomainShutdown(**self.stamp, detail=detail))

    def _change(
        self,
        state: DomainState,
        reason: RunningReason | PausedReason,
        event: type[DomainEvent],
    ) -> None:
        with self.domain.journal.commit() as commit:
            commit.update(self.domain, status=DomainStatus(state, reason))
            commit.announce(event(**self.stamp))
