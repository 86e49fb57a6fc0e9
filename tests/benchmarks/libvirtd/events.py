"""How many events a second reach observers when a client gives a domain title after title.

Each call makes one event, and the new title is written to the domain's status first. libvirt's
observers have a connection each; ours are tasks of the process that manages the domain.
"""

from __future__ import annotations

import time

import trio

from pyvirt_trio import Domain, Impact, Subscription
from tests.benchmarks.libvirtd.arms import MINIMAL_XML, Arms, open_arms, rates_row
from tests.benchmarks.table import Row

ROUNDS = 5
CALLS = 500
NAME = "watched"


def rows() -> list[Row]:
    """One observer, and ten."""
    return trio.run(_measure)


async def _measure() -> list[Row]:
    found: list[Row] = []
    async with open_arms() as arms:
        xml = MINIMAL_XML.replace("NAME", NAME)
        domain = await arms.hypervisor.define(xml)
        await domain.start()
        await arms.theirs("define", xml)
        await arms.theirs("create", domain=NAME)
        for observers, aim in ((1, ">= 5"), (10, ">= 5")):
            ours, theirs = list[float](), list[float]()
            for _ in range(ROUNDS):
                ours.append(await _our_rate(arms, domain, observers))
                answer = await arms.theirs("event_rate", NAME, observers, CALLS)
                theirs.append(answer["result"])
            name = f"events of one producer, received by {observers}"
            found.append(rates_row(name, ours, theirs, aim))
        await domain.destroy()
        await arms.theirs("destroy", domain=NAME)
    return found


async def _our_rate(arms: Arms, domain: Domain, observers: int) -> float:
    subscriptions = [arms.hypervisor.subscribe()[1] for _ in range(observers)]
    begin_s = time.monotonic()
    async with trio.open_nursery() as nursery:
        for subscription in subscriptions:
            nursery.start_soon(_observe, subscription)
        for number in range(CALLS):
            await domain.set_title(f"title {number}", Impact.LIVE)
    return observers * CALLS / (time.monotonic() - begin_s)


async def _observe(subscription: Subscription) -> None:
    for _ in range(CALLS):
        await subscription.receive()
