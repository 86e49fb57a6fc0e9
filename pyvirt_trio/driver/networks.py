"""The host's end of a network card in QEMU's terms.

QEMU itself opens a tap that is there, asks its helper for one on a bridge, or talks to a switch in
another process (vhost-user): this library makes and deletes no network device of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt_trio.driver.chardev import chardev_backend, chardev_option
from pyvirt_trio.driver.qdev import Backend
from pyvirt_trio.errors import ErrorCode, HostError
from pyvirt_trio.models.character import CharacterSource
from pyvirt_trio.models.devices import Device, Interface

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host


def network_backends(device: Interface) -> tuple[Backend, ...]:
    """What a card needs, in the order of creation."""
    name = f"host{device.alias}"
    properties: dict[str, Any]
    match device.kind:
        case "ethernet":
            properties = {"type": "tap", "ifname": device.source, "script": "no"}
            properties["downscript"] = "no"
        case "bridge":
            properties = {"type": "bridge", "br": device.source}
        case "vhostuser":
            properties = {"type": "vhost-user", "chardev": f"char{device.alias}"}
        case _:
            properties = {"type": "user"}
    network = Backend.of("netdev", {**properties, "id": name})
    return (_switch(device), network) if device.kind == "vhostuser" else (network,)


async def require_tap(host: Host, device: Device) -> None:
    """The tap of ``device`` is there, if it has one: QEMU would make one, and leave it behind.

    Raises:
        HostError: (1) It is not.
    """
    if not isinstance(device, Interface) or device.kind != "ethernet":
        return
    if not await host.exists(f"/sys/class/net/{device.source}"):
        raise HostError(
            "target managed='no' but specified dev doesn't exist", code=ErrorCode.INTERNAL_ERROR
        )


def _switch(device: Interface) -> Backend:
    name = f"char{device.alias}"
    source = CharacterSource(kind="unix", path=device.source, is_server=device.is_server)
    return Backend(
        argv=("-chardev", chardev_option(name, source)),
        add="chardev-add",
        arguments={"id": name, "backend": chardev_backend(source)},
        delete="chardev-remove",
        identity={"id": name},
    )
