"""Removal is a table: what happens to a device between "please let go" and ``DeviceRemoved``.

`REMOVAL_TABLE` gives the steps for each device type, in order, as data. One `Removal` executes its
row, in the nursery of the life that the device belongs to, so that it goes on when the caller who
asked for it has lost interest, and ends when the QEMU process does.

Steps after the guest's consent run under the domain's job. Neighbouring steps of the kind that only
changes records (`RecordStep`) run in one `Commit`; an event announced there reaches
observers after every change made there.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import trio

from pyvirt_trio.driver import virtiofsd
from pyvirt_trio.driver.backends import Backend, backends
from pyvirt_trio.driver.jobs import PATIENCE_S
from pyvirt_trio.driver.journal import Commit
from pyvirt_trio.driver.vcpu_choice import with_vcpu
from pyvirt_trio.errors import (
    CommandFailedError,
    HostError,
    InvalidStateError,
    MonitorClosedError,
    OutcomeUnknownError,
    PyvirtError,
    UnplugRefusedError,
)
from pyvirt_trio.models.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    GuestForward,
    HostDevice,
    Input,
    Interface,
    RedirectedUsb,
    Rng,
    Serial,
    SharedMemory,
    Watchdog,
)
from pyvirt_trio.models.events import DeviceRemovalFailed, DeviceRemoved
from pyvirt_trio.models.host_devices import (
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
)
from pyvirt_trio.models.memory import Dimm, Nvdimm, VirtioMemory, VirtioPmem
from pyvirt_trio.models.sharing import Filesystem, Lease, Vsock
from pyvirt_trio.models.value import Value
from pyvirt_trio.models.vcpus import Vcpu

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

HELD_PAUSE_S = 0.05
_PERIPHERAL = "/machine/peripheral/"
_LAPIC = "/lapic"

FINALIZE_PATIENCE_S = 10.0
"""How long DEVICE_DELETED is waited for once QEMU does not find the device any more. Up to six
seconds were seen, with a host device that takes long to reset (QEMU commit f7b879e072ae)."""


@attrs.frozen(eq=False, repr=False)
class WorkStep(Value):
    """A step that talks to QEMU or the host and may take time."""

    name: str
    run: Callable[[Removal], Awaitable[None]]


@attrs.frozen(eq=False, repr=False)
class RecordStep(Value):
    """A step that changes records or announces, in no time."""

    name: str
    apply: Callable[[Removal, Commit], None]


Step: TypeAlias = WorkStep | RecordStep
Within: TypeAlias = Callable[[], contextlib.AbstractAsyncContextManager[None]]


class Removal:
    """One device on its way out of one life of a domain.

    Attributes:
        asked: QEMU has taken the request, or it never will.
        answered: What becomes of the device is known.
        finished: The removal is over.
        patience: Ends the wait for QEMU's word, when QEMU does not find the device any more.
        is_sent: The guest may have heard of it.
        is_refused: The guest keeps it, by the latest that is known.
        is_deleted: QEMU has told that it is gone.
        error: Why it failed, if it did.
        asking_error: Why the guest could not be asked, if it had let go all the same.

    Args:
        life: The life.
        device: The device.
        guest_let_go: The guest has given it up.
        is_resumed: A former manager may have asked the guest, or even deleted backends.
        within: What asking is a part of: entered under the domain's job before the guest is asked,
            and left when QEMU has taken the request.
    """

    def __init__(
        self,
        life: Life,
        device: Device,
        *,
        guest_let_go: bool = False,
        is_resumed: bool = False,
        within: Within = contextlib.nullcontext,
    ) -> None:
        assert device.alias is not None, "a device in a life has an alias"
        self.life = life
        self.device = device
        self.alias = device.alias
        self.asked = trio.Event()
        self.answered = trio.Event()
        self.finished = trio.Event()
        self.patience = trio.CancelScope()
        self.is_sent = False
        self.is_refused = False
        self.is_deleted = guest_let_go
        self.error: PyvirtError | None = None
        self.asking_error: PyvirtError | None = None
        self.is_resumed = is_resumed
        self.within = within
        if guest_let_go:
            self.asked.set()
            self.answered.set()

    async def wait(self) -> None:
        """Block until the device is gone and announced.

        Raises:
            UnplugRefusedError: The guest keeps the device.
            CommandFailedError: QEMU refused; the device stays.
            HostError: The device is gone from the domain, but the host could not take it back.
            InvalidStateError: The life ended first.

        Cancellation:
            The removal goes on.
        """
        await self.finished.wait()
        if self.error is not None:
            raise self.error

    def accepted(self) -> Removal:
        """This removal, unless it failed before the guest had a say.

        Raises:
            PyvirtError: It did, with this.
        """
        if self.asking_error is not None:
            raise self.asking_error
        if self.has_failed:
            assert self.error is not None, "that is what failing means"
            raise self.error
        return self

    @property
    def has_failed(self) -> bool:
        """Whether it failed before the guest had a say: the device stays, or the domain stops."""
        return self.error is not None and not self.answered.is_set()

    async def run(self) -> None:
        """Execute the row of the table for this device; ends as `wait` tells."""
        request, teardown = split_at_consent(REMOVAL_TABLE[type(self.device)])
        if not request or is_unseen(self.device):  # nobody is asked: all of it is done at once
            request, teardown = teardown, ()
        try:
            if not self.asked.is_set():
                await self.ask(request)
                self.asked.set()
            if teardown:
                await AWAIT_GUEST.run(self)
                # However long: the guest has let go, and only this tears down what it had.
                async with self.life.domain.job.hold("remove-device", patience_s=math.inf):
                    await self.execute(teardown)
        except (MonitorClosedError, OutcomeUnknownError) as error:
            stopped = self._stopped()
            stopped.__cause__ = error
            self.fail(stopped)
        except PyvirtError as error:
            self.fail(error)
        else:
            self.fail(None)

    async def ask(self, request: tuple[Step, ...]) -> None:
        """Execute the steps before the guest's consent; for `run`."""
        patience_s = math.inf if self.is_resumed else PATIENCE_S
        try:
            async with (
                self.life.domain.job.hold("detach-device", patience_s=patience_s),
                self.within(),
            ):
                await self.execute(request)
        except (MonitorClosedError, OutcomeUnknownError):
            raise
        except PyvirtError as error:
            if not self.is_deleted:
                raise
            # The guest was faster, and nobody but this removal takes down what the device had.
            self.error = self.asking_error = error

    def life_ended(self) -> None:
        """The QEMU process is gone: whoever waits is told so."""
        self.fail(self._stopped())

    def _stopped(self) -> PyvirtError:
        return InvalidStateError(f"domain stopped before device {self.alias} was removed")

    def fail(self, error: PyvirtError | None) -> None:
        """End the removal; ``None`` means that the device is gone. Only the first call counts."""
        if self.finished.is_set():
            return
        self.error = self.error or error
        self.life.end_removal(self)
        self.asked.set()
        self.finished.set()

    async def execute(self, steps: tuple[Step, ...]) -> None:
        """Execute some steps of a row; for `run`."""
        for kind, group in itertools.groupby(steps, key=type):
            if kind is RecordStep:
                with self.life.domain.journal.commit() as commit:
                    for step in group:
                        assert isinstance(step, RecordStep)
                        step.apply(self, commit)
            else:
                for step in group:
                    assert isinstance(step, WorkStep)
                    await step.run(self)


