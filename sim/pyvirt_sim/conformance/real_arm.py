"""The real arm: a program played on a QEMU of this machine, under TCG."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from pyvirt_sim.conformance import linux
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
from pyvirt_sim.conformance.real import bare
from pyvirt_sim.conformance.real_qemu import PATIENCE_S, RealQemu, start_qemu
from pyvirt_sim.conformance.shapes import BIOS, SHAPES
from pyvirt_sim.conformance.wire import QUIT_ID, Encoder, normalised


def play_real(program: Program, model: Transcript, *, patience_s: float = PATIENCE_S) -> Transcript:
    """Play a program on a real QEMU.

    Args:
        program: It.
        model: What our QEMU said to it: the real one is given time to say as much.
        patience_s: How much time.
    """
    shape = SHAPES[program.shape]
    with (
        tempfile.TemporaryDirectory(prefix="pyvirt-") as root,
        tempfile.TemporaryFile() as log,
        start_qemu(
            lambda monitor, serial: SHAPES[program.shape].argv(
                monitor, serial, root, _boot_options(program.shape, root)
            ),
            root,
            log,
        ) as qemu,
    ):
        qemu.patience_s = patience_s
        qemu.negotiate()
        if shape.guest == "linux":
            linux.resume(qemu)
        result = _play(qemu, program, model, root)
        for messages in (*result.heard, result.after):
            messages[:] = [normalised(message, root) for message in messages]
        return result


def _boot_options(shape: str, root: str) -> tuple[str, ...]:
    match SHAPES[shape].guest:
        case "linux":
            return (*linux.boot_options(shape), "-incoming", f"exec:cat {linux.saved(shape)}")
        case "bare":
            bios = Path(f"{root}/{BIOS}")
            bios.write_bytes(bare.firmware())
            return ("-bios", str(bios))
        case _:
            return ()


def _play(qemu: RealQemu, program: Program, model: Transcript, root: str) -> Transcript:
    result = Transcript()
    encoder = Encoder(root)
    for index, (step, expected) in enumerate(zip(program.steps, model.heard, strict=True)):
        _do(qemu, step, encoder)
        qemu.wait(_at_least(len(expected)))
        if index in model.closed:  # one that is about to end may still answer for a moment
            qemu.wait(lambda _: False)
        result.heard.append(qemu.take())
    qemu.send(b'{"execute":"quit","id":"%s"}' % QUIT_ID.encode())
    qemu.wait(lambda _: False)
    result.after = qemu.take()
    with contextlib.suppress(subprocess.TimeoutExpired):
        result.exit_status = qemu.process.wait(PATIENCE_S)
    return result


def _at_least(count: int) -> Callable[[list[Message]], bool]:
    return lambda heard: len(heard) >= count


def _do(qemu: RealQemu, step: Step, encoder: Encoder) -> None:
    match step:
        case Pause(seconds):
            qemu.wait(lambda _: False, seconds)
        case Reconnect(first, enable):
            qemu.send(first)
            qemu.connect()
            qemu.take()
            qemu.heard = qemu.negotiate(enable)
        case InGuest(action):
            qemu.act(action)
        case Terminate():
            qemu.process.terminate()
        case _:
            qemu.send(encoder.data(step))
