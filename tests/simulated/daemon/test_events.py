"""Events over a connection: filtered, resumed after a break, and one gap for whoever is slow."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest
import trio

from pyvirt_trio import DefinitionError
from pyvirt_trio.driver.journal import JOURNAL_LENGTH
from pyvirt_trio.models.events import RtcChanged
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.driver.world import Clock, World, open_world


def storm(world: World, count: int) -> None:
    """Announce ``count`` events in one go, their numbers in their data."""
    with world.hypervisor.journal.commit() as commit:
        for number in range(count):
            commit.announce(
                RtcChanged(domain="demo", uuid=world.domain.uuid, life=1, offset_s=number)
            )


async def kinds(events: Any, count: int) -> list[str]:
    return [(await anext(events))["kind"] for _ in range(count)]


async def test_a_client_that_comes_back_gets_exactly_what_it_has_not_seen(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        async with client_of(world) as remote, aclosing(remote.events()) as events:
            await anext(events)
            await world.domain.start()
            seen = await anext(events)
            cursor = remote.cursor_after(seen)
        await world.domain.destroy()
        async with client_of(world) as remote, aclosing(remote.events(after=cursor)) as events:
            assert await kinds(events, 3) == ["DomainStarted", "DomainShutdown", "DomainStopped"]


async def test_a_filter_names_domains_and_events(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote, client_of(world) as other:
        wanted = remote.events(domains=["demo"], events=["device-added", "DomainStopped"])
        nothing = other.events(domains=["nobody"])
        async with aclosing(wanted) as events, aclosing(nothing) as silence:
            await anext(events)
            await anext(silence)
            await world.domain.start()
            await world.domain.destroy()
            assert await kinds(events, 1) == ["DomainStopped"]
            with trio.move_on_after(60) as patience:
                await anext(silence)
            assert patience.cancelled_caught


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"events": ["nonsense"]}, "no event 'nonsense'"),
        ({"after": "here"}, "is not a cursor"),
    ],
)
async def test_nonsense_is_refused_and_the_connection_goes_on(
    autojump_clock: Clock, wanted: dict[str, Any], complaint: str
) -> None:
    async with open_world() as world, client_of(world) as remote:
        async with aclosing(remote.events(**wanted)) as events:
            with pytest.raises(DefinitionError, match=complaint):
                await anext(events)
        assert len(await remote.call("list")) == 1
        for params in ({"domains": "demo"}, {"events": [1]}, {"colour": "red"}):
            with pytest.raises(DefinitionError):
                await remote.call("subscribe", **params)


async def test_a_stalled_client_gets_one_gap_and_then_a_snapshot_that_is_whole(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, client_of(world) as remote:
        async with aclosing(remote.events()) as events:
            snapshot = await anext(events)
            storm(world, JOURNAL_LENGTH + 1)  # before the other end has run: all are lost
            gap = await anext(events)
            assert gap["first"] == snapshot["sequence"] + 1
            assert gap["last"] == world.hypervisor.journal.sequence
            storm(world, 10)
            again = await anext(events)
            assert again["sequence"] == gap["last"] + 10
            storm(world, 1)
            assert (await anext(events))["sequence"] == again["sequence"] + 1


async def test_a_cursor_that_is_too_old_or_of_another_manager_gets_the_gap_and_a_snapshot(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        journal = world.hypervisor.journal
        old = str(journal.cursor)
        storm(world, JOURNAL_LENGTH + 5)
        for after, first in ((old, 2), ("another:3", 1)):
            async with client_of(world) as remote, aclosing(remote.events(after=after)) as events:
                gap = await anext(events)
                assert (gap["first"], gap["last"]) == (first, journal.sequence)
                assert (await anext(events))["sequence"] == journal.sequence
