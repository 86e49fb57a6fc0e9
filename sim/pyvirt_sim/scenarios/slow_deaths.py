"""Processes that take their time to die, and others that get their numbers."""

from __future__ import annotations

import trio

from pyvirt_sim.checkers import AckImpliesEffect, IncarnationHygiene, Trace
from pyvirt_sim.checkers.observer import state_of
from pyvirt_sim.checkers.trace import Entry
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.host import HostPlan, open_sim_host
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_sim.scenarios.stage import NAME, QUICK_BOOT, ROOT_URI, domain_xml, open_stage
from pyvirt_trio import DomainStopped, Hypervisor, open_hypervisor
from pyvirt_trio.models.events import HypervisorEvent

DEAD = "stopped-is-dead"
DEAD_PROMISE = "Who receives DomainStopped finds no process of that life."
PROMISE = "A manager ends its own QEMUs and no other process."
OTHER_URI = "qemu:///embed?root=/sim/others"


def _expected(ack: Entry, question: str) -> object:
    return True if ack.name == "DomainStopped" and question == "is its process dead" else None


async def _dies_slowly() -> None:
    """A domain is destroyed; its process needs a while."""

    def is_dead(_: Hypervisor, event: HypervisorEvent) -> list[tuple[str, object]]:
        if not isinstance(event, DomainStopped):
            return []
        return [("is its process dead", stage.host.processes()[-1].has_ended)]

    plan = HostPlan(live=frozenset({"process-exit"}), guest_times=QUICK_BOOT)
    checkers = (AckImpliesEffect(DEAD, DEAD_PROMISE, _expected), IncarnationHygiene())
    async with open_stage(checkers, plan=plan, questions=(is_dead,)) as stage:
        domain = await stage.boot()
        await domain.destroy()
        await stage.observer.is_up_to_date()


async def _pid_is_used_again() -> None:
    """A QEMU dies while nobody watches, and another root's gets its number."""
    trace = Trace((client_agrees(), IncarnationHygiene()))
    plan = HostPlan(live=frozenset({"pid-reused"}), guest_times=QUICK_BOOT)
    async with open_sim_host(plan) as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(ROOT_URI, host=host) as first:
            await (await first.define(domain_xml())).start()
        host.end_manager()
        host.processes()[-1].kill()
        await trio.sleep(1)
        async with open_hypervisor(OTHER_URI, host=host) as others:
            await (await others.define(domain_xml(name="other", number=2))).start()
            async with open_hypervisor(ROOT_URI, host=host) as second:
                await trio.sleep(60)
                compare(trace, "library", NAME, state_of(second, NAME), "shutoff")
            compare(trace, "library", "other", state_of(others, "other"), "running")
    trace.end()


DIES_SLOWLY = Scenario(
    "death-is-slow", "A process needs a while to die.", DEAD_PROMISE, _dies_slowly
)
PID_IS_USED_AGAIN = Scenario(
    "death-pid-reused",
    "Another process has the number of one that died.",
    PROMISE,
    _pid_is_used_again,
)
SCENARIOS = (DIES_SLOWLY, PID_IS_USED_AGAIN)
