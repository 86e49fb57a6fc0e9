"""Requests of a machine without a guest: what can be changed of its devices, and what is refused.

What is on USB, SCSI and virtio-serial comes and goes without a guest's help.
"""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.requests import DOMAIN, Request, Row, calls, device_rows

LIVE, CONFIG, CURRENT = Impact.LIVE, Impact.CONFIG, Impact.CURRENT

MISSING = "<source file='/nowhere/disc'%s/>"
NET = """<interface type='user'><mac address='52:54:00:00:00:0a'/>
    <model type='virtio'/>%s</interface>"""
DISK = """<disk type='file' device='disk'%s><driver name='qemu' type='raw'/>
    <source file='IMAGE'/><target dev='vda' bus='virtio'/>%s</disk>"""
DRIVE = """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>%s
    <target dev='sde' bus='scsi'/>%s</disk>"""

MACHINE = f"""
<domain type='qemu'>
  <name>{DOMAIN}</name>
  <uuid>5f6a7b80-9000-4000-8000-000000000001</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
    {"".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 10))}
    <controller type='pci' index='10' model='pcie-root-port'><target hotplug='off'/></controller>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='virtio-serial' index='0'/>
    {DISK % ("", "")}
    {DRIVE % ("", "<readonly/>")}
    {NET % ""}
    <memballoon model='none'/>
  </devices>
</domain>"""

_INTERFACE: tuple[Row, ...] = tuple(
    (f"update interface: {name}", "update", xml, LIVE)
    for name, xml in (
        ("nothing", NET % ""),
        ("link down", NET % "<link state='down'/>"),
        ("link down again", NET % "<link state='down'/>"),
        ("link up", NET % "<link state='up'/>"),
        ("no MAC", NET.replace("<mac address='52:54:00:00:00:0a'/>", "") % "<link state='up'/>"),
        ("model", NET.replace("virtio", "e1000e") % ""),
        ("driver", NET % "<driver name='qemu' queues='2'/>"),
        ("type ethernet", NET.replace("'user'", "'ethernet'") % "<target dev='t9' managed='no'/>"),
        ("type bridge", NET.replace("'user'", "'bridge'") % "<source bridge='nobridge9'/>"),
        ("type hostdev", NET.replace("'user'", "'hostdev'").replace("<model type='virtio'/>", "")
         % "<source><address type='pci' domain='0' bus='0x7f' slot='0x1f' function='7'/></source>"),
        ("address", NET % "<address type='pci' domain='0' bus='9' slot='0' function='0'/>"),
        ("alias", NET % "<alias name='ua-other'/>"),
        ("rom bar", NET % "<rom bar='off'/>"),
        ("rom file", NET % "<rom file='/tmp/rom'/>"),
        ("boot order", NET % "<boot order='1'/>"),
        ("mtu", NET % "<mtu size='1400'/>"),
        ("tune", NET % "<tune><sndbuf>1600</sndbuf></tune>"),
        ("script", NET % "<script path='/bin/true'/>"),
        ("target", NET % "<target dev='tap9'/>"),
        ("guest device", NET % "<guest dev='eth9'/>"),
        ("vlan", NET % "<vlan><tag id='42'/></vlan>"),
        ("filter", NET % "<filterref filter='nobody'/>"),
        ("bandwidth", NET % "<bandwidth><inbound average='1000'/></bandwidth>"),
        ("coalesce", NET % "<coalesce><rx><frames max='7'/></rx></coalesce>"),
        ("teaming", NET % "<teaming type='persistent'/>"),
        ("isolated port", NET % "<port isolated='yes'/>"),
        ("address of the guest", NET % "<ip address='10.0.2.9' family='ipv4' prefix='24'/>"),
        ("virtio options", NET % "<driver ats='on'/>"),
    )
)  # fmt: skip

