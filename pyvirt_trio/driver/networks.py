"""The host's end of a network card in QEMU's terms.

QEMU itself opens a tap that is there, asks its helper for one on a bridge, or talks to a switch in
another process (vhost-user): this library makes and deletes no network device of the host.
"""

from __future__ import annotations

from typing import Any

from pyvirt_trio.driver.chardev import chardev_backend, chardev_option
from pyvirt_trio.driver.qdev import Backend
from pyvirt_trio.models.character import CharacterSource
from pyvirt_trio.models.devices import Interface


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
