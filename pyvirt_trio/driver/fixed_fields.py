"""What of an interface or a disk cannot change while its domain runs, in libvirt's words.

Most of what libvirt refuses to change here (``qemuDomainChangeNet``,
``qemuDomainDiskChangeSupported``) is nothing that this library represents: what it has is always
as if it were not written. So a description that says such a thing asks for a change, and that is
what its reader is told.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.devices import Disk, Interface
from pyvirt_trio.models.iotune import IoTune
from pyvirt_trio.xml.element import Element

_OPTIONS_OF_VIRTIO = {"ats", "iommu", "packed", "page_per_vq"}

# What libvirt refuses when it reads the description: element, then the text.
_WRONG_IN_INTERFACES = {
    "mtu": "setting MTU on interface type {kind} is not supported yet",
    "vlan": "interface {mac} - vlan tag not supported for this connection type",
    "coalesce": "coalesce settings on interface type {kind} are not supported",
    "boot": "per-device boot elements cannot be used together with os/boot elements",
    "port": "interface {mac} - <port isolated='yes'/> is not supported for network interfaces with "
    "type='{kind}'",
}
# What it refuses to change: element, attribute or an asterisk for any, then the text.
_FIXED_IN_INTERFACES = (
    ("script", "*", "cannot modify network device script attribute"),
    ("target", "dev", "cannot modify network device tap name"),
    ("model", "type", "cannot modify network device model from virtio to {model}"),
    ("rom", "bar", "cannot modify network device rom bar setting"),
    ("rom", "file", "cannot modify network rom file"),
    ("bandwidth", "*", "Unable to set bandwidth for interface because device name is unknown"),
    ("tune", "*", "unable to change config on '{kind}' network type"),
)
# Elements of a disk, and how libvirt calls what they say where that is another name.
_FIXED_IN_DISKS = {
    "shareable": "shared",
    "serial": "serial",
    "wwn": "wwn",
    "vendor": "vendor",
    "product": "product",
    "transient": "transient",
}


def words_for_fixed_fields(root: Element) -> DefinitionError | None:
    """What libvirt says of a description that cannot be represented here.

    Args:
        root: Of a device that is to be updated while its domain runs.

    Returns:
        The refusal; ``None`` where libvirt has none, or it is of another device.
    """
    if root.tag == "interface":
        return _of_interface(root)
    if root.tag == "disk":
        for field in _fields_of_disk(root):
            return _fixed(f"cannot modify field '{field}' of the disk")
    return None


def fixed_field_of_interface(present: Interface, wanted: Interface) -> str:
    """What libvirt says of what differs, except for the link, in two that can be represented."""
    if present.mac != wanted.mac:
        change = f"from {present.mac} to {wanted.mac}"
        return f"cannot change network interface mac address {change}"
    if "ethernet" in (present.kind, wanted.kind):
        return "cannot modify network device tap name"
    return f"unable to change config on '{wanted.kind}' network type"


def fixed_field_of_disk(present: Disk, wanted: Disk) -> str | None:
    """The same of two disks, or drives; ``None`` when it is something else that differs."""
    for field, attribute in (("device", "is_cdrom"), ("bus", "bus"), ("readonly", "is_readonly")):
        if getattr(present, attribute) != getattr(wanted, attribute):
            return f"cannot modify field '{field}' of the disk"
    for limit in attrs.fields(IoTune):
        if _limit(present, limit.name) != _limit(wanted, limit.name):
            return f"cannot modify field 'blkdeviotune {limit.name}' of the disk"
    return None


def _limit(disk: Disk, name: str) -> int | str:
    return getattr(disk.iotune or IoTune(), name)  # type: ignore[no-any-return]  # by its name


def _of_interface(root: Element) -> DefinitionError | None:
    children = {child.tag: child for child in root.children}
    names = {
        "kind": root.attributes.get("type", ""),
        "mac": _attribute(children, "mac", "address"),
        "model": _attribute(children, "model", "type"),
    }
    for tag, text in _WRONG_IN_INTERFACES.items():
        if tag in children:
            return DefinitionError(text.format(**names), code=ErrorCode.CONFIG_UNSUPPORTED)
    if "driver" in children:
        is_option = children["driver"].attributes.keys() <= _OPTIONS_OF_VIRTIO
        what = "options" if is_option else "attributes"
        return _fixed(f"cannot modify virtio network device driver {what}")
    for tag, attribute, text in _FIXED_IN_INTERFACES:
        is_plain = tag == "model" and names["model"] == "virtio"
        has_it = tag in children and attribute in ("*", *children[tag].attributes)
        if has_it and not is_plain:
            return _fixed(text.format(**names))
    return None


def _fields_of_disk(root: Element) -> Iterator[str]:
    for child in root.children:
        if child.tag in _FIXED_IN_DISKS:
            yield _FIXED_IN_DISKS[child.tag]
        elif child.tag == "driver":
            yield from (name for name in child.attributes if name not in ("name", "type"))


def _attribute(children: dict[str, Element], tag: str, name: str) -> str:
    return children[tag].attributes.get(name, "") if tag in children else "<null>"


def _fixed(text: str) -> DefinitionError:
    return DefinitionError(text, code=ErrorCode.OPERATION_UNSUPPORTED)
