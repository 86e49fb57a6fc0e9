"""A stream is a stream, whatever happens on the link below it."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import (
    LinkPlan,
    RandomWalk,
    Tape,
    current_network,
    draw,
    replay,
    simulate,
)
from pyvirt_sim.engine.net.plan import RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES
from tests.sim.engine.net.programs import connection, read_all, seen, two_nodes

SEEDS = st.integers(0, 2**32)
CHUNKS = st.lists(st.integers(1, 300), min_size=1, max_size=8)
DELAYS = st.lists(st.sampled_from([0.0, 0.001, 0.5, 30.0]), min_size=1, max_size=3)
PLANS = st.builds(
    LinkPlan,
    latency_s=DELAYS,
    split_reads=st.booleans(),
    join_reads=st.booleans(),
    stall_one_in=st.sampled_from([0, 2, 5]),
    stall_s=DELAYS,
)


def pieces_of(sizes: list[int]) -> list[bytes]:
    """Return chunks in which every byte tells its place."""
    data = bytes(index % 251 for index in range(sum(sizes)))
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [data[start : start + size] for start, size in zip(starts, sizes, strict=True)]


async def talk(chunks: list[bytes], plan: LinkPlan) -> tuple[bytes, bytes]:
    """Send ``chunks`` both ways at once while links are held and released; return what came."""
    server, client, network = two_nodes()
    network.plan = plan
    received: dict[str, bytes] = {}

    async def send(stream: trio.SocketStream) -> None:
        for chunk in chunks:
            await stream.send_all(chunk)
        await stream.send_eof()

    async def receive(name: str, stream: trio.SocketStream) -> None:
        received[name] = await read_all(stream)

    async def meddle() -> None:
        for link in network.links("server", "client"):
            link.hold()
            await trio.sleep(draw("data", "hold seconds", 3))
            link.release()

    async with connection(server, client) as (here, there), trio.open_nursery() as nursery:
        nursery.start_soon(meddle)
        for name, stream in (("client", here), ("server", there)):
            nursery.start_soon(send, stream)
            nursery.start_soon(receive, name, stream)
    assert network.in_flight == ()
    return received["client"], received["server"]


@settings(deadline=None, max_examples=100)
@given(SEEDS, CHUNKS, PLANS)
def test_all_bytes_arrive_in_order_whatever_the_link_does(seed, sizes, plan):
    chunks = pieces_of(sizes)
    run = simulate(talk, chunks, plan, chooser=RandomWalk(seed))
    assert (b"".join(chunks),) * 2 == run.unwrap()
    again = replay(talk, Tape.from_text(run.tape.to_text()), chunks, plan)
    assert (run.digest, run.time_s) == (again.digest, again.time_s)


@settings(deadline=None, max_examples=60)
@given(SEEDS, CHUNKS, st.booleans())
def test_a_reset_lets_a_first_part_arrive_and_then_breaks_both_ends(seed, sizes, split):
    chunks = pieces_of(sizes)

    async def program() -> tuple[bytes, list[object], list[object]]:
        server, client, network = two_nodes()
        network.plan = LinkPlan(reset_one_in=2, split_reads=split)
        async with connection(server, client) as (here, there):
            sent: list[object] = [await seen(here.send_all, chunk) for chunk in chunks]
            data = b""
            ends: list[object] = []
            while not ends:
                with trio.move_on_after(1) as quiet:
                    try:
                        data += await there.receive_some()
                    except trio.BrokenResourceError as error:
                        ends.append(type(error.__cause__))
                if quiet.cancelled_caught:
                    ends.append("open")
            return data, ends, sent

    data, ends, sent = simulate(program, chooser=RandomWalk(seed)).unwrap()
    assert b"".join(chunks).startswith(data)
    if ends == ["open"]:
        assert (b"".join(chunks), {None}) == (data, set(sent))
    else:
        assert [ConnectionResetError] == ends
        # The send that was cut has reported success, as a kernel's does; later ones fail.
        failed = [outcome for outcome in sent if outcome is not None]
        assert [ConnectionResetError, *[BrokenPipeError] * len(sent)][: len(failed)] == failed


@settings(deadline=None, max_examples=30)
@given(st.integers(2_000, 70_000), st.integers(1, 70_000))
def test_a_sender_is_never_further_ahead_than_the_buffers(chunk, read):
    async def program() -> tuple[int, int]:
        server, client, _ = two_nodes()
        sent = received = 0

        async def send(stream: trio.SocketStream) -> None:
            nonlocal sent
            while True:
                sent += await stream.socket.send(bytes(chunk))

        async with connection(server, client) as (here, there), trio.open_nursery() as nursery:
            nursery.start_soon(send, here)
            await trio.testing.wait_all_tasks_blocked()
            most = sent
            for _ in range(5):
                received += len(await there.receive_some(read))
                await trio.testing.wait_all_tasks_blocked()
                most = max(most, sent - received)
            nursery.cancel_scope.cancel()
        return most, sent - received

    limit = SEND_BUFFER_BYTES + RECEIVE_BUFFER_BYTES
    # The writer is blocked, so the buffers are full to the last byte, and never fuller.
    assert (limit, limit) == simulate(program).unwrap()


def test_smaller_buffers_make_a_sender_wait_earlier():
    async def program() -> int:
        one, two = trio.socket.socketpair()
        for sock in (one, two):
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 5000)
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 2000)
        return await one.send(bytes(100_000))

    assert simulate(program).unwrap() == 2 * 5000 + 2 * 2000


def test_a_read_can_be_kept_from_joining_what_was_sent_apart():
    async def program() -> list[bytes]:
        current_network().plan = LinkPlan(join_reads=False)
        one, two = trio.socket.socketpair()
        for data in (b"one", b"two", b"three"):
            await one.send(data)
        return [await two.recv(4) for _ in range(4)]

    assert simulate(program).unwrap() == [b"one", b"two", b"thre", b"e"]


def test_on_a_plain_link_everything_arrives_at_once_and_nothing_is_drawn():
    run = simulate(talk, [b"a", b"b"], LinkPlan())
    assert run.unwrap() == (b"ab", b"ab")
    assert {"schedule", "data"} == set(run.tape.streams)


def test_a_random_walk_meets_every_kind_of_trouble():
    plan = LinkPlan(latency_s=(0, 1), split_reads=True, stall_one_in=3, stall_s=(1, 5))
    labels: set[str] = set()
    for seed in range(5):
        run = simulate(talk, pieces_of([50, 50]), plan, chooser=RandomWalk(seed))
        assert run.error is None
        for name in ("latency", "faults"):
            stream = run.tape.streams[name]
            assert stream.labels is not None
            drawn = zip(stream.labels, stream.values, strict=True)
            labels |= {label.split(" ", 1)[1] for label, value in drawn if value}
    assert {"latency", "read", "stall", "stall at byte", "stall seconds"} <= labels


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_s": ()},
        {"latency_s": -1.0},
        {"latency_s": float("inf")},
        {"stall_one_in": 1},
        {"reset_one_in": -2},
        {"stall_s": (1.0, float("nan"))},
    ],
)
def test_a_plan_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LinkPlan(**wrong)
