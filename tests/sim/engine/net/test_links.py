"""What a test does to a link happens to that direction, and to nothing else."""

from __future__ import annotations

import errno

import pytest
import trio

from pyvirt_sim.engine import DeadlockError, Node, RandomWalk, current_network, simulate
from pyvirt_sim.engine.net.plan import (
    CONNECT_TIMEOUT_S,
    RECEIVE_BUFFER_BYTES,
    RETRANSMIT_TIMEOUT_S,
    SEND_BUFFER_BYTES,
)
from tests.sim.engine.net.programs import (
    connect_from,
    connection,
    listen_on,
    read_all,
    seen,
    two_nodes,
)


async def soon(action, *args):
    """Return what a call returns within a virtual second, else "nothing"."""
    with trio.move_on_after(1):
        return await seen(action, *args)
    return "nothing"


def test_held_messages_can_be_listed_and_released_one_by_one():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            up, _ = network.links("client", "server")
            up.hold()
            for data in (b"one", b"two", b"three"):
                await here.send_all(data)
                await trio.sleep(1)
            listed = [(m.source, m.target, m.kind, m.data, m.sent_at_s) for m in network.in_flight]
            nothing = await soon(there.receive_some)
            up.release(1)
            first = await there.receive_some()
            still = len(up.in_flight), up.is_held
            up.release()
            return listed, nothing, first, still, await there.receive_some(), up.in_flight

    ends = ("client 10.0.0.3:49152", "server 10.0.0.2:80", "data")
    listed = [(*ends, b"one", 0.0), (*ends, b"two", 1.0), (*ends, b"three", 2.0)]
    expected = (listed, "nothing", b"one", (2, True), b"twothree", ())
    assert expected == simulate(program).unwrap()


def test_a_hold_is_one_way():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            network.link("client", "server").hold()
            await here.send_all(b"up")
            await there.send_all(b"down")
            return await soon(here.receive_some), await soon(there.receive_some)

    assert simulate(program).unwrap() == (b"down", "nothing")


def test_waiting_for_a_held_message_is_a_deadlock_not_a_hang():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            network.link("client", "server").hold()
            await here.send_all(b"x")
            await there.receive_some()

    assert isinstance(simulate(program).error, DeadlockError)


def test_a_stall_ends_by_itself():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            network.link("client", "server").stall(7)
            await here.send_all(b"x")
            return await there.receive_some(), trio.current_time()

    assert simulate(program).unwrap() == (b"x", 7.0)


def test_latency_is_that_of_the_direction_and_never_reorders_a_connection():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            up, down = network.links("client", "server")
            up.plan = type(up.plan)(latency_s=3)
            start = trio.current_time()
            await here.send_all(b"slow")
            up.plan = type(up.plan)(latency_s=1)
            await here.send_all(b"quick")
            first = await there.receive_some(), trio.current_time() - start
            await there.send_all(b"answer")
            await here.receive_some()
            return first, trio.current_time() - start, down.plan.latency_s

    assert simulate(program).unwrap() == ((b"slowquick", 3.0), 3.0, (0.0,))


def test_a_message_due_now_does_not_overtake_an_older_one_of_its_connection():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            up = network.link("client", "server")
            up.plan = type(up.plan)(latency_s=1)
            await here.send_all(b"older")
            up.plan = None
            await trio.sleep(1)  # both are due in this instant, and this task runs first
            await here.send_all(b"younger")
            return await there.receive_some(5)

    for seed in range(20):
        assert simulate(program, chooser=RandomWalk(seed)).unwrap() == b"older"


def test_a_partition_loses_nothing_that_is_sent_again_after_the_heal():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            up, down = network.links("client", "server")
            up.partition()
            await here.send_all(b"first")
            await here.send_all(b"second")
            lost = await soon(there.receive_some)
            await there.send_all(b"the other way")
            other = await soon(here.receive_some)
            states = up.is_partitioned, down.is_partitioned, len(up.in_flight)
            up.heal()
            return lost, other, states, await there.receive_some()

    run = simulate(program)
    expected = ("nothing", b"the other way", (True, False, 2), b"firstsecond")
    assert expected == run.unwrap()
    assert [n.action for n in run.notes] == ["partition client->server", "heal client->server"]


@pytest.mark.parametrize("direction", [("client", "server"), ("server", "client")])
def test_connecting_across_a_partition_times_out(direction):
    async def program():
        server, client, network = two_nodes()
        async with await listen_on(server) as listener:
            network.link(*direction).partition()
            with client.here():
                sock = trio.socket.socket()
            with sock:
                try:
                    await sock.connect(listener.socket.getsockname())
                except OSError as error:
                    return error.errno, trio.current_time()

    assert simulate(program).unwrap() == (errno.ETIMEDOUT, CONNECT_TIMEOUT_S)


