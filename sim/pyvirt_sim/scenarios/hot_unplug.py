"""The founding story: a client that acts at once when it hears that a device was removed.

A domain runs and gets a device. An operator detaches the device; a client that listens to events
reuses it the moment it hears of the removal: it gives a host device back to the host's driver. That
is what vdsm did when libvirt still announced too early (bug 1658198), and it failed.

`play` is the whole story and knows nothing of simulation: the real arm plays it on a booted Linux
guest, with a device of another type.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio

from pyvirt_sim.checkers.promise import Observation, require
from pyvirt_sim.checkers.removed_means_gone import (
    CHECKER,
    PROMISE,
    check_removed_means_gone,
)
from pyvirt_sim.engine import note, sometimes
from pyvirt_sim.host import HostPlan, SimPciDevice, open_sim_host
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_trio import (
    DeviceRemoved,
    Domain,
    DomainStopped,
    HostError,
    Hypervisor,
    PciAddress,
    PyvirtError,
    Record,
    Subscription,
    open_hypervisor,
)
from pyvirt_trio.abc import Host
from pyvirt_trio.errors import ErrorCode

ADDRESS = PciAddress.parse("0000:01:00.0")

DOMAIN_XML = """
<domain type='qemu'>
  <name>demo</name>
  <uuid>5f6a7b80-1658-4198-9d3c-000000000001</uuid>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <serial type='file'><source path='/var/log/demo.console'/></serial>
  </devices>
</domain>
"""

HOSTDEV_XML = """
<hostdev mode='subsystem' type='pci' managed='no'>
  <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>
</hostdev>
"""

CONSOLE = "/var/log/demo.console"
GUEST_IS_UP = "simulated guest is up"
"""What the simulated guest says on its console when it has booted."""
CONSOLE_PAUSE_S = 0.2
"""How often the guest's console is looked at; booting takes half a second at least."""

INBOX_LENGTH = 16
"""Events a client may have waiting; the story makes fewer than that."""


@attrs.frozen(kw_only=True)
class Setting:
    """What differs between the arms.

    Args:
        domain_xml: The domain; one root port is free.
        device_xml: The device that comes and goes.
        source: The host's address of it, when it is a host device.
        guest_is_ready: Called when the domain has started; returns when its guest can answer.
    """

    domain_xml: str = DOMAIN_XML
    device_xml: str = HOSTDEV_XML
    source: PciAddress | None = ADDRESS
    guest_is_ready: Callable[[Domain], Awaitable[None]] | None = None


async def play(hypervisor: Hypervisor, setting: Setting) -> list[str]:
    """Play the story once.

    Returns:
        The kinds of the events that the client received, in order.

    Raises:
        PromiseBrokenError: The device was announced as removed and was not gone.
    """
    domain = await hypervisor.define(setting.domain_xml)
    if setting.source is not None:
        node_device = await hypervisor.node_device(setting.source.node_device_name)
        await node_device.detach()
    _, events = hypervisor.subscribe()
    client = _Client(hypervisor, setting)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.listen, events, name="client's event loop")
        nursery.start_soon(client.work, name="client")
        if not await _starts(domain):
            nursery.cancel_scope.cancel()
            return client.received
        if setting.guest_is_ready is not None:
            await setting.guest_is_ready(domain)
        device = await domain.attach_device(setting.device_xml)
        assert device.alias is not None, "an attached device has an alias"
        note("operator", f"detaches {device.alias}")
        await domain.detach_device(device.alias)
        client.operator_knows = True
        note("operator", "is told that the device is gone")
        await client.done.wait()
        await domain.destroy()
        await client.heard_of_the_end.wait()
        nursery.cancel_scope.cancel()
    return client.received


class _Client:
    """A management program: an event loop that only queues, and a worker that acts."""

    def __init__(self, hypervisor: Hypervisor, setting: Setting) -> None:
        self.received: list[str] = []
        self.done = trio.Event()
        self.heard_of_the_end = trio.Event()
        self.operator_knows = False
        self._hypervisor = hypervisor
        self._setting = setting
        self._send, self._inbox = trio.open_memory_channel[Record](INBOX_LENGTH)

    async def listen(self, events: Subscription) -> None:
        """Hand every event to the worker, as a client's event loop does."""
        async for record in events:
            self._send.send_nowait(record)

    async def work(self) -> None:
        """Act on the removal as soon as it is heard of."""
        async for record in self._inbox:
            kind = type(record.event).__name__
            self.received.append(kind)
            note("client", f"receives {kind}", sequence=record.sequence)
            if isinstance(record.event, DeviceRemoved):
                sometimes("the client hears of it before the operator", not self.operator_knows)
                sometimes("the operator knows before the client", self.operator_knows)
                source = self._setting.source
                check_removed_means_gone(self._hypervisor, record.event, source, "client")
                if source is not None:
                    await self._give_back(source, record.event)
                self.done.set()
            elif isinstance(record.event, DomainStopped):
                self.heard_of_the_end.set()

    async def _give_back(self, source: PciAddress, event: DeviceRemoved) -> None:
        """``virNodeDeviceReAttach``, the call that failed in the bug report."""
        note("client", f"gives {source} back to the host")
        node_device = await self._hypervisor.node_device(source.node_device_name)
        try:
            await node_device.reattach()
            outcome = "it succeeds"
        except PyvirtError as error:
            outcome = f"{type(error).__name__}: {error}"
        question = f"what does giving {source} back do after DeviceRemoved({event.alias})?"
        require(
            CHECKER,
            PROMISE,
            "client acts on it",
            [Observation(question, "it succeeds", outcome)],
        )


async def _starts(domain: Domain) -> bool:
    """Start the domain. A machine on which that takes too long has no story to tell."""
    try:
        await domain.start()
    except HostError as error:
        if error.code is ErrorCode.OPERATION_TIMEOUT:
            note("operator", "gives up on a machine that is too slow")
            return False
        raise
    return True


async def console_says(host: Host, path: str, line: str) -> None:
    """Return when the guest has written ``line`` on the serial port whose output is in ``path``.

    A guest that is still booting loses unplug requests, a real one as much as a simulated one.
    """
    while line not in await host.read_text(path):  # noqa: ASYNC110 - a file can only be looked at
        await trio.sleep(CONSOLE_PAUSE_S)


async def in_simulation(plan: HostPlan | None = None) -> None:
    """Play the story on a simulated machine.

    Args:
        plan: What may be slow or go wrong there.
    """
    async with open_sim_host(plan) as host:
        host.add_file("/boot/vmlinuz")
        host.add_pci_device(
            SimPciDevice(
                address=ADDRESS,
                vendor_id=0x8086,
                product_id=0x10D3,
                class_code=0x020000,
                driver="e1000e",
                iommu_group=7,
            )
        )
        async with open_hypervisor("qemu:///embed?root=/sim/vms", host=host) as hypervisor:
            await play(
                hypervisor,
                Setting(guest_is_ready=lambda _: console_says(host, CONSOLE, GUEST_IS_UP)),
            )


SCENARIO = Scenario(
    name="hot-unplug",
    summary="A client gives a host device back to the host as soon as it hears DeviceRemoved.",
    promise=PROMISE,
    program=in_simulation,
)
