"""A second detach joins a removal, waits for the job, and the domain ends meanwhile.

It looked at the live definition when it had got the job, and there was none: a failed assertion
instead of an error that a caller can deal with. libvirt had the same in other dress (commits
054d43f570ac, 6edb97f29af5): after each wait the domain may have ended, or live again.
"""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_trio import InvalidStateError
from tests.regressions.world import RNG_XML
from tests.simulated.driver.test_busy_domain import hold
from tests.simulated.driver.world import Clock, World, open_world


async def _is_told(world: World) -> None:
    with pytest.raises(InvalidStateError):
        await world.domain.detach_device("rng0")


@pytest.mark.parametrize("lives_again", [False, True])
async def test_who_waited_is_told_that_the_domain_has_stopped(
    autojump_clock: Clock, lives_again: bool
) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.guest.unplug_answer = UnplugAnswer.IGNORE
        await world.domain.request_detach("rng0")
        life = world.domain.current_life
        await nursery.start(hold, world, 20)
        if lives_again:  # it asked for the job first
            nursery.start_soon(_start_and_plug, world)
            await trio.sleep(1)
        nursery.start_soon(_is_told, world)
        await trio.sleep(1)
        await world.domain.destroy()
        await trio.sleep(60)
        assert life is not None
        with pytest.raises(InvalidStateError):
            life.definition  # noqa: B018 - not even when another life has one
        assert lives_again is (world.domain.view.live is not None)


async def _start_and_plug(world: World) -> None:
    await world.domain.start()
