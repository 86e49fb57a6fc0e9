"""How many questions a second an embedded manager answers: ours, and libvirt's test driver.

The test driver runs inside the client's process, as ours does; no daemon and no socket are met. We
keep the text of a definition until it changes, libvirt writes it for each question.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from tests.benchmarks.libvirtd.arms import MINIMAL_XML, open_arms, rates_row
from tests.benchmarks.table import Row

ROUNDS = 9
CALLS = 20_000
NAME = "asked"
PEER = "libvirt's test driver, in process"


def rows() -> list[Row]:
    """Lookups and XML descriptions of one defined domain."""
    return trio.run(_measure)


async def _measure() -> list[Row]:
    async with open_arms() as arms:
        hypervisor = arms.hypervisor
        domain = await hypervisor.define(MINIMAL_XML.replace("NAME", NAME))
        lookups: tuple[list[float], list[float]] = ([], [])
        texts: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            lookups[0].append(_rate(lambda: hypervisor.domain(NAME)))
            lookups[1].append((await arms.theirs("test_driver_rate", "lookup", CALLS))["result"])
            texts[0].append(_rate(domain.xml))
            texts[1].append((await arms.theirs("test_driver_rate", "xml", CALLS))["result"])
    return [
        rates_row("lookups by name, in process", *lookups, "> 1", PEER),
        rates_row("XML descriptions, in process, of what has not changed", *texts, "> 1", PEER),
    ]


def _rate(call: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    for _ in range(CALLS):
        call()
    return CALLS / (time.perf_counter() - begin_s)
