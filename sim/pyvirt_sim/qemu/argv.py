"""The command line of QEMU, as far as it is modelled.

An option QEMU does not know ends the process with QEMU's message and status 1; one it knows and we
do not model raises `ModelGapError`.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded
from pyvirt_sim.qemu.cpus import Topology
from pyvirt_sim.qemu.displays import Spice, Vnc, parse_spice, parse_vnc
from pyvirt_sim.qemu.errors import StartupError
from pyvirt_sim.qemu.run_state import CHOICES, Actions

_FLAGS: Final = frozenset({"-S", "-no-user-config", "-nodefaults", "-no-shutdown", "-no-reboot"})
# They change nothing a monitor can see, with these values.
_HARMLESS: Final[Mapping[str, frozenset[str] | None]] = {
    "-display": frozenset({"none"}),
    "-vga": frozenset({"none"}),
    "-boot": None,
    "-rtc": None,
    "-overcommit": None,
}
_JSON_OPTIONS: Final = ("-object", "-blockdev", "-netdev", "-device")
_BOARDS: Final[Mapping[str, str]] = {
    "q35": "q35",
    "pc-q35-7.2": "q35",
    "pc": "pc",
    "pc-i440fx-7.2": "pc",
}
_MACHINE_KEYS: Final = frozenset(
    {
        *("type", "accel", "usb", "dump-guest-core", "vmport", "graphics", "nvdimm"),
        *("mem-merge", "memory-backend"),
    }
)
_SUFFIXES: Final = "kmgt"
# Who handles hotplug behind the root ports of q35: ACPI, or each port itself.
_SLEEPS: Final = {"ICH9-LPC.disable_s3": "s3", "ICH9-LPC.disable_s4": "s4"}
_ACPI_HOTPLUG: Final = "ICH9-LPC.acpi-pci-hotplug-with-bridge-support"
_SMP_KEYS: Final = frozenset({"cpus", "maxcpus", "sockets", "cores", "threads"})
_KEYMAPS: Final = frozenset({"de", "en-gb", "en-us", "es", "fr", "it", "ja", "sv"})
_CPU_MODELS: Final = frozenset({"max", "host", "qemu64", "qemu32", "kvm64", "base"})


@attrs.frozen
class Chardev:
    """A character device: ``socket``, ``file`` or ``null``; a socket may connect to another one."""

    backend: str
    id: str
    path: str | None
    is_client: bool = False


@attrs.frozen
class JsonOption:
    """An option with a JSON argument, as it was written and as it was read."""

    option: str
    text: str
    value: Mapping[str, Any]


@attrs.frozen
class Node:
    """A memory node of the guest: its processors, and the object that is its memory."""

    cpus: tuple[int, ...]
    memdev: str


@attrs.define(kw_only=True)
class Config:
    """What a command line asks for."""

    program: str
    name: str = ""
    uuid: str = "00000000-0000-0000-0000-000000000000"
    starts_paused: bool = False
    is_incoming: bool = False
    board: str = "q35"
    has_native_hotplug: bool = False
    disabled_sleeps: frozenset[str] = frozenset()
    accelerator: str = "tcg"
    memory_bytes: int = 128 << 20
    actions: Actions = attrs.field(factory=Actions)
    bios: str | None = None
    max_memory_bytes: int = 0
    memory_slots: int = 0
    has_nvdimm: bool = False
    memory_object: str | None = None
    nodes: list[Node] = attrs.field(factory=list["Node"])
    cpu_model: str = "qemu64"
    topology: Topology = attrs.field(factory=Topology)
    kernel: str | None = None
    initrd: str | None = None
    append: str | None = None
    chardevs: dict[str, Chardev] = attrs.field(factory=dict[str, Chardev])
    monitor_chardevs: list[str] = attrs.field(factory=list[str])
    audiodevs: dict[str, str] = attrs.field(factory=dict[str, str])
    vncs: list[Vnc] = attrs.field(factory=list["Vnc"])
    spice: Spice | None = None
    options: list[JsonOption] = attrs.field(factory=list[JsonOption])

    def of(self, option: str) -> list[JsonOption]:
        """The JSON options of one kind, in order."""
        return [item for item in self.options if item.option == option]


def parse_argv(argv: Sequence[str]) -> Config:
    """Read a command line.

    Raises:
        StartupError: QEMU refuses it.
        ModelGapError: QEMU takes it, we do not model it.
    """
    config = Config(program=posixpath.basename(argv[0]))
    arguments = iter(argv[1:])
    for option in arguments:
        if option in _FLAGS:
            _set_flag(config, option)
            continue
        if option not in recorded.OPTIONS:
            if option.startswith("-"):
                raise StartupError(f"{option}: invalid option")
            raise ModelGapError(f"a disk image as plain argument is not modelled: {option}")
        value = next(arguments, None)
        if value is None:
            raise StartupError(f"{option}: requires an argument")
        _set_option(config, option, value)
    if config.nodes and config.memory_object is not None:
        raise ModelGapError("memory beside that of the nodes is not modelled")
    if config.initrd is not None and config.kernel is None:
        raise StartupError("-initrd only allowed with -kernel option")
    if config.append is not None and config.kernel is None:
        raise StartupError("-append only allowed with -kernel option")
    if (config.has_native_hotplug or config.disabled_sleeps) and config.board != "q35":
        raise ModelGapError("a -global for a device the board lacks is not modelled")
    return config


def _set_flag(config: Config, option: str) -> None:
    if option == "-S":
        config.starts_paused = True
    elif option == "-no-shutdown":
        config.actions.set("shutdown", "pause")
    elif option == "-no-reboot":
        config.actions.set("reboot", "shutdown")


def _set_option(config: Config, option: str, value: str) -> None:
    if option in _JSON_OPTIONS:
        config.options.append(JsonOption(option, value, _read_json(option, value)))
    elif option in _HARMLESS:
        accepted = _HARMLESS[option]
        if accepted is not None and value not in accepted:
            raise ModelGapError(f"{option} {value} is not modelled")
    elif option in _SETTERS:
        _SETTERS[option](config, value)
    else:
        raise ModelGapError(f"option {option} is not modelled")


def _read_json(option: str, text: str) -> Mapping[str, Any]:
    if not text.startswith("{"):
        raise ModelGapError(f"{option} with key=value syntax is not modelled: {text}")
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise ModelGapError(f"{option}: QEMU's message for {error} is not modelled") from None
    result: Mapping[str, Any] = value
    return result


def _keys(text: str, implied: str) -> dict[str, str]:
    """Read ``a,b=c,d=e``, where the first word may lack its key; ``,,`` is a comma."""
    result: dict[str, str] = {}
    for index, part in enumerate(text.replace(",,", "\0").split(",")):
        key, equals, value = part.replace("\0", ",").partition("=")
        if not equals:
            key, value = (implied, key) if index == 0 else (key, "on")
        result[key] = value
    return result


def _set_name(config: Config, value: str) -> None:
    config.name = _keys(value, "guest").get("guest", "")


def _set_uuid(config: Config, value: str) -> None:
    digits = value.replace("-", "")
    if len(value) != 36 or len(digits) != 32 or set(digits.lower()) - set("0123456789abcdef"):
        raise StartupError(f"-uuid {value}: failed to parse UUID string: wrong format")
    config.uuid = value.lower()


def _set_machine(config: Config, value: str) -> None:
    keys = _keys(value, "type")
    if keys.get("type") not in _BOARDS:
        raise ModelGapError(f"machine type {keys.get('type')} is not modelled")
    unknown = sorted(set(keys) - _MACHINE_KEYS)
    if unknown or keys.get("accel", "tcg") not in {"tcg", "kvm"}:
        raise ModelGapError(f"-machine {value} is not modelled")
    config.board = _BOARDS[keys["type"]]
    config.accelerator = keys.get("accel", config.accelerator)
    config.has_nvdimm = keys.get("nvdimm", "off") == "on"
    config.memory_object = keys.get("memory-backend")


def _set_cpu(config: Config, value: str) -> None:
    model = value.partition(",")[0]
    if model not in _CPU_MODELS:
        raise ModelGapError(f"CPU model {value} is not modelled")
    config.cpu_model = model


def _set_memory(config: Config, value: str) -> None:
    keys = _keys(value, "size")
    config.memory_bytes = _bytes(value, "size", keys.get("size", ""))
    if "maxmem" in keys:
        config.max_memory_bytes = _bytes(value, "maxmem", keys["maxmem"])
        slots = keys.get("slots", "0")
        if not slots.isdigit() or config.max_memory_bytes < config.memory_bytes:
            raise ModelGapError(f"-m {value} is not modelled")
        config.memory_slots = int(slots)


def _bytes(value: str, name: str, text: str) -> int:
    digits = text.rstrip("kKmMgG")
    if not digits.isdigit() or len(text) > len(digits) + 1:
        raise StartupError(
            f"-m {value}: Parameter '{name}' expects a non-negative number below 2^64"
        )
    # Without a unit these are MiB, and QEMU rounds up to 8 KiB.
    unit = text[len(digits) :].lower() or "m"
    asked: int = int(digits) * 1024 ** (_SUFFIXES.index(unit) + 1)
    return -(-asked // 8192) * 8192


def _set_smp(config: Config, value: str) -> None:
    keys = _keys(value, "cpus")
    if any(not number.isdigit() for number in keys.values()) or keys.keys() - _SMP_KEYS:
        raise ModelGapError(f"-smp {value} is not modelled")
    given = {key: int(number) for key, number in keys.items()}
    present = given.get("cpus", 1)
    places = given.get("maxcpus", present)
    threads, sockets = given.get("threads", 1), given.get("sockets", 1)
    # Since 6.2 what is not said is taken to be cores.
    cores = given.get("cores", max(places // (threads * sockets), 1))
    if "sockets" not in given and "cores" in given:
        sockets = max(places // (threads * cores), 1)
    if sockets * cores * threads != places or not 1 <= present <= places:
        raise ModelGapError(f"-smp {value} is not modelled")
    config.topology = Topology(present, sockets, cores, threads)


def _add_node(config: Config, value: str) -> None:
    """``node,nodeid=0,cpus=0-1,cpus=4,memdev=ram0``: as libvirt writes it."""
    kind, *parts = value.split(",")
    keys = [part.partition("=") for part in parts]
    given = {key: text for key, _, text in keys}
    is_next = given.get("nodeid") == str(len(config.nodes)) and "memdev" in given
    if kind != "node" or not is_next or given.keys() - {"nodeid", "cpus", "memdev"}:
        raise ModelGapError(f"-numa {value} is not modelled")
    cpus: list[int] = []
    for key, _, text in keys:
        if key == "cpus":
            first, _, last = text.partition("-")
            if not first.isdigit() or not (last or first).isdigit():
                raise ModelGapError(f"-numa {value} is not modelled")
            cpus += range(int(first), int(last or first) + 1)
    config.nodes.append(Node(tuple(cpus), given["memdev"]))


def _add_chardev(config: Config, value: str) -> None:
    keys = _keys(value, "backend")
    backend, name, path = keys.get("backend", ""), keys.get("id", ""), keys.get("path")
    modelled = {
        "socket": {"backend", "id", "path", "server", "wait"},
        "file": {"backend", "id", "path", "append"},
        "null": {"backend", "id"},
    }
    if backend not in modelled or set(keys) - modelled[backend] or not name:
        raise ModelGapError(f"-chardev {value} is not modelled")
    if name in config.chardevs:
        raise StartupError(f"-chardev {value}: Duplicate ID '{name}' for chardev")
    is_client = backend == "socket" and "server" not in keys and "wait" not in keys
    is_server = (keys.get("server"), keys.get("wait")) == ("on", "off")
    if backend == "socket" and not is_client and not is_server:
        raise ModelGapError("only sockets with server=on,wait=off are modelled")
    if backend != "null" and path is None:
        raise StartupError(f"-chardev {value}: chardev: {backend}: no filename given")
    config.chardevs[name] = Chardev(backend, name, path, is_client=is_client)


def _add_monitor(config: Config, value: str) -> None:
    keys = _keys(value, "chardev")
    if keys.get("mode") != "control" or set(keys) - {"chardev", "id", "mode"}:
        raise ModelGapError(f"-mon {value} is not modelled")
    config.monitor_chardevs.append(keys.get("chardev", ""))


def _set_action(config: Config, value: str) -> None:
    for kind, action in _keys(value, "").items():
        if kind not in CHOICES:
            raise StartupError(f"-action {value}: Invalid parameter '{kind}'")
        if action not in CHOICES[kind]:
            words = f"Parameter '{kind}' does not accept value '{action}'"
            raise StartupError(f"-action {value}: {words}")
        config.actions.set(kind, action)


def _set_global(config: Config, value: str) -> None:
    name, _, choice = value.partition("=")
    if name in _SLEEPS and choice in {"0", "1"}:
        changed = config.disabled_sleeps - {_SLEEPS[name]}
        config.disabled_sleeps = changed | {_SLEEPS[name]} if choice == "1" else changed
        return
    if name != _ACPI_HOTPLUG or choice not in {"on", "off"}:
        raise ModelGapError(f"-global {value} is not modelled")
    config.has_native_hotplug = choice == "off"


def _add_audiodev(config: Config, value: str) -> None:
    found = _read_json("-audiodev", value)
    if set(found) != {"id", "driver"} or found["driver"] not in ("none", "spice"):
        raise ModelGapError(f"-audiodev {value} is not modelled")
    config.audiodevs[str(found["id"])] = str(found["driver"])


def _add_vnc(config: Config, value: str) -> None:
    config.vncs.append(parse_vnc(value, _keys(value, "vnc")))


def _set_spice(config: Config, value: str) -> None:
    config.spice = parse_spice(value, _keys(value, "port"))


def _set_keymap(_config: Config, value: str) -> None:
    if value not in _KEYMAPS:
        raise ModelGapError(f"-k {value} is not modelled")


def _set_incoming(config: Config, value: str) -> None:
    if value != "defer":
        raise ModelGapError(f"-incoming {value} is not modelled")
    config.is_incoming = True


def _set_path(attribute: str) -> Callable[[Config, str], None]:
    return lambda config, value: setattr(config, attribute, value)


_SETTERS: Final[Mapping[str, Callable[[Config, str], None]]] = {
    "-name": _set_name,
    "-uuid": _set_uuid,
    "-machine": _set_machine,
    "-cpu": _set_cpu,
    "-m": _set_memory,
    "-smp": _set_smp,
    "-numa": _add_node,
    "-kernel": _set_path("kernel"),
    "-initrd": _set_path("initrd"),
    "-append": _set_path("append"),
    "-chardev": _add_chardev,
    "-mon": _add_monitor,
    "-bios": _set_path("bios"),
    "-action": _set_action,
    "-incoming": _set_incoming,
    "-global": _set_global,
    "-audiodev": _add_audiodev,
    "-vnc": _add_vnc,
    "-spice": _set_spice,
    "-k": _set_keymap,
}

MODELLED: Final = frozenset({*_FLAGS, *_HARMLESS, *_JSON_OPTIONS, *_SETTERS})
"""The options that are."""
