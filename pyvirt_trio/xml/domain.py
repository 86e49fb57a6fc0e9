"""A whole domain to and from libvirt's domain XML."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator

import attrs

from pyvirt_trio.models import (
    Controller,
    Device,
    DomainDefinition,
    Graphics,
    OperatingSystem,
    Panic,
    Serial,
    Sound,
)
from pyvirt_trio.xml.defaults import written_defaults
from pyvirt_trio.xml.device_types.character import read_character_source
from pyvirt_trio.xml.devices import device_lines, read_device
from pyvirt_trio.xml.element import Element, element, render, rendered_lines, text_element
from pyvirt_trio.xml.lifecycle import (
    lifecycle_elements,
    panic_element,
    read_lifecycle,
    read_panic,
    read_sleeps,
    sleeps_element,
)
from pyvirt_trio.xml.memory import cpu_element, memory_elements, read_memory
from pyvirt_trio.xml.memory_backing import memory_backing_element, read_memory_backing
from pyvirt_trio.xml.metadata import metadata_in
from pyvirt_trio.xml.parser import parse_document
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.unique import refuse_duplicates
from pyvirt_trio.xml.values import checked_path, read_alias, read_memory_kib
from pyvirt_trio.xml.vcpus import read_vcpus, vcpu_elements

MAX_NAME_BYTES = 200
"""The name becomes a file name (NAME.xml and the like), and Linux allows 255 bytes for one."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_MACHINE = re.compile(r"q35|pc-q35-[0-9]{1,3}\.[0-9]{1,3}")


def parse_domain(
    text: str | bytes, *, fresh_uuid: Callable[[], uuid.UUID], keep_aliases: bool = False
) -> DomainDefinition:
    """Read a definition.

    libvirt counterpart: ``virDomainDefParse``. Unlike it, this refuses what it cannot represent;
    ``defaults`` lists what is accepted and not kept.

    Args:
        text: The document.
        fresh_uuid: Called when the document has no ``<uuid>``.
        keep_aliases: True for text of our own that describes a running domain. Otherwise only
            aliases that begin with ``ua-`` count, as in libvirt.

    Raises:
        DefinitionError: Code ``XML_DETAIL`` (not well-formed), ``XML_ERROR`` (wrong) or
            ``CONFIG_UNSUPPORTED`` (cannot be represented); ``path`` says where.
    """
    reader = Reader(parse_document(text, root="domain"))
    virt_type = reader.choice("type", "qemu", "kvm")
    reader.attribute("id")  # libvirt ignores it in a definition, too: starting assigns one
    name = _read_name(reader.required_child("name"))
    identity = _read_uuid(reader.child("uuid"))
    given_kib = read_memory_kib(reader.required_child("memory"))
    vcpus, lists_vcpus = read_vcpus(reader, keep_aliases=keep_aliases)
    os = _read_os(reader.required_child("os"))
    title = read_title(reader)
    description = reader.child_text("description")
    actions, sleeps = read_lifecycle(reader), read_sleeps(reader)
    reader.child("features")  # its contents are in the table of defaults
    panic = _read_panic(reader.child("devices"))
    emulator, devices = _read_devices(reader.child("devices"), keep_aliases=keep_aliases)
    memory = read_memory(reader, given_kib, devices, len(vcpus))
    memory_backing = read_memory_backing(reader.child("memoryBacking"))
    reader.finish()
    definition = DomainDefinition(
        name=name,
        uuid=fresh_uuid() if identity is None else identity,
        **attrs.asdict(memory, recurse=False),
        vcpus=vcpus,
        lists_vcpus=lists_vcpus,
        os=os,
        virt_type=virt_type,
        emulator=emulator,
        title=title,
        description=description,
        metadata=metadata_in(text) if reader.has("metadata") else (),
        actions=actions,
        sleeps=sleeps,
        panic=panic,
        devices=devices,
        memory_backing=memory_backing,
    )
    refuse_duplicates(definition)
    return definition


def format_domain(definition: DomainDefinition, *, life_id: int | None = None) -> str:
    """``definition`` in libvirt's layout; ``parse_domain`` gives it back.

    Devices keep the order they have in the definition (libvirt sorts them by type).

    Args:
        definition: What to print.
        life_id: The number libvirt calls ``id``, for a running domain.

    Raises:
        DefinitionError: A value cannot be written such that it reads back the same.
    """
    root = element(
        "domain",
        {"type": definition.virt_type, "id": life_id},
        text_element("name", definition.name),
        text_element("uuid", definition.uuid),
        text_element("title", definition.title),
        text_element("description", definition.description),
        _metadata_element(definition),
        *memory_elements(definition),
        memory_backing_element(definition.memory_backing),
        *vcpu_elements(definition),
        _os_element(definition.os),
        element("features", None, *written_defaults("/domain/features")),
        cpu_element(definition),
        *written_defaults("/domain"),
        *lifecycle_elements(definition.actions),
        sleeps_element(definition.sleeps),
        Element("devices", verbatim=tuple(_device_lines(definition))),
    )
    return render(root)


def _device_lines(definition: DomainDefinition) -> Iterator[str]:
    emulator = text_element("emulator", definition.emulator)
    if emulator is not None:
        yield from rendered_lines(emulator)
    for device in definition.devices:
        yield from device_lines(device)
    if any(isinstance(device, Graphics | Sound) for device in definition.devices):
        audio = element("audio", {"id": 1, "type": _listener(definition.devices)})
        yield from rendered_lines(audio)
    if definition.panic is not None:
        yield from rendered_lines(panic_element(definition.panic))
    for default in _unless_present(definition, written_defaults("/domain/devices")):
        yield from rendered_lines(default)


