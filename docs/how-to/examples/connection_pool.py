"""A connection pool, and the race in it: a connection is promised to one task and taken by another.

``release`` puts the connection back and wakes the task that has waited longest. Until that task
takes its next step the connection lies in the open, and any task that calls ``acquire`` takes it.
The cure is to hand the connection over: see `FixedPool`.
"""

from __future__ import annotations

from collections import deque

import trio


class Connection:
    """Stands for a connection to a database: one query at a time."""

    async def query(self, _statement: str) -> int:
        """Answer after a round trip."""
        await trio.sleep(0.01)
        return 1


class Pool:
    """Lends at most ``limit`` connections; whoever comes when all are lent waits."""

    def __init__(self, limit: int) -> None:
        self._idle = [Connection() for _ in range(limit)]
        self._waiting: deque[trio.Event] = deque()

    async def acquire(self) -> Connection:
        """Return a connection as soon as one is free."""
        if not self._idle:
            promised = trio.Event()
            self._waiting.append(promised)
            await promised.wait()
        return self._idle.pop()  # IndexError: somebody took what was promised to us

    def release(self, connection: Connection) -> None:
        """Give a connection back."""
        self._idle.append(connection)
        if self._waiting:
            self._waiting.popleft().set()


class FixedPool(Pool):
    """The same, but ``release`` hands the connection to the task that waits."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._promises: deque[tuple[trio.Event, list[Connection]]] = deque()

    async def acquire(self) -> Connection:
        """Return a connection as soon as one is free."""
        if self._idle:
            return self._idle.pop()
        promised, box = trio.Event(), list[Connection]()
        self._promises.append((promised, box))
        await promised.wait()
        return box.pop()

    def release(self, connection: Connection) -> None:
        """Give a connection back."""
        if self._promises:
            promised, box = self._promises.popleft()
            box.append(connection)
            promised.set()
        else:
            self._idle.append(connection)


async def serve_requests(pool: Pool) -> None:
    """Three request handlers share one connection; each reports to a log and to a meter."""
    log, log_lines = trio.open_memory_channel[str](100)
    meter, readings = trio.open_memory_channel[int](100)

    async def handle(name: str) -> None:
        for number in range(2):
            connection = await pool.acquire()
            rows = await connection.query(f"update {number}")
            pool.release(connection)
            await log.send(f"{name} made update {number}")
            await meter.send(rows)

    async with log_lines, readings, trio.open_nursery() as handlers:
        for name in ("anna", "ben", "carla"):
            handlers.start_soon(handle, name)


async def program() -> None:
    """What is tested: fails when a handler finds the pool empty."""
    await serve_requests(Pool(1))


async def fixed_program() -> None:
    """The same, cured."""
    await serve_requests(FixedPool(1))