_DISKS: tuple[Row, ...] = tuple(
    (f"update disk: {name}", "update", xml, LIVE)
    for name, xml in (
        ("nothing", DISK % ("", "")),
        ("snapshot", DISK % (" snapshot='no'", "")),
        ("source", DISK.replace("IMAGE", "MEDIUM") % ("", "")),
        ("startup policy", DISK.replace("'IMAGE'", "'IMAGE' startupPolicy='optional'") % ("", "")),
        ("bus", DISK.replace("'virtio'", "'scsi'") % ("", "")),
        ("readonly", DISK % ("", "<readonly/>")),
        ("shareable", DISK % ("", "<shareable/>")),
        ("serial number", DISK % ("", "<serial>one</serial>")),
        ("format", DISK.replace("'raw'", "'qcow2'") % ("", "")),
        ("cache", DISK.replace("type='raw'", "type='raw' cache='none'") % ("", "")),
        ("error policy",
         DISK.replace("type='raw'", "type='raw' error_policy='ignore'") % ("", "")),
        ("throttling", DISK % ("", "<iotune><total_iops_sec>100</total_iops_sec></iotune>")),
        ("drive into disk", DRIVE.replace("'cdrom'", "'disk'") % ("<source file='IMAGE'/>", "")),
        ("drive writable", DRIVE % ("", "")),
        ("drive, medium that is missing", DRIVE % (MISSING % "", "<readonly/>")),
        ("drive, optional medium that is missing",
         DRIVE % (MISSING % " startupPolicy='optional'", "<readonly/>")),
        ("drive, optional medium",
         DRIVE % ("<source file='IMAGE' startupPolicy='optional'/>", "<readonly/>")),
        ("drive, startup policy",
         DRIVE % ("<source file='IMAGE' startupPolicy='requisite'/>", "<readonly/>")),
        ("drive ejected", DRIVE % ("", "<readonly/>")),
    )
)  # fmt: skip

CONSOLE = "<console type='null'><target type='virtio' port='1'/></console>"
FORWARD = """<channel type='unix'><source mode='bind' path='SOCKET'/>
    <target type='guestfwd' address='10.0.2.100' port='%s'/></channel>"""
LEASE = """<lease><lockspace>room</lockspace><key>%s</key>
    <target path='IMAGE' offset='0'/></lease>"""
CHANNEL = "<channel type='null'><target type='virtio' name='org.pyvirt.%s'/>%s</channel>"
VSOCK = "<vsock model='virtio'><cid auto='no' address='9'/></vsock>"
TABLET = "<input type='tablet' bus='usb'/>"
NULL_SERIAL = "<serial type='null'><target type='%s'/></serial>"
UNIT_3 = "<address type='drive' controller='0' bus='0' target='0' unit='%s'/>"
VIRTIOFS = """<filesystem type='mount'><driver type='virtiofs'/><source socket='SOCKET'/>
    <target dir='share'/></filesystem>"""
TCP_REDIRECTION = """<redirdev bus='usb' type='tcp'>
    <source mode='bind' host='127.0.0.1' service='0'/></redirdev>"""
RNG_AT = """<rng model='virtio'><backend model='random'>/dev/urandom</backend>
    <address type='pci' domain='0' bus='%s' slot='0' function='0'/></rng>"""
STICK = """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
    <source file='MEDIUM'/><target dev='%s' bus='%s'/>%s</disk>"""

