"""Requests about devices: a guest that they come to, and leave."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.cases import BUSY, CHANGES, REFUSALS
from tests.conformance.libvirt.requests import Request, Row, device_rows, guest_xml

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
NET = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"

COMING_AND_GOING = {
    "rng": RNG,
    "interface": NET,
    "virtio-disk": """
        <disk type='file'><driver name='qemu' type='raw'/><source file='IMAGE'/>
          <target dev='vda' bus='virtio'/></disk>""",
    "scsi-disk": """
        <disk type='file'><driver name='qemu' type='raw'/><source file='IMAGE'/>
          <target dev='sda' bus='scsi'/></disk>""",
    "usb-disk": """
        <disk type='file'><driver name='qemu' type='raw'/><source file='IMAGE'/>
          <target dev='sdb' bus='usb'/></disk>""",
    "scsi-cdrom": """
        <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='IMAGE'/>
          <target dev='sdc' bus='scsi'/><readonly/></disk>""",
    "controller": "<controller type='scsi' index='3' model='virtio-scsi'/>",
    "usb-tablet": "<input type='tablet' bus='usb'/>",
    "virtio-keyboard": "<input type='keyboard' bus='virtio'/>",
    "watchdog": "<watchdog model='i6300esb' action='none'/>",
    "channel": """
        <channel type='unix'><source mode='bind' path='SOCKET'/>
          <target type='virtio' name='org.pyvirt.a'/></channel>""",
    "usb-serial": "<serial type='null'><target type='usb-serial' port='1'/></serial>",
    "pci-serial": "<serial type='null'><target type='pci-serial' port='1'/></serial>",
    "redirdev": """
        <redirdev bus='usb' type='unix'><source mode='bind' path='SOCKET'/></redirdev>""",
    "shmem": "<shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
}


def _coming_and_going() -> list[Row]:
    return [
        (f"{call} {name}", call, xml, Impact.LIVE)
        for name, xml in COMING_AND_GOING.items()
        for call in ("attach", "detach")
    ]


def device_requests(guest: Guest) -> list[Request]:
    """Devices of a running guest, and of its definition."""
    return [
        Request(name="define a guest", call="define", argument=guest_xml(guest)),
        Request(name="start the guest", call="start"),
        Request(name="let the guest boot", call="boot"),
        *device_rows([*_coming_and_going(), *CHANGES, *REFUSALS, *BUSY]),
        Request(name="destroy the guest", call="destroy"),
        Request(name="undefine the guest", call="undefine"),
    ]
