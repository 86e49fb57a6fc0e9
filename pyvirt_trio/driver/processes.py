"""Telling a process that was started earlier from others that have its number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


async def find_marked(
    host: Host, wanted: Sequence[tuple[ProcessMark, str]]
) -> list[Process | None]:
    """The processes with those marks that still run, each of which the caller then has.

    Args:
        host: The machine.
        wanted: What was written down of each, and a word of its command line that no other program
            has in its own.
    """
    adopted: list[Process | None] = []
    try:
        for mark, _ in wanted:
            adopted.append(await _adopt(host, mark.pid))  # from here on the number means this one
        files = [file(mark.pid) for mark, _ in wanted for file in (_stat_file, _words_file)]
        read = await host.read_texts(files)
    except BaseException:
        _leave(adopted)
        raise
    found: list[Process | None] = []
    for (mark, word), process, stat, words in zip(
        wanted, adopted, read[::2], read[1::2], strict=True
    ):
        is_it = _mark_in(mark.pid, stat) == mark and _has_word(words, word)
        found.append(process if is_it else None)
        _leave([] if is_it else [process])
    return found


async def _adopt(host: Host, pid: int) -> Process | None:
    try:
        return await host.adopt_process(pid)
    except ProcessLookupError:
        return None


def _leave(processes: Iterable[Process | None]) -> None:
    for process in processes:
        if process is not None:
            process.leave()


async def find_by_word(host: Host, word: str) -> Process | None:
    """A process that has ``word`` in its command line, if there is one."""
    pids = [int(name) for name in await host.list_directory("/proc") if name.isdecimal()]
    all_words = await host.read_texts([_words_file(pid) for pid in pids])
    for pid, words in zip(pids, all_words, strict=True):
        mark = await mark_of(host, pid) if _has_word(words, word) else None
        if mark is not None:
            [process] = await find_marked(host, [(mark, word)])
            if process is not None:
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
