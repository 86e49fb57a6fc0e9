"""Every type that is plugged on a real guest is plugged on the simulated one: it comes and goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.scenarios.hot_unplug import console_says
from pyvirt_trio import DeviceAdded, DeviceRemoved, Domain, open_hypervisor
from pyvirt_trio.errors import CommandFailedError, InvalidStateError
from tests.conformance.scenarios.test_hotpluggable_types import (
    DEVICES,
    domain_xml,
    folder_comes_and_goes,
    forward_comes_and_goes,
    lease_comes_and_goes,
    memory_that_stays,
    there,
    virtio_memory_grows_and_shrinks,
)

READY = "simulated guest is up"
FILES = ("/boot/vmlinuz", "/boot/initrd", "/tmp/image")
SERVED = "/run/served"
PATIENCE_S = 60
"""Virtual seconds; every wait here ends within a few."""

Clock = trio.testing.MockClock


async def booted(host: SimHost, domain: Domain) -> Domain:
    await domain.start()
    await console_says(host, "/tmp/console", READY)
    return domain


def definition() -> str:
    guest = Guest(Path("/boot/vmlinuz"), Path("/boot/initrd"), READY, "console=ttyS0")
    return domain_xml(guest, "/tmp/console")


ONLY_SIMULATED = {
    # No kernel with vhost-vsock, and no tap, bridge or switch that a test may touch.
    "vsock": "<vsock><cid auto='no' address='77'/></vsock>",
    "vsock that chooses": "<vsock><cid auto='yes'/></vsock>",
    "tap": """
        <interface type='ethernet'>
          <target dev='tap0' managed='no'/><model type='virtio'/>
        </interface>""",
    "bridge": """
        <interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>""",
    "vhost-user": """
        <interface type='vhostuser'>
          <source type='unix' path='SERVED' mode='client'/><model type='virtio'/>
        </interface>""",
}


@pytest.mark.parametrize("name", [*DEVICES, *ONLY_SIMULATED])
async def test_a_device_of_each_type_comes_and_goes(name: str, autojump_clock: Clock) -> None:
    xml = (
        (DEVICES | ONLY_SIMULATED)[name]
        .replace("SERVED", SERVED)
        .replace("IMAGE", "/tmp/image")
        .replace("NAME", "memory")
    )
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
            host.device_servers[SERVED] = None
            host.taps["tap0"] = None
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                domain = await booted(host, await hypervisor.define(definition()))
                _, events = hypervisor.subscribe()
                before = await there(domain)
                device = await domain.attach_device(xml.replace("SOCKET", "/tmp/socket"))
                assert device.alias is not None
                assert isinstance((await events.receive()).event, DeviceAdded)
                assert await there(domain) == before | {device.alias}
                await domain.detach_device(device.alias)
                assert isinstance((await events.receive()).event, DeviceRemoved)
                assert await there(domain) == before
                await domain.destroy()


async def test_a_forwarded_address_comes_and_goes(autojump_clock: Clock) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                domain = await booted(host, await hypervisor.define(definition()))
                await forward_comes_and_goes(domain)
                await domain.destroy()


async def test_virtio_memory_follows_and_some_memory_stays(autojump_clock: Clock) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                domain = await booted(host, await hypervisor.define(definition()))
                _, events = hypervisor.subscribe()
                await virtio_memory_grows_and_shrinks(domain, events)
                await memory_that_stays(domain, "/tmp/pmem")
                await domain.destroy()


async def test_a_lease_and_a_folder_come_and_go(autojump_clock: Clock) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
            host.device_servers[SERVED] = None
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                domain = await booted(host, await hypervisor.define(definition()))
                _, events = hypervisor.subscribe()
                await lease_comes_and_goes(domain)
                await folder_comes_and_goes(domain, events, f"socket='{SERVED}'")
                await domain.destroy()


async def test_two_guests_do_not_share_a_vsock_number(autojump_clock: Clock) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
            other = definition().replace("<name>demo<", "<name>other<").replace("console", "second")
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                one = await hypervisor.define(definition())
                two = await hypervisor.define(other)
                for domain in (one, two):
                    await domain.start(paused=True)
                await one.attach_device(ONLY_SIMULATED["vsock"])
                with pytest.raises(CommandFailedError, match="Address already in use"):
                    await two.attach_device(ONLY_SIMULATED["vsock"])
                await two.attach_device(ONLY_SIMULATED["vsock that chooses"])
                with pytest.raises(InvalidStateError, match="domain already has a vsock device"):
                    await two.attach_device(ONLY_SIMULATED["vsock"])
