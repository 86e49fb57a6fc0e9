"""What sockets do, as programs that run on a real kernel and on the simulated one alike.

Each scenario returns what it saw, errors by name. `EXPECTED` says what Linux does.
"""

from __future__ import annotations

import errno
import socket
import stat
import struct
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio
import trio.testing

Scenario = Callable[[], Awaitable[Any]]
EXPECTED: list[tuple[Scenario, Any]] = []
HERE = "127.0.0.1"


def expect(expected: Any) -> Callable[[Scenario], Scenario]:
    def add(scenario: Scenario) -> Scenario:
        EXPECTED.append((scenario, expected))
        return scenario

    return add


async def seen(action: Callable[..., Any], *args: Any) -> Any:
    """Return what a call returns, or the name of the error it raises."""
    try:
        result = action(*args)
        if hasattr(result, "__await__"):
            result = await result
    except socket.gaierror as error:
        return f"gaierror {error.errno}"
    except OSError as error:
        return errno.errorcode[error.errno] if error.errno else repr(error)
    except (trio.ClosedResourceError, trio.BrokenResourceError, trio.BusyResourceError) as error:
        cause = error.__cause__
        name = type(error).__name__
        if isinstance(cause, OSError) and cause.errno:
            return f"{name} {errno.errorcode[cause.errno]}"
        return name
    except ValueError as error:
        return type(error).__name__
    return result


async def settle() -> None:
    """Let a real kernel finish what it does in the background; virtual time in the simulation."""
    await trio.sleep(0.005)


async def blocks(action: Callable[..., Any], *args: Any) -> Any:
    """Return "blocks" if the call does not return soon."""
    with trio.move_on_after(0.02):
        return await seen(action, *args)
    return "blocks"


def new() -> trio.socket.SocketType:
    return trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)


async def listening(backlog: int = 10) -> trio.socket.SocketType:
    listener = new()
    await listener.bind((HERE, 0))
    listener.listen(backlog)
    return listener


async def connected() -> tuple[trio.socket.SocketType, trio.socket.SocketType]:
    """Return both ends of a TCP connection."""
    with await listening() as listener:
        client = new()
        await client.connect(listener.getsockname())
        server, _ = await listener.accept()
    return client, server


@expect(["ECONNREFUSED", "ECONNABORTED", "ECONNREFUSED", "ENOTCONN"])
async def nobody_listens():
    with await listening() as listener:
        address = listener.getsockname()
    with new() as client:
        tries = [await seen(client.connect, address) for _ in range(3)]
        return [*tries, await seen(client.getpeername)]


@expect(["EPIPE", "ENOTCONN", "ENOTCONN", "ENOTCONN", "EINVAL", ("0.0.0.0", 0)])
async def a_socket_that_is_not_connected():
    with new() as sock:
        return [
            await seen(sock.send, b"x"),
            await seen(sock.recv, 1),
            await seen(sock.getpeername),
            await seen(sock.shutdown, socket.SHUT_WR),
            await seen(sock.accept),
            sock.getsockname(),
        ]


@expect(["EADDRINUSE", None, "EINVAL", "EADDRNOTAVAIL", "EADDRINUSE"])
async def addresses_in_use():
    with await listening() as first, new() as second, new() as third, new() as fourth:
        port = first.getsockname()[1]
        taken = await seen(second.bind, (HERE, port))
        beside = await seen(second.bind, ("127.0.0.2", port))
        twice = await seen(second.bind, (HERE, 0))
        elsewhere = await seen(third.bind, ("192.0.2.1", 0))
        return [taken, beside, twice, elsewhere, await seen(fourth.bind, ("0.0.0.0", port))]


@expect([None, None, "EADDRINUSE", "EADDRINUSE"])
async def reused_addresses():
    with new() as first, new() as second, new() as third:
        for sock in (first, second, third):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await first.bind((HERE, 0))
        again = await seen(second.bind, first.getsockname())
        listens = await seen(first.listen)
        return [
            again,
            listens,
            await seen(second.listen),
            await seen(third.bind, first.getsockname()),
        ]


