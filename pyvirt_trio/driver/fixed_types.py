"""Devices that libvirt knows and never adds to, takes from or changes in a domain on their own.

They come and go with the whole definition. libvirt reads their XML before it says so; here the tag
is enough.
"""

from __future__ import annotations

from pyvirt_trio.errors import DefinitionError, ErrorCode
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
    words = None
    if root.tag == "input" and root.attributes.get("bus") == "ps2":
        words = {
            "attach": "input device on bus 'ps2' cannot be hot plugged.",
            "detach": "input device on bus 'ps2' cannot be detached",
        }.get(call)
    elif root.tag == "disk" and root.attributes.get("device") == "floppy":
        words = {
            "attach": "floppy device hotplug isn't supported",
            "detach": "disk device type 'floppy' cannot be detached",
        }.get(call)
    if words is not None:
        raise DefinitionError(words, code=ErrorCode.OPERATION_UNSUPPORTED)