def without(aliases: tuple[str, ...], alias: str) -> tuple[str, ...]:
    """The others."""
    return tuple(one for one in aliases if one != alias)


def is_unseen(device: Device) -> bool:
    """Whether the guest does not see it, so that it has nothing to give up."""
    return isinstance(device, HostDevice) and device.is_unassigned


def split_at_consent(row: tuple[Step, ...]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """What comes before the guest's answer, and what comes after; no answer is needed by some."""
    if AWAIT_GUEST not in row:
        return (), row
    consent = row.index(AWAIT_GUEST)
    return row[:consent], row[consent + 1 :]


async def _ask_guest(removal: Removal) -> None:
    """``device_del`` only asks. Any answer counts less than what QEMU has told by an event.

    A device that QEMU does not find any more has been let go of; what is still missing is the
    event that says so, see `_await_guest`.
    """
    removal.is_sent = True
    try:
        await removal.life.execute("device_del", {"id": removal.alias})
    except CommandFailedError as error:
        if error.error_class == "DeviceNotFound":
            removal.patience.deadline = trio.current_time() + FINALIZE_PATIENCE_S
        elif not removal.is_deleted and not removal.is_resumed:
            raise  # DEVICE_DELETED may overtake an error reply; a former manager may have asked


async def _await_guest(removal: Removal) -> None:
    """Until QEMU has told what became of the device.

    QEMU takes a device out of its tree first, and sends DEVICE_DELETED when the last reference is
    gone: from then on its name, its backends and its host device are free. In between it does not
    find the device. libvirt takes that for the end; here the end is waited for, unless it is never
    told.
    """
    with removal.patience:
        await removal.answered.wait()
    if removal.is_refused:
        raise UnplugRefusedError(
            f"unplug of device was rejected by the guest: {removal.alias}",
        )


async def _delete_backends(removal: Removal) -> None:
    found = backends(removal.device)[::-1]
    if removal.is_resumed:
        for backend in found:
            await delete_leftover(removal.life, backend)
        return
    # All at once: one that still stands on another which QEMU keeps is kept as well.
    for answer in await removal.life.execute_each([(one.delete, one.identity) for one in found]):
        answer.unwrap()


async def delete_leftover(life: Life, backend: Backend) -> None:
    """Delete a backend that may be gone already, or may still be held by a device that goes.

    QEMU's DEVICE_DELETED, which tells when it is free, may have been told to a former manager.

    Raises:
        CommandFailedError: It is still held after `FINALIZE_PATIENCE_S`.
    """
    give_up_s = trio.current_time() + FINALIZE_PATIENCE_S
    while True:
        try:
            await life.execute(backend.delete, backend.identity)
        except CommandFailedError as error:
            is_held = any(word in str(error) for word in ("in use", "busy"))
            if is_held and trio.current_time() < give_up_s:
                await trio.sleep(HELD_PAUSE_S)
                continue
            if is_held:
                raise
        return


async def _delete_backends_left(removal: Removal) -> None:
    """``usb-redir`` and a forwarding network take their character device with them.

    libvirt asks QEMU to remove it all the same, and does not mind the answer.
    """
    for backend in reversed(backends(removal.device)):
        try:
            await removal.life.execute(backend.delete, backend.identity)
        except CommandFailedError:
            if backend.delete != "chardev-remove" and not removal.is_resumed:
                raise


async def _end_server(removal: Removal) -> None:
    await virtiofsd.end(removal.life, removal.device)


async def _release_host_device(removal: Removal) -> None:
    try:
        await removal.life.host_devices.release(removal.life.owner, [removal.device])
    except HostError as error:
        removal.error = error  # the device has left the domain all the same: go on and say so


def _forget(removal: Removal, commit: Commit) -> None:
    domain = removal.life.domain
    live = domain.view.live
    assert live is not None, "a removal ends with its life"
    device = live.device(removal.alias)
    assert device is not None, "a device leaves the definition only through its removal"
    # QEMU tells nothing of what was open.
    channels = domain.view.open_channels - {removal.alias}
    trays = domain.view.open_trays - {removal.alias}
    changed = live.without_device(device)
    commit.update(domain, live=changed, open_channels=channels, open_trays=trays)
    commit.note(domain, leaving=without(domain.private.leaving, removal.alias))


async def _require_vcpu_gone(removal: Removal) -> None:
    """The event may have been that of an earlier processor of the same name.

    libvirt asks QEMU, too, before it believes that a processor is gone.
    """
    path = f"{_PERIPHERAL}{removal.alias}"
    places = await removal.life.execute("query-hotpluggable-cpus")
    if any(place.get("qom-path") == path for place in places):
        raise PyvirtError(f"QEMU has told that {removal.alias} is gone, and has it")


def _take_offline(removal: Removal, commit: Commit) -> None:
    domain = removal.life.domain
    live = domain.view.live
    vcpu = live.plugged_vcpu(removal.alias) if live is not None else None
    assert live is not None, "a removal ends with its life"
    assert vcpu is not None, "a processor leaves the definition only through its removal"
    commit.update(domain, live=with_vcpu(live, vcpu, enabled=False))
    leaving = without(domain.private.leaving, removal.alias)
    commit.note(domain, leaving=leaving, has_lost_vcpu=True)


def _announce(removal: Removal, commit: Commit) -> None:
    commit.announce(DeviceRemoved(**removal.life.stamp, alias=removal.alias))


ASK_GUEST = WorkStep("ask the guest", _ask_guest)
AWAIT_GUEST = WorkStep("await DEVICE_DELETED", _await_guest)
DELETE_BACKENDS = WorkStep("delete the backends", _delete_backends)
DELETE_BACKENDS_LEFT = WorkStep("delete the backends that are left", _delete_backends_left)
RELEASE_HOST_DEVICE = WorkStep("release the host device", _release_host_device)
END_SERVER = WorkStep("end the virtiofsd that was started for it", _end_server)
FORGET = RecordStep("forget it in the definition", _forget)
ANNOUNCE = RecordStep("announce DeviceRemoved", _announce)
QUERY_VCPUS = WorkStep("ask QEMU for its processors", _require_vcpu_gone)
TAKE_OFFLINE = RecordStep("mark it offline and drop its name", _take_offline)

_OST_EJECTS = (3, 0x103)
"""What the report is about (ACPI, "_OST"): an eject that QEMU asked for, or one of the guest's."""

_OST_NOT_REFUSED = (0, 0x84)
"""Done, and "ejection in progress", which Linux says first."""

REMOVAL_TABLE: dict[type[Device], tuple[Step, ...]] = {
    Console: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    Vsock: (ASK_GUEST, AWAIT_GUEST, FORGET, ANNOUNCE),
    Filesystem: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, END_SERVER, FORGET, ANNOUNCE),
    # Neither QEMU nor the guest knows of it, and libvirt announces nothing.
    Lease: (FORGET,),
    Channel: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    Controller: (ASK_GUEST, AWAIT_GUEST, FORGET, ANNOUNCE),
    Disk: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    Interface: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    RedirectedUsb: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS_LEFT, FORGET, ANNOUNCE),
    Rng: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    Serial: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    # The guest has no part in it: deleting the network backend is final.
    GuestForward: (DELETE_BACKENDS_LEFT, FORGET, ANNOUNCE),
    HostDevice: (ASK_GUEST, AWAIT_GUEST, RELEASE_HOST_DEVICE, FORGET, ANNOUNCE),
    HostInterface: (ASK_GUEST, AWAIT_GUEST, RELEASE_HOST_DEVICE, FORGET, ANNOUNCE),
    HostMediated: (ASK_GUEST, AWAIT_GUEST, RELEASE_HOST_DEVICE, FORGET, ANNOUNCE),
    HostScsi: (
        ASK_GUEST,
        AWAIT_GUEST,
        DELETE_BACKENDS,
        RELEASE_HOST_DEVICE,
        FORGET,
        ANNOUNCE,
    ),
    HostScsiTarget: (ASK_GUEST, AWAIT_GUEST, RELEASE_HOST_DEVICE, FORGET, ANNOUNCE),
    HostUsb: (ASK_GUEST, AWAIT_GUEST, RELEASE_HOST_DEVICE, FORGET, ANNOUNCE),
    Input: (ASK_GUEST, AWAIT_GUEST, FORGET, ANNOUNCE),
    Watchdog: (ASK_GUEST, AWAIT_GUEST, FORGET, ANNOUNCE),
    SharedMemory: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    Dimm: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    Nvdimm: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    VirtioMemory: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    VirtioPmem: (ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET, ANNOUNCE),
    # libvirt announces nothing: whoever asked is told, and the definition says how many there are.
    Vcpu: (ASK_GUEST, AWAIT_GUEST, QUERY_VCPUS, TAKE_OFFLINE),
}
"""The steps of a removal for each device type that can be unplugged, in order."""


