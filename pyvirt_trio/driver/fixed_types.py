"""Devices that libvirt knows and never adds to, takes from or changes in a domain on their own.

They come and go with the whole definition. libvirt reads their XML before it says so; here the tag
is enough.
"""

from __future__ import annotations

from pyvirt_trio.errors import DefinitionError, ErrorCode, NotFoundError
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.xml.element import Element

FIXED_TYPES = frozenset(
    {
        "audio",
        "graphics",
        "hub",
        "iommu",
        "memballoon",
        "nvram",
        "panic",
        "smartcard",
        "sound",
        "tpm",
        "video",
    }
)
"""Tags (``qemuDomainAttachDeviceLive`` and its like)."""

_UNSUPPORTED = ErrorCode.OPERATION_UNSUPPORTED

_POSSIBLE = frozenset(
    {
        ("update", "live", "graphics"),
        ("update", "persistent", "graphics"),
        ("attach", "persistent", "sound"),
        ("detach", "persistent", "sound"),
    }
)
"""What can be done all the same."""


def refuse_fixed_type(root: Element, call: str, affected: Impact) -> None:
    """Refuse a description of a device of these types, in libvirt's words.

    Args:
        root: One device element.
        call: ``attach``, ``detach`` or ``update``.
        affected: What the call is to change; libvirt looks at the persistent definition first.

    Raises:
        DefinitionError: It is one of them: ``OPERATION_UNSUPPORTED``, or ``CONFIG_UNSUPPORTED``
            for an update of the running machine.
        NotFoundError: No machine has such a device.
    """
    if Impact.LIVE in affected:
        _refuse_built_in(root, call)
    if root.tag not in FIXED_TYPES:
        return
    asked = ("persistent",) * (Impact.CONFIG in affected) + ("live",) * (Impact.LIVE in affected)
    where = next((one for one in asked if (call, one, root.tag) not in _POSSIBLE), None)
    if where is None:
        return
    is_live_update = (where, call) == ("live", "update")
    code = ErrorCode.CONFIG_UNSUPPORTED if is_live_update else ErrorCode.OPERATION_UNSUPPORTED
    raise DefinitionError(f"{where} {call} of device '{root.tag}' is not supported", code=code)


def _refuse_built_in(root: Element, call: str) -> None:
    """What no running machine can get or lose, though its element has other forms."""
    for tag, attribute, value, answers in _BUILT_IN:
        child, _, name = attribute.rpartition("/")
        found = root.child_attribute(child, name) if child else root.attributes.get(name)
        if root.tag == tag and found == value and call in answers:
            code, words = answers[call]
            is_missing = code is ErrorCode.DEVICE_MISSING
            raise (NotFoundError if is_missing else DefinitionError)(words, code=code)


_BUILT_IN = (
    (
        "input",
        "bus",
        "ps2",
        {
            "attach": (_UNSUPPORTED, "input device on bus 'ps2' cannot be hot plugged."),
            "detach": (_UNSUPPORTED, "input device on bus 'ps2' cannot be detached"),
        },
    ),
    (
        "disk",
        "device",
        "floppy",
        {
            "attach": (_UNSUPPORTED, "floppy device hotplug isn't supported"),
            "detach": (_UNSUPPORTED, "disk device type 'floppy' cannot be detached"),
        },
    ),
    (
        "hostdev",
        "mode",
        "capabilities",
        {
            "detach": (
                ErrorCode.CONFIG_UNSUPPORTED,
                "hot unplug is not supported for hostdev mode 'capabilities'",
            )
        },
    ),
    (
        # QEMU has had no such device since 4.0, so no machine has one.
        "shmem",
        "model/type",
        "ivshmem",
        {
            "attach": (
                ErrorCode.CONFIG_UNSUPPORTED,
                "ivshmem device is not supported with this QEMU binary",
            ),
            "detach": (
                ErrorCode.DEVICE_MISSING,
                "model 'ivshmem' shmem device not present in domain configuration",
            ),
        },
    ),
)
"""Tag, attribute (before a slash, of a child) and its value; what libvirt answers to which call."""
