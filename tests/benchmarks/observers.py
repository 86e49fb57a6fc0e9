"""A storm of events before a hundred observers that keep up and a hundred that do not.

``python -m tests.benchmarks --only observers`` prints the rows. The fast ones read whatever has
come; a slow one reads one event in a thousand, until it is told of the gap, and subscribes anew
when the storm is over. Each is held to what it may expect: a fast one to every event in order, a
slow one to exactly one marker that names the first and the last event it has lost, and to every
event before and behind the gap. What the storm leaves behind is counted in memory.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
import uuid

import attrs
import trio
import trio.testing

from pyvirt_trio.driver.journal import JOURNAL_LENGTH, Journal, Subscription
from pyvirt_trio.errors import ResyncRequiredError
from pyvirt_trio.models.events import RtcChanged
from tests.benchmarks.table import Row

EVENTS = 100_000
OBSERVERS = 100
BATCH = 64
"""Events told before the others have their turn."""

CALM = 10
"""Events told after the storm, which everybody is to receive."""

SLOWNESS = 1000
"""A slow observer reads one event while so many are told."""

LIBVIRTD_ONE, LIBVIRTD_TEN = 1_250, 11_000
"""Events a second from one producer to one and to ten clients of a libvirtd, as measured before on
such a machine; the sitting beside a real one is another benchmark."""

_ID = uuid.UUID(int=1)


@attrs.define
class Storm:
    """What a storm has come to.

    Args:
        seconds: How long it took.
        delivered: Events received by the fast ones.
        gaps: Markers each slow one got.
        kept_bytes: Memory in use at its height beyond what was in use before.
    """

    seconds: float = 0.0
    delivered: int = 0
    gaps: list[int] = attrs.field(factory=list[int])
    kept_bytes: int = 0


def storm(events: int, fast: int, slow: int, *, length: int = JOURNAL_LENGTH) -> Storm:
    """Let it rain, and check what each observer sees."""
    return trio.run(_storm, events, fast, slow, length)


async def _storm(events: int, fast: int, slow: int, length: int) -> Storm:
    journal, result, is_over = Journal(length=length), Storm(), trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(fast):
            nursery.start_soon(_keep_up, journal.subscribe(), events + CALM, result)
        for _ in range(slow):
            nursery.start_soon(_lag, journal, events + CALM, is_over, result)
        await trio.testing.wait_all_tasks_blocked()
        start = time.perf_counter()
        for first in range(0, events, BATCH):
            _announce(journal, range(first, min(first + BATCH, events)))
            await trio.lowlevel.checkpoint()
        is_over.set()
        await trio.testing.wait_all_tasks_blocked()
        result.seconds = time.perf_counter() - start
        if tracemalloc.is_tracing():
            result.kept_bytes = tracemalloc.get_traced_memory()[1]
        _announce(journal, range(CALM))
    return result


def _announce(journal: Journal, numbers: range) -> None:
    for number in numbers:
        with journal.commit() as commit:
            commit.announce(RtcChanged(domain="demo", uuid=_ID, life=1, offset_s=number))


async def _keep_up(subscription: Subscription, last: int, result: Storm) -> None:
    seen = 0
    while seen < last:
        for record in await subscription.receive_batch():
            seen += 1
            assert record.sequence == seen, "a fast observer sees every event in order"
    result.delivered += seen


async def _lag(journal: Journal, last: int, is_over: trio.Event, result: Storm) -> None:
    subscription = journal.subscribe()
    seen = gaps = 0
    while seen < last:
        try:
            record = await subscription.receive()
        except ResyncRequiredError as gap:
            gaps += 1
            named = (gap.first, gap.last)
            assert named == (seen + 1, subscription.sequence), "it has read what is not lost"
            await is_over.wait()
            subscription = journal.subscribe()
            seen = subscription.sequence
            continue
        seen += 1
        assert record.sequence == seen, "a slow observer sees every event but those of its gap"
        if not is_over.is_set():
            for _ in range(SLOWNESS // BATCH):
                await trio.lowlevel.checkpoint()
    result.gaps.append(gaps)


def _memory(fast: int, slow: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        return storm(EVENTS // 10, fast, slow).kept_bytes
    finally:
        tracemalloc.stop()


def rows() -> list[Row]:
    """Measure once; the checks are part of it."""
    crowd = storm(EVENTS, OBSERVERS, OBSERVERS)
    assert crowd.delivered == (EVENTS + CALM) * OBSERVERS
    one, ten = storm(EVENTS, 1, 0), storm(EVENTS, 10, 0)
    alone, crowded = _memory(1, 0) / 1024, _memory(OBSERVERS, OBSERVERS) / 1024
    markers = sum(crowd.gaps)
    slow_ones = crowd.gaps.count(1)
    libvirtd = "libvirtd, measured before"
    rates = [one.delivered / one.seconds, ten.delivered / ten.seconds]
    return [
        Row(
            "events to 1 observer in process",
            rates[0],
            "/s",
            libvirtd,
            LIBVIRTD_ONE,
            rates[0] / LIBVIRTD_ONE,
            ">= 5",
        ),
        Row(
            "events to 10 observers in process",
            rates[1],
            "/s",
            libvirtd,
            LIBVIRTD_TEN,
            rates[1] / LIBVIRTD_TEN,
            ">= 5",
        ),
        Row(
            f"storm of {EVENTS:,} events: received by {OBSERVERS} fast observers, in order",
            crowd.delivered,
            "events",
            "told",
            (EVENTS + CALM) * OBSERVERS,
            crowd.delivered / ((EVENTS + CALM) * OBSERVERS),
            "1.0 (all)",
        ),
        Row(
            f"the same storm: slow observers, of {OBSERVERS}, with exactly one gap marker",
            slow_ones,
            "observers",
            "markers in all",
            markers,
            slow_ones / OBSERVERS,
            "1.0 (each)",
        ),
        Row(
            f"memory at the height of a storm, {2 * OBSERVERS} observers",
            crowded,
            "KiB",
            "1 observer",
            alone,
            alone / crowded,
            "bounded: ring + tasks",
        ),
    ]
