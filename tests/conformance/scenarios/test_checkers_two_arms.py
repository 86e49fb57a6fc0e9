"""The checkers read along on a simulated QEMU and on a real one: one body, two arms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from pyvirt_sim.checkers import (
    AckImpliesEffect,
    FoldEqualsState,
    FollowsWithin,
    IncarnationHygiene,
    NoWaiterLeft,
    OneTerminalOutcome,
    PromiseBrokenError,
    SubscriptionWindow,
    Trace,
)
from pyvirt_sim.checkers.lifecycle_order import LifecycleOrder
from pyvirt_sim.checkers.observer import Observer, is_defined
from pyvirt_sim.checkers.trace import begun, by, ended
from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.host import open_sim_host
from pyvirt_sim.scenarios.hot_unplug import console_says
from pyvirt_sim.scenarios.stage import RNG
from pyvirt_sim.zoo import mutant_named
from pyvirt_trio import open_hypervisor
from pyvirt_trio.abc import Host
from pyvirt_trio.host.real import RealHost
from tests.conformance.scenarios.test_hot_unplug_two_arms import PATIENCE_S, domain_xml


def checked() -> Trace:
    """A trace that everybody reads."""

    def gone(ack: object, question: str) -> object:
        is_removal = getattr(ack, "name", "") == "DeviceRemoved" and question == "is defined"
        return False if is_removal else None

    call = "detach-device"
    return Trace(
        [
            AckImpliesEffect("removed-is-true", "What is announced as removed is gone.", gone),
            FollowsWithin("in-time", "A detach ends.", begun(call), ended(call), by("alias"), 60.0),
            FoldEqualsState(),
            IncarnationHygiene(),
            LifecycleOrder(),
            NoWaiterLeft(),
            OneTerminalOutcome(),
            SubscriptionWindow(),
        ]
    )


async def told(host: Host, root: str, xml: str, ready: Callable[[], Awaitable[None]]) -> list[str]:
    """Live, plug, pause and end, with everybody reading along; returns what was received."""
    trace = checked()
    uri = f"qemu:///embed?root={root}"
    async with open_hypervisor(uri, host=host, destroy_on_exit=True) as hypervisor:
        observer = Observer(hypervisor, trace, questions=(is_defined,))
        observer.subscribe()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(observer.run)
            domain = await hypervisor.define(xml)
            await domain.start()
            born = [str(device.alias) for device in domain.definition.devices]
            await ready()
            for name in ("suspend", "resume"):
                with trace.call("operator", name, "demo"):
                    await getattr(domain, name)()
            device = await domain.attach_device(RNG)
            with trace.call("operator", "detach-device", "demo", alias=device.alias):
                await domain.detach_device(str(device.alias))
            await observer.is_up_to_date()
            observer.ask("demo", born)
            await domain.destroy()
            await observer.is_up_to_date()
            observer.ask("demo")
            nursery.cancel_scope.cancel()
    trace.end()
    return [entry.name for entry in trace.entries if entry.actor == "client" and entry.subject]


EXPECTED = {"DomainStarted", "DomainSuspended", "DeviceAdded", "DeviceRemoved", "DomainStopped"}


async def simulated() -> list[str]:
    """The simulated arm."""
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        host.add_file("/boot/initrd")
        xml = domain_xml("/boot/vmlinuz", "/boot/initrd", "quiet", "/vms.console")
        ready = "simulated guest is up"
        return await told(host, "/vms", xml, lambda: console_says(host, "/vms.console", ready))


async def test_the_simulated_arm_keeps_every_promise(
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert set(await simulated()) >= EXPECTED


async def test_the_same_checkers_see_a_bug(autojump_clock: trio.testing.MockClock) -> None:
    with (
        mutant_named("memory-removed-event-mid-teardown").planted(),
        pytest.RaisesGroup(PromiseBrokenError, flatten_subgroups=True, allow_unwrapped=True),
    ):
        await simulated()


@pytest.mark.real_qemu
async def test_the_real_arm_keeps_every_promise(linux_guest: Guest, tmp_path: Path) -> None:
    guest, root = linux_guest, f"{tmp_path}/vms"
    xml = domain_xml(str(guest.kernel), str(guest.initrd), guest.cmdline, f"{root}.console")
    host = RealHost()
    await host.replace_file(f"{root}.console", "")

    async def ready() -> None:
        await console_says(host, f"{root}.console", guest.ready_line)

    with trio.fail_after(PATIENCE_S):
        assert set(await told(host, root, xml, ready)) >= EXPECTED
