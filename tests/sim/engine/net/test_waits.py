"""A deadlock over the network says who waits for whom, and what is still on its way."""

from __future__ import annotations

import trio

from pyvirt_sim.engine import DeadlockError, Node, current_network, simulate
from tests.sim.engine.net.programs import connection, two_nodes


def blocked_in(program) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return, for each child task by name, what it waits for."""
    error = simulate(program).error
    assert isinstance(error, DeadlockError)
    tasks = {task.path.rpartition("/")[2]: task for task in error.blocked}
    return {name: (task.what, task.relation, task.holders) for name, task in tasks.items()}


def test_two_that_wait_for_each_others_data():
    async def program() -> None:
        server, client, network = two_nodes()

        async def listen(stream: trio.SocketStream) -> None:
            await stream.receive_some()

        async def ask(stream: trio.SocketStream) -> None:
            network.link("client", "server").hold()
            await stream.send_all(b"held back")
            await stream.receive_some()

        async with connection(server, client) as (here, there), trio.open_nursery() as nursery:
            nursery.start_soon(listen, there)
            nursery.start_soon(ask, here)
            del here, there  # the nursery's task has them, but will not use them

    waits = blocked_in(program)
    what = "data from client 10.0.0.3:49152, of which 1 message is held on client->server"
    assert (what, "could be sent by") == waits["listen[0]"][:2]
    assert waits["ask[0]"][:2] == ("data from server 10.0.0.2:80", "could be sent by")
    assert "program/ask[0]" in waits["listen[0]"][2]
    assert "program/listen[0]" in waits["ask[0]"][2]


def test_a_sender_without_a_reader():
    async def program() -> None:
        one, two = trio.socket.socketpair()

        async def send() -> None:
            await trio.SocketStream(one).send_all(bytes(1_000_000))

        async def hold() -> None:
            assert two.fileno() > 0
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(hold)

    found = blocked_in(program)["send[0]"]
    assert found[:2] == ("room to send to main ''", "could be read by")
    assert "program/hold[0]" in found[2]


def test_who_waits_to_connect_or_to_be_connected_to():
    async def program() -> None:
        server, client = Node("server"), Node("client")
        current_network().link("server", "client").hold()

        async def listen() -> None:
            (listener,) = await trio.open_tcp_listeners(80, host="0.0.0.0")
            await listener.accept()

        async def ask() -> None:
            with client.here(), trio.socket.socket() as sock:
                await sock.connect(("10.0.0.2", 80))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, listen)
            nursery.start_soon(ask)

    waits = blocked_in(program)
    assert waits["run[0]"] == ("a connection to server 0.0.0.0:80", "", ())
    assert waits["ask[0]"] == ("an answer from server 10.0.0.2:80", "", ())
