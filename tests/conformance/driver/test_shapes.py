"""Each form of the command line comes up on a real QEMU, and on the simulated one."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from pyvirt_sim.host import open_sim_host
from pyvirt_trio import Domain, open_hypervisor

PATIENCE_S = 60
RNG = "<rng model='virtio'><backend model='random'/>{}</rng>"
PLACE = "<address type='pci' domain='0' bus='1' slot='0' function='{}'/>"
PORT = "<controller type='pci' index='1' model='pcie-root-port'/>"

SHAPES = {
    "two functions of a slot": (
        f"{PORT}{RNG.format(PLACE.format(1))}{RNG.format(PLACE.format(0))}",
        {"rng0", "rng1"},
    ),
    "watchdog on ISA": ("<watchdog model='ib700' action='none'/>", {"watchdog0"}),
}
"""Devices, and the names QEMU then knows."""


def domain_xml(devices: str) -> str:
    return f"""
    <domain type='qemu'>
      <name>demo</name><memory unit='MiB'>64</memory>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices>{devices}</devices>
    </domain>"""


async def names(domain: Domain) -> set[str]:
    there = await domain.running_life().execute("qom-list", {"path": "/machine/peripheral"})
    return {one["name"] for one in there}


@pytest.mark.real_qemu
@pytest.mark.parametrize("name", SHAPES)
async def test_a_real_qemu_takes_it(name: str, tmp_path: Path) -> None:
    devices, expected = SHAPES[name]
    uri = f"qemu:///embed?root={tmp_path}/vms"
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(uri, destroy_on_exit=True) as hypervisor:
            domain = await hypervisor.define(domain_xml(devices))
            await domain.start(paused=True)
            assert expected <= await names(domain)


@pytest.mark.parametrize("name", SHAPES)
async def test_the_simulated_one_takes_it(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    devices, expected = SHAPES[name]
    async with (
        open_sim_host() as host,
        open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor,
    ):
        domain = await hypervisor.define(domain_xml(devices))
        await domain.start(paused=True)
        assert expected <= await names(domain)
        await domain.destroy()
