"""How many domains a second are defined and undefined, each time with a file on the same disk.

libvirt syncs the new file and not its directory, so that a crash may undo what was promised. Ours
syncs both, and the directory again for the removal; that is one row. The other leaves the directory
alone, as libvirt does.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

import trio

from pyvirt_trio.host import real
from tests.benchmarks.libvirtd.arms import MINIMAL_XML, Arms, open_arms, rates_row
from tests.benchmarks.table import Row

ROUNDS = 9
PAIRS = 200
NAME = "defined"


def rows() -> list[Row]:
    """Pairs of define and undefine, one after the other, with either durability."""
    return trio.run(_measure)


async def _measure() -> list[Row]:
    same, ours, theirs = list[float](), list[float](), list[float]()
    async with open_arms() as arms:
        xml = MINIMAL_XML.replace("NAME", NAME)
        for _ in range(ROUNDS):
            with _directories_unsynced():
                same.append(await _ours(arms, xml))
            ours.append(await _ours(arms, xml))
            answer = await arms.theirs("define_and_undefine", xml, PAIRS)
            theirs.append(PAIRS / answer["took_s"])
    return [
        rates_row("define + undefine pairs, as durable as libvirt's", same, theirs, "> 1"),
        rates_row("define + undefine pairs, directory synced too", ours, theirs, "told, no aim"),
    ]


@contextmanager
def _directories_unsynced() -> Generator[None]:
    original = real._sync_directory
    real._sync_directory = lambda path: None
    try:
        yield
    finally:
        real._sync_directory = original


async def _ours(arms: Arms, xml: str) -> float:
    begin_s = time.monotonic()
    for _ in range(PAIRS):
        domain = await arms.hypervisor.define(xml)
        await domain.undefine()
    return PAIRS / (time.monotonic() - begin_s)
