"""Worlds for tests that the engine runs, where everything is made within the run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from pyvirt_sim.host import HostPlan, SimHost, open_sim_host
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.scenarios.hot_unplug import CONSOLE, DOMAIN_XML, console_says
from pyvirt_trio import Hypervisor, open_hypervisor

URI = "qemu:///embed?root=/vms"
RNG_XML = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
RESTARTING_XML = DOMAIN_XML.replace("<devices>", "<on_poweroff>restart</on_poweroff><devices>")
"""A domain that is reset when its guest powers off."""


@asynccontextmanager
async def machine(plan: HostPlan | None = None) -> AsyncGenerator[SimHost]:
    """A machine on which domains can be booted."""
    async with open_sim_host(plan) as host:
        host.add_file("/boot/vmlinuz")
        yield host


@asynccontextmanager
async def manager(host: SimHost) -> AsyncGenerator[Hypervisor]:
    """A hypervisor of the one root that these tests use."""
    async with open_hypervisor(URI, host=host) as hypervisor:
        yield hypervisor


async def boot(hypervisor: Hypervisor, host: SimHost, xml: str = DOMAIN_XML) -> None:
    """Define the domain, start it, and wait until its guest handles hotplug."""
    await (await hypervisor.define(xml)).start()
    await console_says(host, CONSOLE, "simulated guest is up")


def power_off(host: SimHost) -> None:
    """Let the guest power off, if it runs."""
    host.processes()[-1].qemu.guest.act(GuestAction.POWER_OFF)


def eject(host: SimHost, alias: str) -> None:
    """Let the guest give up a device without having been asked."""
    tree = host.processes()[-1].qemu.machine.tree
    device = tree.find(alias)
    assert device is not None, "QEMU has it"
    tree.eject(device)


async def some_steps_later(action: Callable[[], None]) -> None:
    """Do it when others have come as far as the chooser lets them."""
    for _ in range(12):
        await trio.lowlevel.checkpoint()
    action()
