"""Requests about devices that come and go with the whole definition, or cannot come as they are."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.bare import MACHINE
from tests.conformance.libvirt.requests import Request, Row, calls, device_rows

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG

_FIXED = {
    "sound": "<sound model='ich9'/>",
    "old sound": "<sound model='ac97'/>",
    "video": "<video><model type='virtio'/></video>",
    "audio": "<audio id='7' type='none'/>",
    "hub": "<hub type='usb'/>",
    "emulated tpm": "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>",
    "tpm of the host": """<tpm model='tpm-tis'>
        <backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>""",
    "panic by isa": "<panic model='isa'/>",
    "panic by hyperv": "<panic model='hyperv'/>",
    "iommu": "<iommu model='intel'/>",
    "balloon": "<memballoon model='virtio'/>",
    "no balloon": "<memballoon model='none'/>",
    "smartcard": "<smartcard mode='host'/>",
    "watchdog": "<watchdog model='i6300esb' action='pause'/>",
    "isa watchdog": "<watchdog model='ib700' action='pause'/>",
    "ps2 keyboard": "<input type='keyboard' bus='ps2'/>",
    "input of the host": """<input type='passthrough' bus='virtio'>
        <source evdev='/dev/input/nothing'/></input>""",
    "9p": "<filesystem type='mount'><source dir='/tmp'/><target dir='share'/></filesystem>",
    "filesystem of a block device": """<filesystem type='block'>
        <source dev='/dev/nothing'/><target dir='share'/></filesystem>""",
    "shmem of a server": """<shmem name='NAME'>
        <model type='ivshmem-doorbell'/><server path='SOCKET'/></shmem>""",
    "redirection by a screen": "<redirdev bus='usb' type='spicevmc'/>",
    "parallel port": "<parallel type='null'><target port='0'/></parallel>",
    "memory without a node": """<memory model='dimm'>
        <target><size unit='MiB'>128</size></target></memory>""",
}

# What cannot be read, whatever is to be done with it.
_WRONG = {
    "shmem of an odd size": """<shmem name='NAME'><model type='ivshmem-plain'/>
        <size unit='KiB'>100</size></shmem>""",
    "watchdog of the board": "<watchdog model='itco' action='pause'/>",
    "vsock with too great a number": """<vsock model='virtio'>
        <cid auto='no' address='4294967295'/></vsock>""",
    "unknown sound": "<sound model='drum'/>",
    "unknown video": "<video><model type='lamp'/></video>",
    "unknown audio": "<audio id='7' type='gramophone'/>",
    "unknown hub": "<hub type='wheel'/>",
    "tpm without a backend": "<tpm model='tpm-tis'/>",
    "nvram": "<nvram><address type='spapr-vio' reg='0x3000'/></nvram>",
    "unknown watchdog": "<watchdog model='cat' action='pause'/>",
    "watchdog of an unknown action": "<watchdog model='i6300esb' action='bark'/>",
    "unknown input": "<input type='piano' bus='usb'/>",
    "input on an unknown bus": "<input type='mouse' bus='adb'/>",
    "filesystem without a target": "<filesystem type='mount'><source dir='/tmp'/></filesystem>",
    "shmem without a name": "<shmem><model type='ivshmem-plain'/></shmem>",
    "redirection on an unknown bus": "<redirdev bus='moon' type='spicevmc'/>",
    "vsock of a strange model": "<vsock model='virtio-mmio'><cid auto='yes'/></vsock>",
    "lease without a place": "<lease><lockspace>a</lockspace><key>b</key></lease>",
    "crypto": "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>",
}


def _each() -> list[Row]:
    rows: list[Row] = []
    for name, xml in _FIXED.items():
        for call in ("attach", "update", "detach"):
            rows += [
                (f"fixed: {call} {name}", call, xml, LIVE),
                (f"fixed: {call} {name} in the definition", call, xml, CONFIG),
            ]
    rows += [(f"fixed: attach {name}", "attach", xml, LIVE) for name, xml in _WRONG.items()]
    # It comes only here, and would not go without a guest; there is one in "devices".
    return [row for row in rows if row[0] != "fixed: attach watchdog"]


def fixed_requests(_guest: Guest) -> list[Request]:
    """Each to, of and from a running machine and its definition; its processors stand still."""
    return [
        *calls(("fixed: define", "define", MACHINE), ("fixed: start", "start-paused")),
        *device_rows(_each(), settle=False),
        *calls(("fixed: destroy", "destroy"), ("fixed: undefine", "undefine")),
    ]
