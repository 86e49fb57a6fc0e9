"""Devices on PCI, USB, SCSI and virtio-serial buses, coming and going."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_PCI: Final = (
    "virtio-rng-pci", "virtio-rng-pci", "virtio-net-pci", "virtio-scsi-pci", "virtio-serial-pci",
    "virtio-balloon-pci", "virtio-keyboard-pci", "virtio-mouse-pci", "virtio-tablet-pci", "e1000",
    "e1000e", "rtl8139", "i6300esb", "qemu-xhci", "lsi53c895a", "lsi", "piix3-usb-uhci", "usb-ehci",
    "pcie-pci-bridge", "pci-bridge", "pcie-root-port", "virtio-rng", "virtio-blk-pci",
    "ivshmem-plain", "vhost-vsock-pci", "ich9-usb-uhci1", "mch", "VGA",
)  # fmt: skip
_USB: Final = ("usb-tablet", "usb-kbd", "usb-mouse", "usb-hub", "usb-hub", "usb-storage")
_OTHER: Final = (
    "scsi-hd", "scsi-cd", "scsi-cd", "virtserialport", "virtserialport", "virtconsole",
    "isa-serial", "ib700", "no-such-device", "pci-device", "rng-random", "ide-hd",
    "virtio-rng-device",
)  # fmt: skip
_COMMON: Final[dict[str, tuple[Any, ...]]] = {
    "addr": ("0x0", "0", "0.1", "0.7", "1", "1f", "20", "x", "0.8", 3, "0x2.0x3"),
    "multifunction": ("on", True, False, "maybe", None),
    "rombar": (0, "1", "x"),
    "romfile": ("", "nope"),
    "romsize": (4096, 5),
    "acpi-index": (0, 7, 7, 70000),
    "no-such-property": (1, "x"),
    "type": ("x",),
    "parent_bus": ("x",),
    "failover_pair_id": ("",),
}
_SPECIAL: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "virtio-rng-pci": {
        "rng": ("nope", "rng0", "/objects/rng0", "pc.ram"),
        "max-bytes": (1024, 0, -1, "x", 1.5),
        "period": (1000, 0),
        "vectors": (0, 5, -1, "abc", True, 1 << 33, "0x10", "010", " 7"),
        "ats": ("on", "off", "yes", "1"),
        "disable-legacy": ("on", "off", "auto", "maybe"),
        "disable-modern": (False, "off"),
    },
    "virtio-serial-pci": {"max_ports": (4, 31)},
    "virtio-blk-pci": {"num-queues": (0, 1, 2), "queue-size": (3, 128), "drive": ("disk0", "nope")},
    "virtio-net-pci": {"rx_queue_size": (3, 256, 512, 4096), "mq": (True, "x")},
    "pci-bridge": {"chassis_nr": (0, 5, 6, 300)},
    "ivshmem-plain": {"memdev": ("nope", "rng0", "ram0", "ram0")},
    "vhost-vsock-pci": {"guest-cid": (0, 2)},
    "scsi-hd": {"drive": ("disk0", "disk1", "disk2", "nope"), "serial": ("abc",)},
    "scsi-cd": {"drive": ("disk0", "disk2")},
    "usb-storage": {"drive": ("disk0", "disk1", "nope")},
    "virtserialport": {
        "nr": (0, 1, 2, 5, 40),
        "name": ("org.one", "org.two"),
        "chardev": ("chr0", "chr1", "nope"),
    },
    "virtconsole": {"nr": (0, 1, 31), "chardev": ("chr0", "chr1")},
}
_USB_OPTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "port": ("1", "2", "3", "1.1", "1.2", "2.3", "1.1.1", "9", "x", ""),
    "serial": ("abc",),
    "no-such-property": (1,),
}
_SCSI_OPTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "scsi-id": (0, 1, 255, 256),
    "lun": (0, 1, 5, 20000),
    "channel": (0, 1),
}


def _options(random: Random, driver: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    table = dict(_SPECIAL.get(driver, {}))
    rare = _COMMON if driver in _PCI else _USB_OPTIONS if driver in _USB else _SCSI_OPTIONS
    for name, values in table.items():
        if random.random() < 0.45:
            result[name] = random.choice(values)
    for name, values in rare.items():
        likely = 0.3 if name in {"addr", "port", "scsi-id", "lun", "multifunction"} else 0.04
        if (driver not in _OTHER or driver.startswith("scsi")) and random.random() < likely:
            result[name] = random.choice(values)
    return result


def _buses(scene: Scene) -> tuple[str, ...]:
    if scene.shape == "pc":
        return ("pci.0", "pci.0", "pci.0", "bridge", "isa.0", "nope")
    named = tuple(f"pci.{number}" for number in range(1, 5))
    return (*named, *named, "pcie.0", "isa.0", "nope", "pci.1/", "/", "")


def _plug(random: Random, scene: Scene) -> Step:
    driver = random.choice(random.choices((_PCI, _USB, _OTHER), (5, 3, 3))[0])
    arguments: dict[str, Any] = {"driver": driver, **_options(random, driver)}
    draw = random.random()
    if driver in _PCI:
        if draw < 0.85:
            arguments["bus"] = random.choice(_buses(scene))
        elif draw < 0.95:
            arguments["bus"] = scene.known(random, "device")
    elif draw < 0.15:
        arguments["bus"] = f"{scene.known(random, 'device')}.0"
    elif draw < 0.2:
        arguments["bus"] = random.choice(("usb.0", "scsi0.0", "vser.0", "pci.1"))
    known = scene.known(random, "device")
    names = (scene.fresh("device"), known, None, "9lives", 5)
    name = random.choices(names, (20, 3, 2, 1, 1))[0]
    if name is not None:
        arguments["id"] = name
    return Execute("device_add", arguments)


def _unplug(random: Random, scene: Scene) -> Step:
    known = scene.known(random, "device")
    rare = ("pci.1", "usb", "scsi0", "", "pci.1/pci.1", f"/machine/peripheral/{known}", "nope/x")
    name = known if random.random() < 0.85 else random.choice(rare)
    return Execute("device_del", {"id": name})


def _generate(random: Random, scene: Scene) -> list[Step]:
    draw = random.random()
    if draw < 0.6:
        return [_plug(random, scene)]
    if draw < 0.85:
        return [_unplug(random, scene)]
    if draw < 0.95:
        return [Execute("system_reset")]
    return [Execute("qom-list", {"path": "/machine/peripheral"})]


FAMILY = Family(name="plugging", generate=_generate, weight=8)
