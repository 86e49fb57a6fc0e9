"""How many commands a second one task gets answered by a real QEMU, against qemu.qmp.

``python -m tests.benchmarks.qmp`` prints the rows. All arms ask ``query-status`` of the same QEMU,
one after the other, in many short rounds; the ratio is the median of the ratios within each round,
because a machine shared with others changes its speed from second to second, for all arms alike.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trio
from qemu.qmp import QMPClient

from pyvirt_trio.host.real import RealHost
from pyvirt_trio.qmp.session import open_session
from tests.benchmarks.table import Row

ROUNDS = 25
ROUND_TRIPS = 400
COMMAND = "query-status"


def rows() -> list[Row]:
    """Measures round trips a second: ours, qemu.qmp's, and those of a bare blocking socket."""
    ours: list[float] = []
    theirs: list[float] = []
    blocking: list[float] = []
    with qemu() as path:
        for _ in range(ROUNDS):
            ours.append(trio.run(measure_ours, path))
            theirs.append(asyncio.run(measure_qemu_qmp(path)))
            blocking.append(measure_blocking(path))
    row = partial(_row, ours)
    return [
        row("qemu.qmp (asyncio)", theirs, ">= 1.3"),
        row("blocking socket, no events, no ids checked", blocking, "a floor, no aim"),
    ]


def _row(ours: list[float], peer: str, theirs: list[float], aim: str) -> Row:
    return Row(
        name="QMP round trips, one task, unix socket",
        ours=statistics.median(ours),
        unit="commands/s",
        peer=peer,
        peer_value=statistics.median(theirs),
        ratio=statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        aim=aim,
    )


@contextmanager
def qemu() -> Generator[Path, None, None]:
    """A machine without anything, paused, whose monitor listens on the yielded path."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "monitor"
        listener.bind(os.fspath(path))
        listener.listen(1)
        fd = listener.fileno()
        command = ["qemu-system-x86_64", "-machine", "none", "-S", "-nodefaults", "-nographic"]
        command += ["-chardev", f"socket,id=monitor,fd={fd},server=on,wait=off"]
        command += ["-mon", "chardev=monitor,mode=control"]
        with subprocess.Popen(command, pass_fds=(fd,), stdin=subprocess.DEVNULL) as process:
            try:
                yield path
            finally:
                process.kill()


async def measure_ours(path: Path) -> float:
    """Round trips a second of a session of this library."""
    async with open_session(await RealHost().open_stream(f"unix:{path}")) as session:
        start = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            await session.execute(COMMAND)
        return ROUND_TRIPS / (time.perf_counter() - start)


async def measure_qemu_qmp(path: Path) -> float:
    """Round trips a second of QEMU's own Python client."""
    client = QMPClient("benchmark")
    await client.connect(os.fspath(path))
    start = time.perf_counter()
    for _ in range(ROUND_TRIPS):
        await client.execute(COMMAND)
    rate = ROUND_TRIPS / (time.perf_counter() - start)
    await client.disconnect()
    return rate


def measure_blocking(path: Path) -> float:
    """Round trips a second of the least a Python program can do."""
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as replies:
        client.connect(os.fspath(path))
        replies.readline()
        client.sendall(b'{"execute":"qmp_capabilities"}\n')
        replies.readline()
        start = time.perf_counter()
        for number in range(ROUND_TRIPS):
            client.sendall(b'{"execute":"%s","id":%d}\n' % (COMMAND.encode(), number))
            json.loads(replies.readline())
        return ROUND_TRIPS / (time.perf_counter() - start)


if __name__ == "__main__":
    for measured in rows():
        print(measured)
