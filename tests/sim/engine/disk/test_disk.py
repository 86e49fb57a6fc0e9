"""The disk keeps what was synced, and of the rest everything that Linux may keep, and no more."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import RandomWalk, simulate
from pyvirt_sim.engine.disk import Disk, FileSystem
from tests.sim.engine.disk.every import every_outcome
from tests.sim.engine.disk.programs import BLOCK_BYTES, DIRECTORIES, LinuxArm, Op, SimulatedArm, ops
from tests.sim.engine.disk.reference import Reference

MAX_STATES = 3_000
"""A program with more outcomes is left out: the rules are the same for it."""


def fresh_disk() -> tuple[Disk, FileSystem]:
    disk = Disk(block_bytes=BLOCK_BYTES)
    files = disk.mount()
    for path in DIRECTORIES:
        files.make_directory(path)
    files.sync_all()
    return disk, files


def after_crash(program: list[Op]) -> frozenset[tuple[str, bytes | None]]:
    disk, files = fresh_disk()
    arm = SimulatedArm(files)
    for op in program:
        arm.do(op)
    disk.crash()
    return frozenset(disk.contents().items())


def outcomes_of_reference(program: list[Op]) -> tuple[Reference, int]:
    _, files = fresh_disk()
    arm = SimulatedArm(files)
    reference = Reference()
    for op in program:
        if not isinstance(arm.do(op), int):
            reference.do(op)
    count = 2 ** (len(reference.changes) - len(reference.forced))
    for item in reference.objects:
        count *= max(1, len(item.writes) * (len(item.writes) + 1) // 2 + 1)
    return reference, count


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(ops, max_size=9))
def test_after_a_crash_it_has_exactly_the_contents_that_the_rules_allow(program: list[Op]) -> None:
    reference, count = outcomes_of_reference(program)
    if count <= MAX_STATES:
        assert set(every_outcome(lambda: after_crash(program))) == reference.states()


@settings(max_examples=150)
@given(st.lists(ops, max_size=20))
def test_while_it_runs_it_answers_as_linux_does(program: list[Op]) -> None:
    disk, files = fresh_disk()
    with tempfile.TemporaryDirectory() as root:
        simulated, linux = SimulatedArm(files), LinuxArm(Path(root))
        for path in DIRECTORIES:
            linux.do(Op("mkdir", path))
        for op in program:
            assert (op, linux.do(op)) == (op, simulated.do(op))
        assert linux.contents() == disk.contents()


@given(st.lists(ops, max_size=20), st.integers(0, 1 << 20))
def test_what_was_synced_as_a_whole_survives_as_a_whole(program: list[Op], seed: int) -> None:
    async def body() -> None:
        disk, files = fresh_disk()
        arm = SimulatedArm(files)
        for op in program:
            arm.do(op)
        files.sync_all()
        before = disk.contents()
        disk.crash()
        assert before == disk.contents()

    assert simulate(body, chooser=RandomWalk(seed)).error is None


@given(st.lists(ops, max_size=20))
def test_outside_a_run_and_on_the_canonical_schedule_a_crash_loses_nothing(
    program: list[Op],
) -> None:
    disk, files = fresh_disk()
    arm = SimulatedArm(files)
    for op in program:
        arm.do(op)
    before = disk.contents()
    disk.crash()
    assert before == disk.contents()


# -- stories -------------------------------------------------------------------------------------


def replaced(*, sync_file: bool, sync_directory: bool) -> set[bytes | None]:
    """What ``/state`` may be after version 1 was durable and version 2 put in its place."""

    def body() -> bytes | None:
        disk = Disk()
        files = disk.mount()
        files.write("/state", b"version 1")
        files.sync_all()
        with files.open("/state.new", create=True) as new:
            new.append(b"version 2")
            if sync_file:
                new.sync()
        files.rename("/state.new", "/state")
        if sync_directory:
            files.sync("/")
        disk.crash()
        return disk.contents().get("/state")

    return set(every_outcome(body))


def test_a_file_renamed_into_place_without_a_sync_may_be_empty() -> None:
    outcomes = replaced(sync_file=False, sync_directory=True)
    assert outcomes == {b"version 2", b""}


def test_a_rename_without_a_sync_of_the_directory_may_not_have_happened() -> None:
    outcomes = replaced(sync_file=True, sync_directory=False)
    assert outcomes == {b"version 1", b"version 2"}


def test_a_file_replaced_with_both_syncs_is_the_new_one() -> None:
    assert replaced(sync_file=True, sync_directory=True) == {b"version 2"}


def test_syncing_one_directory_of_a_rename_brings_what_came_before_it_in_the_other() -> None:
    def body() -> list[str]:
        disk, files = fresh_disk()
        files.write("/a/x", b"")
        files.sync("/a")
        files.write("/b/before", b"")
        files.rename("/a/x", "/b/x")
        files.write("/b/after", b"")
        files.sync("/a")
        disk.crash()
        return disk.mount().list_directory("/b")

    assert list(every_outcome(body)) == [["after", "before", "x"], ["before", "x"]]


def test_a_new_file_that_was_synced_may_be_missing_until_its_directory_is() -> None:
    def body(*, sync_directory: bool) -> bytes | None:
        disk = Disk()
        files = disk.mount()
        files.write("/new", b"x")
        files.sync("/new")
        if sync_directory:
            files.sync("/")
        disk.crash()
        return disk.contents().get("/new")

    assert set(every_outcome(lambda: body(sync_directory=False))) == {b"x", None}
    assert set(every_outcome(lambda: body(sync_directory=True))) == {b"x"}


def test_a_long_append_is_cut_or_has_a_hole_at_a_block() -> None:
    def body() -> bytes | None:
        disk = Disk(block_bytes=2)
        files = disk.mount()
        files.write("/log", b"ab")
        files.sync_all()
        files.append("/log", b"cdefgh")
        disk.crash()
        return disk.contents()["/log"]

    cut = {b"ab", b"abcd", b"abcdef", b"abcdefgh"}
    holes = {b"ab\0\0efgh", b"abcd\0\0gh", b"ab\0\0\0\0gh"}
    assert set(every_outcome(body)) == cut | holes


def test_nothing_of_a_dead_machine_reaches_the_disk() -> None:
    disk, files = fresh_disk()
    opened = files.open("/a/x", create=True)
    opened.lock()
    disk.crash()
    for call in (
        lambda: opened.append(b"late"),
        opened.sync,
        lambda: files.unlink("/a/x"),
        files.sync_all,
        lambda: files.exists("/a/x"),
    ):
        with pytest.raises(OSError, match="Stale file handle") as caught:
            call()
        assert caught.value.errno == errno.ESTALE
    opened.close()
    disk.mount().open("/a/x").lock()  # its lock died with it
    assert disk.contents()["/a/x"] == b""


def test_one_machine_at_a_time_has_the_disk() -> None:
    disk, _ = fresh_disk()
    with pytest.raises(RuntimeError, match="disk is mounted"):
        disk.mount()
    disk.unmount()
    disk.crash()  # nobody is there to lose anything
    assert sorted(disk.contents()) == sorted(DIRECTORIES)


def test_locks_exclude_as_flock_does() -> None:
    _, files = fresh_disk()
    files.write("/a/x", b"")
    one, two, three = (files.open("/a/x") for _ in range(3))
    one.lock(shared=True)
    two.lock(shared=True)
    with pytest.raises(BlockingIOError):
        three.lock()
    two.close()
    one.lock()  # an upgrade, now that nobody else is there
    with pytest.raises(BlockingIOError):
        three.lock(shared=True)
    one.unlock()
    three.lock()
    with pytest.raises(OSError, match="Bad file descriptor"):
        two.lock()


def test_an_open_file_outlives_its_name() -> None:
    disk, files = fresh_disk()
    opened = files.open("/a/x", create=True)
    files.rename("/a/x", "/b/y")
    opened.append(b"still")
    assert files.read("/b/y") == b"still"
    files.unlink("/b/y")
    opened.write(5, b" here")
    assert opened.read() == b"still here"
    assert opened.read(6, 2) == b"he"
    assert [p for p, data in disk.contents().items() if data is not None] == []


def test_parents_are_made_on_request() -> None:
    _, files = fresh_disk()
    files.make_directory("/m/n/o", parents=True)
    files.make_directory("/m/n/o", parents=True)
    assert files.is_directory("/m/n/o")
    files.write("/m/file", b"")
    assert files.is_file("/m/file")
    for path, number in (("/m/file", errno.EEXIST), ("/m/file/below", errno.ENOTDIR)):
        with pytest.raises(OSError, match=path) as caught:
            files.make_directory(path, parents=True)
        assert number == caught.value.errno


@pytest.mark.parametrize("path", ["relative", "/a/../b"])
def test_a_path_without_one_meaning_is_refused(path: str) -> None:
    _, files = fresh_disk()
    with pytest.raises(OSError, match="Invalid argument"):
        files.exists(path)
