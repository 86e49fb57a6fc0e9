"""The simulated arm: a program played on our QEMU, in virtual time, where nothing is slow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import attrs
import trio
import trio.testing

from pyvirt_sim.conformance.program import (
    InGuest,
    Message,
    Pause,
    Program,
    Reconnect,
    Step,
    Terminate,
    Transcript,
)
from pyvirt_sim.conformance.shapes import BIOS, MONITOR, SERIAL, SHAPES, Shape
from pyvirt_sim.conformance.wire import QUIT_ID, Encoder, negotiation, normalised
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.host.process import SimProcess
from pyvirt_sim.qemu import GuestAction, UnplugAnswer

ROOT = "/conformance"
# Options and the files they name, by what a shape has as guest.
_BOOT: Final[Mapping[str, tuple[str, ...]]] = {
    "firmware": (),
    "bare": ("-bios", f"{ROOT}/{BIOS}"),
    "linux": ("-kernel", f"{ROOT}/kernel", "-initrd", f"{ROOT}/initrd"),
}
_BOOT_S: Final = 10.0


@attrs.frozen
class Gap:
    """Where the model ends.

    Args:
        step: Index of the step that asked for too much; -1 before the first.
        text: What the model said.
    """

    step: int
    text: str


def play_sim(program: Program) -> Transcript | Gap:
    """Play a program on our QEMU."""
    arm = _Arm(program)
    gaps: list[str] = []
    try:
        trio.run(arm.run, clock=trio.testing.MockClock(autojump_threshold=0))
    except* ModelGapError as group:
        gaps.append(_first(group))
    except* Exception as group:
        group.add_note(program.as_text())
        raise
    return Gap(arm.step, gaps[0]) if gaps else arm.result


def _first(group: BaseExceptionGroup[ModelGapError]) -> str:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else str(error)


class _Arm:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._shape: Shape = SHAPES[program.shape]
        self._heard: list[Message] = []
        self.result = Transcript()
        self.step = -1

    async def run(self) -> None:
        async with open_sim_host() as host:
            await host.make_directory(ROOT)
            socket = f"{ROOT}/monitor"
            monitor = f"socket,id={MONITOR},path={socket},server=on,wait=off"
            boot = _BOOT[self._shape.guest]
            for path in boot[1::2]:
                host.add_file(path)
            serial = f"socket,id={SERIAL},path={ROOT}/{SERIAL},server=on,wait=off"
            argv = self._shape.argv(monitor, serial, ROOT, boot)
            process = await host.start_process(argv, log_file=f"{ROOT}/log")
            # The socket is made by another process, without a sign when.
            while not await host.exists(socket):  # noqa: ASYNC110
                await trio.sleep(0.01)
            await self._play(host, process, socket)
            self.result.exit_status = await process.wait()

    async def _play(self, host: SimHost, process: SimProcess, socket: str) -> None:
        encoder = Encoder(ROOT)
        client = await _Client.connect(host, socket)
        await client.negotiate()
        if self._shape.guest == "linux":
            await client.send(b'{"execute":"cont"}')
            await client.listen(_BOOT_S)
        if self._shape.is_deaf:
            process.qemu.guest.unplug_answer = UnplugAnswer.IGNORE
            process.qemu.guest.obeys_powerdown = False
        client.take()
        for index, step in enumerate(self._program.steps):
            self.step = index
            client = await self._do(host, process, socket, client, step, encoder)
            await client.listen(self._shape.settle_s)
            self.result.heard.append(client.take())
            if client.is_closed:
                self.result.closed.add(index)
        self.step = len(self._program.steps)
        await client.send(b'{"execute":"quit","id":"%s"}' % QUIT_ID.encode())
        await client.listen(None)
        self.result.after = client.take()

    async def _do(
        self,
        host: SimHost,
        process: SimProcess,
        socket: str,
        client: _Client,
        step: Step,
        encoder: Encoder,
    ) -> _Client:
        match step:
            case Pause(seconds):
                await client.listen(seconds)
            case Reconnect(first, enable):
                await client.send(first)
                await client.close()
                client = await _Client.connect(host, socket)
                await client.negotiate(enable)
            case InGuest(action):
                process.qemu.guest.act(GuestAction(action))
            case Terminate():
                process.terminate()
            case _:
                await client.send(encoder.data(step))
        return client


class _Client:
    """One connection to our monitor."""

    def __init__(self, stream: trio.abc.Stream | None) -> None:
        self._stream = stream
        self._heard: list[Message] = []
        self._rest = b""
        self.is_closed = stream is None

    @classmethod
    async def connect(cls, host: SimHost, socket: str) -> _Client:
        try:
            return cls(await host.open_stream(f"unix:{socket}"))
        except OSError:  # the process is gone, and its socket with it
            return cls(None)

    async def negotiate(self, enable: tuple[str, ...] = ()) -> None:
        await self.listen(0.1)
        await self.send(negotiation(enable))
        await self.listen(0.1)

    async def send(self, data: bytes) -> None:
        if data and not self.is_closed and self._stream is not None:
            try:
                await self._stream.send_all(data)
            except trio.BrokenResourceError:
                self.is_closed = True

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()

    async def listen(self, seconds: float | None) -> None:
        """Collect messages, for some time or until QEMU closes the connection."""
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            while not self.is_closed and self._stream is not None:
                data = await self._stream.receive_some()
                self.is_closed = not data
                *lines, self._rest = (self._rest + data).split(b"\r\n")
                self._heard += [normalised(json.loads(line), ROOT) for line in lines]
        if self.is_closed:
            # A QEMU that met the end of the model closes it too: let that be heard of first.
            await trio.sleep(0.001)

    def take(self) -> list[Message]:
        taken, self._heard = self._heard, []
        return taken
