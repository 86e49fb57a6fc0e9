"""Every call on the boundary raises with its call site and advice, and leaves no effect."""

from __future__ import annotations

import _thread
import multiprocessing.util
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import syslog
import threading
import time
from pathlib import Path

import pytest
import trio

from pyvirt_sim.engine import EscapeError, allow_escape, simulate
from pyvirt_sim.engine.fence.boundary import REFUSED_CALLS, REFUSED_EVENTS
from tests.sim.engine.fence.world import world

TRUE = "/bin/true"

# One socket, made before the runs.
real: list[socket.socket] = []


@pytest.fixture(autouse=True, scope="module")
def real_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        real.append(made)
        yield
        real.clear()


# What a program writes, by the name of the row that refuses it. Lambdas, so that the call has a
# line of the program even where it needs no arguments.
ESCAPES = {
    "builtins.input": lambda: input(),  # noqa: PLW0108
    "open": lambda: open("made", "w"),  # noqa: PTH123, SIM115
    "os.chdir": lambda: os.chdir("/"),
    "os.chmod": lambda: os.chmod("old", 0o777),  # noqa: PTH101
    "os.chown": lambda: os.chown("old", os.getuid(), os.getgid()),
    "os.exec": lambda: os.execv(TRUE, [TRUE]),
    "os.fork": lambda: os.fork(),  # noqa: PLW0108
    "os.forkpty": lambda: os.forkpty(),  # noqa: PLW0108
    "os.kill": lambda: os.kill(os.getpid(), signal.SIGUSR1),
    "os.killpg": lambda: os.killpg(os.getpgrp(), signal.SIGUSR1),
    "os.link": lambda: os.link("old", "made"),
    "os.mkdir": lambda: Path("made").mkdir(),
    "os.posix_spawn": lambda: os.posix_spawn(TRUE, [TRUE], {}),
    "os.putenv": lambda: os.environ.update(PYVIRT_SIM_ESCAPED="1"),
    "os.remove": lambda: Path("old").unlink(),
    "os.rename": lambda: Path("old").rename("made"),
    "os.rmdir": lambda: Path("folder").rmdir(),
    "os.symlink": lambda: Path("made").symlink_to("old"),
    "os.system": lambda: os.system(TRUE),
    "os.truncate": lambda: os.truncate("old", 0),
    "os.unsetenv": lambda: os.environ.pop("PATH"),
    "os.utime": lambda: os.utime("old"),
    "signal.pthread_kill": lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1),
    "socket.__new__": lambda: socket.socket(),  # noqa: PLW0108
    "socket.bind": lambda: real[0].bind(("127.0.0.1", 0)),
    "socket.connect": lambda: real[0].connect(("127.0.0.1", 9)),
    "socket.gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
    "socket.gethostbyname": lambda: socket.gethostbyname("localhost"),
    "socket.gethostname": lambda: socket.gethostname(),  # noqa: PLW0108
    "socket.sendmsg": lambda: real[0].sendmsg([b""], [], 0, ("127.0.0.1", 9)),
    "socket.sendto": lambda: real[0].sendto(b"", ("127.0.0.1", 9)),
    "sqlite3.connect": lambda: sqlite3.connect("made"),
    "subprocess.Popen": lambda: subprocess.run([TRUE], check=False),
    "syslog.syslog": lambda: syslog.syslog("hello"),
    "time.sleep": lambda: time.sleep(0),
    "_posixsubprocess.fork_exec": lambda: multiprocessing.util.spawnv_passfds(
        TRUE.encode(), [b"true"], ()
    ),
    "_signal.signal": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "_socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "_thread.start_new_thread": lambda: _thread.start_new_thread(int, ()),
    "os.mkfifo": lambda: os.mkfifo("made"),
    "os.mknod": lambda: os.mknod("made"),
    "select.select": lambda: select.select([], [], [], 0),
    "signal.alarm": lambda: signal.alarm(9),
    "signal.pause": lambda: signal.pause(),  # noqa: PLW0108
    "signal.raise_signal": lambda: signal.raise_signal(signal.SIGUSR1),
    "signal.set_wakeup_fd": lambda: signal.set_wakeup_fd(-1),
    "signal.setitimer": lambda: signal.setitimer(signal.ITIMER_REAL, 9),
    "threading._start_joinable_thread": lambda: threading.Thread(target=int).start(),
    "threading._start_new_thread": lambda: threading.Thread(target=int).start(),
}
ROWS = {**REFUSED_EVENTS, **REFUSED_CALLS}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_text("text")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_every_row_of_the_boundary_is_tried():
    assert set(ROWS) == set(ESCAPES)


