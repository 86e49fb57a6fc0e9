"""How long a start takes until the domain runs, and a destroy until it is gone."""

from __future__ import annotations

import trio

from tests.benchmarks.libvirtd.arms import MINIMAL_XML, Arms, durations_row, open_arms, took_s
from tests.benchmarks.table import Row

ROUNDS = 20
NAME = "minimal"


def rows() -> list[Row]:
    """Starts and destroys of a minimal machine under TCG, in turn."""
    return trio.run(_measure)


async def _measure() -> list[Row]:
    our_starts, our_ends = list[float](), list[float]()
    their_starts, their_ends = list[float](), list[float]()
    async with open_arms() as arms:
        xml = MINIMAL_XML.replace("NAME", NAME)
        domain = await arms.hypervisor.define(xml)
        await arms.theirs("define", xml)
        await _warm_up(arms)
        for _ in range(ROUNDS):
            our_starts.append(await took_s(domain.start))
            our_ends.append(await took_s(domain.destroy))
            their_starts.append((await arms.theirs("create", domain=NAME))["took_s"])
            their_ends.append((await arms.theirs("destroy", domain=NAME))["took_s"])
    return [
        durations_row("start until running", our_starts, their_starts, ">= 5"),
        durations_row("destroy until gone", our_ends, their_ends, ">= 2.5"),
    ]


async def _warm_up(arms: Arms) -> None:
    """Let libvirtd ask QEMU what it can do, which it remembers."""
    await arms.theirs("create", domain=NAME)
    await arms.theirs("destroy", domain=NAME)
