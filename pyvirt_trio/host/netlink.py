"""The two questions about virtual functions that the kernel answers over netlink, as bytes.

A message is a header, a record about an interface, and attributes: length, type and value, padded
to four bytes, some nested in others (rtnetlink(7); linux/if_link.h has the numbers). Nothing here
talks to a kernel: `pyvirt_trio.host.real` sends what these functions return.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator

from pyvirt_trio.models import VfSettings

REPLY_BYTES = 1 << 20
"""Room for one reply: the kernel tells of 256 virtual functions in less than a tenth of it."""

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_INTERFACE = struct.Struct("=BxHiII")  # family, type, index, flags, change
_ATTRIBUTE = struct.Struct("=HH")  # length with this header, type
_VF_MAC = struct.Struct("=I32s")
_VF_VLAN = struct.Struct("=III")  # index, VLAN, priority

_ERROR, _NEW_LINK, _GET_LINK, _SET_LINK = 2, 16, 18, 19
_REQUEST, _ACKNOWLEDGE = 1, 4
_NAME, _VF_LIST, _EXTENDED_MASK = 3, 22, 29
_WITH_VFS = 1
_VF, _MAC, _VLAN = 1, 1, 2
_TYPE_MASK = 0x3FFF  # the two bits above say how the value is nested and ordered
_MAC_BYTES = 6


def settings_request(interface: str) -> bytes:
    """Ask for an interface and the settings of all its virtual functions."""
    mask = _attribute(_EXTENDED_MASK, struct.pack("=I", _WITH_VFS))
    return _message(_GET_LINK, _REQUEST, _named(interface) + mask)


def change_request(interface: str, index: int, settings: VfSettings) -> bytes:
    """Ask to change the settings of one virtual function; the kernel acknowledges."""
    mac = bytes.fromhex(settings.mac.replace(":", "")).ljust(32, b"\0")
    values = _attribute(_MAC, _VF_MAC.pack(index, mac))
    values += _attribute(_VLAN, _VF_VLAN.pack(index, settings.vlan, 0))
    listed = _attribute(_VF_LIST, _attribute(_VF, values))
    return _message(_SET_LINK, _REQUEST | _ACKNOWLEDGE, _named(interface) + listed)


def read_reply(reply: bytes, interface: str) -> dict[int, VfSettings]:
    """The settings in a reply, by index; none in an acknowledgement.

    Raises:
        OSError: What the kernel answered; ``EBADMSG`` when it is no answer at all.
    """
    if len(reply) < _HEADER.size:
        raise _no_answer(interface)
    length, kind, *_ = _HEADER.unpack_from(reply)
    body = reply[_HEADER.size : length]
    if kind == _ERROR and len(body) >= 4:
        number = -struct.unpack_from("=i", body)[0]
        if number:
            raise OSError(number, os.strerror(number), interface)
        return {}
    if kind != _NEW_LINK:
        raise _no_answer(interface)
    found: dict[int, VfSettings] = {}
    for name, value in _attributes(body[_INTERFACE.size :]):
        if name == _VF_LIST:
            try:
                found.update(_read_function(one) for _, one in _attributes(value))
            except (KeyError, struct.error) as error:
                raise _no_answer(interface) from error
    return found


def _no_answer(interface: str) -> OSError:
    return OSError(errno.EBADMSG, os.strerror(errno.EBADMSG), interface)


def _read_function(value: bytes) -> tuple[int, VfSettings]:
    parts = dict(_attributes(value))
    index, mac = _VF_MAC.unpack_from(parts[_MAC])
    vlan = _VF_VLAN.unpack_from(parts[_VLAN])[1] if _VLAN in parts else 0
    return index, VfSettings(mac[:_MAC_BYTES].hex(":"), vlan)


def _message(kind: int, flags: int, attributes: bytes) -> bytes:
    body = _INTERFACE.pack(0, 0, 0, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _named(interface: str) -> bytes:
    return _attribute(_NAME, interface.encode() + b"\0")


def _attribute(kind: int, value: bytes) -> bytes:
    data = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
    return data + b"\0" * (-len(data) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, data[_ATTRIBUTE.size : length]
        data = data[length + -length % 4 :]