async def request_removal(
    life: Life, device: Device, within: Within = contextlib.nullcontext
) -> Removal:
    """Ask the guest to give ``device`` up (``qemuDomainDetachDeviceAlias``).

    A removal that is already pending is joined, and the guest is asked again: it may have been
    booting and deaf when it was asked first.

    Args:
        life: The life that has it.
        device: The device.
        within: What asking is a part of, see `Removal`. Its errors are raised.

    Returns:
        The removal. QEMU has accepted the request; the guest has not answered yet, or has.

    Raises:
        CommandFailedError: QEMU refused the first request; the device stays.

    Cancellation:
        The request may have been sent, or will be; the removal then goes on.
    """
    assert device.alias is not None, "a device in a life has an alias"
    pending = life.removals.get(device.alias)
    if pending is None:
        removal = life.begin_removal(Removal(life, device, within=within))
        await removal.asked.wait()
        return removal.accepted()
    await pending.asked.wait()
    if pending.has_failed and not life.is_ending and _is_there(life, device):
        return await request_removal(life, device, within)  # that one's trouble need not be ours
    async with life.domain.job.hold("detach-device"), within():
        # Meanwhile it may be over, and the name another device's.
        if not pending.answered.is_set() and not pending.finished.is_set():
            with contextlib.suppress(CommandFailedError):  # "already in the process of unplug", say
                await _ask_guest(pending)
    return pending.accepted()


