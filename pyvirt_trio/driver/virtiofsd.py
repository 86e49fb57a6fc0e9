"""The virtiofsd that serves a folder of the host to one guest (``qemuVirtioFSStart``).

One is started for each device that names a folder, before QEMU connects to it, and is ended when
the device is gone, or the life. It writes nothing down: the socket in the live definition follows
from life and alias, and a new manager finds the process by that word of its command line.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, TypeGuard

import attrs
import trio

from pyvirt_trio.driver.launch import LifePaths, end_process, log_tail
from pyvirt_trio.driver.processes import find_by_word
from pyvirt_trio.errors import ErrorCode, HostError
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.sharing import Filesystem
from pyvirt_trio.qmp.lines import is_object

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host, Process
    from pyvirt_trio.driver.life_core import LifeCore

DESCRIPTIONS = ("/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user")
"""Where packages say which programs serve devices (QEMU's ``vhost-user.json``)."""

PAUSE_S = 0.005
"""How often it is looked whether it listens; it takes some 20 ms."""

_LISTENS = "00010000"
"""The flag of a socket in /proc/net/unix at which somebody listens (``__SO_ACCEPTCON``)."""


def is_served_here(device: Device) -> TypeGuard[Filesystem]:
    """Whether ``device`` needs a virtiofsd of ours."""
    return isinstance(device, Filesystem) and device.source_dir is not None


def with_socket(life: LifeCore, device: Device) -> Device:
    """``device``, which is named, with the socket it has in ``life``, if it needs one."""
    if not is_served_here(device):
        return device
    return attrs.evolve(device, socket=f"{life.paths.monitor}.{device.alias}")


async def serve(life: LifeCore, device: Device) -> None:
    """A virtiofsd listens for QEMU, if ``device`` needs one.

    Raises:
        HostError: (1) The folder is not there; (9) there is no virtiofsd, or it ended; its words
            are in the message.

    Cancellation:
        None runs, or `end` ends it.
    """
    if not is_served_here(device):
        return
    assert device.source_dir is not None, "that is what needs one"
    if not await life.host.exists(device.source_dir):
        raise HostError(
            f"the virtiofs export directory '{device.source_dir}' does not exist",
            code=ErrorCode.INTERNAL_ERROR,
        )
    binary = device.binary or await find_binary(life.host)
    with contextlib.suppress(OSError):  # of a life that was
        await life.host.remove_file(str(device.socket))
    log = f"{life.paths.log}.{device.alias}"
    argv = [binary, _word(device), "-o", _options(device)]
    try:
        await life.host.replace_file(log, f"starting {json.dumps(argv)}\n")
        process = await life.host.start_process(argv, log_file=log)
    except OSError as error:
        raise _failed(f"Could not start 'virtiofsd': {error.strerror or error}") from error
    life.servers[str(device.alias)] = process
    await _await_listening(life.host, process, device, log)


async def end(life: LifeCore, device: Device) -> None:
    """The virtiofsd of ``device`` has ended, if it needed one; and its socket is gone."""
    if not is_served_here(device):
        return
    with trio.CancelScope(shield=True):  # bounded: SIGKILL ends it
        process = life.servers.pop(str(device.alias), None)
        if process is None:
            process = await find_by_word(life.host, _word(device))
        if process is not None:
            await end_process(process)
        with contextlib.suppress(OSError):
            await life.host.remove_file(str(device.socket))


async def end_all(life: LifeCore, devices: tuple[Device, ...]) -> None:
    """No virtiofsd of ``life`` runs any more.

    Args:
        life: The life, which ends.
        devices: What it had, and what was on its way to it.
    """
    for device in devices:
        await end(life, with_socket(life, device))
    for alias in list(life.servers):  # of a start that did not get far
        await end(life, with_socket(life, Filesystem(tag=alias, source_dir="/", alias=alias)))


def leave_all(life: LifeCore) -> None:
    """They run on, as QEMU does."""
    for process in life.servers.values():
        process.leave()
    life.servers.clear()


async def find_binary(host: Host) -> str:
    """The virtiofsd that the host's packages name.

    Raises:
        HostError: (9) None does.
    """
    for folder in DESCRIPTIONS:
        try:
            names = await host.list_directory(folder)
        except OSError:
            continue
        paths = [f"{folder}/{name}" for name in names if name.endswith(".json")]
        for text in await host.read_texts(paths):
            binary = None if isinstance(text, OSError) else _described(text)
            if binary is not None:
                return binary
    raise _failed("Unable to find a satisfying virtiofsd")


def _described(text: str) -> str | None:
    """The program of which a description says that it serves folders."""
    try:
        found = json.loads(text)
    except ValueError:  # not ours to complain about
        return None
    if not is_object(found) or found.get("type") != "fs" or "binary" not in found:
        return None
    return str(found["binary"])


def _word(device: Filesystem) -> str:
    """What no other process has in its command line."""
    return f"--socket-path={device.socket}"


def _options(device: Filesystem) -> str:
    source = (device.source_dir or "").replace(",", "\\,")
    options = [f"source={source}"]
    if device.cache is not None:
        options.append(f"cache={device.cache}")
    if device.sandbox is not None:
        options.append(f"sandbox={device.sandbox}")
    if device.has_xattr is not None:
        options.append("xattr" if device.has_xattr else "no_xattr")
    return ",".join(options)


async def _await_listening(host: Host, process: Process, device: Filesystem, log: str) -> None:
    """Not by connecting: it serves the first that does, and ends with it."""
    while not await _listens(host, str(device.socket)):
        with trio.move_on_after(PAUSE_S) as pause:
            await process.wait()
        if not pause.cancelled_caught:
            said = await log_tail(host, LifePaths(monitor="", log=log))
            raise _failed(f"virtiofsd died and reported: {said}")


async def _listens(host: Host, path: str) -> bool:
    try:
        text = await host.read_text("/proc/net/unix")
    except OSError as error:
        raise _failed(f"cannot see who listens: {error.strerror or error}") from error
    for line in text.splitlines():
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7] == path and fields[3] == _LISTENS:
            return True
    return False


def _failed(message: str) -> HostError:
    return HostError(message, code=ErrorCode.OPERATION_FAILED)
