"""What a guest does to its domain: states, events and their order, and what is made of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.machine import Machine
from pyvirt_trio import CommandFailedError, InvalidStateError
from pyvirt_trio.models.events import LifecycleEvent
from tests.simulated.driver.world import Clock, World, open_world


@asynccontextmanager
async def booted(actions: str = "", plan: HostPlan | None = None) -> AsyncGenerator[World]:
    """A world whose domain has some ``<on_...>`` elements, its guest up and running."""
    async with open_world(plan) as world:
        xml = world.domain.xml(inactive=True)
        for element in filter(None, actions.split()):
            tag, _, value = element.partition("=")
            start = xml.index(f"<{tag}>") + len(tag) + 2
            xml = xml[:start] + value + xml[xml.index(f"</{tag}>") :]
        await world.hypervisor.define(xml)
        await world.boot()
        yield world


def machine(world: World) -> Machine:
    return world.host.processes()[-1].qemu.machine


def told(world: World) -> list[str]:
    """What was announced: the kind, and what there is of a detail."""
    found = []
    for event in world.announced():
        detail = getattr(event, "detail", None)
        kind = type(event).__name__
        found.append(kind if detail is None else f"{kind}.{detail.name}")
    return found


async def settle() -> None:
    """Let everything happen that is not waiting for time, and what takes a little."""
    await trio.sleep(2)


def state(world: World) -> str:
    return str(world.domain.status)


STOPPED_BY_GUEST = ["DomainShutdown.GUEST", "DomainStopped.SHUTDOWN"]


async def test_a_guest_that_powers_off_ends_its_life(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.act(GuestAction.POWER_OFF)
        await settle()
        assert told(world) == STOPPED_BY_GUEST
        assert state(world) == "shutoff (shutdown)"


async def test_a_qemu_that_is_told_to_quit_stops_for_the_host_s_sake(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.running_life().execute("quit")
        await settle()
        assert told(world) == ["DomainShutdown.HOST", "DomainStopped.SHUTDOWN"]
        assert state(world) == "shutoff (shutdown)"


async def test_a_guest_that_reboots_goes_on_in_the_same_life(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.act(GuestAction.RESET)
        await settle()
        assert told(world) == ["DomainRebooted"]
        assert state(world) == "running (booted)"
        assert world.domain.view.life == 1


async def test_on_reboot_destroy_ends_the_life(autojump_clock: Clock) -> None:
    async with booted("on_reboot=destroy") as world:
        world.guest.act(GuestAction.RESET)
        await settle()
        assert told(world) == STOPPED_BY_GUEST


async def test_on_poweroff_restart_boots_again_and_nobody_hears_of_a_shutdown(
    autojump_clock: Clock,
) -> None:
    async with booted("on_poweroff=restart") as world:
        world.guest.act(GuestAction.POWER_OFF)
        await settle()
        assert told(world) == ["DomainRebooted"]
        assert state(world) == "running (booted)"
        await world.domain.destroy()
        assert told(world) == ["DomainShutdown.HOST", "DomainStopped.DESTROYED"]


async def test_a_reboot_by_the_power_button(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.reboot()
        await settle()
        assert told(world) == ["DomainRebooted"]
        await world.boot_finished()
        await world.domain.shutdown()
        await settle()
        assert told(world) == STOPPED_BY_GUEST


async def test_the_latest_request_counts_not_one_that_the_guest_ignored(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        world.guest.obeys_powerdown = False
        await world.domain.reboot()
        await settle()
        world.guest.obeys_powerdown = True
        await world.domain.shutdown()
        await settle()
        assert told(world) == STOPPED_BY_GUEST


async def test_a_reboot_where_on_reboot_says_destroy_is_a_shutdown(autojump_clock: Clock) -> None:
    async with booted("on_reboot=destroy") as world:
        await world.domain.reboot()
        await settle()
        assert told(world) == STOPPED_BY_GUEST


async def test_a_reset_is_announced_before_it_returns(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.reset()
        assert told(world) == ["DomainRebooted"]
        assert state(world) == "running (booted)"


async def test_a_panic_is_a_crash_and_ends_the_life_without_a_shutdown(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        machine(world).panic()
        await settle()
        assert told(world) == ["DomainCrashed.PANICKED", "DomainStopped.CRASHED"]
        assert state(world) == "shutoff (crashed)"


async def test_a_preserved_crash_waits_for_somebody(autojump_clock: Clock) -> None:
    async with booted("on_crash=preserve") as world:
        machine(world).panic()
        await settle()
        assert told(world) == ["DomainCrashed.PANICKED"]
        assert state(world) == "crashed (panicked)"
        assert world.domain.status.is_active
        await world.domain.suspend()  # it stands still already
        assert (told(world), state(world)) == ([], "crashed (panicked)")
        await world.domain.reset()
        assert state(world) == "paused (crashed)"
        await world.domain.resume()
        assert told(world) == ["DomainRebooted", "DomainResumed.UNPAUSED"]
        assert state(world) == "running (unpaused)"


async def test_a_crash_with_restart_runs_again(autojump_clock: Clock) -> None:
    async with booted("on_crash=restart") as world:
        machine(world).panic()
        await settle()
        assert told(world) == ["DomainCrashed.PANICKED", "DomainRebooted", "DomainResumed.UNPAUSED"]
        assert state(world) == "running (crashed)"


async def test_a_guest_sleeps_and_is_woken(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.act(GuestAction.SUSPEND)
        await settle()
        assert told(world) == ["GuestSlept", "DomainPmSuspended.MEMORY"]
        assert state(world) == "pmsuspended (unknown)"
        for call in (world.domain.suspend, world.domain.resume, world.domain.shutdown):
            with pytest.raises(InvalidStateError, match=r"domain is (pmsuspended|not running)"):
                await call()
        await world.domain.pm_wakeup()
        await settle()
        assert told(world) == ["GuestWoke", "DomainStarted.WAKEUP"]
        assert state(world) == "running (wakeup)"
        with pytest.raises(CommandFailedError, match="not in suspended state"):
            await world.domain.pm_wakeup()


async def test_a_guest_hibernates(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.act(GuestAction.HIBERNATE)
        await settle()
        assert told(world) == ["GuestHibernated", "DomainPmSuspended.DISK", *STOPPED_BY_GUEST]


async def test_a_watchdog_that_pauses_is_the_reason_of_the_pause(autojump_clock: Clock) -> None:
    async with booted() as world:
        machine(world).actions.set("watchdog", "pause")
        machine(world).watchdog_expired()
        await settle()
        assert told(world) == ["WatchdogFired", "DomainSuspended.WATCHDOG"]
        assert state(world) == "paused (watchdog)"


async def test_the_clock_and_the_crash_kernel_change_no_state(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.act(GuestAction.SET_CLOCK)
        machine(world).load_crash_kernel()
        await settle()
        assert told(world) == ["RtcChanged", "DomainCrashed.CRASHLOADED"]
        assert state(world) == "running (booted)"


async def test_a_pause_by_somebody_at_the_monitor_has_no_reason(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.running_life().execute("stop")
        await settle()
        assert state(world) == "paused (unknown)"
        await world.domain.resume()
        await world.domain.suspend()
        await world.domain.suspend()
        assert told(world) == [
            "DomainSuspended.PAUSED",
            "DomainResumed.UNPAUSED",
            "DomainSuspended.PAUSED",
        ]
        assert state(world) == "paused (user)"


async def test_resuming_what_runs_and_the_power_button_of_what_stands_still_are_refused(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        with pytest.raises(InvalidStateError, match="domain is already running"):
            await world.domain.resume()
        await world.domain.suspend()
        for call in (world.domain.shutdown, world.domain.reboot):
            with pytest.raises(InvalidStateError, match="domain is not running"):
                await call()


async def test_a_block_that_runs_a_domain_destroys_it_and_no_later_life(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        async with world.domain.running():
            assert state(world) == "running (booted)"
        assert state(world) == "shutoff (destroyed)"
        async with world.domain.running():
            await world.domain.destroy()
            await world.domain.start()
        assert state(world) == "running (booted)"
        assert world.domain.view.life == 3


ACTIONS = st.lists(
    st.sampled_from(
        [
            *("reboot", "shutdown", "reset", "suspend", "resume", "pm_wakeup", "start"),
            *(
                "guest reset",
                "guest power off",
                "guest suspend",
                "panic",
                "stop",
                "cont",
                "destroy",
            ),
        ]
    ),
    max_size=12,
)


@given(ACTIONS, st.sampled_from(["destroy", "restart"]), st.sampled_from(["destroy", "restart"]))
def test_whoever_folds_the_events_knows_the_state(
    doings: list[str], on_poweroff: str, on_crash: str
) -> None:
    """Somebody who knows nothing but the events knows whether the domain runs."""
    trio.run(
        _fold,
        doings,
        f"on_poweroff={on_poweroff} on_crash={on_crash}",
        clock=Clock(autojump_threshold=0),
    )


FOLD = {
    "DomainDefined": None,
    "DomainStarted": "RUNNING",
    "DomainResumed": "RUNNING",
    "DomainSuspended": "PAUSED",
    "DomainShutdown": "SHUTDOWN",
    "DomainStopped": "SHUTOFF",
    "DomainPmSuspended": "PMSUSPENDED",
    "DomainCrashed": "CRASHED",
}


async def _fold(doings: list[str], actions: str) -> None:
    async with booted(actions) as world:
        known = "RUNNING"
        for doing in doings:
            await _do(world, doing)
            await settle()
            for event in world.announced():
                if isinstance(event, LifecycleEvent):
                    known = FOLD[type(event).__name__] or known
            assert known == world.domain.status.state.name, doing
            runs = [p for p in world.host.processes() if not p.has_ended]
            assert bool(runs) == world.domain.status.is_active


async def _do(world: World, doing: str) -> None:
    if doing.startswith("guest "):
        world.guest.act(GuestAction(doing.removeprefix("guest ")))
    elif doing == "panic":
        if world.domain.status.is_active and machine(world).is_running:
            machine(world).panic()
    else:
        try:
            if doing in ("stop", "cont"):
                await world.domain.running_life().execute(doing)
            else:
                await getattr(world.domain, doing)()
        except (InvalidStateError, CommandFailedError):
            pass


async def test_a_domain_defined_again_in_the_life_it_was_undefined_in_counts_as_updated(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        xml = world.domain.xml(inactive=True)
        await world.domain.start()
        await world.domain.undefine()
        told(world)
        await world.hypervisor.define(xml)
        assert told(world) == ["DomainDefined.UPDATED"]
        await world.domain.undefine()
        await world.domain.destroy()
        told(world)
        await world.hypervisor.define(xml)
        assert told(world) == ["DomainDefined.ADDED"]


@pytest.mark.parametrize(("device", "is_told"), [("<panic/>", True), ("", False)])
async def test_a_guest_tells_of_its_panic_where_the_definition_has_a_device_for_it(
    autojump_clock: Clock, device: str, is_told: bool
) -> None:
    async with open_world() as world:
        xml = world.domain.xml(inactive=True).replace("</devices>", f"{device}</devices>")
        await world.hypervisor.define(xml)
        await world.boot()
        world.guest.act(GuestAction.PANIC)
        await settle()
        assert told(world) == (["DomainCrashed.PANICKED", "DomainStopped.CRASHED"] * is_told)
        assert state(world) == ("shutoff (crashed)" if is_told else "running (booted)")


@pytest.mark.parametrize(
    ("element", "action", "is_told"),
    [
        ("suspend-to-mem", GuestAction.SUSPEND, False),
        ("suspend-to-mem", GuestAction.HIBERNATE, True),
        ("suspend-to-disk", GuestAction.HIBERNATE, False),
        ("suspend-to-disk", GuestAction.SUSPEND, True),
    ],
)
async def test_a_guest_does_not_sleep_as_its_definition_does_not_let_it(
    autojump_clock: Clock, element: str, action: GuestAction, is_told: bool
) -> None:
    async with open_world() as world:
        pm = f"<pm><{element} enabled='no'/></pm>"
        xml = world.domain.xml(inactive=True).replace("</domain>", f"{pm}</domain>")
        await world.hypervisor.define(xml)
        await world.boot()
        world.guest.act(action)
        await settle()
        assert bool(told(world)) is is_told
