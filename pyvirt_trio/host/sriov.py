"""Virtual functions (SR-IOV): whose they are, and what their network card makes of them."""

from __future__ import annotations

import posixpath

import attrs

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import HostError
from pyvirt_trio.host.pci import DEVICES
from pyvirt_trio.models import PciAddress, VfSettings


@attrs.frozen
class VirtualFunction:
    """A virtual function of a network card.

    Args:
        interface: The network interface of its physical function.
        index: Its number there.
    """

    interface: str
    index: int


async def find_virtual_function(host: Host, address: PciAddress) -> VirtualFunction | None:
    """Whose virtual function the device is; ``None`` when it is none, or of no network card.

    Raises:
        HostError: sysfs cannot be read.
    """
    folder = f"{DEVICES}/{address}"
    try:
        parent = posixpath.basename(await host.read_link(f"{folder}/physfn"))
        count = int((await host.read_text(f"{DEVICES}/{parent}/sriov_numvfs")).strip())
        interfaces = await host.list_directory(f"{DEVICES}/{parent}/net")
        for index in range(count):
            link = await host.read_link(f"{DEVICES}/{parent}/virtfn{index}")
            if posixpath.basename(link) == str(address) and interfaces:
                return VirtualFunction(interfaces[0], index)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HostError(f"cannot tell whose virtual function {address} is: {error}") from error
    return None


async def read_settings(host: Host, function: VirtualFunction) -> VfSettings:
    """What the card does with the packets of a virtual function.

    Raises:
        HostError: The kernel does not tell.
    """
    try:
        return await host.read_vf_settings(function.interface, function.index)
    except OSError as error:
        raise HostError(
            f"Cannot dump link info of {function.interface}: {error.strerror or error}"
        ) from error


async def write_settings(host: Host, function: VirtualFunction, settings: VfSettings) -> None:
    """Have the card treat a virtual function's packets so, whatever driver has the function.

    Raises:
        HostError: The kernel refused; the settings are as they were.
    """
    try:
        await host.write_vf_settings(function.interface, function.index, settings)
    except OSError as error:
        raise HostError(
            f"Cannot set interface MAC/vlanid to {settings.mac}/{settings.vlan} for ifname "
            f"{function.interface} vf {function.index}: {error.strerror or error}"
        ) from error