_OTHERS: tuple[Row, ...] = (
    ("attach console", "attach", CONSOLE, LIVE),
    ("attach a console at the same port", "attach", CONSOLE, LIVE),
    ("detach console", "detach", CONSOLE, LIVE),
    ("detach console again", "detach", CONSOLE, LIVE),
    ("attach a first console of another kind", "attach",
     "<console type='null'><target type='serial' port='0'/></console>", LIVE),
    ("attach forwarded address", "attach", FORWARD % "80", LIVE),
    ("attach the same forwarded address", "attach", FORWARD % "80", LIVE),
    ("detach forwarded address", "detach", FORWARD % "80", LIVE),
    ("detach an unknown forwarded address", "detach", FORWARD % "81", LIVE),
    ("attach lease", "attach", LEASE % "one", LIVE),
    ("attach the same lease", "attach", LEASE % "one", LIVE),
    ("detach lease", "detach", LEASE % "one", LIVE),
    ("detach lease again", "detach", LEASE % "one", LIVE),
    ("attach lease without a key", "attach", "<lease><target path='IMAGE'/></lease>", LIVE),
    ("attach vsock", "attach", VSOCK, LIVE),
    ("attach vsock without a number", "attach", "<vsock model='virtio'/>", LIVE),
    ("attach vsock with a wrong number", "attach",
     "<vsock model='virtio'><cid auto='no' address='2'/></vsock>", LIVE),
    ("detach an unknown vsock", "detach", VSOCK, LIVE),
    ("detach an unknown vsock in the definition", "detach", VSOCK, CONFIG),
    ("update an unknown vsock", "update", VSOCK, LIVE),
    ("attach channel with an alias", "attach", CHANNEL % ("a", "<alias name='ua-a'/>"), LIVE),
    ("attach channel of the same name", "attach", CHANNEL % ("a", ""), LIVE),
    ("attach channel of the same alias", "attach", CHANNEL % ("b", "<alias name='ua-a'/>"), LIVE),
    ("attach channel with a strange alias", "attach", CHANNEL % ("c", "<alias name='mine'/>"),
     LIVE),
    ("detach it by alias in the definition", "detach-alias", "channel0", CONFIG),
    ("detach channel by its alias", "detach-alias", "ua-a", LIVE),
    ("attach channel at a port", "attach",
     CHANNEL % ("d", "<address type='virtio-serial' controller='0' bus='0' port='7'/>"), LIVE),
    ("attach channel at the same port", "attach",
     CHANNEL % ("e", "<address type='virtio-serial' controller='0' bus='0' port='7'/>"), LIVE),
    ("attach channel at another controller", "attach",
     CHANNEL % ("f", "<address type='virtio-serial' controller='3' bus='0' port='1'/>"), LIVE),
    ("detach channel by its description", "detach", CHANNEL % ("d", ""), LIVE),
    ("attach tablet in both", "attach", TABLET, LIVE | CONFIG),
    ("detach tablet by alias in both", "detach-alias", "input0", LIVE | CONFIG),
    ("detach tablet in both", "detach", TABLET, LIVE | CONFIG),
    ("attach tablet live only", "attach", TABLET, LIVE),
    ("detach tablet in both, which only runs", "detach", TABLET, LIVE | CONFIG),
    ("detach tablet that only runs", "detach", TABLET, LIVE),
    ("attach tablet to the definition only", "attach", TABLET, CONFIG),
    ("detach tablet in both, which is only defined", "detach", TABLET, LIVE | CONFIG),
    ("detach tablet from the definition", "detach", TABLET, CONFIG),
    ("attach usb serial port", "attach", NULL_SERIAL % "usb-serial", LIVE),
    ("attach another usb serial port", "attach", NULL_SERIAL % "usb-serial", LIVE),
    ("detach the first", "detach-alias", "serial0", LIVE),
    ("detach the second", "detach-alias", "serial1", LIVE),
    ("attach scsi disk at a place", "attach", STICK % ("sda", "scsi", UNIT_3 % 3), LIVE),
    ("attach scsi disk at the same place", "attach", STICK % ("sdb", "scsi", UNIT_3 % 3), LIVE),
    ("detach scsi disk by target alone", "detach", STICK % ("sda", "scsi", ""), LIVE),
    ("attach disk whose file is missing", "attach",
     STICK.replace("MEDIUM", "/nowhere/image") % ("sda", "scsi", ""), LIVE),
    ("attach optional disk whose file is missing", "attach",
     STICK.replace("'MEDIUM'", "'/nowhere/image' startupPolicy='optional'") % ("sda", "scsi", ""),
     LIVE),
    ("attach disk of a broken image", "attach",
     STICK.replace("raw", "qcow2") % ("sda", "scsi", ""), LIVE),
    ("attach disk with a strange bus", "attach", STICK % ("sda", "moon", ""), LIVE),
    ("attach disk with a strange name", "attach", STICK % ("xyz", "scsi", ""), LIVE),
    ("attach disk behind a fixed port", "attach", STICK % (
        "vdb", "virtio", "<address type='pci' domain='0' bus='10' slot='0' function='0'/>"), LIVE),
    ("attach disk where another is", "attach", STICK % (
        "vdb", "virtio", "<address type='pci' domain='0' bus='1' slot='0' function='0'/>"), LIVE),
    ("attach disk on a bus that is missing", "attach", STICK % (
        "vdb", "virtio", "<address type='pci' domain='0' bus='77' slot='0' function='0'/>"), LIVE),
    ("attach scsi controller that is there", "attach",
     "<controller type='scsi' index='0' model='virtio-scsi'/>", LIVE),
    ("attach disk of the name vda", "attach", STICK % ("vda", "virtio", ""), LIVE),
    ("attach disk of the name vda to the definition", "attach", STICK % ("vda", "virtio", ""),
     CONFIG),
    ("attach disk of the name vda to both", "attach", STICK % ("vda", "virtio", ""),
     LIVE | CONFIG),
    ("update disk in both", "update", DISK.replace("IMAGE", "MEDIUM") % ("", ""), LIVE | CONFIG),
    ("attach virtiofs", "attach",
     VIRTIOFS, LIVE),
    ("attach 9p", "attach",
     "<filesystem type='mount'><source dir='/tmp'/><target dir='share'/></filesystem>", LIVE),
    ("detach an unknown virtiofs", "detach",
     VIRTIOFS, LIVE),
    ("detach an unknown virtiofs in the definition", "detach",
     VIRTIOFS, CONFIG),
    ("attach redirection by tcp", "attach",
     TCP_REDIRECTION, LIVE),
    ("detach redirection by tcp", "detach",
     TCP_REDIRECTION, LIVE),
    ("attach shmem with a server", "attach",
     "<shmem name='NAME'><model type='ivshmem-doorbell'/><server path='SOCKET'/></shmem>", LIVE),
    ("attach a second scsi controller", "attach",
     "<controller type='scsi' index='1' model='virtio-scsi'/>", LIVE),
    ("attach rng in both behind a fixed port", "attach",
     RNG_AT % 10, LIVE | CONFIG),
)  # fmt: skip