def _is_there(life: Life, device: Device) -> bool:
    """Whether ``device`` itself still belongs to the machine; a processor is known by its place."""
    assert device.alias is not None, "a device in a life has an alias"
    if isinstance(device, Vcpu):
        return life.definition.plugged_vcpu(device.alias) is not None
    return life.definition.device(device.alias) is device


def device_deleted(life: Life, alias: str) -> None:
    """QEMU's DEVICE_DELETED for a device with an id: the guest has let go of it."""
    removal = life.removals.get(alias)
    if removal is not None:
        removal.is_deleted = True
        removal.is_refused = False  # a guest may refuse, and then let go all the same
        removal.answered.set()
    elif life.domain.view.live is not None and not life.is_ending:
        life.spawn(partial(_deleted_unasked, life, alias), name=f"{alias} was deleted")


async def _deleted_unasked(life: Life, alias: str) -> None:
    """Nobody asked: the guest ejected it, or an asker had given up, or it is late.

    A device of that name may have come since, so QEMU is asked whether it has one: under the job,
    for an answer and a record that are of one moment.
    """
    with contextlib.suppress(PyvirtError):  # the domain is ending, and takes the device with it
        async with life.domain.job.hold("remove-device", patience_s=math.inf):
            there = await life.execute("qom-list", {"path": "/machine/peripheral"})
            live = life.definition
            device = live.device(alias) or live.plugged_vcpu(alias)
            if device is not None and all(one["name"] != alias for one in there):
                begin_again(life, device, guest_let_go=True)


