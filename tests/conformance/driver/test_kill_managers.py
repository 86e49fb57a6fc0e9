"""A manager of real domains is killed at random moments; see `tests.real.kill_managers`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from pyvirt_trio import ConflictError, open_hypervisor
from tests.real import kill_managers

pytestmark = pytest.mark.real_qemu

ROUNDS = 4
"""``python -m tests.real.kill_managers`` makes fifty."""


async def test_killed_managers_lose_nothing(tmp_path: Path) -> None:
    tally = await kill_managers.run(ROUNDS, 1, str(tmp_path))
    assert tally.wrong == []
    assert (ROUNDS, ROUNDS * len(kill_managers.NAMES)) == (tally.rounds, tally.domains)
    assert tally.events > 0


async def test_a_second_manager_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.real.kill_managers", "--manage", str(tmp_path)]
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs here
        command, stdout=subprocess.PIPE, text=True
    ) as manager:
        assert manager.stdout is not None
        assert await trio.to_thread.run_sync(manager.stdout.readline) == "ready\n"
        with pytest.raises(ConflictError, match="is managed by another process"):
            async with open_hypervisor(f"qemu:///embed?root={tmp_path}"):
                raise AssertionError("not reached")
        manager.send_signal(signal.SIGKILL)
    async with open_hypervisor(f"qemu:///embed?root={tmp_path}", destroy_on_exit=True) as opened:
        for domain in opened.domains():
            async with domain.job.hold("look"):
                pass
    assert kill_managers.qemus(str(tmp_path)) == {}
