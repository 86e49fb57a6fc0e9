"""Short lives of domains: started, paused, shut down, rebooted, destroyed, and started again."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable

import trio

from pyvirt_sim.checkers import (
    Always,
    Checker,
    FoldEqualsState,
    IncarnationHygiene,
    Never,
    NoWaiterLeft,
    Observation,
    SubscriptionWindow,
)
from pyvirt_sim.checkers.observer import state_of
from pyvirt_sim.checkers.trace import Entry, Kind, delivered, ended
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.scenarios.failing_disk import FailingDisk, failing_disk
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import NAME, RNG, Stage, domain_xml, open_stage
from pyvirt_trio import Domain, PyvirtError

ONE_PAUSE = "one-pause"
ONE_PAUSE_PROMISE = "A domain that stands still is announced as suspended once."
NO_PAUSE = "no-pause"
NO_PAUSE_PROMISE = "A guest that powers off is never announced as suspended."
NO_REBOOT = "no-reboot"
NO_REBOOT_PROMISE = "A guest that wakes up is not announced as rebooted."
SUCCEEDS = "call-succeeds"
SUCCEEDS_PROMISE = "A call that nothing stands against succeeds."
LOOKS_AT_XML = 20
"""How often the reader looks; plugging takes about as many turns."""
COMPLETE = "xml-is-complete"
COMPLETE_PROMISE = "A device in the definition of a running domain has its name and its place."


class OnePause(Checker):
    """No SUSPENDED while the domain is suspended already."""

    def __init__(self) -> None:
        super().__init__(ONE_PAUSE, ONE_PAUSE_PROMISE)
        self._is_suspended = False

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Follow the pauses."""
        if entry.kind is not Kind.DELIVERED or not entry.name.startswith("Domain"):
            return
        is_pause = entry.name == "DomainSuspended"
        if is_pause:
            seen = "yes" if self._is_suspended else "no"
            yield Observation(f"is {entry.subject} suspended before {entry}?", "no", seen)
        self._is_suspended = is_pause


def _is_ok(entry: Entry) -> str | None:
    outcome = entry.get("outcome")
    return None if outcome in ("ok", "Cancelled") else f"it raised {outcome}"


def _checkers(*more: Checker) -> tuple[Checker, ...]:
    return (
        OnePause(),
        *more,
        Always(SUCCEEDS, SUCCEEDS_PROMISE, ended(), _is_ok),
        IncarnationHygiene(),
        FoldEqualsState(),
        SubscriptionWindow(),
        NoWaiterLeft(),
        client_agrees(),
    )


async def _done(stage: Stage, domain: Domain, name: str, **arguments: bool) -> None:
    with stage.trace.call("operator", name, domain.name):
        await getattr(domain, name)(**arguments)


def _compare_with_qemu(stage: Stage, name: str = NAME) -> None:
    """Whether the processors run, as the library and as QEMU say."""
    runs = state_of(stage.hypervisor, name) == "running"
    compare(stage.trace, "library", name, runs, stage.qemu.machine.is_running)


async def _suspends(stage: Stage) -> None:
    domain = await stage.boot(answers=False)
    await _done(stage, domain, "suspend")
    reason = domain.status.reason.name.lower()
    compare(stage.trace, "library", "reason", reason, "user")
    await _done(stage, domain, "resume")
    await stage.settle()
    _compare_with_qemu(stage)


async def _starts_paused(stage: Stage) -> None:
    domain = await stage.hypervisor.define(domain_xml())
    await _done(stage, domain, "start", paused=True)
    stage.born = tuple(str(device.alias) for device in domain.definition.devices)
    await stage.settle()


async def _starts_again(stage: Stage) -> None:
    domain = await stage.boot(answers=False)
    await _done(stage, domain, "destroy")
    await _done(stage, domain, "start")
    await stage.settle()
    _compare_with_qemu(stage)


async def _powers_off(stage: Stage) -> None:
    await stage.boot()
    stage.qemu.guest.act(GuestAction.POWER_OFF)
    await trio.sleep(20)
    await stage.settle()
    compare(stage.trace, "library", NAME, state_of(stage.hypervisor, NAME), "shutoff")


