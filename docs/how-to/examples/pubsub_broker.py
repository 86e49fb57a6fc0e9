"""A publish/subscribe broker over TCP, and the race in it: it says yes before it has done it.

The broker answers ``SUBSCRIBE`` and then enters the subscriber. A subscriber that has read the
answer may tell others to publish; what they publish before the broker's task takes its next step is
lost. The cure is to enter first and answer then: see `FixedBroker`.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

MAX_LINE = 200
"""Longest line of the protocol, bytes."""


class Lines:
    """The lines that arrive on a stream, whatever pieces they arrive in."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._pending = b""

    async def next(self) -> str | None:
        """Return the next line; None when the other side has hung up."""
        while b"\n" not in self._pending:
            if len(self._pending) > MAX_LINE:
                raise ValueError(f"a line is longer than {MAX_LINE} bytes")
            chunk = await self._stream.receive_some()
            if not chunk:
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()


class Subscriber:
    """A client that wants what is published. The lock keeps two sends apart."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.lock = trio.Lock()
        self._stream = stream

    async def say(self, text: str) -> None:
        """Send one line; the caller holds the lock."""
        await self._stream.send_all(f"{text}\n".encode())


class Broker:
    """Sends every ``PUBLISH text`` to all who said ``SUBSCRIBE``."""

    def __init__(self) -> None:
        self.subscribers: list[Subscriber] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one client until it hangs up."""
        received = Lines(stream)
        while (line := await received.next()) is not None:
            command, _, text = line.partition(" ")
            if command == "SUBSCRIBE":
                await self.subscribe(Subscriber(stream))
            elif command == "PUBLISH":
                for subscriber in self.subscribers:
                    async with subscriber.lock:
                        await subscriber.say(text)

    async def subscribe(self, subscriber: Subscriber) -> None:
        """Take a subscriber in."""
        async with subscriber.lock:
            await subscriber.say("OK")
        self.subscribers.append(subscriber)


class FixedBroker(Broker):
    """The same, but what it says is true when it is read."""

    async def subscribe(self, subscriber: Subscriber) -> None:
        """Take a subscriber in. Under the lock, so that nothing published overtakes the OK."""
        async with subscriber.lock:
            self.subscribers.append(subscriber)
            await subscriber.say("OK")


async def play(make_broker: Callable[[], Broker]) -> None:
    """One client subscribes, and has another one publish as soon as the broker has said yes."""
    broker = make_broker()
    is_subscribed = trio.Event()

    async def publish(port: int) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await is_subscribed.wait()
            await stream.send_all(b"PUBLISH hello\n")
            await trio.sleep(2)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, broker.serve, 0)
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(publish, port)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            answers = Lines(stream)
            await stream.send_all(b"SUBSCRIBE\n")
            assert await answers.next() == "OK"
            is_subscribed.set()
            with trio.fail_after(1):
                assert await answers.next() == "hello"
        nursery.cancel_scope.cancel()


async def program() -> None:
    """What is tested: fails with ``TooSlowError`` when the message never comes."""
    await play(Broker)


async def fixed_program() -> None:
    """The same, cured."""
    await play(FixedBroker)
