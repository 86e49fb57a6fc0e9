"""``python -m pyvirt_sim.device_table``: the page about what can be done with each device type.

What libvirt answers is written down here, from its 9.0.0 switch statements; what this library
answers is asked of its own code, with one device of each type.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

from pyvirt_trio.driver import live_update
from pyvirt_trio.driver.fixed_types import refuse_fixed_type
from pyvirt_trio.driver.modification import require_updatable
from pyvirt_trio.driver.pluggable import require_pluggable, require_unpluggable
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.models import Device, DomainDefinition, Impact
from pyvirt_trio.xml.devices import device_of, parse_description

CALLS: Final = ("attach", "detach", "update")
IMPACTS: Final = (Impact.LIVE, Impact.CONFIG)
Cell: TypeAlias = tuple[str, Impact]

GUEST: Final = "booted guest"
NESTED: Final = "nested kernel"
REAL: Final = "real QEMU"
SIMULATED: Final = "simulated"

# attach, detach and update of the running machine, then of the definition.
_ALL: Final = "yyyyyy"
_NO_UPDATE: Final = "yynyyn"
_NOT_RUNNING: Final = "yynyyy"
_DEFINITION_ONLY: Final = "nnnyyn"
_FIXED_UPDATE: Final = "nnyyyy"
_NEVER: Final = "nnnnnn"


@attrs.frozen
class Row:
    """One device type.

    Args:
        name: What people call it.
        xml: One such device.
        libvirt: Its answers, one letter for each cell: ``y`` or ``n``.
        proof: On what it was seen to come and go here; empty for what does neither.
        note: What a reader should know beside the answers.
    """

    name: str
    xml: str
    libvirt: str
    proof: str = ""
    note: str = ""


def _disk(bus: str, target: str, kind: str = "disk") -> str:
    source = "" if kind == "cdrom" else "<source file='/d'/>"
    return f"<disk type='file' device='{kind}'>{source}<target dev='{target}' bus='{bus}'/></disk>"


def _card(kind: str, source: str = "") -> str:
    mac = "<mac address='52:54:00:00:00:01'/>"
    return f"<interface type='{kind}'>{mac}{source}<model type='virtio'/></interface>"


def _memory(model: str, target: str = "<node>0</node>", more: str = "") -> str:
    size = "<size unit='MiB'>128</size>"
    return f"<memory model='{model}'{more}<target>{size}{target}</target></memory>"


def _port(tag: str, target: str) -> str:
    return f"<{tag} type='null'>{target}</{tag}>"


def _host(kind: str, source: str) -> str:
    return f"<hostdev mode='subsystem' type='{kind}'><source>{source}</source></hostdev>"


_PATH: Final = "><source><path>/p</path></source>"
_PLACE: Final = "<address domain='0' bus='1' slot='0' function='0'/>"
_PCI_PLACE: Final = "<address type='pci' domain='0' bus='1' slot='0' function='0'/>"
_VIRTIO_MEM: Final = "<node>0</node><block unit='MiB'>2</block><requested>0</requested>"
_UPDATE: Final = "update of the running one: what starts and snapshots do with it"
_STAYS: Final = "QEMU 7.2 does not let it go: the request fails with QEMU's words"
_GUEST_FORWARD: Final = "<target type='guestfwd' address='10.0.2.1' port='4600'/>"
_OUR_UUID: Final = "6a0b7f6c-3b0e-4c5e-9f0e-3d9b7a3f1c11"

ROWS: Final = (
    Row(
        "disk, virtio",
        _disk("virtio", "vda"),
        _ALL,
        GUEST,
        _UPDATE,
    ),
    Row(
        "disk, SCSI",
        _disk("scsi", "sda"),
        _ALL,
        GUEST,
        _UPDATE,
    ),
    Row(
        "disk, USB",
        _disk("usb", "sda"),
        _ALL,
        GUEST,
        _UPDATE,
    ),
    Row(
        "disk, SATA",
        _disk("sata", "sda"),
        _FIXED_UPDATE,
        REAL,
        f"the board's SATA has no hotplug; {_UPDATE}",
    ),
    Row("CD-ROM drive, SCSI", _disk("scsi", "sda", "cdrom"), _ALL, GUEST, "update: the medium"),
    Row(
        "CD-ROM drive, USB",
        _disk("usb", "sda", "cdrom").replace("<target", "<source file='/d'/><target"),
        _ALL,
        REAL,
        "QEMU has no such drive, so it is a disk whose medium stays: QEMU says so",
    ),
    Row(
        "CD-ROM drive, SATA",
        _disk("sata", "sda", "cdrom"),
        _FIXED_UPDATE,
        REAL,
        "the board's SATA has no hotplug; update: the medium",
    ),
    Row("interface, user", _card("user"), _ALL, GUEST, "update: the link's state"),
    Row(
        "interface, tap",
        _card("ethernet", "<target dev='tap0' managed='no'/>"),
        _ALL,
        SIMULATED,
        "a test touches no network; update: the link's state",
    ),
    Row(
        "interface, bridge",
        _card("bridge", "<source bridge='br0'/>"),
        _ALL,
        SIMULATED,
        "a test touches no network; update: the link's state",
    ),
    Row(
        "interface, vhost-user",
        _card("vhostuser", "<source type='unix' path='/s' mode='client'/>"),
        _ALL,
        SIMULATED,
        "needs a switch in another process; update: the link's state",
    ),
    Row("hostdev, PCI", _host("pci", _PLACE), _NO_UPDATE, NESTED),
    Row(
        "hostdev, USB",
        _host("usb", "<vendor id='1'/><product id='2'/>"),
        _NO_UPDATE,
        SIMULATED,
        "no such hardware",
    ),
    Row(
        "hostdev, SCSI",
        _host("scsi", "<adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>"),
        _NO_UPDATE,
        SIMULATED,
        "no such hardware",
    ),
    Row(
        "hostdev, mediated",
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
        f"<source><address uuid='{_OUR_UUID}'/></source></hostdev>",
        _NO_UPDATE,
        SIMULATED,
        "no such hardware",
    ),
    Row(
        "hostdev, SCSI target",
        _host("scsi_host", "").replace(
            "<source></source>", "<source protocol='vhost' wwpn='naa.5123456789abcde0'/>"
        ),
        _NO_UPDATE,
        SIMULATED,
        "no such hardware",
    ),
    Row(
        "interface, hostdev",
        f"<interface type='hostdev'><source>{_PCI_PLACE}</source></interface>",
        _NO_UPDATE,
        SIMULATED,
        "no card with virtual functions",
    ),
    Row("controller, SCSI", "<controller type='scsi' model='virtio-scsi'/>", _NO_UPDATE, GUEST),
    Row("controller, other", "<controller type='usb' model='qemu-xhci'/>", _DEFINITION_ONLY),
    Row("serial, USB", _port("serial", "<target type='usb-serial'/>"), _NO_UPDATE, GUEST),
    Row("serial, PCI", _port("serial", "<target type='pci-serial'/>"), _NO_UPDATE, GUEST),
    Row("serial, ISA", _port("serial", ""), _DEFINITION_ONLY, "", "QEMU's ISA bus has no hotplug"),
    Row("parallel", _port("parallel", ""), _DEFINITION_ONLY, "", "QEMU's ISA bus has no hotplug"),
    Row("console, virtio", _port("console", "<target type='virtio'/>"), _NO_UPDATE, GUEST),
    Row("channel, virtio", _port("channel", "<target type='virtio'/>"), _NO_UPDATE, GUEST),
    Row("channel, guestfwd", _port("channel", _GUEST_FORWARD), _NO_UPDATE, GUEST),
    Row("rng", "<rng model='virtio'><backend model='random'/></rng>", _NO_UPDATE, GUEST),
    Row("memory, dimm", _memory("dimm", more=">"), _NOT_RUNNING, GUEST),
    Row("memory, nvdimm", _memory("nvdimm", more=_PATH), _NOT_RUNNING, GUEST, _STAYS),
    Row(
        "memory, virtio-mem",
        _memory("virtio-mem", _VIRTIO_MEM, ">"),
        _ALL,
        GUEST,
        f"update: the requested size; {_STAYS}",
    ),
    Row(
        "memory, virtio-pmem",
        _memory("virtio-pmem", "", " access='shared'" + _PATH),
        _NOT_RUNNING,
        GUEST,
        _STAYS,
    ),
    Row("shmem, plain", "<shmem name='n'><model type='ivshmem-plain'/></shmem>", _NO_UPDATE, GUEST),
    Row(
        "shmem, doorbell",
        "<shmem name='n'><model type='ivshmem-doorbell'/><server path='/s'/></shmem>",
        _NO_UPDATE,
        REAL,
    ),
    Row(
        "redirdev",
        "<redirdev type='unix'><source mode='bind' path='/s'/></redirdev>",
        _NO_UPDATE,
        GUEST,
    ),
    Row("watchdog, PCI", "<watchdog model='i6300esb'/>", _NO_UPDATE, GUEST),
    Row("watchdog, ISA", "<watchdog model='ib700'/>", _DEFINITION_ONLY, REAL),
    Row("input, USB", "<input type='tablet' bus='usb'/>", _NO_UPDATE, GUEST),
    Row("input, virtio", "<input type='tablet' bus='virtio'/>", _NO_UPDATE, GUEST),
    Row(
        "vsock",
        "<vsock><cid auto='yes'/></vsock>",
        _NO_UPDATE,
        SIMULATED,
        "needs /dev/vhost-vsock",
    ),
    Row(
        "filesystem, virtiofs",
        "<filesystem type='mount'><driver type='virtiofs'/><source dir='/s'/>"
        "<target dir='t'/></filesystem>",
        _NO_UPDATE,
        GUEST,
        "a folder, or the socket of a virtiofsd that somebody else runs",
    ),
    Row(
        "lease",
        "<lease><key>k</key><target path='/l'/></lease>",
        _NO_UPDATE,
        GUEST,
        "nothing is announced",
    ),
    *(
        Row(
            f"graphics, {kind}",
            f"<graphics type='{kind}'/>",
            "nnynny",
            REAL,
            "update: the password",
        )
        for kind in ("vnc", "spice")
    ),
    Row("sound", "<sound model='ich9'/>", _DEFINITION_ONLY, REAL),
    Row("video", "<video><model type='virtio'/></video>", _NEVER, REAL),
    *(Row(tag, f"<{tag}/>", _NEVER) for tag in ("hub", "smartcard", "memballoon")),
    *(Row(tag, f"<{tag}/>", _NEVER) for tag in ("nvram", "tpm", "panic", "iommu", "audio")),
)


def ours(row: Row, call: str, impact: Impact) -> bool:
    """Whether this library does that with such a device."""
    try:
        root = parse_description(row.xml)
        refuse_fixed_type(root, call, impact)
        _refuse(device_of(root), call, impact)
    except PyvirtError:
        return False
    return True


def _refuse(device: Device, call: str, impact: Impact) -> None:
    machine = DomainDefinition(name="n", uuid=uuid.UUID(int=1), memory_kib=1 << 20)
    if call == "update":
        require_updatable(device, impact)
        change = live_update.merged if Impact.LIVE in impact else live_update.replaced
        change(device, device)
    elif Impact.LIVE in impact:
        check = require_pluggable if call == "attach" else require_unpluggable
        check(machine, device)


def cells() -> Iterator[tuple[Row, str, Impact, bool, bool]]:
    """Every cell of the table: libvirt's answer, and ours."""
    for row in ROWS:
        columns = [(call, impact) for impact in IMPACTS for call in CALLS]
        for (call, impact), letter in zip(columns, row.libvirt, strict=True):
            yield row, call, impact, letter == "y", ours(row, call, impact)


