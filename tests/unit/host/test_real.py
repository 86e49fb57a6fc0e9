"""The real host: what only a real kernel can show, in a directory of its own and with `/bin/sh`."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
import trio
import trio.testing

from pyvirt_trio.host import real
from pyvirt_trio.host.nodedev import list_node_devices
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.host.real import RealHost, RealProcess
from pyvirt_trio.host.safeguards import why_not_rebind


@pytest.fixture
def host() -> RealHost:
    return RealHost()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_reading_is_bounded(
    host: RealHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "MAX_FILE_BYTES", 10)
    (tmp_path / "fits").write_text("x" * 10)
    (tmp_path / "long").write_text("x" * 11)
    assert await host.read_text(str(tmp_path / "fits")) == "x" * 10
    with pytest.raises(OSError, match="longer than 10 bytes") as caught:
        await host.read_text(str(tmp_path / "long"))
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="longer than 10 bytes"):
        await host.read_text("/dev/zero")


async def test_what_is_not_utf8_is_an_oserror(host: RealHost, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(OSError, match="latin") as caught:
        await host.read_text(str(tmp_path / "latin"))
    assert caught.value.errno == errno.EILSEQ


async def test_state_is_for_its_owner_only(host: RealHost, tmp_path: Path) -> None:
    await host.make_directory(str(tmp_path / "a/b"))
    await host.replace_file(str(tmp_path / "a/b/state"), "x")
    async with host.lock(str(tmp_path / "a/lock")):
        pass
    process = await host.start_process(["true"], log_file=str(tmp_path / "a/log"))
    await process.wait()
    assert [mode(tmp_path / name) for name in ("a", "a/b")] == [0o700, 0o700]
    assert [mode(tmp_path / name) for name in ("a/b/state", "a/lock", "a/log")] == [0o600] * 3


async def test_a_replacement_that_fails_leaves_the_old_file_alone(
    host: RealHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    await host.replace_file(str(path), "old")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            await host.replace_file(str(path), "new")
    assert path.read_text() == "old"
    assert await host.list_directory(str(tmp_path)) == ["state"]


async def test_a_replacement_is_durable_before_it_is_visible(
    host: RealHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    path.write_text("old")
    seen: list[str] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append(f"{kind} synced while {path.read_text()}")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    await host.replace_file(str(path), "new")
    assert seen == ["file synced while old", "directory synced while new"]


async def test_a_lock_ends_with_the_process_that_holds_it(host: RealHost, tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    script = f"exec 9>>{path}; flock 9; echo held; exec sleep 1000"
    process = await host.start_process(["/bin/sh", "-c", script], log_file=str(tmp_path / "log"))
    with trio.fail_after(10):
        while (tmp_path / "log").read_text() != "held\n":
            await trio.sleep(0.005)
        with pytest.raises(BlockingIOError):
            async with host.lock(path):
                raise AssertionError
        process.kill()
        await process.wait()
        async with host.lock(path):
            pass


async def test_a_child_does_not_inherit_a_lock(host: RealHost, tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    async with host.lock(path):
        process = await host.start_process(["sleep", "1000"], log_file=str(tmp_path / "log"))
    async with host.lock(path):
        process.kill()
    await process.wait()


@pytest.fixture
def someone_types() -> Generator[None]:
    """Our own standard input is a pipe that never ends, unlike the one pytest gives us."""
    ours = os.dup(0)
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    yield
    os.dup2(ours, 0)
    for descriptor in (ours, reader, writer):
        os.close(descriptor)


async def test_a_process_has_a_session_of_its_own_and_empty_input(
    host: RealHost, tmp_path: Path, someone_types: None
) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    script = "cat; echo out; echo err >&2; cut -d' ' -f6 /proc/$$/stat"
    process = await host.start_process(["/bin/sh", "-c", script], log_file=str(log))
    pid = process.pid
    with trio.fail_after(10):
        assert await process.wait() == 0
    assert log.read_text() == f"before\nout\nerr\n{pid}\n"


async def ended(host: RealHost, tmp_path: Path, script: str) -> RealProcess:
    process = await host.start_process(["/bin/sh", "-c", script], log_file=str(tmp_path / "log"))
    await process.wait()
    return process


async def test_no_zombie_is_left_and_signals_to_the_dead_do_nothing(
    host: RealHost, tmp_path: Path
) -> None:
    process = await ended(host, tmp_path, "exit 3")
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)  # noqa: ASYNC222 - it does not wait
    process.terminate()
    process.kill()
    assert await process.wait() == 3


async def test_several_tasks_wait_for_one_process(host: RealHost, tmp_path: Path) -> None:
    process = await host.start_process(["sleep", "1000"], log_file=str(tmp_path / "log"))
    seen: list[int | None] = []

    async def wait() -> None:
        seen.append(await process.wait())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        process.terminate()
    assert seen == [-signal.SIGTERM, -signal.SIGTERM]


async def test_a_cancelled_wait_does_not_touch_the_process(host: RealHost, tmp_path: Path) -> None:
    process = await host.start_process(["sleep", "1000"], log_file=str(tmp_path / "log"))
    with trio.move_on_after(0.01) as scope:
        await process.wait()
    assert scope.cancelled_caught
    os.kill(process.pid, 0)
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def test_tcp_failures_carry_the_kernels_errno(host: RealHost) -> None:
    with socket.socket() as bound:  # bound and not listening: refuses
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await host.open_stream(f"tcp:127.0.0.1:{bound.getsockname()[1]}")


@pytest.mark.parametrize("family", ["127.0.0.1", "[::1]"])
async def test_a_tcp_stream_carries_bytes(host: RealHost, family: str) -> None:
    [listener] = await trio.open_tcp_listeners(0, host=family.strip("[]"))
    port = listener.socket.getsockname()[1]
    async with listener, await host.open_stream(f"tcp:{family}:{port}") as ours:
        async with await listener.accept() as theirs:
            await ours.send_all(b"hello")
            assert await theirs.receive_some(100) == b"hello"


@pytest.mark.parametrize(
    "address",
    ["", "unix:", "/run/x", "tcp:", "tcp:host", "tcp::80", "tcp:h:", "tcp:h:65536", "udp:h:1"],
)
async def test_other_addresses_are_told_what_is_allowed(host: RealHost, address: str) -> None:
    with pytest.raises(ValueError, match="is neither unix:PATH nor tcp:HOST:PORT"):
        await host.open_stream(address)


async def test_a_path_too_long_for_a_socket_says_so(host: RealHost) -> None:
    with pytest.raises(OSError, match="at most 107") as caught:
        await host.open_stream("unix:/" + "x" * 107)
    assert caught.value.errno == errno.ENAMETOOLONG
    with pytest.raises(FileNotFoundError):
        await host.open_stream("unix:/" + "x" * 106)


def test_identities_are_fresh_and_time_is_after_this_was_written(host: RealHost) -> None:
    first, second = host.fresh_uuid(), host.fresh_uuid()
    assert isinstance(first, uuid.UUID)
    assert first != second
    assert host.wall_clock_s() > 1_750_000_000


needs_pci = pytest.mark.skipif(
    not Path("/sys/bus/pci/devices").is_dir(), reason="this machine has no PCI bus in sysfs"
)


@needs_pci
async def test_this_machines_devices_are_those_of_sysfs(host: RealHost) -> None:
    devices = await list_node_devices(host)
    names = await host.list_directory("/sys/bus/pci/devices")
    folders = [Path(f"/sys/bus/pci/devices/{name}") for name in names]
    assert [str(device.address) for device in devices] == names
    for device, folder in zip(devices, folders, strict=True):
        assert f"0x{device.vendor_id:04x}" == (folder / "vendor").read_text().strip()
        assert (device.driver is not None) == (folder / "driver").exists()
        assert (device.iommu_group is not None) == (folder / "iommu_group").exists()


def devices_this_machine_stands_on() -> set[str]:
    """Every part of the sysfs paths of the default routes' interfaces and the root's disk."""
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    paths = [Path(f"/sys/class/net/{words[0]}") for words in routes if words[1] == "00000000"]
    root = Path("/").stat().st_dev
    paths.append(Path(f"/sys/dev/block/{os.major(root)}:{os.minor(root)}"))
    return {part for path in paths for part in path.resolve().parts}


@needs_pci
async def test_what_this_machine_stands_on_is_refused(host: RealHost) -> None:
    addresses = await PciBus(host).addresses()
    refused = {str(each) for each in addresses if await why_not_rebind(host, each) is not None}
    assert {str(each) for each in addresses} & devices_this_machine_stands_on() <= refused


async def test_an_adopted_process_is_watched_and_signalled(host: RealHost, tmp_path: Path) -> None:
    process = await host.start_process(["sleep", "1000"], log_file=str(tmp_path / "log"))
    process.leave()
    process.leave()
    adopted = await host.adopt_process(process.pid)
    adopted.terminate()
    with trio.fail_after(10):
        assert await adopted.wait() == -signal.SIGTERM  # known, because it is our child after all


async def test_the_status_of_somebody_elses_child_is_not_known(
    host: RealHost, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    script = "sleep 1000 & echo $!; read line < /dev/null; wait"
    parent = await host.start_process(["/bin/sh", "-c", script], log_file=str(log))
    with trio.fail_after(10):
        while not log.exists() or not log.read_text():
            await trio.sleep(0.005)
        adopted = await host.adopt_process(int(log.read_text()))
        adopted.kill()
        assert await adopted.wait() is None
        await parent.wait()


@pytest.mark.parametrize(("folder", "path"), [("/", "/image"), ("/srv", "/srv/image")])
def test_a_file_may_be_right_below_the_root(folder: str, path: str) -> None:
    assert folder == real._folder(path)
