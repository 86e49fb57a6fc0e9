"""Where the short stories of the zoo are told: one simulated host, one hypervisor, one observer.

`open_stage` sets it up with the checkers of the story; leaving the block asks all questions once
more and ends the trace. A story takes some 100 steps, a few milliseconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from pyvirt_sim.checkers.always import Always, tells_nothing
from pyvirt_sim.checkers.observer import Observer, Question
from pyvirt_sim.checkers.trace import Checker, Trace, seen
from pyvirt_sim.host import HostPlan, SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.qemu.guest import GuestState
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_trio import Domain, Hypervisor, PciAddress, open_hypervisor
from pyvirt_trio.driver.backends import backends
from pyvirt_trio.models import Device

ROOT_URI = "qemu:///embed?root=/sim/vms"
NAME = "demo"
QUICK_BOOT = GuestTimes(boot_s=0.01)
ADDRESS = PciAddress.parse("0000:01:00.0")

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
INTERFACE = "<interface type='user'><model type='virtio'/></interface>"
KEYBOARD = "<input type='keyboard' bus='virtio'/>"
HOSTDEV = """
<hostdev mode='subsystem' type='pci' managed='no'>
  <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>
</hostdev>
"""
MANAGED_HOSTDEV = HOSTDEV.replace("managed='no'", "managed='yes'")


def domain_xml(devices: str = "", *, name: str = NAME, ports: int = 2, number: int = 1) -> str:
    """A small domain with a Linux kernel to boot and free root ports.

    Args:
        devices: Elements that it has from the start.
        name: Its name.
        ports: How many root ports there are.
        number: Makes its UUID.
    """
    roots = "".join(
        f"<controller type='pci' index='{index}' model='pcie-root-port'/>"
        for index in range(1, ports + 1)
    )
    return f"""
<domain type='qemu'>
  <name>{name}</name><uuid>5f6a7b80-1658-4198-9d3c-{number:012}</uuid>
  <memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os>
  <devices><controller type='pci' index='0' model='pcie-root'/>{roots}{devices}</devices>
</domain>"""


@attrs.define(eq=False)
class Stage:
    """What a story plays on.

    Args:
        host: The simulated machine.
        hypervisor: The library's.
        trace: What is seen.
        observer: The client that listens; it is called ``client``.
        nursery: For whoever else plays a part; cancelled at the end.
    """

    host: SimHost
    hypervisor: Hypervisor
    trace: Trace
    observer: Observer
    nursery: trio.Nursery
    born: tuple[str, ...] = ()

    @property
    def qemu(self) -> QemuProcess:
        """The QEMU that was started last."""
        return self.host.processes()[-1].qemu

    async def boot(self, xml: str | None = None, *, answers: bool = True) -> Domain:
        """Define and start a domain, and wait until its guest answers unplug requests."""
        domain = await self.hypervisor.define(domain_xml() if xml is None else xml)
        await domain.start()
        self.born = tuple(str(device.alias) for device in domain.definition.devices)
        if answers:
            await self.guest_is_up()
        return domain

    async def guest_is_up(self) -> None:
        """Return when the guest of the latest QEMU runs."""
        while self.qemu.guest.state is not GuestState.RUNNING:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.02)

    def add_host_device(self, address: PciAddress = ADDRESS) -> SimPciDevice:
        """Put a network card with an IOMMU group of its own into the host."""
        device = SimPciDevice(address=address, driver="e1000e", iommu_group=address.bus + 6)
        self.host.add_pci_device(device)
        return device

    async def settle(self, name: str = NAME) -> None:
        """When all events are delivered: ask what they should have told, and compare with QEMU."""
        await self.observer.is_up_to_date()
        self.observer.ask(name, self.born)
        self.trace.seen("client", AGREE_QUESTION, name, self.disagreement(name))

    def disagreement(self, name: str = NAME) -> str:
        """What QEMU and the definition say differently; empty when they agree."""
        try:
            live = self.hypervisor.domain(name).view.live
        except LookupError:
            return ""
        if live is None:
            return ""
        wrong: list[str] = []
        known: set[str] = set()
        for device in live.devices:
            known |= {str(device.alias), *_backend_names(device)}
            wrong += [f"{one} is not in QEMU" for one in _missing(self.qemu, device)]
        wrong += [f"{one} is in QEMU only" for one in self._in_qemu() if one not in known]
        return "; ".join(wrong)

    def _in_qemu(self) -> Iterable[str]:
        tree = self.qemu.machine.tree
        yield from (device.id for device in tree.devices.values() if device.id)
        yield from (card for card in tree.netdevs.names())
        yield from (item.id for item in tree.objects.in_order() if item.id.startswith("obj"))


AGREE = "qemu-agrees"
AGREE_QUESTION = "disagreement with QEMU"
AGREE_PROMISE = "When all is quiet, the definition and QEMU have the same devices and back ends."


def qemu_agrees() -> Checker:
    """The definition and QEMU agree when all is quiet."""
    return Always(AGREE, AGREE_PROMISE, seen(AGREE_QUESTION), tells_nothing)


def _backend_names(device: Device) -> list[str]:
    return [str(next(iter(backend.identity.values()))) for backend in backends(device)]


def _missing(qemu: QemuProcess, device: Device) -> Iterable[str]:
    tree = qemu.machine.tree
    is_device = tree.find(str(device.alias)) is not None
    if not is_device and not str(device.alias).startswith("pci"):
        yield str(device.alias)
    for backend in backends(device):
        name = str(next(iter(backend.identity.values())))
        is_network = backend.delete == "netdev_del" and name not in tree.netdevs.names()
        if is_network or (backend.delete == "object-del" and tree.objects.get(name) is None):
            yield name


@asynccontextmanager
async def open_stage(
    checkers: Iterable[Checker] = (),
    *,
    plan: HostPlan | None = None,
    questions: Sequence[Question] = (),
) -> AsyncGenerator[Stage]:
    """A stage, for the length of a block.

    Args:
        checkers: Who reads the trace.
        plan: What may be slow or go wrong on the host; its guests boot quickly when ``None``.
        questions: What the observer asks at each delivery.

    Raises:
        PromiseBrokenError: In the block, or at its end.
    """
    trace = Trace(checkers)
    async with open_sim_host(plan or HostPlan(guest_times=QUICK_BOOT)) as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(ROOT_URI, host=host) as hypervisor:
            observer = Observer(hypervisor, trace, questions=questions)
            observer.subscribe()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(observer.run, name="client")
                yield Stage(host, hypervisor, trace, observer, nursery)
                nursery.cancel_scope.cancel()
            trace.end()
