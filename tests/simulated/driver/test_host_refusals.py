"""Each refusal of libvirt's about devices of the host, in its words, with its number."""

from __future__ import annotations

import pytest

from pyvirt_sim.host import SimHost
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.host.pci import PciBus
from tests.simulated.driver.host_refusals import CLASSES, HOST_REFUSALS, HostRefusal
from tests.simulated.driver.world import Clock, World, open_world


def named(refusal: HostRefusal) -> str:
    return refusal.fact


async def drivers(host: SimHost) -> dict[str, str | None]:
    bus = PciBus(host)
    return {str(address): await bus.driver(address) for address in await bus.addresses()}


def lists(world: World) -> object:
    manager = world.hypervisor.host_devices
    return manager.active, manager.inactive, manager.active_others


@pytest.mark.parametrize("refusal", HOST_REFUSALS, ids=named)
async def test_a_call_is_refused_and_no_device_has_moved(
    refusal: HostRefusal, autojump_clock: Clock
) -> None:
    async with open_world() as world:
        await world.boot()
        await refusal.given(world)
        world.announced()
        before = (await drivers(world.host), lists(world))
        with pytest.raises(PyvirtError) as caught:
            await refusal.act(world)
        path = getattr(caught.value, "path", "")
        text = str(caught.value).removeprefix(f"{path}: ")
        assert (refusal.code, refusal.text) == (caught.value.code, text)
        assert refusal.fact in CLASSES[type(caught.value)]
        if "meanwhile" not in refusal.fact:  # there the domain has got it
            assert before == (await drivers(world.host), lists(world))
            assert world.announced() == []
