"""Block nodes: what images are made of, who owns them, and who may write to them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.image_head import read_head
from pyvirt_sim.qemu.order import qdict_order
from pyvirt_sim.qemu.world import World

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_MAX_NAME: Final = 31
_NULL_BYTES: Final = 1 << 30
_SECTOR: Final = 512
# Options of a node that decide what it shows.
_STRONG: Final = frozenset({"size", "offset", "read-zeroes"})
_HARMLESS: Final = frozenset(
    {"driver", "node-name", "read-only", "discard", "cache", "detect-zeroes"}
)
DRIVERS: Final[Mapping[str, frozenset[str]]] = {
    "null-co": frozenset({"size", "latency-ns", "read-zeroes"}),
    "null-aio": frozenset({"size", "latency-ns", "read-zeroes"}),
    # A node that may open for reading only does so where it cannot write, and here it can.
    "file": frozenset({"filename", "aio", "locking", "auto-read-only"}),
    "host_device": frozenset({"filename"}),
    "raw": frozenset({"file", "offset", "size"}),
    "qcow2": frozenset({"file", "backing", "lazy-refcounts"}),
}


@attrs.define(eq=False)
class User:
    """A device that has a node.

    Args:
        name: What QEMU calls it.
        writes: Whether it writes.
        shares_writing: Whether it lets others write.
        is_virtio: Whether it is a virtio disk.
    """

    name: str
    writes: bool
    shares_writing: bool
    is_virtio: bool = False


@attrs.define(eq=False)
class Node:
    """A node of the block graph.

    Args:
        name: Its node name.
        driver: Its driver.
        options: What it was made with.
        child: The node it reads from.
        parents: How many nodes read from it.
        is_owned: Whether the user made it, rather than another node.
        users: The devices that have it.
        write_threshold: Set by a monitor.
        job_kind: The kind of the block job that reads it.
        is_job_target: Whether a block job writes it.
        exports: How many of its parents are exports.
        is_whole: Whether a stream has copied into it what was behind it.
    """

    name: str
    driver: str
    options: Mapping[str, Any]
    child: Node | None = None
    parents: int = 0
    is_owned: bool = True
    users: list[User] = attrs.field(factory=list[User])
    write_threshold: int = 0
    job_kind: str | None = None
    is_job_target: bool = False
    exports: int = 0
    is_whole: bool = False

    @property
    def is_read_only(self) -> bool:
        """Whether nobody can write to it."""
        return bool(self.options.get("read-only", False))

    @property
    def size(self) -> int:
        """The bytes a guest sees."""
        if self.driver.startswith("null"):
            asked = int(self.options.get("size", _NULL_BYTES))
            return -(-asked // _SECTOR) * _SECTOR
        if self.driver == "raw" and self.child is not None:
            offset = int(self.options.get("offset", 0))
            return int(self.options.get("size", self.child.size - offset))
        raise ModelGapError(f"the size of {self.driver} node {self.name} is not modelled")


class Blocks:
    """The block nodes of one machine.

    Args:
        world: The host.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._nodes: dict[str, Node] = {}

    def add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-add``; the contents of images are not looked at.

        Raises:
            QmpError: The name is wrong or taken, or the node cannot be opened.
        """
        if "node-name" not in arguments:
            raise QmpError("'node-name' must be specified for the root node")
        self._open(arguments, is_owned=True)

    def _open(self, arguments: Mapping[str, Any], *, is_owned: bool) -> Node:
        driver, name = str(arguments["driver"]), str(arguments.get("node-name", ""))
        extra = arguments.keys() - _HARMLESS - DRIVERS.get(driver, frozenset())
        if driver not in DRIVERS or extra or arguments.get("backing") is not None:
            raise ModelGapError(f"block driver {driver} with {sorted(extra)} is not modelled")
        if not name and not is_owned:
            raise ModelGapError("block nodes without a name are not modelled")
        child: Node | None = None
        inner = arguments.get("file")
        # QEMU opens the child before it gives the node its name.
        if isinstance(inner, str):
            child = self._find_child(inner)
        elif isinstance(inner, dict):
            child = self._open(cast("dict[str, Any]", inner), is_owned=False)
        try:
            self._check_name(name)
            if driver == "file":
                self._check_file(str(arguments["filename"]))
            elif driver == "host_device":
                self._check_device(str(arguments["filename"]))
            node = Node(name, driver, dict(arguments), child, is_owned=is_owned)
            if child is not None:
                _check_format(node, child)
        except QmpError:
            if child is not None and not child.is_owned:
                del self._nodes[child.name]
            raise
        if child is not None:
            if child.exports:
                raise ModelGapError(f"a node on top of the exported {child.name} is not modelled")
            child.parents += 1
        self._nodes[name] = node
        return node

    def _find_child(self, name: str) -> Node:
        child = self._nodes.get(name)
        if child is None:
            raise QmpError(f"Cannot find device='{name}' nor node-name='{name}'")
        if child.job_kind or child.is_job_target:
            raise ModelGapError(f"node {name} is used by a node and by a job")
        if any(user.writes or not user.shares_writing for user in child.users):
            raise ModelGapError(f"node {name} is used by a device and by a node")
        return child

    def _check_name(self, name: str) -> None:
        if _NAME.fullmatch(name) is None:
            raise QmpError(f"Invalid node-name: '{name}'")
        if name in self._nodes:
            raise QmpError(f"Duplicate nodes with node-name='{name}'")
        if len(name) > _MAX_NAME:
            raise QmpError("Node name too long")

    def _check_file(self, path: str) -> None:
        if not path or not self._world.file_exists(path):
            raise QmpError(f"Could not open '{path}': No such file or directory")

    def _check_device(self, path: str) -> None:
        if self._world.file_exists(path):
            raise QmpError(
                f"'host_device' driver requires '{path}' to be either a character or block device"
            )
        try:
            self._world.open_node(path).close()
        except OSError as error:
            raise QmpError(f"Could not open '{path}': {os.strerror(error.errno or 0)}") from error

    def delete(self, name: str) -> None:
        """QMP ``blockdev-del``.

        Raises:
            QmpError: There is none, somebody uses it, or a node made it.
        """
        node = self._nodes.get(name)
        if node is None:
            raise QmpError(f"Failed to find node with node-name='{name}'")
        if node.job_kind is not None and not node.is_job_target:
            raise QmpError(
                f"Node '{name}' is busy: block device is in use by block job: {node.job_kind}"
            )
        if node.users or node.is_job_target or node.exports:
            raise QmpError(f"Node {name} is in use")
        if not node.is_owned:
            raise QmpError(f"Node {name} is not owned by the monitor")
        if node.parents:
            raise QmpError(f"Block device {name} is in use")
        self._drop(node)

    def _drop(self, node: Node) -> None:
        del self._nodes[node.name]
        if node.child is not None:
            node.child.parents -= 1
            if not node.child.is_owned and not node.child.parents:
                self._drop(node.child)

    def bytes_behind(self, node: Node) -> int:
        """How much an image that has another one behind it shows the guest; 0 without one."""
        file = node.child
        if node.driver != "qcow2" or file is None or file.driver != "file" or node.is_whole:
            return 0
        head = read_head(self._world.read_bytes(str(file.options["filename"])) or b"")
        return head.size_bytes if head is not None and head.backing else 0

    def get(self, name: str) -> Node | None:
        """The node of that name."""
        return self._nodes.get(name)

    def all(self) -> list[Node]:
        """All nodes, the latest first, as QEMU lists them."""
        return list(self._nodes.values())[::-1]

    def check(self, name: str, prop: str, owner: str) -> None:
        """Check that a device may name a node.

        Raises:
            QmpError: There is none.
        """
        if name not in self._nodes:
            raise QmpError(f"Property '{owner}.{prop}' can't find value '{name}'")

    def take(self, node: Node, user: User) -> None:
        """A device takes a node: it writes to it, and lets others write or not.

        Raises:
            QmpError: Another user of the node and this one exclude each other.
        """
        if node.parents or node.job_kind or node.is_job_target:
            raise ModelGapError(f"node {node.name} is used by a device and by a node or job")
        if user.writes and node.is_read_only:
            raise QmpError("Block node is read-only")
        newest_first = node.users[::-1]
        pairs = [(other, user) for other in newest_first] + [(user, one) for one in newest_first]
        for needer, keeper in pairs:
            if needer.writes and not keeper.shares_writing:
                raise _conflict(node, needer, keeper)
        node.users.append(user)

    def set_write_threshold(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``block-set-write-threshold``."""
        name = str(arguments["node-name"])
        if name not in self._nodes:
            raise QmpError(f"Device '{name}' not found")
        self._nodes[name].write_threshold = int(arguments["write-threshold"])


