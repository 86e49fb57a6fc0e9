"""Servers of graphics in a life: their ports, their passwords, and what may change of them.

libvirt: ``qemuProcessGraphicsAllocatePorts``, ``qemuDomainChangeGraphics``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from pyvirt_trio.driver.display import VNC_BASE_PORT
from pyvirt_trio.errors import DefinitionError, ErrorCode, HostError
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.display import Graphics, Listen
from pyvirt_trio.models.domain import DomainDefinition

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host
    from pyvirt_trio.driver.life import Life

LISTEN_ADDRESS = "127.0.0.1"
"""libvirt's default (``vnc_listen``): only programs of this machine may connect."""

WEBSOCKET_BASE_PORT = 5700
LAST_PORT = 65535
MAX_TRIED_PORTS = 4096
"""How many ports are tried before a start gives up; libvirt would try sixty thousand."""

_CHOOSE = -1


def begin_graphics(
    definition: DomainDefinition, others: Iterable[DomainDefinition], host: Host, prefix: str
) -> DomainDefinition:
    """``definition`` with a port and an address for every server of graphics.

    Args:
        definition: Of the domain that is to start.
        others: Of the domains that run, or start: their ports are taken.
        host: Says which ports other programs have.
        prefix: What the path of a socket begins with that was given none.

    Raises:
        DefinitionError: There are two servers of one kind, or a port cannot be
            (``CONFIG_UNSUPPORTED``).
        HostError: No port is free.
    """
    servers = [one for one in definition.devices if isinstance(one, Graphics)]
    if not servers:
        return definition
    kinds = [one.kind for one in servers]
    if len(set(kinds)) < len(kinds):
        raise _unsupported(
            "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is supported"
        )
    taken = [port for other in others for port in _ports(other)]
    for server in servers:
        begun = _begin(server, [*taken, *_ports(definition)], host, prefix)
        definition = definition.replacing(server, begun)
    return definition


def _ports(definition: DomainDefinition) -> list[int]:
    servers = [one for one in definition.devices if isinstance(one, Graphics)]
    numbers = [*(one.port for one in servers), *(one.websocket for one in servers)]
    return [number for number in numbers if number is not None and number > 0]


def _begin(server: Graphics, taken: list[int], host: Host, prefix: str) -> Graphics:
    listen, *more = server.listens
    if more:
        raise _unsupported(f"multiple listens not supported for graphics type '{server.kind}'")
    if listen.kind == "none":
        return server
    if listen.kind == "socket":
        where = listen.where or f"{prefix}.{server.kind}"
        return attrs.evolve(server, listens=(attrs.evolve(listen, where=where),))
    port = server.port
    if server.has_autoport:
        port = _free_port(VNC_BASE_PORT, taken, host, server.kind.upper())
    elif port is None or (server.kind == "vnc" and port < VNC_BASE_PORT):
        raise _unsupported(f"{server.kind} port must be in range [5900,65535]")
    websocket = server.websocket
    if websocket == _CHOOSE:
        websocket = _free_port(WEBSOCKET_BASE_PORT, [*taken, port], host, "VNC WebSocket")
    return attrs.evolve(
        server,
        port=port,
        websocket=websocket,
        listens=(Listen(where=listen.where or LISTEN_ADDRESS),),
    )


def _free_port(first: int, taken: list[int], host: Host, what: str) -> int:
    last = min(first + MAX_TRIED_PORTS, LAST_PORT)
    for port in range(first, last + 1):
        if port not in taken and host.is_port_free(port):
            return port
    raise HostError(
        f"Unable to find an unused port in range '{what}' ({first}-{last})",
        code=ErrorCode.INTERNAL_ERROR,
    )


async def set_passwords(life: Life) -> None:
    """Every server of a machine that begins knows its password."""
    for device in life.definition.devices:
        if isinstance(device, Graphics):
            await set_password(life, device)


async def set_password(life: Life, graphics: Graphics) -> None:
    """Clients must know the password of ``graphics`` from now on, if it has one.

    libvirt: ``qemuDomainChangeGraphicsPasswords``.
    """
    if graphics.password is None:
        return
    if graphics.password == "":
        expiry = "now"
    else:
        expires_s = graphics.password_expires_s
        is_over = expires_s is not None and expires_s <= life.host.wall_clock_s()
        expiry = "never" if expires_s is None else "now" if is_over else str(expires_s)
    connected = graphics.connected or "keep"
    await life.execute(
        "set_password",
        {"protocol": graphics.kind, "password": graphics.password, "connected": connected},
    )
    await life.execute("expire_password", {"protocol": graphics.kind, "time": expiry})


def merged_graphics(device: Graphics, wanted: Graphics) -> Graphics:
    """``device`` with the password of ``wanted`` and what goes with it.

    Raises:
        DefinitionError: ``wanted`` differs in something else (``OPERATION_UNSUPPORTED``).
    """
    kind = device.kind
    if len(wanted.listens) != len(device.listens):
        raise _fixed(f"the number of listen addresses on '{kind}' graphics")
    for old, new in zip(device.listens, wanted.listens, strict=True):
        if new.kind != old.kind:
            raise _fixed(f"the type of listen address on '{kind}' graphics")
        if new.where != old.where:
            raise _fixed(f"listen {new.kind} setting on '{kind}' graphics")
    has_other_port = not wanted.has_autoport and wanted.port != device.port
    if wanted.has_autoport != device.has_autoport or has_other_port:
        raise _fixed(f"port settings on {kind} graphics")
    if wanted.keymap != device.keymap:
        raise _fixed(f"keymap setting on {kind} graphics")
    if wanted.websocket not in (device.websocket, _CHOOSE):
        raise _fixed(f"websocket setting on {kind} graphics")
    if wanted.share_policy != device.share_policy:
        raise _fixed(f"sharePolicy setting on {kind} graphics")
    if wanted.has_power_control != device.has_power_control:
        raise _fixed(f"powerControl setting on {kind} graphics")
    if wanted.password is None:  # the machine goes on asking for the one it has
        wanted = attrs.evolve(wanted, password=device.password)
    return attrs.evolve(
        device,
        password=wanted.password,
        password_expires_s=wanted.password_expires_s,
        connected=wanted.connected,
    )


def has_new_password(device: Graphics, changed: Graphics) -> bool:
    """Whether QEMU is to be told: libvirt repeats what may have expired meanwhile."""
    return changed != device or changed.password_expires_s is not None


def without_secrets(definition: DomainDefinition) -> DomainDefinition:
    """``definition`` without passwords, as it may be shown to everybody who may look."""
    shown = tuple(map(_without_secret, definition.devices))
    if all(one is other for one, other in zip(shown, definition.devices, strict=True)):
        return definition
    return attrs.evolve(definition, devices=shown)


def _without_secret(device: Device) -> Device:
    if not isinstance(device, Graphics) or device.password is None:
        return device
    return attrs.evolve(device, password=None, password_expires_s=None)


def _fixed(what: str) -> DefinitionError:
    return DefinitionError(f"cannot change {what}", code=ErrorCode.OPERATION_UNSUPPORTED)


def _unsupported(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.CONFIG_UNSUPPORTED)
