"""Small programs for a file system: run on the simulated disk, on Linux, and in the reference."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
from hypothesis import strategies as st

from pyvirt_sim.engine.disk import FileSystem

BLOCK_BYTES = 2
"""So small that a few letters fill several blocks."""

DIRECTORIES = ("/a", "/b", "/a/d")
NAMES = ("x", "y", "d")
PATHS = tuple(f"{top}/{name}" for top in ("/a", "/b", "/a/d") for name in NAMES)


@attrs.frozen
class Op:
    """One call: its name and its arguments."""

    name: str
    path: str
    other: str = ""
    data: bytes = b""
    number: int = 0


_data = st.binary(min_size=1, max_size=5)
_paths = st.sampled_from(PATHS)

ops = st.one_of(
    st.builds(Op, st.just("append"), _paths, data=_data),
    st.builds(Op, st.just("write"), _paths, data=_data),
    st.builds(Op, st.just("overwrite"), _paths, data=_data, number=st.integers(0, 4)),
    st.builds(Op, st.just("truncate"), _paths, number=st.integers(0, 4)),
    st.builds(Op, st.just("sync"), st.sampled_from((*PATHS, *DIRECTORIES))),
    st.builds(Op, st.just("rename"), _paths, _paths),
    st.builds(Op, st.just("unlink"), _paths),
    st.builds(Op, st.just("mkdir"), _paths),
    st.builds(Op, st.just("rmdir"), _paths),
    st.builds(Op, st.just("list"), st.sampled_from((*PATHS, *DIRECTORIES))),
)


class SimulatedArm:
    """The simulated disk."""

    def __init__(self, files: FileSystem) -> None:
        self.files = files

    def do(self, op: Op) -> object:
        try:
            return self._do(op)
        except OSError as error:
            return error.errno

    def _do(self, op: Op) -> object:
        files = self.files
        match op.name:
            case "append":
                files.append(op.path, op.data)
            case "write":
                files.write(op.path, op.data)
            case "overwrite":
                with files.open(op.path) as file:
                    file.write(op.number, op.data)
            case "truncate":
                with files.open(op.path) as file:
                    file.truncate(op.number)
            case "sync":
                files.sync(op.path)
            case "rename":
                files.rename(op.path, op.other)
            case "unlink":
                files.unlink(op.path)
            case "mkdir":
                files.make_directory(op.path)
            case "rmdir":
                files.remove_directory(op.path)
            case _:
                return files.list_directory(op.path)
        return None


class LinuxArm:
    """A directory of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def do(self, op: Op) -> object:
        try:
            return self._do(op, self.root / op.path[1:], self.root / op.other[1:])
        except OSError as error:
            return error.errno

    def _do(self, op: Op, path: Path, other: Path) -> object:
        match op.name:
            case "append":
                _write(path, os.O_CREAT | os.O_APPEND, op.data)
            case "write":
                _write(path, os.O_CREAT | os.O_TRUNC, op.data)
            case "overwrite":
                _write(path, 0, op.data, op.number)
            case "truncate":
                os.truncate(path, op.number)
            case "sync":
                os.close(os.open(path, os.O_RDONLY))
            case "rename":
                os.rename(path, other)  # noqa: PTH104 - the system call is what is compared
            case "unlink":
                path.unlink()
            case "mkdir":
                path.mkdir()
            case "rmdir":
                path.rmdir()
            case _:
                return sorted(os.listdir(path))  # noqa: PTH208 - as above
        return None

    def contents(self) -> dict[str, bytes | None]:
        return {
            f"/{path.relative_to(self.root)}": None if path.is_dir() else path.read_bytes()
            for path in self.root.rglob("*")
        }


def _write(path: Path, flags: int, data: bytes, offset: int = 0) -> None:
    descriptor = os.open(path, os.O_WRONLY | flags)
    try:
        if offset:
            os.lseek(descriptor, offset, os.SEEK_SET)
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
