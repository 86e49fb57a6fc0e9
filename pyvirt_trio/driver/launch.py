"""Starting a QEMU process and reaching its monitor."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import attrs
import trio

from pyvirt_trio.abc import Host, Process
from pyvirt_trio.errors import ErrorCode, HostError
from pyvirt_trio.models.value import Value

TERMINATE_GRACE_S = 10.0
"""How long QEMU may take to end after SIGTERM before it gets SIGKILL; libvirt gives it 10 seconds
(``qemuProcessKill``)."""

CONNECT_PAUSE_S = 0.002
CONNECT_PAUSE_GROWTH = 1.1
MAX_CONNECT_PAUSE_S = 0.05
"""QEMU 7.2 opens its monitor 30 to 50 ms after the start. A pause that is 2 ms and a tenth of the
time waited so far finds it within 5 ms, and a slow host is not asked more than twenty times a
second."""

LOG_TAIL_CHARACTERS = 1000
"""How much of QEMU's own words goes into an error; its complaints are one or two lines."""


@attrs.frozen(eq=False, repr=False)
class LifePaths(Value):
    """The files of one domain while it runs."""

    monitor: str
    log: str


@asynccontextmanager
async def running_qemu(
    host: Host, argv: Sequence[str], paths: LifePaths, leaves: Callable[[BaseException], bool]
) -> AsyncGenerator[tuple[Process, trio.abc.Stream]]:
    """A QEMU process and a connection to its monitor, for the length of a block.

    On exit the process has ended: by itself, or by SIGTERM, or by SIGKILL `TERMINATE_GRACE_S`
    later.

    Args:
        host: The machine.
        argv: The command line.
        paths: Its files.
        leaves: Asked when the block ends by an exception, such as a cancellation: whether to leave
            the process running instead.

    Raises:
        HostError: QEMU could not be started, or ended at once; its own words are in the message.

    Cancellation:
        The process is ended first, unless it is left; this takes at most `TERMINATE_GRACE_S`.
    """
    process = await _start(host, argv, paths)
    async with ending_qemu(host, process, paths, leaves):
        yield process, await _connect(host, process, paths)


@asynccontextmanager
async def ending_qemu(
    host: Host, process: Process, paths: LifePaths, leaves: Callable[[BaseException], bool]
) -> AsyncGenerator[None]:
    """On exit of the block the process has ended, or is left; see `running_qemu`."""
    is_left = False
    try:
        yield
    except BaseException as error:
        is_left = leaves(error)
        raise
    finally:
        if is_left:
            process.leave()
        else:
            with trio.CancelScope(shield=True):
                await end_process(process)
                with contextlib.suppress(OSError):
                    await host.remove_file(paths.monitor)


async def end_process(process: Process) -> None:
    """End ``process``, politely first, and return when it has ended."""
    process.terminate()
    with trio.move_on_after(TERMINATE_GRACE_S):
        await process.wait()
    process.kill()  # does nothing to a process that has ended
    await process.wait()


async def _start(host: Host, argv: Sequence[str], paths: LifePaths) -> Process:
    try:
        when = datetime.fromtimestamp(host.wall_clock_s(), UTC).isoformat(timespec="seconds")
        await host.replace_file(paths.log, f"{when}: starting {json.dumps(list(argv))}\n")
        await _remove_stale_monitor(host, paths)
        return await host.start_process(argv, log_file=paths.log)
    except OSError as error:
        raise HostError(f"cannot start {argv[0]}: {error.strerror or error}") from error


async def _remove_stale_monitor(host: Host, paths: LifePaths) -> None:
    """Make room for a QEMU's monitor, unless one that nobody knows of answers there.

    Its disks may be those of the one that is to be started.
    """
    try:
        stream = await host.open_stream(f"unix:{paths.monitor}")
    except FileNotFoundError:
        return
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            await host.remove_file(paths.monitor)
        return
    await trio.aclose_forcefully(stream)
    raise HostError(f"a QEMU that is not known here answers at {paths.monitor}")


async def _connect(host: Host, process: Process, paths: LifePaths) -> trio.abc.Stream:
    """Connect to the monitor as soon as QEMU listens, or say why it never will."""
    pause_s = CONNECT_PAUSE_S
    while True:
        try:
            return await host.open_stream(f"unix:{paths.monitor}")
        except (FileNotFoundError, ConnectionRefusedError):
            with trio.move_on_after(pause_s) as pause:
                await process.wait()
            if not pause.cancelled_caught:
                words = await log_tail(host, paths)
                raise HostError(
                    f"process exited while connecting to monitor: {words}",
                    code=ErrorCode.INTERNAL_ERROR,
                ) from None
            pause_s = min(CONNECT_PAUSE_GROWTH * pause_s, MAX_CONNECT_PAUSE_S)
        except OSError as error:
            raise HostError(f"cannot reach the monitor of QEMU: {error.strerror}") from error


async def log_tail(host: Host, paths: LifePaths) -> str:
    """The last words QEMU wrote, without the line that tells how it was started."""
    try:
        text = await host.read_text(paths.log)
    except OSError as error:
        return f"(no log: {error})"
    words = text.partition("\n")[2].strip()
    return words[-LOG_TAIL_CHARACTERS:] or "(it said nothing)"
