"""The files of one run: what the devices are made of, and the guest's console."""

from __future__ import annotations

import os
import re
import struct
import time
from pathlib import Path

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt.answers import EventLine
from tests.real.counting import build_counting_guest

_MANAGED_SAVE = re.compile(r"/[\w./-]*/save/\w+\.save")
_RANDOM_MAC = re.compile(r"to 52:54:00:[0-9a-f:]{8}")
_CORE_FILE = re.compile(r"/[\w./-]*/dump/[\w:.-]+")
_OPEN_FILE = re.compile(r"\bfd:[0-9]+")

_WRAPPER = """\
#!/bin/sh
# QEMU with a panic device, except where libvirt asks what there is.
case "$*" in *"-machine none"*) exec qemu-system-x86_64 "$@";; esac
exec qemu-system-x86_64 "$@" -device pvpanic
"""

SETTLE_S = 1.0
"""How long a Linux guest may take to find a new device and bind its driver: some 100 ms."""

BOOT_S = 120


CLUSTER = 1 << 16
"""QEMU's default."""

LAYERED_BYTES = 1 << 26
"""A job goes through an image in steps of 512 KiB: there must be many of them."""


def overlay(backing: str) -> bytes:
    """An empty qcow2 image on top of a raw one: head, counts of clusters, tables."""
    name = backing.encode()
    extension = struct.pack(">II8sII", 0xE2792ACA, 3, b"raw", 0, 0)
    name_at, l1_at, counts_at, blocks_at = 0x200, 3 * CLUSTER, CLUSTER, 2 * CLUSTER
    head = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(b"QFI\xfb", 3, name_at, len(name), 16, LAYERED_BYTES, 0, 1, l1_at, counts_at, 1, 0, 0),
        *(0, 0, 0, 4, 104),
    )
    first = (head + extension).ljust(name_at, b"\0") + name
    clusters = (first, struct.pack(">Q", blocks_at), struct.pack(">4H", 1, 1, 1, 1), bytes(CLUSTER))
    return b"".join(cluster.ljust(CLUSTER, b"\0") for cluster in clusters)


class Workshop:
    """A folder that each arm has for itself."""

    def __init__(self, folder: Path, guest: Guest) -> None:
        self._guest = guest
        self._boots = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {
            "IMAGE": f"{folder}/image",
            "MEDIUM": f"{folder}/medium",
            "BASE": f"{folder}/base",
            "OVERLAY": f"{folder}/overlay",
            "SOCKET": f"{folder}/socket",
            "SAVED": f"{folder}/saved",
            "CORE": f"{folder}/core",
            "NAME": f"pyvirt-{folder.parent.name}-{folder.name}",
        }
        counting = build_counting_guest()
        self._files |= {
            "COUNTING_KERNEL": str(counting.kernel),
            "COUNTING_INITRD": str(counting.initrd),
            "WRAPPER": f"{folder}/qemu",
        }
        Path(self._files["WRAPPER"]).write_text(_WRAPPER)
        Path(self._files["WRAPPER"]).chmod(0o755)
        self.console = self._files["CONSOLE"] = f"{folder}/console"
        for word in ("IMAGE", "MEDIUM"):
            Path(self._files[word]).write_bytes(bytes(1 << 20))
        Path(self._files["BASE"]).touch()
        os.truncate(self._files["BASE"], LAYERED_BYTES)
        Path(self._files["OVERLAY"]).write_bytes(overlay(self._files["BASE"]))
        Path(self.console).touch()

    def filled(self, argument: str) -> str:
        """``argument`` with the names of this run's files."""
        for word, path in self._files.items():
            argument = argument.replace(word, path)
        return argument

    def neutral(self, text: str) -> str:
        """``text`` without the names of this run's files."""
        for word, path in self._files.items():
            text = text.replace(path, word)
        text = _RANDOM_MAC.sub("to RANDOM", text)
        return _OPEN_FILE.sub("fd:N", _MANAGED_SAVE.sub("SAVED", _CORE_FILE.sub("CORE", text)))

    def neutral_event(self, event: EventLine) -> EventLine:
        """``event`` without them."""
        return tuple(map(self.neutral, event))

    def wait_until_ready(self) -> None:
        """Block until the guest has booted, once more than last time."""
        self._boots += 1
        deadline_s = time.monotonic() + BOOT_S
        while Path(self.console).read_text().count(self._guest.ready_line) < self._boots:
            assert time.monotonic() < deadline_s, "the guest has not booted"
            time.sleep(0.1)