@expect([("EADDRINUSE", "EADDRINUSE"), ("EADDRINUSE", None)])
async def a_port_stays_busy_for_who_ended_first():
    results = []
    for reuses in (0, 1):
        with new() as listener, new() as client:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuses)
            await listener.bind((HERE, 0))
            listener.listen()
            address = listener.getsockname()
            await client.connect(address)
            (await listener.accept())[0].close()
            await settle()
        await settle()
        with new() as plain, new() as reusing:
            busy = await seen(plain.bind, address)
            reusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            results.append((busy, await seen(reusing.bind, address)))
    return results


@expect([b"hello", b"", b"", 4, "EPIPE", b""])
async def the_other_end_closes():
    client, server = await connected()
    with client:
        await server.send(b"hello")
        server.close()
        await settle()
        read = [await client.recv(10), await client.recv(10), await client.recv(10)]
        first = await seen(client.send, b"lost")
        await settle()
        return [*read, first, await seen(client.send, b"no"), await seen(client.recv, 10)]


@expect([b"request", b"", b"answer", b"", "EPIPE", "ClosedResourceError"])
async def half_close():
    client, server = await connected()
    with client, server:
        await client.send(b"request")
        client.shutdown(socket.SHUT_WR)
        request = [await server.recv(100), await server.recv(100)]
        await server.send(b"answer")
        server.close()
        answer = [await client.recv(100), await client.recv(100)]
        stream = trio.SocketStream(client)
        return [*request, *answer, await seen(client.send, b"x"), await seen(stream.send_all, b"x")]


@expect(["ECONNRESET", b"", "EPIPE"])
async def closing_with_unread_data_resets():
    client, server = await connected()
    with client:
        await client.send(b"unread")
        await settle()
        server.close()
        await settle()
        reads = [await seen(client.recv, 10), await seen(client.recv, 10)]
        return [*reads, await seen(client.send, b"x")]


@expect([b"before", "ECONNRESET", b""])
async def what_came_before_a_reset_is_read_first():
    client, server = await connected()
    with client:
        await server.send(b"before")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        await settle()
        return [await seen(client.recv, 10) for _ in range(3)]


@expect(["ECONNRESET", "EPIPE"])
async def a_reset_is_reported_once_to_the_sender():
    client, server = await connected()
    with client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        await settle()
        return [await seen(client.send, b"x"), await seen(client.send, b"x")]


@expect(["BrokenResourceError ECONNRESET", b"", "BrokenResourceError EPIPE"])
async def streams_translate_errors():
    client, server = await connected()
    async with trio.SocketStream(client) as stream:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        await settle()
        reads = [await seen(stream.receive_some), await seen(stream.receive_some)]
        return [*reads, await seen(stream.send_all, b"x")]


@expect([None, "EISCONN", "EINVAL", "EISCONN", "EINVAL"])
async def connecting_twice():
    client, server = await connected()
    with client, server, await listening() as listener:
        return [
            # Linux: the first call tells how the connection attempt went.
            await seen(client.connect, listener.getsockname()),
            await seen(client.connect, listener.getsockname()),
            await seen(client.listen),
            await seen(listener.connect, listener.getsockname()),
            await seen(client.bind, (HERE, 0)),
        ]


@expect([None, None, "blocks", True])
async def a_full_backlog_makes_connecting_wait():
    with await listening(1) as listener, new() as one, new() as two, new() as three:
        address = listener.getsockname()
        admitted = [await blocks(one.connect, address), await blocks(two.connect, address)]
        waits = await blocks(three.connect, address)
        return [*admitted, waits, listener.is_readable()]


@expect(["ECONNRESET"])
async def closing_a_listener_resets_who_was_not_accepted():
    with new() as client:
        with await listening() as listener:
            await client.connect(listener.getsockname())
        await settle()
        return [await seen(client.recv, 1)]


@expect([b"", b""])
async def a_client_that_left_before_being_accepted():
    with await listening() as listener:
        with new() as client:
            await client.connect(listener.getsockname())
        await settle()
        server, _ = await listener.accept()
        with server:
            return [await seen(server.recv, 10), await seen(server.recv, 10)]


@expect(["EBADF", "EBADF", "EBADF", -1, "ClosedResourceError"])
async def a_closed_socket():
    client, server = await connected()
    client.close()
    server.close()
    stream = trio.SocketListener(listener := await listening())
    await stream.aclose()
    return [
        await seen(client.recv, 1),
        await seen(client.send, b"x"),
        await seen(client.getsockname),
        listener.fileno(),
        await seen(stream.accept),
    ]


