"""A crash ends everything a node does; a restart begins anew; nothing leaks from life to life."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import (
    LinkPlan,
    Node,
    RandomWalk,
    Tape,
    crash_at_every_step,
    current_network,
    draw,
    note,
    replay,
    shrink,
    simulate,
)
from pyvirt_sim.engine.disk import Disk
from pyvirt_sim.engine.net.plan import RETRANSMIT_TIMEOUT_S
from tests.sim.engine.net.programs import connection, listen_on, read_all, seen, two_nodes


class Loud:
    """Makes as much noise as it can while it is being cancelled."""

    def __init__(self, stream: trio.SocketStream, attempts: list[object]) -> None:
        self.stream = stream
        self.attempts = attempts

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            note("server", "cleanup")
            self.attempts.append(draw("data", "cleanup", 100))
            with trio.CancelScope(shield=True):
                self.attempts.append(await seen(self.stream.send_all, b"last words"))
                self.attempts.append(await seen(trio.open_tcp_stream, "client", 80))
                await trio.sleep(100)
                self.attempts.append("slept")


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.booleans())
def test_nothing_a_dead_life_does_reaches_the_outside(seed, silent):
    attempts: list[object] = []

    async def program():
        server, client, network = two_nodes()
        arrived: list[object] = []

        async def serve() -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(trio.serve_tcp, lambda stream: Loud(stream, attempts).run(), 80)

        async def ask() -> None:
            async with await trio.open_tcp_stream("server", 80) as stream:
                network.link("client", "server").hold()
                await stream.send_all(b"unheard")
                with trio.move_on_after(10):
                    arrived.append(await seen(read_all, stream))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, serve)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(client.run, ask)
            await trio.testing.wait_all_tasks_blocked()
            server.crash(silent=silent)
            await trio.sleep(11)
            assert server.is_down
            nursery.cancel_scope.cancel()
        return arrived, network.in_flight

    run = simulate(program, chooser=RandomWalk(seed))
    arrived, in_flight = run.unwrap()
    assert ([] if silent else [ConnectionResetError]) == arrived
    assert all(message.source.startswith("client") for message in in_flight)
    assert [n.action for n in run.notes] == ["crashes"]
    assert "data" not in run.tape.streams
    # It did try, and none of it took time; a chooser may lift the shield before the first try.
    assert attempts[0] == 0
    assert {trio.ClosedResourceError, OSError} >= set(attempts[1:])
    assert run.time_s == 11


def test_the_next_life_begins_anew_and_finds_the_disk():
    async def serve(disk: Disk, lives: list[str]) -> str:
        files = disk.mount()
        if not files.exists("/state"):
            with files.open("/state", create=True) as state:
                state.append(b"first")
                state.sync()
            files.sync("/")
            lives.append("fresh")
            await trio.sleep_forever()
        lives.append(files.read("/state").decode())
        return "done"

    async def program():
        disk = Disk()
        lives: list[str] = []
        server = Node("server", disk=disk)
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                lives.append(await server.run(serve, disk, lives))

            nursery.start_soon(run)
            await trio.sleep(1)
            server.crash(restart_after_s=5)
        return lives, server.life, trio.current_time()

    assert simulate(program).unwrap() == (["fresh", "first", "done"], 2, 6.0)


def test_a_dead_life_cannot_write_to_its_disk():
    async def program():
        disk = Disk()
        server = Node("server", disk=disk)
        outcomes = []

        async def serve() -> None:
            files = disk.mount()
            try:
                await trio.sleep_forever()
            finally:
                try:
                    files.open("/late", create=True)
                except OSError as error:
                    outcomes.append(error.errno is not None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, serve)
            await trio.sleep(1)
            server.crash()
            nursery.cancel_scope.cancel()
        return outcomes, disk.contents()

    outcomes, contents = simulate(program).unwrap()
    assert outcomes == [True]
    assert "/late" not in contents


def test_a_silent_crash_is_found_out_by_sending_after_the_restart():
    async def program():
        server, client, _ = two_nodes()
        async with connection(server, client) as (here, _):
            server.crash(silent=True)
            first = await seen(here.send_all, b"into the dark")
            with trio.move_on_after(10) as waiting:
                await here.receive_some()
            server.restart()
            return first, waiting.cancelled_caught, await seen(here.receive_some)

    assert (None, True, ConnectionResetError) == simulate(program).unwrap()


def test_a_machine_that_stays_down_breaks_connections_in_the_end():
    async def program():
        server, client, _ = two_nodes()
        async with connection(server, client) as (here, _):
            server.crash(silent=True)
            await here.send_all(b"x")
            return await seen(here.receive_some), trio.current_time()

    assert (TimeoutError, RETRANSMIT_TIMEOUT_S) == simulate(program).unwrap()


def test_what_was_sent_before_a_crash_is_on_its_way():
    async def program():
        server, client, network = two_nodes()
        async with connection(server, client) as (here, there):
            network.link("server", "client").plan = LinkPlan(latency_s=3)
            await there.send_all(b"letter")
            server.crash()
            return await here.receive_some(), trio.current_time(), await seen(here.receive_some)

    assert (b"letter", 3.0, ConnectionResetError) == simulate(program).unwrap()


def test_a_socket_file_outlives_a_crash_as_on_a_disk():
    async def program():
        server = Node("server")
        with server.here():
            sock = trio.socket.socket(trio.socket.AF_UNIX)
            await sock.bind("/run/server.sock")
            sock.listen()
        server.crash()
        server.restart()
        with server.here(), trio.socket.socket(trio.socket.AF_UNIX) as again:
            stale = await seen(trio.open_unix_socket, "/run/server.sock")
            taken = await seen(again.bind, "/run/server.sock")
            if os.path.exists("/run/server.sock"):  # noqa: ASYNC240, PTH110 - as servers do
                os.unlink("/run/server.sock")  # noqa: PTH108
            return stale, taken, await seen(again.bind, "/run/server.sock"), sock.fileno() > 0

    assert (ConnectionRefusedError, OSError, None, True) == simulate(program).unwrap()


def test_a_dead_life_cannot_remove_the_socket_file_of_the_next_one():
    async def program():
        server = Node("server")
        path = Path("/run/server.sock")
        outcomes: list[object] = []

        async def serve() -> None:
            with trio.socket.socket(trio.socket.AF_UNIX) as sock:
                await sock.bind(str(path))
                try:
                    await trio.sleep_forever()
                finally:
                    try:
                        path.unlink()  # noqa: ASYNC240 - as programs do
                    except OSError as error:
                        outcomes.append(errno.errorcode[error.errno or 0])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, serve)
            await trio.sleep(1)
            server.crash()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        server.restart()
        with server.here():
            outcomes.append(path.is_socket())  # noqa: ASYNC240 - as programs do
        return outcomes

    assert simulate(program).unwrap() == ["ESTALE", True]


def test_a_node_may_crash_itself():
    async def program():
        node = Node("node")
        went_on: list[str] = []

        async def main() -> str:
            if node.life > 1:
                return "second life"
            node.crash(restart_after_s=1)
            node.crash()  # a dead life has no say any more
            node.restart()
            went_on.append("to the next checkpoint")
            await trio.lowlevel.checkpoint()
            went_on.append("too far")
            return "first life"

        return await node.run(main), went_on, node.life

    expected = ("second life", ["to the next checkpoint"], 2)
    assert expected == simulate(program).unwrap()


def test_a_program_that_ends_closes_its_sockets():
    async def program():
        server, client, _ = two_nodes()
        listener = await listen_on(server)
        with client.here():
            stream = await trio.open_tcp_stream("server", 80)

        async def accept() -> str:
            end = await listener.accept()
            await end.send_all(b"bye")
            return "ended"

        return await server.run(accept), await read_all(stream), await seen(listener.accept)

    assert ("ended", b"bye", trio.ClosedResourceError) == simulate(program).unwrap()


def test_errors_of_a_living_program_come_out_and_those_of_a_dead_one_do_not():
    async def fail(node: Node, when: int) -> str:
        if node.life == when:
            raise ValueError(f"life {when}")
        try:
            await trio.sleep(5)
        finally:
            if node.is_down:
                raise KeyError("from the grave")
        return "fine"

    async def program():
        node = Node("node")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.run, fail, node, 3)
            await trio.sleep(1)
            node.crash()
            await trio.sleep(1)
            node.restart()
        with pytest.raises(ValueError, match="life 2"):
            await node.run(fail, node, 2)
        return node.life

    assert simulate(program).unwrap() == 2


def test_outer_cancellation_reaches_a_node_in_every_state():
    async def program():
        node = Node("node")
        with trio.move_on_after(1) as living:
            await node.run(trio.sleep_forever)
        with trio.move_on_after(1) as down:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.run, trio.sleep_forever)
                await trio.lowlevel.checkpoint()
                node.crash()
        return living.cancelled_caught, down.cancelled_caught

    assert simulate(program).unwrap() == (True, True)


def test_tasks_and_threads_belong_to_the_node_that_started_them():
    async def program():
        node, other = Node("node"), Node("other")
        seen_on: list[str] = []

        def where() -> None:
            seen_on.append(current_network().here().name)

        async def task() -> None:
            where()
            await trio.to_thread.run_sync(where)

        async def main(nursery: trio.Nursery) -> None:
            nursery.start_soon(task)
            with other.here():
                where()
            where()

        where()
        async with trio.open_nursery() as nursery:
            await node.run(main, nursery)
        where()
        return seen_on

    expected = ["main", "other", "node", "node", "node", "main"]
    assert expected == simulate(program).unwrap()


async def flaky() -> int:
    """Count to three on a server that may crash; the client believes every answer once given."""
    server, client, _ = two_nodes()
    disk = Disk()
    server.may_crash(within_steps=300, restart_after_s=1)

    async def serve() -> None:
        files = disk.mount()

        async def handle(stream: trio.SocketStream) -> None:
            async with stream:
                async for _ in stream:
                    count = len(files.read("/log")) if files.exists("/log") else 0
                    with files.open("/log", create=True) as log:
                        log.append(b"x")  # the bug: neither the file nor its name is synced
                    await stream.send_all(b"%d" % (count + 1))

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_tcp, handle, 80)

    server.disk = disk
    last = 0

    async def ask() -> None:
        nonlocal last
        while last < 3:
            try:
                async with await trio.open_tcp_stream("server", 80) as stream:
                    await stream.send_all(b"?")
                    answer = int(await stream.receive_some() or b"0")
                    assert not answer or answer > last, f"{answer} after {last}"
                    last = answer or last
            except (OSError, trio.BrokenResourceError):
                await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, serve)
        await client.run(ask)
        nursery.cancel_scope.cancel()
    return last


def test_a_crash_at_every_step_is_one_run_per_step_and_replays():
    steps = 0
    crashed = 0
    for run in crash_at_every_step(flaky, "server"):
        steps += 1
        crashed += any(n.action == "crashes" for n in run.notes if n.actor == "server")
        again = replay(flaky, Tape.from_text(run.tape.to_text()))
        assert (run.digest, run.value) == (again.digest, again.value)
    plain = simulate(flaky)
    assert plain.unwrap() == 3
    # Trio's own first step and the one that asks come before; every later one had its run.
    assert (plain.steps - 2, 1 + crashed) == (crashed, steps)


def test_a_crash_that_loses_data_is_found_and_shrunk():
    found = None
    for seed in range(200):
        run = simulate(flaky, chooser=RandomWalk(seed))
        if run.error is not None:
            found = run
            break
    assert found is not None
    small = shrink(flaky, found, max_runs=300)
    assert "AssertionError" in repr(small.run.error)
    faults = small.run.tape.streams["faults"]
    assert faults.labels is not None
    assert faults.labels[0] == "server crashes after steps"
    assert small.after < small.before


@pytest.mark.parametrize("problem", ["twice", "up", "running", "never"])
def test_misuse_is_named(problem):
    async def program():
        node = Node("node")
        if problem == "twice":
            node.crash()
            with pytest.raises(RuntimeError, match="down already"):
                node.crash()
            with pytest.raises(RuntimeError, match="is down"), node.here():
                pass
        elif problem == "up":
            with pytest.raises(RuntimeError, match="not down"):
                node.restart()
        elif problem == "running":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.run, trio.sleep, 1)
                await trio.lowlevel.checkpoint()
                with pytest.raises(RuntimeError, match="runs a program already"):
                    await node.run(trio.sleep, 1)
        else:
            with pytest.raises(ValueError, match="at least 1"):
                node.may_crash(within_steps=0)

    simulate(program).unwrap()


def test_asking_for_the_crash_of_an_unknown_node_is_named():
    with pytest.raises(ValueError, match="named 'nobody'"):
        list(crash_at_every_step(flaky, "nobody"))
