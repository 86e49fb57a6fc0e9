"""What the host can say against moving one of its PCI devices to another driver.

Taking the network card of the default route, or the controller of a mounted disk, from its driver
cuts the machine off from its people or from its files, and giving it back does not restore the
addresses. libvirt does it when asked; this library asks here first. Nothing is written.

Seen are devices of the default routes (IPv4 and IPv6) and of mounted file systems and swap, also
through virtio, bridges, bonds, VLANs, partitions, LVM, RAID and encryption. Not seen: NVMe
namespaces with several paths, and file systems spread over devices that their mount does not name.
"""

from __future__ import annotations

import posixpath

import attrs

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import HostError
from pyvirt_trio.models import PciAddress

_RTF_UP = 0x1
_RTF_REJECT = 0x200
_NO_ADDRESS = "0" * 8
_NO_ADDRESS_6 = "0" * 32


async def why_not_rebind(host: Host, address: PciAddress) -> str | None:
    """A sentence against taking the device at ``address`` from its driver, or ``None``.

    A bridge counts as carrying whatever is behind it.

    Raises:
        HostError: The host refused to tell, so nobody knows whether moving the device is safe.

    Cancellation:
        Nothing is changed.
    """
    survey = _Survey(host, address)
    try:
        for interface in await _default_route_interfaces(host):
            if await survey.carries(f"/sys/class/net/{interface}", "lower_"):
                return f"PCI device {address} carries {interface}, the interface of a default route"
        for what, block_device in await _blocks_in_use(host):
            if await survey.carries(block_device, "slaves/"):
                return f"PCI device {address} carries {what}"
    except OSError as error:
        message = f"cannot tell whether the host needs PCI device {address}: {error}"
        raise HostError(message) from error
    return None


@attrs.define
class _Survey:
    """Looks for one PCI device below interfaces and disks, which may be stacked on others."""

    host: Host
    address: PciAddress
    _answers: dict[str, bool] = attrs.field(factory=dict[str, bool])

    async def carries(self, link: str, below: str) -> bool:
        """Whether the device behind ``link``, or one it is stacked on, sits on ``address``.

        Args:
            link: A link in sysfs whose target is the path of a device.
            below: How the links to the devices it is stacked on begin: ``lower_`` or ``slaves/``.
        """
        known = self._answers.get(link)
        if known is None:
            self._answers[link] = False  # ends a walk that meets itself
            known = self._answers[link] = await self._look(link, below)
        return known

    async def _look(self, link: str, below: str) -> bool:
        try:
            target = await self.host.read_link(link)
        except FileNotFoundError:
            return False
        if str(self.address) in target.split("/"):
            return True
        folder, prefix = posixpath.split(f"{link}/{below}")
        try:
            names = await self.host.list_directory(folder)
        except FileNotFoundError:
            return False
        kind = posixpath.dirname(link) if prefix else "/sys/class/block"
        lower = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        return any([await self.carries(f"{kind}/{name}", below) for name in lower])


async def _lines(host: Host, path: str) -> list[list[str]]:
    """The words of each line of a file of procfs; none when this kernel lacks the file."""
    try:
        text = await host.read_text(path)
    except FileNotFoundError:
        return []
    return [line.split() for line in text.splitlines()]


async def _default_route_interfaces(host: Host) -> list[str]:
    """The interfaces of all usable default routes, in the kernel's order."""
    found: list[str] = []
    for words in (await _lines(host, "/proc/net/route"))[1:]:
        interface, destination, flags, mask = words[0], words[1], int(words[3], 16), words[7]
        if destination == mask == _NO_ADDRESS and flags & _RTF_UP and not flags & _RTF_REJECT:
            found.append(interface)
    for words in await _lines(host, "/proc/net/ipv6_route"):
        destination, prefix_length, flags = words[0], words[1], int(words[8], 16)
        is_default = destination == _NO_ADDRESS_6 and prefix_length == "00"
        if is_default and flags & _RTF_UP and not flags & _RTF_REJECT:
            found.append(words[9])
    return found


async def _blocks_in_use(host: Host) -> list[tuple[str, str]]:
    """What is mounted or swapped to, for people, and the link in sysfs to its block device."""
    found: list[tuple[str, str]] = []
    for words in await _lines(host, "/proc/self/mountinfo"):
        device, mount_point = words[2], words[4]
        source = words[words.index("-") + 2]
        link = f"/sys/dev/block/{device}"
        if device.startswith("0:"):
            # A number of no device: procfs and the like, or btrfs, which names one of its devices.
            if not source.startswith("/dev/"):
                continue
            link = f"/sys/class/block/{posixpath.basename(source)}"
        found.append((f"the file system mounted on {mount_point}", link))
    for words in (await _lines(host, "/proc/swaps"))[1:]:
        # A swap file has no block device of its own, and its file system is mounted anyway.
        link = f"/sys/class/block/{posixpath.basename(words[0])}"
        found.append((f"swap on {words[0]}", link))
    return found
