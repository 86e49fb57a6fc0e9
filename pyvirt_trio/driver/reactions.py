"""What the events of a QEMU do to its domain: one row for each, and one commit for each event.

Only these change whether a domain runs: a call that stops the processors says why beforehand
(`Life.pause_reason`) and leaves the rest to the STOP event, so that a pause is announced once and
for the right reason (libvirt commit 35b6137696), whoever caused it and in whatever order the event
and the reply are handled.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from pyvirt_trio.driver import memory_reports, removal, trays
from pyvirt_trio.driver.cores import dump_crash
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.reports import REPORTS, disk_of_node
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.models.events import (
    BalloonChanged,
    CrashedDetail,
    DomainCrashed,
    DomainEvent,
    DomainPmSuspended,
    DomainRebooted,
    DomainResumed,
    DomainShutdown,
    DomainStarted,
    DomainSuspended,
    GuestHibernated,
    GuestSlept,
    GuestWoke,
    IoErrorAction,
    IoErrorOccurred,
    MigrationIterated,
    PmSuspendedDetail,
    ResumedDetail,
    RtcChanged,
    ShutdownDetail,
    StartedDetail,
    SuspendedDetail,
    WatchdogAction,
    WatchdogFired,
)
from pyvirt_trio.models.states import (
    CrashedReason,
    DomainState,
    DomainStatus,
    PausedReason,
    PmSuspendedReason,
    RunningReason,
    ShutdownReason,
)
from pyvirt_trio.qmp.messages import Event

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

Data: TypeAlias = Mapping[str, Any]

_WATCHDOG_ACTIONS = {
    "none": WatchdogAction.NONE,
    "pause": WatchdogAction.PAUSE,
    "reset": WatchdogAction.RESET,
    "poweroff": WatchdogAction.POWEROFF,
    "shutdown": WatchdogAction.SHUTDOWN,
    "debug": WatchdogAction.DEBUG,
    "inject-nmi": WatchdogAction.INJECTNMI,
}
_IO_ERROR_ACTIONS = {
    "ignore": IoErrorAction.NONE,
    "stop": IoErrorAction.PAUSE,
    "report": IoErrorAction.REPORT,
}
_RESUMED = {
    RunningReason.MIGRATED: ResumedDetail.MIGRATED,
    RunningReason.RESTORED: ResumedDetail.FROM_SNAPSHOT,
    RunningReason.FROM_SNAPSHOT: ResumedDetail.FROM_SNAPSHOT,
}
"""Why a machine runs -> what is announced, when it is not that it was paused
(``qemuDomainRunningReasonToResumeEvent``)."""


def react(life: Life, event: Event) -> None:
    """Do to the domain what ``event`` means; QEMU tells much more than there is a row for."""
    reaction = REACTIONS.get(event.name)
    if reaction is not None:
        reaction(life, event.data)


# -- the processors -------------------------------------------------------------------------------


def _stopped(life: Life, _data: Data) -> None:
    reason, life.pause_reason = life.pause_reason, PausedReason.UNKNOWN
    if life.domain.status.state is DomainState.RUNNING and not life.is_resetting:
        status = DomainStatus(DomainState.PAUSED, reason)
        life.announce(status, DomainSuspended(**life.stamp, detail=SuspendedDetail.PAUSED))


def _running(life: Life, _data: Data) -> None:
    reason, life.running_reason = life.running_reason, RunningReason.UNPAUSED
    detail = _RESUMED.get(reason, ResumedDetail.UNPAUSED)
    events: list[DomainEvent] = [DomainResumed(**life.stamp, detail=detail)]
    if life.is_booting:
        life.is_booting = False
        events.append(DomainStarted(**life.stamp))
    elif life.domain.status.state is DomainState.RUNNING:
        return
    life.announce(DomainStatus(DomainState.RUNNING, reason), *events)


def _shut_down(life: Life, data: Data) -> None:
    """The guest has powered off, or QEMU is about to exit (``qemuProcessHandleShutdown``)."""
    if life.domain.status.state is DomainState.SHUTDOWN:
        return  # QEMU says so again when it is told to exit
    actions = life.definition.actions
    if data.get("guest") and (life.reboots or actions.on_poweroff.restarts):
        life.is_resetting = True
        restart(life, RunningReason.UNPAUSED)
        return
    detail = ShutdownDetail.GUEST if data.get("guest") else ShutdownDetail.HOST
    status = DomainStatus(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN)
    life.announce(status, DomainShutdown(**life.stamp, detail=detail))
    life.end(Ending.SHUT_DOWN)


def restart(life: Life, reason: RunningReason) -> None:
    """Reset the machine and let it run: libvirt's "fake reboot", for QEMU has no other."""
    life.spawn(partial(_restart, life, reason), name="restart machine")


