"""The commands as a person types them, on a real QEMU with a booted Linux guest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 60
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
PYVIRT = [sys.executable, "-c", "from pyvirt_trio.cli import main; main()"]


class Shell:
    """Runs ``pyvirt --root DIR ...``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [*PYVIRT, "--root", str(self.root), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words: str, status: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == status, (words, out, err)
        return out.strip() or err.strip()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / "vms")
    yield shell
    for pid in keepers(shell.root):
        os.kill(pid, signal.SIGTERM)
    for pid in qemus(shell.root):
        os.kill(pid, signal.SIGKILL)


def keepers(root: Path) -> list[int]:
    """Keepers of a root say so in their command lines."""
    keeper = [b"-m", b"pyvirt_trio.daemon", os.fsencode(root)]
    return [pid for pid, words in processes() if words[1:4] == keeper]


def qemus(root: Path) -> list[int]:
    """And so do QEMUs, which outlive it."""
    monitors = os.fsencode(f"path={root}/run/")
    return [pid for pid, words in processes() if any(monitors in word for word in words)]


def processes() -> Iterator[tuple[int, list[bytes]]]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(entry.parent.name), entry.read_bytes().split(b"\0")
        except OSError:
            continue


def test_define_start_watch_plug_unplug_destroy(
    shell: Shell, linux_guest: Guest, tmp_path: Path
) -> None:
    console = tmp_path / "console"
    console.touch()
    (tmp_path / "rng.xml").write_text(RNG)
    (tmp_path / "demo.xml").write_text(
        f"""<domain type='qemu'><name>demo</name><memory unit='MiB'>256</memory>
        <os><type machine='q35'>hvm</type><kernel>{linux_guest.kernel}</kernel>
        <initrd>{linux_guest.initrd}</initrd><cmdline>{linux_guest.cmdline}</cmdline></os>
        <devices><controller type='pci' index='1' model='pcie-root-port'/>
        <serial type='file'><source path='{console}'/></serial></devices></domain>"""
    )
    assert "Domain 'demo' defined" in shell.run("define", str(tmp_path / "demo.xml"))
    assert shell.run("start", "demo") == "Domain 'demo' started"
    deadline_s = time.monotonic() + PATIENCE_S
    while linux_guest.ready_line not in console.read_text():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    watcher = shell.start("event", "--count", "2", "--json")
    # A subscriber is told nothing of what came before it: give it time to connect.
    time.sleep(1)
    assert shell.run("attach-device", "demo", str(tmp_path / "rng.xml")).endswith("rng0")
    assert "<alias name='rng0'/>" in shell.run("dumpxml", "demo")
    assert shell.run("detach-device", "demo", "rng0") == "Device detached successfully"
    assert "rng0" not in shell.run("dumpxml", "demo")
    assert shell.run("attach-device", "demo", str(tmp_path / "rng.xml"), "--config") == (
        "Device attached successfully"
    )
    assert "<rng" not in shell.run("dumpxml", "demo")
    assert "<rng" in shell.run("dumpxml", "demo", "--inactive")
    out, _ = watcher.communicate(timeout=PATIENCE_S)
    kinds = [json.loads(line)["kind"] for line in out.splitlines()]
    assert kinds == ["DeviceAdded", "DeviceRemoved"]
    assert shell.run("shutdown", "demo") == "Domain 'demo' is being shutdown"
    while shell.run("domstate", "demo", "--reason") != "shutoff (shutdown)":
        assert time.monotonic() < deadline_s
    assert shell.run("start", "nope", status=1) == ("error: no domain with matching name 'nope'")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_domain_outlives_its_keeper(shell: Shell, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "demo.xml").write_text(
        "<domain type='qemu'><name>demo</name><memory unit='MiB'>16</memory>"
        "<os><type machine='q35'>hvm</type></os></domain>"
    )
    shell.run("define", str(tmp_path / "demo.xml"))
    shell.run("start", "demo", "--paused")
    (keeper,), (qemu,) = keepers(shell.root), qemus(shell.root)
    os.kill(keeper, number)
    deadline_s = time.monotonic() + PATIENCE_S
    while keepers(shell.root):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert shell.run("domstate", "demo", "--reason") == "paused (user)"
    assert keepers(shell.root) != [keeper]
    assert shell.run("resume", "demo") == "Domain 'demo' resumed"
    assert qemus(shell.root) == [qemu]
    shell.run("destroy", "demo")
    assert qemus(shell.root) == []


def test_whoever_follows_events_sees_each_once_though_the_keeper_is_killed(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "demo.xml").write_text(
        "<domain type='qemu'><name>demo</name><memory unit='MiB'>16</memory>"
        "<os><type machine='q35'>hvm</type></os></domain>"
    )
    shell.run("define", str(tmp_path / "demo.xml"))
    watcher = shell.start("event", "--loop", "--timestamp", "--json", "--count", "8")
    one = shell.start("event", "--domain", "demo", "--event", "lifecycle", "--timestamp")
    time.sleep(1.5)  # a subscriber is told nothing of what came before it
    shell.run("start", "demo")
    line, cursor = one.communicate(timeout=PATIENCE_S)  # the first event, and no more
    assert re.fullmatch(
        r"2\d{3}-\S+ \S+: event 'lifecycle' for domain 'demo': DomainResumed detail=\S+\n", line
    )
    assert re.fullmatch(r"cursor: \S+:2\n", cursor)
    for _ in range(2):
        (keeper,) = keepers(shell.root)
        os.kill(keeper, signal.SIGKILL)
        while keepers(shell.root):
            time.sleep(0.05)
        shell.run("suspend", "demo")  # starts the next one
        shell.run("resume", "demo")
    shell.run("destroy", "demo")
    out, _ = watcher.communicate(timeout=PATIENCE_S)
    told = [json.loads(line) for line in out.splitlines()]
    assert [one["sequence"] for one in told] == list(range(2, 10))
    assert [one["kind"] for one in told] == [
        *("DomainResumed", "DomainStarted"),
        *("DomainSuspended", "DomainResumed") * 2,
        *("DomainShutdown", "DomainStopped"),
    ]
