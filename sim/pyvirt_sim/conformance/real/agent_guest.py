"""The Linux guest with QEMU's guest agent in it: Debian's own, with the libraries it is linked to.

The agent's channel must be there at the start. A first disk, if there is one, is given a file
system, so that there is something to freeze.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pyvirt_sim.conformance.real import initramfs, packages
from pyvirt_sim.conformance.real.guest import (
    BUSYBOX_PACKAGE,
    KERNEL_PACKAGE,
    MODULES,
    READY_LINE,
    Guest,
    boot_members,
)

AGENT_PACKAGE = "qemu-guest-agent"

# A file system's checksums are a module that Linux loads by itself only where there is a modprobe.
_MODULES = (
    *MODULES,
    *("virtio_console", "crc32c_generic", "ext4"),
    *("virtio_balloon", "virtio_scsi", "sr_mod"),
)

_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /run /var/log /data /sbin
ln -s /run /var/run
ln -s /bin/hwclock /sbin/
for module in $(cat /modules/order); do insmod /modules/$module; done
if [ -b /dev/vda ]; then
    mke2fs /dev/vda > /dev/null 2>&1
    mount -t ext4 /dev/vda /data
fi
# qemu-ga asks /sbin/shutdown -h -P +0, which busybox does not know.
echo '#!/bin/sh' > /sbin/shutdown
echo 'case "$*" in *-r*) exec reboot -f;; *) exec poweroff -f;; esac' >> /sbin/shutdown
chmod +x /sbin/shutdown
for port in /sys/class/virtio-ports/*; do
    if [ "$(cat $port/name)" = org.qemu.guest_agent.0 ]; then
        qemu-ga -m virtio-serial -p /dev/${port##*/} -t /run -l /var/log/agent -d
    fi
done
echo "READY" > /dev/ttyS0
while true; do sleep 3600; done
"""


def build_agent_guest() -> Guest:
    """Return the guest, fetching and building it unless the cache holds it.

    Raises:
        RealPartMissingError: It is not in the cache and a package cannot be downloaded.
    """
    names = (KERNEL_PACKAGE, BUSYBOX_PACKAGE, AGENT_PACKAGE)
    recipe = repr((names, READY_LINE, _MODULES, _INIT))
    folder = packages.cached("agent-guest", recipe, _build)
    return Guest(folder / "vmlinuz", folder / "initrd.gz")


def _build(result: Path) -> None:
    init = _INIT.replace("READY", READY_LINE)
    with packages.unpacked(packages.only_dependency(KERNEL_PACKAGE)) as kernel_root:
        (kernel,) = (kernel_root / "boot").glob("vmlinuz-*")
        shutil.copyfile(kernel, result / "vmlinuz")
        members = [*boot_members(init, _MODULES, kernel_root), *_agent_members()]
    archive = initramfs.newc_archive(members)
    (result / "initrd.gz").write_bytes(gzip.compress(archive, mtime=0))


def _agent_members() -> Iterator[initramfs.Member]:
    """Return the agent and every library it is linked to, each where it looks for it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        packages.unpack_missing([AGENT_PACKAGE], root)
        program = root / "usr/sbin/qemu-ga"
        yield initramfs.executable("bin/qemu-ga", program.read_bytes())
        folders: dict[str, None] = {}
        for place, file in _libraries(program, root):
            for parent in reversed(Path(place).parents[:-1]):
                if str(parent) not in folders and str(parent) not in {"bin", "dev"}:
                    folders[str(parent)] = None
                    yield initramfs.folder(str(parent))
            yield initramfs.executable(place, file.read_bytes())


def _libraries(program: Path, root: Path) -> list[tuple[str, Path]]:
    """Return where in the guest each library belongs, and the file it is here."""
    search = ":".join(str(path) for path in sorted(root.glob("**/*-linux-gnu")))
    done = subprocess.run(
        ["ldd", str(program)],
        check=True,
        capture_output=True,
        text=True,
        env={"LD_LIBRARY_PATH": search, "PATH": "/usr/bin:/bin"},
    )
    found = re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)
    return [(_place(path, root), Path(path)) for path in found]


def _place(path: str, root: Path) -> str:
    return path.removeprefix(str(root)).lstrip("/")
