"""A Linux guest that boots in seconds: Debian's cloud kernel and one static busybox.

The guest says one line on its serial port when it is up, drives virtio devices that are plugged in
while it runs, lets them be unplugged, and obeys the power button. PCIe hotplug is built into this
kernel; drivers and the power button are modules, which the archive brings with what they depend on.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from pyvirt_sim.conformance.real import initramfs, packages
from pyvirt_sim.conformance.real.modules import module_members

KERNEL_PACKAGE = "linux-image-cloud-amd64"
BUSYBOX_PACKAGE = "busybox-static"
READY_LINE = "pyvirt guest is ready"

# Loaded in this order, each after its dependencies.
MODULES = ("button", "evdev", "virtio_pci", "virtio_net", "virtio_blk", "virtio-rng", "virtio_mem")

# The button's device is opened before the ready line, so that no press can be lost. A press is two
# 24-byte records (the key and a synchronisation mark); one is enough to know.
_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
for event in /sys/class/input/event*; do
    if [ "$(cat $event/device/name)" = "Power Button" ]; then
        exec 3</dev/input/${event##*/}
        (dd bs=24 count=1 <&3 of=/dev/null 2>/dev/null; poweroff -f) &
    fi
done
echo "READY" > /dev/ttyS0
while true; do sleep 3600; done
"""


@attrs.frozen
class Guest:
    """What QEMU's ``-kernel``, ``-initrd`` and ``-append`` need to boot the guest.

    Args:
        kernel: A bzImage.
        initrd: A gzipped initramfs.
        ready_line: The line on the serial port that says the guest obeys from now on.
        cmdline: Kernel command line: the console on the serial port, quiet, no waiting at a panic.
    """

    kernel: Path
    initrd: Path
    ready_line: str = READY_LINE
    cmdline: str = "console=ttyS0 quiet panic=-1"


def build_guest() -> Guest:
    """Return the guest, fetching and building it unless the cache holds it.

    Raises:
        RealPartMissingError: It is not in the cache and a package cannot be downloaded.
    """
    recipe = repr((KERNEL_PACKAGE, BUSYBOX_PACKAGE, READY_LINE, MODULES, _INIT))
    folder = packages.cached("guest", recipe, _build)
    return Guest(folder / "vmlinuz", folder / "initrd.gz")


def _build(result: Path) -> None:
    init = _INIT.replace("READY", READY_LINE)
    with packages.unpacked(packages.only_dependency(KERNEL_PACKAGE)) as kernel_root:
        (kernel,) = (kernel_root / "boot").glob("vmlinuz-*")
        shutil.copyfile(kernel, result / "vmlinuz")
        archive = initramfs.newc_archive(boot_members(init, MODULES, kernel_root))
    (result / "initrd.gz").write_bytes(gzip.compress(archive, mtime=0))


def boot_members(
    init: str, modules: Sequence[str], kernel_root: Path
) -> Iterator[initramfs.Member]:
    """Return what an initramfs needs to boot: a busybox, modules and the script that is run.

    Raises:
        RealPartMissingError: busybox cannot be downloaded.
    """
    yield from map(initramfs.folder, ("bin", "dev", "proc", "sys"))
    yield initramfs.character_device("dev/console", 5, 1)
    with packages.unpacked(BUSYBOX_PACKAGE) as busybox_root:
        yield initramfs.executable("bin/busybox", (busybox_root / "bin/busybox").read_bytes())
    yield initramfs.executable("init", init.encode())
    yield from module_members(modules, kernel_root)
