"""The files of one run: what the devices are made of, and the guest's console."""

from __future__ import annotations

import re
import time
from pathlib import Path

from pyvirt_sim.conformance.real.guest import Guest
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


class Workshop:
    """A folder that each arm has for itself."""

    def __init__(self, folder: Path, guest: Guest) -> None:
        self._guest = guest
        self._boots = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {
            "IMAGE": f"{folder}/image",
            "MEDIUM": f"{folder}/medium",
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
        for path in (self._files["IMAGE"], self._files["MEDIUM"]):
            Path(path).write_bytes(bytes(1 << 20))
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

    def wait_until_ready(self) -> None:
        """Block until the guest has booted, once more than last time."""
        self._boots += 1
        deadline_s = time.monotonic() + BOOT_S
        while Path(self.console).read_text().count(self._guest.ready_line) < self._boots:
            assert time.monotonic() < deadline_s, "the guest has not booted"
            time.sleep(0.1)
