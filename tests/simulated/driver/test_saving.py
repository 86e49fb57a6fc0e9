"""Saved machines: what survives, what is announced, and what is left when it goes wrong."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel

from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_trio import (
    CommandFailedError,
    HostError,
    InvalidStateError,
    NotFoundError,
    open_hypervisor,
)
from pyvirt_trio.driver import restoring
from tests.simulated.driver.test_reactions import booted, machine, settle, state, told
from tests.simulated.driver.world import RNG_XML, URI, Clock, World

IMAGE = "/var/lib/demo.save"
FOLDER = "/vms/save"
COPIED = ["MigrationIterated", "MigrationIterated", "JobCompleted"]
"""Memory is gone through once, and once more for what was written meanwhile."""
SAVED = ["DomainSuspended.PAUSED", *COPIED, "DomainStopped.SAVED"]
RESTORED = ["DomainStarted.RESTORED", "DomainResumed.FROM_SNAPSHOT"]


async def files(world: World, folder: str) -> list[str]:
    return await world.host.list_directory(folder)


def delay(world: World) -> None:
    """Let every copy take its time."""

    async def pause(site: str) -> None:
        await trio.sleep(1 if site == "rcu" else 0)

    machine(world).world.pause = pause  # type: ignore[method-assign]


async def copy_is(world: World, status: str) -> None:
    """Wait until QEMU has told that its copy is in that state."""
    while world.domain.running_life().copying.status != status:
        await trio.sleep(0.1)


async def test_a_managed_save_goes_on_where_it_was(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.memory["counter"] = "42"
        await world.domain.managed_save()
        assert told(world) == SAVED
        assert state(world) == "shutoff (saved)"
        assert world.domain.has_managed_save
        assert await files(world, FOLDER) == ["demo.save"]
        await world.domain.start()
        assert told(world) == RESTORED
        assert state(world) == "running (restored)"
        assert world.guest.memory == {"counter": "42"}
        assert world.hypervisor.view().domains[0].has_managed_save is False
        assert await files(world, FOLDER) == []
        await world.domain.shutdown()  # its guest is up: no boot was needed
        await settle()
        assert state(world) == "shutoff (shutdown)"


async def test_devices_that_were_plugged_in_are_there_after_a_restore(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        await world.domain.attach_device(RNG_XML)
        live = world.domain.view.live
        await world.domain.save(IMAGE)
        domain = await world.hypervisor.restore_domain(IMAGE)
        assert domain is world.domain
        assert domain.view.live == live
        await domain.detach_device("rng0")


async def test_a_paused_machine_is_restored_paused(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.suspend()
        told(world)
        await world.domain.managed_save()
        assert told(world) == [*COPIED, "DomainStopped.SAVED"]
        await world.domain.start()
        assert told(world) == ["DomainStarted.RESTORED", "DomainSuspended.RESTORED"]
        assert state(world) == "paused (migration)"  # libvirt's reason


async def test_whether_it_will_run_can_be_chosen(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.save(IMAGE, running=False)
        await world.hypervisor.restore_domain(IMAGE)
        assert state(world) == "paused (migration)"
        await world.domain.save(IMAGE)
        await world.hypervisor.restore_domain(IMAGE, running=True)
        assert state(world) == "running (restored)"


async def test_a_restored_domain_that_is_not_defined_is_transient(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.save(IMAGE)
        await world.domain.undefine()
        domain = await world.hypervisor.restore_domain(IMAGE)
        assert not domain.is_persistent
        with pytest.raises(InvalidStateError, match="managed save for transient domain"):
            await domain.managed_save()
        await domain.destroy()
        with pytest.raises(NotFoundError):
            world.hypervisor.domain("demo")


async def test_a_damaged_image_starts_nothing_and_is_not_forgotten(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.managed_save()
        whole = await world.host.read_text(f"{FOLDER}/demo.save")
        await world.host.replace_file(f"{FOLDER}/demo.save", whole[:-5])
        told(world)
        with pytest.raises(HostError, match="is damaged"):
            await world.domain.start()
        assert (told(world), len(world.host.processes())) == ([], 1)
        assert world.domain.has_managed_save
        await world.domain.start(force_boot=True)
        assert state(world) == "running (booted)"
        assert await files(world, FOLDER) == []


async def test_a_stream_that_qemu_does_not_take_is_kept_with_its_words(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        await world.domain.managed_save()
        whole = await world.host.read_text(f"{FOLDER}/demo.save")
        await world.host.replace_file(f"{FOLDER}/demo.save", whole.replace("QEVM", "QEVN"))
        told(world)
        with pytest.raises(HostError, match="load of migration failed: Invalid argument"):
            await world.domain.start()
        assert told(world) == []
        assert world.domain.has_managed_save
        assert await files(world, FOLDER) == ["demo.save"]


async def test_a_save_that_cannot_be_written_lets_the_domain_go_on(autojump_clock: Clock) -> None:
    async with booted() as world:
        with pytest.raises(HostError, match="Failed to create file '/nowhere/image'"):
            await world.domain.save("/nowhere/image")
        assert told(world) == ["DomainSuspended.PAUSED", "DomainResumed.UNPAUSED"]
        assert state(world) == "running (save canceled)"


async def test_an_aborted_save_lets_the_domain_go_on(autojump_clock: Clock) -> None:
    async with booted() as world, trio.open_nursery() as nursery:

        async def save() -> None:
            with pytest.raises(InvalidStateError, match="aborted"):
                await world.domain.save(IMAGE)

        delay(world)
        nursery.start_soon(save)
        await copy_is(world, "active")
        await world.domain.abort_job()
        await settle()
        assert state(world) == "running (save canceled)"
        assert await files(world, "/var/lib") == []


async def test_a_cancelled_save_leaves_a_saved_domain_or_a_running_one(
    autojump_clock: Clock,
) -> None:
    outcomes = set()
    for steps in range(0, 60, 3):
        async with booted() as world:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(world.domain.managed_save)
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
            await settle()
            is_saved = world.domain.has_managed_save
            outcomes.add(is_saved)
            assert state(world).startswith("shutoff (saved)" if is_saved else "running")
            if world.domain.job.active_async is None and "save" in await files(world, "/vms"):
                assert await files(world, FOLDER) == (["demo.save"] if is_saved else [])
    assert outcomes == {True, False}


async def test_a_qemu_that_dies_while_it_is_saved_leaves_no_image(autojump_clock: Clock) -> None:
    async with booted() as world, trio.open_nursery() as nursery:

        async def save() -> None:
            with pytest.raises((HostError, InvalidStateError)):
                await world.domain.managed_save()

        delay(world)
        nursery.start_soon(save)
        await copy_is(world, "setup")
        world.host.processes()[-1].kill()
        await settle()
        assert state(world) == "shutoff (crashed)"
        assert not world.domain.has_managed_save
        assert await files(world, FOLDER) == []


WOKEN = ["MigrationIterated", "MigrationIterated", "MigrationIterated", "GuestWoke",
         "DomainStarted.WAKEUP"]  # fmt: skip


async def asleep(world: World) -> None:
    world.guest.act(GuestAction.SUSPEND)
    await settle()
    told(world)


async def test_a_guest_that_sleeps_is_woken_by_a_save_as_in_libvirt(autojump_clock: Clock) -> None:
    async with booted() as world:
        await asleep(world)
        world.guest.memory["counter"] = "42"
        await world.domain.save(IMAGE)
        assert told(world) == [*WOKEN, "JobCompleted", "DomainStopped.SAVED"]
        await world.hypervisor.restore_domain(IMAGE)
        assert state(world) == "paused (migration)"
        await world.domain.resume()
        assert world.guest.memory == {"counter": "42"}
        await world.domain.shutdown()
        await settle()
        assert state(world) == "shutoff (shutdown)"


async def test_a_guest_that_was_woken_in_vain_goes_on(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with booted() as world:
        await asleep(world)

        async def seal(_path: str, _head: bytes) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(world.host, "seal_file", seal)
        with pytest.raises(HostError, match="Input/output error"):
            await world.domain.save(IMAGE)
        assert told(world)[: len(WOKEN)] == WOKEN
        assert state(world) == "running (wakeup)"
        assert machine(world).is_running


async def test_stopped_domains_are_not_saved(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.destroy()
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.save(IMAGE)


async def test_undefining_refuses_while_there_is_a_managed_save(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.managed_save()
        with pytest.raises(InvalidStateError, match="managed save image exists"):
            await world.domain.undefine()
        await world.domain.undefine(managed_save=True)
        assert await files(world, FOLDER) == []
        assert world.hypervisor.domains() == []


async def test_another_hypervisor_finds_managed_saves_and_no_leftovers(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        await world.domain.managed_save()
        for name in ("demo.save.part", "demo.save.used"):
            await world.host.replace_file(f"{FOLDER}/{name}", "")
        await restoring.find_managed_saves(world.hypervisor)
        assert await files(world, FOLDER) == ["demo.save"]
        host = world.host
        world.hypervisor.nursery.cancel_scope.cancel()
    async with open_hypervisor(URI, host=host) as hypervisor:
        assert hypervisor.domain("demo").has_managed_save


async def test_a_transient_domain_exists_as_long_as_it_runs(autojump_clock: Clock) -> None:
    async with booted() as world:
        xml = world.domain.xml(inactive=True)
        with pytest.raises(InvalidStateError, match="domain 'demo' is already active"):
            await world.hypervisor.create(xml)
        other = xml.replace(str(world.domain.uuid), "5f6a7b80-1658-4198-9d3c-000000000002")
        other = other.replace(">demo<", ">other<").replace("demo.console", "other.console")
        domain = await world.hypervisor.create(other, paused=True)
        assert not domain.is_persistent
        assert str(domain.status) == "paused (user)"
        with pytest.raises(CommandFailedError):
            await domain.pm_wakeup()
        await domain.destroy()
        assert [one.name for one in world.hypervisor.domains()] == ["demo"]
        with pytest.raises(HostError, match="could not open kernel"):
            await world.hypervisor.create(other.replace("/boot/vmlinuz", "/boot/none"))
        assert [one.name for one in world.hypervisor.domains()] == ["demo"]
