"""``<graphics>``: a server that shows the guest's screen."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import Graphics, Listen
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element, switched
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import checked_path

MAX_PASSWORD = 8
"""The VNC protocol's limit: a DES key has eight bytes."""

MAX_PORT = 0xFFFF

_VALID_TO = "%Y-%m-%dT%H:%M:%S"
_CONNECTED = ("fail", "disconnect", "keep")
_SHARE_POLICIES = ("allow-exclusive", "force-shared", "ignore")
_KEYMAP = re.compile(r"[a-z]{2,4}(-[a-z]{2,3})?")
_PORT = re.compile(r"-?[0-9]{1,9}")


def read_graphics(reader: Reader) -> Graphics:
    """A ``Graphics`` from ``<graphics type='vnc'>`` or ``<graphics type='spice'>``."""
    kind = _read_kind(reader)
    is_vnc = kind == "vnc"
    port, has_autoport = _read_port(reader, kind)
    listens = _read_listens(reader, default=_default_listen(reader, kind, port, has_autoport))
    has_port = any(one.kind == "address" for one in listens)
    return Graphics(
        kind=kind,
        listens=listens,
        port=port if has_port else None,
        has_autoport=has_autoport if has_port else False,
        websocket=_read_number(reader, "websocket", kind) if is_vnc else None,
        keymap=_read_keymap(reader),
        password=_read_password(reader, kind),
        password_expires_s=_read_expiry(reader),
        connected=_read_connected(reader, kind),
        share_policy=_read_share_policy(reader) if is_vnc else None,
        has_power_control=(reader.optional_switch("powerControl", "yes", "no") if is_vnc else None),
    )


def _read_kind(reader: Reader) -> str:
    kind = reader.required("type")
    if kind in ("vnc", "spice"):
        return kind
    if kind in ("sdl", "rdp", "desktop", "egl-headless", "dbus"):
        raise reader.unsupported(f"graphics of type {kind!r} are not supported", attribute="type")
    raise _invalid(reader, "type", kind)


def _read_number(reader: Reader, name: str, kind: str) -> int | None:
    """A port: a number, -1 for "choose one"; ``None`` when it is not given."""
    text = reader.attribute(name)
    if text is None:
        return None
    if _PORT.fullmatch(text) is None or not -1 <= int(text) <= MAX_PORT:
        what = f"{kind} {name}" if name == "port" else f"{kind} WebSocket port"
        raise _internal(reader, f"cannot parse {what} {text[:40]}", name)
    return int(text)


def _read_port(reader: Reader, kind: str) -> tuple[int | None, bool]:
    """The port, and whether one is to be chosen for each life."""
    port = _read_number(reader, "port", kind)
    wants = reader.switch("autoport", "yes", "no", default=False)
    is_said = reader.attribute("autoport") is not None
    if port == -1:
        return None, True
    if kind == "vnc" and port is None and not is_said:
        return None, True
    return port or None, wants


def _default_listen(reader: Reader, kind: str, port: int | None, has_autoport: bool) -> Listen:
    """Where libvirt lets a server listen that does not say where."""
    socket, address = reader.attribute("socket"), reader.attribute("listen")
    if kind == "vnc" and socket:
        return Listen(kind="socket", where=checked_path(reader, socket, attribute="socket"))
    if kind == "spice" and port is None and not has_autoport and not address:
        return Listen(kind="none")
    return Listen(where=None if not address else _checked_ip(reader, address, "listen"))


def _read_listens(reader: Reader, *, default: Listen) -> tuple[Listen, ...]:
    found = tuple(_read_listen(child.take()) for child in reader.children if child.tag == "listen")
    if not found:
        return (default,)
    for kind, attribute in (("address", "listen"), ("socket", "socket")):
        first = next((one for one in found if one.kind == kind), None)
        said = reader.attribute(attribute)
        if said and (first is None or first.where != said):
            where = "" if first is None else first.where or ""
            raise reader.unsupported(
                f"graphics '{attribute}' attribute {quoted(said)} must match '{kind}' attribute of "
                f"first listen element (found {quoted(where)})",
                attribute=attribute,
            )
    return found


