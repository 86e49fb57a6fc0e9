"""Going on with a QEMU that a former manager has started (``qemuProcessReconnect``).

What it has told while nobody listened is lost: QEMU keeps no events for later. So it is asked how
it is, and what differs from the last that was announced is announced now, once. What was begun is
finished where only this side has still something to do, and undone where QEMU has: a guest that is
on its way out of the machine goes, a device that is on its way out is taken down, a device of which
QEMU never heard is given back, a copy of the machine that nobody waits for any more is given up.

libvirt kills a QEMU that it cannot reconnect to. Here only that is ended which nobody was ever told
of, or which somebody wanted to end: a QEMU that does not answer is waited for as long as it lives,
and the domain's job, held meanwhile, says so.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

import attrs
import trio

from pyvirt_trio.abc import Process
from pyvirt_trio.driver import memory_reports, reactions, trays, virtiofsd
from pyvirt_trio.driver.argv import monitor_argument
from pyvirt_trio.driver.backends import backends, chardev_name, frontend
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.launch import MAX_CONNECT_PAUSE_S, end_process, ending_qemu
from pyvirt_trio.driver.processes import find_by_word
from pyvirt_trio.driver.removal import begin_again, delete_leftover
from pyvirt_trio.driver.rx_filters import ask_for_trusted
from pyvirt_trio.driver.vcpu_plugging import finish_vcpus
from pyvirt_trio.errors import CommandFailedError, HostError
from pyvirt_trio.models.devices import Channel, Device
from pyvirt_trio.models.events import DeviceAdded, DomainSuspended, SuspendedDetail
from pyvirt_trio.models.jobs import AsyncJob
from pyvirt_trio.models.states import DomainState, DomainStatus, PausedReason, RunningReason
from pyvirt_trio.models.value import Value
from pyvirt_trio.qmp.messages import Event

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life
    from pyvirt_trio.models.domain import DomainDefinition

COPY_PAUSE_S = 0.05
"""How often it is looked whether a copy has been given up, which takes QEMU a few milliseconds, or
a core has been written, which takes as long as it takes."""

EXEC_PATIENCE_S = 5.0
EXEC_PAUSE_S = 0.05
"""How long a process may take from ``fork`` to the end of ``exec``: a quarter of a second was seen
on a machine with ten times as much to do as it can. Only a start that was cut off waits for it."""

_COPYING = ("setup", "active", "pre-switchover", "device", "wait-unplug", "cancelling")
_PAUSED_FOR_COPY = {
    PausedReason.SAVE: RunningReason.SAVE_CANCELED,
    PausedReason.DUMP: RunningReason.UNPAUSED,
    PausedReason.SNAPSHOT: RunningReason.UNPAUSED,
    PausedReason.MIGRATION: RunningReason.MIGRATION_CANCELED,
}
"""Why processors stand still that are to run again -> why they run then
(``qemuProcessRecoverJob``)."""

_STANDS_STILL_FOR = {AsyncJob.SAVE: PausedReason.SAVE, AsyncJob.DUMP: PausedReason.DUMP}


@attrs.frozen(eq=False, repr=False)
class Reconnection(Value):
    """How a life goes on that a former manager had begun. The counterpart of `Boot`.

    Args:
        process: Its QEMU, if that was written down and still runs.
    """

    process: Process | None = None

    is_new: ClassVar[bool] = False

    def patience_s(self, _definition: DomainDefinition) -> float:
        """How long it may take: a QEMU that does not answer is waited for as long as it lives."""
        return math.inf

    @asynccontextmanager
    async def qemu(
        self, life: Life, _definition: DomainDefinition
    ) -> AsyncGenerator[tuple[Process, trio.abc.Stream]]:
        """The life's QEMU and a connection to its monitor, for the length of a block.

        Raises:
            HostError: It has ended; or it was ended here, because it was to be.
        """
        process = self.process
        if life.domain.private.process is None:
            with trio.CancelScope(shield=True):  # nobody may take it for gone who has not looked
                process = await _find(life)
        if process is None:
            raise HostError("QEMU has ended while no manager watched it")
        if life.domain.private.is_autodestroyed:
            life.note(ending=Ending.DESTROYED)
        elif life.domain.private.is_announced and life.domain.view.has_managed_save:
            # Made of this machine, which has stood still since: going on now, it would leave behind
            # an image that does not go with its disks any more.
            life.note(ending=life.domain.private.ending or Ending.SAVED)
        if life.domain.private.ending is not None or not life.domain.private.is_announced:
            with trio.CancelScope(shield=True):
                await end_process(process)
            raise HostError("what a former manager had begun is brought to its end")
        async with ending_qemu(life.host, process, life.paths, life.leaves):
            yield process, await _connect(life, process)

    async def undo(self) -> None:
        """The life has ended, and nobody was ever told of it: `restoring` has looked to that."""

    async def go_on(self, life: Life) -> None:
        """Bring the domain's record to what QEMU says, and finish what was begun.

        Raises:
            MonitorError: QEMU has ended meanwhile.
        """
        steps = (
            _give_up_job,
            _learn_run_state,
            _finish_plugging,
            _finish_removals,
            _learn_channels,
            trays.learn,
            memory_reports.learn,
            ask_for_trusted,
            _finish_block_jobs,
        )
        for step in steps:
            try:
                await step(life)
            except CommandFailedError as error:  # the guest does not die of it
                life.domain.hypervisor.report(f"reconnecting {life.domain.name}: {error}")


async def _find(life: Life) -> Process | None:
    """One whose manager ended before it could write it down.

    Perhaps that was the moment before the new process became a QEMU: until then it looks like one
    more of that manager.
    """
    word = monitor_argument(life.paths.monitor)
    give_up_s = trio.current_time() + EXEC_PATIENCE_S
    while True:
        # Looking takes time itself, where many processes run: the last look begins after all that.
        is_last = trio.current_time() >= give_up_s
        process = await find_by_word(life.host, word)
        if process is not None or is_last:
            return process
        await trio.sleep(EXEC_PAUSE_S)


async def _connect(life: Life, process: Process) -> trio.abc.Stream:
    """Connect to the monitor; a QEMU that is too busy for it is waited for while it lives."""
    while True:
        try:
            return await life.host.open_stream(f"unix:{life.paths.monitor}")
        except OSError:
            with trio.move_on_after(MAX_CONNECT_PAUSE_S) as pause:
                await process.wait()
            if not pause.cancelled_caught:
                raise HostError("QEMU has ended while no manager watched it") from None


# -- a job that nobody waits for ------------------------------------------------------------------


async def _give_up_job(life: Life) -> None:
    """A copy that is not complete is no copy; the guest goes on where it stood still for it."""
    job, status = life.domain.private.async_job, life.domain.status
    if job is not None and await _is_copying(life):
        with contextlib.suppress(CommandFailedError):  # it may have ended by itself just now
            await life.execute("migrate_cancel")
        while await _is_copying(life):  # noqa: ASYNC110 - no event need tell of it
            await trio.sleep(COPY_PAUSE_S)
    if AsyncJob.DUMP is job or PausedReason.DUMP is status.reason:
        # Nothing ends a core early, and until it is written QEMU neither runs nor stops.
        while await _is_dumping(life):  # noqa: ASYNC110 - its event may have come before
            await trio.sleep(COPY_PAUSE_S)
    reason = status.reason
    if job in _STANDS_STILL_FOR and status.state is DomainState.RUNNING:
        # Its manager ended before it heard that the processors had stopped.
        said = (await life.execute("query-status"))["status"]
        reason = _STANDS_STILL_FOR[job] if said in ("paused", "postmigrate") else reason
    if isinstance(reason, PausedReason) and reason in _PAUSED_FOR_COPY:
        life.running_reason = _PAUSED_FOR_COPY[reason]
        await life.execute("cont")
    life.note(async_job=None)


async def _is_copying(life: Life) -> bool:
    return (await life.execute("query-migrate")).get("status") in _COPYING


async def _is_dumping(life: Life) -> bool:
    status: str = (await life.execute("query-dump"))["status"]
    return status == "active"


# -- the processors -------------------------------------------------------------------------------


async def _learn_run_state(life: Life) -> None:
    if life.domain.status.reason is PausedReason.STARTING_UP:
        # A restored machine that was announced and is to run: nothing else has this reason then.
        life.running_reason = RunningReason.RESTORED
        await life.execute("cont")
    said = (await life.execute("query-status"))["status"]
    learn = _RUN_STATES.get(said, _learn_pause)
    learn(life)


def _told(life: Life, name: str, **data: object) -> None:
    """As if QEMU said now what it has said before."""
    reactions.react(life, Event(name, data, -1, -1))


def _learn_running(life: Life) -> None:
    if life.domain.status.state is DomainState.PMSUSPENDED:
        _told(life, "WAKEUP")
    else:
        _told(life, "RESUME")


def _learn_pause(life: Life) -> None:
    _told(life, "STOP")


def _learn_reset(life: Life) -> None:
    """A stopped machine that was reset: so far had the restart of one come."""
    if life.domain.status.state is DomainState.RUNNING:
        life.is_resetting = True
        reactions.restart(life, RunningReason.UNPAUSED)


def _learn_shutdown(life: Life) -> None:
    if life.domain.status.state is DomainState.SHUTDOWN:
        life.end(Ending.SHUT_DOWN)
    else:
        _told(life, "SHUTDOWN", guest=True)


def _learn_panic(life: Life) -> None:
    if life.domain.status.state is not DomainState.CRASHED:
        _told(life, "GUEST_PANICKED", action="pause")
        return
    action = life.definition.actions.on_crash
    if action.restarts:
        reactions.restart(life, RunningReason.CRASHED)
    elif action.destroys:
        life.end(Ending.CRASHED, silently=True)


def _learn_sleep(life: Life) -> None:
    if life.domain.status.state is DomainState.RUNNING:
        _told(life, "SUSPEND")


def _learn_fault(reason: PausedReason, detail: SuspendedDetail) -> Callable[[Life], None]:
    def learn(life: Life) -> None:
        if life.domain.status.state is DomainState.RUNNING:
            status = DomainStatus(DomainState.PAUSED, reason)
            life.announce(status, DomainSuspended(**life.stamp, detail=detail))

    return learn


_RUN_STATES: dict[str, Callable[[Life], None]] = {
    "running": _learn_running,
    "prelaunch": _learn_reset,
    "shutdown": _learn_shutdown,
    "guest-panicked": _learn_panic,
    "suspended": _learn_sleep,
    "io-error": _learn_fault(PausedReason.IOERROR, SuspendedDetail.IOERROR),
    "watchdog": _learn_fault(PausedReason.WATCHDOG, SuspendedDetail.WATCHDOG),
}
"""QEMU's run state -> what the domain learns from it; all others mean that it is paused."""


