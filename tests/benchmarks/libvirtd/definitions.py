"""How many domains a second are defined and undefined, each time with a file on the same disk."""

from __future__ import annotations

import time

import trio

from tests.benchmarks.libvirtd.arms import MINIMAL_XML, Arms, open_arms, rates_row
from tests.benchmarks.table import Row

ROUNDS = 9
PAIRS = 200
NAME = "defined"


def rows() -> list[Row]:
    """Pairs of define and undefine, one after the other."""
    return trio.run(_measure)


async def _measure() -> list[Row]:
    ours, theirs = list[float](), list[float]()
    async with open_arms() as arms:
        xml = MINIMAL_XML.replace("NAME", NAME)
        for _ in range(ROUNDS):
            ours.append(await _ours(arms, xml))
            answer = await arms.theirs("define_and_undefine", xml, PAIRS)
            theirs.append(PAIRS / answer["took_s"])
    return [rates_row("define + undefine pairs, files synced", ours, theirs, "> 1")]


async def _ours(arms: Arms, xml: str) -> float:
    begin_s = time.monotonic()
    for _ in range(PAIRS):
        domain = await arms.hypervisor.define(xml)
        await domain.undefine()
    return PAIRS / (time.monotonic() - begin_s)
