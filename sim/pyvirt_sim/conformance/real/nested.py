"""A machine of our own with an IOMMU: PCI devices, sysfs and vfio of a real kernel, touching none.

An outer QEMU (under TCG, so that any machine will do) boots Debian's full kernel with
``intel_iommu=on`` and sees this machine's root file system over 9p, read-only. A program of this
machine is run inside, in a chroot of it, with the guest's own /proc, /sys and /dev; it leaves files
in ``/run/result``, which is a folder of this machine. There is no network.
"""

from __future__ import annotations

import gzip
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from pyvirt_sim.conformance.real import initramfs, packages
from pyvirt_sim.conformance.real.guest import BUSYBOX_PACKAGE, boot_members
from pyvirt_sim.conformance.real.inside import MARK

KERNEL_PACKAGE = "linux-image-amd64"
"""The kernel for clouds has no 9p."""

MODULES = (
    *("virtio_pci", "9pnet_virtio", "9p"),
    *("vfio_iommu_type1", "vfio_pci", "pci_stub"),
    *("xhci_pci", "virtio_scsi", "sg", "vhost_scsi"),
    *("e1000e", "e1000", "nvme"),
)
"""The drivers of the devices come last, so that everything that watches them is there."""

PATIENCE_S = 400
"""Ten times what a run takes on an idle machine."""

_QEMU = (
    "qemu-system-x86_64 -accel tcg,thread=multi -M q35,kernel-irqchip=split -cpu max -smp 2 -m 1500"
    " -nodefaults -display none -no-reboot -device intel-iommu,intremap=on,caching-mode=on"
)
# The kernel's test of its timer counts ticks against a loop, and panics where the machine is busy.
_CMDLINE = f"console=ttyS0 quiet panic=-1 intel_iommu=on no_timer_check {MARK}"

# /run/result is shared with the outside and written at once, so nothing is lost by the power-off.
_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
mkdir /host
plan9="trans=virtio,version=9p2000.L,msize=262144"
mount -t 9p -o $plan9,ro,cache=loose host /host || poweroff -f
mount -t tmpfs tmpfs /host/run
for folder in proc sys dev; do mount -o bind /$folder /host/$folder; done
mkdir /host/run/result
mount -t 9p -o $plan9 result /host/run/result || poweroff -f
chroot /host /bin/sh < /job
poweroff -f
"""


class NestedRunError(Exception):
    """The program inside did not end as it should; the text holds what it and the kernel said.

    Args:
        message: The text.
        files: What it has left in ``/run/result`` until then.
    """

    def __init__(self, message: str, files: Mapping[str, str]) -> None:
        super().__init__(message)
        self.files = files


@attrs.frozen
class NestedMachine:
    """What boots: a kernel and its initramfs."""

    kernel: Path
    initrd: Path

    def run(
        self,
        argv: Sequence[str],
        *,
        devices: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> dict[str, str]:
        """Boot, run a program inside, and power off.

        Args:
            argv: The program and its arguments, with paths of this machine, none below /run. Its
                working directory is ``/run/result``; nothing else is writable but /run.
            devices: QEMU options that put devices into the machine.
            files: Texts that are in ``/run/result`` when it starts.
            environment: Variables of the program.
            patience_s: Real seconds after which it is killed.

        Returns:
            The text of every file that the program left in ``/run/result``, by name.

        Raises:
            NestedRunError: The program failed, or it took too long.
            OSError: There is no QEMU.
        """
        with tempfile.TemporaryDirectory(prefix="pyvirt-nested-") as work:
            result = Path(work) / "result"
            result.mkdir()
            for name, text in (files or {}).items():
                (result / name).write_text(text)
            initrd = Path(work) / "initrd"
            # The kernel unpacks archives that follow each other, one over the other.
            initrd.write_bytes(self.initrd.read_bytes() + _job(argv, environment or {}))
            console = Path(work) / "console"
            command = [
                *_QEMU.split(),
                *("-kernel", str(self.kernel), "-initrd", str(initrd), "-append", _CMDLINE),
                *("-serial", f"file:{console}"),
                *_share("host", "/", ",readonly=on"),
                *_share("result", str(result)),
                *devices,
            ]
            trouble = _run(command, patience_s)
            found = {path.name: path.read_text() for path in sorted(result.iterdir())}
            if trouble or found.get("status") != "0\n":
                said = "\n".join(found.get(name, "") for name in ("stdout", "stderr"))
                raise NestedRunError(f"{shlex.join(argv)}: {trouble}{said}{_tail(console)}", found)
            return found


def build_nested() -> NestedMachine:
    """Return the machine, fetching and building it unless the cache holds it.

    Raises:
        RealPartMissingError: It is not in the cache and a package cannot be downloaded.
    """
    recipe = repr((KERNEL_PACKAGE, BUSYBOX_PACKAGE, MODULES, _INIT))
    folder = packages.cached("nested", recipe, _build)
    return NestedMachine(folder / "vmlinuz", folder / "initrd.gz")


def _build(result: Path) -> None:
    with packages.unpacked(packages.only_dependency(KERNEL_PACKAGE)) as kernel_root:
        (kernel,) = (kernel_root / "boot").glob("vmlinuz-*")
        shutil.copyfile(kernel, result / "vmlinuz")
        archive = initramfs.newc_archive(boot_members(_INIT, MODULES, kernel_root))
    (result / "initrd.gz").write_bytes(gzip.compress(archive, mtime=0))


def _job(argv: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """An archive that holds the shell script which runs the program."""
    exports = "".join(f"export {key}={shlex.quote(text)}\n" for key, text in environment.items())
    script = (
        f"export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run\n{exports}"
        f"cd /run/result\n{shlex.join(argv)} > stdout 2> stderr\necho $? > status\n"
    )
    archive = initramfs.newc_archive([initramfs.executable("job", script.encode())])
    return gzip.compress(archive, mtime=0)


def _share(tag: str, path: str, more: str = "") -> tuple[str, str]:
    # `remap` keeps files of different file systems below one root apart.
    options = f"mount_tag={tag},security_model=none,multidevs=remap{more}"
    return ("-virtfs", f"local,path={path},{options}")


def _run(command: Sequence[str], patience_s: float) -> str:
    """Run QEMU to its end and return what is wrong with it, or nothing."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=patience_s
        )
    except subprocess.TimeoutExpired:
        return f"no end after {patience_s:g} s\n"
    return f"QEMU: {done.stderr.strip()}\n" if done.returncode else ""


def _tail(console: Path) -> str:
    text = console.read_text(errors="replace") if console.exists() else ""
    return f"\nlast lines of the console:\n{text[-2000:]}"
