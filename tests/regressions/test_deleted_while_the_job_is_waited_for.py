"""A guest lets go of a device while the call that is to ask for it still waits for the job.

The call gave up after 30 seconds, and its removal with it, although it had been told that the
device was gone: nobody took down what it had, and the definition kept it for ever. So it was when
the persistent definition could not be saved, or too many calls queued. libvirt 9.5.0 repaired the
like: a wait that times out has to look once more at what it waited for.
"""

from __future__ import annotations

import pytest
import trio

from pyvirt_trio import DeviceRemoved, HostError, Impact, JobActiveError
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.models.domain import DomainDefinition
from tests.regressions.world import RNG_XML, eject
from tests.simulated.driver.test_busy_domain import hold
from tests.simulated.driver.world import Clock, World, open_world


async def _detach(world: World, expected: type[PyvirtError], impact: Impact = Impact.LIVE) -> None:
    with pytest.raises(expected):
        await world.domain.detach_device(RNG_XML, impact)


async def _with_rng(world: World, impact: Impact = Impact.LIVE) -> None:
    await world.boot()
    await world.domain.attach_device(RNG_XML, impact)
    world.announced()


async def test_it_is_removed_although_the_call_gives_up(autojump_clock: Clock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await _with_rng(world)
        await nursery.start(hold, world, 60)
        nursery.start_soon(_detach, world, JobActiveError)
        await trio.sleep(1)
        eject(world.host, "rng0")
        await trio.sleep(100)
        assert [type(event) for event in world.announced()] == [DeviceRemoved]
        assert world.domain.definition.device("rng0") is None


async def test_it_is_removed_although_the_definition_cannot_be_saved(autojump_clock: Clock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await _with_rng(world, Impact.LIVE | Impact.CONFIG)
        save, asked = world.domain.store.save, trio.Event()

        async def refuse(definition: DomainDefinition) -> None:
            assert definition.name == "demo"
            asked.set()
            await trio.sleep(5)  # meanwhile the guest lets go
            raise HostError("no space left")

        world.domain.store.save = refuse  # type: ignore[method-assign]
        nursery.start_soon(_detach, world, HostError, Impact.LIVE | Impact.CONFIG)
        await asked.wait()
        await trio.sleep(60)
        world.domain.store.save = save  # type: ignore[method-assign]
        assert [type(event) for event in world.announced()] == [DeviceRemoved]
        assert world.domain.definition.device("rng0") is None


async def test_a_queue_that_is_full_keeps_no_teardown_out(autojump_clock: Clock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await _with_rng(world)
        world.domain.job.max_queued = 1
        await nursery.start(hold, world, 10)
        eject(world.host, "rng0")
        await trio.sleep(30)
        assert [type(event) for event in world.announced()] == [DeviceRemoved]


async def test_a_refusal_of_an_earlier_request_is_not_the_answer_to_this_one(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await _with_rng(world)
        await nursery.start(hold, world, 10)
        nursery.start_soon(world.domain.detach_device, "rng0")
        await trio.sleep(1)
        tree = world.host.processes()[-1].qemu.machine.tree
        tree.emit(
            "DEVICE_UNPLUG_GUEST_ERROR", {"device": "rng0", "path": "/machine/peripheral/rng0"}
        )
        await trio.sleep(60)
        assert type(world.announced()[-1]) is DeviceRemoved
        assert world.domain.definition.device("rng0") is None
