"""The session against a real QEMU, over a unix socket, TCP, and a WebSocket relay."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio_websocket import (
    WebSocketRequest,
    serve_websocket,
    wrap_client_stream,
)

from pyvirt_trio.errors import CommandFailedError, MonitorClosedError, OutcomeUnknownError
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.schema import QmpSchema
from pyvirt_trio.qmp.session import open_session
from pyvirt_trio.qmp.websocket import WebSocketStream

pytestmark = pytest.mark.real_qemu

# A hundred times what QEMU takes on an idle machine.
PATIENCE_S = 20


@asynccontextmanager
async def qemu(folder: Path) -> AsyncGenerator[tuple[Path, int], None]:
    """A machine without anything, paused; its monitors on a unix socket and on a TCP port.

    The sockets are bound here and handed down, so that there is no port to guess and no moment in
    which QEMU does not listen yet.
    """
    path = folder / "monitor"
    with socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_INET) as tcp:
        unix.bind(os.fspath(path))
        tcp.bind(("127.0.0.1", 0))
        for listener in (unix, tcp):
            listener.listen(1)
        command = ["qemu-system-x86_64", "-machine", "none", "-S", "-nodefaults", "-nographic"]
        for name, listener in (("unix", unix), ("tcp", tcp)):
            fd = listener.fileno()
            command += ["-chardev", f"socket,id={name},fd={fd},server=on,wait=off"]
            command += ["-mon", f"chardev={name},mode=control"]
        fds = (unix.fileno(), tcp.fileno())
        async with trio.open_nursery() as nursery:
            start = partial(trio.run_process, command, pass_fds=fds, check=False)
            await nursery.start(start)
            yield path, int(tcp.getsockname()[1])
            nursery.cancel_scope.cancel()


async def relay(path: Path, request: WebSocketRequest) -> None:
    """Joins a WebSocket to a unix socket, byte for byte, until either side ends."""

    async def pump(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
        except trio.BrokenResourceError:
            pass  # the other side has ended, which ends this one
        nursery.cancel_scope.cancel()

    outer = WebSocketStream(await request.accept())
    async with await trio.open_unix_socket(path) as inner, outer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, inner, outer)
            nursery.start_soon(pump, outer, inner)


@asynccontextmanager
async def connected(transport: str, folder: Path) -> AsyncGenerator[trio.abc.Stream, None]:
    """A fresh QEMU and a stream to its monitor, over the transport of that name."""
    with trio.fail_after(PATIENCE_S):
        async with qemu(folder) as (path, port):
            if transport == "unix":
                yield await trio.open_unix_socket(path)
            elif transport == "tcp":
                yield await trio.open_tcp_stream("127.0.0.1", port)
            else:
                async with trio.open_nursery() as nursery:
                    serve = partial(serve_websocket, partial(relay, path), "127.0.0.1", 0, None)
                    server = await nursery.start(serve)
                    tcp = await trio.open_tcp_stream("127.0.0.1", server.port)
                    connection = await wrap_client_stream(nursery, tcp, "127.0.0.1", "/")
                    yield WebSocketStream(connection, tcp)
                    nursery.cancel_scope.cancel()


@pytest.fixture(params=["unix", "tcp", "websocket"])
async def stream(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[trio.abc.Stream, None]:
    async with connected(request.param, tmp_path) as opened:
        yield opened


async def test_commands_errors_and_the_schema(stream: trio.abc.Stream) -> None:
    async with open_session(stream) as session:
        assert session.greeting.version >= (5, 0, 0)
        status = await session.execute("query-status")
        assert status["status"] == "prelaunch"
        with pytest.raises(CommandFailedError) as refused:
            await session.execute("no-such-command", {"a": "é\U0001f600"})
        assert refused.value.error_class == "CommandNotFound"
        schema = QmpSchema(await session.execute("query-qmp-schema"))
        assert schema.has_command("device_add")
        assert schema.has_event("DEVICE_DELETED")
        assert schema.event_member("DEVICE_DELETED", "device") is not None
        assert schema.command_argument("blockdev-add", "driver") is not None
        assert schema.command_argument("blockdev-add", "file", "filename") is not None
        assert schema.command_argument("blockdev-add", "no-such-member") is None
        assert session.statistics().bytes_received > 100_000


async def test_many_tasks_each_get_their_own_answer(stream: trio.abc.Stream) -> None:
    """Twenty commands that name themselves in their error, more than QEMU takes at a time."""
    answers: dict[int, str] = {}
    async with open_session(stream) as session, trio.open_nursery() as nursery:

        async def ask(number: int) -> None:
            with pytest.raises(CommandFailedError) as refused:
                await session.execute("qom-list", {"path": f"/no/such/path/{number:03}"})
            answers[number] = refused.value.description

        for number in range(20):
            nursery.start_soon(ask, number)
    assert all(f"{number:03}" in answers[number] for number in range(20))


async def test_out_of_band(stream: trio.abc.Stream) -> None:
    """QEMU decides what may go out of band; what may not gets an error of its own."""
    async with open_session(stream) as session:
        assert session.is_oob_enabled
        schema = QmpSchema(await session.execute("query-qmp-schema"))
        assert schema.command_allows_oob("migrate-pause")
        with pytest.raises(CommandFailedError, match="migrat"):
            await session.execute("migrate-pause", oob=True)
        with pytest.raises(CommandFailedError, match="OOB"):
            await session.execute("query-status", oob=True)


async def test_quit_announces_shutdown_before_its_reply(stream: trio.abc.Stream) -> None:
    seen: list[Event] = []
    async with open_session(stream, on_event=seen.append) as session:
        assert await session.execute("quit") == {}
        assert [event.name for event in seen] == ["SHUTDOWN"]
        assert seen[0].data["reason"] == "host-qmp-quit"
        assert isinstance(await session.wait_ended(), MonitorClosedError)
        with pytest.raises(MonitorClosedError):
            await session.execute("query-status")


async def test_a_cancelled_command_does_not_disturb_the_next(stream: trio.abc.Stream) -> None:
    async with open_session(stream) as session:
        for _ in range(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.execute, "query-version")
                await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            assert "status" in await session.execute("query-status")
        assert session.statistics().commands_in_flight == 0


async def test_a_qemu_that_dies_leaves_nobody_waiting(stream: trio.abc.Stream) -> None:
    """How many are still answered is up to QEMU, and TCP may reset the last replies away."""
    outcomes: list[str] = []

    async with open_session(stream) as session:

        async def ask(command: str) -> None:
            try:
                await session.execute(command)
                outcomes.append("answered")
            except (OutcomeUnknownError, MonitorClosedError) as error:
                outcomes.append(type(error).__name__)

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for command in ("quit", *["query-status"] * 12):
                    nursery.start_soon(ask, command)
            assert len(outcomes) == 13
            assert isinstance(await session.wait_ended(), MonitorClosedError)
        with pytest.raises(MonitorClosedError):
            await session.execute("query-status")
