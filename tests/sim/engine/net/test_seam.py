"""Trio's own network functions run under the engine as they are, and only there."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio._socket
import trio.testing

from pyvirt_sim.engine import (
    EscapeError,
    LinkPlan,
    Node,
    RandomWalk,
    current_network,
    note,
    simulate,
)
from pyvirt_sim.engine.net.seam import SimulatedSocket
from tests.sim.engine.net.programs import read_all

TLS = Path(__file__).parent / "tls"

CHILD = """
import warnings; warnings.simplefilter("error")
from pyvirt_sim.engine import RandomWalk, simulate
from tests.sim.engine.net.test_seam import crowd
for seed in range(3):
    run = simulate(crowd, chooser=RandomWalk(seed))
    print(run.tape.to_text(), run.digest, run.unwrap())
"""


async def crowd() -> int:
    """Several clients of several servers on several machines, with everything a link can do."""
    current_network().plan = LinkPlan(
        latency_s=(0, 1, 2), split_reads=True, stall_one_in=4, reset_one_in=20
    )
    answers = 0

    async def shout(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                async for chunk in stream:
                    await stream.send_all(chunk.upper())
        except trio.BrokenResourceError:
            note("server", "lost one")

    async def ask(name: str) -> None:
        nonlocal answers
        try:
            async with await trio.open_tcp_stream(name, 80) as stream:
                await stream.send_all(b"hello" * 20)
                await stream.send_eof()
                answers += len(await read_all(stream))
        except (trio.BrokenResourceError, OSError) as error:
            note("client", "gave up", why=type(error).__name__)

    async with trio.open_nursery() as nursery:
        for number in range(2):
            with Node(f"server{number}").here():
                await nursery.start(trio.serve_tcp, shout, 80)
        async with trio.open_nursery() as clients:
            for number in range(4):
                client = Node(f"client{number}")
                clients.start_soon(client.run, ask, f"server{number % 2}")
        nursery.cancel_scope.cancel()
    return answers


def test_processes_with_other_hash_seeds_see_the_same_traffic():
    outputs = set()
    for hash_seed in range(4):
        path = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path}
        outputs.add(
            subprocess.run(
                [sys.executable, "-c", CHILD],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == 3


def test_no_address_orders_the_traffic():
    digests, rubbish = set(), []
    for size in range(4):
        rubbish.append([object() for _ in range(size * 777)])  # moves the addresses
        digests.add(simulate(crowd, chooser=RandomWalk(7)).digest)
    assert len(digests) == 1


async def happy_eyeballs() -> list[str]:
    """Connect to a name with many addresses; Trio closes the losers in the order of a set."""
    addresses = [f"10.1.0.{number}" for number in range(1, 9)]
    server = Node("server", addresses=addresses)
    link = current_network().link("main", "server")
    link.stall(5)  # until all attempts are under way
    link.plan = LinkPlan(latency_s=(1,))
    with server.here():
        await trio.open_tcp_listeners(80)
    async with await trio.open_tcp_stream("server", 80, happy_eyeballs_delay=0.1):
        return [message.target for message in link.in_flight if message.kind == "fin"]


def test_the_losers_of_a_connection_race_are_closed_in_one_order():
    orders, rubbish = set(), []
    for size in range(8):
        # Takes the places that the sockets of the last run had.
        rubbish.append([SimulatedSocket.__new__(SimulatedSocket) for _ in range(size)])
        orders.add(tuple(simulate(happy_eyeballs).unwrap()))
    assert len(orders) == 1
    assert len(orders.pop()) == 7


def test_sockets_are_real_again_after_a_run_whatever_ended_it():
    async def crash() -> None:
        trio.socket.socket()
        raise ValueError

    before = vars(trio._socket).copy()
    assert isinstance(simulate(crash).error, ValueError)
    assert before == vars(trio._socket)

    async def real() -> type:
        with trio.socket.socket() as sock:
            return type(sock._sock)  # type: ignore[attr-defined]

    assert socket.socket is trio.run(real)


def test_each_run_has_a_network_of_its_own():
    async def program() -> tuple[object, ...]:
        (listener,) = await trio.open_tcp_listeners(80, host="127.0.0.1")
        return listener.socket.fileno(), Node("x").host.addresses, len(current_network().hosts)

    assert simulate(program).unwrap() == simulate(program).unwrap()


@pytest.mark.parametrize("way", ["datagram", "fileno", "fromfd", "stdlib", "descriptor"])
def test_what_is_not_simulated_is_refused_with_its_place(way):
    async def program(real: socket.socket) -> None:
        if way == "datagram":
            trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        elif way == "fileno":
            trio.socket.socket(fileno=real.fileno())
        elif way == "fromfd":
            trio.socket.fromfd(real.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        elif way == "stdlib":
            trio.socket.from_stdlib_socket(real)
        else:
            await trio.lowlevel.wait_readable(real.fileno())

    with socket.socket() as real:
        error = simulate(program, real).error
    assert isinstance(error, EscapeError)
    assert "test_seam.py" in str(error)


def test_waiting_for_a_descriptor_works_by_number_and_by_socket():
    async def program() -> list[str]:
        one, two = trio.socket.socketpair()
        order = []

        async def wait(name: str, what: object) -> None:
            await trio.lowlevel.wait_readable(what)  # type: ignore[arg-type]
            order.append(name)

        twin = two.dup()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, "number", two.fileno())
            nursery.start_soon(wait, "socket", twin)
            await trio.testing.wait_all_tasks_blocked()
            order.append("nothing yet")
            await trio.lowlevel.wait_writable(one.fileno())
            await one.send(b"x")
        return order

    assert simulate(program).unwrap() == ["nothing yet", "number", "socket"]


def test_abstract_names_end_with_their_socket():
    async def program() -> bytes:
        for _ in range(2):
            with trio.socket.socket(socket.AF_UNIX) as sock:
                await sock.bind("\0name")
                sock.listen()
                async with await trio.open_unix_socket("\0name") as stream:
                    end, _ = await sock.accept()
                    with end:
                        await end.send(b"x")
                        return await stream.receive_some()
        return b""

    assert simulate(program).unwrap() == b"x"


@pytest.mark.parametrize("seed", range(3))
def test_tls_runs_over_it(seed):
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    client_side = ssl.create_default_context(cafile=TLS / "certificate.pem")

    async def program() -> bytes:
        current_network().plan = LinkPlan(split_reads=True, stall_one_in=4)

        async def shout(stream: trio.SSLStream[trio.SocketStream]) -> None:
            async with stream:
                async for chunk in stream:
                    await stream.send_all(chunk.upper())

        async with trio.open_nursery() as nursery:
            with Node("server").here():
                serve = trio.serve_ssl_over_tcp
                await nursery.start(serve, shout, 443, server_side)
            with Node("client").here():
                connect = trio.open_ssl_over_tcp_stream
                async with await connect("server", 443, ssl_context=client_side) as stream:
                    await stream.send_all(b"secret")
                    answer = b""
                    while len(answer) < 6:
                        answer += await stream.receive_some()
            nursery.cancel_scope.cancel()
        return answer

    assert simulate(program, chooser=RandomWalk(seed)).unwrap() == b"SECRET"
