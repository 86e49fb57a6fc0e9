"""A device is asked for, and its guest takes its time, or refuses, or does not hear.

One story with many settings. An operator attaches a device (or the domain has it from the start)
and detaches it, with or without patience, once or twice; a client listens.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import attrs
import trio

from pyvirt_sim.checkers import (
    AckImpliesEffect,
    Always,
    Checker,
    Eventually,
    FoldEqualsState,
    FollowsWithin,
    IncarnationHygiene,
    NoWaiterLeft,
    OneTerminalOutcome,
    SubscriptionWindow,
    Trace,
)
from pyvirt_sim.checkers.observer import is_defined
from pyvirt_sim.checkers.trace import Entry, Kind, begun, by, did, ended
from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import (
    INTERFACE,
    KEYBOARD,
    NAME,
    QUICK_BOOT,
    RNG,
    Stage,
    domain_xml,
    open_stage,
    qemu_agrees,
)
from pyvirt_trio import DeviceRemoved, Domain, Hypervisor, PyvirtError
from pyvirt_trio.driver.journal import Commit
from pyvirt_trio.models.events import HypervisorEvent

REMOVED_IS_TRUE = "removed-is-true"
REMOVED_PROMISE = "Who receives DeviceRemoved finds the device in no definition and not in QEMU."
UNDER_JOB = "definition-under-job"
UNDER_JOB_PROMISE = "A device leaves the definition only while its removal has the domain's job."
IN_TIME = "detach-in-time"
IN_TIME_PROMISE = "A detach whose guest lets go at once returns at once."
REMOVED_AT_LAST = "removed-at-last"
AT_LAST_PROMISE = "A request that the guest has not heard can be repeated, and then succeeds."


@attrs.frozen(kw_only=True)
class Setting:
    """What differs between the stories.

    Args:
        device: What is plugged and unplugged.
        is_cold: Whether the domain has it from the start, instead of getting it.
        times: How long the guest takes.
        answer: What the guest does with requests.
        patience_s: How long the operator waits before losing interest.
        again_after_s: When the operator asks once more, counted from the first request.
        before_boot: Whether the first request is made while the guest boots.
        busy: Whether somebody attaches another device meanwhile.
        replug: Whether the client attaches another such device as soon as it hears of the removal.
        dies_after_s: When QEMU is killed, counted from the request; never when ``None``.
        ends_s: When all is over, counted from the request.
    """

    device: str = RNG
    is_cold: bool = False
    times: GuestTimes = QUICK_BOOT
    answer: UnplugAnswer | None = None
    patience_s: float = 60.0
    again_after_s: float | None = None
    before_boot: bool = False
    busy: bool = False
    replug: bool = False
    dies_after_s: float | None = None
    ends_s: float = 20.0


def checkers(*, quick: bool) -> tuple[Checker, ...]:
    """Who reads the trace of these stories; ``quick`` if the guest always lets go at once."""
    common: tuple[Checker, ...] = (
        AckImpliesEffect(REMOVED_IS_TRUE, REMOVED_PROMISE, _removed_expects),
        Always(UNDER_JOB, UNDER_JOB_PROMISE, did("drops a device"), _job_is_ours),
        IncarnationHygiene(),
        OneTerminalOutcome(),
        FoldEqualsState(),
        SubscriptionWindow(),
        NoWaiterLeft(),
        qemu_agrees(),
    )
    call = "detach-device"
    in_time = FollowsWithin(IN_TIME, IN_TIME_PROMISE, begun(call), ended(call), by("alias"), 1.0)
    return (in_time, *common) if quick else common


def _removed_expects(ack: Entry, question: str) -> object:
    is_removal = ack.name == "DeviceRemoved" and question in ("is defined", "is in QEMU")
    return False if is_removal else None


def _is_gone(entry: Entry) -> bool:
    """The removal is announced, or an asker is told that the device has gone already."""
    if entry.kind is Kind.ENDED:
        return entry.name == "detach-device" and entry.get("outcome") == "NotFoundError"
    return entry.kind is Kind.DELIVERED and entry.name == "DeviceRemoved"


def _job_is_ours(entry: Entry) -> str | None:
    job = entry.get("job")
    return None if job in ("remove-device", "(ended)") else f"{job} has the job"


async def play(stage: Stage, setting: Setting) -> None:
    """Tell the story once."""
    cold = setting.device if setting.is_cold else ""
    domain = await stage.boot(domain_xml(cold), answers=not setting.before_boot)
    alias = await _alias(stage, domain, setting)
    stage.qemu.guest.unplug_answer = setting.answer
    if setting.before_boot:
        await trio.sleep(0.5)  # a request at the very start of its clock QEMU never forgets
    if setting.replug:
        stage.nursery.start_soon(_replug, stage, domain, setting, name="reuser")
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(setting.ends_s):
            nursery.start_soon(_detach, stage, domain, alias, setting, name="operator")
            if setting.busy:
                nursery.start_soon(domain.attach_device, setting.device, name="other operator")
            if setting.dies_after_s is not None:
                nursery.start_soon(_kill, stage, setting.dies_after_s, name="killer")
            if setting.again_after_s is not None:
                await trio.sleep(setting.again_after_s)
                await _detach(stage, domain, alias, setting)
            await trio.sleep_forever()
        nursery.cancel_scope.cancel()
    await stage.settle()
    if setting.answer is UnplugAnswer.IGNORE:  # nothing else ends such a request
        await domain.destroy()
        await stage.settle()


async def _alias(stage: Stage, domain: Domain, setting: Setting) -> str:
    if setting.is_cold:
        return stage.born[-1]
    return str((await domain.attach_device(setting.device)).alias)


async def _detach(stage: Stage, domain: Domain, alias: str, setting: Setting) -> None:
    with trio.move_on_after(setting.patience_s):
        try:
            with stage.trace.call("operator", "detach-device", NAME, alias=alias):
                await domain.detach_device(alias)
        except PyvirtError:
            pass  # its outcome is in the trace


async def _replug(stage: Stage, domain: Domain, setting: Setting) -> None:
    await stage.observer.has_received("DeviceRemoved")
    with stage.trace.call("reuser", "attach-device", NAME):
        await domain.attach_device(setting.device)


async def _kill(stage: Stage, after_s: float) -> None:
    await trio.sleep(after_s)
    stage.host.processes()[-1].kill()


@contextmanager
def drops_recorded(trace: Trace) -> Generator[None]:
    """Write down under which job devices leave the definition."""
    correct = Commit.update

    def update(self: Commit, target: Any, **changes: Any) -> None:
        before = getattr(target.view, "live", None)
        after = changes.get("live", before)
        if before is not None and after is not None:
            lost = [one.alias for one in before.devices if after.device(str(one.alias)) is None]
            job = target.job.active
            for alias in lost:
                name = "nobody" if job is None else job.name
                trace.did("library", "drops a device", target.name, alias=alias, job=name)
        correct(self, target, **changes)

    Commit.update = update  # type: ignore[method-assign]
    try:
        yield
    finally:
        Commit.update = correct  # type: ignore[method-assign]


def scenario(name: str, summary: str, setting: Setting, *, at_last: bool = False) -> Scenario:
    """A story of this kind.

    Args:
        name: Its name.
        summary: What happens in it.
        setting: Of it.
        at_last: Whether the device must be gone in the end.
    """

    async def program() -> None:
        makers = checkers(quick=setting == Setting(busy=setting.busy))
        if at_last:
            asked = begun("detach-device")
            makers += (Eventually(REMOVED_AT_LAST, AT_LAST_PROMISE, asked, _is_gone, by("alias")),)
        plan = HostPlan(guest_times=setting.times)

        def in_qemu(_: Hypervisor, event: HypervisorEvent) -> list[tuple[str, object]]:
            if not isinstance(event, DeviceRemoved):
                return []
            return [("is in QEMU", stage.qemu.machine.tree.find(event.alias) is not None)]

        async with open_stage(makers, plan=plan, questions=(is_defined, in_qemu)) as stage:
            with drops_recorded(stage.trace):
                await play(stage, setting)

    return Scenario(name, summary, REMOVED_PROMISE, program)


_SLOW = GuestTimes(boot_s=0.01, unplug_s=8.0)
_AT_FIVE = GuestTimes(boot_s=0.01, unplug_s=5.0)

QUICK = scenario("removal", "The guest lets go at once.", Setting())
BUSY = scenario(
    "removal-busy", "The guest lets go at once; somebody plugs meanwhile.", Setting(busy=True)
)
COLD = scenario(
    "removal-cold",
    "A device that was there from the start is unplugged.",
    Setting(is_cold=True, times=GuestTimes(boot_s=0.01, unplug_s=0.06)),
    at_last=True,
)
AT_FIVE = scenario(
    "removal-at-five",
    "The guest lets go exactly when libvirt would lose patience.",
    Setting(times=_AT_FIVE),
    at_last=True,
)
LATE = scenario(
    "removal-late", "The guest takes longer than libvirt waits.", Setting(times=_SLOW), at_last=True
)
LATE_KEYBOARD = scenario(
    "removal-late-keyboard",
    "The guest takes longer than libvirt waits to give up a keyboard.",
    Setting(device=KEYBOARD, times=_SLOW),
    at_last=True,
)
AGAIN = scenario(
    "removal-again",
    "The operator asks once more at the moment at which the guest lets go.",
    Setting(times=_SLOW, again_after_s=8.0),
    at_last=True,
)
IGNORED = scenario(
    "removal-ignored",
    "The guest does not react; the operator loses patience.",
    Setting(device=INTERFACE, answer=UnplugAnswer.IGNORE, patience_s=10.0),
)
REFUSED = scenario(
    "removal-refused",
    "The guest refuses.",
    Setting(answer=UnplugAnswer.REFUSE, times=GuestTimes(boot_s=0.01, unplug_s=0.06)),
)
BOOTING = scenario(
    "removal-before-boot",
    "The guest is still booting at the first request, and is asked again.",
    Setting(before_boot=True, times=GuestTimes(boot_s=2.0), again_after_s=6.0),
    at_last=True,
)
REPLUG = scenario(
    "removal-replug",
    "A client plugs another such device when it hears of the removal.",
    Setting(replug=True, times=GuestTimes(boot_s=0.01, unplug_s=0.06)),
)
DIES = scenario(
    "removal-dies",
    "QEMU is killed about when the guest lets go.",
    Setting(dies_after_s=0.05, times=GuestTimes(boot_s=0.01, unplug_s=0.05), ends_s=5.0),
)

SCENARIOS = (
    QUICK,
    BUSY,
    COLD,
    AT_FIVE,
    LATE,
    LATE_KEYBOARD,
    AGAIN,
    IGNORED,
    REFUSED,
    BOOTING,
    REPLUG,
    DIES,
)
