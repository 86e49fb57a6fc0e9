"""The requests that are made of both libvirts: what they are made of."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Impact
from tests.conformance.libvirt.answers import EventLine

DOMAIN = "demo"

Row = tuple[str, str, str, Impact]
"""Name, call, argument and impact of a request about a device."""


@attrs.frozen(kw_only=True)
class Request:
    """One call, and how to know that all it leads to has happened.

    Attributes:
        name: Unique; differences are listed under it.
        call: A key of `calls.OF_DOMAIN` or `calls.OF_HYPERVISOR`, or ``boot``: wait until the guest
            says that it is up, or ``wait``: for what it does by itself.
        argument: XML, an alias or a path. IMAGE, SOCKET and the like stand for files of the run.
        impact: What is changed, by calls that have a choice.
        until: How the event begins that it leads to after its return.
        boots: Whether the guest starts again before all has happened.
        settle: Whether the guest needs time afterwards, to find what was plugged in: a device must
            be at work before its removal can be asked for. Or QEMU, whose trays move a moment after
            the answer.
        domain: What it is asked of.
    """

    name: str
    call: str
    argument: str = ""
    impact: Impact = Impact.LIVE
    until: EventLine | None = None
    boots: bool = False
    settle: bool = False
    domain: str = DOMAIN

    @property
    def resets(self) -> bool:
        """Whether the machine is reset by this."""
        return "reset" in self.call or self.until == ("reboot",)


def device_rows(rows: Iterable[Row], *, settle: bool = True) -> list[Request]:
    """Requests about devices.

    Args:
        rows: What they are.
        settle: Whether there is a guest that has to find what comes, before it can be asked to let
            something go. What is on USB, SCSI and virtio-serial goes without its help.
    """
    found: list[Request] = []
    is_finding = False
    for name, call, argument, impact in rows:
        is_live = Impact.LIVE in impact
        if is_live and call.startswith("detach") and is_finding:
            found[-1] = attrs.evolve(found[-1], settle=True)
            is_finding = False
        is_finding |= settle and is_live and call == "attach" and not _goes_by_itself(argument)
        request = Request(
            name=name,
            call=call,
            argument=argument,
            impact=impact,
            until=("device-removed",) if call == "detach-alias" else None,
            settle=is_live and call != "attach" and "device='cdrom'" in argument,
        )
        found.append(request)
    return found


def _goes_by_itself(xml: str) -> bool:
    is_on_bus = any(f"bus='{bus}'" in xml for bus in ("usb", "scsi"))
    tag = xml.strip().lstrip("<").split()[0].rstrip("/>") if xml.strip() else ""
    return is_on_bus or tag in ("channel", "lease", "redirdev") or "usb-serial" in xml


def calls(*rows: tuple[str, str] | tuple[str, str, str]) -> list[Request]:
    """Rows of name, call and perhaps an argument."""
    return [
        Request(name=row[0], call=row[1], argument=row[2] if len(row) > 2 else "") for row in rows
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