# No machine has these: nothing is ever detached from a host's driver here.
_HOST_DEVICES = {
    "pci": "<source><address domain='0' bus='0x7f' slot='0x1f' function='7'/></source>",
    "usb": "<source><vendor id='0xdead'/><product id='0xbeef'/></source>",
    "scsi": """<source><adapter name='scsi_host99'/>
        <address bus='0' target='9' unit='9'/></source>""",
    "scsi_host": "<source protocol='vhost' wwpn='naa.5123456789abcde0'/>",
    "mdev": "<source><address uuid='00000000-dead-beef-0000-000000000001'/></source>",
}


def _host_devices() -> list[Row]:
    rows: list[Row] = []
    for kind, source in _HOST_DEVICES.items():
        model = " model='vfio-pci'" if kind == "mdev" else ""
        xml = f"<hostdev mode='subsystem' type='{kind}'{model}>{source}</hostdev>"
        rows += [
            (f"attach {kind} device of the host", "attach", xml, LIVE),
            (f"attach managed {kind} device of the host", "attach",
             xml.replace("'subsystem'", "'subsystem' managed='yes'"), LIVE),
            (f"detach an unknown {kind} device of the host", "detach", xml, LIVE),
            (f"detach an unknown {kind} device of the host in the definition", "detach", xml,
             CONFIG),
            (f"update {kind} device of the host", "update", xml, LIVE),
        ]  # fmt: skip
    rows.append(
        ("attach a host device of capabilities", "attach",
         "<hostdev mode='capabilities' type='misc'><source><char>/dev/x</char></source></hostdev>",
         LIVE),
    )  # fmt: skip
    return rows


def bare_requests(_guest: Guest) -> list[Request]:
    """Devices of a machine whose processors stand still."""
    rows = [*_INTERFACE, *_DISKS, *_OTHERS, *_host_devices()]
    return [
        # Paused: its firmware resets the drives, sooner or later, and that closes their trays.
        *calls(
            ("define a bare machine", "define", MACHINE),
            ("start the bare machine", "start-paused"),
        ),
        *device_rows(rows, settle=False),
        *calls(("destroy the bare machine", "destroy"), ("undefine the bare machine", "undefine")),
    ]
