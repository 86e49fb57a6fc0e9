"""Cores, keys, interrupts and numbers: what is written, what is refused, what is announced."""

from __future__ import annotations

import pytest
import trio

from pyvirt_trio import DefinitionError, HostError, InvalidStateError
from pyvirt_trio.models.keys import QEMU_KEYS
from tests.simulated.driver.test_reactions import booted, machine, settle, state, told
from tests.simulated.driver.world import Clock, World, open_world

CORE = "/var/log/core"


async def cores(world: World) -> list[str]:
    return await world.host.list_directory("/vms/dump")


async def test_a_core_is_written_of_a_machine_that_stands_still(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.core_dump(CORE)
        assert told(world) == ["DomainSuspended.PAUSED", "DomainResumed.UNPAUSED"]
        assert "ELF" in await world.host.read_text(CORE)
        assert state(world) == "running (unpaused)"


async def test_a_paused_machine_stays_paused(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.suspend()
        told(world)
        await world.domain.core_dump(CORE)
        assert (told(world), state(world)) == ([], "paused (user)")


async def test_a_core_may_be_the_end_or_a_new_beginning(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.core_dump(CORE, reset=True)
        assert told(world) == ["DomainSuspended.PAUSED", "DomainRebooted", "DomainResumed.UNPAUSED"]
        await world.domain.core_dump(CORE, crash=True)
        assert told(world) == ["DomainSuspended.PAUSED", "DomainStopped.CRASHED"]
        assert state(world) == "shutoff (crashed)"
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.core_dump(CORE)


async def test_a_core_that_cannot_be_written_lets_the_machine_go_on(autojump_clock: Clock) -> None:
    async with booted() as world:
        with pytest.raises(HostError, match="Failed to create file '/nowhere/core'"):
            await world.domain.core_dump("/nowhere/core", crash=True)
        assert state(world) == "paused (dump)"
        await world.domain.resume()
        with pytest.raises(HostError):
            await world.domain.core_dump("/nowhere/core")
        assert state(world) == "running (unpaused)"
        with pytest.raises(DefinitionError, match="exclude each other"):
            await world.domain.core_dump(CORE, crash=True, reset=True)
        with pytest.raises(DefinitionError, match="not an absolute path"):
            await world.domain.core_dump("core")


@pytest.mark.parametrize(
    ("action", "events", "end"),
    [
        ("coredump-destroy", ["DomainStopped.CRASHED"], "shutoff (crashed)"),
        ("coredump-restart", ["DomainRebooted", "DomainResumed.UNPAUSED"], "running (crashed)"),
    ],
)
async def test_a_crash_leaves_a_core_where_it_is_asked_for(
    autojump_clock: Clock, action: str, events: list[str], end: str
) -> None:
    async with booted(f"on_crash={action}") as world:
        machine(world).panic()
        await settle()
        assert told(world) == ["DomainCrashed.PANICKED", *events]
        assert state(world) == end
        [core] = await cores(world)
        assert core.startswith("1-demo-2020-09-13-")


async def test_a_qemu_that_dies_as_it_writes_a_core_is_told(autojump_clock: Clock) -> None:
    async with booted() as world:

        async def die(site: str) -> None:
            if site == "rcu":
                world.host.processes()[-1].kill()
            await trio.lowlevel.checkpoint()

        machine(world).world.pause = die  # type: ignore[method-assign]
        with pytest.raises((HostError, InvalidStateError)):
            await world.domain.core_dump(CORE)
        await settle()
        assert state(world) == "shutoff (crashed)"


async def test_keys_are_qemu_s_and_bad_ones_are_refused(autojump_clock: Clock) -> None:
    async with booted() as world:
        for name in QEMU_KEYS:  # the simulated QEMU holds them to the real one's schema
            await world.domain.send_keys([name])
        await world.domain.send_keys(["KEY_LEFTCTRL", "KEY_DELETE"], hold_ms=50)
        for keys in ([], ["KEY_NONE"], ["KEY_A"] * 17):
            with pytest.raises(DefinitionError):
                await world.domain.send_keys(keys)
        await world.domain.inject_nmi()
        await world.domain.destroy()
        with pytest.raises(InvalidStateError):
            await world.domain.inject_nmi()


async def test_numbers_of_a_domain_that_runs_and_of_one_that_does_not(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        off = await world.domain.statistics()
        assert (off["state.state"], off["balloon.current"], off["vcpu.current"]) == (5, 262144, 1)
        assert "cpu.time" not in off
        await world.domain.start()
        on = await world.domain.statistics()
        assert (on["state.state"], on["state.reason"], on["cpu.time"]) == (1, 1, 0)
        assert on["vcpu.0.state"] == 1
        info = await world.domain.info()
        assert (info.memory_kib, info.vcpu_count, info.cpu_time_ns) == (262144, 1, 0)
        assert str(info.status) == "running (booted)"
