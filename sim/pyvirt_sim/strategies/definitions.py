"""Domains and devices as XML, which start and plug on a simulated machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import hypothesis.strategies as st

KERNEL: Final = "/boot/vmlinuz"
DISK_IMAGES: Final = tuple(f"/var/lib/images/{name}.img" for name in ("a", "b", "c"))
FILES: Final = (KERNEL, *DISK_IMAGES)
"""What the definitions here need on the host's disk."""
SPARE_PORTS: Final = 4
"""Root ports of a drawn domain on which a device can be plugged."""

_RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
_SHMEM = """<shmem name='%s'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"""
_DISK = """<disk type='file'>
  <source file='%s'/><target dev='%s' bus='%s'/>
</disk>"""
_INTERFACE = """<interface type='user'>
  <mac address='52:54:00:00:00:%02x'/><model type='virtio'/>
</interface>"""
_CHANNEL = "<channel type='null'><target type='virtio' name='org.pyvirt.%d'/></channel>"

PLUGGABLE: Final[Mapping[str, st.SearchStrategy[str]]] = MappingProxyType(
    {
        "rng": st.just(_RNG),
        "interface": st.integers(1, 3).map(lambda n: _INTERFACE % n),
        "disk": st.sampled_from(
            [
                _DISK % (DISK_IMAGES[0], "vda", "virtio"),
                _DISK % (DISK_IMAGES[1], "vdb", "virtio"),
                _DISK % (DISK_IMAGES[2], "sda", "scsi"),
            ]
        ),
        "input": st.sampled_from(["tablet", "keyboard", "mouse"]).map(
            lambda kind: f"<input type='{kind}' bus='usb'/>"
        ),
        "shmem": st.sampled_from(["first", "second"]).map(lambda name: _SHMEM % name),
        "channel": st.integers(1, 3).map(lambda n: _CHANNEL % n),
        "watchdog": st.just("<watchdog model='i6300esb' action='none'/>"),
    }
)
"""By element, devices that can be plugged into a drawn domain."""

_DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{kernel}</kernel></os>
  <devices>
    {ports}
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='virtio-serial' index='0'/>
    <serial type='file'><source path='/var/log/{name}.console'/></serial>
    {devices}
  </devices>
</domain>"""


def device_xml(kinds: Sequence[str] = tuple(PLUGGABLE)) -> st.SearchStrategy[str]:
    """A device that can be plugged into a domain of `domain_xml`, while it runs or into it.

    A few values of each kind only, so that two of them often collide: the same disk, the same MAC.

    Args:
        kinds: Keys of `PLUGGABLE`; the first is the simplest.
    """
    return st.sampled_from(list(kinds)).flatmap(lambda kind: PLUGGABLE[kind])


def domain_xml(names: Sequence[str] = ("demo",), *, devices: int = 0) -> st.SearchStrategy[str]:
    """A domain whose machine is q35, with `SPARE_PORTS` free root ports and a serial console.

    The host must have the files of `FILES`; the guest says on its console when it is up.

    Args:
        names: What it may be called; two domains on one hypervisor need two names.
        devices: How many rng devices it may have from the start, at most.
    """
    return st.builds(
        _domain,
        name=st.sampled_from(list(names)),
        memory_mib=st.sampled_from([64, 128, 256]),
        vcpus=st.integers(1, 4),
        rngs=st.integers(0, devices),
    )


def _domain(name: str, memory_mib: int, vcpus: int, rngs: int) -> str:
    ports = SPARE_PORTS + 3 + rngs  # one for each controller and device of the start
    return _DOMAIN.format(
        name=name,
        memory_mib=memory_mib,
        vcpus=vcpus,
        kernel=KERNEL,
        ports="\n    ".join(
            f"<controller type='pci' index='{index}' model='pcie-root-port'/>"
            for index in range(1, ports + 1)
        ),
        devices="\n    ".join([_RNG] * rngs),
    )
