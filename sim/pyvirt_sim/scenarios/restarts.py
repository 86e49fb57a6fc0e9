"""A manager ends while its domain runs, and a new one finds out what has become of it."""

from __future__ import annotations

import trio

from pyvirt_sim.checkers import IncarnationHygiene, Trace
from pyvirt_sim.checkers.observer import Observer, state_of
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.host import HostPlan, open_sim_host
from pyvirt_sim.qemu.guest import Guest
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import NAME, QUICK_BOOT, ROOT_URI, domain_xml
from pyvirt_trio import open_hypervisor

STEPS_TO_CONNECT = 10
"""How many turns a guest waits: about as many as a manager needs to connect to its QEMU."""

PROMISE = "A domain that is defined is there after a restart, whatever has become of its QEMU."


async def _dies_meanwhile() -> None:
    """QEMU dies while nobody watches."""
    trace = Trace((client_agrees(), IncarnationHygiene()))
    async with open_sim_host(HostPlan(guest_times=QUICK_BOOT)) as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(ROOT_URI, host=host) as first:
            domain = await first.define(domain_xml())
            await domain.start()
        host.end_manager()
        host.processes()[-1].kill()
        await trio.sleep(1)
        async with open_hypervisor(ROOT_URI, host=host) as second, trio.open_nursery() as nursery:
            observer = Observer(second, trace)
            observer.subscribe()
            nursery.start_soon(observer.run, name="client")
            await trio.sleep(60)
            compare(trace, "library", NAME, state_of(second, NAME), "shutoff")
            nursery.cancel_scope.cancel()
    trace.end()


async def _powers_off_as_it_comes() -> None:
    """A guest that is to be reset when it powers off does so as a new manager connects."""
    trace = Trace((client_agrees(), IncarnationHygiene()))
    async with open_sim_host(HostPlan(guest_times=QUICK_BOOT)) as host:
        host.add_file("/boot/vmlinuz")
        xml = domain_xml().replace("<devices>", "<on_poweroff>restart</on_poweroff><devices>")
        async with open_hypervisor(ROOT_URI, host=host) as first:
            domain = await first.define(xml)
            await domain.start()
            await trio.sleep(1)
        guest = host.processes()[-1].qemu.guest
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_power_off, guest, name="guest's user")
            async with open_hypervisor(ROOT_URI, host=host) as second:
                await trio.sleep(60)
                compare(trace, "library", NAME, state_of(second, NAME), "running")
    trace.end()


async def _power_off(guest: Guest) -> None:
    for _ in range(STEPS_TO_CONNECT):
        await trio.lowlevel.checkpoint()
    guest.act(GuestAction.POWER_OFF)


DIES_MEANWHILE = Scenario(
    "restart-qemu-died", "QEMU dies while no manager watches it.", PROMISE, _dies_meanwhile
)
POWERS_OFF_AS_IT_COMES = Scenario(
    "restart-guest-powers-off",
    "A guest powers off as a new manager connects to its QEMU.",
    PROMISE,
    _powers_off_as_it_comes,
)
SCENARIOS = (DIES_MEANWHILE, POWERS_OFF_AS_IT_COMES)