@expect(["ClosedResourceError", "BusyResourceError"])
async def closing_wakes_who_waits():
    client, server = await connected()
    results: list[Any] = []

    async def read() -> None:
        results.append(await seen(client.recv, 1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        busy = await seen(client.recv, 1)
        client.close()
    server.close()
    return [*results, busy]


@expect([True, b"1", b"12", 2, b"12", 3, b"345", b"67", (b"8", [], 0)])
async def ways_to_read():
    client, server = await connected()
    with client, server:
        await client.sendmsg([b"123", b"4567"])
        await client.sendto(b"8", (HERE, 9))
        await settle()
        peeked = await server.recv(1, socket.MSG_PEEK)
        buffer = bytearray(3)
        two = await server.recv(2, socket.MSG_PEEK)
        got = [await server.recv_into(buffer, 2), bytes(buffer[:2])]
        got += [await server.recv_into(buffer), bytes(buffer)]
        readable = server.is_readable()
        data, address = await server.recvfrom(2)
        assert address is None
        rest, extras, _, _ = await server.recvmsg(10)
        return [readable, peeked, two, *got, data, (rest, extras, 0)]


@expect([b"x", b"y", True, "EBADF", b"z"])
async def descriptors_of_one_socket():
    client, server = await connected()
    with server:
        twin = client.dup()
        client.close()
        await twin.send(b"x")
        first = await server.recv(1)
        third = trio.socket.fromfd(twin.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        await third.send(b"y")
        second = await server.recv(1)
        third.close()
        number = twin.detach()
        gone = twin.fileno() == -1
        with trio.socket.socket(fileno=number) as heir:
            await heir.send(b"z")
            return [first, second, gone, await seen(twin.send, b"x"), await server.recv(1)]


@expect([1, 1, 1, 0, 131072, 5, "ENOPROTOOPT", (1, 3), 0, socket.SOCK_STREAM])
async def options():
    with new() as sock, await listening() as listener:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, struct.pack("i", 5))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))
        return [
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            await seen(sock.setsockopt, socket.SOL_SOCKET, 9999, 1),
            struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
        ]


@expect(["blocks", True, "blocks", True])
async def a_sender_waits_for_its_reader():
    client, server = await connected()
    with client, server:
        stream = trio.SocketStream(client)
        first = await blocks(stream.send_all, bytes(20_000_000))
        blocked = await blocks(stream.wait_send_all_might_not_block)
        got = len(await server.recv(1000)) == 1000
        while await blocks(server.recv, 1_000_000) != "blocks":
            pass
        return [first, got, blocked, await seen(client.wait_writable) is None]


@expect(["ENOENT", "EINVAL", None, "ECONNREFUSED", "EADDRINUSE", "ECONNREFUSED", "ENOTCONN"])
async def unix_names():
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        with unix() as one, unix() as two, unix() as client:
            missing = await seen(trio.open_unix_socket, path)
            unnamed = await seen(one.listen)
            bound = await seen(one.bind, path)
            early = await seen(trio.open_unix_socket, path)
            taken = await seen(two.bind, path)
            one.listen()
            one.close()
            return [
                missing,
                unnamed,
                bound,
                early,
                taken,
                await seen(trio.open_unix_socket, path),
                await seen(client.send, b"x"),
            ]


@expect([False, True, (True, 0o600), "ENOENT", None, "EADDRINUSE", None])
async def socket_files():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        before = path.exists()
        with unix() as sock, unix() as again:
            await sock.bind(str(path))
            after = path.exists()
            path.chmod(0o600)
            status = path.stat()
            kind = stat.S_ISSOCK(status.st_mode), stat.S_IMODE(status.st_mode)
            sock.close()
            taken = await seen(again.bind, str(path))
            path.unlink()
            gone = await seen(path.stat)
            bound = await seen(again.bind, str(path))
            return [before, after, kind, gone, bound, taken, await seen(path.unlink)]


def unix() -> trio.socket.SocketType:
    return trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


@expect([b"ping", b"pong", b"", "", True])
async def unix_talk():
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        with unix() as sock:
            await sock.bind(path)
            sock.listen()
            listener = trio.SocketListener(sock)
            async with await trio.open_unix_socket(path) as client:
                async with await listener.accept() as server:
                    await client.send_all(b"ping")
                    ping = await server.receive_some(10)
                    await server.send_all(b"pong")
                    named = client.socket.getpeername() == path
                    unnamed = server.socket.getpeername()
                pong = await client.receive_some(10)
                return [ping, pong, await client.receive_some(10), unnamed, named]


