"""Devices that requests are about which libvirt refuses, and those that the domain has."""

from __future__ import annotations

DISK = "<disk type='file'><source file='/tmp/image'/><target dev='{}'/></disk>"
SATA = """
    <disk type='file' device='{}'>
      <source file='/tmp/image'/><target dev='{}' bus='sata'/><readonly/>
    </disk>"""
FLOPPY = "<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>"
SCSI = "<controller type='scsi' index='{}' model='virtio-scsi'/>"
SOUND = "<sound model='ich9'/>"
LEASE = "<lease><lockspace>a</lockspace><key>b</key><target path='/x'/></lease>"
FOLDER = """
    <filesystem type='mount'>
      <driver type='virtiofs'/><source socket='/run/fs'/><target dir='share'/>
    </filesystem>"""
DIMM = "<memory model='dimm'><target><size unit='MiB'>{}</size>{}</target></memory>"
NODE = "<node>{}</node>"
NULL_SERIAL = "<serial type='null'><target type='{}'/></serial>"
CARD = "<interface type='user'>{}<model type='virtio'/></interface>"
UNKNOWN_CARD = CARD.format("<mac address='52:54:00:00:00:99'/>")
TAP = """
    <interface type='ethernet'>
      <mac address='52:54:00:00:00:98'/>
      <target dev='notap9' managed='no'/><model type='virtio'/>
    </interface>"""
HOST_DEVICE = """
    <hostdev mode='subsystem' type='pci'>
      <source><address domain='0' bus='0x7f' slot='0x1f' function='7'/></source>
    </hostdev>"""
HOST_USB = "<hostdev mode='subsystem' type='usb'><source>{}</source></hostdev>"
HOST_SCSI = """
    <hostdev mode='subsystem' type='scsi'>
      <source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/></source>
    </hostdev>"""
UUID = "6a0b7f6c-3b0e-4c5e-9f0e-3d9b7a3f1c11"
MEDIATED = f"""
    <hostdev mode='subsystem' type='mdev' model='vfio-pci'>
      <source><address uuid='{UUID}'/></source>
    </hostdev>"""
CAPABILITY = """
    <hostdev mode='capabilities' type='misc'><source><char>/dev/x</char></source></hostdev>"""
SHMEM = "<shmem name='n'><model type='{}'/></shmem>"
DOORBELL = "<shmem name='n'><model type='ivshmem-doorbell'/>{}</shmem>"
REDIR = "<redirdev bus='usb' type='unix'><source mode='bind' path='/run/r'/></redirdev>"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend>{}</rng>"
WATCHDOG = "<watchdog model='{}' action='{}'/>"
CHANNEL = "<channel type='null'><target type='virtio' name='org.nobody'/></channel>"
CONSOLE = "<console type='null'><target type='virtio' port='9'/></console>"


def at(bus: int, function: int = 0) -> str:
    """An address behind a port."""
    return f"<address type='pci' domain='0' bus='{bus}' slot='0' function='{function}'/>"


PRESENT = (
    RNG.format(at(1)),
    RNG.format(at(1, 1)),
    "<controller type='pci' index='9' model='pcie-root-port'><target hotplug='off'/></controller>",
    RNG.format(at(9)),
    CARD.format("<mac address='52:54:00:00:00:01'/>"),
    CARD.format("<mac address='52:54:00:00:00:02'/>"),
    CARD.format("<mac address='52:54:00:00:00:03'/>"),
    CARD.format("<mac address='52:54:00:00:00:03'/>"),
    DISK.format("sda").replace("</disk>", "<alias name='ua-disk'/></disk>"),
    """<disk type='file'><driver name='qemu' type='qcow2'/>
         <source file='/images/top'/><target dev='vdj'/></disk>""",
    WATCHDOG.format("ib700", "none"),
    SATA.format("disk", "sdb"),
    SATA.format("cdrom", "sdc"),
)
"""What the domain has that is asked."""
