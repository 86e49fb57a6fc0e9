"""How much memory a manager needs for each running domain.

Each manager is a process of its own that starts a few domains first, so that what is loaded once is
loaded, and then more of them; private dirty pages are counted, which no other process shares.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import trio

from pyvirt_trio import open_hypervisor
from tests.benchmarks.libvirtd.arms import MINIMAL_XML, PEER
from tests.benchmarks.table import Row
from tests.real.libvirtd.daemon import private_libvirtd

FIRST = 5
MORE = 20
PAUSED = 1
XML = MINIMAL_XML.replace("<memory unit='MiB'>64<", "<memory unit='MiB'>16<")


def rows() -> list[Row]:
    """Kilobytes for each of `MORE` running, paused domains."""
    ours, theirs = _ours(), _theirs()
    return [
        Row("memory per running domain", ours, "kB", PEER, theirs, theirs / ours, ">= 2.1"),
        Row("the same, beside 150 kB", ours, "kB", "the aim", 150, 150 / ours, ">= 1"),
    ]


def _theirs() -> float:
    with private_libvirtd(filters="") as daemon, daemon.client() as client:

        def start(numbers: range) -> int:
            for number in numbers:
                client.require("define", XML.replace("NAME", f"d{number}"))
                client.require("createWithFlags", PAUSED, domain=f"d{number}")
            private_kb: int = daemon.ask("memory")["private_kb"]
            return private_kb

        before = start(range(FIRST))
        return (start(range(FIRST, FIRST + MORE)) - before) / MORE


def _ours() -> float:
    command = [sys.executable, "-m", "tests.benchmarks.libvirtd.footprint"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    before, after = json.loads(done.stdout)
    return float(after - before) / MORE


async def _our_manager() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_hypervisor(
            f"qemu:///embed?root={folder}", destroy_on_exit=True
        ) as hypervisor:
            found: list[int] = []
            for numbers in (range(FIRST), range(FIRST, FIRST + MORE)):
                for number in numbers:
                    domain = await hypervisor.define(XML.replace("NAME", f"d{number}"))
                    await domain.start(paused=True)
                found.append(_private_kb())
            for domain in hypervisor.domains():
                await domain.destroy()
    print(json.dumps(found))


def _private_kb() -> int:
    text = Path("/proc/self/smaps_rollup").read_text()
    (found,) = re.findall(r"^Private_Dirty: +(\d+) kB", text, re.MULTILINE)
    return int(found)


if __name__ == "__main__":
    trio.run(_our_manager)
