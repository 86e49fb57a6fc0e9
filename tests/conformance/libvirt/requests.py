"""The requests that are made of both libvirts: a guest that devices come to, and leave."""

from __future__ import annotations

import attrs

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.answers import EventLine
from tests.conformance.libvirt.cases import BUSY, CHANGES, REFUSALS

DOMAIN = "demo"


@attrs.frozen(kw_only=True)
class Request:
    """One call, and how to know that all it leads to has happened.

    Attributes:
        name: Unique; differences are listed under it.
        call: A key of `theirs.METHODS`, or ``boot``: wait until the guest says that it is up.
        argument: XML, an alias or a path. IMAGE, SOCKET and the like stand for files of the run.
        impact: What is changed, by calls that have a choice.
        until: How the event begins that it leads to after its return.
        boots: Whether the guest starts again before all has happened.
        settle: Whether the guest needs time afterwards, to find what was plugged in: a device must
            be at work before its removal can be asked for.
    """

    name: str
    call: str
    argument: str = ""
    impact: Impact = Impact.LIVE
    until: EventLine | None = None
    boots: bool = False
    settle: bool = False


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


def _coming_and_going() -> list[Request]:
    found: list[Request] = []
    for name, xml in COMING_AND_GOING.items():
        found += [
            Request(name=f"attach {name}", call="attach", argument=xml, settle=True),
            Request(name=f"detach {name}", call="detach", argument=xml),
        ]
    return found


def _listed(rows: tuple[tuple[str, str, str, Impact], ...]) -> list[Request]:
    return [
        Request(
            name=name,
            call=call,
            argument=argument,
            impact=impact,
            until=("device-removed",) if call == "detach-alias" else None,
            settle=call == "attach" and Impact.LIVE in impact,
        )
        for name, call, argument, impact in rows
    ]


def device_requests(guest: Guest) -> list[Request]:
    """Devices of a running guest, and of its definition."""
    return [
        Request(name="define a guest", call="define", argument=guest_xml(guest)),
        Request(name="start the guest", call="start"),
        Request(name="let the guest boot", call="boot"),
        *_coming_and_going(),
        *_listed(CHANGES),
        *_listed(REFUSALS),
        *_listed(BUSY),
        Request(name="destroy the guest", call="destroy"),
        Request(name="undefine the guest", call="undefine"),
    ]


def guest_xml(guest: Guest) -> str:
    """The domain both get: ports to plug into, and no device that either adds by itself."""
    ports = "".join(
        f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 8)
    )
    return f"""
    <domain type='qemu'>
      <name>{DOMAIN}</name>
      <uuid>5f6a7b80-9000-4000-8000-000000000001</uuid>
      <memory unit='MiB'>256</memory>
      <os>
        <type arch='x86_64' machine='q35'>hvm</type>
        <kernel>{guest.kernel}</kernel><initrd>{guest.initrd}</initrd>
        <cmdline>{guest.cmdline}</cmdline>
      </os>
      <features><acpi/></features>
      <devices>
        <controller type='pci' index='0' model='pcie-root'/>
        {ports}
        <controller type='usb' index='0' model='qemu-xhci'/>
        <controller type='scsi' index='0' model='virtio-scsi'/>
        <controller type='virtio-serial' index='0'/>
        <disk type='file' device='cdrom'><target dev='sde' bus='scsi'/><readonly/></disk>
        <serial type='file'><source path='CONSOLE'/></serial>
        <memballoon model='none'/>
      </devices>
    </domain>"""
