"""What stands behind devices: objects, network back ends, block nodes, character devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded
from pyvirt_sim.qemu.errors import (
    QmpError,
    bad_identifier,
    device_not_found,
    missing,
    not_accepted,
    unexpected,
    wrong_type,
)
from pyvirt_sim.qemu.text import is_identifier

# The device property that names a back end, and whether only one device may use that back end.
LINKS: Final[Mapping[str, bool]] = {"rng": False, "netdev": True, "drive": True, "chardev": True}


@attrs.define(eq=False)
class BlockNode:
    """A node of the block graph."""

    name: str
    driver: str
    child: str | None


@attrs.define(eq=False)
class Backends:
    """All back ends of one machine, by kind and name, and which devices use them.

    Args:
        file_exists: Whether the host has a file of that path.
    """

    file_exists: Callable[[str], bool]
    objects: dict[str, str] = attrs.field(factory=dict[str, str])
    netdevs: dict[str, str] = attrs.field(factory=dict[str, str])
    nodes: dict[str, BlockNode] = attrs.field(factory=dict[str, BlockNode])
    chardevs: dict[str, str] = attrs.field(factory=dict[str, str])
    # (link property, back end) -> path of the device that has it for itself.
    _users: dict[tuple[str, str], str] = attrs.field(factory=dict[tuple[str, str], str])

    def object_add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``object-add``."""
        kind = _branch(arguments, "qom-type", recorded.OBJECT_TYPES, recorded.OBJECT_MEMBERS)
        name = _string(arguments, "id")
        _only(arguments, recorded.OBJECT_MEMBERS[kind])
        if not is_identifier(name):
            raise bad_identifier()
        if name in self.objects:
            raise QmpError(
                f"attempt to add duplicate property '{name}' to object (type 'container')"
            )
        self.objects[name] = kind

    def object_del(self, name: str) -> None:
        """QMP ``object-del``. An rng back end may go while a device uses it, as in QEMU."""
        if self.objects.pop(name, None) is None:
            raise QmpError(f"object '{name}' not found")

    def netdev_add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``netdev_add``."""
        name = _string(arguments, "id")
        kind = _branch(arguments, "type", recorded.NETDEV_TYPES, recorded.NETDEV_MEMBERS)
        _only(arguments, recorded.NETDEV_MEMBERS[kind])
        if not is_identifier(name):
            raise bad_identifier()
        if name in self.netdevs:
            raise QmpError(f"Duplicate ID '{name}'")
        self.netdevs[name] = kind

    def netdev_del(self, name: str) -> None:
        """QMP ``netdev_del``. The device that used it stays, without a peer."""
        if self.netdevs.pop(name, None) is None:
            raise device_not_found(name)
        self._users.pop(("netdev", name), None)

    def blockdev_add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``blockdev-add``; the contents of images are not looked at."""
        driver = _branch(arguments, "driver", recorded.BLOCK_DRIVERS, recorded.BLOCK_MEMBERS)
        needed = {"file": "filename", "raw": "file", "qcow2": "file"}.get(driver)
        if needed is not None and needed not in arguments:
            raise missing(needed)
        _only(arguments, recorded.BLOCK_MEMBERS[driver])
        if "node-name" not in arguments:
            raise QmpError("'node-name' must be specified for the root node")
        name = _string(arguments, "node-name")
        if name in self.nodes:
            raise QmpError(f"Duplicate nodes with node-name='{name}'")
        child = self._child(driver, arguments)
        self.nodes[name] = BlockNode(name, driver, child)

    def _child(self, driver: str, arguments: Mapping[str, Any]) -> str | None:
        if driver == "file":
            path = _string(arguments, "filename")
            if not self.file_exists(path):
                raise QmpError(f"Could not open '{path}': No such file or directory")
        if driver not in {"raw", "qcow2"}:
            return None
        child = arguments["file"]
        if not isinstance(child, str) or arguments.get("backing") is not None:
            raise ModelGapError("only block nodes that refer to their file by name are modelled")
        if child not in self.nodes:
            raise QmpError(f"Cannot find device='{child}' nor node-name='{child}'")
        return child

    def blockdev_del(self, name: str) -> None:
        """QMP ``blockdev-del``."""
        if name not in self.nodes:
            raise QmpError(f"Failed to find node with node-name='{name}'")
        if ("drive", name) in self._users:
            raise QmpError(f"Node {name} is in use")
        if any(node.child == name for node in self.nodes.values()):
            raise QmpError(f"Block device {name} is in use")
        del self.nodes[name]

    def check_link(self, prop: str, name: str, owner: str) -> None:
        """Check that a device may use a back end.

        Args:
            prop: The property that names the back end, a key of `LINKS`.
            name: Id of the back end.
            owner: Device type that QEMU names in its errors.

        Raises:
            QmpError: There is none, or another device has it.
        """
        tables: dict[str, Mapping[str, object]] = {
            "rng": self.objects,
            "netdev": self.netdevs,
            "drive": self.nodes,
            "chardev": self.chardevs,
        }
        known = tables[prop]
        if name not in known:
            if prop == "rng":
                raise device_not_found(name)
            raise QmpError(f"Property '{owner}.{prop}' can't find value '{name}'")
        if (prop, name) in self._users:
            if prop == "drive":
                raise ModelGapError(f"block node {name} is given to a second device")
            raise QmpError(f"Property '{owner}.{prop}' can't take value '{name}', it's in use")

    def use(self, links: Mapping[str, str], path: str) -> None:
        """Note that the device at ``path`` now uses these back ends."""
        for prop, name in links.items():
            if LINKS[prop]:
                self._users[prop, name] = path

    def release(self, path: str) -> None:
        """Note that the device at ``path`` uses nothing any more."""
        self._users = {link: user for link, user in self._users.items() if user != path}


def _branch(
    arguments: Mapping[str, Any],
    discriminator: str,
    accepted: frozenset[str],
    modelled: Mapping[str, object],
) -> str:
    """The value that selects the branch of a union."""
    value = _string(arguments, discriminator)
    if value not in accepted:
        raise not_accepted(discriminator, value)
    if value not in modelled:
        raise ModelGapError(f"{discriminator} {value} is not modelled")
    return value


def _string(arguments: Mapping[str, Any], name: str) -> str:
    if name not in arguments:
        raise missing(name)
    value = arguments[name]
    if not isinstance(value, str):
        raise wrong_type(name, "string")
    return value


def _only(arguments: Mapping[str, Any], members: list[str]) -> None:
    for name in arguments:
        if name not in members:
            raise unexpected(name)
