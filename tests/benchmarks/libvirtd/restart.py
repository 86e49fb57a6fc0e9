"""How long a new manager takes until each running domain answers a question of its QEMU.

Counted from the start of a process: ours loads Python and the library first. Domains run on while
there is no manager.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

import trio

from pyvirt_trio import Hypervisor, open_hypervisor
from tests.benchmarks.libvirtd.arms import durations_row
from tests.benchmarks.libvirtd.footprint import PAUSED, XML
from tests.benchmarks.table import Row
from tests.real.libvirtd.daemon import Client, Libvirtd, private_libvirtd

ROUNDS = 5
DOMAINS = 50
NAMES = [f"d{number}" for number in range(DOMAINS)]


def rows() -> list[Row]:
    """Restarts with `DOMAINS` paused domains, in turn."""
    ours, theirs = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder, private_libvirtd(filters="") as daemon:
        uri = f"qemu:///embed?root={folder}/root"
        trio.run(_start_ours, uri)
        with daemon.client() as client:
            _start_theirs(client)
            for _ in range(ROUNDS):
                ours.append(_restart_ours(uri))
                theirs.append(_restart_theirs(daemon, client))
        trio.run(_end_ours, uri)
    name = f"restart until {DOMAINS} domains answer"
    return [durations_row(name, ours, theirs, "> 1")]


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


def _restart_ours(uri: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.libvirtd.restart", uri]
    begin_s = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout) - begin_s


def _restart_theirs(daemon: Libvirtd, client: Client) -> float:
    daemon.ask("stop")
    begin_s: float = daemon.ask("start")["started_s"]
    end_s: float = client.require("wait_for_domains", NAMES)
    return end_s - begin_s


async def _ask_all(uri: str) -> None:
    async with open_hypervisor(uri) as hypervisor:
        async with trio.open_nursery() as nursery:
            for name in NAMES:
                nursery.start_soon(_ask, hypervisor, name)
        print(time.monotonic(), flush=True)


async def _ask(hypervisor: Hypervisor, name: str) -> None:
    domain = hypervisor.domain(name)
    async with domain.job.hold("query-status"):  # given back when it has been reconnected
        assert (await domain.running_life().execute("query-status"))["status"] == "prelaunch"


if __name__ == "__main__":
    trio.run(_ask_all, sys.argv[1])
