"""How long a new manager takes until each running domain answers a question of its QEMU.

Counted from the start of a process. Ours loads Python, Trio and the library first, as installed
programs do, with their bytecode at hand; the second row leaves that out for ours, and nothing for
libvirtd, whose start is a few milliseconds of a linker. Domains run on while there is no manager.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

import trio

from pyvirt_trio import open_hypervisor
from tests.benchmarks.libvirtd import restarted
from tests.benchmarks.libvirtd.arms import durations_row
from tests.benchmarks.libvirtd.footprint import PAUSED, XML
from tests.benchmarks.table import Row
from tests.real.libvirtd.daemon import Client, Libvirtd, private_libvirtd

ROUNDS = 5
DOMAINS = 50
NAMES = [f"d{number}" for number in range(DOMAINS)]


def rows() -> list[Row]:
    """Restarts with `DOMAINS` paused domains, in turn."""
    ours, loaded, theirs = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder, private_libvirtd(filters="") as daemon:
        uri = f"qemu:///embed?root={folder}/root"
        trio.run(_start_ours, uri)
        with daemon.client() as client:
            _start_theirs(client)
            _restart_ours(uri, folder)  # leaves the bytecode
            for _ in range(ROUNDS):
                whole_s, without_loading_s = _restart_ours(uri, folder)
                ours.append(whole_s)
                loaded.append(without_loading_s)
                theirs.append(_restart_theirs(daemon, client))
        trio.run(_end_ours, uri)
    name = f"restart until {DOMAINS} domains answer"
    return [
        durations_row(name, ours, theirs, "> 1"),
        durations_row("the same, ours once it is loaded", loaded, theirs, "told, no aim"),
    ]


async def _start_ours(uri: str) -> None:
    async with open_hypervisor(uri) as hypervisor:
        for name in NAMES:
            domain = await hypervisor.define(XML.replace("NAME", name))
            await domain.start(paused=True)


async def _end_ours(uri: str) -> None:
    async with open_hypervisor(uri) as hypervisor:
        for name in NAMES:
            await hypervisor.domain(name).destroy()


def _start_theirs(client: Client) -> None:
    for name in NAMES:
        client.require("define", XML.replace("NAME", name))
        client.require("createWithFlags", PAUSED, domain=name)


def _restart_ours(uri: str, folder: str) -> tuple[float, float]:
    """Seconds from the start of the process, and from when all was loaded, to the last answer."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, restarted.__file__, uri]
    begin_s = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    loaded_s, end_s = json.loads(done.stdout)
    return end_s - begin_s, end_s - loaded_s


def _restart_theirs(daemon: Libvirtd, client: Client) -> float:
    daemon.ask("stop")
    begin_s: float = daemon.ask("start")["started_s"]
    end_s: float = client.require("wait_for_domains", NAMES)
    return end_s - begin_s