async def _restart(life: Life, reason: RunningReason) -> None:
    """Under the job, however long that takes: whoever has it has stopped the processors, perhaps.

    A machine that is being saved must not begin to run.
    """
    try:
        async with life.domain.job.hold("restart", patience_s=math.inf):
            await life.execute("system_reset")
            if life.domain.status.state is not DomainState.PAUSED:  # else it was suspended just now
                life.running_reason = reason
                await life.execute("cont")
    except PyvirtError:
        life.end(Ending.SHUT_DOWN)  # a machine that cannot be restarted has been shut down
    finally:
        life.is_resetting = life.reboots = False


def _reset(life: Life, _data: Data) -> None:
    life.announce(None, DomainRebooted(**life.stamp))


# -- sleeping -------------------------------------------------------------------------------------


def _slept(life: Life, _data: Data) -> None:
    _sleep(life, GuestSlept(**life.stamp), PmSuspendedDetail.MEMORY)


def _hibernated(life: Life, _data: Data) -> None:
    _sleep(life, GuestHibernated(**life.stamp), PmSuspendedDetail.DISK)


def _sleep(life: Life, event: DomainEvent, detail: PmSuspendedDetail) -> None:
    if life.domain.status.state is not DomainState.RUNNING:
        life.announce(None, event)
        return
    status = DomainStatus(DomainState.PMSUSPENDED, PmSuspendedReason.UNKNOWN)
    life.announce(status, event, DomainPmSuspended(**life.stamp, detail=detail))


def _woke(life: Life, _data: Data) -> None:
    event = GuestWoke(**life.stamp)
    if life.domain.status.state is not DomainState.PMSUSPENDED:
        life.announce(None, event)
        return
    status = DomainStatus(DomainState.RUNNING, RunningReason.WAKEUP)
    life.announce(status, event, DomainStarted(**life.stamp, detail=StartedDetail.WAKEUP))


# -- what goes wrong ------------------------------------------------------------------------------


def _panicked(life: Life, data: Data) -> None:
    """The guest's kernel is dead, and the processors stand still (``processGuestPanicEvent``)."""
    if data.get("action") == "run":  # somebody has told QEMU to take no notice
        return
    status = DomainStatus(DomainState.CRASHED, CrashedReason.PANICKED)
    life.announce(status, DomainCrashed(**life.stamp))
    if life.definition.actions.on_crash.dumps_core:
        life.spawn(partial(_dump_and_follow, life), name="dump core")
    else:
        _follow_crash(life)


async def _dump_and_follow(life: Life) -> None:
    with contextlib.suppress(PyvirtError):  # a core that cannot be written changes nothing else
        await dump_crash(life)
    if life.domain.status.state is DomainState.CRASHED:  # nobody else has decided meanwhile
        _follow_crash(life)


def _follow_crash(life: Life) -> None:
    action = life.definition.actions.on_crash
    if action.restarts:
        restart(life, RunningReason.CRASHED)
    elif action.destroys:
        life.end(Ending.CRASHED, silently=True)


def _loads_crash_kernel(life: Life, _data: Data) -> None:
    life.announce(None, DomainCrashed(**life.stamp, detail=CrashedDetail.CRASHLOADED))


