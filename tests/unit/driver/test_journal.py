"""Commit, then announce: order, completeness and the one gap marker."""

from __future__ import annotations

import contextlib
import uuid

import attrs
import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given

from pyvirt_trio.driver.journal import Journal
from pyvirt_trio.errors import DefinitionError, ResyncRequiredError
from pyvirt_trio.models.event_filter import EventFilter, types_named
from pyvirt_trio.models.events import (
    Cursor,
    DeviceRemoved,
    DomainEvent,
    DomainStarted,
    DomainStopped,
    HypervisorEvent,
    NodeDeviceCreated,
    StoppedDetail,
)

ID = uuid.UUID(int=1)


def event(number: int) -> DomainEvent:
    return DeviceRemoved(domain="demo", uuid=ID, life=1, alias=f"rng{number}")


@attrs.frozen
class View:
    value: int = 0


class Target:
    view = View()
    private = View()


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
def test_an_observer_sees_every_event_in_order_or_is_told_once_which_are_lost(
    actions: list[str | int], length: int
) -> None:
    journal = Journal(length=length)
    subscription = journal.subscribe()
    announced = accounted = 0

    def read() -> None:
        nonlocal accounted, subscription
        try:
            record = subscription.receive_nowait()
        except trio.WouldBlock:
            assert announced == accounted
        except ResyncRequiredError as gap:
            assert announced > accounted + length  # otherwise nothing is lost
            assert (accounted + 1, announced) == (gap.first, gap.last)  # noqa: PT017 - one of 3
            assert gap.missed == announced - accounted  # noqa: PT017 - one of three ends
            with pytest.raises(trio.ClosedResourceError):
                subscription.receive_nowait()
            subscription = journal.subscribe()
            accounted = announced
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


@given(
    length=st.integers(1, 8),
    announced=st.integers(0, 20),
    known=st.integers(0, 25),
    limit=st.integers(1, 8),
)
def test_a_cursor_is_resumed_exactly_when_everything_behind_it_is_kept(
    length: int, announced: int, known: int, limit: int
) -> None:
    journal = Journal(length=length, identity="a")
    with journal.commit() as commit:
        for number in range(announced):
            commit.announce(event(number))
    cursor = Cursor.parse(str(Cursor("a", known)))
    if announced - length <= known <= announced:
        subscription = journal.resume(cursor)
        found = []
        with contextlib.suppress(trio.WouldBlock):
            while True:
                found.append(subscription.receive_nowait().sequence)
        assert list(range(known + 1, announced + 1)) == found
        assert Cursor("a", announced) == subscription.cursor
    else:
        with pytest.raises(ResyncRequiredError) as gap:
            journal.resume(cursor)
        assert announced == gap.value.last
    with pytest.raises(ResyncRequiredError):
        journal.resume(Cursor("another", announced))


def test_a_journal_that_goes_on_from_an_earlier_one_has_none_of_its_records() -> None:
    journal = Journal(length=4, identity="a", sequence=10)
    assert journal.resume(Cursor("a", 10)).sequence == 10
    with pytest.raises(ResyncRequiredError, match=r"1 events were dropped .* \(10 to 10\)"):
        journal.resume(Cursor("a", 9))
    with journal.commit() as commit:
        commit.announce(event(0))
    assert journal.resume(Cursor("a", 10)).receive_nowait().sequence == 11


@pytest.mark.parametrize("text", ["", "12", ":12", "a:", "a:-1", "a:x", "a:\u0663"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="is not a cursor"):
        Cursor.parse(text)


MIXED: list[HypervisorEvent] = [
    DomainStarted(domain="a", uuid=ID, life=1),
    DeviceRemoved(domain="b", uuid=uuid.UUID(int=2), life=1, alias="x"),
    NodeDeviceCreated(device="pci_0000_01_00_0"),
    DomainStopped(domain="a", uuid=ID, life=1, detail=StoppedDetail.CRASHED),
]


@pytest.mark.parametrize(
    ("wanted", "filter_"),
    [
        ([1, 2, 3, 4], EventFilter()),
        ([1, 4], EventFilter(domains=frozenset({"a"}))),
        ([2], EventFilter(domains=frozenset({str(uuid.UUID(int=2))}))),
        ([1, 4], EventFilter(types=types_named(["lifecycle"]))),
        ([2, 3], EventFilter(types=types_named(["device-removed", "nodedev-lifecycle"]))),
        ([4], EventFilter(domains=frozenset({"a", "b"}), types=types_named(["DomainStopped"]))),
        ([], EventFilter(domains=frozenset())),
    ],
)
async def test_a_filter_passes_what_it_admits_in_order_and_keeps_the_numbers(
    wanted: list[int], filter_: EventFilter
) -> None:
    journal = Journal()
    subscription = journal.subscribe(filter_)
    with journal.commit() as commit:
        for one in MIXED:
            commit.announce(one)
    if wanted:
        first = await subscription.receive_batch(1)
        rest = await subscription.receive_batch() if len(wanted) > 1 else []
        assert wanted == [record.sequence for record in first + rest]
    with pytest.raises(trio.WouldBlock):
        subscription.receive_nowait()
    assert subscription.sequence == len(MIXED)


def test_an_unknown_event_is_refused_by_a_list_of_those_there_are() -> None:
    with pytest.raises(DefinitionError, match=r"no event 'reboots'.*device-removed.*reboot"):
        types_named(["reboots"])


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