def _conflict(node: Node, needer: User, keeper: User) -> QmpError:
    return QmpError(
        f"Permission conflict on node '{node.name}': permissions 'write' are both required by "
        f"block device '{needer.name}' (uses node '{node.name}' as 'root' child) and unshared by "
        f"block device '{keeper.name}' (uses node '{node.name}' as 'root' child)."
    )


def _check_format(node: Node, child: Node) -> None:
    if node.driver != "qcow2":
        return
    if child.is_read_only and not node.is_read_only:
        raise QmpError("Block node is read-only")
    if child.driver != "file":
        raise QmpError("Image is not in qcow2 format")


def describe(node: Node) -> dict[str, Any]:
    """What QEMU says about a node nobody has read from or written to."""
    if node.job_kind is not None:
        raise ModelGapError("what QEMU puts above the source of a block job is not modelled")
    cache: Mapping[str, Any] = node.options.get("cache", {})
    return {
        "node-name": node.name,
        "drv": node.driver,
        "ro": node.is_read_only,
        "file": _filename(node),
        "encrypted": False,
        "backing_file_depth": 0,
        "detect_zeroes": node.options.get("detect-zeroes", "off"),
        "write_threshold": node.write_threshold,
        **dict.fromkeys(("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0),
        "cache": {
            "writeback": True,
            "direct": bool(cache.get("direct", False)),
            "no-flush": bool(cache.get("no-flush", False)),
        },
        "image": {
            "filename": _filename(node),
            "format": node.driver,
            "virtual-size": node.size,
            "actual-size": 0,
        },
    }


def _filename(node: Node) -> str:
    """QEMU's name for what a node shows: short where the driver alone says it."""
    short = _short_name(node)
    return short if short is not None else f"json:{json.dumps(_strong_options(node))}"


def _short_name(node: Node) -> str | None:
    if node.driver.startswith("null"):
        return None if node.options.keys() & _STRONG else f"{node.driver}://"
    if node.driver == "raw" and node.child is not None:
        return None if node.options.keys() & {"offset", "size"} else _short_name(node.child)
    raise ModelGapError(f"the file name of a {node.driver} node is not modelled")


def _strong_options(node: Node) -> dict[str, Any]:
    """The options that decide what a node shows, in the order in which QEMU writes them."""
    options = {key: node.options[key] for key in node.options if key in _STRONG}
    options["driver"] = node.driver
    if node.child is not None:
        options["file"] = _strong_options(node.child)
    return {key: options[key] for key in qdict_order(options)}
