"""What a domain is made of: libvirt's domain XML as frozen values."""

from __future__ import annotations

import uuid

import attrs

from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.lifecycle import LifecycleActions, Panic, Sleeps
from pyvirt_trio.models.memory import MemoryBacking, MemoryDevice
from pyvirt_trio.models.metadata import MetadataElement
from pyvirt_trio.models.value import Value
from pyvirt_trio.models.vcpus import Vcpu, plain_vcpus


@attrs.frozen(kw_only=True, eq=False, repr=False)
class OperatingSystem(Value):
    """What the machine is and how it boots.

    Args:
        machine: QEMU's machine type, ``q35`` or a versioned form such as ``pc-q35-7.2``.
        arch: ``x86_64``.
        kernel: Absolute path of a Linux kernel to boot directly, or ``None`` for the firmware.
        initrd: Absolute path of its initial RAM disk.
        cmdline: Its command line.
    """

    machine: str = "q35"
    arch: str = "x86_64"
    kernel: str | None = None
    initrd: str | None = None
    cmdline: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class NumaCell(Value):
    """A node of the guest: processors and memory that are close to each other.

    Args:
        cpus: Numbers of its processors, ascending.
        memory_kib: Its memory, in KiB, without what is plugged in later.
        is_shared: Other processes of the host can be given its memory; ``None`` leaves that to what
            the domain says of all its memory.
    """

    cpus: tuple[int, ...]
    memory_kib: int
    is_shared: bool | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainDefinition(Value):
    """A virtual machine, described completely.

    Args:
        name: Unique on a hypervisor; no slash, no newline, not empty.
        uuid: The identity; two domains never share it.
        memory_kib: Memory in KiB the guest starts with, without modules; the sum of the cells.
        vcpus: The places for virtual processors, by number.
        lists_vcpus: They are written down one by one, as libvirt does once one of them was plugged.
        os: Machine type and boot.
        virt_type: ``qemu`` (emulation, TCG) or ``kvm``.
        emulator: Path of the QEMU binary; ``None`` means the host's default for the architecture.
        title: A line for people, or ``None``.
        description: More for people, or ``None``.
        metadata: What other programs keep here.
        actions: What becomes of it when its guest powers off, reboots or crashes.
        sleeps: Which sleeps its firmware offers the guest.
        panic: Where the guest tells of its own crash, if it can; without, ``on_crash`` is idle.
        devices: All devices in document order.
        max_memory_kib: How much it may have with modules; 0 when it cannot get any.
        memory_slots: How many modules fit into it.
        cells: Its NUMA nodes; none when it has no such thing.
        memory_backing: What of the host is behind its memory.
    """

    name: str
    uuid: uuid.UUID
    memory_kib: int
    vcpus: tuple[Vcpu, ...] = plain_vcpus(1, 1)
    lists_vcpus: bool = False
    os: OperatingSystem = OperatingSystem()
    virt_type: str = "qemu"
    emulator: str | None = None
    title: str | None = None
    description: str | None = None
    metadata: tuple[MetadataElement, ...] = ()
    actions: LifecycleActions = attrs.field(factory=LifecycleActions)
    sleeps: Sleeps = attrs.field(factory=Sleeps)
    panic: Panic | None = None
    devices: tuple[Device, ...] = ()
    max_memory_kib: int = 0
    memory_slots: int = 0
    cells: tuple[NumaCell, ...] = ()
    memory_backing: MemoryBacking = attrs.field(factory=MemoryBacking)

    @property
    def has_shared_memory(self) -> bool:
        """Whether other processes of the host can be given all of its memory."""
        said = [cell.is_shared for cell in self.cells] or [None]
        is_shared = self.memory_backing.access == "shared"
        return all(is_shared if one is None else one for one in said)

    @property
    def total_memory_kib(self) -> int:
        """What libvirt calls its memory: what it starts with, and all that is plugged in."""
        plugged = (device.size_kib for device in self.devices if isinstance(device, MemoryDevice))
        return self.memory_kib + sum(plugged)

    @property
    def vcpu_count(self) -> int:
        """How many virtual processors there are."""
        return sum(vcpu.is_enabled for vcpu in self.vcpus)

    def plugged_vcpu(self, alias: str) -> Vcpu | None:
        """The processor that carries ``alias`` in a running machine, or ``None``."""
        return next((vcpu for vcpu in self.vcpus if vcpu.alias == alias), None)

    def device(self, alias: str) -> Device | None:
        """The device that carries ``alias``, or ``None``."""
        return next((device for device in self.devices if device.alias == alias), None)

    def with_device(self, device: Device) -> DomainDefinition:
        """This definition with ``device`` added as the last one."""
        return attrs.evolve(self, devices=(*self.devices, device))

    def replacing(self, device: Device, other: Device) -> DomainDefinition:
        """This definition with ``other`` in the place of ``device`` (compared by identity)."""
        devices = tuple(other if one is device else one for one in self.devices)
        return attrs.evolve(self, devices=devices)

    def without_device(self, device: Device) -> DomainDefinition:
        """This definition without ``device`` (compared by identity, so that twins stay)."""
        kept = tuple(other for other in self.devices if other is not device)
        return attrs.evolve(self, devices=kept)