def _read_listen(reader: Reader) -> Listen:
    kind = reader.choice("type", "address", "socket", "none")
    if kind == "address":
        address = reader.attribute("address")
        return Listen(where=_checked_ip(reader, address, "address") if address else None)
    if kind == "socket":
        path = reader.attribute("socket")
        where = checked_path(reader, path, attribute="socket") if path else None
        return Listen(kind="socket", where=where)
    return Listen(kind="none")


def _checked_ip(reader: Reader, text: str, attribute: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise reader.unsupported(
            f"{attribute} {quoted(text)} is not supported, expected an IP address",
            attribute=attribute,
        ) from None
    return text


def _read_keymap(reader: Reader) -> str | None:
    keymap = reader.attribute("keymap")
    if keymap is not None and _KEYMAP.fullmatch(keymap) is None:
        raise reader.unsupported(
            f"keymap {quoted(keymap)} is not supported, expected one such as 'en-us'",
            attribute="keymap",
        )
    return keymap


def _read_password(reader: Reader, kind: str) -> str | None:
    password = reader.attribute("passwd")
    if kind == "vnc" and password is not None and len(password.encode()) > MAX_PASSWORD:
        size = len(password.encode())
        raise reader.unsupported(
            f"VNC password is {size} characters long, only {MAX_PASSWORD} permitted",
            attribute="passwd",
        )
    return password


def _read_expiry(reader: Reader) -> int | None:
    text = reader.attribute("passwdValidTo")
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, _VALID_TO).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise _internal(
            reader,
            f"cannot parse password validity time {quoted(text)}, expect YYYY-MM-DDTHH:MM:SS",
            "passwdValidTo",
        ) from None


def _read_connected(reader: Reader, kind: str) -> str | None:
    connected = reader.attribute("connected")
    if connected is None or connected in ("keep",):
        return connected
    if connected not in _CONNECTED:
        raise reader.unsupported(f"unknown connected value {connected[:40]}", attribute="connected")
    if kind == "vnc":
        raise reader.unsupported("VNC supports connected='keep' only", attribute="connected")
    return connected


def _read_share_policy(reader: Reader) -> str | None:
    policy = reader.attribute("sharePolicy")
    if policy is None or policy in _SHARE_POLICIES:
        return policy
    raise _invalid(reader, "sharePolicy", policy)


def _invalid(reader: Reader, attribute: str, value: str) -> DefinitionError:
    return reader.wrong(
        f"Invalid value for attribute '{attribute}' in element 'graphics': {quoted(value)}.",
        attribute=attribute,
    )


def _internal(reader: Reader, message: str, attribute: str) -> DefinitionError:
    error = reader.wrong(message, attribute=attribute)
    error.code = ErrorCode.INTERNAL_ERROR
    return error


def write_graphics(graphics: Graphics) -> Element:
    """The element that ``read_graphics`` reads."""
    expiry = graphics.password_expires_s
    address = next((one for one in graphics.listens if one.kind == "address"), None)
    socket = next((one for one in graphics.listens if one.kind == "socket"), None)
    return element(
        "graphics",
        {
            "type": graphics.kind,
            "socket": socket.where if socket is not None and graphics.kind == "vnc" else None,
            **_written_port(graphics),
            "websocket": graphics.websocket,
            "listen": None if address is None else address.where,
            "keymap": graphics.keymap,
            "passwd": graphics.password,
            "passwdValidTo": None if expiry is None else _written_expiry(expiry),
            "connected": graphics.connected,
            "sharePolicy": graphics.share_policy,
            "powerControl": switched(graphics.has_power_control, "yes", "no"),
        },
        *map(_listen_element, graphics.listens),
    )


def _written_expiry(expires_s: int) -> str:
    return datetime.fromtimestamp(expires_s, UTC).strftime(_VALID_TO)


def _written_port(graphics: Graphics) -> dict[str, object]:
    if not graphics.has_port:
        return {}
    chosen: int | None = graphics.port
    if chosen is None and graphics.has_autoport and graphics.kind == "vnc":
        chosen = -1
    return {"port": chosen, "autoport": "yes" if graphics.has_autoport else "no"}


def _listen_element(listen: Listen) -> Element:
    name = {"address": "address", "socket": "socket"}.get(listen.kind)
    return element("listen", {"type": listen.kind, **({name: listen.where} if name else {})})


GRAPHICS = DeviceType(
    tag="graphics",
    model=Graphics,
    read=read_graphics,
    write=write_graphics,
    address=lambda _graphics: None,
)
