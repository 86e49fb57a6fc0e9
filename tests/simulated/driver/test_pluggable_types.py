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
from tests.conformance.scenarios.test_hotpluggable_types import (
    DEVICES,
    domain_xml,
    forward_comes_and_goes,
    memory_that_stays,
    there,
    virtio_memory_grows_and_shrinks,
)

READY = "simulated guest is up"
FILES = ("/boot/vmlinuz", "/boot/initrd", "/tmp/image")
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


@pytest.mark.parametrize("name", DEVICES)
async def test_a_device_of_each_type_comes_and_goes(name: str, autojump_clock: Clock) -> None:
    xml = DEVICES[name].replace("IMAGE", "/tmp/image").replace("NAME", "memory")
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in FILES:
                host.add_file(path)
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
