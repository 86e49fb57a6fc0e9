"""The archive the guest boots from is one that an independent reader understands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pyvirt_sim.conformance.real import initramfs


def test_archive_of_nothing_is_its_trailer() -> None:
    archive = initramfs.newc_archive([])
    assert archive[:14] == b"07070100000001"
    assert b"0000000b00000000TRAILER!!!\0" in archive
    assert len(archive) % 4 == 0


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio, the independent reader, is absent")
def test_cpio_reads_back_what_was_written(tmp_path: Path) -> None:
    members = [initramfs.folder("bin"), initramfs.executable("bin/tool", b"odd")]
    archive = initramfs.newc_archive(members)
    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "bin" / "tool").read_bytes() == b"odd"
    assert (tmp_path / "bin" / "tool").stat().st_mode & 0o777 == 0o755