@pytest.mark.parametrize("name", ROWS)
def test_it_raises_with_site_and_advice_and_leaves_no_effect(name, folder):
    caught = []

    async def program():
        try:
            ESCAPES[name]()
        except EscapeError as error:
            caught.append(error)

    simulate(program)  # whatever is imported late is imported now
    caught.clear()
    before = world(folder)
    run = simulate(program)
    assert world(folder) == before
    error = run.error
    assert isinstance(error, EscapeError)  # although the program swallowed it
    assert caught == [error]
    # Python 3.13 makes threads in another way, so the text of a twin counts as well.
    assert error.instead == ROWS[name].instead
    assert "fence/test_refused.py:" in error.site
    assert "in <lambda>" in error.site
    assert error.what.split(" (by way of")[0] in {row.what for row in ROWS.values()}


def test_threads_name_what_the_program_called():
    async def program():
        threading.Thread(target=int).start()

    error = simulate(program).error
    assert isinstance(error, EscapeError)
    assert error.what == "threading.Thread.start()"


def test_the_function_that_the_program_called_is_named():
    async def program():
        with trio.open_signal_receiver(signal.SIGUSR1):
            pass

    error = simulate(program).error
    assert isinstance(error, EscapeError)
    assert error.what == "signal.signal() (by way of trio.open_signal_receiver())"


@pytest.mark.parametrize("start", [trio.run_process, trio.lowlevel.open_process])
def test_processes_of_trio_are_refused_and_leave_no_pipes(start, tmp_path):
    async def program():
        options = {"capture_stdout": True} if start is trio.run_process else {"stdout": -1}
        await start([TRUE], **options)

    simulate(program)
    before = world(tmp_path)
    error = simulate(program).error
    assert world(tmp_path) == before
    assert isinstance(error, EscapeError)
    assert "in program" in error.site


def test_a_worker_thread_is_inside(tmp_path):
    async def program():
        await trio.to_thread.run_sync(os.mkdir, tmp_path / "made")

    error = simulate(program).error
    assert isinstance(error, EscapeError)
    assert "in program" in error.site
    assert not (tmp_path / "made").exists()


def test_trios_files_are_refused_for_writing_and_open_for_reading(tmp_path):
    (tmp_path / "old").write_text("text")

    async def reads():
        return await trio.Path(tmp_path / "old").read_text()

    async def writes():
        await trio.Path(tmp_path / "old").write_text("new")

    assert simulate(reads).value == "text"
    assert isinstance(simulate(writes).error, EscapeError)
    assert (tmp_path / "old").read_text() == "text"


def test_another_thread_is_outside(tmp_path):
    inside, done = threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        (tmp_path / "made").write_text("by another thread")
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    async def program():
        inside.set()
        done.wait(10)

    assert simulate(program).error is None
    thread.join()
    assert (tmp_path / "made").exists()


class Opens:
    """A chooser that writes a log."""

    def __init__(self, path):
        self.path = path

    def start(self, run):
        pass

    def choose(self, point):
        self.path.write_text("chosen")
        return 0

    def finish(self, result):
        pass


def test_a_chooser_may_do_as_it_likes(tmp_path):
    async def program():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            nursery.start_soon(trio.sleep, 1)

    assert simulate(program, chooser=Opens(tmp_path / "log")).error is None
    assert (tmp_path / "log").read_text() == "chosen"


def test_outside_a_run_nothing_is_refused(tmp_path):
    async def program():
        pass

    simulate(program)
    (tmp_path / "made").write_text("text")
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    time.sleep(0)
    assert socket.getaddrinfo("127.0.0.1", 80)
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0


def test_an_allowed_escape_is_made_by_its_task_and_its_children_only(tmp_path):
    async def allowed():
        with allow_escape("a log that nobody reads back"):
            (tmp_path / "log").write_text("x")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(writes, "child")
            await trio.to_thread.run_sync((tmp_path / "thread").write_text, "x")

    async def writes(name):
        (tmp_path / name).write_text("x")

    async def not_allowed():
        with allow_escape("for a while"):
            pass
        await writes("not")

    assert simulate(allowed).error is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["child", "log", "thread"]
    assert isinstance(simulate(not_allowed).error, EscapeError)
    with pytest.raises(ValueError, match="why"), allow_escape(" "):
        pass
