"""Requests beyond coming and going: changes of the definition, refusals, busy devices."""

from __future__ import annotations

from pyvirt_trio import Impact

LIVE, CONFIG = Impact.LIVE, Impact.CONFIG

DISK = """<disk type='file'><driver name='qemu' type='raw'/><source file='IMAGE'/>
    <target dev='%s' bus='%s'/></disk>"""
CDROM = """<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>%s
    <target dev='sdd' bus='scsi'/><readonly/></disk>"""
COLD = CDROM.replace("sdd", "sde")
NET = """<interface type='user'><mac address='52:54:00:00:00:%s'/><model type='virtio'/>%s
    </interface>"""
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend>%s</rng>"
HOSTDEV = """<hostdev mode='subsystem' type='pci'>
    <source><address domain='0' bus='0x7f' slot='0x1f' function='7'/></source></hostdev>"""
PORT = """<controller type='pci' index='9' model='pcie-root-port'>
    <model name='pcie-root-port'/></controller>"""
VIRTIOFS = """<filesystem type='mount'><driver type='virtiofs'/>
    <source dir='/tmp'/><target dir='share'/></filesystem>"""

# Name, call, argument, impact. Names are listed in differences.json.
CHANGES: tuple[tuple[str, str, str, Impact], ...] = (
    ("attach rng in the definition", "attach", RNG % "", CONFIG),
    ("detach rng in the definition", "detach", RNG % "", CONFIG),
    ("attach interface in both", "attach", NET % ("0b", ""), LIVE | CONFIG),
    ("update link in both", "update", NET % ("0b", "<link state='down'/>"), LIVE | CONFIG),
    ("update link back", "update", NET % ("0b", "<link state='up'/>"), LIVE),
    ("detach interface in both", "detach", NET % ("0b", ""), LIVE | CONFIG),
    ("insert medium", "update", COLD % "<source file='IMAGE'/>", LIVE),
    ("change medium", "update", COLD % "<source file='MEDIUM'/>", LIVE),
    ("eject medium", "update", COLD % "", LIVE),
    ("insert medium in both", "update", COLD % "<source file='IMAGE'/>", LIVE | CONFIG),
    ("eject medium in both", "update", COLD % "", LIVE | CONFIG),
    ("attach drive", "attach", CDROM % "<source file='IMAGE'/>", LIVE),
    ("change medium of a plugged drive", "update", CDROM % "<source file='MEDIUM'/>", LIVE),
    ("detach drive", "detach", CDROM % "", LIVE),
    ("attach empty drive", "attach", CDROM % "", LIVE),
    ("detach empty drive", "detach", CDROM % "", LIVE),
    ("attach disk in the definition", "attach", DISK % ("vdc", "virtio"), CONFIG),
    ("update disk in the definition", "update", DISK.replace("IMAGE", "MEDIUM") % ("vdc", "virtio"),
     CONFIG),
    ("detach disk in the definition", "detach", DISK % ("vdc", "virtio"), CONFIG),
)  # fmt: skip

