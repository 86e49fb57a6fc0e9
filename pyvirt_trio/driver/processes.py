"""Telling a process that was started earlier from others that have its number."""

from __future__ import annotations

from pyvirt_trio.abc import Host, Process
from pyvirt_trio.driver.status import ProcessMark

_AFTER_NAME_STATE = 0
_AFTER_NAME_STARTED = 19
"""Places in ``/proc/PID/stat`` behind the name, which may contain anything: the state is the third
field, the time of the start the twenty-second (``proc(5)``)."""

_DEAD = ("Z", "X")


async def mark_of(host: Host, pid: int) -> ProcessMark | None:
    """What tells the process ``pid``, which runs, from all others; ``None`` if it has ended."""
    stat = await _stat(host, pid)
    return None if stat is None or stat[0] in _DEAD else ProcessMark(pid, stat[1])


async def find_marked(host: Host, mark: ProcessMark, word: str) -> Process | None:
    """The process with that mark, if it still runs.

    Args:
        host: The machine.
        mark: What was written down of it.
        word: A word of its command line that no other program has in its own.
    """
    try:
        process = await host.adopt_process(mark.pid)  # from here on the number means this one
    except ProcessLookupError:
        return None
    if await mark_of(host, mark.pid) == mark and await _has_word(host, mark.pid, word):
        return process
    process.leave()
    return None


async def find_by_word(host: Host, word: str) -> Process | None:
    """A process that has ``word`` in its command line, if there is one."""
    for name in await host.list_directory("/proc"):
        if name.isdecimal() and await _has_word(host, int(name), word):
            mark = await mark_of(host, int(name))
            process = mark and await find_marked(host, mark, word)
            if process:
                return process
    return None


async def _has_word(host: Host, pid: int, word: str) -> bool:
    try:
        return word in (await host.read_text(f"/proc/{pid}/cmdline")).split("\0")
    except OSError:  # it has ended, or its command line is not text
        return False


async def _stat(host: Host, pid: int) -> tuple[str, int] | None:
    try:
        text = await host.read_text(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[_AFTER_NAME_STATE], int(fields[_AFTER_NAME_STARTED])
