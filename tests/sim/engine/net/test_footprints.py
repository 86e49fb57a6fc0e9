"""A reducing search knows what steps that use the network have in common."""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.engine import Dpor, LinkPlan, current_network, hunt, labelled_only
from pyvirt_sim.engine.net import wire
from tests.sim.engine.choosers.test_dpor import compare


async def two_pairs():
    """Two connections that have nothing to do with each other."""
    with labelled_only():
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                one, two = trio.socket.socketpair()
                nursery.start_soon(one.send, b"x")
                nursery.start_soon(two.recv, 1)


async def two_senders():
    with labelled_only():
        one, two = trio.socket.socketpair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.send, b"x")
            nursery.start_soon(one.send, b"y")
        return await two.recv(2)


async def a_reader_between_two_senders():
    with labelled_only():
        one, two = trio.socket.socketpair()
        got: list[bytes] = []

        async def read() -> None:
            got.append(await two.recv(2))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.send, b"x")
            nursery.start_soon(read)
            nursery.start_soon(one.send, b"y")
        return got


async def two_clients():
    with labelled_only():
        (listener,) = await trio.open_tcp_listeners(80, host="127.0.0.1")

        async def call(data: bytes) -> None:
            with trio.socket.socket() as client:
                await client.connect(("127.0.0.1", 80))
                await client.send(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, b"a")
            nursery.start_soon(call, b"b")
            first, address = await listener.socket.accept()
            got = await first.recv(1), address[1]
            nursery.cancel_scope.cancel()
        return got


async def two_late_messages():
    """Both are due at the same instant: who sent first arrives first."""
    with labelled_only():
        network = current_network()
        network.plan = LinkPlan(latency_s=1)
        order: list[str] = []

        async def read(name: str, sock: trio.socket.SocketType) -> None:
            await sock.recv(1)
            order.append(name)

        async with trio.open_nursery() as nursery:
            for name in ("first", "second"):
                one, two = trio.socket.socketpair()
                nursery.start_soon(one.send, b"x")
                nursery.start_soon(read, name, two)
        return order


@pytest.mark.parametrize(
    ("program", "classes", "schedules"),
    [
        # For each connection, whether the reader waits or finds it there.
        (two_pairs, 4, 1750),
        (two_senders, 2, 6),
        (a_reader_between_two_senders, 8, 84),
        (two_clients, 130, 350),
    ],
)
def test_one_run_per_class_and_no_outcome_lost(program, classes, schedules):
    assert (classes, schedules) == compare(program)


def test_the_order_of_messages_that_are_due_together_is_explored():
    orders = set()

    def remember(run) -> bool:
        orders.add(tuple(run.unwrap()))
        return False

    hunt(two_late_messages, Dpor(), 5000, is_failure=remember)
    assert {("first", "second"), ("second", "first")} == orders


def test_without_footprints_of_the_network_outcomes_would_be_lost(monkeypatch):
    monkeypatch.setattr(wire.Wire, "touch", lambda self: None)
    with pytest.raises(AssertionError):
        compare(a_reader_between_two_senders)