@expect(["EPIPE", b"", b"left", "ECONNRESET", b"", "EPIPE", "EPIPE", "EINVAL", b"", None])
async def pairs():
    one, two = trio.socket.socketpair()
    with one:
        two.close()
        closed = [await seen(one.send, b"x"), await seen(one.recv, 1)]
    one, two = trio.socket.socketpair()
    with one:
        await one.send(b"unread")
        await two.send(b"left")
        two.close()
        unread = [await seen(one.recv, 10) for _ in range(3)] + [await seen(one.send, b"x")]
    one, two = trio.socket.socketpair()
    with one, two:
        one.shutdown(socket.SHUT_RD)
        deaf = await seen(two.send, b"x")
        with unix() as lonely:
            invalid = await seen(lonely.recv, 1)
        nothing = await seen(one.recv, 1)
        return [*closed, *unread, deaf, invalid, nothing, await seen(one.shutdown, socket.SHUT_WR)]


@expect([b"late", b"", b"", 4])
async def shutting_down_reading():
    client, server = await connected()
    with client, server:
        client.shutdown(socket.SHUT_RD)
        early = await seen(client.recv, 10)
        sent = await seen(server.send, b"late")
        await settle()
        return [await seen(client.recv, 10), await seen(client.recv, 10), early, sent]


LOOKUPS: list[tuple[Any, ...]] = [
    ("127.0.0.1", 80),
    ("127.0.0.1", 80, 0, socket.SOCK_STREAM),
    ("127.0.0.1", "80", socket.AF_INET, 0, socket.IPPROTO_TCP),
    ("::1", 443, 0, socket.SOCK_STREAM),
    ("127.0.0.1", 80, socket.AF_INET6, socket.SOCK_STREAM),
    ("127.0.0.1", 80, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_V4MAPPED),
    (None, 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_PASSIVE),
    (None, 80, socket.AF_INET6, socket.SOCK_STREAM),
    ("127.0.0.1", "http", socket.AF_INET, socket.SOCK_STREAM),
    ("no such host.invalid", 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST),
    (None, None),
    ("127.0.0.1", 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_CANONNAME),
]


async def lookups():
    """Not in `EXPECTED`: the answer of the real resolver is the expectation."""
    return [await seen(trio.socket.getaddrinfo, *lookup) for lookup in LOOKUPS]


@expect(["HELLO", "127.0.0.1", True, "OSError ECONNREFUSED"])
async def trios_own_helpers():
    async def shout(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk.upper())

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, shout, 0, host=HERE))
        ip, port = listener.socket.getsockname()
        async with await trio.open_tcp_stream(HERE, port) as stream:
            await stream.send_all(b"hello")
            answer = (await stream.receive_some()).decode()
            own = stream.socket.getsockname()[1] != port
        nursery.cancel_scope.cancel()
    name = "connected"
    try:
        await trio.open_tcp_stream(HERE, port)
    except OSError as error:
        cause: Any = error.__cause__
        name = f"OSError {errno.errorcode[cause.exceptions[0].errno]}"
    return [answer, ip, own, name]


@expect([("::1", "::1"), "::ffff:127.0.0.1", "EADDRINUSE", None])
async def ipv6():
    with trio.socket.socket(socket.AF_INET6) as both:
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        await both.bind(("::", 0))
        both.listen()
        port = both.getsockname()[1]
        with trio.socket.socket(socket.AF_INET6) as six, new() as four, new() as clash:
            await six.connect(("::1", port))
            first, _ = await both.accept()
            await four.connect((HERE, port))
            second, _ = await both.accept()
            with first, second:
                ends = first.getsockname()[0], first.getpeername()[0]
                taken = await seen(clash.bind, ("0.0.0.0", port))
                mapped = second.getpeername()[0]
        with trio.socket.socket(socket.AF_INET6) as only, new() as other:
            only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            await only.bind(("::", 0))
            only.listen()
            return [ends, mapped, taken, await seen(other.bind, ("0.0.0.0", only.getsockname()[1]))]
