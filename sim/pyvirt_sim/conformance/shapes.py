"""The machines that programs are played on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs

MONITOR: Final = "monitor"
"""Id of the monitor's chardev."""


SERIAL: Final = "serial"
"""Id of the chardev behind the serial port of a bare guest."""
BIOS: Final = "bios"
"""Name of the file that holds the firmware of a bare guest."""
_SERIAL: Final = f'{{"driver":"isa-serial","chardev":"{SERIAL}"}}'


@attrs.frozen(kw_only=True)
class Shape:
    """A machine.

    Args:
        devices: Its command line, from ``-device`` on; ``$ROOT`` stands for the run's folder.
        machine: Type and options of the board.
        guest: What the processors find. With QEMU's ``firmware``, which boots nothing, and with the
            ``bare`` one of ours, which does what it is told, they stand still when a program
            begins; ``linux`` is booted and runs by then.
        settle_s: How long (virtual seconds) after a step everything has been said.
        weight: How often programs are made for it, relative to the others.
        is_deaf: Whether its Linux hears neither the power button nor the button of a slot.
    """

    devices: tuple[str, ...]
    machine: str = "q35"
    guest: Literal["firmware", "bare", "linux"] = "firmware"
    settle_s: float = 2.0
    weight: int = 1
    is_deaf: bool = False

    def argv(self, monitor: str, serial: str, root: str, boot: Sequence[str]) -> list[str]:
        """The command line.

        Args:
            monitor: The option that makes the monitor's chardev.
            serial: The option that makes the chardev of the guest's serial port.
            root: The run's folder.
            boot: Options that put the guest in.
        """
        argv = ["qemu-system-x86_64", "-name", "guest=conformance", "-S"]
        argv += ["-machine", f"{self.machine},accel=tcg", "-m", "128"]
        argv += ["-nodefaults", "-no-user-config", "-display", "none"]
        argv += ["-chardev", monitor, "-mon", f"chardev={MONITOR},mode=control", *boot]
        if self.guest != "firmware":
            argv += ["-chardev", serial, "-device", _SERIAL]
        return argv + [item.replace("$ROOT", root) for item in self.devices]


def _ports(count: int) -> list[str]:
    argv: list[str] = []
    for number in range(1, count + 1):
        port = f'"driver":"pcie-root-port","id":"pci.{number}","bus":"pcie.0","addr":"0x{number}"'
        argv += ["-device", f'{{{port},"chassis":{number}}}']
    return argv


def _device(**members: object) -> list[str]:
    return ["-device", json.dumps(members)]


# What devices can be given: an entropy source, memory, disks, character devices.
_BACKENDS = (
    "-object", '{"qom-type":"rng-builtin","id":"rng0"}',
    "-object", '{"qom-type":"memory-backend-ram","id":"ram0","size":1048576}',
    "-blockdev", '{"driver":"null-co","node-name":"disk0"}',
    "-blockdev", '{"driver":"null-co","node-name":"disk1"}',
    "-blockdev", '{"driver":"null-co","node-name":"disk2","read-only":true}',
    "-chardev", "null,id=chr0", "-chardev", "null,id=chr1",
)  # fmt: skip
_CONTROLLERS = (
    *_device(driver="virtio-scsi-pci", id="scsi0", bus="pcie.0", addr="0x8"),
    *_device(driver="qemu-xhci", id="usb", bus="pcie.0", addr="0x9"),
    *_device(driver="virtio-serial-pci", id="vser", bus="pcie.0", addr="0xa"),
)
_PC_DEVICES = (
    *_device(driver="pci-bridge", id="bridge", bus="pci.0", chassis_nr=3, addr="0x8"),
    *_device(driver="piix3-usb-uhci", id="usb", bus="pci.0", addr="0x9"),
    *_device(driver="virtio-scsi-pci", id="scsi0", bus="pci.0", addr="0xa"),
    *_device(driver="virtio-serial-pci", id="vser", bus="pci.0", addr="0xb"),
)

# Root ports that handle hotplug themselves, instead of ACPI.
_NATIVE: Final = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
_ENTROPY: Final = ("-object", '{"qom-type":"rng-builtin","id":"rng0"}')
_PLUGGED: Final = _device(driver="virtio-rng-pci", rng="rng0", id="cold", bus="pci.4")
# A port that takes nothing and gives nothing back while the machine exists, and what is in it.
_FIXED: Final = (
    *_device(driver="pcie-root-port", id="fixed", chassis=9, addr="0x9", hotplug=False),
    *_device(driver="e1000", id="kept", bus="fixed"),
)
_PANIC: Final = ("-device", '{"driver":"pvpanic"}')
_WATCHDOG: Final = ("-device", '{"driver":"ib700"}')
_BARE: Final = (*_PANIC, *_WATCHDOG, *_ports(2))

SHAPES: Final[Mapping[str, Shape]] = {
    "q35": Shape(devices=tuple(_ports(4)), weight=6),
    "q35-buses": Shape(devices=(*_BACKENDS, *_ports(4), *_CONTROLLERS), weight=6),
    "pc": Shape(machine="pc", devices=(*_BACKENDS, *_PC_DEVICES), weight=3),
    "bare": Shape(guest="bare", devices=_BARE, weight=4),
    "bare-no-shutdown": Shape(guest="bare", devices=("-no-shutdown", *_BARE), weight=2),
    "bare-no-reboot": Shape(guest="bare", devices=("-no-reboot", *_BARE)),
    "bare-actions": Shape(
        guest="bare", devices=("-action", "panic=exit-failure,watchdog=poweroff", *_BARE)
    ),
    "q35-linux": Shape(
        guest="linux",
        devices=(*_ENTROPY, *_ports(3)),
        weight=2,
    ),
    # What they say depends on when they are asked, so only scripts that let time pass are for them.
    "q35-native": Shape(
        devices=(*_NATIVE, *_ENTROPY, *_ports(4), *_PLUGGED, *_FIXED), settle_s=0.1, weight=0
    ),
    "q35-native-linux": Shape(
        guest="linux", devices=(*_NATIVE, *_ENTROPY, *_ports(3)), settle_s=0.1, weight=0
    ),
    "q35-native-deaf": Shape(
        guest="linux",
        devices=(*_NATIVE, *_ENTROPY, *_ports(4), *_PLUGGED),
        settle_s=0.1,
        weight=0,
        is_deaf=True,
    ),
    "bare-room": Shape(guest="bare", devices=("-m", "128,slots=2,maxmem=1G", *_BARE), weight=2),
    "bare-without-devices": Shape(guest="bare", devices=()),
    "q35-room": Shape(
        devices=("-m", "256,slots=3,maxmem=2G", "-smp", "1,maxcpus=4,sockets=2,cores=2,threads=1"),
        weight=3,
    ),
}
