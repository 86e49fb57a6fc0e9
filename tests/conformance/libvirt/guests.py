"""Requests about what guests do by themselves: they panic, sleep, power off, reboot."""

from __future__ import annotations

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt.answers import EventLine
from tests.conformance.libvirt.lives import STOPPED
from tests.conformance.libvirt.requests import DOMAIN, Request, calls

CRASHED: EventLine = ("lifecycle", "8")
RESUMED: EventLine = ("lifecycle", "4")
REBOOTED: EventLine = ("reboot",)
SLEPT: EventLine = ("pm-suspend",)


def _xml(does: str, actions: str) -> str:
    """A guest that does something as soon as it is up, where that leads to something."""
    return f"""
    <domain type='qemu'>
      <name>{DOMAIN}</name>
      <uuid>5f6a7b80-9000-4000-8000-000000000001</uuid>
      <memory unit='MiB'>128</memory>
      <os>
        <type arch='x86_64' machine='q35'>hvm</type>
        <kernel>COUNTING_KERNEL</kernel><initrd>COUNTING_INITRD</initrd>
        <cmdline>console=ttyS0 quiet panic=-1 at=1 do={does}</cmdline>
      </os>
      <features><acpi/></features>
      {actions}
      <devices>
        <emulator>WRAPPER</emulator>
        <controller type='usb' index='0' model='none'/>
        <memballoon model='none'/>
      </devices>
    </domain>"""


def _story(does: str, actions: str, until: EventLine, *more: Request) -> list[Request]:
    """A guest is started, does what it does, and is watched a little longer."""
    words = actions.replace("<", " ").replace(">", " ").split()
    name = f"{does}, {words[0]} {words[1]}" if words else does
    return [
        *calls((f"{name}: define", "define", _xml(does, actions)), (f"{name}: start", "start")),
        Request(name=f"{name}: the guest does it", call="wait", until=until, settle=True),
        *more,
    ]


def guest_requests(_guest: Guest) -> list[Request]:
    """One guest after the other."""
    return [
        *_story("panic", "<on_crash>destroy</on_crash>", STOPPED),
        *_story("panic", "<on_crash>restart</on_crash>", RESUMED, _destroy("restarted")),
        *_story("panic", "<on_crash>coredump-restart</on_crash>", RESUMED, _destroy("dumped")),
        *_story(
            "panic",
            "<on_crash>preserve</on_crash>",
            CRASHED,
            *calls(
                ("start what has crashed", "start"),
                ("suspend what has crashed", "suspend"),
                ("shut down what has crashed", "shutdown"),
                ("resume what has crashed", "resume"),
                ("reset what has crashed", "reset"),
                ("resume what was reset", "resume"),
            ),
            _destroy("reset"),
        ),
        *_story(
            "sleep",
            "",
            SLEPT,
            *calls(
                ("suspend what sleeps", "suspend"),
                ("resume what sleeps", "resume"),
                ("shut down what sleeps", "shutdown"),
            ),
            Request(name="wake what sleeps", call="pm-wakeup", until=("pm-wakeup",), settle=True),
            _destroy("woken"),
        ),
        *_story("poweroff", "<on_poweroff>restart</on_poweroff>", REBOOTED, _destroy("powered on")),
        *_story("reboot", "<on_reboot>destroy</on_reboot>", STOPPED),
        *_story(
            "sleep",
            "<on_crash>preserve</on_crash>",
            SLEPT,
            *calls(
                ("save what sleeps", "save", "SAVED"),
                ("restore what slept", "restore", "SAVED"),
                ("resume what slept", "resume"),
            ),
            _destroy("asleep"),
        ),
        *calls(("undefine the guest that does things", "undefine")),
    ]


def _destroy(what: str) -> Request:
    return Request(name=f"destroy what was {what}", call="destroy")
