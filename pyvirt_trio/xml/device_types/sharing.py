"""``<vsock>``, ``<filesystem>`` and ``<lease>``: what is shared with the host."""

from __future__ import annotations

import attrs

from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.models import Filesystem, Lease, Vsock
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element, switched, text_element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import checked_path

MIN_CID = 3
MAX_CID = 0xFFFFFFFE
"""0 to 2 are the host's and the hypervisor's own, the last number means "any" (``AF_VSOCK``)."""

MAX_QUEUE = 1024
"""QEMU's limit (``VIRTQUEUE_MAX_SIZE``)."""


def read_vsock(reader: Reader) -> Vsock:
    """A ``Vsock`` from ``<vsock model='virtio'>``."""
    reader.choice("model", "virtio", default="virtio")
    cid = reader.child("cid")
    if cid is None:
        return Vsock()
    has_number = cid.attribute("address") is not None
    number = cid.integer("address", maximum=MAX_CID) if has_number else None
    if number is not None and number < MIN_CID:
        raise cid.unsupported("guest CIDs must be >= 3", attribute="address")
    is_auto = cid.switch("auto", "yes", "no", default=False)
    if number is None and not is_auto:
        raise cid.wrong("guest CIDs must be >= 3")
    return Vsock(cid=number, is_auto=is_auto)


def write_vsock(device: Vsock) -> Element:
    """The element that ``read_vsock`` reads."""
    cid = {"auto": "yes" if device.is_auto else "no", "address": device.cid}
    return element("vsock", {"model": "virtio"}, element("cid", cid))


def read_filesystem(reader: Reader) -> Filesystem:
    """A ``Filesystem`` from ``<filesystem type='mount'>`` with the driver ``virtiofs``."""
    reader.choice("type", "mount", default="mount")
    reader.choice("accessmode", "passthrough", default="passthrough")
    driver = reader.child("driver")
    kind = None if driver is None else driver.attribute("type")
    if driver is None or kind != "virtiofs":
        error = reader.unsupported("only virtiofs filesystems can be hotplugged")
        error.code = ErrorCode.OPERATION_UNSUPPORTED
        raise error
    if reader.has("readonly"):
        raise reader.unsupported("virtiofs does not yet support read-only mode")
    has_queue = driver.attribute("queue") is not None
    source = reader.required_child("source")
    socket, folder = _optional_path(source, "socket"), _optional_path(source, "dir")
    if socket is None and folder is None:
        raise source.wrong("missing attribute 'dir' or 'socket'")
    device = Filesystem(
        socket=socket,
        source_dir=folder,
        tag=reader.required_child("target").required("dir"),
        queue_size=driver.integer("queue", minimum=2, maximum=MAX_QUEUE) if has_queue else None,
    )
    binary = reader.child("binary")
    return device if binary is None else _with_binary(device, binary)


def _optional_path(reader: Reader, attribute: str) -> str | None:
    path = reader.attribute(attribute)
    return None if path is None else checked_path(reader, path, attribute=attribute)


def _with_binary(device: Filesystem, binary: Reader) -> Filesystem:
    """``device`` with what is said of the virtiofsd that is to be run for it."""
    if device.source_dir is None:
        raise binary.unsupported("a virtiofsd that somebody else runs has its options already")
    cache, sandbox = binary.child("cache"), binary.child("sandbox")
    return attrs.evolve(
        device,
        binary=_optional_path(binary, "path"),
        has_xattr=binary.optional_switch("xattr", "on", "off"),
        cache=None if cache is None else cache.choice("mode", "none", "always"),
        sandbox=None if sandbox is None else sandbox.choice("mode", "namespace", "chroot"),
    )


def write_filesystem(device: Filesystem) -> Element:
    """The element that ``read_filesystem`` reads."""
    return element(
        "filesystem",
        {"type": "mount", "accessmode": "passthrough"},
        element("driver", {"type": "virtiofs", "queue": device.queue_size}),
        _binary_element(device),
        element("source", {"dir": device.source_dir, "socket": device.socket}),
        element("target", {"dir": device.tag}),
    )


def _binary_element(device: Filesystem) -> Element | None:
    xattr = switched(device.has_xattr, "on", "off")
    written = element(
        "binary",
        {"path": device.binary, "xattr": xattr},
        None if device.cache is None else element("cache", {"mode": device.cache}),
        None if device.sandbox is None else element("sandbox", {"mode": device.sandbox}),
    )
    return written if written.attributes or written.children else None


def read_lease(reader: Reader) -> Lease:
    """A ``Lease`` from ``<lease>``."""
    key = reader.child_text("key")
    if key is None:
        raise reader.wrong("Missing 'key' element for lease")
    target = reader.child("target")
    if target is None:
        raise reader.wrong("Missing 'target' element for lease")
    return Lease(
        lockspace=reader.child_text("lockspace"),
        key=key,
        path=target.required("path"),
        offset=target.integer("offset", default=0, maximum=2**64 - 1),
    )


def write_lease(lease: Lease) -> Element:
    """The element that ``read_lease`` reads."""
    return element(
        "lease",
        None,
        text_element("lockspace", lease.lockspace),
        text_element("key", lease.key),
        element("target", {"path": lease.path, "offset": lease.offset or None}),
    )


VSOCK = DeviceType(tag="vsock", model=Vsock, read=read_vsock, write=write_vsock)
FILESYSTEM = DeviceType(
    tag="filesystem", model=Filesystem, read=read_filesystem, write=write_filesystem
)
LEASE = DeviceType(
    tag="lease", model=Lease, read=read_lease, write=write_lease, address=lambda _lease: None
)
