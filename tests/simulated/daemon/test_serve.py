"""A client on the other end of a stream sees what a local user sees."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_trio import DefinitionError, NotFoundError, PyvirtError
from pyvirt_trio.daemon.serve import serve_client
from pyvirt_trio.remote.client import RemoteHypervisor
from tests.simulated.driver.world import RNG_XML, Clock, World, open_world


@asynccontextmanager
async def client_of(world: World) -> AsyncGenerator[RemoteHypervisor]:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_client, world.hypervisor, theirs)
        async with ours:
            yield RemoteHypervisor(ours)


async def test_a_life_from_far_away(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote, client_of(world) as observer:
        await remote.call("start", domain="demo")
        await world.boot_finished()
        events = observer.events()
        (seen,) = (await anext(events))["domains"]
        assert (seen["name"], seen["state"], seen["life"]) == ("demo", "running", 1)
        attached = await remote.call("attach-device", domain="demo", xml=RNG_XML)
        assert attached["alias"] == "rng0"
        for nonsense in (4, -1, "live", True):
            with pytest.raises(DefinitionError, match="unsupported flags"):
                await remote.call("attach-device", domain="demo", xml=RNG_XML, impact=nonsense)
        assert "rng0" in await remote.call("dumpxml", domain="demo")
        await remote.call("detach-device", domain="demo", device="rng0")
        kinds = [(await anext(events))["kind"] for _ in range(2)]
        assert kinds == ["DeviceAdded", "DeviceRemoved"]
        await remote.call("destroy", domain="demo")
        assert (await remote.call("domstate", domain="demo"))["state"] == "shutoff"
        assert [(await anext(events))["detail"] for _ in range(2)] == ["host", "destroyed"]
        await events.aclose()


async def test_an_error_is_raised_here_as_it_was_there(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        with pytest.raises(NotFoundError, match="no domain with matching name 'nope'"):
            await remote.call("start", domain="nope")
        with pytest.raises(PyvirtError, match="there is no method 'fly'"):
            await remote.call("fly")
        with pytest.raises(PyvirtError, match="unexpected keyword argument 'colour'"):
            await remote.call("start", domain="demo", colour="red")
        assert len(await remote.call("list")) == 1


async def test_a_client_that_hangs_up_stops_waiting_and_the_removal_goes_on(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.guest.unplug_answer = UnplugAnswer.IGNORE
        with trio.move_on_after(1):
            async with client_of(world) as remote:
                await remote.call("detach-device", domain="demo", device="rng0")
        world.guest.unplug_answer = UnplugAnswer.ACKNOWLEDGE
        assert world.domain.job.active is None
        await world.domain.detach_device("rng0")


async def test_nonsense_ends_the_connection_and_nothing_else(autojump_clock: Clock) -> None:
    async with open_world() as world:
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_client, world.hypervisor, theirs)
            await ours.send_all(b"GET / HTTP/1.1\r\n\r\n")
            assert await ours.receive_some() == b""
        assert world.hypervisor.domain("demo") is world.domain
