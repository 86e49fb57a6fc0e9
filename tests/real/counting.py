"""A Linux guest that counts: what it has in its memory can be seen on its serial port.

It writes ``count N`` twice a second, and does at a number what its command line says:
``at=5 do=reboot``, or ``panic``, ``poweroff`` or ``sleep``. It obeys the power button.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from pyvirt_sim.conformance.real import initramfs, packages
from pyvirt_sim.conformance.real.guest import KERNEL_PACKAGE, Guest, boot_members

# The driver of the panic device is called so since Linux 5.13.
_MODULES = ("button", "evdev", "pvpanic-mmio")

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
for word in $(cat /proc/cmdline); do
    case $word in at=*|do=*) eval "want_$word";; esac
done
count=0
while true; do
    count=$((count + 1))
    echo "count $count" > /dev/ttyS0
    if [ "$count" = "$want_at" ]; then
        case $want_do in
            reboot) reboot -f;;
            panic) echo c > /proc/sysrq-trigger;;
            poweroff) poweroff -f;;
            sleep) echo mem > /sys/power/state;;
        esac
    fi
    sleep 0.5
done
"""


def build_counting_guest() -> Guest:
    """Return the guest, building it unless the cache holds it.

    Raises:
        RealPartMissingError: A package cannot be downloaded.
    """
    recipe = repr((KERNEL_PACKAGE, _MODULES, _INIT))
    folder = packages.cached("counting-guest", recipe, _build)
    cmdline = "console=ttyS0 quiet panic=-1"
    return Guest(folder / "vmlinuz", folder / "initrd.gz", "count 1", cmdline)


def _build(result: Path) -> None:
    with packages.unpacked(packages.only_dependency(KERNEL_PACKAGE)) as kernel_root:
        (kernel,) = (kernel_root / "boot").glob("vmlinuz-*")
        shutil.copyfile(kernel, result / "vmlinuz")
        archive = initramfs.newc_archive(boot_members(_INIT, _MODULES, kernel_root))
    (result / "initrd.gz").write_bytes(gzip.compress(archive, mtime=0))