async def _restarts(stage: Stage) -> None:
    """The guest powers off, and its definition wants it to run again."""
    restarting = "<on_poweroff>restart</on_poweroff><devices>"
    await stage.boot(domain_xml().replace("<devices>", restarting))
    stage.qemu.guest.act(GuestAction.POWER_OFF)
    await trio.sleep(20)
    await stage.settle()
    _compare_with_qemu(stage)


async def _forgets_reboot(stage: Stage) -> None:
    """A guest ignores a request to reboot, and obeys one to shut down much later."""
    domain = await stage.boot()
    stage.qemu.guest.obeys_powerdown = False
    await _done(stage, domain, "reboot")
    await trio.sleep(20)
    stage.qemu.guest.obeys_powerdown = True
    await _done(stage, domain, "shutdown")
    await trio.sleep(20)
    compare(stage.trace, "library", NAME, state_of(stage.hypervisor, NAME), "shutoff")


async def _pressed_while_paused(stage: Stage) -> None:
    domain = await stage.boot()
    await _done(stage, domain, "suspend")
    with contextlib.suppress(PyvirtError):
        await domain.shutdown()
    await trio.sleep(20)
    await _done(stage, domain, "resume")
    await trio.sleep(20)
    compare(stage.trace, "library", NAME, state_of(stage.hypervisor, NAME), "running")


async def _wakes(stage: Stage) -> None:
    domain = await stage.boot()
    stage.qemu.guest.act(GuestAction.SUSPEND)
    await trio.sleep(1)
    await _done(stage, domain, "pm_wakeup")
    await trio.sleep(1)
    await stage.settle()
    _compare_with_qemu(stage)


async def _two_end(stage: Stage) -> None:
    """One domain ends, then another one, which is started again at once."""
    first = await stage.hypervisor.define(domain_xml(name="first", number=1))
    second = await stage.hypervisor.define(domain_xml(name="second", number=2))
    await first.start()
    await second.start()
    one, two = (process.qemu for process in stage.host.processes())
    one.machine.end(0)
    await trio.sleep(0.5)
    two.machine.end(0)
    await stage.observer.has_received("DomainStopped", subject="second")
    await _done(stage, second, "start")
    await trio.sleep(20)
    compare(stage.trace, "library", "second", state_of(stage.hypervisor, "second"), "running")


async def _undefines(stage: Stage) -> None:
    domain = await stage.hypervisor.define(domain_xml())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly, domain.undefine, name="undefiner")
        nursery.start_soon(_quietly, domain.start, name="starter")
    is_listed = domain.name in [one.name for one in stage.hypervisor.domains()]
    is_active = domain.status.is_active
    compare(stage.trace, "library", "running and not listed", is_active and not is_listed, False)