_PAGE: Final = """\
# What can be done with each device

This page is written by `python -m pyvirt_sim.device_table`. In each cell stand libvirt 9.0's answer
and ours: what a running machine can be given, lose and have changed, and what can be done to the
definition that the next start uses.

**Seen on** says where a test lets such a device come and go: on a booted Linux under a real QEMU,
on the kernel of a nested guest, on a real QEMU without a guest, or, where nobody here has the
hardware, on the simulated machine
only.

{table}

{short}

A virtual processor is not in the table: it is no device of the definition's, and has calls of its
own (`Domain.set_vcpus`, `set_vcpu`, `set_max_vcpus`). In a running machine it is called `vcpuN`,
can be plugged in and, where it was plugged in, unplugged; in the definition it can be added and
taken out. So it is with libvirt; [Virtual processors](../explanation/processors.md) says where they
differ.
"""


def page() -> str:
    """The whole page."""
    return _PAGE.format(table="\n".join(_lines()), short=_short())


def _lines() -> Iterator[str]:
    titles = [
        f"{call}, {'running' if impact is Impact.LIVE else 'definition'}"
        for impact in IMPACTS
        for call in CALLS
    ]
    yield f"| device | {' | '.join(titles)} | seen on | remarks |"
    yield "|---" * (len(titles) + 3) + "|"
    words: dict[str, list[str]] = {}
    for row, _, _, theirs, mine in cells():
        words.setdefault(row.name, []).append(f"{_word(theirs)} / {_word(mine)}")
    for row in ROWS:
        yield f"| {row.name} | {' | '.join(words[row.name])} | {row.proof} | {row.note} |"


def _word(is_done: bool) -> str:
    return "yes" if is_done else "no"


def _short() -> str:
    missing = [
        f"{call} {row.name} ({'running' if impact is Impact.LIVE else 'definition'})"
        for row, call, impact, theirs, mine in cells()
        if theirs and not mine
    ]
    return f"Where libvirt works and this library does not: {', '.join(missing) or 'nowhere'}."


if __name__ == "__main__":
    sys.stdout.write(page())
