"""Objects a user makes with ``object-add``: entropy sources, memory, secrets, threads, limits."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu import throttling
from pyvirt_sim.qemu.errors import QmpError, bad_identifier, device_not_found
from pyvirt_sim.qemu.order import GlibTable, qdict_order
from pyvirt_sim.qemu.text import is_identifier
from pyvirt_sim.qemu.world import World

if TYPE_CHECKING:
    from pyvirt_sim.qemu.devices import Device

# Above this a host may or may not have the memory.
_MAX_MODELLED_BYTES: Final = 1 << 32
_ENTROPY: Final = frozenset({"/dev/urandom", "/dev/random"})
# The host's file system in memory: always there, and here each machine's own.
_SHARED_MEMORY: Final = "/dev/shm/"
_MAX_NS: Final = (1 << 63) - 1
_BASE64: Final = frozenset(string.ascii_letters + string.digits + "+/=\n")
_KEY_BYTES: Final = 32
_RANGED: Final = ("poll-max-ns", "poll-grow", "poll-shrink", "aio-max-batch")
# Options whose effect, or whose refusal, is not modelled.
_UNMODELLED: Final = frozenset(
    {"align", "pmem", "hugetlb", "hugetlbsize", "seal", "rom", "readonly"}
    | {"prealloc-context", "prealloc-threads", "thread-pool-min", "thread-pool-max", "loaded"}
)


@attrs.define(eq=False)
class QomObject:
    """An object below ``/objects``.

    Args:
        kind: Its type.
        id: Its name there.
        values: The properties it was given.
        users: How many devices have it mapped, so that it cannot go.
        in_tree: False once it was deleted, though a device may still refer to it.
    """

    kind: str
    id: str
    values: dict[str, Any]
    users: int = 0
    in_tree: bool = True

    @property
    def path(self) -> str:
        """Where it hangs; empty once it is gone."""
        return f"/objects/{self.id}" if self.in_tree else ""

    def value(self, name: str) -> Any:
        """A property: as given, else as a real QEMU has it when nothing is given."""
        if name in self.values:
            return self.values[name]
        rows = recorded.rows(recorded.OBJECTS[self.kind]["tree"], "") or []
        return next((row[2] for row in rows if row[0] == name and len(row) > 2), None)


class Objects:
    """The objects of one machine.

    Args:
        world: The host.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._items: dict[str, QomObject] = {}
        self._order = GlibTable()
        # Files behind memory that were made here: path -> size.
        self._memory_files: dict[str, int] = {}

    def add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``object-add``.

        Raises:
            QmpError: The properties are wrong, the name is taken, or it cannot be completed.
        """
        values = dict(arguments)
        kind, name = str(values.pop("qom-type")), str(values.pop("id"))
        if not is_identifier(name):
            raise bad_identifier()
        if kind not in recorded.OBJECTS:
            raise ModelGapError(f"objects of type {kind} are not modelled")
        for option in qdict_order(values):
            if option in _UNMODELLED or option.startswith("x-"):
                raise ModelGapError(f"{option} of {kind} is not modelled")
            self._check_value(kind, option, values[option])
        if name in self._items:
            raise QmpError(
                f"attempt to add duplicate property '{name}' to object (type 'container')"
            )
        item = QomObject(kind, name, values)
        self._complete(item)
        self._insert(item)

    def add_ram(self, size: int) -> None:
        """The memory the machine is born with."""
        self._insert(QomObject("memory-backend-ram", "pc.ram", {"size": size}, users=1))

    def _insert(self, item: QomObject) -> None:
        self._items[item.id] = item
        self._order.add(item.id)

    def delete(self, name: str) -> None:
        """QMP ``object-del``.

        Raises:
            QmpError: There is none, or a device has it mapped.
        """
        item = self._items.get(name)
        if item is None:
            raise QmpError(f"object '{name}' not found")
        if item.users:
            raise QmpError(f"object '{name}' is in use, can not be deleted")
        item.in_tree = False
        del self._items[name]
        self._order.remove(name)

    def get(self, name: str) -> QomObject | None:
        """The object of that name."""
        return self._items.get(name)

    def in_order(self) -> list[QomObject]:
        """All objects, as QEMU walks them."""
        return [self._items[name] for name in self._order]

    def resolve(self, prop: str, text: str, kind: str) -> QomObject:
        """The object that a link property of a device names.

        Raises:
            QmpError: There is none, or it is of another type.
        """
        item = self._items.get(text.removeprefix("/objects/"))
        if item is None or "/" in text.removeprefix("/objects/"):
            raise device_not_found(text)
        if not recorded.is_a(item.kind, kind):
            raise QmpError(f"Invalid parameter type for '{prop}', expected: {kind}")
        return item

    def map(self, item: QomObject, device: Device) -> None:
        """A device puts a memory object into the guest, for as long as it is realized.

        Raises:
            QmpError: Another device has.
        """
        if item.users:
            raise QmpError(f"can't use already busy memdev: {item.id}")
        item.users += 1
        device.on_unrealize.append(lambda: setattr(item, "users", item.users - 1))

    # -- checks -------------------------------------------------------------------------------

    def _check_value(self, kind: str, option: str, value: Any) -> None:
        if option == "size":
            if value == 0:
                raise QmpError(f"property 'size' of {kind} doesn't take value '0'")
            if value > _MAX_MODELLED_BYTES or value < 0:
                raise ModelGapError(f"whether a host has {value} bytes of memory is not modelled")
        elif option in _RANGED and not 0 <= value <= _MAX_NS:
            raise QmpError(f"{option} value must be in range [0, {_MAX_NS}]")
        elif option == "limits":
            throttling.check(value)
        elif option == "host-nodes" and any(node != 0 for node in value):
            raise ModelGapError("only host node 0 is modelled")

    def _complete(self, item: QomObject) -> None:
        if recorded.is_a(item.kind, "memory-backend"):
            self._complete_memory(item)
        elif item.kind == "rng-random":
            self._complete_random(item)
        elif item.kind == "secret":
            self._complete_secret(item)

    def _complete_memory(self, item: QomObject) -> None:
        policy, nodes = item.values.get("policy", "default"), item.values.get("host-nodes", [])
        if item.kind == "memory-backend-file":
            self._open_memory_file(item)
        if nodes and policy == "default":
            raise QmpError(
                "host-nodes must be empty for policy default, or you should explicitly "
                "specify a policy other than default"
            )
        if not nodes and policy != "default":
            raise QmpError(f"host-nodes must be set for policy {policy}")

        if item.values.get("reserve") is False and item.kind == "memory-backend-file":
            raise ModelGapError("memory in files without a reservation is not modelled")

    def _open_memory_file(self, item: QomObject) -> None:
        path, size = str(item.values["mem-path"]), int(item.values["size"])
        known = self._memory_files.get(path)
        if self._world.folder_exists(path):
            return  # QEMU makes one without a name in there
        if known is None:
            if not path.startswith(_SHARED_MEMORY):
                self._create_file(path)
            self._memory_files[path] = size
        elif known < size:
            raise QmpError(
                f"backing store size 0x{known:x} does not match 'size' option 0x{size:x}"
            )

    def _create_file(self, path: str) -> None:
        if self._world.file_exists(path):
            raise ModelGapError(f"memory in a file that was there before is not modelled: {path}")
        try:
            self._world.append_text(path, "")
        except OSError:
            raise QmpError(
                f"can't open backing store {path} for guest RAM: No such file or directory"
            ) from None

    def _complete_random(self, item: QomObject) -> None:
        path = str(item.values.get("filename", "/dev/urandom"))
        if not path or (path not in _ENTROPY and not self._world.file_exists(path)):
            raise QmpError(f"Could not open '{path}': No such file or directory")

    def _complete_secret(self, item: QomObject) -> None:
        data, file = item.values.get("data"), item.values.get("file")
        if data is not None and file is not None:
            raise QmpError("'file' and 'data' are mutually exclusive")
        if data is None and file is None:
            raise QmpError("Either 'file' or 'data' must be provided")
        if file is not None:
            if self._world.file_exists(str(file)):
                raise ModelGapError("secrets in files are not modelled")
            raise QmpError(
                f"Unable to read {file}: Failed to open file \u201c{file}\u201d: "
                "No such file or directory"
            )
        if "keyid" in item.values:
            self._check_key(str(item.values["keyid"]), item)
        if item.values.get("format") == "base64":
            if set(str(data)) - _BASE64:
                raise QmpError("Base64 data contains invalid characters")
            if len(str(data)) % 4:
                raise ModelGapError("base64 of a broken length is not modelled")

    def _check_key(self, name: str, item: QomObject) -> None:
        if name == item.id:
            raise QmpError(f"Secret with id '{name}' has no data")
        key = self._items.get(name)
        if key is None:
            raise QmpError(f"No secret with id '{name}'")
        if key.kind != "secret":
            raise QmpError(f"Object with id '{name}' is not a secret")
        if key.values.get("format") == "base64" or len(str(key.values["data"])) == _KEY_BYTES:
            raise ModelGapError("encrypted secrets are not modelled")
        raise QmpError(f"Key should be {_KEY_BYTES} bytes in length")

    # -- queries ------------------------------------------------------------------------------

    def memory(self) -> list[dict[str, Any]]:
        """QMP ``query-memdev``."""
        names = ("size", "merge", "dump", "prealloc", "share", "reserve", "policy", "host-nodes")
        return [
            {"id": item.id, **{name: item.value(name) for name in names}}
            for item in reversed(self.in_order())
            if recorded.is_a(item.kind, "memory-backend")
        ]

    def threads(self) -> list[dict[str, Any]]:
        """QMP ``query-iothreads``."""
        names = ("poll-max-ns", "poll-grow", "poll-shrink", "aio-max-batch")
        return [
            {"id": item.id, "thread-id": 0, **{name: item.value(name) for name in names}}
            for item in self.in_order()
            if item.kind == "iothread"
        ]