def begin_again(life: Life, device: Device, *, guest_let_go: bool) -> None:
    """Let ``device`` go on leaving, whoever has begun that: perhaps a former manager.

    Args:
        life: The life that has it.
        device: The device.
        guest_let_go: QEMU does not have it any more.

    Raises:
        InvalidStateError: The life has ended.
    """
    assert device.alias is not None, "a device in a life has an alias"
    pending = life.removals.get(device.alias)
    if pending is None:
        life.begin_removal(Removal(life, device, guest_let_go=guest_let_go, is_resumed=True))
        return
    pending.is_resumed = True
    if guest_let_go:
        device_deleted(life, device.alias)


def part_deleted(life: Life, path: str) -> None:
    """QEMU's DEVICE_DELETED for something without an id: a part of a device.

    Of a processor under TCG nothing else is ever told. QEMU 7.2 keeps a reference to it for ever,
    so that the event of the processor itself never comes, but its interrupt controller ends, and
    the thread with it.
    """
    alias = path.removeprefix(_PERIPHERAL).removesuffix(_LAPIC)
    live = life.domain.view.live
    is_lapic = path == f"{_PERIPHERAL}{alias}{_LAPIC}"
    is_known = alias in life.removals or (live is not None and live.plugged_vcpu(alias) is not None)
    if is_lapic and is_known:
        device_deleted(life, alias)


def unplug_refused(life: Life, alias: str) -> None:
    """QEMU's DEVICE_UNPLUG_GUEST_ERROR: the guest keeps the device."""
    with life.domain.journal.commit() as commit:
        commit.announce(DeviceRemovalFailed(**life.stamp, alias=alias))
    removal = life.removals.get(alias)
    # One who has yet to ask does not take the answer to an earlier request for his own.
    if removal is not None and removal.is_sent and not removal.answered.is_set():
        removal.is_refused = True
        removal.answered.set()


def ost_reported(life: Life, report: Mapping[str, Any]) -> None:
    """QEMU's ACPI_DEVICE_OST: what a guest says about a module or processor it was asked for.

    A PC's guest has no other word for "no" (``qemuProcessHandleAcpiOstInfo``). libvirt knows one
    status that means it; Linux has more, such as "busy", and one that means "I am at it".
    """
    alias = report.get("device")
    is_eject = report["source"] in _OST_EJECTS
    if alias is not None and is_eject and report["status"] not in _OST_NOT_REFUSED:
        unplug_refused(life, alias)


def life_ended(life: Life) -> None:
    """The QEMU process is gone: whoever waits for one of its devices is told so."""
    for removal in list(life.removals.values()):
        removal.life_ended()
