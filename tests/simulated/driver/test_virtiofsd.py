"""A folder of the host in a guest: the virtiofsd that is started for it, and ended with it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.host.virtiofsd import PROGRAM
from pyvirt_sim.scenarios.hot_unplug import CONSOLE, console_says
from pyvirt_trio import Domain, HostError, Impact, open_hypervisor
from pyvirt_trio.driver.virtiofsd import find_binary
from pyvirt_trio.errors import DefinitionError
from pyvirt_trio.models import Filesystem
from tests.simulated.driver.test_node_devices import refusal
from tests.simulated.driver.test_restart import Machine, reconnected
from tests.simulated.driver.world import URI, Clock

FOLDER = """
    <filesystem type='mount'>
      <driver type='virtiofs'/>
      <binary xattr='on'><cache mode='always'/><sandbox mode='chroot'/></binary>
      <source dir='/srv/share'/><target dir='share'/>
    </filesystem>"""
BACKING = "<source type='memfd'/><access mode='shared'/>"
DESCRIPTION = json.dumps({"type": "fs", "binary": PROGRAM})


def domain_xml(devices: str = "", backing: str = BACKING) -> str:
    return f"""
    <domain type='qemu'>
      <name>demo</name><memory unit='MiB'>64</memory>
      <memoryBacking>{backing}</memoryBacking>
      <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os>
      <devices><serial type='file'><source path='{CONSOLE}'/></serial>
        {devices}</devices>
    </domain>"""


def furnish(host: SimHost) -> SimHost:
    host.add_file("/boot/vmlinuz")
    host.add_file("/srv/share/file")
    host.add_file("/usr/share/qemu/vhost-user/50-qemu-gpu.json", '{"type": "gpu"}')
    host.add_file("/usr/share/qemu/vhost-user/50-qemu-virtiofsd.json", DESCRIPTION)
    return host


@asynccontextmanager
async def defined(
    devices: str = "", backing: str = BACKING
) -> AsyncGenerator[tuple[SimHost, Domain]]:
    async with open_sim_host() as host:
        furnish(host)
        async with open_hypervisor(URI, host=host) as hypervisor:
            yield host, await hypervisor.define(domain_xml(devices, backing))


def running(host: SimHost) -> list[tuple[str, ...]]:
    return [one.argv for one in host.servers() if not one.has_ended]


async def boot(domain: Domain, host: SimHost) -> None:
    await domain.start()
    await console_says(host, CONSOLE, "simulated guest is up")


async def test_it_runs_for_as_long_as_the_machine_does(autojump_clock: Clock) -> None:
    async with defined(FOLDER) as (host, domain):
        await domain.start()
        device = domain.definition.device("fs0")
        assert isinstance(device, Filesystem)
        options = "source=/srv/share,cache=always,sandbox=chroot,xattr"
        assert running(host) == [(PROGRAM, f"--socket-path={device.socket}", "-o", options)]
        assert "socket=" not in domain.xml(inactive=True)
        await domain.destroy()
        assert running(host) == []
        await domain.start()
        assert len(running(host)) == 1
        await domain.destroy()


@pytest.mark.parametrize("text", ["[]", "{", '{"type": "fs"}', '"fs"', "3"])
async def test_a_description_that_says_nothing_is_passed_over(
    text: str, autojump_clock: Clock
) -> None:
    async with open_sim_host() as host:
        host.add_file("/etc/qemu/vhost-user/10-other.json", text)
        host.add_file("/usr/share/qemu/vhost-user/50-qemu-virtiofsd.json", DESCRIPTION)
        assert await find_binary(host) == PROGRAM


async def test_it_comes_and_goes_with_the_device(autojump_clock: Clock) -> None:
    async with defined() as (host, domain):
        await boot(domain, host)
        before = domain.definition
        await domain.attach_device(FOLDER)
        assert len(running(host)) == 1
        await domain.detach_device("fs0")
        assert running(host) == []
        assert domain.definition == before
        await domain.destroy()


async def test_a_new_manager_ends_it_with_the_device(autojump_clock: Clock) -> None:
    async with open_sim_host() as host:
        machine = Machine(furnish(host))
        async with machine.manager() as hypervisor:
            domain = await hypervisor.define(domain_xml(FOLDER))
            await boot(domain, host)
        assert len(running(host)) == 1
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            await hypervisor.domain("demo").detach_device("fs0")
            assert running(host) == []
            await hypervisor.domain("demo").attach_device(FOLDER)
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            await hypervisor.domain("demo").destroy()
            assert running(host) == []


async def test_a_socket_of_a_life_means_nothing_in_another_definition(
    autojump_clock: Clock,
) -> None:
    async with defined(FOLDER) as (_, domain):
        await domain.start()
        live = domain.xml()
        await domain.destroy()
        again = await domain.hypervisor.define(live)
        [device] = [one for one in again.definition.devices if isinstance(one, Filesystem)]
        assert (device.socket, device.source_dir) == (None, "/srv/share")


async def test_what_cannot_be_served_is_refused_and_nothing_runs(autojump_clock: Clock) -> None:
    async with defined() as (host, domain):
        await domain.start(paused=True)
        before = domain.view
        missing = FOLDER.replace("/srv/share", "/srv/nothing")
        assert await refusal(domain.attach_device(missing), HostError) == (
            1,
            "the virtiofs export directory '/srv/nothing' does not exist",
        )
        code, text = await refusal(
            domain.attach_device(FOLDER.replace("/srv/share", "/srv/share/file")), HostError
        )
        assert code == 9
        assert text.startswith("virtiofsd died and reported: fuse: failed to stat(")
        other = FOLDER.replace("<binary ", "<binary path='/opt/virtiofsd' ")
        assert await refusal(domain.attach_device(other), HostError) == (
            9,
            "Could not start 'virtiofsd': No such file or directory",
        )
        await host.remove_file("/usr/share/qemu/vhost-user/50-qemu-virtiofsd.json")
        assert await refusal(domain.attach_device(FOLDER), HostError) == (
            9,
            "Unable to find a satisfying virtiofsd",
        )
        assert before == domain.view
        assert running(host) == []
        await domain.destroy()


@pytest.mark.parametrize("impact", [Impact.LIVE, Impact.CONFIG])
async def test_memory_of_its_own_cannot_be_served(impact: Impact, autojump_clock: Clock) -> None:
    async with defined(backing="<source type='memfd'/>") as (host, domain):
        await domain.start(paused=True)
        assert await refusal(domain.attach_device(FOLDER, impact), DefinitionError) == (
            67,
            "'virtiofs' requires shared memory",
        )
        assert list(host.servers()) == []
        await domain.destroy()


async def test_a_start_that_fails_leaves_nothing_running(autojump_clock: Clock) -> None:
    async with defined(FOLDER) as (host, domain):
        await host.remove_file("/boot/vmlinuz")
        await refusal(domain.start(), HostError)
        assert len(host.servers()) == 1
        assert running(host) == []
