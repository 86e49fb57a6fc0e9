"""A Linux guest that boots in seconds: Debian's cloud kernel and one static busybox.

The guest says one line on its serial port when it is up, drives virtio devices that are plugged in
while it runs, lets them be unplugged, and obeys the power button. PCIe hotplug is built into this
kernel; drivers and the power button are modules, which the archive brings with what they depend on.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import tempfile
from pathlib import Path

import attrs

from tests.real import initramfs, packages

KERNEL_PACKAGE = "linux-image-cloud-amd64"
BUSYBOX_PACKAGE = "busybox-static"
READY_LINE = "pyvirt guest is ready"

# Loaded in this order, each after its dependencies.
MODULES = ("button", "evdev", "virtio_pci", "virtio_net", "virtio_blk", "virtio-rng")

# The ready line comes after the power button has a reader, so that no press can be lost. A press
# is two 24-byte records (the key and a synchronisation mark); one is enough to know.
_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
for event in /sys/class/input/event*; do
    if [ "$(cat $event/device/name)" = "Power Button" ]; then
        (dd if=/dev/input/${event##*/} of=/dev/null bs=24 count=1 2>/dev/null; poweroff -f) &
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

    The cache knows it by the recipe in this file, so that it is rebuilt when the recipe changes;
    delete the cache to take a newer kernel. Safe to call from several processes at once: the first
    one builds, the others wait.

    Raises:
        RealPartMissingError: It is not in the cache and a package cannot be downloaded.
    """
    recipe = repr((KERNEL_PACKAGE, BUSYBOX_PACKAGE, READY_LINE, MODULES, _INIT))
    folder = packages.cache_folder() / f"guest-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    with packages.cache_lock():
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=packages.cache_folder()) as work:
                _build(Path(work)).rename(folder)
    return Guest(folder / "vmlinuz", folder / "initrd.gz")


def _build(work: Path) -> Path:
    """Make the folder that the cache keeps, from packages unpacked beside it."""
    kernel_root, busybox_root, result = work / "kernel", work / "busybox", work / "guest"
    packages.unpack(packages.only_dependency(KERNEL_PACKAGE), kernel_root)
    packages.unpack(BUSYBOX_PACKAGE, busybox_root)
    (kernel,) = (kernel_root / "boot").glob("vmlinuz-*")
    result.mkdir()
    shutil.copyfile(kernel, result / "vmlinuz")
    archive = _archive(kernel_root, busybox_root / "bin" / "busybox")
    (result / "initrd.gz").write_bytes(gzip.compress(archive, mtime=0))
    return result


def _archive(kernel_root: Path, busybox: Path) -> bytes:
    modules = _with_dependencies(MODULES, kernel_root)
    order = " ".join(path.name for path in modules).encode()
    members = [
        *map(initramfs.folder, ("bin", "dev", "modules", "proc", "sys")),
        initramfs.character_device("dev/console", 5, 1),
        initramfs.executable("bin/busybox", busybox.read_bytes()),
        initramfs.executable("init", _INIT.replace("READY", READY_LINE).encode()),
        initramfs.executable("modules/order", order),
        *(initramfs.executable(f"modules/{path.name}", path.read_bytes()) for path in modules),
    ]
    return initramfs.newc_archive(members)


def _with_dependencies(names: tuple[str, ...], kernel_root: Path) -> list[Path]:
    """Return the files of these modules and of all they depend on, dependencies first."""
    # The kernel takes - and _ in the name of a module as the same.
    files = {path.stem.replace("-", "_"): path for path in sorted(kernel_root.rglob("*.ko"))}
    found: dict[str, Path] = {}

    def visit(name: str) -> None:
        path = files.get(name)
        if path is None or name in found:  # not a module: built into the kernel
            return
        for dependency in _depends(path):
            visit(dependency)
        found[name] = path

    for name in names:
        visit(name.replace("-", "_"))
    return list(found.values())


def _depends(module: Path) -> list[str]:
    """Read the ``depends=`` entry that the kernel's build writes into each module."""
    entry = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    names = entry[1].decode() if entry else ""
    return [name.replace("-", "_") for name in names.split(",") if name]
