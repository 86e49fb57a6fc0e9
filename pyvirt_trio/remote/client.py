"""A connection to the keeper of a root, which is started when there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from pyvirt_trio.errors import HostError, MonitorClosedError
from pyvirt_trio.rpc.jsonrpc import Lines, decode, encode, error_from_json

START_PATIENCE_S = 20.0
"""A keeper listens about half a second after its start; a machine may be forty times slower."""

CONNECT_PAUSE_S = 0.05


class RemoteHypervisor:
    """One connection; calls are made one at a time. Made by `open_remote`."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._lines = Lines()
        self._received: deque[dict[str, Any]] = deque()
        self._calls = 0
        self._is_awaiting = False
        self._journal = ""

    async def call(self, method: str, **params: object) -> Any:
        """Have the keeper do something, and return its answer.

        Args:
            method: A name out of the keeper's table, such as ``start``.
            params: Its arguments, as JSON values.

        Raises:
            PyvirtError: What the call raised there: the same class, text and code.
            MonitorClosedError: The keeper has gone; what it was doing is in its domains' states.
            trio.BusyResourceError: An earlier call has not been answered.

        Cancellation:
            The connection is of no more use, and every later call of it is refused; close it, which
            cancels the call at the keeper.
        """
        if self._is_awaiting:  # the next answer is that of a call that waits, or was cancelled
            raise trio.BusyResourceError("this connection has a call that was not answered")
        self._calls += 1
        request = {"id": self._calls, "method": method, "params": params}
        self._is_awaiting = True
        try:
            await self._stream.send_all(encode(request))
        except trio.BrokenResourceError as error:
            raise MonitorClosedError("the keeper has closed the connection") from error
        answer = await self._next()
        self._is_awaiting = False
        if "error" in answer:
            raise error_from_json(answer["error"])
        return answer["result"]

    async def events(
        self,
        *,
        domains: Iterable[str] | None = None,
        events: Iterable[str] | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[dict[str, Any]]:
        """A snapshot, then every event that follows it, as JSON values.

        A snapshot has ``cursor``, ``sequence`` and ``domains``; an event ``sequence``, ``kind``,
        ``time_s`` and its fields. Whoever reads too slowly gets one value with ``missed``,
        ``first`` and ``last``, and then, when it asks for the next one, a new snapshot.

        Args:
            domains: Only events of these, by name or UUID.
            events: Only these, by virsh's names or those of their classes.
            after: A cursor: no snapshot, but the events behind it. If they are no longer kept, the
                gap and a snapshot come instead. `cursor_after` makes one from an event.

        Raises:
            MonitorClosedError: The keeper has gone; events can be resumed at the next one.
        """
        params: dict[str, object] = {}
        if domains is not None:
            params["domains"] = list(domains)
        if events is not None:
            params["events"] = list(events)
        if after is not None:
            params["after"] = after
        while True:
            snapshot = await self.call("subscribe", **params)
            params.pop("after", None)
            self._journal = snapshot["cursor"].rpartition(":")[0]
            if "gap" in snapshot:
                yield snapshot.pop("gap")
            if "domains" in snapshot:
                yield snapshot
            while "missed" not in (message := (await self._next())["params"]):
                yield message
            yield message

    def cursor_after(self, event: dict[str, Any]) -> str:
        """The cursor of an observer that has dealt with ``event``, a value out of `events`."""
        return f"{self._journal}:{event['sequence']}"

    async def _next(self) -> dict[str, Any]:
        while not self._received:
            try:
                data = await self._stream.receive_some(1 << 16)
            except trio.BrokenResourceError as error:
                raise MonitorClosedError("the keeper has broken the connection") from error
            if not data:
                raise MonitorClosedError("the keeper has closed the connection")
            self._received.extend(decode(line) for line in self._lines.feed(bytes(data)))
        return self._received.popleft()


@asynccontextmanager
async def open_remote(root: str, *, starts: bool = True) -> AsyncGenerator[RemoteHypervisor]:
    """A connection to the keeper of ``root``, for the length of a block.

    Args:
        root: An absolute directory.
        starts: Start its keeper if none is there.

    Raises:
        HostError: No keeper could be started; its log says why.
        MonitorClosedError: There is none, and none was to be started.
    """
    path = f"{root}/run/pyvirt.sock"
    stream = await _connect(path)
    if stream is None and not starts:
        raise MonitorClosedError(f"there is no keeper of {root}")
    stream = stream or await _start_keeper(root, path)
    async with stream:
        yield RemoteHypervisor(stream)


async def _connect(path: str) -> trio.SocketStream | None:
    try:
        return await trio.open_unix_socket(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, ValueError) as error:
        raise HostError(f"cannot connect to {path}: {error}") from error


async def _start_keeper(root: str, path: str) -> trio.SocketStream:
    log = Path(root) / "log" / "keeper.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(  # noqa: ASYNC230 - the same; with the mode that open() gives it
            log, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)
        ) as output:
            keeper = subprocess.Popen(  # noqa: ASYNC220 - it outlives this process
                [sys.executable, "-m", "pyvirt_trio.daemon", root],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
    except OSError as error:
        raise HostError(f"cannot use {root}: {error.strerror}") from error
    with trio.move_on_after(START_PATIENCE_S):
        while True:
            stream = await _connect(path)
            if stream is not None:
                return stream
            if keeper.poll() not in (None, 0):
                break
            await trio.sleep(CONNECT_PAUSE_S)
    raise HostError(f"the keeper of {root} does not answer; see {log}")
