"""The library under programs of two clients, on machines on which things go wrong."""

from __future__ import annotations

from collections import Counter

import hypothesis
import pytest
from hypothesis import given

from pyvirt_sim.host import SITES, HostPlan, open_sim_host
from pyvirt_sim.machines import Call, DomainMachine, play, programs
from pyvirt_sim.strategies import FILES, host_plans
from pyvirt_trio import open_hypervisor

done: Counter[str] = Counter()


@pytest.mark.simulated(schedules=3)
@hypothesis.settings(max_examples=40)
@given(program=programs(DomainMachine, max_calls=10), plan=host_plans(SITES))
async def test_whatever_two_clients_do_events_tell_what_there_is(
    program: list[Call], plan: HostPlan
) -> None:
    await run(program, plan)


async def run(program: list[Call], plan: HostPlan) -> DomainMachine:
    async with open_sim_host(plan) as host:
        for path in FILES:
            host.add_file(path)
        async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
            machine = DomainMachine(hypervisor)
            await play(machine, program)
            for domain in hypervisor.domains():
                if domain.view.live is not None:
                    await domain.destroy()
            return machine


@pytest.mark.simulated(schedules=20)
async def test_programs_get_somewhere() -> None:
    """A machine that did nothing would hold every promise."""
    xml = hypothesis.find(
        programs(DomainMachine), lambda calls: any(one.rule == "define" for one in calls)
    )[0].arguments["xml"]
    device = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    program = [
        Call("define", {"xml": xml}, 0),
        Call("start", {"number": 0}, 0),
        Call("attach", {"number": 0, "xml": device}, 0),
        Call("detach", {"number": 0, "index": 0}, 0),
        Call("start", {"number": 0}, 0),
    ]
    machine = await run(program, HostPlan.quiet())
    kinds = [type(error).__name__ for error in machine.refused]
    assert kinds == ["InvalidStateError"], machine.refused
