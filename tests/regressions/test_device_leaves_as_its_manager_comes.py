"""A guest gives up a device, or somebody asks it to, while a new manager reconnects to its QEMU.

The manager found the device missing and began its removal; the event, or the caller, had begun one
already. Two removals took down one device, and the second ended the whole manager, because there
was nothing to forget any more. A device leaves once: who comes second joins.
"""

from __future__ import annotations

from functools import partial

import pytest
import trio

from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_trio import DeviceRemoved, Hypervisor, PyvirtError
from tests.regressions.world import (
    RNG_XML,
    boot,
    eject,
    machine,
    manager,
    some_steps_later,
)
from tests.simulated.driver.world import received


async def _detach(hypervisor: Hypervisor) -> None:
    try:
        await hypervisor.domain("demo").detach_device("rng0")
    except PyvirtError:
        pass  # it may be gone before it is asked for


@pytest.mark.simulated(schedules=120)
@pytest.mark.parametrize("is_asked_too", [False, True])
async def test_it_is_removed_and_announced_once(is_asked_too: bool) -> None:
    async with machine() as host, trio.open_nursery() as nursery:
        async with manager(host) as hypervisor:
            await boot(hypervisor, host)
            await hypervisor.domain("demo").attach_device(RNG_XML)
            host.processes()[-1].qemu.guest.unplug_answer = UnplugAnswer.IGNORE
            cursor = hypervisor.journal.cursor
        nursery.start_soon(some_steps_later, partial(eject, host, "rng0"))
        async with manager(host) as hypervisor:
            events = hypervisor.resume(cursor)
            if is_asked_too:
                nursery.start_soon(_detach, hypervisor)
            await trio.sleep(60)
            assert [type(event) for event in received(hypervisor, events)] == [DeviceRemoved]
            assert hypervisor.domain("demo").definition.device("rng0") is None
