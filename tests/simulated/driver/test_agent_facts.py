"""What a guest's agent knows of its guest, and how its processors are used."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from pyvirt_sim.host import HostPlan
from pyvirt_sim.qemu.agent_commands import ANSWERED
from pyvirt_sim.qemu.agent_system import AgentError
from pyvirt_trio import DefinitionError, GuestError, Impact, InvalidStateError, PyvirtError
from pyvirt_trio.errors import AgentCommandError, ErrorCode
from pyvirt_trio.models.agent import GuestInfoTypes
from pyvirt_trio.models.lifecycle import ShutdownMode
from tests.simulated.driver.test_agent import CHANNEL, agent_of, booted
from tests.simulated.driver.test_display import sent
from tests.simulated.driver.world import Clock, World, open_world

DISKS = """<controller type='scsi' index='0' model='virtio-scsi'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/images/vda'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sdb' bus='scsi'/>
<address type='drive' controller='0' bus='0' target='0' unit='2'/></disk>"""

TOLD_OF_DISKS = {
    "fs.0.disk.count": 1,
    "fs.0.disk.0.alias": "vda",
    "fs.0.disk.0.device": "/dev/vda",
    "disk.count": 2,
    "disk.0.name": "/dev/vda",
    "disk.0.partition": False,
    "disk.0.alias": "vda",
    "disk.1.name": "/dev/sr0",
    "disk.1.partition": False,
    "disk.1.alias": "sdb",
}
"""What the agent tells of `DISKS` when the first has a file system."""


@asynccontextmanager
async def with_disks() -> AsyncGenerator[World]:
    async with open_world(HostPlan(has_guest_agent=True)) as world:
        world.host.add_file("/images/vda")
        xml = world.domain.xml().replace("</devices>", f"{DISKS}{CHANNEL}</devices>")
        await world.hypervisor.define(xml)
        await world.boot()
        agent_of(world).system.mounted["/"] = "/dev/vda"
        yield world


async def test_disks_of_the_guest_are_found_among_those_of_the_domain(
    autojump_clock: Clock,
) -> None:
    async with with_disks() as world:
        info = await world.domain.agent.info(GuestInfoTypes.FILESYSTEM | GuestInfoTypes.DISKS)
        assert info == {
            "fs.count": 1,
            "fs.0.name": "vda",
            "fs.0.mountpoint": "/",
            "fs.0.fstype": "ext4",
            "fs.0.total-bytes": 7 << 20,
            "fs.0.used-bytes": 1 << 20,
            **TOLD_OF_DISKS,
        }


async def test_everything_leaves_out_what_the_agent_does_not_do(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent = world.domain.agent
        everything = await agent.info()
        prefixes = list(dict.fromkeys(key.partition(".")[0] for key in everything))
        assert prefixes == ["user", "os", "timezone", "hostname", "fs", "disk", "if"]
        await agent.freeze()
        assert await agent.info() == {}
        with pytest.raises(AgentCommandError, match="has been disabled"):
            await agent.info(GuestInfoTypes.HOSTNAME)


async def test_a_refusal_that_is_no_lack_of_a_command_is_told(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise AgentError("no such luck")

    async with booted() as world:
        monkeypatch.setitem(ANSWERED, "guest-get-osinfo", broken)
        with pytest.raises(AgentCommandError, match="no such luck"):
            await world.domain.agent.info()


async def test_an_answer_without_sense_is_refused_and_the_next_call_works(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with booted() as world:
        with monkeypatch.context() as patch:
            patch.setitem(ANSWERED, "guest-get-fsinfo", lambda *_: [{"mountpoint": "/"}])
            with pytest.raises(GuestError, match="return value of 'guest-get-fsinfo'") as refusal:
                await world.domain.agent.file_systems()
            assert refusal.value.code is ErrorCode.INTERNAL_ERROR
        assert [one.mount_point for one in await world.domain.agent.file_systems()] == ["/"]


async def test_who_is_logged_in_and_where_the_guest_is(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent_of(world).system.logins["root"] = 1_000_000.5
        info = await world.domain.agent.info(GuestInfoTypes.USERS | GuestInfoTypes.TIMEZONE)
        assert info == {
            "user.count": 1,
            "user.0.name": "root",
            "user.0.login-time": 1_000_000_500,
            "timezone.name": "UTC",
            "timezone.offset": 0,
        }


# -- processors -----------------------------------------------------------------------------------


async def used(world: World) -> list[int]:
    return [vcpu.number for vcpu in await world.domain.agent.vcpus() if vcpu.is_online]


async def test_the_lowest_processors_that_can_change_do_so_first(autojump_clock: Clock) -> None:
    async with booted(vcpus=4) as world:
        agent = world.domain.agent
        assert await used(world) == [0, 1, 2, 3]
        await agent.set_vcpu_count(2)
        assert await used(world) == [0, 3]
        await agent.set_vcpu_count(3)
        assert await used(world) == [0, 1, 3]
        assert await agent.vcpu_count() == 3
        await agent.set_vcpu_count(3)
        assert await used(world) == [0, 1, 3]
        await agent.set_vcpus("1,3", enabled=False)
        assert await used(world) == [0]
        await agent.set_vcpus("0-2", enabled=True)
        assert await used(world) == [0, 1, 2]
        assert world.domain.vcpu_count(Impact.LIVE) == 4  # they stay in the machine


async def test_an_agent_that_does_some_is_asked_for_the_rest(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = ANSWERED["guest-set-vcpus"]
    asked: list[int] = []

    def one_at_a_time(system: Any, guest: Any, arguments: Any) -> Any:
        asked.append(len(arguments["vcpus"]))
        return change(system, guest, {"vcpus": arguments["vcpus"][:1]})

    async with booted(vcpus=4) as world:
        monkeypatch.setitem(ANSWERED, "guest-set-vcpus", one_at_a_time)
        await world.domain.agent.set_vcpu_count(1)
        assert await used(world) == [0]
        assert asked == [3, 2, 1]


@pytest.mark.parametrize("answer", [0, 5, -1, None, True])
async def test_an_agent_that_counts_wrong_is_not_asked_for_ever(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    async with booted(vcpus=4) as world:
        monkeypatch.setitem(ANSWERED, "guest-set-vcpus", lambda *_: answer)
        with pytest.raises(GuestError, match="malformed or invalid return value"):
            await world.domain.agent.set_vcpu_count(1)


@pytest.mark.parametrize(
    ("count", "code", "words"),
    [
        (0, ErrorCode.INVALID_ARG, "nvcpus in virDomainSetVcpusFlags must not be zero"),
        (4, ErrorCode.INVALID_ARG, "than the count of enabled vcpus in the domain: 4 > 3"),
    ],
)
async def test_counts_that_cannot_be_are_refused_in_libvirt_s_words(
    autojump_clock: Clock, count: int, code: ErrorCode, words: str
) -> None:
    async with booted(vcpus=3) as world:
        with pytest.raises(DefinitionError, match=words) as refusal:
            await world.domain.agent.set_vcpu_count(count)
        assert refusal.value.code is code


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ([], "guest agent reports less cpu than requested"),
        (
            [
                {"logical-id": 0, "online": True, "can-offline": False},
                {"logical-id": 1, "online": True, "can-offline": False},
            ],
            "Cannot offline enough CPUs",
        ),
    ],
)
async def test_what_the_guest_cannot_do_is_refused_in_libvirt_s_words(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, known: object, words: str
) -> None:
    async with booted(vcpus=2) as world:
        monkeypatch.setitem(ANSWERED, "guest-get-vcpus", lambda *_: known)
        with pytest.raises(GuestError, match=words) as refusal:
            await world.domain.agent.set_vcpu_count(1)
        assert refusal.value.code is ErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize(
    ("cpu_map", "enabled", "code", "words"),
    [
        ("0", False, ErrorCode.OPERATION_UNSUPPORTED, "vCPU '0' is not offlinable"),
        ("0-7", True, ErrorCode.INVALID_ARG, "guest is missing vCPUs '2-7'"),
        ("x", True, ErrorCode.INVALID_ARG, "Failed to parse bitmap 'x'"),
        ("", True, ErrorCode.INVALID_ARG, "Failed to parse bitmap ''"),
    ],
)
async def test_maps_that_cannot_be_are_refused_in_libvirt_s_words(
    autojump_clock: Clock, cpu_map: str, enabled: bool, code: ErrorCode, words: str
) -> None:
    async with booted(vcpus=2) as world:
        with pytest.raises(PyvirtError, match=re.escape(words)) as refusal:
            await world.domain.agent.set_vcpus(cpu_map, enabled=enabled)
        assert refusal.value.code is code


async def test_a_plugged_processor_is_not_used_until_somebody_says_so(
    autojump_clock: Clock,
) -> None:
    async with open_world(HostPlan(has_guest_agent=True)) as world:
        xml = world.domain.xml().replace("</devices>", f"{CHANNEL}</devices>")
        xml = re.sub("<vcpu.*</vcpu>", "<vcpu current='1'>3</vcpu>", xml)
        await world.hypervisor.define(xml)
        await world.boot()
        with pytest.raises(DefinitionError, match="2 > 1"):
            await world.domain.agent.set_vcpu_count(2)
        await world.domain.set_vcpus(2, Impact.LIVE)
        assert await used(world) == [0]
        await world.domain.agent.set_vcpu_count(2)
        assert await used(world) == [0, 1]
        await world.domain.set_vcpus(1, Impact.LIVE)
        assert await used(world) == [0]


async def test_what_is_off_has_no_guest_to_ask(autojump_clock: Clock) -> None:
    async with booted() as world:
        await world.domain.destroy()
        with pytest.raises(DefinitionError, match="only be requested for live domains") as refusal:
            await world.domain.agent.vcpu_count()
        assert refusal.value.code is ErrorCode.INVALID_ARG
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.agent.set_vcpu_count(1)


# -- sleeping, setting clocks, going down ---------------------------------------------------------


async def test_a_machine_that_cannot_be_woken_is_not_put_to_sleep(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with booted() as world:
        life = world.domain.running_life()
        execute = life.execute

        async def cannot_wake(command: str, *arguments: Any) -> Any:
            if command == "query-current-machine":
                return {"wakeup-suspend-support": False}
            return await execute(command, *arguments)

        monkeypatch.setattr(life, "execute", cannot_wake)
        with pytest.raises(InvalidStateError, match="does not have suspend support") as refusal:
            await world.domain.agent.suspend()
        assert refusal.value.code is ErrorCode.OPERATION_UNSUPPORTED


async def test_after_the_clock_is_set_the_machine_owes_the_guest_no_ticks(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with booted() as world:
        commands = sent(world.domain, monkeypatch)
        await world.domain.agent.set_time(86_400 * 10**9)
        assert [name for name, _ in commands] == ["rtc-reset-reinjection"]


async def test_where_the_agent_fails_the_power_button_is_pressed(autojump_clock: Clock) -> None:
    async with booted(agent=False) as world:
        with pytest.raises(GuestError, match="not connected"):
            await world.domain.shutdown(mode=ShutdownMode.AGENT)
        await world.domain.reboot(mode=ShutdownMode.AGENT_OR_ACPI)
        await trio.sleep(60)
        assert "DomainRebooted" in {type(event).__name__ for event in world.announced()}
        await world.domain.shutdown(mode=ShutdownMode.AGENT_OR_ACPI)
        await trio.sleep(60)
        assert str(world.domain.status) == "shutoff (shutdown)"
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.shutdown(mode=ShutdownMode.AGENT_OR_ACPI)
