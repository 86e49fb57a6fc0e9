"""A booted Linux guest for the price of a file: booted once, saved, and loaded for each program."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import time
from pathlib import Path

from pyvirt_sim.conformance.real.guest import Guest, build_guest
from pyvirt_sim.conformance.real_qemu import RealQemu, start_qemu
from pyvirt_sim.conformance.shapes import SHAPES

BOOT_PATIENCE_S = 60.0
# No power button without ACPI, no slots without the port services.
_DEAF = "acpi=off pcie_ports=compat"


class BootError(Exception):
    """The guest did not come up, or could not be saved."""


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pyvirt-linux-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _guest() -> Guest:
    return build_guest()


def boot_options(shape: str) -> tuple[str, ...]:
    """The options that boot the guest of a shape.

    Raises:
        RealPartMissingError: The guest cannot be built here.
    """
    guest = _guest()
    words = f"{guest.cmdline} {_DEAF}" if SHAPES[shape].is_deaf else guest.cmdline
    return ("-kernel", str(guest.kernel), "-initrd", str(guest.initrd), "-append", words)


@functools.cache
def saved(shape: str) -> Path:
    """A file with the booted machine of a shape, processors stopped; made once in this process.

    Raises:
        BootError: The guest did not come up.
    """
    target = _folder() / shape
    with (
        tempfile.TemporaryDirectory(prefix="pyvirt-") as root,
        tempfile.TemporaryFile() as log,
        start_qemu(
            lambda monitor, serial: SHAPES[shape].argv(monitor, serial, root, boot_options(shape)),
            root,
            log,
        ) as qemu,
    ):
        qemu.negotiate()
        qemu.execute("cont")
        qemu.wait_for_line(_guest().ready_line, BOOT_PATIENCE_S)
        qemu.execute("stop")
        qemu.execute("migrate", uri=f"exec:cat > {target}")
        deadline = time.perf_counter() + BOOT_PATIENCE_S
        while (state := _migration(qemu)) != "completed":
            if state == "failed" or time.perf_counter() > deadline:
                raise BootError(f"saving the machine {shape}: {state}")
            qemu.wait(lambda _: False, 0.02)
    return target


def _migration(qemu: RealQemu) -> str:
    answer: str = qemu.execute("query-migrate")["return"]["status"]
    return answer


def resume(qemu: RealQemu) -> None:
    """Let a machine that loads a saved one go on, once it has been loaded.

    Raises:
        BootError: It was not loaded.
    """
    deadline = time.perf_counter() + BOOT_PATIENCE_S
    while qemu.execute("query-status")["return"]["status"] == "inmigrate":
        if time.perf_counter() > deadline:
            raise BootError("loading the saved machine takes too long")
        qemu.wait(lambda _: False, 0.01)
    qemu.execute("cont")
    qemu.take()