def _unless_present(definition: DomainDefinition, defaults: Iterable[Element]) -> Iterator[Element]:
    """The defaults that ``definition`` does not contradict: "no USB" when there is none."""
    kinds = {device.kind for device in definition.devices if isinstance(device, Controller)}
    for default in defaults:
        if default.tag != "controller" or default.attributes["type"] not in kinds:
            yield default


def _os_element(os: OperatingSystem) -> Element:
    return element(
        "os",
        None,
        text_element("type", "hvm", {"arch": os.arch, "machine": os.machine}),
        text_element("kernel", os.kernel),
        text_element("initrd", os.initrd),
        text_element("cmdline", os.cmdline),
        *written_defaults("/domain/os"),
    )


def read_title(reader: Reader) -> str | None:
    """The title, which is one line."""
    title = reader.child_text("title")
    if title is not None and "\n" in title:
        raise reader.required_child("title").wrong("a title must not contain newlines")
    return title


def _metadata_element(definition: DomainDefinition) -> Element | None:
    if not definition.metadata:
        return None
    return Element("metadata", verbatim=tuple(one.xml for one in definition.metadata))


def _read_name(reader: Reader) -> str:
    name = reader.text
    if not name.strip():
        raise reader.wrong("a domain's name must not be empty")
    if "/" in name or "\n" in name or name in (".", ".."):
        raise reader.wrong(f"name {quoted(name)} must be a file name on one line, without '/'")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise reader.wrong(f"name {quoted(name)} is longer than {MAX_NAME_BYTES} bytes")
    return name


def _read_uuid(reader: Reader | None) -> uuid.UUID | None:
    if reader is None:
        return None
    text = reader.text.strip()
    if _UUID.fullmatch(text) is None:
        raise reader.wrong(f"malformed UUID {quoted(text)}")
    return uuid.UUID(text)


def _read_os(reader: Reader) -> OperatingSystem:
    type_ = reader.required_child("type")
    if type_.text.strip() != "hvm":
        raise type_.unsupported(f"{quoted(type_.text.strip())} is not supported, expected 'hvm'")
    arch = type_.choice("arch", "x86_64", default="x86_64")
    machine = type_.attribute("machine") or "q35"
    if _MACHINE.fullmatch(machine) is None:
        raise type_.unsupported(
            f"machine {quoted(machine)} is not supported, expected 'q35' or 'pc-q35-VERSION'",
            attribute="machine",
        )
    kernel = _read_path(reader, "kernel")
    initrd = _read_path(reader, "initrd")
    cmdline = reader.child_text("cmdline")
    if kernel is None and (initrd is not None or cmdline is not None):
        raise reader.wrong("<initrd> and <cmdline> need a <kernel>")
    return OperatingSystem(
        machine=machine, arch=arch, kernel=kernel, initrd=initrd, cmdline=cmdline
    )


def _read_path(reader: Reader, tag: str) -> str | None:
    path = reader.child_text(tag)
    return None if path is None else checked_path(reader.required_child(tag), path)


def _read_devices(
    reader: Reader | None, *, keep_aliases: bool
) -> tuple[str | None, tuple[Device, ...]]:
    """The emulator and all devices, in document order."""
    if reader is None:
        return None, ()
    emulator = _read_path(reader, "emulator")
    devices: list[Device] = []
    consoles: list[Reader] = []
    sounds: list[Reader] = []
    for child in reader.children:
        if child.tag == "audio":
            sounds.append(child.take())
            continue
        if child.tag in ("emulator", "panic") or child.is_default:
            continue
        if child.tag == "console" and not _is_virtio(child):
            consoles.append(child.take())
            continue
        devices.append(read_device(child.take(), keep_aliases=keep_aliases))
    for console in consoles:
        _check_console(console, devices, keep_aliases=keep_aliases)
    for sound in sounds:
        _check_audio(sound, devices)
    return emulator, tuple(devices)


def _read_panic(reader: Reader | None) -> Panic | None:
    """It is written as a device, and neither comes nor goes on its own."""
    children = () if reader is None else reader.children
    found = [child.take() for child in children if child.tag == "panic"]
    if len(found) > 1:
        raise found[1].wrong("Multiple panic devices with model 'isa'")
    if not found:
        return None
    read_alias(found[0], keep=False)
    return read_panic(found[0])


def _is_virtio(console: Reader) -> bool:
    """Whether a ``<console>`` is a device of its own."""
    targets = [child for child in console.element.children if child.tag == "target"]
    return bool(targets) and targets[0].attributes.get("type") == "virtio"


def _check_audio(audio: Reader, devices: list[Device]) -> None:
    """Accepts the ``<audio>`` that libvirt adds by itself: who listens to spice hears the guest."""
    audio.choice("id", "1")
    audio.choice("type", _listener(devices))


def _listener(devices: Iterable[Device]) -> str:
    servers = (device for device in devices if isinstance(device, Graphics))
    return "spice" if any(server.kind == "spice" for server in servers) else "none"


def _check_console(console: Reader, devices: list[Device], *, keep_aliases: bool) -> None:
    """Accepts a ``<console>`` that is the first serial port over again, as libvirt adds it."""
    source = read_character_source(console)
    alias = read_alias(console, keep=keep_aliases)
    target = console.child("target")
    if target is not None:
        target.choice("type", "serial", default="serial")
        target.integer("port", default=0, maximum=0)
    repeated = next(
        (device for device in devices if isinstance(device, Serial) and not device.port), None
    )
    if repeated is None or repeated.source != source or alias not in (None, repeated.alias):
        raise console.unsupported("only a console that repeats <serial> port 0 is supported")
