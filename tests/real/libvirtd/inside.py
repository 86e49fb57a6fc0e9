"""The first process of the namespaces that a private libvirtd lives in; not for import.

``unshare --mount --net --pid --fork --mount-proc python3 inside.py ROOT STATE``. What it mounts,
the network it sees and every process below it are its own: nothing of the machine is changed, and
when it ends the kernel ends the rest. As process 1 it also reaps: libvirtd counts a QEMU that
nobody has reaped as alive, and would wait for it. Knows only the standard library.

Reads one word a line (start, stop, kill, memory) and answers each with a line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

MS_BIND, MS_REC = 0x1000, 0x4000
SCRATCH = "/mnt"
PATIENCE_S = 60

QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
"""
LIBVIRTD_CONF = """\
unix_sock_dir = "{state}/socket"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:{state}/libvirtd.log"
log_filters = "{filters}"
"""
# Each line on the monitor is one record of the level "info".
MONITOR_FILTER = "2:qemu.qemu_monitor"

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0) -> None:
    """The system call, which Python does not have."""
    words = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    if _libc.mount(*words, flags, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def show(source: str, target: Path) -> None:
    """Let ``target``, which need not exist, be the folder ``source``."""
    if not target.is_dir():
        _make_room(target)
    mount(source, os.fspath(target), flags=MS_BIND)


def _make_room(target: Path) -> None:
    """A folder that looks like the real one, and has a place for ``target`` in it."""
    mount("tmpfs", SCRATCH, "tmpfs")
    with os.scandir(target.parent) as entries:
        for entry in entries:
            copy = Path(SCRATCH, entry.name)
            if entry.is_symlink():
                copy.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                copy.mkdir()
                mount(entry.path, os.fspath(copy), flags=MS_BIND | MS_REC)
            else:
                copy.touch()
                mount(entry.path, os.fspath(copy), flags=MS_BIND)
    Path(SCRATCH, target.name).mkdir()
    mount(SCRATCH, os.fspath(target.parent), flags=MS_BIND | MS_REC)
    _libc.umount2(os.fsencode(SCRATCH), 2)  # MNT_DETACH


def set_up(root: Path, state: Path, filters: str) -> dict[str, str]:
    """Mount what libvirtd looks for, write what it reads; return its environment."""
    mount("tmpfs", "/run", "tmpfs")  # hides D-Bus and with it systemd's daemons
    libraries = os.fspath(next(root.glob("usr/lib/*-linux-gnu")))
    show(f"{root}/usr/share/libvirt", Path("/usr/share/libvirt"))
    show(os.fspath(_helpers(root, state, libraries)), Path("/usr/lib/libvirt"))
    for name in ("/etc", "/var/lib", "/var/cache", "/var/log"):
        (state / name[1:]).mkdir(parents=True, exist_ok=True)
        show(f"{state}{name}", Path(name, "libvirt"))
    for name, line in (("passwd", "libvirt-qemu:x:64055:64055::/:/bin/false"), ("group", "")):
        text = Path("/etc", name).read_text()
        (state / name).write_text(f"{text.rstrip()}\n{line or 'libvirt-qemu:x:64055:'}\n")
        mount(f"{state}/{name}", f"/etc/{name}", flags=MS_BIND)
    (state / "socket").mkdir(exist_ok=True)
    Path("/etc/libvirt/qemu.conf").write_text(QEMU_CONF)
    Path("/etc/libvirt/libvirtd.conf").write_text(
        LIBVIRTD_CONF.format(state=state, filters=filters)
    )
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": libraries,
        "LIBVIRT_DRIVER_DIR": os.fspath(_drivers(root, state)),
    }


def _helpers(root: Path, state: Path, libraries: str) -> Path:
    """A folder of libvirt's helpers, one of which writes saved machines and cores.

    They find libvirt's library here: libvirtd starts them without its own environment.
    """
    folder = state / "helpers"
    folder.mkdir(exist_ok=True)
    for program in root.glob("usr/lib/libvirt/*"):
        wrapper = folder / program.name
        wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n')
        wrapper.chmod(0o755)
    return folder


def _drivers(root: Path, state: Path) -> Path:
    """A folder with QEMU's driver alone: no networks, no pools, no node devices to be touched."""
    folder = state / "drivers"
    folder.mkdir(exist_ok=True)
    (driver,) = root.glob("usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so")
    shutil.copy(driver, folder)
    return folder


class Children:
    """Reaps every process that ends, and knows which have."""

    def __init__(self) -> None:
        self._ended: set[int] = set()
        self._changed = threading.Condition()

    def watch(self) -> None:
        """Reap for ever; there is always a child, virtlogd."""
        while True:
            pid, _ = os.waitpid(-1, 0)
            with self._changed:
                self._ended.add(pid)
                self._changed.notify_all()

    def has_ended(self, pid: int, within_s: float) -> bool:
        """Whether a process ends in some time."""
        with self._changed:
            return self._changed.wait_for(lambda: pid in self._ended, within_s)


class Daemon:
    """One libvirtd, started and ended as often as asked."""

    def __init__(self, program: Path, environment: dict[str, str], children: Children) -> None:
        self._program = program
        self._environment = environment
        self._children = children
        self._pid = 0

    def start(self) -> dict[str, float]:
        """It runs; the client waits for its socket."""
        started_s = time.monotonic()
        self._pid = os.posix_spawn(self._program, [os.fspath(self._program)], self._environment)
        return {"started_s": started_s}

    def stop(self) -> dict[str, float]:
        """It has ended, politely asked."""
        return self._end(signal.SIGTERM)

    def kill(self) -> dict[str, float]:
        """It has ended, whatever it was doing."""
        return self._end(signal.SIGKILL)

    def memory(self) -> dict[str, int]:
        """Its resident and its private dirty memory, in kB."""
        text = Path(f"/proc/{self._pid}/smaps_rollup").read_text()
        found = {name: int(kb) for name, kb in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
        return {"rss_kb": found["Rss"], "private_kb": found["Private_Dirty"]}

    def _end(self, number: signal.Signals) -> dict[str, float]:
        asked_s = time.monotonic()
        os.kill(self._pid, number)
        if not self._children.has_ended(self._pid, PATIENCE_S):
            raise TimeoutError(f"libvirtd outlived {number.name}")
        return {"took_s": time.monotonic() - asked_s}


def main() -> None:
    """Serve until the pipe is closed; the kernel ends what is left then."""
    root, state, filters = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    environment = set_up(root, state, filters)
    children = Children()
    logger = os.fspath(root / "usr/sbin/virtlogd")
    os.posix_spawn(logger, [logger], environment)
    threading.Thread(target=children.watch, daemon=True).start()
    daemon = Daemon(root / "usr/sbin/libvirtd", environment, children)
    for line in sys.stdin:
        print(json.dumps(getattr(daemon, line.strip())()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