def test_connecting_to_who_never_accepts_times_out():
    async def program():
        server, client, _ = two_nodes()
        with server.here():
            (listener,) = await trio.open_tcp_listeners(80, host="0.0.0.0", backlog=0)
        async with listener, await connect_from(client):
            return await seen(connect_from, client), trio.current_time()

    assert (TimeoutError, CONNECT_TIMEOUT_S) == simulate(program).unwrap()


def test_data_that_cannot_arrive_breaks_its_connection_in_the_end():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, _):
            network.link("client", "server").partition()
            await here.send_all(b"x")
            result = await seen(here.receive_some), trio.current_time()
            return *result, await seen(here.send_all, b"y")

    expected = (TimeoutError, RETRANSMIT_TIMEOUT_S, BrokenPipeError)
    assert expected == simulate(program).unwrap()


def test_lost_acknowledgements_stop_a_sender_whose_data_arrives():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            network.link("server", "client").partition()
            limit = SEND_BUFFER_BYTES + RECEIVE_BUFFER_BYTES
            await here.send_all(bytes(limit))
            arrived = 0
            while arrived < limit:
                arrived += len(await there.receive_some())
            blocked = await soon(here.send_all, b"one more")
            network.link("server", "client").heal()
            return blocked, await soon(here.send_all, b"one more"), arrived == limit

    assert simulate(program).unwrap() == ("nothing", None, True)


def test_a_reset_breaks_both_ends_of_every_connection_over_the_link_only():
    async def program():
        server, client, network = two_nodes()
        other = Node("other")
        async with await listen_on(server) as listener:
            streams = [await connect_from(node) for node in (client, client, other)]
            ends = [await listener.accept() for _ in streams]
            count = network.link("client", "server").reset()
            broken = *streams[:2], *ends[:2]
            results = [await seen(stream.receive_some) for stream in broken]
            await streams[2].send_all(b"alive")
            return count, results, await ends[2].receive_some()

    assert (2, [ConnectionResetError] * 4, b"alive") == simulate(program).unwrap()


def test_a_half_close_ends_one_direction():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            await here.send_all(b"before")
            count = network.link("client", "server").half_close()
            await there.send_all(b"still")
            upward = await read_all(there)
            again = network.link("client", "server").half_close()
            return count, upward, await here.receive_some(), await seen(here.send_all, b"x"), again

    expected = (1, b"before", b"still", BrokenPipeError, 0)
    assert expected == simulate(program).unwrap()


def test_names_and_addresses_resolve_everywhere():
    async def program():
        node = Node("db", addresses=["192.168.1.5", "fd00::5"])
        network = current_network()
        infos = await trio.socket.getaddrinfo("db", "http", type=trio.socket.SOCK_STREAM)
        with pytest.raises(OSError, match="not known") as caught:
            await trio.socket.getaddrinfo("nobody", 80)
        return (
            [info[4][:2] for info in infos],
            await trio.socket.getnameinfo(("192.168.1.5", 443), 0),
            await trio.socket.getnameinfo(("127.0.0.1", 5), 0),
            caught.value.__notes__,
            network.host("db") is node.host,
            Node("next").host.addresses,
        )

    expected = (
        [("192.168.1.5", 80), ("fd00::5", 80)],
        ("db", "https"),
        ("localhost", "5"),
        ["the simulated network has no 'nobody', only localhost, main, db"],
        True,
        ("10.0.0.2",),
    )
    assert expected == simulate(program).unwrap()


def test_a_listener_serves_the_machine_and_address_it_is_bound_to():
    async def program():
        server, client, _ = two_nodes()
        with server.here():
            (inside,) = await trio.open_tcp_listeners(80, host="127.0.0.1")
            (outside,) = await trio.open_tcp_listeners(81, host="0.0.0.0")
        with client.here():
            results = [
                await seen(trio.open_tcp_stream, "server", 80),
                await seen(trio.open_tcp_stream, "localhost", 81),
                await seen(trio.open_tcp_stream, "10.9.9.9", 80),
            ]
            async with await trio.open_tcp_stream("server", 81) as stream:
                peer = stream.socket.getpeername()[0]
        await inside.aclose()
        await outside.aclose()
        return results, peer

    refused = [ConnectionRefusedError, ConnectionRefusedError, OSError]
    assert (refused, "10.0.0.2") == simulate(program).unwrap()


@pytest.mark.parametrize(
    ("name", "addresses", "problem"),
    [
        ("", (), "cannot name"),
        ("localhost", (), "cannot name"),
        ("a b", (), "cannot name"),
        ("main", (), "already"),
        ("x", ("10.0.0.1",), "taken"),
        ("x", ("127.0.0.1",), "taken"),
        ("x", ("10.0.0.300",), "does not appear"),
    ],
)
def test_a_machine_needs_a_name_and_addresses_of_its_own(name, addresses, problem):
    async def program():
        with pytest.raises(ValueError, match=problem):
            Node(name, addresses=addresses)

    simulate(program).unwrap()


def test_there_is_no_network_outside_a_run():
    with pytest.raises(RuntimeError, match="inside simulate"):
        current_network()
