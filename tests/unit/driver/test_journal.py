"""Commit, then announce: order, completeness and the one gap marker."""

from __future__ import annotations

import uuid

import attrs
import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given

from pyvirt_trio.driver.journal import Journal
from pyvirt_trio.errors import ResyncRequiredError
from pyvirt_trio.models import DeviceRemoved, DomainEvent

ID = uuid.UUID(int=1)


def event(number: int) -> DomainEvent:
    return DeviceRemoved(domain="demo", uuid=ID, life=1, alias=f"rng{number}")


@attrs.frozen
class View:
    value: int = 0


class Target:
    view = View()


def test_events_of_a_commit_are_appended_after_all_its_changes() -> None:
    journal, target = Journal(), Target()
    subscription = journal.subscribe()
    with journal.commit() as commit:
        commit.announce(event(0))
        with pytest.raises(trio.WouldBlock):
            subscription.receive_nowait()
        commit.update(target, value=7)
    assert target.view.value == 7
    assert event(0) == subscription.receive_nowait().event


def test_a_commit_left_by_an_exception_announces_nothing() -> None:
    journal = Journal()
    subscription = journal.subscribe()

    def change() -> None:
        with journal.commit() as commit:
            commit.announce(event(0))
            raise RuntimeError("before the end")

    with pytest.raises(RuntimeError, match="before the end"):
        change()
    assert journal.sequence == 0
    with pytest.raises(trio.WouldBlock):
        subscription.receive_nowait()


@given(
    actions=st.lists(st.one_of(st.just("read"), st.integers(0, 5)), max_size=40),
    length=st.integers(1, 6),
)
def test_an_observer_sees_every_event_in_order_or_is_told_exactly_how_many_it_missed(
    actions: list[str | int], length: int
) -> None:
    journal = Journal(length=length)
    subscription = journal.subscribe()
    announced = accounted = 0

    def read() -> None:
        nonlocal accounted
        try:
            record = subscription.receive_nowait()
        except trio.WouldBlock:
            assert announced == accounted
        except ResyncRequiredError as gap:
            assert gap.missed == announced - accounted - length  # noqa: PT017 - one of three ends
            accounted += gap.missed
        else:
            assert accounted + 1 == record.sequence
            assert event(accounted) == record.event
            accounted += 1

    for action in actions:
        if action == "read":
            read()
        else:
            with journal.commit() as commit:
                for _ in range(int(action)):
                    commit.announce(event(announced))
                    announced += 1
    while accounted < announced:
        read()


async def test_a_waiting_observer_is_woken_and_cancelling_it_loses_nothing() -> None:
    journal = Journal()
    subscription = journal.subscribe()
    with trio.move_on_after(0) as scope:
        await subscription.receive()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def announce() -> None:
            with journal.commit() as commit:
                commit.announce(event(0))
                commit.announce(event(1))

        received = [await subscription.receive(), await subscription.receive()]
    assert [record.sequence for record in received] == [1, 2]


async def test_a_subscription_starts_behind_what_was_announced_before() -> None:
    journal = Journal()
    with journal.commit() as commit:
        commit.announce(event(0))
    subscription = journal.subscribe()
    with journal.commit() as commit:
        commit.announce(event(1))
    async for record in subscription:
        assert record.sequence == 2
        break
