"""Services that keep records of what events tell: nova, vdsm, KubeVirt, Qubes, Incus.

Each story ends when all is quiet; then what the client believes is compared with what is so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from pyvirt_sim.checkers import Always, Checker, ExactlyOnce, IncarnationHygiene, NoWaiterLeft
from pyvirt_sim.checkers.observer import state_of
from pyvirt_sim.checkers.trace import Entry, begun, by, did
from pyvirt_sim.clients.incus import Incus
from pyvirt_sim.clients.kubevirt import Handler, Launcher
from pyvirt_sim.clients.nova import Nova
from pyvirt_sim.clients.qubes import Qubes
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.clients.vdsm import Vdsm
from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import (
    INTERFACE,
    NAME,
    QUICK_BOOT,
    RNG,
    ROOT_URI,
    Stage,
    domain_xml,
    open_stage,
)
from pyvirt_trio import open_hypervisor

ONE_END = "one-end"
ONE_END_PROMISE = "Every life of a domain is told to end once, with one reason."
CLEANED_ONCE = "cleaned-once"
CLEANED_PROMISE = "What belongs to a device on the host is cleaned up once, however late it goes."
AFTER_DETACH = "after-detach"
AFTER_DETACH_PROMISE = "What is behind a device is taken down after the domain has lost the device."
LIFE_BEGINS = "a life begins"


def _is_gone(entry: Entry) -> str | None:
    return "the domain still has the device" if entry.get("is_there") else None


def _checkers() -> tuple[Checker, ...]:
    ends = did("sets the exit reason", "tells of the end")
    device_ends = did("unplugs port", "unmounts")
    return (
        client_agrees(),
        IncarnationHygiene(),
        NoWaiterLeft(),
        ExactlyOnce(ONE_END, ONE_END_PROMISE, did(LIFE_BEGINS), ends, by("subject", "life")),
        ExactlyOnce(
            CLEANED_ONCE, CLEANED_PROMISE, begun("hot-unplug"), did("cleans up"), by("alias")
        ),
        Always(AFTER_DETACH, AFTER_DETACH_PROMISE, device_ends, _is_gone),
    )


async def _nova(stage: Stage) -> tuple[Nova, trio.CancelScope]:
    nova = Nova(stage.hypervisor, stage.trace, stage.nursery)
    nova.subscribe()
    listening = trio.CancelScope()

    async def listen() -> None:
        with listening:
            await nova.listen()

    stage.nursery.start_soon(listen, name="nova")
    await stage.hypervisor.define(domain_xml())
    await nova.start(NAME)
    return nova, listening


def _judge(stage: Stage, nova: Nova, wanted: str) -> None:
    compare(stage.trace, "nova", NAME, nova.database.get(NAME), wanted)
    compare(stage.trace, "owner", NAME, wanted, state_of(stage.hypervisor, NAME))


async def _nova_reboots(stage: Stage) -> None:
    nova, _ = await _nova(stage)
    await nova.reboot(NAME)
    await trio.sleep(60)
    _judge(stage, nova, "running")


async def _nova_guest_stops(stage: Stage) -> None:
    nova, _ = await _nova(stage)
    await stage.guest_is_up()
    stage.qemu.guest.act(GuestAction.POWER_OFF)
    await trio.sleep(60)
    _judge(stage, nova, "shutoff")


async def _nova_owner_restarts(stage: Stage) -> None:
    """The owner, not nova, starts the domain again: nova is no part of it."""
    nova, _ = await _nova(stage)
    domain = stage.hypervisor.domain(NAME)
    await domain.destroy()
    await domain.start()
    await trio.sleep(60)
    _judge(stage, nova, "running")


async def _nova_host_down(stage: Stage) -> None:
    nova, listening = await _nova(stage)
    await nova.host_shuts_down(listening)
    await trio.sleep(60)
    compare(stage.trace, "nova", NAME, nova.database.get(NAME), "running")  # as its owner wants


async def _nova_port(stage: Stage) -> None:
    nova, _ = await _nova(stage)
    await stage.guest_is_up()
    card = await stage.hypervisor.domain(NAME).attach_device(INTERFACE)
    with stage.trace.call("owner", "unplug-port", NAME):
        await nova.unplug_port(NAME, str(card.alias))


async def _vdsm(stage: Stage) -> Vdsm:
    vdsm = Vdsm(stage.hypervisor, stage.trace)
    await stage.nursery.start(vdsm.listen, name="vdsm")
    domain = await stage.boot()
    stage.trace.did("owner", LIFE_BEGINS, NAME, life=domain.view.life)
    return vdsm


async def _vdsm_unplugs(stage: Stage) -> None:
    vdsm = await _vdsm(stage)
    device = await stage.hypervisor.domain(NAME).attach_device(RNG)
    alias = str(device.alias)
    try:
        with stage.trace.call("engine", "hot-unplug", NAME, alias=alias):
            await vdsm.hot_unplug(NAME, alias)
    except TimeoutError:
        pass
    await trio.sleep(20)
    await vdsm.destroy(NAME)
    await stage.settle()
    await trio.sleep(1)


async def _vdsm_destroys(stage: Stage) -> None:
    vdsm = await _vdsm(stage)
    await vdsm.destroy(NAME)
    await trio.sleep(1)
    compare(stage.trace, "vdsm", NAME, vdsm.exit_reason.get((NAME, 1)), "user")


async def _vdsm_counts(stage: Stage) -> None:
    vdsm = Vdsm(stage.hypervisor, stage.trace)
    domains = [
        await stage.hypervisor.define(domain_xml(name=f"vm{number}", number=number))
        for number in (1, 2, 3)
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(domains[1].undefine, name="owner")
        counted = await vdsm.statistics()
    compare(stage.trace, "vdsm", NAME, {"vm1", "vm3"} <= counted.keys(), True)


async def _kubevirt_volume(stage: Stage) -> None:
    await stage.boot()
    device = await stage.hypervisor.domain(NAME).attach_device(RNG)
    handler = Handler(stage.hypervisor, stage.trace, {str(device.alias)})
    await handler.reconcile(NAME, set())
    compare(stage.trace, "handler", NAME, handler.mounted, set[str]())


async def _kubevirt_launcher(stage: Stage) -> None:
    domain = await stage.hypervisor.define(domain_xml())
    _, events = stage.hypervisor.subscribe()
    first = events.sequence
    launcher = Launcher(stage.hypervisor, events, NAME)
    stage.nursery.start_soon(launcher.follow, name="launcher's events")
    stage.nursery.start_soon(launcher.work, name="launcher")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_note, launcher, name="notifier")
        await domain.start()
    await domain.suspend()
    await domain.attach_device(RNG)
    await domain.resume()
    await stage.settle()
    await trio.sleep(1)
    told = [
        entry.name
        for entry in stage.trace.entries
        if entry.actor == "client" and (entry.get("sequence") or 0) > first and entry.subject
    ]
    compare(stage.trace, "launcher", NAME, launcher.reported, told)


async def _note(launcher: Launcher) -> None:
    launcher.note("the agent has connected")
    await trio.lowlevel.checkpoint()


async def _qubes_restarts(stage: Stage) -> None:
    qubes = Qubes(stage.hypervisor, stage.trace, stage.nursery)
    qubes.subscribe()
    stage.nursery.start_soon(qubes.listen, name="qubes")
    domain = await stage.hypervisor.define(domain_xml())
    await qubes.start(NAME)
    await domain.destroy()
    await qubes.start(NAME)
    await trio.sleep(5)
    compare(stage.trace, "qubes", NAME, qubes.storage_of.get(NAME), 2)
    await domain.destroy()
    await trio.sleep(5)
    compare(stage.trace, "qubes", NAME, qubes.storage_of.get(NAME), None)


async def _qubes_reconnects(stage: Stage) -> None:
    """libvirtd is restarted: here, a second hypervisor takes the place of the first."""
    qubes = Qubes(stage.hypervisor, stage.trace, stage.nursery)
    stage.nursery.start_soon(qubes.listen, name="qubes")
    await trio.sleep(1)
    async with open_hypervisor(f"{ROOT_URI}2", host=stage.host) as restarted:
        qubes.connect(restarted)
        domain = await restarted.define(domain_xml(name="other", number=2))
        await qubes.start("other")
        await domain.destroy()
        await trio.sleep(5)
    compare(stage.trace, "qubes", "other", qubes.seen_stops, [1])


async def _incus(stage: Stage) -> None:
    incus = Incus(stage.hypervisor, stage.trace)
    await stage.nursery.start(incus.listen, name="incus")
    domain = await stage.boot()
    stage.trace.did("owner", LIFE_BEGINS, NAME, life=domain.view.life)
    await incus.shut_down(NAME)
    await trio.sleep(20)


def _scenario(
    name: str,
    summary: str,
    story: Callable[[Stage], Awaitable[None]],
    times: GuestTimes = QUICK_BOOT,
) -> Scenario:
    return Scenario(name, summary, "A client believes what is so.", partial(_play, story, times))


async def _play(story: Callable[[Stage], Awaitable[None]], times: GuestTimes) -> None:
    async with open_stage(_checkers(), plan=HostPlan(guest_times=times)) as stage:
        await story(stage)


NOVA_REBOOTS = _scenario("nova-reboots", "nova reboots an instance.", _nova_reboots)
NOVA_STOPS = _scenario("nova-guest-stops", "A guest powers itself off.", _nova_guest_stops)
NOVA_RESTART = _scenario("nova-owner-restarts", "Not nova restarts it.", _nova_owner_restarts)
NOVA_DOWN = _scenario("nova-host-down", "The host shuts down its guests.", _nova_host_down)
NOVA_PORT = _scenario("nova-port", "nova unplugs a port.", _nova_port)
VDSM_LATE = _scenario(
    "vdsm-unplug-late",
    "A guest lets go after vdsm has lost patience.",
    _vdsm_unplugs,
    GuestTimes(boot_s=0.01, unplug_s=8.0),
)
VDSM_DESTROYS = _scenario("vdsm-destroys", "vdsm destroys a domain.", _vdsm_destroys)
VDSM_COUNTS = _scenario("vdsm-counts", "A domain goes while vdsm counts them.", _vdsm_counts)
VOLUME = _scenario("kubevirt-volume", "A volume is no longer wanted.", _kubevirt_volume)
LAUNCHER = _scenario("kubevirt-launcher", "A launcher hears of its domain.", _kubevirt_launcher)
QUBES_RESTARTS = _scenario("qubes-restarts", "A domain is stopped and started.", _qubes_restarts)
QUBES_RECONNECTS = _scenario("qubes-reconnects", "libvirtd was restarted.", _qubes_reconnects)
INCUS_SLOW = _scenario(
    "incus-shutdown-slow",
    "A guest takes longer to shut down than Incus waits.",
    _incus,
    GuestTimes(boot_s=0.01, powerdown_s=8.0),
)
INCUS = _scenario("incus-shutdown", "A guest shuts down.", _incus)

SCENARIOS = (
    NOVA_REBOOTS,
    NOVA_STOPS,
    NOVA_RESTART,
    NOVA_DOWN,
    NOVA_PORT,
    VDSM_LATE,
    VDSM_DESTROYS,
    VDSM_COUNTS,
    VOLUME,
    LAUNCHER,
    QUBES_RESTARTS,
    QUBES_RECONNECTS,
    INCUS_SLOW,
    INCUS,
)
