"""An observer of a keeper that dies at any moment, and of the one that comes after it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_trio import DefinitionError, Hypervisor, open_hypervisor
from pyvirt_trio.daemon.serve import serve_client
from pyvirt_trio.driver.journal import JOURNAL_LENGTH
from pyvirt_trio.errors import MonitorClosedError
from pyvirt_trio.models.events import RtcChanged
from pyvirt_trio.remote.client import RemoteHypervisor
from pyvirt_trio.remote.following import Told, follow_events
from tests.simulated.driver.world import URI, Clock

XML = "<domain type='qemu'><name>demo</name><memory>1024</memory><os><type>hvm</type></os></domain>"


class Service:
    """One keeper after another on one machine, and connections to the one there is."""

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self._keeper: Hypervisor | None = None
        self._streams: list[trio.abc.Stream] = []

    @asynccontextmanager
    async def keeper(self) -> AsyncGenerator[Hypervisor]:
        """A keeper, until the end of the block: its clients then find their lines cut."""
        async with open_hypervisor(URI, host=self._host) as hypervisor, trio.open_nursery() as here:
            self._keeper, self._here = hypervisor, here
            yield hypervisor
            self._keeper = None
            for stream in self._streams:
                await trio.aclose_forcefully(stream)
            self._streams.clear()
            here.cancel_scope.cancel()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[RemoteHypervisor]:
        """A connection."""
        if self._keeper is None:
            raise MonitorClosedError("there is no keeper")
        ours, theirs = trio.testing.memory_stream_pair()
        self._streams.append(theirs)
        self._here.start_soon(serve_client, self._keeper, theirs)
        async with ours:
            yield RemoteHypervisor(ours)


def storm(hypervisor: Hypervisor, count: int) -> None:
    uuid = hypervisor.domain("demo").uuid
    with hypervisor.journal.commit() as commit:
        for number in range(count):
            commit.announce(RtcChanged(domain="demo", uuid=uuid, life=1, offset_s=number))


async def collect(service: Service, told: list[Told], **wanted: object) -> None:
    async with aclosing(follow_events(service.connect, **wanted)) as found:  # type: ignore[arg-type]
        async for one in found:
            told.append(one)  # noqa: PERF401 - each as it comes


KEEPERS = st.lists(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0.0, 0.1, 1.0])), max_size=3),
    min_size=1,
    max_size=4,
)


@given(KEEPERS)
def test_every_event_comes_once_and_in_order_whenever_a_keeper_dies(
    keepers: list[list[tuple[int, float]]],
) -> None:
    """Each keeper announces some events, with pauses, and ends with what it is sending unsent."""
    trio.run(_restarts, keepers, clock=Clock(autojump_threshold=0))


async def _restarts(keepers: list[list[tuple[int, float]]]) -> None:
    told: list[Told] = []
    async with open_sim_host() as host, trio.open_nursery() as nursery:
        service = Service(host)
        async with service.keeper() as hypervisor:
            await hypervisor.define(XML)
        for number, bursts in enumerate(keepers):
            async with service.keeper() as hypervisor:
                if not number:
                    nursery.start_soon(collect, service, told)
                    await trio.sleep(1)
                for count, pause_s in bursts:
                    storm(hypervisor, count)
                    await trio.sleep(pause_s)
        async with service.keeper() as hypervisor:
            await trio.sleep(2)
            numbers = [one.value["sequence"] for one in told if "kind" in one.value]
            assert list(range(2, hypervisor.journal.sequence + 1)) == numbers
            assert told[-1].cursor == str(hypervisor.journal.cursor)
        nursery.cancel_scope.cancel()


async def test_whoever_was_away_too_long_is_told_so_and_goes_on(autojump_clock: Clock) -> None:
    told: list[Told] = []
    async with open_sim_host() as host, trio.open_nursery() as nursery:
        service = Service(host)
        async with service.keeper() as hypervisor:
            await hypervisor.define(XML)
            cursor = str(hypervisor.journal.cursor)
            storm(hypervisor, JOURNAL_LENGTH + 1)
            nursery.start_soon(collect_after, service, told, cursor)
            await trio.sleep(1)
        async with service.keeper() as hypervisor:
            storm(hypervisor, 1)
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    gap, snapshot, event = (one.value for one in told)
    assert gap["missed"] == JOURNAL_LENGTH + 1
    assert snapshot["sequence"] == gap["last"] == event["sequence"] - 1


async def collect_after(service: Service, told: list[Told], cursor: str) -> None:
    await collect(service, told, after=cursor)


async def test_what_is_wrong_with_the_question_is_said_and_not_asked_again(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        service = Service(host)
        async with (
            service.keeper(),
            aclosing(follow_events(service.connect, events=["nonsense"])) as found,
        ):
            with pytest.raises(DefinitionError, match="no event 'nonsense'"):
                await anext(found)
