"""A life ends when its process, its monitor and its cleanup agree; and not before, nor never."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_sim.host.process import SimProcess
from pyvirt_trio import HostError, InvalidStateError
from pyvirt_trio.errors import ErrorCode
from tests.simulated.driver.test_reactions import booted, settle, state, told
from tests.simulated.driver.world import Clock, World, open_world

LOST = ["DomainStopped.FAILED"]


def process(world: World) -> SimProcess:
    return world.host.processes()[-1]


@asynccontextmanager
async def slow(world: World, slow_site: str, seconds: float) -> AsyncGenerator[None]:
    """Everything that QEMU does at ``slow_site`` takes so long."""
    before = world.host.pause

    async def pause(site: str) -> None:
        if site == slow_site:
            await trio.sleep(seconds)
        else:
            await before(site)

    world.host.pause = pause  # type: ignore[method-assign]
    yield
    world.host.pause = before  # type: ignore[method-assign]


async def test_a_qemu_that_hangs_before_its_monitor_is_not_waited_for_for_ever(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, slow(world, "monitor-greeting", 10_000):
        before_s = trio.current_time()
        with pytest.raises(HostError, match="QEMU was not ready after 30 s") as refusal:
            await world.domain.start()
        assert refusal.value.code is ErrorCode.OPERATION_TIMEOUT
        assert 30 <= trio.current_time() - before_s <= 45
        assert told(world) == []
        assert state(world) == "shutoff (failed)"
        assert process(world).has_ended


async def test_a_qemu_that_hangs_in_its_first_command_is_not_either(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, slow(world, "monitor-command", 10_000):
        with pytest.raises(HostError, match="was not ready after 30 s"):
            await world.domain.start()
        assert (told(world), process(world).has_ended) == ([], True)


async def test_a_slow_death_is_waited_for_and_announced_when_it_is_over(
    autojump_clock: Clock,
) -> None:
    async with booted() as world, slow(world, "process-exit", 4):
        before_s = trio.current_time()
        await world.domain.destroy()
        assert trio.current_time() - before_s >= 4
        assert process(world).has_ended
        assert told(world) == ["DomainShutdown.HOST", "DomainStopped.DESTROYED"]


async def test_a_qemu_that_does_not_obey_is_killed_after_ten_seconds(
    autojump_clock: Clock,
) -> None:
    async with booted() as world, slow(world, "process-exit", 10_000):
        before_s = trio.current_time()
        await world.domain.destroy()
        assert 10 <= trio.current_time() - before_s <= 12
        assert state(world) == "shutoff (destroyed)"


async def test_a_graceful_destroy_does_not_kill_and_says_so(autojump_clock: Clock) -> None:
    async with booted() as world, slow(world, "process-exit", 60):
        process(world).qemu.terminate = lambda sender: None  # type: ignore[method-assign]
        with pytest.raises(HostError, match=r"Failed to terminate process \d+ with SIGTERM"):
            await world.domain.destroy(graceful=True)
        assert not process(world).has_ended
        assert (told(world), state(world)) == ([], "running (booted)")
        process(world).kill()
        await settle()
        assert (told(world), state(world)) == (LOST, "shutoff (crashed)")


async def test_a_cancelled_destroy_goes_on(autojump_clock: Clock) -> None:
    async with booted() as world, slow(world, "process-exit", 4):
        with trio.move_on_after(1):
            await world.domain.destroy()
        assert world.domain.status.is_active
        await trio.sleep(5)
        assert state(world) == "shutoff (destroyed)"


async def test_a_process_that_keeps_its_monitor_open_after_its_end_ends_the_life_too(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        ended = process(world)
        ended._ended.set()  # as seen by who waits; the monitor is still there
        await trio.sleep(3)
        assert told(world) == LOST
        assert state(world) == "shutoff (crashed)"


async def test_a_stale_socket_of_an_earlier_qemu_is_no_monitor(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.host.replace_file("/vms/run/demo.monitor", "left behind")
        await world.domain.start()
        assert state(world) == "running (booted)"


async def test_a_kill_during_the_start_is_a_failed_start_with_qemu_s_words(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, slow(world, "monitor-greeting", 5):
        async with trio.open_nursery() as nursery:

            async def start() -> None:
                with pytest.raises(HostError, match="QEMU ended during its start"):
                    await world.domain.start()

            nursery.start_soon(start)
            await trio.sleep(1)
            process(world).kill()
        assert (told(world), state(world)) == ([], "shutoff (failed)")
        await world.domain.start()


@given(st.lists(st.sampled_from(["kill", "destroy", "terminate", "start", "quit"]), max_size=8))
def test_a_domain_is_active_as_long_as_it_has_a_process(doings: list[str]) -> None:
    trio.run(_lives, doings, clock=Clock(autojump_threshold=0))


async def _lives(doings: list[str]) -> None:
    async with open_world() as world:
        ends = starts = 0
        for doing in doings:
            is_active = world.domain.status.is_active
            try:
                if doing == "kill" and is_active:
                    process(world).kill()
                elif doing == "terminate" and is_active:
                    process(world).terminate()
                elif doing == "quit":
                    await world.domain.running_life().execute("quit")
                elif doing in ("start", "destroy"):
                    await getattr(world.domain, doing)()
            except InvalidStateError:
                pass
            await settle()
            lines = told(world)
            ends += sum(line.startswith("DomainStopped") for line in lines)
            starts += lines.count("DomainStarted.BOOTED")
            alive = [one for one in world.host.processes() if not one.has_ended]
            assert len(alive) == int(world.domain.status.is_active) == starts - ends
            assert len(world.host.processes()) == world.domain.view.life == starts
