"""A private libvirtd: its own files, network and processes, gone without a trace afterwards.

It runs in namespaces of its own (see `inside.py`), with QEMU's driver alone: there are no networks,
storage pools or node devices in it, and it cannot see this machine's network. Needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyvirt_sim.conformance.real.packages import RealPartMissingError
from tests.real.libvirtd import inside, packages

_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
# libvirt-python of Debian 12 is built for this one; other interpreters use Debian's.
_PYTHON = sys.executable if sys.version_info[:2] == (3, 11) else "/usr/bin/python3.11"


class Libvirtd:
    """A running private libvirtd; made by `private_libvirtd`."""

    def __init__(self, root: Path, state: Path, process: subprocess.Popen[str]) -> None:
        self.state = state
        self._root = root
        self._process = process

    @property
    def uri(self) -> str:
        """What a client opens."""
        return f"qemu+unix:///system?mode=legacy&socket={self.state}/socket/libvirt-sock"

    @property
    def log(self) -> Path:
        """Its log; with `inside.MONITOR_FILTER`, also what it says to QEMU and hears from it."""
        return self.state / "libvirtd.log"

    def ask(self, word: str) -> dict[str, Any]:
        """One of ``start``, ``stop``, ``kill`` and ``memory``; returns what it measured."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RealPartMissingError(f"the namespaces of libvirtd have ended at {word!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @contextmanager
    def client(self) -> Generator[Client]:
        """A client in a process of its own, connected, told of every event."""
        program = os.fspath(Path(__file__).with_name("client.py"))
        process = subprocess.Popen(
            [_PYTHON, program, self.uri],
            env=client_environment(self._root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield Client(process, self.log)
            finally:
                process.kill()


class Client:
    """A connection to a libvirtd, through libvirt-python."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def call(self, name: str, *arguments: Any, domain: str | None = None) -> dict[str, Any]:
        """Call a method of the connection, or of a domain, or a function of `client.py`.

        Returns:
            ``result`` or ``error`` (code, domain, text), and ``took_s``.
        """
        return self._ask({"call": name, "arguments": arguments, "domain": domain})

    def require(self, name: str, *arguments: Any, domain: str | None = None) -> Any:
        """As `call`, for what cannot fail: the result itself."""
        answer = self.call(name, *arguments, domain=domain)
        if "error" in answer:
            raise RuntimeError(f"{name}: {answer['error']}\n{self._log.read_text()[-2000:]}")
        return answer["result"]

    def events(self) -> Sequence[Mapping[str, Any]]:
        """All events that were due by now and not returned yet, in order."""
        found: Sequence[Mapping[str, Any]] = self.require("events")
        return found

    def wait(self) -> Sequence[Mapping[str, Any]]:
        """Events, once there are any."""
        found: Sequence[Mapping[str, Any]] = self.require("wait")
        return found

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client has ended:\n{self._log.read_text()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def client_environment(root: Path) -> dict[str, str]:
    """What a Python needs to import libvirt's module and its library."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.fspath(root / "usr/lib/python3/dist-packages"),
        "LD_LIBRARY_PATH": os.fspath(next(root.glob("usr/lib/*-linux-gnu"))),
    }


def why_not() -> str | None:
    """Why there can be no private libvirtd on this machine, or None."""
    if os.geteuid() != 0:
        return "a private libvirtd needs root"
    if shutil.which("unshare") is None:
        return "there is no unshare(1)"
    if not Path(_PYTHON).exists():
        return f"libvirt's Python client needs {_PYTHON}"
    try:
        packages.fetch_libvirt()
    except RealPartMissingError as error:
        return str(error)
    probe = subprocess.run([*_UNSHARE, "true"], check=False, capture_output=True, text=True)
    return f"no namespaces can be made: {probe.stderr.strip()}" if probe.returncode else None


@contextmanager
def private_libvirtd(*, filters: str = inside.MONITOR_FILTER) -> Generator[Libvirtd]:
    """A private libvirtd, for the length of a block.

    Args:
        filters: libvirt's ``log_filters``; empty for benchmarks, which should not pay for logs.

    Raises:
        RealPartMissingError: There can be none here; see `why_not`.
    """
    root = packages.fetch_libvirt()
    with tempfile.TemporaryDirectory(prefix="pyvirt-libvirtd-") as folder:
        state = Path(folder)
        state.chmod(0o711)
        (state / "libvirtd.log").touch()
        command = [*_UNSHARE, "python3", inside.__file__, os.fspath(root), folder, filters]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                daemon = Libvirtd(root, state, process)
                daemon.ask("start")
                yield daemon
            finally:
                process.kill()  # and with it process 1 of the namespaces, and all the others