# -- channels -------------------------------------------------------------------------------------


async def _learn_channels(life: Life) -> None:
    """Which channels somebody in the guest has open (``qemuProcessRefreshChannelVirtioState``)."""
    channels = {
        chardev_name(device): device.alias
        for device in life.definition.devices
        if isinstance(device, Channel) and device.alias is not None
    }
    for report in await life.execute("query-chardev") if channels else ():
        if report["label"] in channels:
            life.agent.learn(channels[report["label"]], is_open=report["frontend-open"])


async def _finish_block_jobs(life: Life) -> None:
    await life.block_jobs.recover()


# -- devices --------------------------------------------------------------------------------------


async def _aliases(life: Life) -> frozenset[str]:
    """Names of the devices that QEMU has, of those that have one."""
    found = await life.execute("qom-list", {"path": "/machine/peripheral"})
    return frozenset(one["name"] for one in found if one["type"].startswith("child<"))


async def _finish_plugging(life: Life) -> None:
    """A device that QEMU has got is plugged in; any other leaves no trace."""
    plugging = life.domain.private.plugging
    present = await _aliases(life) if plugging else frozenset[str]()
    for device in plugging:
        others = tuple(one for one in life.domain.private.plugging if one is not device)
        if device.alias is not None and device.alias in present:
            with life.domain.journal.commit() as commit:
                commit.update(life.domain, live=life.definition.with_device(device))
                commit.note(life.domain, plugging=others)
                commit.announce(DeviceAdded(**life.stamp, alias=device.alias))
        else:
            await _undo_plugging(life, device)
            life.note(plugging=others)


async def _undo_plugging(life: Life, device: Device) -> None:
    for backend in reversed(backends(device)):
        await delete_leftover(life, backend)
    await virtiofsd.end(life, device)
    with contextlib.suppress(HostError):  # the device is in the inactive list
        await life.host_devices.release(life.owner, [device])


async def _finish_removals(life: Life) -> None:
    """What the guest gave up meanwhile is taken down now; for what it has, it is asked again.

    Nobody knows whether the former manager came to ask for it.
    """
    present = await _aliases(life)
    leaving = life.domain.private.leaving
    for device in life.definition.devices:
        has_left = frontend(device) is not None and device.alias not in present
        if has_left or device.alias in leaving:
            begin_again(life, device, guest_let_go=has_left)
    finish_vcpus(life, present)
