"""Pictures of screens: which QEMU takes and which it refuses, a real one and ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from pyvirt_sim.host import open_sim_host
from pyvirt_trio.abc import Host
from pyvirt_trio.errors import CommandFailedError
from pyvirt_trio.host.real import RealHost
from pyvirt_trio.qmp.session import open_session
from tests.conformance.qemu.test_monitor_two_arms import connected

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 20
TWO = {"max_outputs": 2}
CARDS: dict[str, list[tuple[str, dict[str, int]]]] = {
    "none": [],
    "one": [("VGA", {})],
    "old ones": [("cirrus-vga", {}), ("ramfb", {})],
    "heads": [("virtio-vga", TWO), ("virtio-gpu-pci", {})],
    "spice's": [("qxl-vga", TWO), ("qxl", {})],
    "bochs": [("bochs-display", {}), ("virtio-rng-pci", {})],
}
PLACES: tuple[dict[str, Any], ...] = (
    {},
    {"format": "ppm"},
    {"format": "gif"},
    {"head": 0},
    *({"device": name} for name in ("video0", "video1", "video2", "")),
    *({"device": name, "head": head} for name in ("video0", "video1") for head in (0, 1, 2, -1)),
)


async def said(host: Host, root: str, cards: list[tuple[str, dict[str, int]]]) -> list[object]:
    """What a QEMU with those cards answers, and how its pictures begin."""
    argv = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "16", "-nodefaults"]
    argv += ["-no-user-config", "-display", "none", "-S"]
    for number, (driver, options) in enumerate(cards):
        argv += ["-device", json.dumps({"driver": driver, "id": f"video{number}", **options})]
    argv += ["-chardev", f"socket,id=charmonitor,path={root}/monitor,server=on,wait=off"]
    argv += ["-mon", "chardev=charmonitor,id=monitor,mode=control"]
    process = await host.start_process(argv, log_file=f"{root}/log")
    found: list[object] = []
    try:
        async with open_session(await connected(host, f"{root}/monitor")) as session:
            for number, place in enumerate(({"filename": "/nowhere/picture"}, *PLACES)):
                path = f"{root}/{number}"
                try:
                    await session.execute("screendump", {"filename": path, **place})
                    assert (await host.read_head(path, 1)).size
                    found.append(place)
                except CommandFailedError as error:
                    found.append((place, error.error_class, error.description))
    finally:
        process.kill()
        await process.wait()
    return found


@pytest.mark.parametrize("name", CARDS)
async def test_the_same_pictures_are_taken(name: str, tmp_path: Path) -> None:
    with trio.fail_after(PATIENCE_S):
        expected = await said(RealHost(), str(tmp_path), CARDS[name])
        async with open_sim_host() as host:
            await host.make_directory(str(tmp_path))
            assert expected == await said(host, str(tmp_path), CARDS[name])
