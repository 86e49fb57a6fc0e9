"""What carries the machine's network or files is recognised before it is taken away."""

from __future__ import annotations

import errno

import pytest

from pyvirt_trio.errors import HostError
from pyvirt_trio.host.safeguards import why_not_rebind
from pyvirt_trio.models import PciAddress
from tests.unit.host.fake import FakeHost, kernel_error

NIC = PciAddress.parse("0000:00:03.0")
DISK = PciAddress.parse("0000:00:02.0")
PORT = PciAddress.parse("0000:00:01.0")
SPARE = PciAddress.parse("0000:05:00.0")
ALL = (NIC, DISK, PORT, SPARE)

ROUTE_HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
LOCAL_ROUTE = "eth1 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
SWAPS_HEAD = "Filename Type Size Used Priority\n"


def default_route(interface: str, flags: str = "0003") -> str:
    return f"{interface} 00000000 010200C0 {flags} 0 0 0 00000000 0 0 0\n"


def mount(device: str, where: str, source: str) -> str:
    # Optional fields before the hyphen vary in number; the source is the second word after it.
    return f"27 1 {device} / {where} rw,relatime shared:1 master:2 - ext4 {source} rw\n"


def machine() -> FakeHost:
    host = FakeHost()
    host.links["/sys/class/net/eth0"] = "../../devices/pci0000:00/0000:00:03.0/virtio2/net/eth0"
    vda = "devices/pci0000:00/0000:00:01.0/0000:00:02.0/virtio1/block/vda"
    host.links["/sys/dev/block/254:0"] = f"../../{vda}"
    host.links["/sys/dev/block/254:1"] = f"../../{vda}/vda1"
    host.links["/sys/class/block/vda"] = f"../../{vda}"
    host.links["/sys/class/block/vda1"] = f"../../{vda}/vda1"
    return host


async def refused(host: FakeHost) -> dict[PciAddress, str]:
    answers = {address: await why_not_rebind(host, address) for address in ALL}
    return {address: answer for address, answer in answers.items() if answer is not None}


async def test_a_machine_that_uses_nothing_refuses_nothing() -> None:
    assert await refused(machine()) == {}


async def test_the_interface_of_the_default_route_is_refused() -> None:
    host = machine()
    host.files["/proc/net/route"] = ROUTE_HEAD + LOCAL_ROUTE + default_route("eth0")
    assert await refused(host) == {
        NIC: "PCI device 0000:00:03.0 carries eth0, the interface of a default route"
    }


async def test_other_routes_are_not_refused() -> None:
    host = machine()
    host.files["/proc/net/route"] = (
        ROUTE_HEAD
        + LOCAL_ROUTE.replace("eth1", "eth0")
        + default_route("eth0", flags="0002")
        + default_route("eth0", flags="0201")
    )
    zero = "0" * 32
    host.files["/proc/net/ipv6_route"] = (
        f"fe80{'0' * 28} 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 eth0\n"
    )
    assert await refused(host) == {}


async def test_the_default_route_of_ipv6_counts() -> None:
    host = machine()
    zero = "0" * 32
    host.files["/proc/net/ipv6_route"] = (
        f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"
        f"{zero} 00 {zero} 00 fe80{'0' * 28} 00000400 00000001 00000000 00000003 eth0\n"
    )
    assert list(await refused(host)) == [NIC]


async def test_an_interface_below_a_bridge_counts() -> None:
    host = machine()
    host.files["/proc/net/route"] = ROUTE_HEAD + default_route("br0")
    host.links["/sys/class/net/br0"] = "../../devices/virtual/net/br0"
    host.links["/sys/class/net/br0/lower_bond0"] = "../bond0"
    host.links["/sys/class/net/bond0"] = "../../devices/virtual/net/bond0"
    host.links["/sys/class/net/bond0/lower_eth0"] = "../eth0"
    assert list(await refused(host)) == [NIC]


@pytest.mark.parametrize("device", ["254:0", "254:1"])
async def test_a_mounted_disk_and_the_bridge_before_it_are_refused(device: str) -> None:
    host = machine()
    host.files["/proc/self/mountinfo"] = mount("0:21", "/proc", "proc") + mount(
        device, "/home", "/dev/vda1"
    )
    assert await refused(host) == {
        address: f"PCI device {address} carries the file system mounted on /home"
        for address in (DISK, PORT)
    }


async def test_a_disk_below_a_device_mapper_counts() -> None:
    host = machine()
    host.files["/proc/self/mountinfo"] = mount("253:0", "/", "/dev/mapper/root")
    host.links["/sys/dev/block/253:0"] = "../../devices/virtual/block/dm-0"
    host.links["/sys/dev/block/253:0/slaves/vda1"] = "../../vda1"
    assert list(await refused(host)) == [DISK, PORT]


async def test_a_file_system_without_a_device_number_is_found_by_its_source() -> None:
    host = machine()
    host.files["/proc/self/mountinfo"] = mount("0:35", "/", "/dev/vda1")
    assert list(await refused(host)) == [DISK, PORT]


async def test_swap_counts_and_a_swap_file_has_no_device_of_its_own() -> None:
    host = machine()
    swaps = SWAPS_HEAD + "/swapfile file 1 0 -2\n/dev/vda1 partition 1 0 -2\n"
    host.files["/proc/swaps"] = swaps
    assert await refused(host) == {
        address: f"PCI device {address} carries swap on /dev/vda1" for address in (DISK, PORT)
    }


async def test_devices_stacked_in_a_circle_end_the_search() -> None:
    host = machine()
    host.files["/proc/net/route"] = ROUTE_HEAD + default_route("a0")
    for name, lower in (("a0", "b0"), ("b0", "a0")):
        host.links[f"/sys/class/net/{name}"] = f"../../devices/virtual/net/{name}"
        host.links[f"/sys/class/net/{name}/lower_{lower}"] = f"../{lower}"
    assert await refused(host) == {}


async def test_a_host_that_does_not_tell_is_an_error_not_a_yes() -> None:
    class Silent(FakeHost):
        async def read_text(self, path: str) -> str:
            raise kernel_error(errno.EACCES, path)

    with pytest.raises(HostError, match="cannot tell whether the host needs") as caught:
        await why_not_rebind(Silent(), SPARE)
    assert isinstance(caught.value.__cause__, PermissionError)


async def test_asking_writes_nothing() -> None:
    host = machine()
    host.files["/proc/net/route"] = ROUTE_HEAD + default_route("eth0")
    await refused(host)
    assert host.writes == []