def _watchdog_fired(life: Life, data: Data) -> None:
    action = _WATCHDOG_ACTIONS[data["action"]]
    event = WatchdogFired(**life.stamp, action=action)
    is_pause = action is WatchdogAction.PAUSE
    _maybe_paused(life, event, PausedReason.WATCHDOG, SuspendedDetail.WATCHDOG, is_pause=is_pause)


def _io_failed(life: Life, data: Data) -> None:
    action = _IO_ERROR_ACTIONS[data["action"]]
    node = data.get("node-name") or data.get("device", "")
    disk = disk_of_node(life, node)
    event = IoErrorOccurred(
        **life.stamp,
        source=(disk.source_file if disk else None) or "",
        alias=(disk.alias if disk else None) or node,
        action=action,
        reason="enospc" if data.get("nospace") else "",
    )
    is_pause = action is IoErrorAction.PAUSE
    _maybe_paused(life, event, PausedReason.IOERROR, SuspendedDetail.IOERROR, is_pause=is_pause)


def _maybe_paused(
    life: Life,
    event: DomainEvent,
    reason: PausedReason,
    detail: SuspendedDetail,
    *,
    is_pause: bool,
) -> None:
    """The cause, and with it the pause: the STOP that follows it has nothing more to tell."""
    if is_pause and life.domain.status.state is DomainState.RUNNING:
        status = DomainStatus(DomainState.PAUSED, reason)
        life.announce(status, event, DomainSuspended(**life.stamp, detail=detail))
    else:
        life.announce(None, event)


# -- the rest -------------------------------------------------------------------------------------


def _device_deleted(life: Life, data: Data) -> None:
    if "device" in data:
        removal.device_deleted(life, data["device"])
    else:
        removal.part_deleted(life, data["path"])


def _unplug_refused(life: Life, data: Data) -> None:
    if "device" in data:
        removal.unplug_refused(life, data["device"])


def _guest_reported(life: Life, data: Data) -> None:
    removal.ost_reported(life, data["info"])


def _memory_resized(life: Life, data: Data) -> None:
    if "id" in data:
        memory_reports.size_changed(life, data["id"], data["size"])


def _clock_set(life: Life, data: Data) -> None:
    life.announce(None, RtcChanged(**life.stamp, offset_s=data["offset"]))


def _balloon_changed(life: Life, data: Data) -> None:
    life.announce(None, BalloonChanged(**life.stamp, actual_kib=data["actual"] // 1024))


def _memory_passed(life: Life, data: Data) -> None:
    """QEMU goes through the guest's memory once more (``qemuProcessHandleMigrationPass``)."""
    if life.domain.job.active_async is not None:
        life.announce(None, MigrationIterated(**life.stamp, iteration=data["pass"]))


def _tray_moved(life: Life, data: Data) -> None:
    trays.moved(life, data.get("id", ""), is_open=data["tray-open"])


REACTIONS: Mapping[str, Callable[[Life, Data], None]] = {
    "STOP": _stopped,
    "RESUME": _running,
    "SHUTDOWN": _shut_down,
    "RESET": _reset,
    "SUSPEND": _slept,
    "SUSPEND_DISK": _hibernated,
    "WAKEUP": _woke,
    "GUEST_PANICKED": _panicked,
    "GUEST_CRASHLOADED": _loads_crash_kernel,
    "WATCHDOG": _watchdog_fired,
    "BLOCK_IO_ERROR": _io_failed,
    "DEVICE_DELETED": _device_deleted,
    "DEVICE_UNPLUG_GUEST_ERROR": _unplug_refused,
    "ACPI_DEVICE_OST": _guest_reported,
    "MEMORY_DEVICE_SIZE_CHANGE": _memory_resized,
    "RTC_CHANGE": _clock_set,
    "BALLOON_CHANGE": _balloon_changed,
    "DEVICE_TRAY_MOVED": _tray_moved,
    "MIGRATION_PASS": _memory_passed,
    **REPORTS,
}
"""QEMU's event -> what it does."""
