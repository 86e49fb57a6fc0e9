"""Requests of a domain that does not run: what its definition can get, lose and have changed."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.bare import (
    CHANNEL,
    CONSOLE,
    DISK,
    DRIVE,
    FORWARD,
    LEASE,
    MACHINE,
    MISSING,
    NET,
    NULL_SERIAL,
    RNG_AT,
    STICK,
    TABLET,
    UNIT_3,
    VSOCK,
)
from tests.conformance.libvirt.requests import Request, Row, calls

LIVE, CONFIG, CURRENT = Impact.LIVE, Impact.CONFIG, Impact.CURRENT

_TYPES = {
    "tablet": TABLET,
    "console": CONSOLE,
    "forwarded address": FORWARD % "80",
    "lease": LEASE % "one",
    "vsock": VSOCK,
    "channel": CHANNEL % ("a", ""),
    "usb serial port": NULL_SERIAL % "usb-serial",
    "isa serial port": NULL_SERIAL % "isa-serial",
    "parallel port": "<parallel type='null'><target port='0'/></parallel>",
    "scsi disk": STICK % ("sda", "scsi", ""),
    "usb disk": STICK % ("sdb", "usb", ""),
    "scsi controller": "<controller type='scsi' index='1' model='virtio-scsi'/>",
    "port": """<controller type='pci' index='11' model='pcie-root-port'>
        <model name='pcie-root-port'/></controller>""",
    "serial controller": "<controller type='virtio-serial' index='1'/>",
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "watchdog": "<watchdog model='i6300esb' action='reset'/>",
    "redirection": "<redirdev bus='usb' type='unix'><source mode='bind' path='SOCKET'/></redirdev>",
    "shmem": "<shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
    "usb device of the host": """<hostdev mode='subsystem' type='usb'>
        <source><vendor id='0xdead'/><product id='0xbeef'/></source></hostdev>""",
    "pci device of the host": """<hostdev mode='subsystem' type='pci'><source>
        <address domain='0' bus='0x7f' slot='0x1f' function='7'/></source></hostdev>""",
    "sound": "<sound model='ich9'/>",
    "virtiofs": """<filesystem type='mount'><driver type='virtiofs'/><source socket='SOCKET'/>
        <target dir='share'/></filesystem>""",
    "memory": """<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>
        </memory>""",
    "balloon": "<memballoon model='virtio'/>",
    "graphics": "<graphics type='vnc'/>",
    "video": "<video><model type='virtio'/></video>",
    "hub": "<hub type='usb'/>",
    "panic": "<panic model='isa'/>",
    "audio": "<audio id='1' type='none'/>",
    "iommu": "<iommu model='intel'/>",
    "smartcard": "<smartcard mode='host'/>",
    "ps2 mouse": "<input type='mouse' bus='ps2'/>",
}


def _each_type() -> list[Row]:
    rows: list[Row] = []
    for name, xml in _TYPES.items():
        rows += [
            (f"off: attach {name}", "attach", xml, CURRENT),
            (f"off: update {name}", "update", xml, CURRENT),
            (f"off: detach {name}", "detach", xml, CURRENT),
            (f"off: detach {name} again", "detach", xml, CURRENT),
        ]
    return rows


_UPDATES: tuple[Row, ...] = (
    ("off: update link", "update", NET % "<link state='down'/>", CONFIG),
    ("off: update interface with another model", "update", NET.replace("virtio", "e1000e") % "",
     CONFIG),
    ("off: update link back", "update", NET % "", CONFIG),
    ("off: update disk", "update", DISK.replace("IMAGE", "MEDIUM") % ("", ""), CONFIG),
    ("off: update disk back", "update", DISK % ("", ""), CONFIG),
    ("off: update disk of another bus", "update", DISK.replace("'virtio'", "'scsi'") % ("", ""),
     CONFIG),
    ("off: update disk's startup policy", "update",
     DISK.replace("'IMAGE'", "'IMAGE' startupPolicy='optional'") % ("", ""), CONFIG),
    ("off: insert medium", "update", DRIVE % ("<source file='IMAGE'/>", "<readonly/>"), CONFIG),
    ("off: insert a medium that is missing", "update",
     DRIVE % (MISSING % "", "<readonly/>"), CONFIG),
    ("off: insert an optional medium that is missing", "update",
     DRIVE % (MISSING % " startupPolicy='optional'", "<readonly/>"), CONFIG),
    ("off: start without the optional medium", "start", "", CURRENT),
    ("off: destroy it", "destroy", "", CURRENT),
    ("off: insert a requisite medium that is missing", "update",
     DRIVE % (MISSING % " startupPolicy='requisite'", "<readonly/>"), CONFIG),
    ("off: start without the requisite medium", "start", "", CURRENT),
    ("off: eject medium", "update", DRIVE % ("", "<readonly/>"), CONFIG),
    ("off: attach to what runs", "attach", TABLET, LIVE),
    ("off: attach to both", "attach", TABLET, LIVE | CONFIG),
    ("off: update what runs", "update", NET % "", LIVE),
    ("off: detach from what runs", "detach", NET % "", LIVE),
    ("off: attach interface of the same MAC", "attach", NET % "", CONFIG),
    ("off: detach one of two interfaces", "detach", NET % "", CONFIG),
    ("off: attach disk of the same name", "attach", STICK % ("vda", "virtio", ""), CONFIG),
    ("off: attach tablet with an alias", "attach",
     "<input type='tablet' bus='usb'><alias name='ua-t'/></input>", CONFIG),
    ("off: attach tablet with the same alias", "attach",
     "<input type='tablet' bus='usb'><alias name='ua-t'/></input>", CONFIG),
    ("off: detach by alias", "detach-alias", "ua-t", CONFIG),
    ("off: detach by an unknown alias", "detach-alias", "ua-u", CONFIG),
    ("off: attach rng at a place", "attach",
     RNG_AT % 9, CONFIG),
    ("off: attach rng at the same place", "attach",
     RNG_AT % 9, CONFIG),
    ("off: attach rng on a bus that is missing", "attach",
     RNG_AT % 77, CONFIG),
    ("off: attach scsi controller that is there", "attach",
     "<controller type='scsi' index='0' model='virtio-scsi'/>", CONFIG),
    ("off: attach a first lease", "attach", LEASE % "one", CONFIG),
    ("off: attach the same lease", "attach", LEASE % "one", CONFIG),
    ("off: attach a first console", "attach", CONSOLE, CONFIG),
    ("off: attach a console at the same port", "attach", CONSOLE, CONFIG),
    ("off: attach channel of a name", "attach", CHANNEL % ("x", ""), CONFIG),
    ("off: attach channel of the same name", "attach", CHANNEL % ("x", ""), CONFIG),
    ("off: attach scsi disk at a place", "attach", STICK % ("sda", "scsi", UNIT_3 % 3), CONFIG),
    ("off: attach scsi disk at the same place", "attach", STICK % ("sdb", "scsi", UNIT_3 % 3),
     CONFIG),
    ("off: detach port in use", "detach",
     "<controller type='pci' index='1' model='pcie-root-port'/>", CONFIG),
)  # fmt: skip


def inactive_requests(_guest: Guest) -> list[Request]:
    """The definition of a domain that does not run is changed."""
    return [
        *calls(("off: define", "define", MACHINE)),
        *(
            Request(name=name, call=call, argument=argument, impact=impact)
            for name, call, argument, impact in [*_each_type(), *_UPDATES]
        ),
        *calls(("off: undefine", "undefine")),
    ]