REFUSALS: tuple[tuple[str, str, str, Impact], ...] = (
    # What is no device, or no XML.
    ("attach an unknown element", "attach", "<foo/>", LIVE),
    ("attach broken XML", "attach", "<rng", LIVE),
    ("attach nothing", "attach", "", LIVE),
    ("attach an unknown rng model", "attach", "<rng model='foo'/>", LIVE),
    ("attach rng without backend", "attach", "<rng model='virtio'/>", LIVE),
    ("attach disk without target", "attach",
     "<disk type='file'><source file='IMAGE'/></disk>", LIVE),
    # Aliases.
    ("attach with a user alias", "attach", RNG % "<alias name='ua-rng'/>", LIVE),
    ("attach with the same user alias", "attach", RNG % "<alias name='ua-rng'/>", LIVE),
    ("detach by an unknown alias", "detach-alias", "nobody", LIVE),
    ("detach by an alias of the definition", "detach-alias", "rng0", CONFIG),
    # Types that cannot come.
    ("attach sata disk", "attach", DISK % ("sdx", "sata"), LIVE),
    ("attach ide disk", "attach", DISK % ("hda", "ide"), LIVE),
    ("attach floppy", "attach",
     "<disk type='file' device='floppy'><source file='IMAGE'/><target dev='fda' bus='fdc'/></disk>",
     LIVE),
    ("attach a port", "attach",
     PORT, LIVE),
    ("attach usb controller", "attach",
     "<controller type='usb' index='1' model='qemu-xhci'/>", LIVE),
    ("attach serial controller", "attach", "<controller type='virtio-serial' index='1'/>", LIVE),
    ("attach ps2 mouse", "attach", "<input type='mouse' bus='ps2'/>", LIVE),
    ("attach isa serial port", "attach",
     "<serial type='null'><target type='isa-serial'/></serial>", LIVE),
    ("attach balloon", "attach", "<memballoon model='virtio'/>", LIVE),
    ("attach balloon in the definition", "attach", "<memballoon model='virtio'/>", CONFIG),
    ("attach sound", "attach", "<sound model='ich9'/>", LIVE),
    ("attach video", "attach", "<video><model type='virtio'/></video>", LIVE),
    ("attach graphics", "attach", "<graphics type='vnc'/>", LIVE),
    ("attach tpm", "attach", "<tpm model='tpm-tis'><backend type='emulator'/></tpm>", LIVE),
    ("attach panic", "attach", "<panic model='isa'/>", LIVE),
    ("attach hub", "attach", "<hub type='usb'/>", LIVE),
    ("attach iommu", "attach", "<iommu model='intel'/>", LIVE),
    ("attach dimm without room", "attach",
     "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
     LIVE),
    ("attach virtiofs without shared memory", "attach",
     VIRTIOFS, LIVE),
    # What is not there cannot go.
    ("detach an unknown disk", "detach", DISK % ("vdz", "virtio"), LIVE),
    ("detach an unknown disk in the definition", "detach", DISK % ("vdz", "virtio"), CONFIG),
    ("detach an unknown interface", "detach", NET % ("99", ""), LIVE),
    ("detach an unknown interface in the definition", "detach", NET % ("99", ""), CONFIG),
    ("detach an unknown controller", "detach", "<controller type='scsi' index='9'/>", LIVE),
    ("detach an unknown input", "detach", "<input type='tablet' bus='usb'/>", LIVE),
    ("detach an unknown watchdog", "detach", "<watchdog model='i6300esb' action='none'/>", LIVE),
    ("detach an unknown channel", "detach",
     "<channel type='null'><target type='virtio' name='org.nobody'/></channel>", LIVE),
    ("detach an unknown serial port", "detach",
     "<serial type='null'><target type='usb-serial'/></serial>", LIVE),
    ("detach an unknown redirection", "detach",
     "<redirdev bus='usb' type='unix'><source mode='bind' path='SOCKET'/></redirdev>", LIVE),
    ("detach an unknown shmem", "detach",
     "<shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>", LIVE),
    ("detach an unknown host device", "detach",
     HOSTDEV, LIVE),
    ("detach an unknown rng", "detach", RNG % "", LIVE),
    ("detach an unknown lease", "detach",
     "<lease><lockspace>a</lockspace><key>b</key><target path='/tmp/x'/></lease>", LIVE),
    ("detach the balloon", "detach", "<memballoon model='none'/>", LIVE),
    ("detach sound", "detach", "<sound model='ich9'/>", LIVE),
    *((f"{row[0]} in the definition", *row[1:3], CONFIG) for row in (
        ("detach an unknown rng", "detach", RNG % ""),
        ("detach an unknown controller", "detach", "<controller type='scsi' index='9'/>"),
        ("detach an unknown input", "detach", "<input type='tablet' bus='usb'/>"),
        ("detach an unknown watchdog", "detach", "<watchdog model='i6300esb' action='none'/>"),
        ("detach an unknown serial port", "detach",
         "<serial type='null'><target type='usb-serial'/></serial>"),
        ("detach an unknown redirection", "detach",
         "<redirdev bus='usb' type='unix'><source mode='bind' path='SOCKET'/></redirdev>"),
        ("detach an unknown shmem", "detach",
         "<shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"),
        ("detach an unknown host device", "detach", HOSTDEV),
        ("update controller", "update",
         "<controller type='scsi' index='0' model='virtio-scsi'/>"),
        ("update an unknown interface", "update", NET % ("99", "")),
        ("update an unknown disk", "update", DISK % ("vdz", "virtio")),
        ("attach the same disk twice", "attach", DISK % ("vdc", "virtio")),
        ("attach the same disk twice, the second time", "attach", DISK % ("vdc", "virtio")),
        ("detach it", "detach", DISK % ("vdc", "virtio")),
    )),
    # What is there and must stay.
    ("detach a port", "detach", "<controller type='pci' index='1' model='pcie-root-port'/>", LIVE),
    ("detach usb controller", "detach",
     "<controller type='usb' index='0' model='qemu-xhci'/>", LIVE),
    ("detach isa serial port", "detach",
     "<serial type='file'><source path='CONSOLE'/><target type='isa-serial' port='0'/></serial>",
     LIVE),
    ("detach ps2 mouse", "detach", "<input type='mouse' bus='ps2'/>", LIVE),
    # What cannot be changed.
    ("update rng", "update", RNG % "", LIVE),
    ("update rng in the definition", "update", RNG % "", CONFIG),
    ("update an unknown interface", "update", NET % ("99", "<link state='down'/>"), LIVE),
    ("update an unknown disk", "update", DISK % ("vdz", "virtio"), LIVE),
    ("update controller", "update",
     "<controller type='scsi' index='0' model='virtio-scsi'/>", LIVE),
    ("update watchdog", "update", "<watchdog model='i6300esb' action='none'/>", LIVE),
)  # fmt: skip

