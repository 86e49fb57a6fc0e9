"""Devices that libvirt knows, and that no domain of this library can have.

Whoever wants one to go is told that it is not there, and whoever wants one to change what libvirt
says of its whole type. Only a description that says so in what identifies the device counts: any
other may mean a device that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyvirt_trio.errors import DefinitionError, ErrorCode, NotFoundError
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.xml.element import Element

_BACKENDS = frozenset(
    {"spicevmc", "spiceport", "dbus", "pty", "dev", "file", "pipe", "stdio", "vc", "null", "udp"}
)


_FOREIGN: Mapping[str, Callable[[Element], bool]] = {
    "filesystem": lambda root: root.child_attribute("driver", "type") in (None, "path", "handle"),
    "graphics": lambda root: root.attributes.get("type") in ("sdl", "egl-headless", "dbus"),
    "input": lambda root: (
        root.attributes.get("type") in ("passthrough", "evdev")
        or root.attributes.get("bus") in ("ps2", "xen", "parallels")
    ),
    "redirdev": lambda root: root.attributes.get("type") in _BACKENDS,
    "shmem": lambda root: root.child_attribute("model", "type") == "ivshmem",
}

_MISSING, _INVALID = ErrorCode.DEVICE_MISSING, ErrorCode.INVALID_ARG
# What libvirt says of what is not in the running machine, and not in the persistent definition.
_WORDS: Mapping[str, tuple[tuple[ErrorCode, str], tuple[ErrorCode, str]]] = {
    "filesystem": (
        (_MISSING, "matching filesystem not found"),
        (_MISSING, "no matching filesystem device was found"),
    ),
    "graphics": (
        (_MISSING, "cannot find existing graphics device to modify of type '{type}'"),
        (_INVALID, "cannot find existing graphics type '{type}' device to modify"),
    ),
    "input": (
        (_MISSING, "matching input device not found"),
        (_MISSING, "matching input device not found"),
    ),
    "redirdev": (
        (ErrorCode.OPERATION_INVALID, "no matching redirdev was not found"),
        (_MISSING, "no matching redirdev was not found"),
    ),
    "shmem": (
        (_MISSING, "model '{model}' shmem device not present in domain configuration"),
        (_MISSING, "matching shmem device was not found"),
    ),
}


def refuse_unrepresented(root: Element, call: str, affected: Impact) -> None:
    """Refuse to take out or to change what cannot be there, in libvirt's words.

    Args:
        root: One device element.
        call: ``detach`` or ``update``.
        affected: What the call is to change; libvirt looks at the persistent definition first.

    Raises:
        NotFoundError: It is such a device.
        DefinitionError: The same; and of its type nothing can be changed.
    """
    is_foreign = _FOREIGN.get(root.tag)
    if is_foreign is None or not is_foreign(root):
        return
    if call == "update" and root.tag != "graphics":
        raise no_update(root.tag, affected)
    code, words = _WORDS[root.tag][Impact.CONFIG in affected]
    model = root.child_attribute("model", "type")
    raise NotFoundError(words.format(type=root.attributes.get("type"), model=model), code=code)


def no_update(name: str, affected: Impact) -> DefinitionError:
    """The error that says that nothing of a type of device can be changed.

    Args:
        name: What libvirt calls it.
        affected: What was to be changed; libvirt looks at the persistent definition first.
    """
    what = f"update of device '{name}' is not supported"
    if Impact.CONFIG in affected:
        return DefinitionError(f"persistent {what}", code=ErrorCode.OPERATION_UNSUPPORTED)
    return DefinitionError(f"live {what}", code=ErrorCode.CONFIG_UNSUPPORTED)
