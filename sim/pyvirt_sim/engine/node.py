"""Nodes: simulated machines whose programs can crash at any step and start again.

A node is a name, an address on the run's network, perhaps a disk, and a program::

    async def program():
        server, client = Node("server", disk=Disk()), Node("client")
        server.may_crash(within_steps=200, restart_after_s=5)   # when, is drawn
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run, serve, server.disk)
            await client.run(ask)                               # connects to "server"
            nursery.cancel_scope.cancel()

All nodes live in one process and one Trio run. Which one the running code belongs to is a context
variable, so tasks and threads inherit it, and sockets are made on the machine of whoever makes
them. A crash is between two steps: the machine's sockets are gone at once, its disk keeps what it
must, and its tasks are cancelled. They still unwind, as Python code must, but in a life that is
over: sockets they hold are closed, they can make no new ones, what they write to a file system
fails, and their notes and draws are dropped. Shields do not keep them: when nothing else can run
they are lifted, before time moves. What no simulation can take back is plain memory: a dead task
that changes an object which another node reads has changed it. Nodes should share nothing but the
network, as machines do.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, TypeVarTuple, cast

import trio

from pyvirt_sim.engine.incarnation import INCARNATION, Incarnation, is_dead_here
from pyvirt_sim.engine.net.host import Host
from pyvirt_sim.engine.net.network import current_network

__all__ = ["Crashable", "Node", "crash_label"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Crashable(Protocol):
    """What a node's disk must be able to do; `pyvirt_sim.engine.disk.Disk` does."""

    def crash(self) -> object:
        """Lose power."""
        ...


def crash_label(name: str) -> str:
    """Return the label of the draw by which ``Node.may_crash`` decides."""
    return f"{name} crashes after steps"


class Node:
    """A simulated machine in the current run.

    Args:
        name: its host name; other nodes connect to it by this name.
        addresses: its IP addresses; if none are given, the next one of 10.0.0.0/8.
        disk: crashes with the node; the node's program mounts it again.

    Raises:
        ValueError: the name or an address is taken, or is not one.
        RuntimeError: made outside ``simulate``.

    Attributes:
        host: its network stack.
        disk: as given.
    """

    def __init__(
        self, name: str, *, addresses: Iterable[str] = (), disk: Crashable | None = None
    ) -> None:
        self.host: Host = current_network().add_host(name, tuple(addresses))
        self.disk = disk
        self._scope: trio.CancelScope | None = None
        self._is_claimed = False
        self._may_start = trio.Event()

    @property
    def name(self) -> str:
        """Its host name."""
        return self.host.name

    @property
    def life(self) -> int:
        """The number of its present life, or of its last one while it is down."""
        return self.host.incarnation.number

    @property
    def is_down(self) -> bool:
        """Whether it has crashed and not started again."""
        return self.host.is_down

    def __repr__(self) -> str:
        return f"<Node {self.name}, life {self.life}{', down' if self.is_down else ''}>"

    @contextmanager
    def here(self) -> Generator[None]:
        """Let the code of a ``with`` block, and tasks it spawns, belong to this node.

        Raises:
            RuntimeError: it is down.
        """
        if self.host.is_down:
            raise RuntimeError(f"{self.name} is down")
        token = INCARNATION.set(self.host.incarnation)
        try:
            yield
        finally:
            INCARNATION.reset(token)

    async def run(self, main: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Run ``main(*args)`` on this node, and again, from its start, after each restart.

        Args:
            main: the node's program. It must build what it uses: a restart finds the disk, and
                what ``args`` hold, but none of its former objects.
            args: passed to it.

        Returns:
            What ``main`` returned; its sockets have been closed, as those of a process that ends.
            While the node is down this waits for a restart.

        Raises:
            RuntimeError: the node runs a program already.
            BaseException: what ``main`` raised in a life that was not over.
        """
        if self._is_claimed:
            raise RuntimeError(f"{self.name} runs a program already")
        self._is_claimed = True
        try:
            while True:
                if self.host.is_down:
                    await self._may_start.wait()
                    self._boot()
                life = self.host.incarnation
                value = await self._live(life, main, args)
                if not life.is_dead:
                    return value
        finally:
            self._is_claimed = False

    async def _live(self, life: Incarnation, main: Callable[..., Awaitable[T]], args: Any) -> T:
        """Run one life; what comes out of a dead one means nothing."""
        value: Any = None
        with self.here(), trio.CancelScope() as self._scope:
            try:
                value = await main(*args)
            except BaseException as error:
                # Cancelled by somebody else as well? Then the next checkpoint says so again.
                if not life.is_dead or _is_interrupt(error):
                    raise
            finally:
                if not life.is_dead:
                    self.host.stop()
        return value  # type: ignore[no-any-return]

    def crash(self, *, silent: bool = False, restart_after_s: float | None = None) -> None:
        """Crash, now. When this returns, nothing of this life reaches the outside any more.

        Can be called from anywhere, its own tasks included (they go on to their next checkpoint,
        without effect).

        Args:
            silent: the other ends of its connections hear nothing, as when the power fails; they
                find out when they send after the restart, or give up after minutes. Otherwise
                they get a reset at once, as when a process is killed.
            restart_after_s: seconds of virtual time until it starts again; None: when told to.

        Raises:
            RuntimeError: it is down already.
        """
        if is_dead_here():
            return
        if self.host.is_down:
            raise RuntimeError(f"{self.name} is down already")
        network = self.host.network
        network.execution.note(
            self.name, "crashes", {"life": self.life, "silent": silent}, is_own=True
        )
        if self.disk is not None:
            self.disk.crash()
        self._may_start = trio.Event()
        self.host.crash(silent=silent)
        if self._scope is not None:
            network.execution.dying.append(self._scope)
            self._scope.cancel()
        if restart_after_s is not None:
            network.call_at(network.now_s + restart_after_s, self._restart_if_down)

    def restart(self) -> None:
        """Start again. The program given to `run` begins anew once the old life has unwound.

        Raises:
            RuntimeError: it is not down.
        """
        if is_dead_here():
            return
        if not self.host.is_down:
            raise RuntimeError(f"{self.name} is not down")
        self._may_start.set()
        if not self._is_claimed:
            self._boot()

    def _restart_if_down(self) -> None:
        if self.host.is_down:
            self.restart()

    def _boot(self) -> None:
        self.host.boot()
        self.host.network.execution.note(self.name, "starts", {"life": self.life}, is_own=True)

    def may_crash(
        self, *, within_steps: int, silent: bool = False, restart_after_s: float | None = None
    ) -> None:
        """Let the run decide whether and when this node crashes.

        Draws once, from the stream ``faults``: 0 is never, n is after n more steps of the run
        (of any task). If it is down by then, or the run is over, nothing happens.
        `crash_at_every_step` gives every answer in turn.

        Args:
            within_steps: the latest step, counted from now.
            silent: as for `crash`.
            restart_after_s: as for `crash`.

        Raises:
            ValueError: ``within_steps`` is below 1.
        """
        if within_steps < 1:
            raise ValueError(f"within_steps must be at least 1, not {within_steps}")
        execution = self.host.network.execution
        step = execution.draw("faults", crash_label(self.name), within_steps + 1)

        def crash() -> None:
            if not self.host.is_down:
                self.crash(silent=silent, restart_after_s=restart_after_s)

        if step:
            execution.at_step(len(execution.order) + step - 1, crash)


def _is_interrupt(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group.subgroup((KeyboardInterrupt, SystemExit)) is not None
    return isinstance(error, (KeyboardInterrupt, SystemExit))
