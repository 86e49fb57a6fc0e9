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
    [stat] = await host.read_texts([_stat_file(pid)])
    return _mark_in(pid, stat)


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
    stat, words = await host.read_texts([_stat_file(mark.pid), _words_file(mark.pid)])
    if _mark_in(mark.pid, stat) == mark and _has_word(words, word):
        return process
    process.leave()
    return None


async def find_by_word(host: Host, word: str) -> Process | None:
    """A process that has ``word`` in its command line, if there is one."""
    pids = [int(name) for name in await host.list_directory("/proc") if name.isdecimal()]
    all_words = await host.read_texts([_words_file(pid) for pid in pids])
    for pid, words in zip(pids, all_words, strict=True):
        mark = await mark_of(host, pid) if _has_word(words, word) else None
        process = mark and await find_marked(host, mark, word)
        if process:
            return process
    return None


def _words_file(pid: int) -> str:
    return f"/proc/{pid}/cmdline"


def _stat_file(pid: int) -> str:
    return f"/proc/{pid}/stat"


def _has_word(read: str | OSError, word: str) -> bool:
    # An error: it has ended, or its command line is not text.
    return isinstance(read, str) and word in read.split("\0")


def _mark_in(pid: int, read: str | OSError) -> ProcessMark | None:
    if not isinstance(read, str):
        return None
    fields = read.rpartition(")")[2].split()
    if fields[_AFTER_NAME_STATE] in _DEAD:
        return None
    return ProcessMark(pid, int(fields[_AFTER_NAME_STARTED]))
