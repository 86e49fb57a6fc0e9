"""One contract of the seam, two hosts: what `pyvirt_trio.abc` promises holds on both alike.

Each body runs against a directory of this machine and against the simulated one; every answer and
every errno below was first seen from the Linux kernel.
"""

from __future__ import annotations

import errno
import importlib
import uuid
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from pyvirt_trio.abc import FileHead, Host
from pyvirt_trio.host.real import RealHost

PCI = "/sys/bus/pci"


@asynccontextmanager
async def open_arm(arm: str, tmp_path: Path) -> AsyncGenerator[tuple[Host, str]]:
    """A host, and an empty directory on it."""
    if arm == "real":
        yield RealHost(), str(tmp_path)
        return
    async with importlib.import_module("pyvirt_sim.host").open_sim_host() as host:
        await host.make_directory("/var/lib/seam")
        yield host, "/var/lib/seam"


def has_simulated_host() -> bool:
    try:
        return hasattr(importlib.import_module("pyvirt_sim.host"), "open_sim_host")
    except ImportError:
        return False


@pytest.fixture(
    params=[
        "real",
        pytest.param(
            "simulated",
            marks=pytest.mark.skipif(not has_simulated_host(), reason="no pyvirt_sim.host"),
        ),
    ]
)
async def machine(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[tuple[Host, str]]:
    async with open_arm(request.param, tmp_path) as opened:
        yield opened


Machine = tuple[Host, str]


async def errno_of(call: Awaitable[object]) -> int | None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is the answer
        await call
    return caught.value.errno


async def test_a_file_is_what_was_last_put_there(machine: Machine) -> None:
    host, root = machine
    await host.replace_file(f"{root}/state", "one\n")
    await host.replace_file(f"{root}/state", "zwölf\n")
    assert await host.read_text(f"{root}/state") == "zwölf\n"
    assert await host.list_directory(root) == ["state"]
    await host.remove_file(f"{root}/state")
    assert await host.list_directory(root) == []
    assert not await host.exists(f"{root}/state")


async def test_an_empty_file_is_a_file(machine: Machine) -> None:
    host, root = machine
    await host.replace_file(f"{root}/empty", "")
    assert await host.exists(f"{root}/empty")
    assert await host.read_text(f"{root}/empty") == ""


async def test_what_is_missing_is_enoent(machine: Machine) -> None:
    host, root = machine
    missing = f"{root}/missing"
    assert await errno_of(host.read_text(missing)) == errno.ENOENT
    assert await errno_of(host.write_attribute(missing, "x")) == errno.ENOENT
    assert await errno_of(host.remove_file(missing)) == errno.ENOENT
    assert await errno_of(host.list_directory(missing)) == errno.ENOENT
    assert await errno_of(host.read_link(missing)) == errno.ENOENT
    assert await errno_of(host.replace_file(f"{missing}/state", "x")) == errno.ENOENT
    assert await errno_of(host.open_stream(f"unix:{missing}")) == errno.ENOENT
    assert not await host.exists(missing)


async def test_a_directory_is_no_file_and_a_file_no_directory(machine: Machine) -> None:
    host, root = machine
    await host.make_directory(f"{root}/folder")
    await host.replace_file(f"{root}/file", "x")
    assert await errno_of(host.read_text(f"{root}/folder")) == errno.EISDIR
    assert await errno_of(host.replace_file(f"{root}/folder", "x")) == errno.EISDIR
    assert await errno_of(host.remove_file(f"{root}/folder")) == errno.EISDIR
    assert await errno_of(host.list_directory(f"{root}/file")) == errno.ENOTDIR
    assert await errno_of(host.read_link(f"{root}/file")) == errno.EINVAL
    assert await errno_of(host.make_directory(f"{root}/file")) == errno.EEXIST
    assert await errno_of(host.make_directory(f"{root}/file/below/it")) == errno.ENOTDIR
    assert await errno_of(host.read_text(f"{root}/file/below")) == errno.ENOTDIR
    assert await host.list_directory(root) == ["file", "folder"]


async def test_directories_are_made_with_their_parents_and_may_exist(machine: Machine) -> None:
    host, root = machine
    await host.make_directory(f"{root}/b/c")
    await host.make_directory(f"{root}/b/c")
    await host.make_directory(f"{root}/a")
    assert await host.list_directory(root) == ["a", "b"]
    assert await host.list_directory(f"{root}/b") == ["c"]
    assert await host.exists(f"{root}/b/c")


async def test_names_are_sorted_by_code_point(machine: Machine) -> None:
    host, root = machine
    for name in ("b", "ä", "a", "B", "10", "9"):
        await host.replace_file(f"{root}/{name}", "")
    assert await host.list_directory(root) == ["10", "9", "B", "a", "b", "ä"]


async def test_a_lock_has_one_holder_at_a_time(machine: Machine) -> None:
    host, root = machine
    path = f"{root}/lock"
    async with host.lock(path):
        with pytest.raises(BlockingIOError) as caught:
            async with host.lock(path):
                raise AssertionError
        assert caught.value.errno == errno.EAGAIN
        async with host.lock(f"{root}/other"):
            pass
    async with host.lock(path):
        assert await host.exists(path)


async def test_a_lock_is_given_back_by_an_error(machine: Machine) -> None:
    host, root = machine
    with pytest.raises(ZeroDivisionError):
        async with host.lock(f"{root}/lock"):
            raise ZeroDivisionError
    async with host.lock(f"{root}/lock"):
        pass


async def test_a_program_that_does_not_exist_is_enoent(machine: Machine) -> None:
    host, root = machine
    argv = ["/nonexistent/qemu-system-x86_64"]
    assert await errno_of(host.start_process(argv, log_file=f"{root}/log")) == errno.ENOENT


async def test_an_address_of_no_kind_is_a_value_error(machine: Machine) -> None:
    host, root = machine
    with pytest.raises(ValueError, match="neither unix:PATH nor tcp:HOST:PORT"):
        await host.open_stream(f"{root}/monitor")


async def test_a_cancelled_call_has_not_happened(machine: Machine) -> None:
    host, root = machine
    with trio.CancelScope() as scope:
        scope.cancel()
        await host.replace_file(f"{root}/state", "x")
    assert scope.cancelled_caught
    assert not await host.exists(f"{root}/state")


async def test_every_call_is_a_checkpoint(machine: Machine) -> None:
    host, root = machine
    await host.replace_file(f"{root}/state", "x")
    calls = (
        lambda: host.read_text(f"{root}/state"),
        lambda: host.write_attribute(f"{root}/state", "x"),
        lambda: host.make_directory(root),
        lambda: host.list_directory(root),
        lambda: host.exists(root),
        lambda: host.remove_file(f"{root}/state"),
    )
    for call in calls:
        with trio.testing.assert_checkpoints():
            await call()


async def test_identities_are_fresh(machine: Machine) -> None:
    host, _ = machine
    found = [host.fresh_uuid() for _ in range(100)]
    assert len(set(found)) == 100
    assert {identity.version for identity in found} == {4}


async def test_the_wall_clock_does_not_go_backwards_here(machine: Machine) -> None:
    host, root = machine
    before = host.wall_clock_s()
    await host.exists(root)
    assert host.wall_clock_s() >= before


async def test_an_unknown_pci_device_is_enoent_or_enodev(machine: Machine) -> None:
    """An address that cannot exist: nothing of the machine is touched."""
    host, _ = machine
    if not await host.exists(f"{PCI}/drivers_probe"):
        pytest.skip("this machine has no PCI bus in sysfs")
    absent = f"{PCI}/devices/ffffffff:ff:1f.7"
    assert await errno_of(host.read_text(f"{absent}/vendor")) == errno.ENOENT
    assert await errno_of(host.read_link(f"{absent}/driver")) == errno.ENOENT
    assert await errno_of(host.write_attribute(f"{absent}/driver_override", "x")) == errno.ENOENT
    assert not await host.exists(absent)


async def test_what_is_appended_is_read_in_its_order(machine: Machine) -> None:
    host, directory = machine
    path = f"{directory}/grows"
    for part in ("one\n", "two\n"):
        file = await host.open_appended(path)
        file.append(part)
        file.append("more\n")
        file.close()
    assert await host.read_text(path) == "one\nmore\ntwo\nmore\n"


async def test_a_moved_file_replaces_what_has_its_new_name(machine: Machine) -> None:
    host, directory = machine
    await host.replace_file(f"{directory}/old", "old")
    await host.replace_file(f"{directory}/new", "new")
    await host.move_file(f"{directory}/old", f"{directory}/new")
    assert await host.list_directory(directory) == ["new"]
    assert await host.read_text(f"{directory}/new") == "old"
    with pytest.raises(FileNotFoundError):
        await host.move_file(f"{directory}/old", f"{directory}/new")


async def test_no_process_is_adopted_where_there_is_none(machine: Machine) -> None:
    host, _ = machine
    with pytest.raises(ProcessLookupError):
        await host.adopt_process(0x3FFFFF)  # Linux's highest number, which no machine has reached


async def test_every_boot_has_a_name(machine: Machine) -> None:
    host, _ = machine
    name = await host.read_text("/proc/sys/kernel/random/boot_id")
    assert name == f"{uuid.UUID(name.strip())}\n"


async def test_a_file_that_another_has_written_is_looked_into_and_sealed(machine: Machine) -> None:
    host, directory = machine
    path = f"{directory}/image"
    await host.replace_file(path, "....and the rest")
    await host.seal_file(path, b"head")
    assert await host.read_head(path, 6) == FileHead(b"headan", 16)
    assert await host.read_head(path, 0) == FileHead(b"", 16)
    assert await host.read_text(path) == "headand the rest"
    for call in (host.seal_file(f"{path}2", b""), host.read_head(f"{path}2", 1)):
        with pytest.raises(FileNotFoundError):
            await call