BUSY: tuple[tuple[str, str, str, Impact], ...] = (
    ("attach disk to a controller", "attach", DISK % ("sda", "scsi"), LIVE),
    ("detach a busy controller", "detach", "<controller type='scsi' index='0'/>", LIVE),
    ("attach disk of the same name", "attach", DISK % ("sda", "scsi"), LIVE),
    ("change medium of a fixed disk", "update", DISK.replace("IMAGE", "MEDIUM") % ("sda", "scsi"),
     LIVE),
    ("detach the busy disk", "detach", DISK % ("sda", "scsi"), LIVE),
    ("attach interface with a twin", "attach", NET % ("0c", ""), LIVE),
    ("attach interface of the same MAC", "attach", NET % ("0c", ""), LIVE),
    ("detach the twin", "detach-alias", "net1", LIVE),
    ("change the model of an interface", "update",
     NET.replace("virtio", "e1000e") % ("0c", ""), LIVE),
    ("detach interface by alias", "detach-alias", "net0", LIVE),
    ("attach rng 0", "attach", RNG % "", LIVE),
    ("attach rng 1", "attach", RNG % "", LIVE),
    ("detach rng 0", "detach-alias", "rng0", LIVE),
    ("attach rng after rng 1", "attach", RNG % "", LIVE),
    ("detach one of two rngs", "detach", RNG % "", LIVE),
    ("detach rng 1", "detach-alias", "rng1", LIVE),
    ("detach the last rng", "detach", RNG % "", LIVE),
    ("attach disk vdc first", "attach", DISK % ("vdc", "virtio"), LIVE),
    ("detach disk vdc", "detach", DISK % ("vdc", "virtio"), LIVE),
    ("attach second rng", "attach", RNG % "", LIVE),
    ("detach user alias", "detach-alias", "ua-rng", LIVE),
    ("detach second rng", "detach", RNG % "", LIVE),
)  # fmt: skip
