"""Requests about lives: a domain is defined, runs, stands still, ends, and goes."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt.answers import EventLine
from tests.conformance.libvirt.devices import RNG
from tests.conformance.libvirt.requests import DOMAIN, Request, calls, guest_xml

STOPPED: EventLine = ("lifecycle", "5")

EMPTY_XML = f"""
<domain type='qemu'>
  <name>{DOMAIN}</name>
  <uuid>5f6a7b80-9000-4000-8000-000000000001</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' index='0' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>"""
OTHER_UUID = EMPTY_XML.replace("0001</uuid>", "0002</uuid>")
OTHER_NAME = EMPTY_XML.replace(f"<name>{DOMAIN}<", "<name>other<")


def life_requests(guest: Guest) -> list[Request]:
    """A machine without a guest, then one with."""
    return [*_without_guest(), *_with_guest(guest)]


def _without_guest() -> list[Request]:
    return [
        *calls(
            ("start before it exists", "start"),
            ("define", "define", EMPTY_XML),
            ("define again", "define", EMPTY_XML),
            ("define with another UUID", "define", OTHER_UUID),
            ("define with another name", "define", OTHER_NAME),
            ("define what is no domain", "define", "<network/>"),
            ("suspend while off", "suspend"),
            ("resume while off", "resume"),
            ("shutdown while off", "shutdown"),
            ("reboot while off", "reboot"),
            ("reset while off", "reset"),
            ("destroy while off", "destroy"),
            ("attach while off", "attach", RNG),
            ("detach by alias while off", "detach-alias", "rng0"),
            ("start", "start"),
            ("start again", "start"),
            ("suspend", "suspend"),
            ("suspend again", "suspend"),
            ("shutdown while suspended", "shutdown"),
            ("resume", "resume"),
            ("resume again", "resume"),
        ),
        Request(name="reset", call="reset", until=("reboot",)),
        *calls(
            ("destroy", "destroy"),
            ("destroy again", "destroy"),
            ("start paused", "start-paused"),
            ("resume from the start", "resume"),
            ("destroy gracefully", "destroy-graceful"),
            ("start for undefine", "start"),
            ("undefine while it runs", "undefine"),
            ("undefine again", "undefine"),
            ("define while it runs", "define", EMPTY_XML),
            ("undefine while it runs, once more", "undefine"),
            ("destroy what is not defined", "destroy"),
            ("destroy what is gone", "destroy"),
        ),
    ]


def _with_guest(guest: Guest) -> list[Request]:
    reboot_xml = guest_xml(guest)
    destroyed_xml = reboot_xml.replace("<devices>", "<on_reboot>destroy</on_reboot><devices>")
    return [
        *calls(
            ("define with a guest", "define", reboot_xml),
            ("start with a guest", "start"),
            ("boot", "boot"),
        ),
        Request(name="reboot by ACPI", call="reboot", until=("reboot",), boots=True),
        Request(name="shutdown by ACPI", call="shutdown", until=STOPPED),
        *calls(
            ("define with on_reboot=destroy", "define", destroyed_xml),
            ("start with on_reboot=destroy", "start"),
        ),
        # Not reset: libvirt may or may not read QEMU's answer before that has ended.
        *calls(("destroy with on_reboot=destroy", "destroy"), ("undefine", "undefine")),
    ]