async def _quietly(call: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(PyvirtError):
        await call()


async def _waits_and_loses(stage: Stage) -> None:
    """A call waits for the job of a domain that is destroyed meanwhile."""
    domain = await stage.boot(answers=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly, lambda: _attach(domain), name="other operator")
        nursery.start_soon(_quietly, domain.suspend, name="operator")
        nursery.start_soon(_quietly, domain.destroy, name="destroyer")
    await _done(stage, domain, "start")
    await _done(stage, domain, "suspend")


async def _attach(domain: Domain) -> None:
    await domain.attach_device(RNG)


async def _looks(stage: Stage) -> None:
    """Somebody reads the definition again and again while a device is plugged."""
    domain = await stage.boot(answers=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read, stage, domain, name="reader")
        await _attach(domain)


async def _read(stage: Stage, domain: Domain) -> None:
    for _ in range(LOOKS_AT_XML):
        live = domain.view.live
        devices = () if live is None else live.devices
        unnamed = [type(one).__name__ for one in devices if one.alias is None]
        stage.trace.seen("reader", "unnamed devices", domain.name, tuple(unnamed))
        await trio.lowlevel.checkpoint()


async def _disk_fails(stage: Stage) -> None:
    """A write fails and stops the machine; it is resumed, and a queued write fails at once."""
    disks: dict[Machine, FailingDisk] = {}
    with failing_disk(disks):
        domain = await stage.boot()
        disk = disks[stage.qemu.machine] = FailingDisk(stage.qemu)
        disk.fail()
        await trio.sleep(0.2)
        _why(stage, domain)
        disk.has_queued_write = True
        await domain.resume()
        await trio.sleep(5)
        _why(stage, domain)


async def _disk_fails_and_resumes(stage: Stage) -> None:
    """Somebody resumes the machine at the very moment at which it is to be stopped."""
    disks: dict[Machine, FailingDisk] = {}
    with failing_disk(disks):
        domain = await stage.boot()
        disk = disks[stage.qemu.machine] = FailingDisk(stage.qemu)
        disk.fail()
        await stage.observer.has_received("DomainSuspended")
        await _quietly(domain.resume)
        await trio.sleep(5)
        _compare_with_qemu(stage)


async def _disk_fails_and_is_reset(stage: Stage) -> None:
    """A disk fails twice within a second; then the machine is reset and runs."""
    disks: dict[Machine, FailingDisk] = {}
    with failing_disk(disks):
        domain = await stage.boot()
        disk = disks[stage.qemu.machine] = FailingDisk(stage.qemu)
        for _ in range(2):
            disk.fail()
            await trio.sleep(0.2)
            await _quietly(domain.resume)
        await domain.reset()
        await trio.sleep(5)
        _compare_with_qemu(stage)


def _why(stage: Stage, domain: Domain) -> None:
    why = (domain.status.state.name, domain.status.reason.name)
    compare(stage.trace, "library", "why it stands still", why, ("PAUSED", "IOERROR"))


def _scenario(
    name: str,
    summary: str,
    story: Callable[[Stage], Awaitable[None]],
    more: Callable[[], Iterable[Checker]] = tuple,
) -> Scenario:
    async def program() -> None:
        async with open_stage(_checkers(*more())) as stage:
            await story(stage)

    return Scenario(name, summary, "What is announced is what happened, in its order.", program)


def _no_pause() -> Iterable[Checker]:
    yield Never(NO_PAUSE, NO_PAUSE_PROMISE, delivered("DomainSuspended"))


def _no_reboot() -> Iterable[Checker]:
    yield Never(NO_REBOOT, NO_REBOOT_PROMISE, delivered("DomainRebooted"))


def _is_named(entry: Entry) -> str | None:
    return f"{entry.get('answer')} have no name" if entry.get("answer") else None


def _complete() -> Iterable[Checker]:
    def is_look(entry: Entry) -> bool:
        return entry.kind is Kind.SEEN and entry.name == "unnamed devices"

    yield Always(COMPLETE, COMPLETE_PROMISE, is_look, _is_named)


SUSPENDS = _scenario("life-suspends", "A domain is suspended and resumed.", _suspends)
STARTS_PAUSED = _scenario("life-starts-paused", "A domain is started paused.", _starts_paused)
STARTS_AGAIN = _scenario("life-starts-again", "It is destroyed and started again.", _starts_again)
POWERS_OFF = _scenario("life-powers-off", "The guest powers off.", _powers_off, _no_pause)
RESTARTS = _scenario("life-restarts", "The guest powers off, to run again.", _restarts)
FORGETS = _scenario("life-reboot-ignored", "A reboot is ignored, a shutdown not.", _forgets_reboot)
PRESSED = _scenario("life-pressed-while-paused", "A paused guest.", _pressed_while_paused)
WAKES = _scenario("life-wakes", "A guest sleeps and wakes up.", _wakes, _no_reboot)
TWO_END = _scenario("life-two-end", "Two domains end, one starts again.", _two_end)
UNDEFINES = _scenario("life-undefined", "A domain is undefined and started.", _undefines)
LOSES = _scenario("life-lost-while-waiting", "A domain goes while a call waits.", _waits_and_loses)
LOOKS = _scenario(
    "life-read-while-plugged", "The definition is read all the time.", _looks, _complete
)
DISK_FAILS = _scenario("life-disk-fails", "A disk fails, and once more.", _disk_fails)
DISK_RESUMES = _scenario(
    "life-disk-fails-resumed", "A disk fails as it is resumed.", _disk_fails_and_resumes
)
DISK_RESET = _scenario(
    "life-disk-fails-reset", "A disk fails twice, and a reset follows.", _disk_fails_and_is_reset
)
SCENARIOS = (
    SUSPENDS,
    STARTS_PAUSED,
    STARTS_AGAIN,
    POWERS_OFF,
    RESTARTS,
    FORGETS,
    PRESSED,
    WAKES,
    TWO_END,
    UNDEFINES,
    LOSES,
    LOOKS,
    DISK_FAILS,
    DISK_RESUMES,
    DISK_RESET,
)
